//! A drawn screen as text, ANSI or SVG, a session as a recording, and charts as SVG: what `snapshot`, `demo` and
//! reports write.

pub mod ansi;
pub mod cast;
pub mod chart;
pub mod svg;

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

/// The screen as plain text, one line a row, trailing blanks cut.
pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        for (_, symbol) in row(buffer, y) {
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The symbols of a row with their columns; the cells covered by a wide character are skipped.
fn row(buffer: &Buffer, y: u16) -> impl Iterator<Item = (u16, &str)> {
    let mut next = 0;
    (0..buffer.area.width).filter_map(move |x| {
        if x < next {
            return None;
        }
        let symbol = buffer.cell((x, y))?.symbol();
        next = x + (symbol.width().max(1) as u16);
        Some((x, symbol))
    })
}
