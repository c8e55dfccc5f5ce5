//! Values with their intervals on one axis, and curves in braille: a row at a time.

use crate::app::metrics::page::PLOT;
use crate::core::metric::{
    chart::{Axis, Chart, Range},
    sheet::share,
};
use crate::ui::{
    Theme,
    paint::{fill_row, put, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// Cells for labels, at most.
const LABEL: u16 = 36;

/// Draws row `at` of a chart; row 0 is its title.
pub fn draw_row(chart: &Chart, at: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    match chart {
        Chart::Ranges { title, rows, axis, marks, .. } => match at.checked_sub(1) {
            None => heading(title, marks, theme, rect, buffer),
            Some(row) => match rows.get(row) {
                Some(range) => draw_range(range, *axis, label_width(rows, rect), theme, rect, buffer),
                None => ticks(*axis, label_width(rows, rect), theme, rect, buffer),
            },
        },
        Chart::Lines { title, lines, axis, x, .. } => match at.checked_sub(1) {
            None => heading(title, x, theme, rect, buffer),
            Some(row) if row < PLOT => plot_row(lines, *axis, row, theme, rect, buffer),
            Some(row) => {
                if let Some((name, points)) = row.checked_sub(PLOT).and_then(|i| lines.get(i)) {
                    let last = points.last().map_or(String::new(), |p| share(p.1));
                    put(buffer, rect.x + 2, rect.y, rect.width - 2, &format!("{name}  {last}"), theme.soft());
                }
            }
        },
    }
}

fn heading(title: &str, note: &str, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let x = put(buffer, rect.x, rect.y, rect.width, title, theme.soft().add_modifier(Modifier::BOLD)) + 3;
    put(buffer, x, rect.y, rect.right().saturating_sub(x), note, theme.dim());
}

fn label_width(rows: &[Range], rect: Rect) -> u16 {
    let longest = rows.iter().map(|r| crate::core::wrap::width(&r.label)).max().unwrap_or(0) as u16;
    longest.min(LABEL).min(rect.width / 3)
}

/// Where the axis lies, and a value on it.
fn axis_area(label: u16, rect: Rect) -> (u16, u16) {
    let from = rect.x + label + 2;
    (from, rect.right().saturating_sub(from + 8).max(1))
}

fn column(axis: Axis, value: f64, from: u16, cells: u16) -> u16 {
    from + (axis.place(value) * f64::from(cells - 1)).round() as u16
}

fn draw_range(range: &Range, axis: Axis, label: u16, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    put(buffer, rect.x, rect.y, label, &range.label, theme.text());
    let (from, cells) = axis_area(label, rect);
    fill_row(buffer, from, rect.y, cells, theme.glyph("·", "."), theme.line());
    let at = |value: f64| column(axis, value, from, cells);
    if let Some(interval) = range.interval {
        let (low, high) = (at(interval.low), at(interval.high));
        fill_row(buffer, low, rect.y, high - low + 1, theme.glyph("─", "-"), theme.accent());
        put(buffer, low, rect.y, 1, theme.glyph("├", "["), theme.accent());
        put(buffer, high, rect.y, 1, theme.glyph("┤", "]"), theme.accent());
    }
    for mark in &range.marks {
        put(buffer, at(*mark), rect.y, 1, theme.glyph("│", "|"), theme.soft());
    }
    put(buffer, at(range.value), rect.y, 1, theme.glyph("●", "o"), theme.accent());
    put_right(buffer, rect.x, rect.right(), rect.y, &share(range.value), theme.text());
}

fn ticks(axis: Axis, label: u16, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (from, cells) = axis_area(label, rect);
    for tick in axis.ticks() {
        let text = share(tick);
        let text = text.strip_suffix('0').unwrap_or(&text);
        let x = column(axis, tick, from, cells).saturating_sub(1);
        put(buffer, x, rect.y, rect.right().saturating_sub(x), text, theme.dim());
    }
}

/// One row of a braille plot: two dots across, four down per cell.
fn plot_row(
    lines: &[(String, Vec<(f64, f64)>)],
    axis: Axis,
    row: usize,
    theme: &Theme,
    rect: Rect,
    buffer: &mut Buffer,
) {
    let (from, cells) = (rect.x + 6, rect.width.saturating_sub(8));
    if row == 0 || row + 1 == PLOT {
        let value = if row == 0 { axis.high } else { axis.low };
        put_right(buffer, rect.x, from.saturating_sub(1), rect.y, &share(value), theme.dim());
    }
    let last = lines.iter().flat_map(|(_, p)| p.iter().map(|p| p.0)).fold(1.0, f64::max);
    let mut dots = vec![0u8; usize::from(cells)];
    let (wide, tall) = (usize::from(cells) * 2, PLOT * 4);
    for (_, points) in lines {
        for pair in points.windows(2) {
            let x = |p: (f64, f64)| p.0 / last * (wide.max(1) - 1) as f64;
            let y = |p: (f64, f64)| (1.0 - axis.place(p.1)) * (tall - 1) as f64;
            let (x0, x1, y0, y1) = (x(pair[0]), x(pair[1]), y(pair[0]), y(pair[1]));
            let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().max(1.0) as usize;
            for i in 0..=steps {
                let part = i as f64 / steps as f64;
                let (px, py) = ((x0 + (x1 - x0) * part) as usize, (y0 + (y1 - y0) * part) as usize);
                if py / 4 == row
                    && let Some(cell) = dots.get_mut(px / 2)
                {
                    *cell |= BRAILLE[py % 4][px % 2];
                }
            }
        }
    }
    for (i, mask) in dots.into_iter().enumerate().filter(|(_, mask)| *mask > 0) {
        let braille = char::from_u32(0x2800 + u32::from(mask)).unwrap_or(' ').to_string();
        let glyph = if theme.ascii { "*" } else { braille.as_str() };
        put(buffer, from + i as u16, rect.y, 1, glyph, theme.accent());
    }
}

/// The bit of each dot of a braille cell, by row and column.
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
