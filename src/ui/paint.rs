//! Putting text into cells: everything foreign is neutralised here, and nothing is drawn outside its place.

use crate::core::{
    text::neutralise,
    wrap::{truncate, width},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// Writes `text` at (`x`, `y`) in at most `room` cells, cut with an ellipsis; returns the column after it.
pub fn put(buffer: &mut Buffer, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
    if room == 0 || !buffer.area.contains((x, y).into()) {
        return x;
    }
    let room = room.min(buffer.area.right().saturating_sub(x));
    let clean = neutralise(text).replace('\n', " ");
    let shown = truncate(&clean, usize::from(room));
    buffer.set_stringn(x, y, &shown, usize::from(room), style).0
}

/// Writes `text` so that it ends before column `right`; returns the column where it starts.
pub fn put_right(buffer: &mut Buffer, left: u16, right: u16, y: u16, text: &str, style: Style) -> u16 {
    let room = right.saturating_sub(left);
    let clean = neutralise(text).replace('\n', " ");
    let shown = truncate(&clean, usize::from(room));
    let x = right.saturating_sub(width(&shown) as u16);
    put(buffer, x, y, right - x, &shown, style);
    x
}

/// Pieces of text with styles, one after the other, up to the first that is cut; returns the column after them.
pub fn put_all(buffer: &mut Buffer, mut x: u16, y: u16, right: u16, pieces: &[(&str, Style)]) -> u16 {
    for (text, style) in pieces {
        let room = right.saturating_sub(x);
        x = put(buffer, x, y, room, text, *style);
        if width(text) > usize::from(room) {
            break;
        }
    }
    x
}

/// A row of one glyph.
pub fn fill_row(buffer: &mut Buffer, x: u16, y: u16, cells: u16, glyph: &str, style: Style) {
    for column in x..x.saturating_add(cells).min(buffer.area.right()) {
        if let Some(cell) = buffer.cell_mut((column, y)) {
            cell.set_symbol(glyph).set_style(style);
        }
    }
}

/// Empties a rectangle.
pub fn clear(buffer: &mut Buffer, area: Rect) {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

/// Thousands separators: 3120 is `3,120`.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many of something: `1 trace`, `3,120 traces`.
pub fn counted(n: usize, one: &str) -> String {
    format!("{} {one}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// Bytes in the unit that reads best.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.0} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

/// A duration as one reads it: `8 s`, `3 min 20 s`, `1 h 05 min`.
pub fn duration(d: std::time::Duration) -> String {
    let s = d.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(duration(std::time::Duration::from_secs(3900)), "1 h 05 min");
    }

    #[test]
    fn a_line_of_pieces_is_cut_once() {
        let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 12, 1));
        let style = Style::default();
        put_all(&mut buffer, 0, 0, 6, &[("gold B here", style), (" · ", style)]);
        let line: String = buffer.content().iter().map(|cell| cell.symbol()).collect();
        assert_eq!(line.trim_end(), "gold…");
    }

    #[test]
    fn text_never_leaves_its_room() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 5, 1));
        put(&mut buffer, 2, 0, 9, "a\u{1b}[31m long", Style::new());
        put(&mut buffer, 7, 3, 9, "outside", Style::new());
        assert_eq!(buffer.cell((4, 0)).map(|c| c.symbol().to_owned()), Some("…".to_owned()));
    }
}
