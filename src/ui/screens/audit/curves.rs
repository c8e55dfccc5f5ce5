//! Mean curves of one check, every method in one plot.

use super::{about, title};
use crate::app::State;
use crate::ui::{
    Theme,
    paint::{fill_row, put, put_right, thousands},
    widgets::{column::share, pages},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    symbols::Marker,
    widgets::{
        Widget,
        canvas::{Canvas, Line as CanvasLine},
    },
};

pub(super) fn draw(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let audit = &state.audit;
    about(state, "mean curve by share of the rationale", theme, rect, buffer);
    let legend = 34.min(rect.width / 3);
    let plot = Rect::new(
        rect.x + 5,
        rect.y + 2,
        rect.width.saturating_sub(legend + 7),
        rect.height.saturating_sub(4),
    );
    if audit.overview.curves.is_empty() {
        put(buffer, plot.x, plot.y, plot.width, "this check draws no curve", theme.dim());
        return;
    }
    let marker = if theme.ascii { Marker::Dot } else { Marker::Braille };
    Canvas::default()
        .marker(marker)
        .x_bounds([0.0, 1.0])
        .y_bounds([0.0, 1.0])
        .paint(|context| {
            for (i, curve) in audit.overview.curves.iter().enumerate() {
                let last = (curve.points.len() - 1).max(1) as f64;
                for (j, pair) in curve.points.windows(2).enumerate() {
                    context.draw(&CanvasLine {
                        x1: j as f64 / last,
                        y1: pair[0],
                        x2: (j + 1) as f64 / last,
                        y2: pair[1],
                        color: series(theme, i).fg.unwrap_or_default(),
                    });
                }
            }
        })
        .render(plot, buffer);
    for (share, text) in [(0.0, "1.0"), (0.5, " .5"), (1.0, "0.0")] {
        let y = plot.y + (share * f64::from(plot.height.saturating_sub(1))) as u16;
        put(buffer, rect.x, y, 4, text, theme.dim());
    }
    for row in plot.top()..plot.bottom() {
        put(buffer, plot.x - 1, row, 1, theme.glyph("│", "|"), theme.line());
    }
    fill_row(buffer, plot.x, plot.bottom(), plot.width, theme.glyph("─", "-"), theme.line());
    put(buffer, plot.x, plot.bottom() + 1, 12, "no rationale", theme.dim());
    put_right(buffer, plot.x, plot.right(), plot.bottom() + 1, "all of it", theme.dim());
    let x = plot.right() + 2;
    for (i, curve) in audit.overview.curves.iter().enumerate() {
        let y = plot.y + i as u16 * 2;
        if y + 1 >= rect.bottom() {
            break;
        }
        let here = i == audit.cursor;
        let room = rect.right().saturating_sub(x);
        let mark = theme.glyph("━━ ", "-- ");
        let from = put(buffer, x, y, room, mark, series(theme, i));
        put(
            buffer,
            from,
            y,
            rect.right().saturating_sub(from),
            &title(state, &curve.method),
            pages::row_style(here, theme),
        );
        let ends = format!(
            "   {} → {}  n {}",
            share(curve.points.first().copied().unwrap_or(0.0)),
            share(curve.points.last().copied().unwrap_or(0.0)),
            thousands(curve.traces)
        );
        put(buffer, x, y + 1, room, &ends, theme.dim());
    }
}

/// Line styles told apart by colour, and by the letter at their end where there is none.
fn series(theme: &Theme, index: usize) -> Style {
    [theme.accent(), theme.right(), theme.wrong(), theme.caution(), theme.soft()][index % 5]
}
