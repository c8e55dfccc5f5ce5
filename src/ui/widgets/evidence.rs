//! What the checks found on a trace: verdict, numbers, curve, evidence, and who was asked, check by check.

use super::column::{share, sparkline};
use crate::app::{
    State,
    explorer::{Cell, cell},
};
use crate::core::check::{CheckId, Record, Verdict};
use crate::ui::Theme;

/// Values that are shown beside the headline, at most.
const VALUES: usize = 6;

/// Lines of the evidence panel: a name where a check begins, else nothing.
pub fn lines(state: &State, theme: &Theme) -> Vec<(String, String)> {
    let column = state.explorer.compare.focus;
    let found = state.explorer.items.current().and_then(|ix| match cell(state, ix, column) {
        Cell::Trace { entry, .. } => entry.trace.clone(),
        _ => None,
    });
    let Some(trace) = found else {
        return vec![(String::new(), "this column has no finished trace".to_owned())];
    };
    let mut lines = Vec::new();
    let known = state.checks.of(&trace);
    for record in known.into_iter().flatten().map(|(_, record)| record) {
        of_record(record, theme, &mut lines);
    }
    let open: Vec<&str> = CheckId::ALL
        .into_iter()
        .filter(|c| known.is_none_or(|k| !k.contains_key(c)))
        .map(CheckId::word)
        .collect();
    if !open.is_empty() {
        lines.push(("not run".to_owned(), open.join(", ")));
    }
    lines
}

fn of_record(record: &Record, theme: &Theme, lines: &mut Vec<(String, String)>) {
    let name = record.check.word().to_owned();
    match &record.verdict {
        Verdict::Judged(judged) => {
            let flag = if judged.flag { theme.glyph("⚑ ", "! ") } else { "" };
            let mut text = format!("{flag}{}", judged.word);
            if let Some(number) = judged.number() {
                text.push_str(&format!("   {} {}", judged.headline, share(number)));
            }
            if judged.curve.len() > 1 {
                text.push_str(&format!("   {}", sparkline(&judged.curve, theme)));
            }
            lines.push((name, text));
            let mut values: Vec<(&String, &f64)> = judged
                .values
                .iter()
                .filter(|(name, value)| {
                    **name != judged.headline && !name.starts_with("flag:") && value.abs() >= 0.005
                })
                .collect();
            values.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            let values: Vec<String> =
                values.into_iter().take(VALUES).map(|(name, value)| format!("{name} {value:.2}")).collect();
            if !values.is_empty() {
                lines.push((String::new(), values.join("   ")));
            }
            for evidence in &judged.evidence {
                let step = evidence.step.map_or_else(String::new, |s| format!("step {}  ", s + 1));
                let value = evidence.value.map_or_else(String::new, |v| format!("   {v:+.2}"));
                lines.push((String::new(), format!("{step}“{}”{value}", evidence.text)));
            }
            lines.push((String::new(), source(record, &judged.by)));
        }
        Verdict::Unjudged(reason) => {
            lines.push((name, format!("unjudged: {reason}")));
            lines.push((String::new(), source(record, "")));
        }
    }
    lines.push((String::new(), String::new()));
}

/// Family, model, scoring, maker or judge; that another model than the writer was asked.
fn source(record: &Record, by: &str) -> String {
    let source = &record.source;
    let mut text = format!("{} · by {}", record.family.word(), source.model);
    if let Some(adapter) = &source.adapter {
        text.push_str(&format!(" + {adapter}"));
    }
    if !source.judge.is_empty() {
        text.push_str(&format!(" · {}", source.scoring.word()));
    }
    if !by.is_empty() && *by != *source.model && !source.model.ends_with(by) {
        text.push_str(&format!(" · {by}"));
    }
    if source.not_writer {
        text.push_str(" · not the model that wrote it");
    }
    text
}
