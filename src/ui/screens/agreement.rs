//! The pages of agreement: per question and method, two people's confusion, the disagreements, checks against people.

use crate::app::{
    State,
    annotate::{Counting, Numbers, Page},
};
use crate::core::{
    MethodId,
    annotation::{
        bootstrap::Estimate,
        checker::Comparison,
        report::{Confusion, Marks, Row},
    },
    wrap::wrap,
};
use crate::ui::{
    Theme,
    paint::{fill_row, put, put_right},
    widgets::{column::share, pages},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let inner = Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height.saturating_sub(1));
    let mut x = inner.x;
    for page in Page::NUMBERS {
        let style = if page == state.annotate.page {
            theme.text().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        } else {
            theme.dim()
        };
        x = put(buffer, x, inner.y, inner.right().saturating_sub(x), page.word(), style) + 3;
    }
    fill_row(buffer, inner.x, inner.y + 1, inner.width, theme.glyph("─", "-"), theme.line());
    let body = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    match &state.annotate.numbers {
        Counting::Not | Counting::Counting => {
            put(buffer, body.x, body.y, body.width, "counting …", theme.accent());
        }
        Counting::Failed(problem) => {
            put(buffer, body.x, body.y, body.width, problem, theme.caution());
        }
        Counting::Done(numbers) => {
            about(numbers, theme, body, buffer);
            let body = Rect { y: body.y + 2, height: body.height.saturating_sub(2), ..body };
            let cursor = state.annotate.cursor;
            match state.annotate.page {
                Page::Confusion => confusion(numbers, state.annotate.confusion, theme, body, buffer),
                Page::Disagreements => disagreements(numbers, cursor, theme, body, buffer),
                Page::Checkers => checkers(numbers, cursor, theme, body, buffer),
                _ => agreement(numbers, cursor, theme, body, buffer),
            }
        }
    }
}

fn about(numbers: &Numbers, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let mut text = format!("{} saved labels", numbers.report.labels);
    if numbers.report.unblinded > 0 {
        text.push_str(&format!(", {} of them not blind", numbers.report.unblinded));
    }
    if numbers.hidden > 0 {
        text.push_str(&format!(
            "   ·   {} traces of your queue are left out until you have saved them",
            numbers.hidden
        ));
    }
    put(buffer, rect.x, rect.y, rect.width, &text, theme.soft());
}

fn first(cursor: usize, rows: usize, height: usize) -> usize {
    cursor.saturating_sub(height.saturating_sub(1) / 2).min(rows.saturating_sub(height))
}

/// A coefficient as it is read: `.78`, `-.10`.
fn number(value: f64) -> String {
    if value < -0.005 { format!("-{}", share(-value)) } else { share(value.max(0.0)) }
}

/// `.78 (.61 to .90)`, or why there is no number.
pub fn words(estimate: &Estimate) -> String {
    match (estimate.value, estimate.interval, estimate.undefined) {
        (Some(value), Some(interval), _) => {
            format!("{} ({} to {})", number(value), number(interval.low), number(interval.high))
        }
        (Some(value), None, Some(reason)) => format!("{} (no interval: {reason})", number(value)),
        (Some(value), None, None) => number(value),
        (None, _, Some(reason)) => format!("undefined: {reason}"),
        (None, _, None) => "–".to_owned(),
    }
}

/// The number, or a dash where it is not defined: the reason stands in the line below the table.
fn brief(estimate: &Estimate) -> String {
    match (estimate.value, estimate.interval) {
        (None, _) => "undefined".to_owned(),
        (Some(value), None) => number(value),
        _ => words(estimate),
    }
}

fn method(method: Option<&MethodId>) -> String {
    method.map_or_else(|| "all".to_owned(), |m| m.0.clone())
}

/// Column positions as shares of the width, so that 80 columns show the first few and 200 all.
fn cells(rect: Rect, y: u16, parts: &[(u16, u16, String, Style)], buffer: &mut Buffer) {
    for (at, width, text, style) in parts {
        if *at < rect.width {
            let room = (*width).min(rect.width - at);
            put(buffer, rect.x + at, y, room, text, *style);
        }
    }
}

fn agreement(numbers: &Numbers, cursor: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    const PLACES: [(u16, u16); 9] =
        [(0, 32), (33, 14), (48, 4), (53, 4), (58, 19), (78, 19), (98, 19), (118, 19), (138, 19)];
    let titles = ["  ASPECT", "METHOD", "N", "BY", "AGREE", "ALPHA", "AC1", "FLEISS", "COHEN"];
    let head: Vec<_> =
        PLACES.iter().zip(titles).map(|((x, w), t)| (*x, *w, t.to_owned(), theme.dim())).collect();
    cells(rect, rect.y, &head, buffer);
    let rows = numbers.report.rows.len() + numbers.report.marks.len();
    if rows == 0 || numbers.report.labels == 0 {
        put(buffer, rect.x, rect.y + 2, rect.width, "no saved label yet", theme.accent());
        return;
    }
    let height = usize::from(rect.height.saturating_sub(4));
    let from = first(cursor, rows, height);
    for i in from..rows.min(from + height) {
        let y = rect.y + 1 + (i - from) as u16;
        let here = i == cursor;
        match numbers.report.rows.get(i) {
            Some(row) => agreement_row(row, &PLACES, here, rect, y, theme, buffer),
            None => {
                if let Some(marks) = numbers.report.marks.get(i - numbers.report.rows.len()) {
                    marks_row(marks, &PLACES, here, rect, y, theme, buffer);
                }
            }
        }
    }
    let y = rect.bottom() - 1;
    if let Some(row) = numbers.report.rows.get(cursor) {
        let all = [
            ("agree", &row.percent),
            (if row.ordinal { "alpha (ordinal)" } else { "alpha (nominal)" }, &row.alpha),
            ("AC1", &row.ac1),
            ("Fleiss", &row.fleiss),
            ("Cohen", &row.cohen),
        ];
        let text: Vec<String> = all.iter().map(|(name, e)| format!("{name} {}", words(e))).collect();
        for (i, line) in wrap(&text.join("   "), usize::from(rect.width)).into_iter().take(2).enumerate() {
            put(buffer, rect.x, y - 1 + i as u16, rect.width, &text.join("   ")[line], theme.soft());
        }
    }
}

fn agreement_row(
    row: &Row,
    places: &[(u16, u16)],
    here: bool,
    rect: Rect,
    y: u16,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let style = pages::row_style(here, theme);
    let texts = [
        (pages::pointed(&row.aspect, here, theme), style),
        (method(row.method.as_ref()), style),
        (row.n.to_string(), theme.soft()),
        (row.raters.to_string(), theme.soft()),
        (brief(&row.percent), theme.text()),
        (brief(&row.alpha), theme.text()),
        (brief(&row.ac1), theme.text()),
        (brief(&row.fleiss), theme.text()),
        (brief(&row.cohen), theme.text()),
    ];
    let parts: Vec<_> = places.iter().zip(texts).map(|((x, w), (t, s))| (*x, *w, t, s)).collect();
    cells(rect, y, &parts, buffer);
}

fn marks_row(
    marks: &Marks,
    places: &[(u16, u16)],
    here: bool,
    rect: Rect,
    y: u16,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let style = pages::row_style(here, theme);
    let overlap = match marks.overlap.value {
        Some(value) => format!("overlap {}", share(value)),
        None => words(&marks.overlap),
    };
    let parts = [
        (places[0].0, places[0].1, pages::pointed(&marks.question, here, theme), style),
        (places[1].0, places[1].1, method(marks.method.as_ref()), style),
        (places[2].0, places[2].1, marks.pairs.to_string(), theme.soft()),
        (places[4].0, rect.width, overlap, theme.text()),
    ];
    cells(rect, y, &parts, buffer);
}

fn confusion(numbers: &Numbers, at: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let Some(confusion) = numbers.confusions.get(at) else {
        put(buffer, rect.x, rect.y, rect.width, "no trace was labelled by two people", theme.accent());
        return;
    };
    let Confusion { aspect, rows, columns, categories, counts } = confusion;
    let title = format!(
        "{aspect}   ·   rows: {rows}   columns: {columns}   ·   {} of {}, ←→ another",
        at + 1,
        numbers.confusions.len()
    );
    put(buffer, rect.x, rect.y, rect.width, &title, theme.soft());
    let name = 22;
    let wide = ((rect.width.saturating_sub(name)) / (categories.len() as u16 + 1).max(1)).clamp(6, 16);
    for (i, category) in categories.iter().enumerate() {
        let x = rect.x + name + i as u16 * wide;
        put_right(buffer, x, (x + wide - 1).min(rect.right()), rect.y + 2, category, theme.dim());
    }
    for (i, category) in categories.iter().enumerate() {
        let y = rect.y + 3 + i as u16;
        if y >= rect.bottom() {
            break;
        }
        put(buffer, rect.x, y, name - 1, category, theme.dim());
        for (j, count) in counts.get(i).into_iter().flatten().enumerate() {
            let x = rect.x + name + j as u16 * wide;
            let style = match (i == j, *count) {
                (_, 0) => theme.line(),
                (true, _) => theme.right(),
                (false, _) => theme.caution(),
            };
            put_right(buffer, x, (x + wide - 1).min(rect.right()), y, &count.to_string(), style);
        }
    }
}

fn disagreements(numbers: &Numbers, cursor: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let rows = &numbers.disagreements;
    if rows.is_empty() {
        put(buffer, rect.x, rect.y, rect.width, "people agree wherever two of them labelled", theme.accent());
        return;
    }
    let open = rows.iter().filter(|d| !d.adjudicated).count();
    let title = format!("{} traces, {open} to decide   ·   enter opens one", rows.len());
    put(buffer, rect.x, rect.y, rect.width, &title, theme.soft());
    let height = usize::from(rect.height.saturating_sub(1));
    let from = first(cursor, rows.len(), height);
    for (i, row) in rows.iter().enumerate().skip(from).take(height) {
        let style = pages::row_style(i == cursor, theme);
        let parts = [
            (0, 2, if i == cursor { theme.glyph("▸", ">").to_owned() } else { String::new() }, style),
            (2, 10, if row.adjudicated { "decided" } else { "open" }.to_owned(), theme.dim()),
            (12, 18, row.method.0.clone(), style),
            (31, 20, row.annotators.join(", "), theme.soft()),
            (52, rect.width, row.aspects.join(", "), theme.caution()),
        ];
        cells(rect, rect.y + 1 + (i - from) as u16, &parts, buffer);
    }
}

fn checkers(numbers: &Numbers, cursor: usize, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let rows = &numbers.checkers;
    if rows.is_empty() {
        let text =
            "no result of an automatic check is here: `pluriscope check` or the explorer's audit makes some";
        put(buffer, rect.x, rect.y, rect.width, text, theme.accent());
        return;
    }
    const PLACES: [(u16, u16); 8] =
        [(0, 23), (24, 11), (36, 14), (51, 5), (57, 21), (79, 21), (101, 21), (123, 21)];
    let titles = ["  CHECK", "QUESTION", "METHOD", "N", "KAPPA", "SENSITIVITY", "SPECIFICITY", "AC1"];
    let head: Vec<_> =
        PLACES.iter().zip(titles).map(|((x, w), t)| (*x, *w, t.to_owned(), theme.dim())).collect();
    cells(rect, rect.y, &head, buffer);
    let height = usize::from(rect.height.saturating_sub(4));
    let from = first(cursor, rows.len(), height);
    for (i, row) in rows.iter().enumerate().skip(from).take(height) {
        let style = pages::row_style(i == cursor, theme);
        let texts = [
            (pages::pointed(row.check.word(), i == cursor, theme), style),
            (row.question.clone(), style),
            (method(row.method.as_ref()), style),
            (row.n.to_string(), theme.soft()),
            (brief(&row.kappa), theme.text()),
            (brief(&row.sensitivity), theme.text()),
            (brief(&row.specificity), theme.text()),
            (brief(&row.ac1), theme.text()),
        ];
        let parts: Vec<_> = PLACES.iter().zip(texts).map(|((x, w), (t, s))| (*x, *w, t, s)).collect();
        cells(rect, rect.y + 1 + (i - from) as u16, &parts, buffer);
    }
    if let Some(row) = rows.get(cursor) {
        let y = rect.bottom() - 1;
        put(buffer, rect.x, y - 1, rect.width, &counts(row), theme.soft());
        let text = format!(
            "kappa {}   sensitivity {}   specificity {}",
            words(&row.kappa),
            words(&row.sensitivity),
            words(&row.specificity)
        );
        put(buffer, rect.x, y, rect.width, &text, theme.soft());
    }
}

fn counts(row: &Comparison) -> String {
    format!(
        "{} traces ({} adjudicated, the rest agreed): both against {}, people only {}, check only {}, neither {}",
        row.n, row.adjudicated, row.hits, row.misses, row.false_alarms, row.quiet
    )
}
