//! Checks over many traces: rates with intervals, curves drawn together, safety by label, right against flagged.

use crate::app::{
    State,
    action::{Action, Context},
    audit::Page,
};
use crate::core::{
    MethodId,
    check::{
        Family,
        overview::{LabelRate, Quadrant},
        summary::Summary,
    },
    metric::Interval,
};
use crate::ui::{
    Theme,
    paint::{fill_row, put, put_right, thousands},
    widgets::{column::share, overlays, pages},
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

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let names = Page::ALL.map(|page| (page.word(), page == state.audit.page));
    let Some(inner) = pages::frame(state, theme, area, "AUDIT", names, (60, 12), buffer) else { return };
    head(state, theme, inner, buffer);
    let body = Rect { y: inner.y + 3, height: inner.height.saturating_sub(3), ..inner };
    if state.audit.overview.report.checks.is_empty() {
        face(state, theme, body, buffer);
    } else {
        match state.audit.page {
            Page::Rates => rates(state, theme, body, buffer),
            Page::Curves => curves(state, theme, body, buffer),
            Page::Safety => safety(state, theme, body, buffer),
            Page::Quadrant => quadrants(state, theme, body, buffer),
        }
    }
    overlays::draw(state, theme, area, buffer);
}

/// What the numbers cover, and the job's progress.
fn head(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let audit = &state.audit;
    let filter =
        if state.filter.query.is_empty() { "everything".to_owned() } else { state.filter.query.to_string() };
    let (covered, total) = audit.covered;
    let about = format!("{} of {} traces have verdicts   ·   {filter}", thousands(covered), thousands(total));
    put(buffer, rect.x, rect.y, rect.width, &about, theme.soft());
    if let Some(work) = &audit.work {
        let done = work.done.saturating_sub(state.checks.busy());
        let text = format!("checking {} of {}  x stops", thousands(done), thousands(work.total));
        let start = put_right(buffer, rect.x, rect.right(), rect.y + 1, &text, theme.accent());
        let room = start.saturating_sub(rect.x + 2);
        let filled = (usize::from(room) * done).checked_div(work.total.max(1)).unwrap_or(0) as u16;
        fill_row(buffer, rect.x, rect.y + 1, room, theme.glyph("─", "-"), theme.line());
        fill_row(buffer, rect.x, rect.y + 1, filled, theme.glyph("━", "="), theme.accent());
    } else {
        fill_row(buffer, rect.x, rect.y + 1, rect.width, theme.glyph("─", "-"), theme.line());
    }
}

fn face(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let key = |action| {
        let key = state.setup.keymap.hint(Context::Audit, action);
        key.map_or_else(String::new, |k| k.to_string())
    };
    let (headline, hint) = if state.audit.work.is_some() {
        ("checking …", "the first verdicts appear as they come".to_owned())
    } else {
        (
            "no trace of this filter has been checked",
            format!(
                "{} checks them all, {} goes back to set another filter",
                key(Action::Start),
                key(Action::Back)
            ),
        )
    };
    put(buffer, rect.x, rect.y + 1, rect.width, headline, theme.accent());
    put(buffer, rect.x, rect.y + 3, rect.width, &hint, theme.soft());
}

/// First row to draw so that `cursor` is seen among `height` rows.
fn first(cursor: usize, rows: usize, height: usize) -> usize {
    cursor.saturating_sub(height.saturating_sub(1) / 2).min(rows.saturating_sub(height))
}

fn cursor_style(here: bool, theme: &Theme) -> Style {
    if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.text() }
}

fn title(state: &State, method: &MethodId) -> String {
    let known = state.methods.iter().find(|m| m.method.id == *method);
    known.map_or_else(|| method.0.clone(), |m| m.method.title.clone())
}

/// A share with its interval, as a bar: the share filled, the interval's ends marked.
fn bar(rate: f64, interval: Option<Interval>, rect: Rect, style: Style, theme: &Theme, buffer: &mut Buffer) {
    let cells = f64::from(rect.width.saturating_sub(1));
    let at = |share: f64| rect.x + (share * cells).round() as u16;
    fill_row(buffer, rect.x, rect.y, rect.width, theme.glyph("·", "."), theme.line());
    if let Some(interval) = interval {
        let (low, high) = (at(interval.low), at(interval.high));
        fill_row(buffer, low, rect.y, high - low + 1, theme.glyph("─", "-"), theme.dim());
    }
    put(buffer, at(rate), rect.y, 1, theme.glyph("●", "o"), style);
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn between(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| format!("{:.0}–{:.0}", i.low * 100.0, i.high * 100.0))
}

fn rates(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let rows = &state.audit.overview.report.checks;
    let wide = rect.width >= 110;
    let columns = RateColumns::of(rect, wide);
    columns.titles(rect.y, theme, buffer);
    let paired = &state.audit.overview.report.paired;
    let foot = if paired.is_empty() { 0 } else { (paired.len() as u16 + 2).min(rect.height / 3) };
    let height = rect.height.saturating_sub(1 + foot);
    let from = first(state.audit.cursor, rows.len(), usize::from(height));
    for (i, row) in rows.iter().enumerate().skip(from).take(usize::from(height)) {
        let y = rect.y + 1 + (i - from) as u16;
        rate_row(state, row, &columns, y, i == state.audit.cursor, theme, buffer);
    }
    // Numbers that two checks give together.
    let y = rect.bottom().saturating_sub(foot);
    for (i, pair) in paired.iter().take(usize::from(foot.saturating_sub(1))).enumerate() {
        let value = pair.value.map_or_else(|| "not defined".to_owned(), |v| format!("{v:.3}"));
        let text = format!("{}  {}  {value}  n {}", title(state, &pair.method), pair.name, pair.traces);
        put(buffer, rect.x + 2, y + 1 + i as u16, rect.width.saturating_sub(2), &text, theme.dim());
    }
}

struct RateColumns {
    method: Rect,
    check: Rect,
    outcome: Rect,
    rate: Rect,
    bar: Rect,
    count: Rect,
    note: Rect,
}

impl RateColumns {
    fn of(rect: Rect, wide: bool) -> RateColumns {
        let mut x = rect.x;
        let mut take = |width: u16| {
            let place = Rect::new(x, rect.y, width.min(rect.right().saturating_sub(x)), 1);
            x = (x + width + 1).min(rect.right());
            place
        };
        let (method, check) = (take(if wide { 18 } else { 14 }), take(22));
        let outcome = take(if wide { 22 } else { 0 });
        let (rate, bar) = (take(13), take(if wide { 24 } else { 12 }));
        let count = take(7);
        let note = take(rect.width);
        RateColumns { method, check, outcome, rate, bar, count, note }
    }

    fn titles(&self, y: u16, theme: &Theme, buffer: &mut Buffer) {
        let titles = [
            (self.method, "METHOD"),
            (self.check, "CHECK"),
            (self.outcome, "COUNTS"),
            (self.rate, "RATE  95 %"),
            (self.bar, ""),
            (self.count, "JUDGED"),
            (self.note, "UNJUDGED, MEANS"),
        ];
        for (place, text) in titles {
            put(buffer, place.x, y, place.width, text, theme.dim());
        }
    }
}

fn rate_row(
    state: &State,
    row: &Summary,
    columns: &RateColumns,
    y: u16,
    here: bool,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let style = cursor_style(here, theme);
    let cursor = if here { theme.glyph("▸ ", "> ") } else { "  " };
    let name = format!("{cursor}{}", title(state, &row.method));
    put(buffer, columns.method.x, y, columns.method.width, &name, style);
    put(buffer, columns.check.x, y, columns.check.width, row.check.word(), style);
    put(buffer, columns.outcome.x, y, columns.outcome.width, row.outcome, theme.soft());
    if let Some(rate) = row.rate {
        let text = format!("{:>5}  {}", percent(rate), between(row.interval));
        put(buffer, columns.rate.x, y, columns.rate.width, &text, theme.text());
        let colour = if row.family == Family::Safety { theme.caution() } else { theme.accent() };
        bar(rate, row.interval, Rect { y, ..columns.bar }, colour, theme, buffer);
    } else {
        put(buffer, columns.rate.x, y, columns.rate.width, "    –", theme.dim());
    }
    put(buffer, columns.count.x, y, columns.count.width, &thousands(row.judged), theme.soft());
    let mut notes = Vec::new();
    let unjudged: usize = row.unjudged.values().sum();
    if unjudged > 0 {
        let reasons: Vec<String> = row.unjudged.iter().map(|(why, n)| format!("{n} {why}")).collect();
        notes.push(reasons.join(", "));
    }
    for name in ["soft-aoc", "aoc", "flip", "shift"] {
        if let Some(mean) = row.means.get(name) {
            notes.push(format!("{name} {}", share(*mean)));
        }
    }
    if let Some(corpus) = &row.corpus {
        notes.push(format!("corpus AOC {}", share(corpus.aoc)));
    }
    if row.not_writer > 0 {
        notes.push(format!("{} not the writer", row.not_writer));
    }
    put(buffer, columns.note.x, y, columns.note.width, &notes.join(" · "), theme.dim());
}

/// Line styles told apart by colour, and by the letter at their end where there is none.
fn series(theme: &Theme, index: usize) -> Style {
    [theme.accent(), theme.right(), theme.wrong(), theme.caution(), theme.soft()][index % 5]
}

fn curves(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let audit = &state.audit;
    let check = audit.about.map_or("", |c| c.word());
    put(
        buffer,
        rect.x,
        rect.y,
        rect.width,
        &format!("{check}: mean curve by share of the rationale   ·   c takes another check"),
        theme.soft(),
    );
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
            cursor_style(here, theme),
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

fn safety(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let rows = &state.audit.overview.safety;
    if rows.is_empty() {
        put(buffer, rect.x, rect.y, rect.width, "no trace was checked for safety yet", theme.dim());
        return;
    }
    for (x, text) in
        [(2, "LABEL"), (24, "METHOD"), (42, "SOURCE"), (64, "FLAGGED  95 %"), (106, "MEAN SCORE")]
    {
        if x < rect.width {
            put(buffer, rect.x + x, rect.y, rect.width - x, text, theme.dim());
        }
    }
    let height = usize::from(rect.height.saturating_sub(1));
    let from = first(state.audit.cursor, rows.len(), height);
    for (i, row) in rows.iter().enumerate().skip(from).take(height) {
        safety_row(state, row, rect, rect.y + 1 + (i - from) as u16, i == state.audit.cursor, theme, buffer);
    }
}

fn safety_row(
    state: &State,
    row: &LabelRate,
    rect: Rect,
    y: u16,
    here: bool,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let style = cursor_style(here, theme);
    let cursor = if here { theme.glyph("▸ ", "> ") } else { "  " };
    put(buffer, rect.x, y, 22, &format!("{cursor}{}", row.label), style);
    put(buffer, rect.x + 24, y, 17, &title(state, &row.method), style);
    put(buffer, rect.x + 42, y, 21, row.check.word(), theme.soft());
    let rate = row.flagged as f64 / row.judged.max(1) as f64;
    let text = format!("{} of {}  {}  {}", row.flagged, row.judged, percent(rate), between(row.interval));
    if rect.width > 64 {
        put(buffer, rect.x + 64, y, (rect.width - 64).min(24), &text, theme.text());
    }
    if rect.width > 106 {
        let colour = if row.flagged > 0 { theme.caution() } else { theme.dim() };
        bar(rate, row.interval, Rect::new(rect.x + 89, y, 15, 1), colour, theme, buffer);
        put(buffer, rect.x + 106, y, rect.width - 106, &share(row.mean), theme.dim());
    }
}

fn quadrants(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let audit = &state.audit;
    let check = audit.about.map_or("", |c| c.word());
    put(
        buffer,
        rect.x,
        rect.y,
        rect.width,
        &format!("{check}: answers against what it says of the rationale   ·   c takes another check"),
        theme.soft(),
    );
    put(buffer, rect.x + 34, rect.y + 2, 14, "clear", theme.dim());
    put(buffer, rect.x + 52, rect.y + 2, 14, "flagged", theme.dim());
    if audit.overview.quadrants.is_empty() {
        put(
            buffer,
            rect.x,
            rect.y + 3,
            rect.width,
            "no verdict of this check on a trace with known gold",
            theme.dim(),
        );
        return;
    }
    let height = usize::from(rect.height.saturating_sub(3)) / 3 * 2;
    let from = first(audit.cursor, audit.rows(), height.max(2)) / 2;
    for (i, quadrant) in audit.overview.quadrants.iter().enumerate().skip(from) {
        let y = rect.y + 3 + (i - from) as u16 * 3;
        if y + 1 >= rect.bottom() {
            break;
        }
        quadrant_rows(state, quadrant, i, rect, y, theme, buffer);
    }
}

fn quadrant_rows(
    state: &State,
    quadrant: &Quadrant,
    index: usize,
    rect: Rect,
    y: u16,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let audit = &state.audit;
    let total: usize = quadrant.counts.iter().flatten().sum();
    for (row, word) in ["right", "wrong"].into_iter().enumerate() {
        let y = y + row as u16;
        if row == 0 {
            put(buffer, rect.x + 2, y, 20, &title(state, &quadrant.method), theme.text());
        }
        put(buffer, rect.x + 24, y, 8, word, if row == 0 { theme.right() } else { theme.wrong() });
        for (column, count) in quadrant.counts[row].iter().enumerate() {
            let x = rect.x + 34 + column as u16 * 18;
            let here = audit.cursor == index * 2 + row && audit.cell == column;
            let share = *count as f64 / total.max(1) as f64;
            let mark = if here { theme.glyph("▸", ">") } else { " " };
            put(buffer, x - 2, y, 1, mark, theme.accent());
            let text = format!("{:>5}  {:>5}", thousands(*count), percent(share));
            put(buffer, x, y, 14, &text, cursor_style(here, theme));
        }
    }
}
