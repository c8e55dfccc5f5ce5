//! A table of the metrics: a row at a time, so that pages of any length scroll.

use crate::app::metrics::page;
use crate::core::metric::sheet::{Cell, Sheet};
use crate::ui::{
    Theme,
    paint::{put, put_right},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

pub fn title(sheet: &Sheet, focused: bool, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let style = if focused { theme.accent() } else { theme.soft() };
    put(buffer, rect.x, rect.y, rect.width, &sheet.title, style.add_modifier(Modifier::BOLD));
}

/// The columns' names; `column` is the one that must be seen.
pub fn head(sheet: &Sheet, column: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let places = page::layout(sheet, column, usize::from(rect.width));
    let last = places.last().map_or(0, |p| p.0);
    for (at, x, width) in places {
        let Some(head) = sheet.columns.get(at) else { continue };
        cell(buffer, rect, (x, width), &head.name, head.number, theme.dim());
    }
    // Columns that do not fit are told, not lost.
    if last + 1 < sheet.columns.len() {
        put_right(buffer, rect.x, rect.right(), rect.y, theme.glyph("→", ">"), theme.accent());
    }
}

/// Row `at`; `here` is the column under the cursor, where this is its row.
pub fn row(
    sheet: &Sheet,
    at: usize,
    column: usize,
    here: Option<usize>,
    theme: &Theme,
    rect: Rect,
    buffer: &mut Buffer,
) {
    let Some(cells) = sheet.rows.get(at) else { return };
    for (number, x, width) in page::layout(sheet, column, usize::from(rect.width)) {
        let (Some(shown), Some(head)) = (cells.get(number), sheet.columns.get(number)) else { continue };
        let mut style = style(sheet, shown, theme);
        if here == Some(number) {
            style = theme.accent().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        } else if here.is_some() && number == 0 {
            style = theme.accent().add_modifier(Modifier::BOLD);
        }
        let text = if sheet.heat && number > 0 { heat(shown, theme) } else { shown.text.clone() };
        cell(buffer, rect, (x, width), &text, head.number, style);
    }
}

pub fn note(sheet: &Sheet, line: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let lines = page::note(sheet, usize::from(rect.width));
    if let Some(part) = lines.get(line).and_then(|range| sheet.note.get(range.clone())) {
        put(buffer, rect.x + 2, rect.y, rect.width.saturating_sub(2), part, theme.dim());
    }
}

fn cell(buffer: &mut Buffer, rect: Rect, place: (usize, usize), text: &str, number: bool, style: Style) {
    let (x, width) = (rect.x + place.0 as u16, place.1 as u16);
    if number {
        put_right(buffer, x, (x + width).min(rect.right()), rect.y, text, style);
    } else {
        put(buffer, x, rect.y, width, text, style);
    }
}

/// Groups below half are in caution, the rest plain; baselines and small groups are dim.
fn style(sheet: &Sheet, cell: &Cell, theme: &Theme) -> Style {
    if cell.quiet {
        theme.dim()
    } else if sheet.heat && cell.value.is_some_and(|v| v < 0.5) {
        theme.caution()
    } else {
        theme.text()
    }
}

/// A heat map's cell: an eighth block that says the share at a glance, then its text.
fn heat(cell: &Cell, theme: &Theme) -> String {
    const BLOCKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    match cell.value {
        Some(value) if !theme.ascii => {
            let at = ((value.clamp(0.0, 1.0) * 8.0) as usize).min(7);
            format!("{} {}", BLOCKS[at], cell.text)
        }
        _ => cell.text.clone(),
    }
}
