//! Training runs: curves, sample efficiency, rollouts and settings, while they grow.

use crate::app::{
    State,
    training::{Page, Training},
};
use crate::core::{
    run::{Curve, RunLog},
    wrap::wrap,
};
use crate::ui::{
    Theme,
    paint::{duration, fill_row, put, put_right},
    widgets::{overlays, pages},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    symbols::Marker,
    widgets::{
        Widget,
        canvas::{Canvas, Line as CanvasLine, Points},
    },
};
use std::time::Duration;

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let training = &state.training;
    let names = Page::ALL.map(|page| (page.word(), page == training.page));
    let Some(inner) = pages::frame(state, theme, area, "TRAINING", names, (60, 14), buffer) else { return };
    fill_row(buffer, inner.x, inner.y, inner.width, theme.glyph("─", "-"), theme.line());
    let body = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    if training.runs.is_empty() {
        let (headline, hint) = if training.seen {
            (
                "no run here",
                format!(
                    "looked in {}   ·   pluriscope train sft --items … -o runs/sft starts one, pluriscope watch FOLDER looks elsewhere",
                    training.places
                ),
            )
        } else {
            ("looking for runs …", String::new())
        };
        put(buffer, body.x, body.y + 1, body.width, headline, theme.accent());
        for (i, line) in wrap(&hint, usize::from(body.width.min(90))).into_iter().enumerate() {
            put(buffer, body.x, body.y + 3 + i as u16, body.width, &hint[line], theme.soft());
        }
    } else {
        let list = (training.runs.len() as u16 + 1).min(body.height / 3);
        runs(training, theme, Rect { height: list, ..body }, buffer);
        let page = Rect { y: body.y + list + 1, height: body.height.saturating_sub(list + 1), ..body };
        match (training.page, training.current()) {
            (Page::Efficiency, _) => efficiency(training, theme, page, buffer),
            (Page::Curves, Some(run)) => curves(run, theme, page, buffer),
            (Page::Rollouts, Some(run)) => rollouts(run, training.scroll, theme, page, buffer),
            (Page::Settings, Some(run)) => settings(run, training.scroll, theme, page, buffer),
            _ => {}
        }
    }
    overlays::draw(state, theme, area, buffer);
}

/// One line a run: name, how far, time left at this pace, the best accuracy, the last loss or reward, speed.
fn runs(training: &Training, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let height = usize::from(rect.height);
    let from = training.cursor.saturating_sub(height.saturating_sub(1));
    for (i, run) in training.runs.iter().enumerate().skip(from).take(height) {
        let y = rect.y + (i - from) as u16;
        let here = i == training.cursor;
        put(buffer, rect.x, y, 26, &pages::pointed(&run.name, here, theme), pages::row_style(here, theme));
        let bar = Rect::new(rect.x + 28, y, 16, 1);
        let step = run.last_step();
        let of = run.steps.unwrap_or(step).max(1);
        let filled = (f64::from(bar.width) * step as f64 / of as f64).round() as u16;
        fill_row(buffer, bar.x, y, bar.width, theme.glyph("─", "-"), theme.line());
        fill_row(buffer, bar.x, y, filled.min(bar.width), theme.glyph("━", "="), series(theme, i));
        put(buffer, bar.right() + 1, y, 12, &format!("{step}/{of}"), theme.soft());
        let mut facts = Vec::new();
        if let Some(problem) = &run.problem {
            facts.push(problem.clone());
        }
        if run.silent {
            facts.push("silent: stopped?".to_owned());
        } else if step < of
            && let Some(left) = run.seconds_left()
        {
            facts.push(format!("{} left", duration(Duration::from_secs_f64(left.clamp(0.0, 1e7)))));
        }
        if let Some((at, best)) = run.best() {
            facts.push(format!("best accuracy {best:.3} at {at}"));
        }
        for curve in [Curve::Loss, Curve::Reward] {
            if let Some(last) = run.curve(curve).last() {
                facts.push(format!("{} {:.3}", curve.word(), last.value));
            }
        }
        if let Some(last) = run.curve(Curve::Speed).last() {
            facts.push(format!("{:.0} tok/s", last.value));
        }
        let x = bar.right() + 14;
        put(buffer, x, y, rect.right().saturating_sub(x), &facts.join(" · "), theme.dim());
    }
}

/// Colours of runs and curves, in order.
fn series(theme: &Theme, index: usize) -> Style {
    [theme.accent(), theme.right(), theme.wrong(), theme.caution(), theme.soft()][index % 5]
}

/// The curves that the run has, in a grid of small charts.
fn curves(run: &RunLog, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let there: Vec<Curve> = Curve::ALL.into_iter().filter(|c| !run.curve(*c).is_empty()).collect();
    if there.is_empty() {
        put(buffer, rect.x, rect.y, rect.width, "this run has no curve that is known here", theme.dim());
        return;
    }
    let across = usize::from(rect.width / 40).clamp(1, 3).min(there.len());
    let down = there.len().div_ceil(across).min(usize::from(rect.height / 6).max(1));
    let (width, height) = (rect.width / across as u16, rect.height / down as u16);
    for (i, curve) in there.into_iter().take(across * down).enumerate() {
        let place = Rect::new(
            rect.x + (i % across) as u16 * width,
            rect.y + (i / across) as u16 * height,
            width.saturating_sub(2),
            height.saturating_sub(1),
        );
        let points: Vec<(f64, f64)> = run.curve(curve).iter().map(|p| (p.step as f64, p.value)).collect();
        let last = points.last().map_or(0.0, |p| p.1);
        let lines = [Series { points, style: series(theme, 0), name: String::new() }];
        chart(&format!("{}  {}", curve.word(), number(last)), &lines, None, theme, place, buffer);
    }
}

/// A line of a chart.
struct Series {
    points: Vec<(f64, f64)>,
    style: Style,
    name: String,
}

/// A number in few digits.
fn number(value: f64) -> String {
    match value.abs() {
        // Steps, and shares that are all or nothing.
        v if v.fract() == 0.0 && v < 1e9 => format!("{value:.0}"),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

/// A titled chart with the ends of both axes written; `x_end` names the right end of the x axis.
fn chart(title: &str, lines: &[Series], x_end: Option<&str>, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    put(buffer, rect.x, rect.y, rect.width, title, theme.text());
    let all = || lines.iter().flat_map(|l| l.points.iter()).filter(|p| p.1.is_finite());
    if rect.height < 4 || all().next().is_none() {
        return;
    }
    let fold = |pick: fn(&(f64, f64)) -> f64| {
        all().map(pick).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (x_low, x_high) = fold(|p| p.0);
    let (mut y_low, mut y_high) = fold(|p| p.1);
    if y_high - y_low < 1e-12 {
        (y_low, y_high) = (y_low - 0.5 * y_low.abs().max(1e-6), y_high + 0.5 * y_high.abs().max(1e-6));
    }
    let plot = Rect::new(rect.x + 8, rect.y + 1, rect.width.saturating_sub(9), rect.height - 2);
    let marker = if theme.ascii { Marker::Dot } else { Marker::Braille };
    Canvas::default()
        .marker(marker)
        .x_bounds([x_low, x_high.max(x_low + 1e-9)])
        .y_bounds([y_low, y_high])
        .paint(|context| {
            for line in lines {
                for pair in line.points.windows(2) {
                    context.draw(&CanvasLine {
                        x1: pair[0].0,
                        y1: pair[0].1,
                        x2: pair[1].0,
                        y2: pair[1].1,
                        color: line.style.fg.unwrap_or_default(),
                    });
                }
                // One look at the validation rows is no line yet.
                if let [only] = line.points[..] {
                    context.draw(&Points { coords: &[only], color: line.style.fg.unwrap_or_default() });
                }
            }
        })
        .render(plot, buffer);
    put_right(buffer, rect.x, plot.x - 1, plot.y, &number(y_high), theme.dim());
    put_right(buffer, rect.x, plot.x - 1, plot.bottom() - 1, &number(y_low), theme.dim());
    for y in plot.top()..plot.bottom() {
        put(buffer, plot.x - 1, y, 1, theme.glyph("│", "|"), theme.line());
    }
    let y = plot.bottom();
    fill_row(buffer, plot.x, y, plot.width, theme.glyph("─", "-"), theme.line());
    let end = x_end.map_or_else(|| number(x_high), str::to_owned);
    put(buffer, plot.x, y, 8, &format!("{} ", number(x_low)), theme.dim());
    put_right(buffer, plot.x, plot.right(), y, &format!(" {end}"), theme.dim());
}

/// Validation accuracy against the share of training rows seen. A run that was validated once is a level line.
fn efficiency(training: &Training, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let mut lines = Vec::new();
    let curves: Vec<Vec<(f64, f64)>> = training.runs.iter().map(|run| run.efficiency()).collect();
    let end = curves.iter().flatten().map(|p| p.0).fold(0.0, f64::max).max(1e-9);
    for (i, (run, mut points)) in training.runs.iter().zip(curves).enumerate() {
        let Some((_, best)) = run.best() else { continue };
        let reference = points.len() == 1;
        if reference {
            points = vec![(0.0, best), (end, best)];
        }
        let kind = if reference { "level: its one validation" } else { "best" };
        lines.push(Series {
            points,
            style: series(theme, i),
            name: format!("{}  {kind} {best:.3}", run.name),
        });
    }
    if lines.is_empty() {
        put(buffer, rect.x, rect.y, rect.width, "no run was validated yet", theme.dim());
        return;
    }
    let legend = 44.min(rect.width / 3);
    let plot = Rect { width: rect.width.saturating_sub(legend), ..rect };
    let share = format!("{:.0} % of the training rows", end * 100.0);
    chart(
        "validation accuracy against the share of training rows seen",
        &lines,
        Some(&share),
        theme,
        plot,
        buffer,
    );
    for (i, line) in lines.iter().enumerate() {
        let y = rect.y + 2 + i as u16;
        if y < rect.bottom() {
            let x = put(buffer, plot.right() + 1, y, 3, theme.glyph("━━ ", "-- "), line.style) + 1;
            put(buffer, x, y, rect.right().saturating_sub(x), &line.name, theme.soft());
        }
    }
}

fn rollouts(run: &RunLog, scroll: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    if run.rollouts.is_empty() {
        put(
            buffer,
            rect.x,
            rect.y,
            rect.width,
            "this run wrote no rollouts: only reinforcement learning does",
            theme.dim(),
        );
        return;
    }
    let mut y = rect.y;
    for rollout in run.rollouts.iter().rev().skip(scroll) {
        if y + 1 >= rect.bottom() {
            break;
        }
        let head = format!("step {}   mean reward {:.3}", rollout.step, rollout.reward);
        put(buffer, rect.x, y, rect.width, &head, theme.accent());
        y += 1;
        for line in wrap(&rollout.text, usize::from(rect.width.saturating_sub(4).min(100))) {
            if y >= rect.bottom() {
                return;
            }
            put(buffer, rect.x + 3, y, rect.width.saturating_sub(3), &rollout.text[line], theme.text());
            y += 1;
        }
        y += 1;
    }
}

fn settings(run: &RunLog, scroll: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    if run.settings.is_empty() {
        put(
            buffer,
            rect.x,
            rect.y,
            rect.width,
            "the run folder says nothing of its settings: another program wrote it",
            theme.dim(),
        );
        return;
    }
    let scroll = scroll.min(run.settings.len().saturating_sub(usize::from(rect.height)));
    for (i, (name, value)) in run.settings.iter().skip(scroll).take(usize::from(rect.height)).enumerate() {
        let y = rect.y + i as u16;
        put(buffer, rect.x, y, 28, name, theme.dim());
        put(buffer, rect.x + 29, y, rect.width.saturating_sub(29), value, theme.text());
    }
}
