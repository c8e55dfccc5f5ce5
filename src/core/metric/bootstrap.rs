//! The cluster bootstrap: situations or questions are drawn with replacement, with all their items.
//!
//! A statistic is a function of sums over clusters, so a cluster is only a row of integer counts. Clusters with
//! equal rows are interchangeable: the draw is multinomial over *different* rows, which are few. That makes a
//! thousand samples of a million items cheap, and it is the same bootstrap, not an approximation of it.

use super::{random::Random, wilson::Interval};
use std::collections::HashMap;

/// How resampling is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    pub samples: usize,
    pub seed: u64,
}

impl Default for Resampling {
    fn default() -> Resampling {
        Resampling { samples: 1000, seed: 0 }
    }
}

/// Rows that this many clusters share are drawn by a binomial; rarer ones cluster by cluster, which is then cheaper.
const SHARED: u32 = 8;

/// Clusters as counts, equal ones put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    width: usize,
    /// Different rows, one after the other, the most frequent first.
    rows: Vec<u32>,
    /// How many clusters have that row.
    times: Vec<u32>,
    clusters: usize,
    /// How many of the rows at least [`SHARED`] clusters have.
    head: usize,
    /// The row of each cluster past those.
    tail: Vec<u32>,
}

impl Counts {
    /// Puts together clusters of `width` counts each; the order of clusters does not matter.
    pub fn of(width: usize, clusters: impl Iterator<Item = Vec<u32>>) -> Counts {
        let mut seen: HashMap<Vec<u32>, u32> = HashMap::new();
        for row in clusters {
            debug_assert_eq!(row.len(), width);
            match seen.get_mut(&row) {
                Some(times) => *times += 1,
                None => drop(seen.insert(row, 1)),
            }
        }
        let mut different: Vec<(Vec<u32>, u32)> = seen.into_iter().collect();
        different.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let times: Vec<u32> = different.iter().map(|(_, times)| *times).collect();
        let head = times.partition_point(|t| *t >= SHARED);
        let tail = (head..times.len()).flat_map(|at| (0..times[at]).map(move |_| at as u32)).collect();
        Counts {
            width,
            rows: different.into_iter().flat_map(|(row, _)| row).collect(),
            clusters: times.iter().map(|t| *t as usize).sum(),
            times,
            head,
            tail,
        }
    }

    /// How many clusters there are.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// The sums over all clusters: what the statistic is taken of.
    pub fn totals(&self) -> Vec<u64> {
        let mut sums = vec![0; self.width];
        for (row, times) in self.rows.chunks_exact(self.width.max(1)).zip(&self.times) {
            add(&mut sums, row, u64::from(*times));
        }
        sums
    }

    /// One bootstrap sample's sums.
    fn draw(&self, random: &mut Random, sums: &mut [u64]) {
        sums.fill(0);
        let row = |at: usize| &self.rows[at * self.width..(at + 1) * self.width];
        let (mut left, mut clusters) = (self.clusters as u64, self.clusters as u64);
        for (at, times) in self.times[..self.head].iter().enumerate() {
            let drawn = random.binomial(left, f64::from(*times) / clusters as f64);
            add(sums, row(at), drawn);
            left -= drawn;
            clusters -= u64::from(*times);
        }
        if !self.tail.is_empty() {
            for _ in 0..left {
                add(sums, row(self.tail[random.below(self.tail.len())] as usize), 1);
            }
        }
    }

    /// The statistics of every sample: `of` maps sums to `N` numbers. `None` where a number is not defined.
    /// `stream` keeps the draws of different statistics apart.
    pub fn resample<const N: usize>(
        &self,
        how: Resampling,
        stream: u64,
        of: impl Fn(&[u64]) -> [Option<f64>; N],
    ) -> Vec<[Option<f64>; N]> {
        if self.clusters == 0 {
            return Vec::new();
        }
        let mut sums = vec![0; self.width];
        (0..how.samples)
            .map(|sample| {
                let mut random = Random::new(how.seed, stream << 32 | sample as u64);
                self.draw(&mut random, &mut sums);
                of(&sums)
            })
            .collect()
    }
}

fn add(sums: &mut [u64], row: &[u32], times: u64) {
    if times > 0 {
        for (sum, count) in sums.iter_mut().zip(row) {
            *sum += u64::from(*count) * times;
        }
    }
}

/// Fewer clusters than this give no interval: their resamples say more about the draw than about the data.
pub const FEWEST_CLUSTERS: usize = 8;

/// The percentile interval (2.5 % to 97.5 %) of one statistic over the samples, by linear interpolation between
/// order statistics as in NumPy. `None` for fewer than 20 defined samples.
pub fn percentile_interval(samples: impl Iterator<Item = Option<f64>>) -> Option<Interval> {
    let mut values: Vec<f64> = samples.flatten().filter(|v| v.is_finite()).collect();
    if values.len() < 20 {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    Some(Interval { low: quantile(&values, 0.025), high: quantile(&values, 0.975) })
}

/// A quantile of sorted values, which are not empty.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * part
}

/// Two-sided bootstrap p-value of "the difference is 0": twice the smaller tail share, with one added to each side so
/// that it is never 0 (Davison and Hinkley 1997, section 4.2).
pub fn two_sided(samples: &[f64]) -> Option<f64> {
    if samples.is_empty() {
        return None;
    }
    let below = samples.iter().filter(|d| **d <= 0.0).count();
    let above = samples.iter().filter(|d| **d >= 0.0).count();
    Some((2.0 * (below.min(above) + 1) as f64 / (samples.len() + 1) as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(rows: Vec<Vec<u32>>) -> Option<Interval> {
        let counts = Counts::of(2, rows.into_iter());
        let how = Resampling { samples: 4000, seed: 1 };
        let samples = counts.resample(how, 0, |s| [(s[1] > 0).then(|| s[0] as f64 / s[1] as f64)]);
        percentile_interval(samples.into_iter().map(|[v]| v))
    }

    #[test]
    fn few_different_rows_and_many_give_the_same_interval() {
        // 600 single items, 420 right: by binomial draws; the same with a third, useless count that makes every row
        // different: by index.
        let single = |i: u32| vec![u32::from(i % 10 < 7), 1];
        let fast = shares((0..600).map(single).collect()).unwrap();
        let counts = Counts::of(3, (0..600).map(|i| [single(i), vec![i]].concat()));
        let samples =
            counts.resample(Resampling { samples: 4000, seed: 1 }, 0, |s| [Some(s[0] as f64 / s[1] as f64)]);
        let slow = percentile_interval(samples.into_iter().map(|[v]| v)).unwrap();
        let half = 1.96 * (0.7f64 * 0.3 / 600.0).sqrt();
        for interval in [fast, slow] {
            assert!((interval.low - (0.7 - half)).abs() < 0.005, "{interval:?}");
            assert!((interval.high - (0.7 + half)).abs() < 0.005, "{interval:?}");
        }
    }

    #[test]
    fn clusters_widen_the_interval() {
        // Ten items per situation that are all right or all wrong carry as much as one.
        let apart = shares((0..1000).map(|i| vec![u32::from(i % 2 == 0), 1]).collect()).unwrap();
        let together = shares((0..100).map(|i| vec![10 * u32::from(i % 2 == 0), 10]).collect()).unwrap();
        let ratio = (together.high - together.low) / (apart.high - apart.low);
        assert!((ratio - 10f64.sqrt()).abs() < 0.3, "{ratio}");
    }

    #[test]
    fn the_order_of_clusters_does_not_matter() {
        let rows: Vec<Vec<u32>> = (0..50).map(|i| vec![i % 3, 3]).collect();
        let mut reversed = rows.clone();
        reversed.reverse();
        assert_eq!(Counts::of(2, rows.into_iter()), Counts::of(2, reversed.into_iter()));
    }

    #[test]
    fn nothing_has_no_interval_and_one_outcome_a_point() {
        assert_eq!(shares(Vec::new()), None);
        assert_eq!(shares(vec![vec![1, 1]; 30]), Some(Interval { low: 1.0, high: 1.0 }));
        assert_eq!(two_sided(&[]), None);
        assert_eq!(two_sided(&[1.0; 99]), Some(0.02));
        assert_eq!(two_sided(&[0.0; 99]), Some(1.0));
    }
}
