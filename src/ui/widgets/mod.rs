//! Parts of screens, each drawn by one function of the state.

pub mod caption;
pub mod check_bar;
pub mod checklist;
pub mod column;
pub mod comparison;
pub mod details;
pub mod evidence;
pub mod intervene;
pub mod items;
pub mod outcome;
pub mod overlays;
pub mod pages;
pub mod panel;
pub mod picker;
pub mod priorities;
pub mod range_chart;
pub mod report;
pub mod sheet;
pub mod source;
pub mod status;
pub mod steps;

use crate::ui::{
    Theme,
    paint::{put, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// The title of a zone: a word in capitals, what it shows, and a note on the right.
pub fn title(
    buffer: &mut Buffer,
    rect: Rect,
    focused: bool,
    theme: &Theme,
    name: &str,
    what: &str,
    note: &str,
) {
    let style = if focused { theme.accent().add_modifier(Modifier::BOLD) } else { theme.dim() };
    let right = rect.right().saturating_sub(1);
    let start = put_right(buffer, rect.x + 1, right, rect.y, note, theme.dim());
    let x = put(buffer, rect.x + 1, rect.y, start.saturating_sub(rect.x + 2), name, style);
    put(buffer, x + 2, rect.y, start.saturating_sub(x + 3), what, theme.soft());
}
