//! The perspective tree.

use super::title;
use crate::app::{
    State,
    explorer::{
        PickRow,
        picker::{PickLine, order_word},
    },
};
use crate::ui::{
    Theme,
    paint::{put, put_all, put_right, thousands},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

pub fn draw(state: &State, theme: &Theme, rect: Rect, focused: bool, buffer: &mut Buffer) {
    let picker = &state.explorer.picker;
    if let Some(search) = &picker.search {
        let style = if focused { theme.accent() } else { theme.dim() };
        let right = rect.right().saturating_sub(1);
        let cursor = if picker.typing { theme.glyph("▏", "_") } else { "" };
        let pieces = [("/ ", style), (search.text(), theme.text()), (cursor, theme.accent())];
        put_all(buffer, rect.x + 1, rect.y, right, &pieces);
    } else {
        let note = order_word(picker.order).0;
        title(buffer, rect, focused, theme, "PERSPECTIVES", "", note);
    }
    let height = usize::from(rect.height.saturating_sub(1));
    if picker.lines.is_empty() {
        let text = if picker.search.is_some() {
            "no perspective matches; esc shows all"
        } else {
            "nothing passes the filter"
        };
        put(buffer, rect.x + 2, rect.y + 1, rect.width.saturating_sub(3), text, theme.soft());
    }
    for (i, line) in picker.lines.iter().skip(picker.scroll).take(height).enumerate() {
        let here = picker.scroll + i == picker.cursor;
        row(line, here, focused, theme, Rect::new(rect.x, rect.y + 1 + i as u16, rect.width, 1), buffer);
    }
}

fn row(line: &PickLine, here: bool, focused: bool, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let marker = if here { theme.glyph("▸", ">") } else { " " };
    let marker_style = if focused { theme.accent() } else { theme.soft() };
    put(buffer, rect.x + 1, rect.y, 1, marker, marker_style);
    let note = match line.disagreement {
        Some(share) => format!("{:.0} %", share * 100.0),
        None => thousands(line.count),
    };
    let right = rect.right().saturating_sub(1);
    let heading = !matches!(line.row, PickRow::Perspective(_));
    let start = put_right(buffer, rect.x + 3, right, rect.y, &note, theme.dim());
    let indent = u16::from(line.depth.saturating_sub(1)) * 2;
    let fold = match line.open {
        Some(true) => theme.glyph("▾ ", "v "),
        Some(false) => theme.glyph("▹ ", "> "),
        None => "",
    };
    let mut style = if heading { theme.soft() } else { theme.text() };
    if here {
        style = if focused { theme.accent() } else { style }.add_modifier(Modifier::BOLD);
    }
    let x = put(buffer, rect.x + 3 + indent, rect.y, 2, fold, theme.dim());
    matched(buffer, x, start.saturating_sub(1), rect.y, line, style, theme);
}

/// The label with the characters that the search matched underlined.
fn matched(buffer: &mut Buffer, x: u16, right: u16, y: u16, line: &PickLine, style: Style, theme: &Theme) {
    let end = put(buffer, x, y, right.saturating_sub(x), &line.label, style);
    if line.matched.is_empty() {
        return;
    }
    let mut at = x;
    for (i, c) in line.label.chars().enumerate() {
        let cells = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) as u16;
        if line.matched.contains(&(i as u32))
            && at + cells <= end
            && let Some(cell) = buffer.cell_mut((at, y))
        {
            cell.set_style(theme.mark(style));
        }
        at += cells;
    }
}
