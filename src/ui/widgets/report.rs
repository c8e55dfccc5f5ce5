//! The sheet of a report: formats, the file's name, and how writing goes.

use super::panel;
use crate::app::metrics::report::{ReportSheet, Saved};
use crate::core::{metric::ReportFormat, wrap::wrap};
use crate::ui::{
    Theme,
    paint::{bytes, fill_row, put},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

pub fn draw(sheet: &ReportSheet, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let keys = match &sheet.saved {
        Some(Saved::Progress(..)) => "esc close; writing goes on",
        Some(Saved::Written { .. }) => "enter close",
        Some(Saved::Exists) => "enter replace it   esc leave",
        _ => "↑↓ format   enter write   esc leave",
    };
    let inner = panel::open(buffer, area, theme, 92, 17, "write a report of what is measured", keys);
    for (i, format) in ReportFormat::FILES.into_iter().enumerate() {
        let here = format == sheet.format;
        let style = if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.text() };
        let y = inner.y + i as u16;
        put(buffer, inner.x, y, 1, if here { theme.glyph("▸", ">") } else { " " }, theme.accent());
        put(buffer, inner.x + 2, y, 8, format.word(), style);
        put(buffer, inner.x + 11, y, inner.width.saturating_sub(11), format.about(), theme.soft());
    }
    let y = inner.y + 6;
    put(buffer, inner.x + 2, y, 8, "file", theme.dim());
    let x = put(buffer, inner.x + 11, y, inner.width.saturating_sub(12), sheet.name.before(), theme.text());
    let x = put(buffer, x, y, 1, theme.glyph("▏", "_"), theme.accent());
    let rest = &sheet.name.text()[sheet.name.before().len()..];
    put(buffer, x, y, inner.right().saturating_sub(x), rest, theme.text());
    let place = Rect { y: y + 2, height: inner.bottom().saturating_sub(y + 2), ..inner };
    saved(sheet, theme, place, buffer);
}

fn saved(sheet: &ReportSheet, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (text, style) = match &sheet.saved {
        None => (
            "from the folder in which the program was started; the file holds the tables of every page over the \
             present filter, and how to make them again"
                .to_owned(),
            theme.dim(),
        ),
        Some(Saved::Progress(done, of)) => {
            let filled = (usize::from(rect.width) * done).checked_div(*of).unwrap_or(0) as u16;
            fill_row(buffer, rect.x, rect.y, rect.width, theme.glyph("─", "-"), theme.line());
            fill_row(buffer, rect.x, rect.y, filled, theme.glyph("━", "="), theme.accent());
            let text = format!("reading the data for its hash: {done} of {of} files");
            put(buffer, rect.x, rect.y + 1, rect.width, &text, theme.soft());
            return;
        }
        Some(Saved::Exists) => (format!("{} is there already", sheet.name.text().trim()), theme.caution()),
        Some(Saved::Written { path, bytes: size }) => {
            (format!("written to {path}, {}", bytes(*size)), theme.right())
        }
        Some(Saved::Failed(problem)) => (format!("not written: {problem}"), theme.wrong()),
    };
    let clean = crate::core::text::neutralise(&text).into_owned();
    let lines = wrap(&clean, usize::from(rect.width.max(8)));
    for (i, line) in lines.into_iter().take(usize::from(rect.height)).enumerate() {
        put(buffer, rect.x, rect.y + i as u16, rect.width, &clean[line], style);
    }
}
