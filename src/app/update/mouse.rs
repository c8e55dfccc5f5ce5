//! The mouse: a click puts the cursor there, the wheel scrolls what it is over.

use super::{actions, corpus, metrics, movement, zones};
use crate::app::{
    action::Action,
    effect::Effect,
    explorer::Zone,
    keymap::Key,
    state::{Screen, State},
};
use crossterm::event::{KeyCode, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// Lines that one notch of the wheel moves.
const NOTCH: isize = 3;

pub fn on_mouse(state: &mut State, event: MouseEvent, effects: &mut Vec<Effect>) {
    if !state.mouse {
        return;
    }
    if state.overlay.is_some() {
        let code = match event.kind {
            MouseEventKind::ScrollUp => KeyCode::Up,
            MouseEventKind::ScrollDown => KeyCode::Down,
            _ => return,
        };
        return super::overlays::on_key(state, Key::plain(code), effects);
    }
    if state.screen == Screen::Annotate {
        return super::annotate::on_mouse(state, event);
    }
    if state.screen == Screen::Metrics && metrics::on_mouse(state, event) {
        return;
    }
    if state.screen != Screen::Explorer {
        let action = match event.kind {
            MouseEventKind::ScrollUp => Action::Up,
            MouseEventKind::ScrollDown => Action::Down,
            _ => return,
        };
        return (0..NOTCH).for_each(|_| super::perform(state, action, effects));
    }
    let Some(zones) = state.zones() else { return };
    let at = Position::new(event.column, event.row);
    let inside = |rect: Option<Rect>| rect.filter(|r| r.contains(at));
    let (picker_height, list_height) = corpus::heights(state);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            if let Some(rect) = inside(zones.perspectives) {
                zones::focus(state, Zone::Perspectives);
                if let Some(row) = event.row.checked_sub(rect.y + 1) {
                    let to = state.explorer.picker.scroll + usize::from(row);
                    let again = to == state.explorer.picker.cursor;
                    state.explorer.picker.go(to, picker_height);
                    corpus::rescope(state);
                    if again {
                        actions::perform(state, Action::Select, effects);
                    }
                }
            } else if let Some(rect) = inside(zones.items) {
                zones::focus(state, Zone::Items);
                if let Some(row) = event.row.checked_sub(rect.y + 1) {
                    let to = state.explorer.items.scroll + usize::from(row);
                    movement::go_item(state, to, list_height);
                }
            } else if zones.comparison.contains(at) {
                zones::focus(state, Zone::Comparison);
                if let Some(column) = column_at(state, at) {
                    state.explorer.compare.focus = column;
                }
            }
        }
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let by = if event.kind == MouseEventKind::ScrollUp { -NOTCH } else { NOTCH };
            if inside(zones.perspectives).is_some() {
                let to = state.explorer.picker.cursor.saturating_add_signed(by);
                state.explorer.picker.go(to, picker_height);
                corpus::rescope(state);
            } else if inside(zones.items).is_some() {
                let to = state.explorer.items.cursor.saturating_add_signed(by);
                movement::go_item(state, to, list_height);
            } else {
                let (shown, layout) = state.columns();
                let over = column_at(state, at);
                let visible: Vec<usize> =
                    shown.iter().skip(layout.first).take(layout.rects.len()).copied().collect();
                for column in visible {
                    if state.explorer.compare.sync || Some(column) == over {
                        movement::scroll_column(state, column, by);
                    }
                }
            }
        }
        _ => {}
    }
}

fn column_at(state: &State, at: Position) -> Option<usize> {
    let (shown, layout) = state.columns();
    let hit = layout.rects.iter().position(|r| at.x >= r.x.saturating_sub(1) && at.x < r.right() + 2)?;
    shown.get(layout.first + hit).copied()
}
