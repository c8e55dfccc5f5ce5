//! The ground of an overlay: cleared, framed by one quiet line, with a title and lines of text.

use crate::ui::{
    Theme,
    paint::{clear, fill_row, put, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// Clears a centred panel of at most `width` x `height` and draws its frame; returns the room inside.
pub fn open(
    buffer: &mut Buffer,
    area: Rect,
    theme: &Theme,
    width: u16,
    height: u16,
    title: &str,
    note: &str,
) -> Rect {
    let width = width.min(area.width.saturating_sub(2));
    let height = height.min(area.height.saturating_sub(2));
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 3 + u16::from(area.height > height + 2);
    let rect = Rect::new(x, y.min(area.bottom().saturating_sub(height)), width, height);
    clear(buffer, rect);
    let edge = theme.line();
    fill_row(buffer, rect.x, rect.y, rect.width, theme.glyph("─", "-"), edge);
    fill_row(buffer, rect.x, rect.bottom().saturating_sub(1), rect.width, theme.glyph("─", "-"), edge);
    for row in rect.y..rect.bottom() {
        let corner = |top: &'static str, side: &'static str, bottom: &'static str| {
            if row == rect.y {
                top
            } else if row + 1 == rect.bottom() {
                bottom
            } else {
                side
            }
        };
        let (left, right) = if theme.ascii {
            (corner("+", "|", "+"), corner("+", "|", "+"))
        } else {
            (corner("╭", "│", "╰"), corner("╮", "│", "╯"))
        };
        put(buffer, rect.x, row, 1, left, edge);
        put(buffer, rect.right().saturating_sub(1), row, 1, right, edge);
    }
    let inner =
        Rect::new(rect.x + 3, rect.y + 2, rect.width.saturating_sub(6), rect.height.saturating_sub(4));
    put(
        buffer,
        rect.x + 2,
        rect.y,
        inner.width,
        &format!(" {title} "),
        theme.accent().add_modifier(Modifier::BOLD),
    );
    if !note.is_empty() {
        put_right(
            buffer,
            inner.x,
            rect.right().saturating_sub(2),
            rect.bottom().saturating_sub(1),
            &format!(" {note} "),
            theme.dim(),
        );
    }
    inner
}
