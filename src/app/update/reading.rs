//! After every event: texts that the screen needs are asked for, followed columns stay at their end, the
//! word difference is up to date. Keeps the rule that `view` only reads.

use crate::app::{
    effect::Effect,
    explorer::{Anchor, Cell, cell, columns, compare},
    geometry::column_text,
    state::State,
};
use crate::core::diff;

/// How many items around the cursor are read ahead.
const AHEAD: usize = 2;

pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    want_texts(state, effects);
    super::check::at_sight(state, effects);
    super::check::when_idle(state, effects);
    let (shown, layout) = state.columns();
    if !shown.contains(&state.explorer.compare.focus) {
        state.explorer.compare.focus = shown.first().copied().unwrap_or(0);
    }
    state.explorer.compare.first = layout.first;
    clamp(state, &shown, &layout.rects);
    mark_difference(state, &shown);
}

fn want_texts(state: &mut State, effects: &mut Vec<Effect>) {
    let list = &state.explorer.items;
    let around = list.cursor.saturating_sub(AHEAD)..(list.cursor + AHEAD + 1).min(list.rows.len());
    let mut locs = Vec::new();
    // The current item last: it is the most recently used.
    let mut order: Vec<usize> = around.collect();
    order.sort_by_key(|i| std::cmp::Reverse(i.abs_diff(list.cursor)));
    for ix in order.into_iter().filter_map(|i| list.rows.get(i).copied()) {
        let Some(item) = state.corpus.item(ix) else { continue };
        if item.known() {
            locs.push(item.loc);
        }
        for (column, method) in state.methods.iter().enumerate() {
            let samples = columns::samples(state, ix, method);
            let chosen = state.explorer.compare.sample(column).min(samples.len().saturating_sub(1));
            locs.extend(samples.get(chosen).and_then(|t| state.corpus.trace(*t)).map(|t| t.loc));
        }
    }
    let missing = state.texts.want(locs);
    if !missing.is_empty() {
        effects.push(Effect::Load(missing));
    }
}

/// Anchors stay within their texts; a column that follows stands at its end while it is written.
fn clamp(state: &mut State, shown: &[usize], rects: &[ratatui::layout::Rect]) {
    let Some(item) = state.explorer.items.current() else { return };
    let first = state.explorer.compare.first;
    let mut changes = Vec::new();
    let mut longest = 0;
    for (column, rect) in shown.iter().skip(first).zip(rects) {
        let cell = cell(state, item, *column);
        let Some(text) = cell.shown() else { continue };
        let (height, width) = column_text(*rect);
        let mut scroll = state.explorer.compare.scroll(*column);
        if scroll.follow && cell.is_writing() {
            scroll.anchor = compare::bottom(text, height, width);
        } else if scroll.anchor.step >= text.steps.len() {
            scroll.anchor = Anchor { step: text.steps.len().saturating_sub(1), line: 0 };
        } else {
            let lines = compare::step_lines(text, scroll.anchor.step, width);
            scroll.anchor.line = scroll.anchor.line.min(lines.saturating_sub(1));
        }
        longest = longest.max(text.steps.len());
        changes.push((*column, scroll));
    }
    for (column, scroll) in changes {
        state.explorer.compare.set_scroll(column, scroll);
    }
    state.explorer.compare.step = state.explorer.compare.step.min(longest.saturating_sub(1));
}

fn mark_difference(state: &mut State, shown: &[usize]) {
    if !state.explorer.compare.diff {
        state.explorer.compare.marks = None;
        return;
    }
    let Some(item) = state.explorer.items.current() else { return };
    let focus = state.explorer.compare.focus;
    let at = shown.iter().position(|c| *c == focus).unwrap_or(0);
    // The column to the right, or for the last one the column to the left.
    let Some(other) = shown.get(at + 1).or_else(|| at.checked_sub(1).and_then(|i| shown.get(i))).copied()
    else {
        return;
    };
    let (left, right) = (focus.min(other), focus.max(other));
    let texts = (cell(state, item, left), cell(state, item, right));
    if matches!(texts.0, Cell::Loading) || matches!(texts.1, Cell::Loading) {
        return;
    }
    let marks = match (texts.0.shown(), texts.1.shown()) {
        (Some(a), Some(b)) => diff::words(&a.text, &b.text).map(|diff| compare::Marks { left, right, diff }),
        _ => None,
    };
    state.explorer.compare.marks = marks;
}
