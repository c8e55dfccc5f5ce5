//! Moving through perspectives, items, steps and columns; the focus stays where it is, or goes to the next zone.

use super::{
    corpus::{heights, relist, rescope},
    zones::{focus, leave_swap, no_picker},
};
use crate::app::{
    action::Action,
    explorer::{PickRow, Zone, cell, compare, items::Scope},
    geometry::column_text,
    state::State,
};

fn moved(action: Action, cursor: usize, height: usize) -> usize {
    match action {
        Action::Up => cursor.saturating_sub(1),
        Action::Down => cursor + 1,
        Action::PageUp => cursor.saturating_sub((height / 2).max(1)),
        Action::PageDown => cursor + (height / 2).max(1),
        Action::First => 0,
        _ => usize::MAX,
    }
}

pub(super) fn vertical(state: &mut State, action: Action) {
    let (picker, list) = heights(state);
    match state.explorer.focus {
        Zone::Perspectives => {
            let to = moved(action, state.explorer.picker.cursor, picker);
            state.explorer.picker.go(to, picker);
            if matches!(state.explorer.items.scope, Scope::Swap { .. }) {
                leave_swap(state);
            }
            rescope(state);
        }
        Zone::Items => go_item(state, moved(action, state.explorer.items.cursor, list), list),
        Zone::Comparison => read_on(state, action),
    }
}

/// Moves within the item list; another item is read from its beginning.
pub fn go_item(state: &mut State, to: usize, height: usize) {
    let before = state.explorer.items.current();
    state.explorer.items.go(to, height);
    if state.explorer.items.current() != before {
        state.explorer.compare.reset();
    }
}

pub(super) fn step_item(state: &mut State, by: isize) {
    let (_, height) = heights(state);
    let to = state.explorer.items.cursor.saturating_add_signed(by);
    go_item(state, to, height);
}

pub(super) fn step_perspective(state: &mut State, forward: bool) {
    let picker = &state.explorer.picker;
    let is_perspective =
        |i: &usize| matches!(picker.lines.get(*i).map(|l| &l.row), Some(PickRow::Perspective(_)));
    let next = if forward {
        (picker.cursor + 1..picker.lines.len()).find(is_perspective)
    } else {
        (0..picker.cursor).rev().find(is_perspective)
    };
    if let Some(to) = next {
        let (height, _) = heights(state);
        state.explorer.picker.go(to, height);
        rescope(state);
    }
}

/// Up and down in the comparison: the step cursor, in one column or in all; long steps scroll by lines first.
fn read_on(state: &mut State, action: Action) {
    let Some(item) = state.explorer.items.current() else { return };
    let (shown, layout) = state.columns();
    let focus = state.explorer.compare.focus;
    if action == Action::Last {
        return to_end(state);
    }
    let position = shown.iter().position(|c| *c == focus).unwrap_or(0);
    let rect = layout.rects.get(position.saturating_sub(layout.first)).copied().unwrap_or_default();
    let (height, width) = column_text(rect);
    let step = state.explorer.compare.step;
    let cell = cell(state, item, focus);
    if let Some(text) = cell.shown() {
        let lines = compare::step_lines(text, step, width);
        let mut scroll = state.explorer.compare.scroll(focus);
        if lines > height
            && scroll.anchor.step == step
            && matches!(action, Action::Down | Action::PageDown | Action::Up | Action::PageUp)
        {
            let page = (height / 2).max(1);
            let line = scroll.anchor.line;
            let next = match action {
                Action::Down | Action::PageDown if line + height < lines => {
                    Some((line + page).min(lines - height))
                }
                Action::Up | Action::PageUp if line > 0 => Some(line.saturating_sub(page)),
                _ => None,
            };
            if let Some(line) = next {
                scroll.anchor.line = line;
                scroll.follow = false;
                state.explorer.compare.set_scroll(focus, scroll);
                return;
            }
        }
    }
    let by = if matches!(action, Action::PageUp | Action::PageDown) { 4 } else { 1 };
    let to = match action {
        Action::Up | Action::PageUp => step.saturating_sub(by),
        Action::First => 0,
        _ => step + by,
    };
    go_step(state, to);
}

/// Puts the step cursor on a step, and scrolls the columns (all of them, or only the focused one) to it.
pub fn go_step(state: &mut State, to: usize) {
    let Some(item) = state.explorer.items.current() else { return };
    let (shown, layout) = state.columns();
    let sync = state.explorer.compare.sync;
    let visible: Vec<_> = shown.iter().skip(layout.first).zip(&layout.rects).collect();
    let last = visible
        .iter()
        .filter(|(column, _)| sync || **column == state.explorer.compare.focus)
        .filter_map(|(column, _)| cell(state, item, **column).shown().map(|t| t.steps.len()))
        .max()
        .unwrap_or(0);
    let to = to.min(last.saturating_sub(1));
    let upwards = to < state.explorer.compare.step;
    state.explorer.compare.step = to;
    for (column, rect) in visible {
        if !sync && *column != state.explorer.compare.focus {
            continue;
        }
        let cell = cell(state, item, *column);
        let Some(text) = cell.shown().cloned() else { continue };
        let mut scroll = state.explorer.compare.scroll(*column);
        if upwards && cell.is_writing() && scroll.follow {
            scroll.follow = false;
            scroll.seen = text.steps.len();
        }
        let (height, width) = column_text(*rect);
        if !scroll.follow || !cell.is_writing() {
            scroll.anchor = compare::reveal(&text, scroll.anchor, to, height, width);
        }
        state.explorer.compare.set_scroll(*column, scroll);
    }
}

fn to_end(state: &mut State) {
    let sync = state.explorer.compare.sync;
    let (shown, _) = state.columns();
    for column in shown {
        if sync || column == state.explorer.compare.focus {
            let mut scroll = state.explorer.compare.scroll(column);
            scroll.follow = true;
            state.explorer.compare.set_scroll(column, scroll);
        }
    }
    go_step(state, usize::MAX);
}

/// Scrolls one column by lines; scrolling up stops following.
pub fn scroll_column(state: &mut State, column: usize, by: isize) {
    let Some(item) = state.explorer.items.current() else { return };
    let (shown, layout) = state.columns();
    let Some(position) = shown.iter().position(|c| *c == column) else { return };
    let Some(rect) = position.checked_sub(layout.first).and_then(|i| layout.rects.get(i)) else { return };
    let cell = cell(state, item, column);
    let Some(text) = cell.shown() else { return };
    let (_, width) = column_text(*rect);
    let mut scroll = state.explorer.compare.scroll(column);
    if by < 0 && scroll.follow {
        scroll.follow = false;
        scroll.seen = text.steps.len();
    }
    scroll.anchor = compare::scroll_lines(text, scroll.anchor, by, width);
    state.explorer.compare.set_scroll(column, scroll);
}

pub(super) fn horizontal(state: &mut State, left: bool) {
    match state.explorer.focus {
        Zone::Perspectives => {
            state.explorer.picker.toggle(Some(!left));
            relist(state);
        }
        Zone::Items => {
            focus(state, if left && !no_picker(state) { Zone::Perspectives } else { Zone::Comparison })
        }
        Zone::Comparison => {
            let shown = state.explorer.compare.shown(state.methods.len());
            let at = shown.iter().position(|c| *c == state.explorer.compare.focus).unwrap_or(0);
            let to = if left { at.saturating_sub(1) } else { (at + 1).min(shown.len().saturating_sub(1)) };
            state.explorer.compare.focus = shown.get(to).copied().unwrap_or(0);
        }
    }
}
