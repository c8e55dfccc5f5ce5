//! The item list: text, what each method made of it, gold.

use super::{outcome, title};
use crate::app::{
    State,
    explorer::{
        PickRow,
        columns::applies,
        items::{Scope, order_word},
    },
};
use crate::core::{
    Kind, Outcome,
    corpus::ItemIx,
    perspective::attribute_title,
    wrap::{truncate, width},
};
use crate::ui::{
    Theme,
    paint::{put, put_all, put_right, thousands},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// Cells for gold's text.
const GOLD: u16 = 9;

pub fn draw(state: &State, theme: &Theme, rect: Rect, focused: bool, buffer: &mut Buffer) {
    let list = &state.explorer.items;
    let place = if list.rows.is_empty() { 0 } else { list.cursor + 1 };
    let mut note = format!("{}/{}", thousands(place), thousands(list.rows.len()));
    if !matches!(list.scope, Scope::Swap { .. }) {
        note.push_str(&format!("   order: {}", order_word(list.order).0));
    }
    let name =
        if matches!(list.scope, Scope::Swap { .. }) { "ONE SITUATION, ALL PERSPECTIVES" } else { "ITEMS" };
    let mut what = scope_name(state);
    if !state.filter.query.is_empty() {
        let dots = if state.filter.pending { " …" } else { "" };
        what.push_str(&format!("   filter: {}{dots}", state.filter.query));
    }
    title(buffer, rect, focused, theme, name, &what, &note);
    if list.rows.is_empty() {
        nothing(state, theme, rect, buffer);
    }
    let height = usize::from(rect.height.saturating_sub(1));
    for (i, ix) in list.rows.iter().skip(list.scroll).take(height).enumerate() {
        let here = list.scroll + i == list.cursor;
        row(
            state,
            theme,
            *ix,
            here,
            focused,
            Rect::new(rect.x, rect.y + 1 + i as u16, rect.width, 1),
            buffer,
        );
    }
}

fn scope_name(state: &State) -> String {
    match &state.explorer.items.scope {
        Scope::Swap { text, .. } => state.corpus.text_title(*text).to_owned(),
        Scope::Pick(PickRow::Everything) => "everything".to_owned(),
        Scope::Pick(PickRow::Kind(kind)) => kind.plural().to_owned(),
        Scope::Pick(PickRow::Attribute(attribute)) => attribute_title(attribute),
        Scope::Pick(PickRow::Perspective(ix)) => {
            state.corpus.perspective(*ix).map_or_else(String::new, |p| p.name.clone())
        }
    }
}

fn nothing(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (text, hint) = if state.filter.pending {
        ("filtering …", String::new())
    } else if state.filter.query.is_empty() {
        ("no items here", String::new())
    } else {
        ("nothing passes the filter", format!("F drops   {}", state.filter.query))
    };
    put(buffer, rect.x + 3, rect.y + 1, rect.width.saturating_sub(4), text, theme.soft());
    put(buffer, rect.x + 3, rect.y + 2, rect.width.saturating_sub(4), &hint, theme.dim());
}

fn row(state: &State, theme: &Theme, ix: ItemIx, here: bool, focused: bool, rect: Rect, buffer: &mut Buffer) {
    let y = rect.y;
    let marker_style = if focused { theme.accent() } else { theme.soft() };
    put(buffer, rect.x + 1, y, 1, if here { theme.glyph("▸", ">") } else { " " }, marker_style);
    let right = rect.right().saturating_sub(1);
    // Gold, flip and outcomes from the right; the text gets what is left.
    let gold_room = if rect.width >= 70 { GOLD } else { 1 };
    let gold = state.corpus.item(ix).and_then(|i| i.gold());
    let value = state
        .corpus
        .item(ix)
        .and_then(|i| i.perspective())
        .and_then(|p| state.corpus.perspective(p))
        .is_some_and(|p| p.kind != Kind::Demographic);
    let gold_text = match gold {
        Some(letter) if value && gold_room > 1 => {
            format!("{letter} {}", ["support", "oppose", "either"].get(letter.index()).unwrap_or(&""))
        }
        Some(letter) => letter.to_string(),
        None => "–".to_owned(),
    };
    let x = right.saturating_sub(gold_room);
    put(buffer, x, y, gold_room, &gold_text, theme.dim());
    let flip = if state.corpus.flips(ix) { theme.glyph("⇄", "~") } else { " " };
    put(buffer, x.saturating_sub(2), y, 1, flip, theme.caution());
    let methods = state.explorer.compare.shown(state.methods.len());
    let mut at = x.saturating_sub(3 + 2 * methods.len() as u16).max(rect.x + rect.width / 3);
    let text_right = at.saturating_sub(1);
    for column in methods {
        if at + 2 >= x {
            break;
        }
        let (glyph, style) = mark(state, theme, ix, column);
        put(buffer, at, y, 1, glyph, style);
        at += 2;
    }
    let mut style = theme.text();
    if here {
        style = if focused { theme.accent() } else { style }.add_modifier(Modifier::BOLD);
    }
    let (text, note) = label(state, ix);
    let room = text_right.saturating_sub(rect.x + 3);
    let note_room = (width(&note) as u16).min(room * 2 / 5);
    let text = truncate(
        &crate::core::text::neutralise(&text).replace('\n', " "),
        usize::from(room.saturating_sub(if note.is_empty() { 0 } else { note_room + 2 })),
    );
    let end = put_all(buffer, rect.x + 3, y, text_right, &[(&text, style)]);
    highlight(state, theme, &text, rect.x + 3, y, style, buffer);
    if !note.is_empty() {
        put_right(buffer, end + 2, text_right, y, &truncate(&note, usize::from(note_room)), theme.dim());
    }
}

/// What names the row, and what is said beside it.
fn label(state: &State, ix: ItemIx) -> (String, String) {
    let perspective = || {
        let p = state.corpus.item(ix).and_then(|i| i.perspective()).and_then(|p| state.corpus.perspective(p));
        p.map_or_else(String::new, |p| p.name.clone())
    };
    let known = state.corpus.item(ix).is_some_and(|i| i.known());
    match &state.explorer.items.scope {
        _ if !known => {
            let id = state.corpus.item(ix).map_or_else(String::new, |i| i.id.to_string());
            (format!("unknown item {id}"), "only traces name it".to_owned())
        }
        Scope::Swap { .. } => (perspective(), String::new()),
        Scope::Pick(PickRow::Perspective(_)) => (state.corpus.title(ix).to_owned(), String::new()),
        Scope::Pick(_) => (state.corpus.title(ix).to_owned(), perspective()),
    }
}

fn mark(state: &State, theme: &Theme, ix: ItemIx, column: usize) -> (&'static str, ratatui::style::Style) {
    let Some(runnable) = state.methods.get(column) else { return (" ", theme.text()) };
    let id = &runnable.method.id;
    let outcome = state.corpus.method_ix(&id.0).map_or(Outcome::NotRun, |m| state.corpus.outcome(ix, m));
    if outcome == Outcome::NotRun && !applies(state, ix, runnable) {
        return (theme.glyph("–", "-"), theme.line());
    }
    outcome::glyph(outcome, theme)
}

/// Marks the searched words in a row.
fn highlight(
    state: &State,
    theme: &Theme,
    text: &str,
    x: u16,
    y: u16,
    style: ratatui::style::Style,
    buffer: &mut Buffer,
) {
    let Some(words) = state.search_words() else { return };
    for range in crate::ui::widgets::steps::matches(text, words) {
        let from = width(&text[..range.start]) as u16;
        put(buffer, x + from, y, width(&text[range.clone()]) as u16, &text[range], theme.mark(style));
    }
}
