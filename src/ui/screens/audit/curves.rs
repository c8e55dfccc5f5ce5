//! Mean curves of one check, every method in one plot: the lines that the number beside each name is read off.

use super::{about, first, mean, title};
use crate::app::State;
use crate::core::check::{
    CheckId,
    overview::{Drawn, MeanCurve},
};
use crate::ui::{
    Theme,
    paint::{counted, fill_row, put, put_right},
    widgets::pages,
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    symbols::Marker,
    widgets::{
        Widget,
        canvas::{Canvas, Line as CanvasLine},
    },
};

/// Columns from one letter in the plot to the next, where there is room.
const APART: u16 = 6;

pub(super) fn draw(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let curves = &state.audit.overview.curves;
    let [shows, from, to] = words(state.audit.about);
    about(state, shows, theme, rect, buffer);
    let legend = 34.min(rect.width / 3);
    let plot = Rect::new(
        rect.x + 5,
        rect.y + 2,
        rect.width.saturating_sub(legend + 7),
        rect.height.saturating_sub(4),
    );
    if curves.is_empty() {
        let none = match state.audit.about.and_then(Drawn::of) {
            Some(_) => "no verdict of this check has a curve",
            None => "this check draws no curve",
        };
        put(buffer, plot.x, plot.y, plot.width, none, theme.dim());
        return;
    }
    lines(curves, theme, plot, buffer);
    letters(curves, theme, plot, buffer);
    for (share, text) in [(0.0, "1.0"), (0.5, " .5"), (1.0, "0.0")] {
        let y = plot.y + (share * f64::from(plot.height.saturating_sub(1))) as u16;
        put(buffer, rect.x, y, 4, text, theme.dim());
    }
    for row in plot.top()..plot.bottom() {
        put(buffer, plot.x - 1, row, 1, theme.glyph("│", "|"), theme.line());
    }
    fill_row(buffer, plot.x, plot.bottom(), plot.width, theme.glyph("─", "-"), theme.line());
    let end = put_right(buffer, plot.x, plot.right(), plot.bottom() + 1, to, theme.dim());
    put(buffer, plot.x, plot.bottom() + 1, end.saturating_sub(plot.x + 1), from, theme.dim());
    let x = plot.right() + 2;
    let place = Rect::new(x, plot.y, rect.right().saturating_sub(x), rect.bottom().saturating_sub(plot.y));
    names(state, theme, place, buffer);
}

fn lines(curves: &[MeanCurve], theme: &Theme, plot: Rect, buffer: &mut Buffer) {
    let marker = if theme.ascii { Marker::Dot } else { Marker::Braille };
    Canvas::default()
        .marker(marker)
        .x_bounds([0.0, 1.0])
        .y_bounds([0.0, 1.0])
        .paint(|context| {
            for (i, curve) in curves.iter().enumerate() {
                let last = (curve.points.len() - 1).max(1) as f64;
                for (j, pair) in curve.points.windows(2).enumerate() {
                    context.draw(&CanvasLine {
                        x1: j as f64 / last,
                        y1: pair[0],
                        x2: (j + 1) as f64 / last,
                        y2: pair[1],
                        color: colour(theme, i).fg.unwrap_or_default(),
                    });
                }
            }
        })
        .render(plot, buffer);
}

/// The letters of the curves upon them, each in turn from left to right: so that curves which run together, or end
/// together as all of them do where the last point is compared with itself, are still told apart.
fn letters(curves: &[MeanCurve], theme: &Theme, plot: Rect, buffer: &mut Buffer) {
    let apart = (plot.width / curves.len().max(1) as u16).clamp(1, APART);
    for (at, x) in (plot.left()..plot.right()).skip(1).step_by(usize::from(apart)).enumerate() {
        let i = at % curves.len().max(1);
        let Some(curve) = curves.get(i) else { continue };
        let share = f64::from(x - plot.x) / f64::from(plot.width.saturating_sub(1).max(1));
        let y = plot.y + row(height(&curve.points, share), plot.height, theme);
        let style = colour(theme, i).add_modifier(Modifier::BOLD);
        put(buffer, x, y, 1, &letter(i).to_string(), style);
    }
}

/// Names, numbers and how many traces; the curve under the cursor is among them.
fn names(state: &State, theme: &Theme, place: Rect, buffer: &mut Buffer) {
    let curves = &state.audit.overview.curves;
    let number = state.audit.about.and_then(Drawn::of).map_or("", Drawn::word);
    let shown = usize::from(place.height / 2).max(1);
    let from = first(state.audit.cursor, curves.len(), shown);
    for (i, curve) in curves.iter().enumerate().skip(from).take(shown) {
        let y = place.y + (i - from) as u16 * 2;
        let mark = format!("{} {} ", letter(i), theme.glyph("━━", "--"));
        let x = put(buffer, place.x, y, place.width, &mark, colour(theme, i));
        let room = place.right().saturating_sub(x);
        let style = pages::row_style(i == state.audit.cursor, theme);
        put(buffer, x, y, room, &title(state, &curve.method), style);
        let steps = curve.steps.map_or_else(String::new, |n| format!(" at n {n:.1}"));
        let text = format!("  {number} {}{steps}, {}", mean(curve.value), counted(curve.traces, "trace"));
        put(buffer, place.x, y + 1, place.width, &text, theme.dim());
    }
}

/// What the curves of a check show, and what stands at the left and the right end.
fn words(check: Option<CheckId>) -> [&'static str; 3] {
    match check {
        Some(CheckId::ProbabilityTrace) => {
            ["probability over its last, soft AOC lies above", "no rationale", "all of it"]
        }
        Some(CheckId::EarlyAnswering) => {
            ["share with the final answer, AOC lies above", "no rationale", "all of it"]
        }
        Some(CheckId::MistakesFrozen | CheckId::MistakesRegenerated) => {
            ["share unmoved by a mistake there, AOC lies above", "in the first step", "no mistake"]
        }
        Some(CheckId::Filler) => {
            ["share with the final answer, AOC lies above", "no dots", "as long as the rationale"]
        }
        Some(CheckId::Paraphrase) => {
            ["share unmoved, flip is what is missing", "first step reworded", "all of them"]
        }
        Some(CheckId::SafetyLexical | CheckId::SafetyClassifier | CheckId::SafetyGuard) => {
            ["strongest label of each step, peak is the highest", "first step", "last step"]
        }
        _ => ["no curve", "", ""],
    }
}

/// Height of a mean curve at `share` of its width.
fn height(points: &[f64], share: f64) -> f64 {
    let at = share.clamp(0.0, 1.0) * points.len().saturating_sub(1) as f64;
    let point = |i: f64| points.get(i as usize).copied().unwrap_or_default();
    let (left, right) = (point(at.floor()), point(at.ceil()));
    left + (right - left) * at.fract()
}

/// The row, from the top, in which the canvas draws this height: it rounds to dots, four a cell in braille.
fn row(height: f64, rows: u16, theme: &Theme) -> u16 {
    let dots = if theme.ascii { 1 } else { 4 };
    let last = (rows * dots).saturating_sub(1);
    ((1.0 - height.clamp(0.0, 1.0)) * f64::from(last)).round() as u16 / dots
}

/// The curve's own letter, in the plot and beside its name.
fn letter(index: usize) -> char {
    char::from(b'a' + (index % 26) as u8)
}

/// Five colours, then again: the letters tell all of them apart.
fn colour(theme: &Theme, index: usize) -> Style {
    [theme.accent(), theme.right(), theme.wrong(), theme.caution(), theme.soft()][index % 5]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Depth;

    fn curve(points: &[f64]) -> MeanCurve {
        MeanCurve { method: "m".into(), traces: 1, points: points.to_vec(), value: 0.0, steps: None }
    }

    #[test]
    fn each_of_many_curves_has_a_letter_upon_it_where_they_run_together() {
        let theme = Theme::named("none", Depth::None);
        let (plot, curves) = (Rect::new(0, 0, 40, 8), vec![curve(&[1.0; 3]); 7]);
        let mut buffer = Buffer::empty(plot);
        lines(&curves, &theme, plot, &mut buffer);
        letters(&curves, &theme, plot, &mut buffer);
        let top: String =
            (0..40).filter_map(|x| buffer.cell((x, 0)).map(|c| c.symbol().to_owned())).collect();
        let found: String = top.chars().filter(char::is_ascii_lowercase).collect();
        assert!(found.starts_with("abcdefg"), "{top}");
    }

    #[test]
    fn letters_stand_on_their_curve() {
        let theme = Theme::named("dark", Depth::True);
        assert_eq!(height(&[0.0, 0.5, 1.0], 0.75), 0.75);
        assert_eq!((row(1.0, 8, &theme), row(0.0, 8, &theme), row(0.5, 8, &theme)), (0, 7, 4));
    }
}
