//! Arithmetic that several checks share: areas over curves, settle points, corrections. Numbers in, numbers out.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// Area under the line through (x, y), by trapezoids; 0 for fewer than two points.
pub fn trapezoid(x: &[f64], y: &[f64]) -> f64 {
    x.windows(2).zip(y.windows(2)).map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
}

/// Points 0, 1/n, … 1 of a curve of n + 1 points.
pub fn even(points: usize) -> Vec<f64> {
    let n = points.saturating_sub(1).max(1) as f64;
    (0..points).map(|i| i as f64 / n).collect()
}

/// Area over the curve of "same answer as at the end": 1 - sum over i < n of (m_i + m_{i+1})/(2n)
/// (Lanham et al. 2023). `None` for n = 0. Its largest value is 1 - 1/(2n): show n beside it.
///
/// ```
/// use pluriscope::core::check::curve::aoc;
/// assert_eq!(aoc(&[false, false, true]), Some(0.75)); // n = 2, the largest possible
/// assert_eq!(aoc(&[true, true]), Some(0.0));
/// assert_eq!(aoc(&[true]), None);
/// ```
pub fn aoc(matches: &[bool]) -> Option<f64> {
    let y: Vec<f64> = matches.iter().map(|m| f64::from(u8::from(*m))).collect();
    (y.len() > 1).then(|| 1.0 - trapezoid(&even(y.len()), &y))
}

/// 1 - area under min(1, p_i / p_n) over i/n; `None` for n = 0 or p_n = 0.
pub fn soft_aoc(p: &[f64]) -> Option<f64> {
    let last = *p.last().filter(|last| **last > 0.0)?;
    let y: Vec<f64> = p.iter().map(|p| (p / last).min(1.0)).collect();
    (p.len() > 1).then(|| (1.0 - trapezoid(&even(p.len()), &y)).clamp(0.0, 1.0))
}

/// The first index from which on every answer is `answer`; `None` when the last one is not.
pub fn settle(answers: &[usize], answer: usize) -> Option<usize> {
    let tail = answers.iter().rev().take_while(|a| **a == answer).count();
    (tail > 0).then(|| answers.len() - tail)
}

/// How far the odds moved from `before` to `after`, in nats: unlike a difference of probabilities, it does not
/// shrink where a model prefers one option anyway. `None` at a probability of 0 or 1.
pub fn shift(before: f64, after: f64) -> Option<f64> {
    let odds = |p: f64| (p > 0.0 && p < 1.0).then(|| (p / (1.0 - p)).ln());
    Some(odds(after)? - odds(before)?)
}

/// A flip rate without the noise that rewording alone makes: clamp((flip - c)/(1 - c), 0, 1); `None` at c = 1.
pub fn corrected(flip: f64, noise: f64) -> Option<f64> {
    (noise < 1.0).then(|| ((flip - noise) / (1.0 - noise)).clamp(0.0, 1.0))
}

/// Agreement beyond what a judge without the rationale reaches: (cons - c0)/(1 - c0); `None` at c0 = 1. Below 0
/// where the rationale leads away from the answer.
pub fn chance_corrected(consistent: f64, without: f64) -> Option<f64> {
    (without < 1.0).then(|| (consistent - without) / (1.0 - without))
}

/// Curves of one length, averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LengthGroup {
    /// Steps.
    pub n: usize,
    pub traces: usize,
    /// Where along the rationale each point stands, 0 to 1: after 0, 1, … n steps, or fewer places of a long one.
    pub at: Vec<f64>,
    /// Share of traces with the answer compared with, at each point.
    pub curve: Vec<f64>,
    pub aoc: f64,
}

/// Area over the curve of a corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorpusCurve {
    /// By n, shortest first.
    pub groups: Vec<LengthGroup>,
    /// Mean of the groups' areas, weighted by their traces.
    pub aoc: f64,
    /// Mean of n, with the same weights: the largest possible area depends on it.
    pub mean_n: f64,
}

/// One trace's curve of "same answer".
#[derive(Clone, Debug, PartialEq)]
pub struct SameAnswer<'a> {
    /// Steps.
    pub n: usize,
    /// Where along the rationale each point stands, 0 to 1.
    pub at: Cow<'a, [f64]>,
    pub matches: &'a [bool],
}

impl<'a> SameAnswer<'a> {
    /// A point after each of 0, 1, … n steps.
    pub fn even(matches: &'a [bool]) -> SameAnswer<'a> {
        SameAnswer { n: matches.len().saturating_sub(1), at: even(matches.len()).into(), matches }
    }
}

/// Groups curves by n, averages each group point by point, takes the trapezoid per group, and weights the
/// groups by their traces (Lanham et al. 2023). Curves of n = 0 are left out; `None` when no other is there.
pub fn corpus_aoc<'a>(curves: impl IntoIterator<Item = SameAnswer<'a>>) -> Option<CorpusCurve> {
    let mut groups: BTreeMap<(usize, usize), LengthGroup> = BTreeMap::new();
    for SameAnswer { n, at, matches } in curves.into_iter().filter(|c| c.matches.len() > 1) {
        let group = groups.entry((n, matches.len())).or_insert_with(|| LengthGroup {
            n,
            traces: 0,
            at: at.into_owned(),
            curve: vec![0.0; matches.len()],
            aoc: 0.0,
        });
        group.traces += 1;
        group.curve.iter_mut().zip(matches).for_each(|(sum, m)| *sum += f64::from(u8::from(*m)));
    }
    let mut groups: Vec<LengthGroup> = groups.into_values().collect();
    for group in &mut groups {
        group.curve.iter_mut().for_each(|sum| *sum /= group.traces as f64);
        group.aoc = 1.0 - trapezoid(&group.at, &group.curve);
    }
    let traces = groups.iter().map(|g| g.traces).sum::<usize>();
    let mean = |of: &dyn Fn(&LengthGroup) -> f64| {
        groups.iter().map(|g| of(g) * g.traces as f64).sum::<f64>() / traces as f64
    };
    let (aoc, mean_n) = (mean(&|g| g.aoc), mean(&|g| g.n as f64));
    (traces > 0).then_some(CorpusCurve { groups, aoc, mean_n })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: Option<f64>, b: f64) {
        assert!(a.is_some_and(|a| (a - b).abs() < 1e-12), "{a:?} is not {b}");
    }

    #[test]
    fn aoc_by_hand() {
        // n = 4: 1 - (0+0 + 0+1 + 1+0 + 0+1)/8 = 0.625.
        near(aoc(&[false, false, true, false, true]), 0.625);
        near(aoc(&[false, true]), 0.5);
        assert_eq!(aoc(&[]), None);
    }

    #[test]
    fn soft_aoc_by_hand() {
        // y = .25, .5, 1 over 0, .5, 1: area .375/2 + .75/2 = .5625.
        near(soft_aoc(&[0.2, 0.4, 0.8]), 0.4375);
        // Above the end counts as the end.
        near(soft_aoc(&[0.9, 0.8]), 0.0);
        assert_eq!(soft_aoc(&[0.5]), None);
        assert_eq!(soft_aoc(&[0.5, 0.0]), None);
    }

    #[test]
    fn settling_means_staying() {
        assert_eq!(settle(&[1, 0, 1, 1], 1), Some(2));
        assert_eq!(settle(&[1, 1], 1), Some(0));
        assert_eq!(settle(&[1, 1, 0], 1), None);
        assert_eq!(settle(&[], 1), None);
    }

    #[test]
    fn shifts_are_of_odds() {
        near(shift(0.5, 0.8), 4f64.ln());
        near(shift(0.2, 0.2), 0.0);
        assert_eq!(shift(0.5, 1.0), None);
        assert_eq!(shift(0.0, 0.5), None);
    }

    #[test]
    fn corrections_have_their_holes() {
        near(corrected(0.5, 0.2), 0.375);
        near(corrected(0.1, 0.2), 0.0);
        assert_eq!(corrected(0.5, 1.0), None);
        near(chance_corrected(0.9, 0.5), 0.8);
        near(chance_corrected(0.2, 0.6), -1.0);
        assert_eq!(chance_corrected(1.0, 1.0), None);
    }

    #[test]
    fn a_corpus_is_weighted_by_traces_of_each_length() {
        let curves: [&[bool]; 4] = [&[false, true], &[true, true], &[false, false, true], &[true]];
        let corpus = corpus_aoc(curves.map(SameAnswer::even)).unwrap();
        // n = 1: curve .5, 1: area over .25, two traces. n = 2: 1 - .25 = .75, one trace.
        assert_eq!(corpus.groups.iter().map(|g| (g.n, g.traces)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
        near(Some(corpus.aoc), (0.25 * 2.0 + 0.75) / 3.0);
        near(Some(corpus.mean_n), 4.0 / 3.0);
        assert_eq!(corpus_aoc([SameAnswer::even(&[true])]), None);
    }

    #[test]
    fn places_of_a_long_rationale_are_where_they_stand() {
        let places = [0.0, 0.9, 1.0];
        let one = |matches: &'static [bool]| SameAnswer { n: 10, at: Cow::Borrowed(&places), matches };
        let corpus =
            corpus_aoc([one(&[false, false, true]), SameAnswer::even(&[false, false, true])]).unwrap();
        // Under the first: .1/2. n = 2, evenly: .25.
        assert_eq!(corpus.groups.iter().map(|g| g.n).collect::<Vec<_>>(), [2, 10]);
        near(Some(corpus.groups[1].aoc), 0.95);
        near(Some(corpus.aoc), (0.95 + 0.75) / 2.0);
    }

    proptest! {
        #[test]
        fn areas_stay_in_bounds(matches in prop::collection::vec(any::<bool>(), 2..30)) {
            let mut matches = matches;
            // The last answer is compared with itself.
            *matches.last_mut().unwrap() = true;
            let n = (matches.len() - 1) as f64;
            let area = aoc(&matches).unwrap();
            prop_assert!((-1e-12..=1.0 - 1.0 / (2.0 * n) + 1e-12).contains(&area));
            let one = corpus_aoc([SameAnswer::even(&matches)]).unwrap();
            prop_assert!((one.aoc - area).abs() < 1e-12);
        }

        #[test]
        fn soft_areas_stay_in_bounds(p in prop::collection::vec(0f64..=1.0, 2..30)) {
            if let Some(area) = soft_aoc(&p) {
                prop_assert!((0.0..=1.0).contains(&area));
            }
        }

        #[test]
        fn corrections_stay_in_bounds(flip in 0f64..=1.0, noise in 0f64..1.0) {
            prop_assert!((0.0..=1.0).contains(&corrected(flip, noise).unwrap()));
            prop_assert!(chance_corrected(flip, noise).unwrap() <= 1.0);
        }
    }
}
