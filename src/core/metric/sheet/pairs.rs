//! Methods against each other: differences with their tests, and the matrices of agreement and flips.

use super::{Cell, Column, NOT_KNOWN, Section, Sheet, interval, p_value, share, signed, thousands};
use crate::core::{
    Outcome,
    metric::{
        Pair, Samples,
        paired::{EXACT_UP_TO, McNemar},
        report::SetReport,
    },
    query::{MethodName, OutcomeTest, Test},
};

pub(super) fn sheets(set: &SetReport) -> Vec<Sheet> {
    let compared = set.pairs.iter().any(|p| p.n > 0);
    if compared { vec![differences(set), agreement(set), flips(set)] } else { Vec::new() }
}

fn is(set: &SetReport, method: usize, outcome: Outcome) -> Test {
    Test::Method { method: MethodName::Id(set.method(method).to_owned()), outcome: OutcomeTest::Is(outcome) }
}

fn differences(set: &SetReport) -> Sheet {
    let names = [
        "n",
        "difference [95 %]",
        "only first",
        "only second",
        "p McNemar",
        "p Holm",
        "p bootstrap",
        "h",
        "needed n",
    ];
    let rows = set.pairs.iter().filter(|p| p.n > 0).map(|p| difference(set, p)).collect();
    Sheet {
        section: Section::Pairs,
        title: "differences of accuracy".to_owned(),
        note: format!(
            "{}First minus second on the items both ran on. McNemar: exact binomial up to {EXACT_UP_TO} discordant items, \
             chi-square with continuity correction (χ²) above; it takes items for independent. Holm: over the {} \
             pairs of this table. Bootstrap: paired, over {}. h: Cohen's effect size of two shares. Needed n: items for \
             80 % power at 5 % were the difference as observed (Connor 1987), times the design effect of the clusters.",
            match (set.samples, set.further_samples) {
                (Samples::First, _) | (_, 0) => String::new(),
                (samples, _) => format!("Of repeated samples {}. ", samples.about()),
            },
            set.pairs.iter().filter(|p| p.p_mcnemar.is_some()).count(),
            set.cluster_word(2),
        ),
        columns: std::iter::once(Column::text("first against second"))
            .chain(names.iter().map(|n| Column::number(*n)))
            .collect(),
        rows,
        heat: false,
        widths: Vec::new(),
    }
}

fn difference(set: &SetReport, p: &Pair) -> Vec<Cell> {
    let text = match (p.difference, p.interval) {
        (Some(d), Some(i)) => format!("{} {}", signed(d), interval(i)),
        (Some(d), None) => signed(d),
        _ => NOT_KNOWN.to_owned(),
    };
    let number = |value: Option<f64>, text: String| Cell { text, value, ..Cell::default() };
    let mark = if p.test == McNemar::ChiSquared { " χ²" } else { "" };
    let test = |value: Option<f64>, mark: &str| {
        number(value, value.map_or(NOT_KNOWN.to_owned(), |p| format!("{}{mark}", p_value(p))))
    };
    vec![
        Cell::text(format!("{} against {}", set.method(p.first), set.method(p.second)))
            .opens([is(set, p.first, Outcome::Right), is(set, p.second, Outcome::Wrong)]),
        Cell::count(p.n),
        Cell { interval: p.interval, n: Some(p.n), ..number(p.difference, text) },
        Cell::count(p.only_first)
            .opens([is(set, p.first, Outcome::Right), is(set, p.second, Outcome::Wrong)]),
        Cell::count(p.only_second)
            .opens([is(set, p.second, Outcome::Right), is(set, p.first, Outcome::Wrong)]),
        test(p.p_mcnemar, mark),
        test(p.p_holm, ""),
        test(p.p_bootstrap, ""),
        number(p.cohens_h, p.cohens_h.map_or(NOT_KNOWN.to_owned(), signed)),
        number(p.needed, p.needed.map_or(NOT_KNOWN.to_owned(), |n| thousands(n as u64))),
    ]
}

/// The pair of two methods, whichever is first.
fn pair(set: &SetReport, a: usize, b: usize) -> Option<&Pair> {
    set.pairs.iter().find(|p| (p.first, p.second) == (a.min(b), a.max(b))).filter(|p| p.n > 0)
}

fn matrix(set: &SetReport, title: &str, note: &str, cell: &dyn Fn(usize, usize) -> Cell) -> Sheet {
    let count = set.methods.len();
    let rows = (0..count)
        .map(|row| {
            let cells = (0..count)
                .map(|column| if row == column { Cell::text("·").quiet() } else { cell(row, column) });
            std::iter::once(Cell::text(set.method(row))).chain(cells).collect()
        })
        .collect();
    Sheet {
        section: Section::Pairs,
        title: title.to_owned(),
        note: note.to_owned(),
        columns: std::iter::once(Column::text(""))
            .chain((0..count).map(|m| Column::number(set.method(m))))
            .collect(),
        rows,
        heat: false,
        widths: Vec::new(),
    }
}

fn agreement(set: &SetReport) -> Sheet {
    matrix(
        set,
        "agreement",
        "Share of items with the same letter, of those where both gave one; after it Cohen's kappa.",
        &|a, b| match pair(set, a, b) {
            Some(p) => {
                let kappa = p.kappa.map_or(NOT_KNOWN.to_owned(), share);
                let text = p.agreement.map_or(NOT_KNOWN.to_owned(), |v| format!("{} κ {kappa}", share(v)));
                Cell { text, value: p.agreement, n: Some(p.n), ..Cell::default() }
            }
            None => Cell::share(None),
        },
    )
}

fn flips(set: &SetReport) -> Sheet {
    matrix(set, "flips", "Items that the row's method has right and the column's wrong.", &|a, b| match pair(
        set, a, b,
    ) {
        Some(p) => {
            let count = if a < b { p.only_first } else { p.only_second };
            Cell::count(count).opens([is(set, a, Outcome::Right), is(set, b, Outcome::Wrong)])
        }
        None => Cell::share(None),
    })
}
