//! Two methods on the same items: who is right where, and whether the difference is more than chance.
//!
//! McNemar's test takes items for independent; the paired cluster bootstrap does not, and stands beside it.

use super::{
    bootstrap::{Counts, FEWEST_CLUSTERS, Resampling, percentile_interval, two_sided},
    columns::Columns,
    wilson::Interval,
};
use serde::Serialize;
use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, DiscreteCDF, Normal};

/// Up to this many discordant items McNemar's test is the exact binomial one.
pub const EXACT_UP_TO: u64 = 1000;

/// Which McNemar test gave a p-value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum McNemar {
    /// Binomial test of the discordant items at 1/2.
    Exact,
    /// Chi-square with continuity correction, one degree of freedom.
    ChiSquared,
}

/// The two-sided p-value of McNemar's test over discordant counts, and which form gave it.
///
/// ```
/// use pluriscope::core::metric::{mcnemar, McNemar};
/// let (p, test) = mcnemar(1, 9);
/// assert!((p - 0.021484375).abs() < 1e-12 && test == McNemar::Exact);
/// ```
pub fn mcnemar(only_first: u64, only_second: u64) -> (f64, McNemar) {
    let n = only_first + only_second;
    if n == 0 {
        return (1.0, McNemar::Exact);
    }
    if n <= EXACT_UP_TO {
        let tail = Binomial::new(0.5, n).map_or(1.0, |b| b.cdf(only_first.min(only_second)));
        return ((2.0 * tail).min(1.0), McNemar::Exact);
    }
    let gap = (only_first.abs_diff(only_second) as f64 - 1.0).max(0.0);
    let p = ChiSquared::new(1.0).map_or(1.0, |c| c.sf(gap * gap / n as f64));
    (p, McNemar::ChiSquared)
}

/// Holm's step-down correction: adjusted p-values, in the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut highest = 0.0f64;
    for (rank, at) in order.into_iter().enumerate() {
        highest = highest.max((p[at] * (p.len() - rank) as f64).min(1.0));
        adjusted[at] = highest;
    }
    adjusted
}

/// Cohen's h: the difference of two shares on the arcsine scale.
pub fn cohens_h(p: f64, q: f64) -> f64 {
    let angle = |share: f64| 2.0 * share.clamp(0.0, 1.0).sqrt().asin();
    angle(p) - angle(q)
}

/// Items needed to see a paired difference with McNemar's test at two-sided `alpha` with the given power: Connor
/// 1987, (z_α/2 √ψ + z_β √(ψ - δ²))² / δ², where ψ is the discordant share and δ the difference.
/// `None` where there is no difference.
pub fn needed_items(only_first: f64, only_second: f64, alpha: f64, power: f64) -> Option<f64> {
    let (delta, psi) = (only_first - only_second, only_first + only_second);
    let normal = Normal::standard();
    let z = |p: f64| normal.inverse_cdf(p);
    (delta != 0.0).then(|| {
        let root = z(1.0 - alpha / 2.0) * psi.sqrt() + z(power) * (psi - delta * delta).max(0.0).sqrt();
        (root * root / (delta * delta)).ceil()
    })
}

/// Two methods over the items that both ran on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Indices into the methods of the columns.
    pub first: usize,
    pub second: usize,
    /// Items both ran on.
    pub n: u64,
    pub clusters: usize,
    pub both_right: u64,
    /// The flips: right here and wrong there.
    pub only_first: u64,
    pub only_second: u64,
    pub neither: u64,
    /// Accuracy of the first minus that of the second.
    pub difference: Option<f64>,
    /// 95 %, paired bootstrap over clusters.
    pub interval: Option<Interval>,
    pub p_bootstrap: Option<f64>,
    pub p_mcnemar: Option<f64>,
    pub test: McNemar,
    /// Holm's correction of `p_mcnemar` over all pairs of the table.
    pub p_holm: Option<f64>,
    pub cohens_h: Option<f64>,
    /// Share of items on which both gave the same letter, out of those where both gave one.
    pub agreement: Option<f64>,
    /// Cohen's kappa of the two methods' letters.
    pub kappa: Option<f64>,
    /// Items needed for 80 % power at 5 %, were the difference as observed; clustering taken in by `design_effect`.
    pub needed: Option<f64>,
    /// Variance of the difference over that of independent items.
    pub design_effect: Option<f64>,
}

/// What an item counts in the bootstrap where its samples are averaged.
const ITEM: f64 = 10_000.0;

/// Compares two methods. Where every sample counts, the counts are what one sample of either, drawn at random, would
/// give, rounded.
pub fn compare(columns: &Columns, first: usize, second: usize, how: Resampling) -> Pair {
    let (Some(a), Some(b)) = (columns.methods.get(first), columns.methods.get(second)) else {
        return Pair::empty(first, second);
    };
    let (mut both_right, mut only_first, mut only_second, mut n) = (0f64, 0f64, 0f64, 0u64);
    let mean = a.repeats.is_some() || b.repeats.is_some();
    let unit = if mean { ITEM } else { 1.0 };
    let mut letters = [[0f64; 26]; 26];
    // Per cluster: right only here, right only there, items.
    let rows = columns.clusters().filter_map(|rows| {
        let mut row = vec![0u32; 3];
        for i in rows {
            let (gold, xs, ys) = (columns.gold[i], a.samples(i), b.samples(i));
            if xs.is_empty() || ys.is_empty() {
                continue;
            }
            n += 1;
            row[2] += unit as u32;
            // One answer each, or one sample of either drawn at random.
            let (x, y) = (a.share(i, gold), b.share(i, gold));
            both_right += x * y;
            only_first += x * (1.0 - y);
            only_second += (1.0 - x) * y;
            row[0] += (x * (1.0 - y) * unit).round() as u32;
            row[1] += ((1.0 - x) * y * unit).round() as u32;
            let part = 1.0 / (xs.len() * ys.len()) as f64;
            for x in xs.iter().filter(|code| **code < 26) {
                for y in ys.iter().filter(|code| **code < 26) {
                    letters[usize::from(*x)][usize::from(*y)] += part;
                }
            }
        }
        (row[2] > 0).then_some(row)
    });
    let counts = Counts::of(3, rows);
    let mut pair = Pair {
        n,
        clusters: counts.clusters(),
        both_right: both_right.round() as u64,
        only_first: only_first.round() as u64,
        only_second: only_second.round() as u64,
        ..Pair::empty(first, second)
    };
    if n == 0 {
        return pair;
    }
    pair.neither = n.saturating_sub(pair.both_right + pair.only_first + pair.only_second);
    let share = |part: f64| part / n as f64;
    pair.difference = Some(share(only_first) - share(only_second));
    pair.cohens_h = Some(cohens_h(share(both_right + only_first), share(both_right + only_second)));
    if !mean {
        let (p, test) = mcnemar(pair.only_first, pair.only_second);
        (pair.p_mcnemar, pair.test) = (Some(p), test);
    }
    let stream = 0x7000 + (first * 251 + second) as u64;
    let difference = |s: &[u64]| [(s[2] > 0).then(|| (s[0] as f64 - s[1] as f64) / s[2] as f64)];
    if counts.clusters() >= FEWEST_CLUSTERS {
        let samples: Vec<f64> =
            counts.resample(how, stream, difference).into_iter().filter_map(|[d]| d).collect();
        pair.interval = percentile_interval(samples.iter().copied().map(Some));
        pair.p_bootstrap = two_sided(&samples);
        pair.design_effect =
            if mean { None } else { design_effect(&samples, share(only_first), share(only_second), n) };
    }
    let needed = if mean { None } else { needed_items(share(only_first), share(only_second), 0.05, 0.8) };
    pair.needed = needed.map(|items| (items * pair.design_effect.unwrap_or(1.0).max(1.0)).ceil());
    (pair.agreement, pair.kappa) = agreement(&letters);
    pair
}

/// The bootstrap variance of the difference over that of independent items.
fn design_effect(samples: &[f64], only_first: f64, only_second: f64, n: u64) -> Option<f64> {
    let plain = (only_first + only_second - (only_first - only_second).powi(2)) / n as f64;
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / count;
    (plain > 0.0).then(|| variance / plain)
}

/// Observed agreement, and Cohen's kappa; kappa is not defined where chance alone would agree fully.
fn agreement(letters: &[[f64; 26]; 26]) -> (Option<f64>, Option<f64>) {
    let n: f64 = letters.iter().flatten().sum();
    if n <= 0.0 {
        return (None, None);
    }
    let observed = (0..26).map(|k| letters[k][k]).sum::<f64>() / n;
    let row = |k: usize| letters[k].iter().sum::<f64>() / n;
    let column = |k: usize| letters.iter().map(|r| r[k]).sum::<f64>() / n;
    let chance: f64 = (0..26).map(|k| row(k) * column(k)).sum();
    (Some(observed), (chance < 1.0).then(|| (observed - chance) / (1.0 - chance)))
}

impl Pair {
    fn empty(first: usize, second: usize) -> Pair {
        Pair {
            first,
            second,
            n: 0,
            clusters: 0,
            both_right: 0,
            only_first: 0,
            only_second: 0,
            neither: 0,
            difference: None,
            interval: None,
            p_bootstrap: None,
            p_mcnemar: None,
            test: McNemar::Exact,
            p_holm: None,
            cohens_h: None,
            agreement: None,
            kappa: None,
            needed: None,
            design_effect: None,
        }
    }
}

#[cfg(test)]
mod tests;
