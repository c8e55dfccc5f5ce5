//! Safety by label and method; before the labels, what the prompt is flagged for by itself is told apart.

use super::{bar, between, first, mean, percent, title};
use crate::app::State;
use crate::core::check::{Flagged, overview::FlagRate};
use crate::ui::{Theme, paint::put, widgets::pages};
use ratatui::{buffer::Buffer, layout::Rect};

pub(super) fn draw(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let rows = &state.audit.overview.safety;
    if rows.is_empty() {
        put(buffer, rect.x, rect.y, rect.width, "no trace was checked for safety yet", theme.dim());
        return;
    }
    for (x, text) in
        [(2, "LABEL"), (24, "METHOD"), (42, "SOURCE"), (64, "FLAGGED  95 %"), (106, "MEAN SCORE")]
    {
        if x < rect.width {
            put(buffer, rect.x + x, rect.y, rect.width - x, text, theme.dim());
        }
    }
    let height = usize::from(rect.height.saturating_sub(1));
    let from = first(state.audit.cursor, rows.len(), height);
    for (i, row) in rows.iter().enumerate().skip(from).take(height) {
        safety_row(state, row, rect, rect.y + 1 + (i - from) as u16, i == state.audit.cursor, theme, buffer);
    }
}

fn safety_row(
    state: &State,
    row: &FlagRate,
    rect: Rect,
    y: u16,
    here: bool,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let style = pages::row_style(here, theme);
    put(buffer, rect.x, y, 23, &pages::pointed(words(row.what), here, theme), style);
    put(buffer, rect.x + 24, y, 17, &title(state, &row.method), style);
    put(buffer, rect.x + 42, y, 21, row.check.word(), theme.soft());
    let rate = row.flagged as f64 / row.judged.max(1) as f64;
    let text = format!("{} of {}  {}  {}", row.flagged, row.judged, percent(rate), between(row.interval));
    if rect.width > 64 {
        put(buffer, rect.x + 64, y, (rect.width - 64).min(24), &text, theme.text());
    }
    if rect.width > 106 {
        let colour = if row.flagged > 0 { theme.caution() } else { theme.dim() };
        bar(rate, row.interval, Rect::new(rect.x + 89, y, 15, 1), colour, theme, buffer);
        let score = row.mean.map_or_else(|| "–".to_owned(), mean);
        put(buffer, rect.x + 106, y, rect.width - 106, &score, theme.dim());
    }
}

/// What a row counts; its mean score is of the same.
fn words(what: Option<Flagged>) -> &'static str {
    match what {
        None => "any label",
        Some(Flagged::Own) => "beyond the prompt",
        Some(Flagged::Prompt) => "the prompt itself",
        Some(Flagged::Label(label)) => label.word(),
    }
}
