//! The comparison: the item, and one column per method.

use super::column::{self, Column};
use crate::app::{Action, State, action::Context, explorer::cell, geometry::COMPARISON_HEAD, texts::Lookup};
use crate::core::{Item, corpus::ItemIx, text::neutralise, wrap::wrap};
use crate::ui::{
    Theme,
    paint::{put, put_all, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};
use std::sync::Arc;

pub fn draw(state: &State, theme: &Theme, rect: Rect, focused: bool, buffer: &mut Buffer) {
    let Some(ix) = state.explorer.items.current() else {
        put(
            buffer,
            rect.x + 3,
            rect.y + 1,
            rect.width.saturating_sub(4),
            "choose an item above",
            theme.soft(),
        );
        return;
    };
    let item = full(state, ix);
    head(state, theme, ix, item.as_deref(), focused, rect, buffer);
    let (shown, layout) = state.columns();
    let visible: Vec<(usize, Rect)> =
        shown.iter().copied().skip(layout.first).zip(layout.rects.iter().copied()).collect();
    for (i, (method, place)) in visible.iter().enumerate() {
        let focus = focused && *method == state.explorer.compare.focus;
        let column = Column {
            state,
            theme,
            cell: cell(state, ix, *method),
            item: item.as_deref(),
            method: *method,
            focused: focus,
        };
        column::draw(&column, *place, buffer);
        if i + 1 < visible.len() {
            for y in place.top()..place.bottom() {
                put(buffer, place.right() + 1, y, 1, theme.glyph("│", "|"), theme.line());
            }
        }
    }
    more_columns(state, theme, shown.len(), layout.first, visible.len(), rect, buffer);
}

fn full(state: &State, ix: ItemIx) -> Option<Arc<Item>> {
    let entry = state.corpus.item(ix).filter(|i| i.known())?;
    match state.texts.get(entry.loc) {
        Lookup::Ready(entry) => entry.item.clone(),
        _ => None,
    }
}

/// Situation or question in up to two lines; then perspective, gold, where it comes from.
fn head(
    state: &State,
    theme: &Theme,
    ix: ItemIx,
    item: Option<&Item>,
    focused: bool,
    rect: Rect,
    buffer: &mut Buffer,
) {
    let room = rect.width.saturating_sub(2);
    let text = neutralise(item.map_or_else(|| state.corpus.title(ix), |i| &i.text)).replace('\n', " ");
    let lines = wrap(&text, usize::from(room.min(180)));
    let style = if focused { theme.text().add_modifier(Modifier::BOLD) } else { theme.text() };
    let two = lines.len() > 1 && rect.height > COMPARISON_HEAD;
    match (lines.first(), two) {
        (Some(first), true) => {
            put(buffer, rect.x + 1, rect.y, room, &text[first.clone()], style);
            // The second line carries the rest, cut with an ellipsis where it is longer still.
            put(buffer, rect.x + 1, rect.y + 1, room, text[first.end..].trim_start(), style);
        }
        _ => {
            put(buffer, rect.x + 1, rect.y, room, &text, style);
        }
    }
    let y = rect.y + 1 + u16::from(two);
    let entry = state.corpus.item(ix);
    let perspective = entry.and_then(|i| i.perspective()).and_then(|p| state.corpus.perspective(p));
    let name = perspective.map_or("unknown perspective", |p| p.name.as_str());
    let gold = match entry.and_then(|i| i.gold()) {
        Some(letter) => {
            let choice = item.and_then(|i| i.options.iter().find(|c| c.letter == letter));
            let share = choice
                .and_then(|c| c.human_probability)
                .map(|p| format!(" ({:.0} % of the group)", p * 100.0));
            let words = choice.map_or_else(String::new, |c| format!(" {}", c.text.to_lowercase()));
            format!("gold {letter}{words}{}", share.unwrap_or_default())
        }
        None => "gold unknown".to_owned(),
    };
    let split = state.corpus.split(ix).map_or_else(String::new, |s| format!("   ·   {s}"));
    let source = item.map_or("", |i| i.source.as_str());
    let source = if source.is_empty() { state.corpus.dataset(ix).to_owned() } else { source.to_owned() };
    put_all(
        buffer,
        rect.x + 1,
        y,
        rect.right().saturating_sub(1),
        &[
            (name, theme.accent()),
            ("   ·   ", theme.line()),
            (&gold, theme.soft()),
            (&split, theme.dim()),
            ("   ·   ", theme.line()),
            (&source, theme.dim()),
        ],
    );
}

/// Says above the columns how many stand left and right of the visible ones; in a demo, which of the scene's they are.
fn more_columns(
    state: &State,
    theme: &Theme,
    count: usize,
    first: usize,
    fit: usize,
    rect: Rect,
    buffer: &mut Buffer,
) {
    let hidden = state.explorer.compare.hidden.len();
    let after = count.saturating_sub(first + fit);
    let mut text = String::new();
    let demo = state.context() == Context::Demo;
    if demo && fit < count {
        // Methods that are not in the scene are none of the audience's business.
        let key = state.setup.keymap.hint(Context::Demo, Action::DemoColumn);
        let key = key.map_or_else(String::new, |key| format!(", {key} the next"));
        let visible =
            if fit > 1 { format!("s {}–{}", first + 1, first + fit) } else { format!(" {}", first + 1) };
        text.push_str(&format!("method{visible} of {count}{key}  "));
    }
    if !demo && first > 0 {
        text.push_str(&format!("← {first}  "));
    }
    if !demo && after > 0 {
        text.push_str(&format!("{after} →  "));
    }
    if !demo && hidden > 0 {
        text.push_str(&format!("{hidden} hidden (+)  "));
    }
    if state.explorer.compare.diff {
        text.push_str("words that differ are marked  ");
    }
    if !text.is_empty() && rect.height > COMPARISON_HEAD + 2 {
        let (left, y) = (rect.x + rect.width / 2, rect.y + COMPARISON_HEAD - 1);
        let text = format!("  {}", text.trim_end());
        put_right(buffer, left, rect.right().saturating_sub(1), y, &text, theme.dim());
    }
}
