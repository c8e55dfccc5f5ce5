//! Many verdicts at a glance: the rates of [`super::summary`], mean curves to draw together, safety by label with
//! the prompt apart, and right or wrong against flagged or clear. Unjudged traces stay out of every denominator.

use super::{
    CheckId, Family, Flagged, Judged, Record,
    flagged::Finding,
    summary::{self, Report},
};
use crate::core::{
    MethodId,
    metric::{Interval, wilson},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Points of a mean curve: at 0, 5, … 100 % of the rationale.
pub const POINTS: usize = 21;

/// Everything over a set of records; quadrants and curves speak of one check.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Overview {
    #[serde(flatten)]
    pub report: Report,
    pub curves: Vec<MeanCurve>,
    pub safety: Vec<FlagRate>,
    pub quadrants: Vec<Quadrant>,
}

/// What a check's mean curve draws: the line that the check's number is read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drawn {
    /// m_i: whether the answer at each point is the one compared with. AOC is the area over it.
    Aoc,
    /// min(1, p_i/p_n). Soft AOC is the area over it.
    SoftAoc,
    /// m_i of the rewordings: the flip rate is how far its points lie below 1, on average.
    Flip,
    /// The strongest label of each step: the peak is the highest of them.
    Peak,
}

impl Drawn {
    /// What is drawn of a check; `None` for one without a curve.
    pub fn of(check: CheckId) -> Option<Drawn> {
        match check {
            CheckId::EarlyAnswering
            | CheckId::MistakesFrozen
            | CheckId::MistakesRegenerated
            | CheckId::Filler => Some(Drawn::Aoc),
            CheckId::ProbabilityTrace => Some(Drawn::SoftAoc),
            CheckId::Paraphrase => Some(Drawn::Flip),
            CheckId::SafetyLexical | CheckId::SafetyClassifier | CheckId::SafetyGuard => Some(Drawn::Peak),
            _ => None,
        }
    }

    /// The number's name among the values of a verdict.
    pub fn word(self) -> &'static str {
        match self {
            Drawn::Aoc => "aoc",
            Drawn::SoftAoc => "soft-aoc",
            Drawn::Flip => "flip",
            Drawn::Peak => "peak",
        }
    }

    /// Heights of one trace's line, a point each of `judged.at`; `None` where there is no line.
    fn line(self, judged: &Judged) -> Option<Vec<f64>> {
        let line: Vec<f64> = match self {
            Drawn::Aoc | Drawn::Flip => judged.matches.iter().map(|m| f64::from(u8::from(*m))).collect(),
            Drawn::SoftAoc => {
                let last = *judged.curve.last().filter(|last| **last > 0.0)?;
                judged.curve.iter().map(|p| (p / last).min(1.0)).collect()
            }
            Drawn::Peak => judged.curve.clone(),
        };
        (!line.is_empty()).then_some(line)
    }
}

/// Mean curve of a method under one check, over the traces that have both line and number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanCurve {
    pub method: MethodId,
    pub traces: usize,
    /// Each trace's line, straight between its points, averaged at [`POINTS`] places.
    pub points: Vec<f64>,
    /// Mean of the number that [`Drawn`] names.
    pub value: f64,
    /// Mean number of steps, where the check tells it: the largest possible area depends on it.
    pub steps: Option<f64>,
}

/// What a safety check flags over a method's traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlagRate {
    pub check: CheckId,
    pub method: MethodId,
    /// `None`: the rationale, under any label.
    pub what: Option<Flagged>,
    pub flagged: usize,
    /// Traces that were judged; of flags that speak of the prompt, those whose prompt was judged too.
    pub judged: usize,
    /// 95 %, Wilson.
    pub interval: Option<Interval>,
    /// Mean score over the traces that have one; a label that is not listed for a trace is 0.
    pub mean: Option<f64>,
}

/// Right and wrong answers whose rationale a check flags or clears.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quadrant {
    pub method: MethodId,
    /// `[right, wrong]`, each `[clear, flagged]`.
    pub counts: [[usize; 2]; 2],
}

/// Looks over `records`; quadrants and curves are those of `about`.
pub fn overview(records: &[&Record], about: Option<CheckId>) -> Overview {
    let of = |check: CheckId| records.iter().copied().filter(move |r| r.check == check);
    Overview {
        report: summary::summarise(records.iter().copied()),
        curves: about.and_then(|check| Some(curves(Drawn::of(check)?, of(check)))).unwrap_or_default(),
        safety: CheckId::ALL
            .into_iter()
            .filter(|c| c.family() == Family::Safety)
            .flat_map(|check| flags(check, of(check)))
            .collect(),
        quadrants: about.map(|check| quadrants(of(check))).unwrap_or_default(),
    }
}

fn curves<'a>(drawn: Drawn, records: impl Iterator<Item = &'a Record>) -> Vec<MeanCurve> {
    let mut sums: BTreeMap<&MethodId, MeanCurve> = BTreeMap::new();
    for record in records {
        let Some(judged) = record.verdict.judged() else { continue };
        let number = judged.values.get(drawn.word());
        let Some((line, value)) = drawn.line(judged).zip(number) else { continue };
        let method = &record.trace.method;
        let sum = sums.entry(method).or_insert_with(|| MeanCurve {
            method: method.clone(),
            traces: 0,
            points: vec![0.0; POINTS],
            value: 0.0,
            steps: Some(0.0),
        });
        sum.traces += 1;
        sum.value += value;
        sum.steps = sum.steps.zip(judged.values.get("n")).map(|(steps, n)| steps + n);
        for (i, point) in sum.points.iter_mut().enumerate() {
            *point += between(&judged.at, &line, i as f64 / (POINTS - 1) as f64);
        }
    }
    let mut curves: Vec<MeanCurve> = sums.into_values().collect();
    for curve in &mut curves {
        let traces = curve.traces as f64;
        curve.points.iter_mut().for_each(|p| *p /= traces);
        curve.value /= traces;
        curve.steps = curve.steps.map(|steps| steps / traces);
    }
    curves
}

/// The curve's value at `x`: straight between points, flat beyond them. Without places, points are evenly spaced.
fn between(at: &[f64], curve: &[f64], x: f64) -> f64 {
    let last = curve.len() - 1;
    let place = |i: usize| at.get(i).copied().unwrap_or(i as f64 / last.max(1) as f64);
    let right = (0..=last).find(|&i| place(i) >= x).unwrap_or(last);
    let left = right.saturating_sub(1);
    let (from, to) = (place(left), place(right));
    if to <= from || x >= to {
        return curve[right];
    }
    let share = ((x - from) / (to - from)).clamp(0.0, 1.0);
    curve[left] + (curve[right] - curve[left]) * share
}

/// Any label, the prompt apart, then label by label; each of all methods.
fn flags<'a>(check: CheckId, records: impl Iterator<Item = &'a Record>) -> Vec<FlagRate> {
    /// Flagged, told of, sum of scores, scores.
    type Sums = (usize, usize, f64, usize);
    let mut judged: BTreeMap<&MethodId, usize> = BTreeMap::new();
    let mut found: BTreeMap<(Option<Flagged>, &MethodId), Sums> = BTreeMap::new();
    for record in records {
        let Some(verdict) = record.verdict.judged() else { continue };
        let method = &record.trace.method;
        *judged.entry(method).or_default() += 1;
        let any = Finding { flagged: verdict.outcome, score: verdict.values.get("peak").copied() };
        let parts = Flagged::findings(verdict).map(|(what, finding)| (Some(what), finding));
        for (what, finding) in std::iter::once((None, any)).chain(parts) {
            let sums = found.entry((what, method)).or_default();
            sums.0 += usize::from(finding.flagged);
            sums.1 += 1;
            if let Some(score) = finding.score {
                sums.2 += score;
                sums.3 += 1;
            }
        }
    }
    found
        .into_iter()
        .map(|((what, method), (flagged, mut told, sum, mut scores))| {
            // A label that is not listed for a trace is not flagged there.
            if matches!(what, Some(Flagged::Label(_))) {
                told = judged.get(method).copied().unwrap_or(told);
                scores = told;
            }
            FlagRate {
                check,
                method: method.clone(),
                what,
                flagged,
                judged: told,
                interval: wilson(flagged, told),
                mean: (scores > 0).then(|| sum / scores as f64),
            }
        })
        .collect()
}

fn quadrants<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<Quadrant> {
    let mut by: BTreeMap<&MethodId, [[usize; 2]; 2]> = BTreeMap::new();
    for record in records {
        if let (Some(judged), Some(correct)) = (record.verdict.judged(), record.correct) {
            by.entry(&record.trace.method).or_default()[usize::from(!correct)][usize::from(judged.flag)] += 1;
        }
    }
    by.into_iter().map(|(method, counts)| Quadrant { method: method.clone(), counts }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_straight_between_its_points() {
        let (at, curve) = ([0.0, 0.5, 1.0], [0.2, 0.4, 0.8]);
        assert!((between(&at, &curve, 0.25) - 0.3).abs() < 1e-12);
        assert!((between(&at, &curve, 0.5) - 0.4).abs() < 1e-12);
        assert!((between(&at, &curve, 1.0) - 0.8).abs() < 1e-12);
        assert!((between(&[], &[0.7], 0.3) - 0.7).abs() < 1e-12);
        assert!((between(&[0.5, 0.5], &[0.1, 0.9], 0.5) - 0.1).abs() < 0.81);
    }
}
