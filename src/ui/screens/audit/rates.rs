//! Rates with Wilson intervals, a row per method and check; below them, all that goes with the row under the cursor,
//! and numbers that two checks give together.

use super::{bar, between, first, mean, percent, title};
use crate::app::State;
use crate::core::{
    check::{Family, summary::Summary},
    wrap::wrap,
};
use crate::ui::{
    Theme,
    paint::{put, thousands},
    widgets::{column::share, pages},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Lines below the table for the row under the cursor.
const DETAIL: u16 = 2;

pub(super) fn draw(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let rows = &state.audit.overview.report.checks;
    let wide = rect.width >= 110;
    let columns = RateColumns::of(rect, wide);
    columns.titles(rect.y, theme, buffer);
    let paired = &state.audit.overview.report.paired;
    let foot = if paired.is_empty() { 0 } else { (paired.len() as u16 + 2).min(rect.height / 3) };
    let detail = if rect.height < 12 { 0 } else { DETAIL + 1 };
    let height = rect.height.saturating_sub(1 + foot + detail);
    let from = first(state.audit.cursor, rows.len(), usize::from(height));
    for (i, row) in rows.iter().enumerate().skip(from).take(usize::from(height)) {
        let y = rect.y + 1 + (i - from) as u16;
        rate_row(state, row, &columns, y, i == state.audit.cursor, theme, buffer);
    }
    // Notes are cut off in the table.
    if let Some(row) = rows.get(state.audit.cursor).filter(|_| detail > 0) {
        let text = whole(state, row);
        let y = rect.bottom().saturating_sub(foot + DETAIL);
        let lines = wrap(&text, usize::from(rect.width.saturating_sub(2)));
        for (i, line) in lines.into_iter().take(usize::from(DETAIL)).enumerate() {
            put(buffer, rect.x + 2, y + i as u16, rect.width.saturating_sub(2), &text[line], theme.soft());
        }
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
    let style = pages::row_style(here, theme);
    let name = pages::pointed(&title(state, &row.method), here, theme);
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
    put(buffer, columns.note.x, y, columns.note.width, &notes(row).join(" · "), theme.dim());
}

/// What the row counts, and all that goes with it.
fn whole(state: &State, row: &Summary) -> String {
    let head = format!("{}, {}: {}", title(state, &row.method), row.check.word(), row.outcome);
    std::iter::once(head).chain(notes(row)).collect::<Vec<_>>().join(" · ")
}

/// Why traces are unjudged, then means.
fn notes(row: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    let unjudged: usize = row.unjudged.values().sum();
    if unjudged > 0 {
        let reasons: Vec<String> = row.unjudged.iter().map(|(why, n)| format!("{n} {why}")).collect();
        notes.push(reasons.join(", "));
    }
    notes.extend(row.told().map(|(name, value, of)| match of {
        Some(of) => format!("{name} {} of {}", mean(value), thousands(of)),
        None => format!("{name} {}", mean(value)),
    }));
    if let Some(corpus) = &row.corpus {
        notes.push(format!("corpus AOC {}", share(corpus.aoc)));
    }
    if row.not_writer > 0 {
        notes.push(format!("{} not the writer", row.not_writer));
    }
    notes
}
