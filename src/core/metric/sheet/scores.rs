//! Accuracy beside its baselines, the other scores, the binary setting, steerability, distributions, and what
//! published scripts print.

use super::{Cell, Column, Section, Sheet, share, thousands};
use crate::core::{
    Outcome,
    metric::{
        CompatScores, Samples,
        bootstrap::FEWEST_CLUSTERS,
        report::{MethodScore, SetReport},
    },
    query::{MethodName, OutcomeTest, Test},
};

pub(super) fn sheets(set: &SetReport) -> Vec<Sheet> {
    let mut sheets = vec![accuracy(set)];
    sheets.extend((!set.methods.is_empty()).then(|| scores(set)));
    sheets.extend((set.values && !set.methods.is_empty()).then(|| binary(set)));
    sheets.extend(set.methods.iter().any(|m| m.perspective_changes > 0).then(|| steering(set)));
    sheets.extend((!set.distributions.is_empty()).then(|| distributions(set)));
    sheets.extend((!set.distributions.is_empty()).then(|| represented(set)));
    sheets.extend((!set.compat.is_empty()).then(|| compat(set)));
    sheets
}

fn method_is(method: &str, outcome: OutcomeTest) -> Test {
    Test::Method { method: MethodName::Id(method.to_owned()), outcome }
}

/// The name of a method, opening all its traces.
fn name(score: &MethodScore) -> Cell {
    Cell::text(&score.method).opens([method_is(&score.method, OutcomeTest::Run)])
}

fn accuracy(set: &SetReport) -> Sheet {
    let columns = ["n", "accuracy [95 %]", "majority", "blind oracle", "above blind [95 %]", "invalid"];
    let mut rows: Vec<Vec<Cell>> = set
        .methods
        .iter()
        .map(|m| {
            let wrong = method_is(&m.method, OutcomeTest::Is(Outcome::Wrong));
            let mut title = name(m);
            if m.no_rationale {
                title.text.push_str(" (no rationale)");
                title.quiet = true;
            }
            vec![
                title,
                Cell::count(m.n).opens([method_is(&m.method, OutcomeTest::Run)]),
                Cell::estimate(m.accuracy, m.n).opens([wrong]),
                Cell::share(m.majority).quiet(),
                Cell::share(m.blind).quiet(),
                Cell::estimate(m.above_blind, m.n),
                Cell::count(m.invalid).opens([method_is(&m.method, OutcomeTest::Is(Outcome::NoAnswer))]),
            ]
        })
        .collect();
    let letter = set.majority_answer.map_or(String::new(), |l| format!(" (always {l})"));
    let whole = |name: String, value: Option<f64>| {
        let mut row =
            vec![Cell::text(name).quiet(), Cell::count(set.items as u64).quiet(), Cell::share(value).quiet()];
        row.resize_with(columns.len() + 1, Cell::default);
        row
    };
    rows.push(whole(format!("majority{letter}"), set.majority));
    rows.push(whole("perspective-blind oracle".to_owned(), set.blind));
    let cluster = set.cluster_word(1);
    let mut note = format!(
        "{} items on {} {}. Intervals: bootstrap over {}, percentile. Invalid answers count as wrong and belong to no \
         class. Majority and blind oracle are taken over the method's own items; the oracle gives every {cluster} its \
         own commonest gold over all its perspectives (in-sample; 1 where there is one perspective only).",
        thousands(set.items as u64),
        thousands(set.clusters as u64),
        set.cluster_word(set.clusters),
        set.cluster_word(2),
    );
    if set.methods.iter().any(|m| m.n > 0 && m.clusters < FEWEST_CLUSTERS) {
        note.push_str(&format!(
            " Below {FEWEST_CLUSTERS} {} there is no interval: its ends would say more about the draw than about the data.",
            set.cluster_word(2)
        ));
    }
    if set.without_gold > 0 {
        note.push_str(&format!(" {} items without gold are left out.", thousands(set.without_gold as u64)));
    }
    if set.further_samples > 0 {
        note.push_str(&format!(" {}", repeats(set)));
    }
    Sheet { title: "accuracy".to_owned(), note, columns: heads(&columns), rows, ..Sheet::default() }
}

/// What is done with repeated samples.
fn repeats(set: &SetReport) -> String {
    let further = thousands(set.further_samples as u64);
    let mut text =
        format!("{further} samples are past the first of their method and item: {}.", set.samples.about());
    if set.samples != Samples::First {
        text.push_str(" A cell opens the items by their first sample.");
    }
    if set.samples == Samples::Mean {
        text.push_str(" Invalid counts samples.");
    }
    text
}

fn heads(names: &[&str]) -> Vec<Column> {
    std::iter::once(Column::text("method")).chain(names.iter().map(|n| Column::number(*n))).collect()
}

fn scores(set: &SetReport) -> Sheet {
    let rows = set
        .methods
        .iter()
        .map(|m| {
            vec![
                name(m),
                Cell::estimate(m.balanced_accuracy, m.n),
                Cell::estimate(m.macro_f1, m.n),
                Cell::estimate(m.micro_f1, m.n),
            ]
        })
        .collect();
    Sheet {
        title: "balanced accuracy and F1".to_owned(),
        note: "Balanced accuracy: mean recall over the letters that occur as gold. Macro F1: mean over the letters \
               that occur as gold or answer. Micro F1 equals accuracy where every answer is valid."
            .to_owned(),
        columns: heads(&["balanced [95 %]", "macro F1 [95 %]", "micro F1 [95 %]"]),
        rows,
        ..Sheet::default()
    }
}

fn binary(set: &SetReport) -> Sheet {
    let rows = set
        .methods
        .iter()
        .filter_map(|m| {
            let b = m.binary.as_ref()?;
            Some(vec![
                name(m),
                Cell::count(b.n),
                Cell::estimate(b.accuracy, b.n),
                Cell::estimate(b.balanced_accuracy, b.n),
                Cell::estimate(b.macro_f1, b.n),
                Cell::estimate(b.micro_f1, b.n),
            ])
        })
        .collect();
    Sheet {
        title: "binary setting".to_owned(),
        note: "Only items whose gold is Support or Oppose; an answer of Either is wrong.".to_owned(),
        columns: heads(&["n", "accuracy [95 %]", "balanced [95 %]", "macro F1 [95 %]", "micro F1 [95 %]"]),
        rows,
        ..Sheet::default()
    }
}

fn steering(set: &SetReport) -> Sheet {
    let rows = set
        .methods
        .iter()
        .map(|m| {
            vec![
                name(m),
                Cell::count(m.perspective_changes),
                Cell::estimate(m.steerability, m.perspective_changes),
                Cell::share(m.responsiveness),
                Cell::share(m.stability),
            ]
        })
        .collect();
    Sheet {
        title: "steerability".to_owned(),
        note: format!(
            "A change is a pair of perspectives on one {}. Followed: gold differs, and both answers are their gold. \
             Moved: gold differs, and the answers are two different letters. Stable: gold is the same, and both answers \
             are one letter.",
            set.cluster_word(1)
        ),
        columns: heads(&["changes", "followed [95 %]", "moved", "stable"]),
        rows,
        ..Sheet::default()
    }
}

fn distributions(set: &SetReport) -> Sheet {
    let rows = set
        .distributions
        .iter()
        .map(|d| {
            vec![
                Cell::text(&d.method),
                Cell::count(d.n),
                Cell::estimate(d.most_likely, d.n),
                Cell::estimate(d.distance, d.n),
                Cell::estimate(d.representativeness, d.n),
            ]
        })
        .collect();
    Sheet {
        title: "against the human distribution".to_owned(),
        note: "Most likely: the likeliest option is the group's. Distance: Jensen-Shannon, square root of the \
               divergence in nats, 0 is equal. Representativeness: 1 - W1/(k - 1) over the options in their order, \
               1 is equal. The probabilities are those that the traces carry; of repeated samples those of the first, or \
               with `--samples mean` their mean."
            .to_owned(),
        columns: heads(&["n", "most likely [95 %]", "distance [95 %]", "representativeness [95 %]"]),
        rows,
        ..Sheet::default()
    }
}

/// Representativeness by group: groups down, methods across, the least represented first.
fn represented(set: &SetReport) -> Sheet {
    let mut names: Vec<(&str, f64)> = Vec::new();
    for (name, _, value) in set.distributions.iter().flat_map(|d| &d.groups) {
        match names.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = slot.1.min(*value),
            None => names.push((name, *value)),
        }
    }
    names.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(b.0)));
    let rows = names
        .iter()
        .map(|(name, _)| {
            let cells = set.distributions.iter().map(|d| match d.groups.iter().find(|g| g.0 == *name) {
                Some((_, n, value)) => Cell {
                    text: format!("{}  {n}", share(*value)),
                    n: Some(*n),
                    value: Some(*value),
                    ..Cell::default()
                },
                None => Cell::share(None),
            });
            std::iter::once(Cell::text(*name)).chain(cells).collect()
        })
        .collect();
    Sheet {
        section: Section::Groups,
        title: "representativeness by group".to_owned(),
        note: "Mean over the questions; the small number is how many.".to_owned(),
        columns: std::iter::once(Column::text("group"))
            .chain(set.distributions.iter().map(|d| Column::number(&d.method)))
            .collect(),
        rows,
        heat: true,
        widths: Vec::new(),
    }
}

fn compat(set: &SetReport) -> Sheet {
    let numbers = |s: &CompatScores| {
        [
            s.accuracy,
            s.balanced_accuracy,
            s.macro_f1,
            s.micro_f1,
            s.binary_accuracy,
            s.binary_balanced_accuracy,
            s.binary_macro_f1,
            s.binary_micro_f1,
        ]
    };
    let names = [
        "n",
        "accuracy",
        "balanced",
        "macro F1",
        "micro F1",
        "binary accuracy",
        "binary balanced",
        "binary macro F1",
        "binary micro F1",
    ];
    let rows = set
        .compat
        .iter()
        .map(|row| {
            let cells = numbers(&row.scores).into_iter().map(Cell::share);
            [Cell::text(&row.method), Cell::count(row.scores.n)].into_iter().chain(cells).collect()
        })
        .collect();
    Sheet {
        title: "as the published script counts".to_owned(),
        note: "The model's texts read again and scored as that script does, invalid answers included; of \
               repeated samples the first."
            .to_owned(),
        columns: heads(&names),
        rows,
        ..Sheet::default()
    }
}
