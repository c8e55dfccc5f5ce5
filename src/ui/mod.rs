//! Drawing: `view(&State, &Theme, &mut Frame)`, pure. Reads the state, writes cells, decides nothing.

pub mod export;
pub mod paint;
pub mod screens;
pub mod theme;
pub mod widgets;

pub use theme::{Depth, Theme};

use crate::app::{State, state::Screen};
use ratatui::Frame;

/// Draws the whole screen.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    if state.demo.as_ref().is_some_and(|d| d.large) && state.overlay.is_none() {
        return screens::demo::draw(state, theme, area, frame.buffer_mut());
    }
    match state.screen {
        Screen::Explorer => screens::explorer::draw(state, theme, area, frame.buffer_mut()),
        Screen::Training => screens::training::draw(state, theme, area, frame.buffer_mut()),
        Screen::Metrics => screens::metrics::draw(state, theme, area, frame.buffer_mut()),
        Screen::Audit => screens::audit::draw(state, theme, area, frame.buffer_mut()),
        Screen::Annotate => screens::annotate::draw(state, theme, area, frame.buffer_mut()),
    }
    if state.demo.is_some() {
        widgets::caption::draw(state, theme, area, frame.buffer_mut());
    }
}
