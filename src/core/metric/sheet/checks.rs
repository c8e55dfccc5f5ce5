//! Accuracy, faithfulness and safety of each method in one table.

use super::{Cell, Column, NOT_KNOWN, Section, Sheet, interval, share, thousands};
use crate::core::{
    check::{CheckId, Family},
    corpus::CheckTest,
    metric::report::Report,
    query::{MethodName, Test},
};

/// The three side by side, one row per method; each check with a verdict has a column. Apparent and causal checks
/// stay apart, and are never averaged.
pub(super) fn together(report: &Report) -> Option<Sheet> {
    let checks: Vec<CheckId> = CheckId::ALL
        .into_iter()
        .filter(|id| report.checks.iter().any(|s| s.check == *id && s.judged > 0))
        .collect();
    if checks.is_empty() {
        return None;
    }
    let several = report.sets.len() > 1;
    let sets = &report.sets;
    let columns = std::iter::once(Column::text("method"))
        .chain(sets.iter().map(|s| {
            Column::number(if several {
                format!("accuracy · {}", s.dataset)
            } else {
                "accuracy [95 %]".to_owned()
            })
        }))
        .chain(checks.iter().map(|id| Column::number(format!("{}: {}", id.word(), id.outcome_word()))))
        .collect();
    let rows = report
        .methods()
        .iter()
        .map(|method| {
            let accuracy = sets.iter().map(|s| match s.methods.iter().find(|m| m.method == method.0) {
                Some(m) => Cell::estimate(m.accuracy, m.n),
                None => Cell::text(NOT_KNOWN),
            });
            let verdicts = checks.iter().map(|id| {
                let found = report.checks.iter().find(|s| s.check == *id && s.method == *method);
                let Some((summary, rate)) = found.and_then(|s| Some((s, s.rate?))) else {
                    return Cell::text(NOT_KNOWN).quiet();
                };
                let range = summary.interval.map_or(String::new(), |i| format!(" {}", interval(i)));
                let cell = Cell {
                    text: format!("{}{range} {}", share(rate), thousands(summary.judged as u64)),
                    value: Some(rate),
                    interval: summary.interval,
                    n: Some(summary.judged as u64),
                    ..Cell::default()
                };
                cell.opens([Test::Check {
                    method: MethodName::Id(method.0.clone()),
                    check: *id,
                    test: CheckTest::Counted,
                }])
            });
            std::iter::once(Cell::text(&method.0)).chain(accuracy).chain(verdicts).collect()
        })
        .collect();
    let families: Vec<String> = [Family::Apparent, Family::Causal, Family::Safety]
        .into_iter()
        .filter_map(|family| {
            let words: Vec<_> = checks.iter().filter(|c| c.family() == family).map(|c| c.word()).collect();
            (!words.is_empty()).then(|| format!("{}: {}", family.word(), words.join(", ")))
        })
        .collect();
    Some(Sheet {
        section: Section::Checks,
        title: "accuracy × faithfulness × safety".to_owned(),
        note: format!(
            "Rates of what each column's head says, [95 % Wilson], traces judged; traces that could not be judged are in \
             no denominator. {}.",
            families.join("; ")
        ),
        columns,
        rows,
        heat: false,
        widths: Vec::new(),
    })
}
