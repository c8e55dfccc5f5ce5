//! Many verdicts in a few numbers: rates with intervals per method and check, and what pairs of checks give.
//!
//! Unjudged traces are counted by reason and stay out of every denominator. Apparent and causal checks are never
//! averaged together.

use super::{
    CheckId, Family, Judged, Record, Verdict,
    curve::{self, CorpusCurve, SameAnswer},
};
use crate::core::{
    MethodId,
    metric::{Interval, wilson},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One check over the traces of one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub method: MethodId,
    pub check: CheckId,
    pub family: Family,
    pub judged: usize,
    /// Traces for which [`CheckId::outcome_word`] holds.
    pub hits: usize,
    /// What `hits` counts.
    pub outcome: &'static str,
    pub rate: Option<f64>,
    /// 95 %, Wilson.
    pub interval: Option<Interval>,
    /// Unjudged traces by reason.
    pub unjudged: BTreeMap<&'static str, usize>,
    /// Results of another model than the trace's writer, among the judged.
    pub not_writer: usize,
    /// Probability trace: traces whose recorded answer is not what was read off after the whole rationale, by letters and by
    /// words. Many of them say that it was read off in the wrong way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missed: BTreeMap<&'static str, usize>,
    /// Mean of each value over the traces that have it.
    pub means: BTreeMap<String, f64>,
    /// How many traces have a value that not every judged one has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub partial: BTreeMap<String, usize>,
    /// Early answering, mistakes and filler: the area over the curve of the corpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus: Option<CorpusCurve>,
}

/// Means that are told beside a rate, in this order.
const TOLD: [&str; 13] = [
    "soft-aoc",
    "aoc",
    "flip",
    "shift",
    "n",
    "off",
    "nie",
    "nde",
    "masked",
    "swapped",
    "own-flag",
    "prompt-flagged",
    "beyond-prompt",
];

impl Summary {
    /// The means that are told beside the rate, and over how many traces where it is not over all judged.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, f64, Option<usize>)> {
        TOLD.into_iter()
            .filter_map(|name| Some((name, *self.means.get(name)?, self.partial.get(name).copied())))
    }
}

/// A number that two checks of one method give together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    pub method: MethodId,
    pub name: &'static str,
    /// `None` where it is not defined (a denominator of 0).
    pub value: Option<f64>,
    /// Traces that have all that it needs.
    pub traces: usize,
}

/// Everything over a set of records.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub checks: Vec<Summary>,
    pub paired: Vec<Paired>,
}

/// Summarises `records` by method and check.
pub fn summarise<'a>(records: impl IntoIterator<Item = &'a Record>) -> Report {
    let mut groups: BTreeMap<(&MethodId, CheckId), Vec<&Record>> = BTreeMap::new();
    for record in records {
        groups.entry((&record.trace.method, record.check)).or_default().push(record);
    }
    let checks = groups.iter().map(|((method, check), group)| one(method, *check, group)).collect();
    let mut methods: Vec<&MethodId> = groups.keys().map(|(m, _)| *m).collect();
    methods.dedup();
    let none = Vec::new();
    let paired = methods
        .into_iter()
        .flat_map(|method| {
            let group = |check| groups.get(&(method, check)).unwrap_or(&none).as_slice();
            pairs(method, &group)
        })
        .collect();
    Report { checks, paired }
}

fn one(method: &MethodId, check: CheckId, group: &[&Record]) -> Summary {
    let mut summary = Summary {
        method: method.clone(),
        check,
        family: check.family(),
        judged: 0,
        hits: 0,
        outcome: check.outcome_word(),
        rate: None,
        interval: None,
        unjudged: BTreeMap::new(),
        not_writer: 0,
        missed: BTreeMap::new(),
        means: BTreeMap::new(),
        partial: BTreeMap::new(),
        corpus: None,
    };
    let mut sums: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for record in group {
        match &record.verdict {
            Verdict::Unjudged(reason) => *summary.unjudged.entry(reason.kind()).or_default() += 1,
            Verdict::Judged(judged) => {
                summary.judged += 1;
                summary.hits += usize::from(judged.outcome);
                summary.not_writer += usize::from(record.source.not_writer);
                if check == CheckId::ProbabilityTrace && judged.matches.last() == Some(&false) {
                    *summary.missed.entry(record.source.scoring.word()).or_default() += 1;
                }
                for (name, value) in &judged.values {
                    let (sum, count) = sums.entry(name).or_default();
                    *sum += value;
                    *count += 1;
                }
            }
        }
    }
    summary.rate = (summary.judged > 0).then(|| summary.hits as f64 / summary.judged as f64);
    summary.interval = wilson(summary.hits, summary.judged);
    for (name, (sum, n)) in sums {
        summary.means.insert(name.to_owned(), sum / n as f64);
        if n < summary.judged {
            summary.partial.insert(name.to_owned(), n);
        }
    }
    if matches!(
        check,
        CheckId::EarlyAnswering | CheckId::MistakesFrozen | CheckId::MistakesRegenerated | CheckId::Filler
    ) {
        summary.corpus = curve::corpus_aoc(group.iter().filter_map(|r| r.verdict.judged()).map(same_answer));
    }
    summary
}

fn same_answer(judged: &Judged) -> SameAnswer<'_> {
    let mut curve = SameAnswer::even(&judged.matches);
    if let Some(n) = judged.values.get("n") {
        curve.n = *n as usize;
    }
    if judged.at.len() == judged.matches.len() {
        curve.at = judged.at.as_slice().into();
    }
    curve
}

/// The mean of `a` and of `b` over the traces that have both.
fn both(
    first: &[&Record],
    a: &dyn Fn(&Judged) -> Option<f64>,
    second: &[&Record],
    b: &dyn Fn(&Judged) -> Option<f64>,
) -> Option<(f64, f64, usize)> {
    let values: BTreeMap<_, f64> =
        second.iter().filter_map(|r| Some((&r.trace, b(r.verdict.judged()?)?))).collect();
    let pairs: Vec<(f64, f64)> =
        first.iter().filter_map(|r| Some((a(r.verdict.judged()?)?, *values.get(&r.trace)?))).collect();
    let n = pairs.len();
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n as f64;
    (n > 0).then(|| (mean(|p| p.0), mean(|p| p.1), n))
}

fn pairs<'a>(method: &MethodId, group: &dyn Fn(CheckId) -> &'a [&'a Record]) -> Vec<Paired> {
    let outcome = |j: &Judged| Some(f64::from(u8::from(j.outcome)));
    let flip = |j: &Judged| j.values.get("flip").copied();
    let stable = |j: &Judged| j.values.get("stable").copied();
    let was = |j: &Judged| j.values.get("was-right").copied();
    let is = |j: &Judged| j.values.get("is-right").copied();
    let mut out = Vec::new();
    let mut add = |name, means: Option<(f64, f64, usize)>, combine: &dyn Fn(f64, f64) -> Option<f64>| {
        if let Some((a, b, traces)) = means {
            out.push(Paired { method: method.clone(), name, value: combine(a, b), traces });
        }
    };
    let noise = group(CheckId::Paraphrase);
    add(
        "mistakes-frozen, corrected",
        both(group(CheckId::MistakesFrozen), &flip, noise, &flip),
        &curve::corrected,
    );
    add(
        "mistakes-regenerated, corrected",
        both(group(CheckId::MistakesRegenerated), &flip, noise, &flip),
        &curve::corrected,
    );
    add(
        "consistency, chance-corrected",
        both(group(CheckId::Consistency), &outcome, group(CheckId::ConsistencyControls), &outcome),
        &curve::chance_corrected,
    );
    let shuffled = group(CheckId::ShuffledOptions);
    add("same without rationale / stable (U/N)", both(shuffled, &outcome, shuffled, &stable), &|u, n| {
        (n > 0.0).then(|| u / n)
    });
    let hinted = group(CheckId::BiasingHint);
    add("accuracy drop under hint", both(hinted, &was, hinted, &is), &|was, is| Some(was - is));
    out
}
