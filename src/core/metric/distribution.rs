//! Answer distributions against those of a human group.
//!
//! Jensen-Shannon *distance* is the square root of the divergence in nats, as in SciPy and in Modular Pluralism.
//! Representativeness is 1 - W1 / (k - 1) over options in their order (Santurkar et al. 2023), averaged per group.

use super::{
    bootstrap::{Counts, FEWEST_CLUSTERS, Resampling, percentile_interval},
    estimate::Estimate,
};
use crate::core::{Item, Trace};
use serde::Serialize;
use std::collections::BTreeMap;

/// The name under which our traces carry their model's option probabilities: an object by letter.
pub const FIELD: &str = "option_probabilities";
/// How those were had: `by` letters or words, and the mass `off` the options.
pub const SCORING: &str = "option_scoring";
/// Names that are read: ours first, then Modular Pluralism's.
const FIELDS: [&str; 2] = [FIELD, "pred_distribution"];

/// The option probabilities that a trace carries: a list in the order of the options, or an object by letter.
pub fn of_trace(trace: &Trace, options: usize) -> Option<Vec<f64>> {
    let value = FIELDS.iter().find_map(|name| trace.extra.get(*name))?;
    let found: Vec<f64> = match value {
        serde_json::Value::Array(list) => list.iter().map(|p| p.as_f64()).collect::<Option<_>>()?,
        serde_json::Value::Object(by_letter) => (0..options)
            .map(|i| {
                let letter = crate::core::Letter::from_index(i)?.to_string();
                by_letter.get(&letter).map_or(Some(0.0), |p| p.as_f64())
            })
            .collect::<Option<_>>()?,
        _ => return None,
    };
    (found.len() == options && scaled(&found).is_some()).then_some(found)
}

/// The mean of distributions of equal length, each scaled to sum 1; `None` without any.
pub fn mean(found: &[Vec<f64>]) -> Option<Vec<f64>> {
    let mut sum = scaled(found.first()?)?;
    for other in &found[1..] {
        sum.iter_mut().zip(scaled(other)?).for_each(|(sum, p)| *sum += p);
    }
    Some(sum.into_iter().map(|p| p / found.len() as f64).collect())
}

/// The human distribution of an item, where every option has a share.
pub fn of_item(item: &Item) -> Option<Vec<f64>> {
    let found: Vec<f64> = item.options.iter().map(|c| c.human_probability).collect::<Option<_>>()?;
    scaled(&found).is_some().then_some(found)
}

/// One trace's distribution beside its group's.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Number of the question.
    pub cluster: u32,
    /// The group's name.
    pub group: String,
    pub distance: f64,
    pub agrees: bool,
    pub representativeness: Option<f64>,
}

impl Compared {
    /// `None` where the two cannot be compared.
    pub fn of(cluster: u32, group: &str, human: &[f64], model: &[f64]) -> Option<Compared> {
        Some(Compared {
            cluster,
            group: group.to_owned(),
            distance: jensen_shannon(human, model)?,
            agrees: most_likely_agrees(human, model),
            representativeness: representativeness(human, model),
        })
    }
}

/// One method's distributions against those of the human groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DistributionScore {
    pub method: String,
    /// Traces with option probabilities on items with a human distribution.
    pub n: u64,
    /// Share of them whose likeliest option is the group's.
    pub most_likely: Estimate,
    /// Mean Jensen-Shannon distance; lower is nearer.
    pub distance: Estimate,
    /// Mean representativeness over all, and per group, the least represented first.
    pub representativeness: Estimate,
    pub groups: Vec<(String, u64, f64)>,
}

/// Sums a method's comparisons up. Intervals draw questions; distances enter the bootstrap in millionths.
pub fn summarise(method: &str, rows: &[Compared], how: Resampling) -> DistributionScore {
    const UNIT: f64 = 1e6;
    let mut clusters: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut groups: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    for row in rows {
        let sums = clusters.entry(row.cluster).or_insert_with(|| vec![0; 5]);
        sums[0] += 1;
        sums[1] += u32::from(row.agrees);
        sums[2] += (row.distance * UNIT).round() as u32;
        if let Some(r) = row.representativeness {
            sums[3] += 1;
            sums[4] += (r.clamp(0.0, 1.0) * UNIT).round() as u32;
            let group = groups.entry(&row.group).or_default();
            *group = (group.0 + 1, group.1 + r);
        }
    }
    let counts = Counts::of(5, clusters.into_values());
    let numbers = |s: &[u64]| {
        let ratio = |part: u64, of: u64, unit: f64| (of > 0).then(|| part as f64 / unit / of as f64);
        [ratio(s[1], s[0], 1.0), ratio(s[2], s[0], UNIT), ratio(s[4], s[3], UNIT)]
    };
    let samples =
        if counts.clusters() >= FEWEST_CLUSTERS { counts.resample(how, 0x9000, numbers) } else { Vec::new() };
    let interval = |at: usize| percentile_interval(samples.iter().map(|s| s[at]));
    let mean = |sum: f64, n: usize| (n > 0).then(|| sum / n as f64);
    let known: Vec<f64> = rows.iter().filter_map(|r| r.representativeness).collect();
    let mut groups: Vec<(String, u64, f64)> =
        groups.into_iter().map(|(name, (n, sum))| (name.to_owned(), n, sum / n as f64)).collect();
    groups.sort_by(|a, b| a.2.total_cmp(&b.2).then_with(|| a.0.cmp(&b.0)));
    DistributionScore {
        method: method.to_owned(),
        n: rows.len() as u64,
        most_likely: Estimate {
            value: mean(rows.iter().filter(|r| r.agrees).count() as f64, rows.len()),
            interval: interval(0),
        },
        distance: Estimate {
            value: mean(rows.iter().map(|r| r.distance).sum(), rows.len()),
            interval: interval(1),
        },
        representativeness: Estimate { value: mean(known.iter().sum(), known.len()), interval: interval(2) },
        groups,
    }
}

/// The Jensen-Shannon distance of two distributions of equal length, 0 to √ln 2; both are scaled to sum 1.
/// `None` for unequal lengths, a negative or non-finite entry, or a sum of 0.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> Option<f64> {
    let (p, q) = (scaled(p)?, scaled(q)?);
    if p.len() != q.len() {
        return None;
    }
    let half = |a: f64, m: f64| if a > 0.0 { a * (a / m).ln() } else { 0.0 };
    let (left, right) = p.iter().zip(&q).fold((0.0, 0.0), |(l, r), (a, b)| {
        let m = (a + b) / 2.0;
        (l + half(*a, m), r + half(*b, m))
    });
    Some(((left + right) / 2.0).max(0.0).sqrt())
}

/// 1 - W1 / (k - 1), where options stand one apart in their order: 1 is the same opinion, 0 the other end.
/// `None` as for [`jensen_shannon`], and for fewer than two options.
pub fn representativeness(p: &[f64], q: &[f64]) -> Option<f64> {
    let (p, q) = (scaled(p)?, scaled(q)?);
    if p.len() != q.len() || p.len() < 2 {
        return None;
    }
    let (mut gap, mut work) = (0.0, 0.0);
    for (a, b) in p.iter().zip(&q) {
        gap += a - b;
        work += f64::abs(gap);
    }
    Some(1.0 - work / (p.len() - 1) as f64)
}

/// Whether the likeliest option is the same; the first one wins a tie, as in Modular Pluralism.
pub fn most_likely_agrees(p: &[f64], q: &[f64]) -> bool {
    first_largest(p).is_some_and(|at| Some(at) == first_largest(q))
}

/// The place of the first largest entry.
pub fn first_largest(p: &[f64]) -> Option<usize> {
    let largest = p.iter().copied().reduce(f64::max)?;
    p.iter().position(|x| *x == largest)
}

fn scaled(p: &[f64]) -> Option<Vec<f64>> {
    let sum: f64 = p.iter().sum();
    let fine = sum.is_finite() && sum > 0.0 && p.iter().all(|x| *x >= 0.0);
    fine.then(|| p.iter().map(|x| x / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_are_where_they_should_be() {
        assert_eq!(jensen_shannon(&[0.5, 0.5], &[1.0, 1.0]), Some(0.0));
        let apart = jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]).unwrap();
        assert!((apart - 2f64.ln().sqrt()).abs() < 1e-12);
        assert_eq!(representativeness(&[1.0, 0.0, 0.0], &[0.0, 0.0, 1.0]), Some(0.0));
        assert_eq!(representativeness(&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0]), Some(0.5));
        assert_eq!(jensen_shannon(&[0.0, 0.0], &[0.0, 1.0]), None);
        assert_eq!(jensen_shannon(&[1.0], &[0.5, 0.5]), None);
        assert!(most_likely_agrees(&[0.4, 0.4, 0.2], &[0.5, 0.3, 0.2]));
        assert!(!most_likely_agrees(&[], &[]));
    }

    #[test]
    fn samples_are_averaged_as_distributions() {
        assert_eq!(mean(&[vec![2.0, 2.0], vec![1.0, 0.0]]), Some(vec![0.75, 0.25]));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn a_trace_may_carry_probabilities_as_a_list_or_by_letter() {
        use crate::core::Perspective;
        let item = Item::new("opinionqa", Perspective::demographic("SEX", "Female"), "How?", &["a", "b"]);
        let with = |name: &str, value: serde_json::Value| {
            let mut trace = Trace::new(&item, "sft".into(), "Answer: A".to_owned());
            trace.extra.insert(name.to_owned(), value);
            of_trace(&trace, 2)
        };
        assert_eq!(
            with("option_probabilities", serde_json::json!({"B": 0.5, "A": 0.25})),
            Some(vec![0.25, 0.5])
        );
        assert_eq!(with("pred_distribution", serde_json::json!([0.1, 0.9])), Some(vec![0.1, 0.9]));
        assert_eq!(with("pred_distribution", serde_json::json!([0.1])), None);
        assert_eq!(of_item(&item), None);
    }

    #[test]
    fn comparisons_sum_up_by_group_least_represented_first() {
        let row = |cluster, group, human: &[f64]| Compared::of(cluster, group, human, &[0.5, 0.5]).unwrap();
        let rows: Vec<Compared> =
            (0..20).flat_map(|q| [row(q, "far", &[1.0, 0.0]), row(q, "near", &[0.5, 0.5])]).collect();
        let score = summarise("m", &rows, Resampling { samples: 100, seed: 1 });
        assert_eq!(score.groups, [("far".to_owned(), 20, 0.5), ("near".to_owned(), 20, 1.0)]);
        assert_eq!((score.n, score.most_likely.value), (40, Some(1.0)));
        assert!(score.distance.interval.is_some());
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_and_bounded(pairs in proptest::collection::vec((0.001f64..1.0, 0.001f64..1.0), 2..11)) {
            let (p, q): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let there = jensen_shannon(&p, &q).unwrap();
            prop_assert!((there - jensen_shannon(&q, &p).unwrap()).abs() < 1e-12);
            prop_assert!((0.0..=2f64.ln().sqrt() + 1e-12).contains(&there));
            prop_assert!((-1e-12..=1.0 + 1e-12).contains(&representativeness(&p, &q).unwrap()));
        }
    }
}
