//! Right or wrong against clear or flagged, per method; each cell is a filter.

use super::{about, first, percent, title};
use crate::app::State;
use crate::core::check::overview::Quadrant;
use crate::ui::{
    Theme,
    paint::{put, thousands},
    widgets::pages,
};
use ratatui::{buffer::Buffer, layout::Rect};

pub(super) fn draw(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let audit = &state.audit;
    about(state, "answers against what it says of the rationale", theme, rect, buffer);
    put(buffer, rect.x + 34, rect.y + 2, 14, "clear", theme.dim());
    put(buffer, rect.x + 52, rect.y + 2, 14, "flagged", theme.dim());
    if audit.overview.quadrants.is_empty() {
        put(
            buffer,
            rect.x,
            rect.y + 3,
            rect.width,
            "no verdict of this check on a trace with known gold",
            theme.dim(),
        );
        return;
    }
    let height = usize::from(rect.height.saturating_sub(3)) / 3 * 2;
    let from = first(audit.cursor, audit.rows(), height.max(2)) / 2;
    for (i, quadrant) in audit.overview.quadrants.iter().enumerate().skip(from) {
        let y = rect.y + 3 + (i - from) as u16 * 3;
        if y + 1 >= rect.bottom() {
            break;
        }
        quadrant_rows(state, quadrant, i, rect, y, theme, buffer);
    }
}

fn quadrant_rows(
    state: &State,
    quadrant: &Quadrant,
    index: usize,
    rect: Rect,
    y: u16,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let audit = &state.audit;
    let total: usize = quadrant.counts.iter().flatten().sum();
    for (row, word) in ["right", "wrong"].into_iter().enumerate() {
        let y = y + row as u16;
        if row == 0 {
            put(buffer, rect.x + 2, y, 20, &title(state, &quadrant.method), theme.text());
        }
        put(buffer, rect.x + 24, y, 8, word, if row == 0 { theme.right() } else { theme.wrong() });
        for (column, count) in quadrant.counts[row].iter().enumerate() {
            let x = rect.x + 34 + column as u16 * 18;
            let here = audit.cursor == index * 2 + row && audit.cell == column;
            let share = *count as f64 / total.max(1) as f64;
            let mark = if here { theme.glyph("▸", ">") } else { " " };
            put(buffer, x - 2, y, 1, mark, theme.accent());
            let text = format!("{:>5}  {:>5}", thousands(*count), percent(share));
            put(buffer, x, y, 14, &text, pages::row_style(here, theme));
        }
    }
}
