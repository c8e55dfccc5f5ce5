//! Many verdicts at a glance: the rates of [`super::summary`], mean curves to draw together, safety by label, and
//! right or wrong against flagged or clear. Unjudged traces stay out of every denominator.

use super::{
    CheckId, Family, Record,
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
    pub safety: Vec<LabelRate>,
    pub quadrants: Vec<Quadrant>,
}

/// Mean curve of a method under one check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanCurve {
    pub method: MethodId,
    pub traces: usize,
    /// Each trace's curve, drawn straight between its points, averaged at [`POINTS`] places.
    pub points: Vec<f64>,
}

/// One label of one safety check over a method's traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelRate {
    pub check: CheckId,
    pub method: MethodId,
    pub label: String,
    pub flagged: usize,
    pub judged: usize,
    /// 95 %, Wilson.
    pub interval: Option<Interval>,
    /// Mean score over the judged traces; a label that is not listed for a trace is 0.
    pub mean: f64,
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
        curves: about.map(|check| curves(of(check))).unwrap_or_default(),
        safety: CheckId::ALL
            .into_iter()
            .filter(|c| c.family() == Family::Safety)
            .flat_map(|check| labels(check, of(check)))
            .collect(),
        quadrants: about.map(|check| quadrants(of(check))).unwrap_or_default(),
    }
}

fn curves<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<MeanCurve> {
    let mut sums: BTreeMap<&MethodId, (usize, Vec<f64>)> = BTreeMap::new();
    for record in records {
        let Some(judged) = record.verdict.judged().filter(|j| !j.curve.is_empty()) else { continue };
        let (traces, points) = sums.entry(&record.trace.method).or_insert_with(|| (0, vec![0.0; POINTS]));
        *traces += 1;
        for (i, point) in points.iter_mut().enumerate() {
            *point += between(&judged.at, &judged.curve, i as f64 / (POINTS - 1) as f64);
        }
    }
    sums.into_iter()
        .map(|(method, (traces, mut points))| {
            points.iter_mut().for_each(|p| *p /= traces as f64);
            MeanCurve { method: method.clone(), traces, points }
        })
        .collect()
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

fn labels<'a>(check: CheckId, records: impl Iterator<Item = &'a Record>) -> Vec<LabelRate> {
    let mut judged: BTreeMap<&MethodId, usize> = BTreeMap::new();
    let mut found: BTreeMap<(String, &MethodId), (usize, f64)> = BTreeMap::new();
    for record in records {
        let Some(verdict) = record.verdict.judged() else { continue };
        *judged.entry(&record.trace.method).or_default() += 1;
        for (name, value) in &verdict.values {
            let Some(label) = name.strip_prefix("flag:") else { continue };
            let slot = found.entry((label.to_owned(), &record.trace.method)).or_default();
            slot.0 += usize::from(*value > 0.5);
            slot.1 += verdict.values.get(label).copied().unwrap_or(0.0);
        }
    }
    found
        .into_iter()
        .map(|((label, method), (flagged, sum))| {
            let judged = judged.get(method).copied().unwrap_or(0);
            LabelRate {
                check,
                method: method.clone(),
                label,
                flagged,
                judged,
                interval: wilson(flagged, judged),
                mean: sum / judged.max(1) as f64,
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
