//! A report as tables of short texts: the same tables on the screen and in every exported format.
//!
//! Numbers are formatted here once. Each cell keeps its value and interval for machine-readable formats, and, where
//! traces lie behind it, the query that selects them.

mod checks;
mod groups;
mod pairs;
mod scores;
mod training;

use super::{
    estimate::Estimate,
    report::{Report, SetReport},
    wilson::Interval,
};
use crate::core::{
    query::{Query, Term, Test},
    wrap::width,
};
use serde::Serialize;

/// Which part of the measurements a table belongs to: the screen's sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    #[default]
    Scores,
    Pairs,
    Groups,
    Checks,
    Training,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sheet {
    pub section: Section,
    pub title: String,
    /// What the numbers are: test, interval, denominator.
    pub note: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// Cells are shares to be coloured by their value: a heat map.
    pub heat: bool,
    /// Width of the widest text of each column, in terminal cells: tables may be long.
    #[serde(skip)]
    pub widths: Vec<usize>,
}

impl Sheet {
    fn measured(mut self) -> Sheet {
        self.widths = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|c| width(&c.text));
                cells.chain([width(&column.name)]).max().unwrap_or(0)
            })
            .collect();
        self
    }
}

/// The head of a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    pub name: String,
    /// Numbers stand to the right.
    pub number: bool,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// The query whose items lie behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// A baseline or a group too small to rank: shown quietly.
    pub quiet: bool,
}

/// All tables of a report, in the order of the screen.
pub fn sheets(report: &Report) -> Vec<Sheet> {
    let several = report.sets.len() > 1;
    let mut sheets = Vec::new();
    for set in &report.sets {
        let from = sheets.len();
        sheets.extend(scores::sheets(set));
        sheets.extend(pairs::sheets(set));
        sheets.extend(groups::sheets(set));
        if several {
            for sheet in &mut sheets[from..] {
                sheet.title = format!("{} · {}", set.dataset, sheet.title);
            }
        }
        for cell in sheets[from..].iter_mut().flat_map(|s: &mut Sheet| s.rows.iter_mut().flatten()) {
            cell.narrow(set, several);
        }
    }
    sheets.extend(checks(report));
    sheets.extend(training::efficiency(report));
    sheets.sort_by_key(|s| s.section as u8);
    sheets.into_iter().map(Sheet::measured).collect()
}

/// The table of accuracy, faithfulness and safety alone; `None` without verdicts.
pub fn checks(report: &Report) -> Option<Sheet> {
    checks::together(report).map(Sheet::measured)
}

/// The table of training runs alone; `None` where none was validated.
pub fn training(report: &Report) -> Option<Sheet> {
    training::efficiency(report).map(Sheet::measured)
}

/// What stands for a number that is not defined or not known.
pub const NOT_KNOWN: &str = "–";

impl Column {
    fn text(name: impl Into<String>) -> Column {
        Column { name: name.into(), number: false }
    }

    fn number(name: impl Into<String>) -> Column {
        Column { name: name.into(), number: true }
    }
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    fn share(value: Option<f64>) -> Cell {
        Cell { text: value.map_or(NOT_KNOWN.to_owned(), share), value, ..Cell::default() }
    }

    fn count(n: u64) -> Cell {
        Cell { text: thousands(n), value: Some(n as f64), ..Cell::default() }
    }

    fn estimate(estimate: Estimate, n: u64) -> Cell {
        let text = match (estimate.value, estimate.interval) {
            (Some(v), Some(i)) => format!("{} {}", share(v), interval(i)),
            (Some(v), None) => share(v),
            _ => NOT_KNOWN.to_owned(),
        };
        Cell { text, value: estimate.value, interval: estimate.interval, n: Some(n), ..Cell::default() }
    }

    fn quiet(self) -> Cell {
        Cell { quiet: true, ..self }
    }

    fn opens(self, tests: impl IntoIterator<Item = Test>) -> Cell {
        let terms = tests.into_iter().map(|test| Term { negated: false, test }).collect();
        Cell { opens: Some(Query { terms }.to_string()), ..self }
    }

    /// With several data sets on the table, a cell opens the traces of its own.
    fn narrow(&mut self, set: &SetReport, several: bool) {
        if several && let Some(opens) = &mut self.opens {
            let own =
                Query { terms: vec![Term { negated: false, test: Test::Dataset(set.dataset.clone()) }] };
            *opens = format!("{own} {opens}");
        }
    }
}

/// `.823`, `1.000`, `-.041`.
pub fn share(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.strip_prefix("-0.") {
        Some(rest) if rest.chars().all(|c| c == '0') => ".000".to_owned(),
        Some(rest) => format!("-.{rest}"),
        None => text.strip_prefix("0.").map_or(text.clone(), |rest| format!(".{rest}")),
    }
}

/// `+.041`, `-.041`.
pub fn signed(value: f64) -> String {
    let text = share(value);
    if value > 0.0 && text != ".000" { format!("+{text}") } else { text }
}

/// `[.801, .842]`.
pub fn interval(interval: Interval) -> String {
    format!("[{}, {}]", share(interval.low), share(interval.high))
}

/// `<.001`, `.032`.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "<.001".to_owned() } else { share(p) }
}

/// `12,345`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_the_field() {
        assert_eq!(
            [share(0.8234), share(1.0), share(-0.04), share(-0.0001), share(0.0)],
            [".823", "1.000", "-.040", ".000", ".000"]
        );
        assert_eq!([signed(0.05), signed(-0.05), signed(0.0)], ["+.050", "-.050", ".000"]);
        assert_eq!([p_value(0.0001), p_value(0.05)], ["<.001", ".050"]);
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
