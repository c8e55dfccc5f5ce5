//! Automatic checks against people: may this check be trusted on this method?
//!
//! The reference is the adjudicated label; where nobody adjudicated, what two or more people agree on. A label that
//! speaks neither for nor against the rationale ("unclear") is left out, and so is a check without a verdict.

use super::{
    agreement::{Measure, Ratings, Undefined},
    bootstrap::{Estimate, estimate},
    ratings::Rated,
    rubric::{Question, Rubric},
    session::TaskId,
};
use crate::core::{
    MethodId,
    check::{CheckId, Record, TraceKey},
    metric::wilson,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// One check against one question, on one method or all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub check: CheckId,
    pub question: String,
    /// `None` for all methods together.
    pub method: Option<MethodId>,
    /// Traces with both verdicts, and how many of them an adjudicator decided.
    pub n: usize,
    pub adjudicated: usize,
    /// People against and the check too; people against only; the check only; neither.
    pub hits: usize,
    pub misses: usize,
    pub false_alarms: usize,
    pub quiet: usize,
    pub percent: Estimate,
    pub kappa: Estimate,
    pub ac1: Estimate,
    /// Share of what people hold against the rationale that the check flags. 95 %, Wilson.
    pub sensitivity: Estimate,
    /// Share of what people hold for the rationale that the check lets pass. 95 %, Wilson.
    pub specificity: Estimate,
}

/// The reference: whether a trace's rationale fails a question, and whether an adjudicator said so.
fn reference(question: &Question, labels: &[&Rated]) -> Option<(bool, bool)> {
    let judgement = |r: &Rated| match r.answers.get(&question.id) {
        Some(value) => question.speaks_against(value),
        // An optional question that was left out says "none".
        None if !question.required => question.speaks_against(&super::Value::Nothing),
        None => None,
    };
    if let Some(decided) = labels.iter().rev().find(|r| r.adjudicated) {
        return judgement(decided).map(|against| (against, true));
    }
    let mut said = labels.iter().map(|r| judgement(r));
    let first = said.next()??;
    (labels.len() >= 2 && said.all(|s| s == Some(first))).then_some((first, false))
}

/// Every check that has records against every question of its family; all methods together first.
pub fn compare(rubric: &Rubric, rated: &[Rated], records: &[Record]) -> Vec<Comparison> {
    let mut by_task: BTreeMap<TaskId, Vec<&Rated>> = BTreeMap::new();
    for label in rated {
        by_task.entry(label.task).or_default().push(label);
    }
    let mut flags: HashMap<(&TraceKey, CheckId), bool> = HashMap::new();
    for record in records {
        if let Some(judged) = record.verdict.judged() {
            // The newest comes first.
            flags.entry((&record.trace, record.check)).or_insert(judged.flag);
        }
    }
    let mut out = Vec::new();
    for check in CheckId::ALL {
        if !flags.keys().any(|(_, c)| *c == check) {
            continue;
        }
        let family = check.family().word();
        for question in rubric.questions.iter().filter(|q| q.families.iter().any(|f| f == family)) {
            let mut pairs: Vec<Pair> = Vec::new();
            for labels in by_task.values() {
                let Some(flag) = labels.first().and_then(|r| flags.get(&(&r.trace, check))) else { continue };
                if let Some((against, adjudicated)) = reference(question, labels) {
                    let method = labels[0].method().clone();
                    pairs.push(Pair { method, against, flag: *flag, adjudicated });
                }
            }
            let mut methods: Vec<MethodId> = pairs.iter().map(|p| p.method.clone()).collect();
            methods.sort();
            methods.dedup();
            out.push(comparison(check, question, None, &pairs.iter().collect::<Vec<_>>()));
            for method in methods {
                let own: Vec<&Pair> = pairs.iter().filter(|p| p.method == method).collect();
                out.push(comparison(check, question, Some(method), &own));
            }
        }
    }
    out
}

struct Pair {
    method: MethodId,
    /// People hold it against the rationale.
    against: bool,
    flag: bool,
    adjudicated: bool,
}

fn comparison(check: CheckId, question: &Question, method: Option<MethodId>, pairs: &[&Pair]) -> Comparison {
    let count = |against, flag| pairs.iter().filter(|p| p.against == against && p.flag == flag).count();
    let (hits, misses, false_alarms, quiet) =
        (count(true, true), count(true, false), count(false, true), count(false, false));
    let units = pairs.iter().map(|p| vec![Some(usize::from(p.against)), Some(usize::from(p.flag))]).collect();
    let ratings = Ratings { units, categories: 2 };
    let of = |which: Measure| {
        if pairs.is_empty() { Estimate::plain(Err(Undefined::NoOverlap)) } else { estimate(&ratings, which) }
    };
    Comparison {
        check,
        question: question.id.clone(),
        method,
        n: pairs.len(),
        adjudicated: pairs.iter().filter(|p| p.adjudicated).count(),
        hits,
        misses,
        false_alarms,
        quiet,
        percent: of(Measure::Percent),
        kappa: of(Measure::Cohen),
        ac1: of(Measure::Ac1),
        sensitivity: share(hits, hits + misses),
        specificity: share(quiet, quiet + false_alarms),
    }
}

fn share(hits: usize, of: usize) -> Estimate {
    match wilson(hits, of) {
        Some(interval) => {
            Estimate { value: Some(hits as f64 / of as f64), interval: Some(interval), undefined: None }
        }
        None => Estimate::plain(Err(Undefined::NoneOfSort)),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::rated, *};
    use crate::core::{
        annotation::{DEFAULT_RUBRIC, Value},
        check::{Family, Judged, Source, Verdict},
    };

    fn record(label: &Rated, flag: bool) -> Record {
        Record {
            trace: label.trace.clone(),
            check: CheckId::Consistency,
            family: Family::Apparent,
            verdict: Verdict::Judged(Judged { flag, ..Judged::default() }),
            source: Source::default(),
            correct: None,
        }
    }

    #[test]
    fn sensitivity_and_specificity_against_the_adjudicated_label() {
        let rubric = Rubric::parse(DEFAULT_RUBRIC).unwrap();
        let said = |task, who: &str, what: &str, adjudicated| Rated {
            adjudicated,
            ..rated(task, "sft", who, &[("supports", Value::Choice(what.to_owned()))])
        };
        let labels = vec![
            // Two agree: against, and the check flags it.
            said(1, "ada", "another", false),
            said(1, "bo", "none", false),
            // They disagree; decided for the rationale. The check flags it all the same.
            said(2, "ada", "another", false),
            said(2, "bo", "recorded", false),
            said(2, "cy", "recorded", true),
            // They disagree and nobody decided: left out.
            said(3, "ada", "another", false),
            said(3, "bo", "recorded", false),
            // One label alone is no reference.
            said(4, "ada", "another", false),
            // For the rationale, and the check is quiet.
            said(5, "ada", "recorded", false),
            said(5, "bo", "recorded", false),
        ];
        let mut records: Vec<Record> = Vec::new();
        for (task, flag) in [(1, true), (2, true), (3, true), (4, true), (5, false)] {
            let label = labels.iter().find(|l| l.task.0 == task).unwrap();
            records.push(record(label, flag));
        }
        let all = compare(&rubric, &labels, &records);
        let total = all.iter().find(|c| c.method.is_none()).unwrap();
        assert_eq!((total.n, total.adjudicated), (3, 1));
        assert_eq!((total.hits, total.misses, total.false_alarms, total.quiet), (1, 0, 1, 1));
        assert_eq!((total.sensitivity.value, total.specificity.value), (Some(1.0), Some(0.5)));
        assert!((total.kappa.value.unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(all.len(), 2, "all together, and the one method");
        let nothing = compare(&rubric, &labels[..0], &records);
        assert_eq!(nothing[0].kappa.undefined, Some(Undefined::NoOverlap));
    }
}
