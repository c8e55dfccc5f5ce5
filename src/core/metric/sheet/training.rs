//! Sample efficiency: what each training run reached, and after how much of the training data.

use super::{Cell, Column, NOT_KNOWN, Section, Sheet, share};
use crate::core::metric::report::{Curve, Report};

/// The part of the gain that counts as most of it.
const MOST: f64 = 0.9;

/// One row per run that was validated; `None` without any.
pub(super) fn efficiency(report: &Report) -> Option<Sheet> {
    let columns =
        ["validations", "first", "last", "best", "rows seen at best", "rows seen at 90 % of the gain"];
    (!report.curves.is_empty()).then(|| Sheet {
        section: Section::Training,
        title: "sample efficiency".to_owned(),
        note: "Validation accuracy, as each run's own log has it, and the step after @. Rows seen: the share of the \
               training rows that the run had seen by then, 100 % is each row once; – where the run does not say how \
               many rows there are. The gain is from the first to the best validation. A level was validated once. \
               The best of many validations is a little flattered by chance."
            .to_owned(),
        columns: std::iter::once(Column::text("run")).chain(columns.map(Column::number)).collect(),
        rows: report.curves.iter().map(row).collect(),
        heat: false,
        widths: Vec::new(),
    })
}

fn row(curve: &Curve) -> Vec<Cell> {
    let count = Cell::count(curve.points.len() as u64);
    if let Some(level) = curve.level() {
        let name = Cell::text(format!("{} (level)", curve.run)).quiet();
        let mut row = vec![name, count, Cell::text(""), Cell::text(""), Cell::share(Some(level))];
        row.resize_with(7, Cell::default);
        return row;
    }
    let reached = curve.reached(MOST);
    vec![
        Cell::text(&curve.run),
        count,
        point(curve.first()),
        point(curve.points.last().copied()),
        point(curve.best()),
        rows_seen(curve, curve.best().map(|p| p.0)),
        rows_seen(curve, reached),
    ]
}

fn point(point: Option<(i64, f64)>) -> Cell {
    match point {
        Some((step, value)) => {
            Cell { text: format!("{} @{step}", share(value)), value: Some(value), ..Cell::default() }
        }
        None => Cell::text(NOT_KNOWN),
    }
}

fn rows_seen(curve: &Curve, step: Option<i64>) -> Cell {
    let seen = step.and_then(|step| curve.share(step));
    let text = seen.map_or(NOT_KNOWN.to_owned(), |seen| format!("{:.0} %", seen * 100.0));
    Cell { text, value: seen, ..Cell::default() }
}
