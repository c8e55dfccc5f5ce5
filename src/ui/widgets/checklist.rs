//! Every check in a list: what it asks, and what it found on the focused trace.

use super::panel;
use crate::{
    app::{
        State,
        explorer::{Cell, cell},
        geometry::list_scroll,
    },
    core::check::{CheckId, Scoring, Verdict},
    ui::{
        Theme,
        paint::{put, put_right},
    },
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};
use std::sync::Arc;

pub fn draw(state: &State, theme: &Theme, cursor: usize, area: Rect, buffer: &mut Buffer) {
    let height = CheckId::ALL.len() as u16 + 7;
    let keys = "enter this column   space every column   esc close";
    let inner = panel::open(buffer, area, theme, 104, height, "checks", keys);
    let rows = usize::from(inner.height.saturating_sub(2));
    let scroll = list_scroll(0, cursor, rows, CheckId::ALL.len());
    for (i, check) in CheckId::ALL.iter().enumerate().skip(scroll).take(rows) {
        let y = inner.y + (i - scroll) as u16;
        let here = i == cursor;
        let style = if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.text() };
        put(buffer, inner.x, y, 1, if here { theme.glyph("▸", ">") } else { " " }, theme.accent());
        put(buffer, inner.x + 2, y, 22, check.word(), style);
        let (found, look) = match found(state, *check) {
            Some(word) => (word, theme.text()),
            None => ("not run".to_owned(), theme.dim()),
        };
        let start = put_right(buffer, inner.x + 24, inner.right(), y, &found, look);
        put(buffer, inner.x + 25, y, start.saturating_sub(inner.x + 27), check.about(), theme.soft());
    }
    let how = state.checks.how;
    let y = inner.bottom().saturating_sub(1);
    let maker = if how.model_makes { "the model in use" } else { "rules" };
    let read = match how.scoring {
        None => "what the writer knows better",
        Some(Scoring::Words) => "words",
        Some(Scoring::Letters) => "letters",
    };
    let x = put(buffer, inner.x, y, inner.width, "m", theme.accent());
    let x =
        put(buffer, x, y, inner.right().saturating_sub(x), &format!(" mistakes by {maker}   "), theme.soft());
    let x = put(buffer, x, y, inner.right().saturating_sub(x), "r", theme.accent());
    put(buffer, x, y, inner.right().saturating_sub(x), &format!(" read off by {read}"), theme.soft());
}

/// In a word or two, what a check says of the focused trace.
fn found(state: &State, check: CheckId) -> Option<String> {
    let item = state.explorer.items.current()?;
    let Cell::Trace { entry, .. } = cell(state, item, state.explorer.compare.focus) else { return None };
    let trace = entry.trace.as_ref()?;
    let checks = &state.checks;
    if checks.at(trace, check) {
        return Some("checking …".to_owned());
    }
    if checks.awaiting.iter().any(|(t, asked)| Arc::ptr_eq(t, trace) && asked.contains(&check)) {
        return Some("waits".to_owned());
    }
    checks.verdict(trace, check).map(|record| match &record.verdict {
        Verdict::Judged(judged) => judged.word.clone(),
        Verdict::Unjudged(reason) => reason.kind().to_owned(),
    })
}
