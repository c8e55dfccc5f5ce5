//! How far raters agree on one question, beyond what chance would give.
//!
//! Sources: Cohen 1960; Fleiss 1971 and Conger 1980, extended to missing ratings as in Gwet, "Handbook of Inter-Rater
//! Reliability" (4th ed., ch. 2); Gwet 2008 for AC1; Krippendorff, "Content Analysis" (ch. 11) for alpha. All work on
//! counts of values per unit, never on pairs of ratings, so that they take linear time.

use serde::{Serialize, Serializer};

/// Ratings of units by raters: category numbers, `None` where a rater left a unit out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ratings {
    /// `[unit][rater]`.
    pub units: Vec<Vec<Option<usize>>>,
    /// How many categories the question declares, whether or not all were used.
    pub categories: usize,
}

/// Why a number is not defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Undefined {
    #[error("nobody rated")]
    NoRatings,
    #[error("no trace was rated by two people")]
    NoPairs,
    #[error("only one category was used, so that chance alone would agree always")]
    OneCategory,
    #[error("it is for two people, and there are more")]
    NotTwo,
    #[error("the question declares only one category")]
    OneDeclared,
    #[error("too few of the resampled data sets have a value")]
    Unstable,
    #[error("this kind of question has no categories")]
    NoCategories,
    #[error("no trace has both the check's verdict and people's")]
    NoOverlap,
    #[error("no trace of this sort is among them")]
    NoneOfSort,
}

impl Serialize for Undefined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number, or why there is none.
pub type Value = Result<f64, Undefined>;

/// How far two values are apart, for Krippendorff's alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Nominal,
    Ordinal,
    /// Category numbers from 0 stand for the values 1, 2, 3…
    Ratio,
}

impl Ratings {
    /// Room for every category that was declared or used.
    fn size(&self) -> usize {
        let used = self.units.iter().flatten().flatten().max().map_or(0, |k| k + 1);
        self.categories.max(used)
    }

    /// Units with at least two ratings.
    pub fn paired(&self) -> usize {
        self.units.iter().filter(|u| u.iter().flatten().count() >= 2).count()
    }

    /// Raters with at least one rating.
    pub fn raters(&self) -> usize {
        self.active().len()
    }

    /// Columns of raters with at least one rating.
    fn active(&self) -> Vec<usize> {
        let width = self.units.iter().map(Vec::len).max().unwrap_or(0);
        (0..width).filter(|g| self.units.iter().any(|u| u.get(*g).is_some_and(Option::is_some))).collect()
    }
}

/// A coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Share of pairs of ratings of one unit that agree, averaged over units.
    Percent,
    /// Two raters, over the units that both rated.
    Cohen,
    /// Any number of raters, one shared prevalence.
    Fleiss,
    /// Any number of raters, each with a prevalence of their own.
    Conger,
    /// Krippendorff's. Units with fewer than two ratings do not count.
    Alpha(Scale),
    /// Gwet's: steady where one category prevails. Categories that were declared and never used count.
    Ac1,
}

/// A coefficient of these ratings.
pub fn measure(ratings: &Ratings, which: Measure) -> Value {
    Counted::of(ratings).measure(which, &vec![1.0; ratings.units.len()])
}

/// Ratings counted once, so that the bootstrap only changes how often each unit counts.
#[derive(Clone, Debug)]
pub struct Counted<'a> {
    ratings: &'a Ratings,
    size: usize,
    active: Vec<usize>,
    /// `[unit][category]`, row after row: how many raters said so.
    counts: Vec<f64>,
    /// Ratings of each unit.
    totals: Vec<f64>,
}

impl<'a> Counted<'a> {
    pub fn of(ratings: &'a Ratings) -> Counted<'a> {
        let size = ratings.size();
        let mut counts = vec![0.0; size * ratings.units.len()];
        for (row, unit) in counts.chunks_exact_mut(size.max(1)).zip(&ratings.units) {
            unit.iter().flatten().for_each(|k| row[*k] += 1.0);
        }
        let totals = ratings.units.iter().map(|u| u.iter().flatten().count() as f64).collect();
        Counted { ratings, size, active: ratings.active(), counts, totals }
    }

    /// A coefficient in which unit `u` counts `weights[u]` times.
    pub fn measure(&self, which: Measure, weights: &[f64]) -> Value {
        match which {
            Measure::Percent => self.observed(weights),
            Measure::Cohen => self.cohen(weights),
            Measure::Fleiss => {
                let observed = self.observed(weights)?;
                corrected(observed, self.prevalence(weights)?.iter().map(|p| p * p).sum())
            }
            Measure::Conger => self.conger(weights),
            Measure::Ac1 => {
                let observed = self.observed(weights)?;
                let k = self.size as f64;
                if k < 2.0 {
                    return Err(Undefined::OneDeclared);
                }
                let spread: f64 = self.prevalence(weights)?.iter().map(|p| p * (1.0 - p)).sum();
                corrected(observed, spread / (k - 1.0))
            }
            Measure::Alpha(scale) => self.alpha(scale, weights),
        }
    }

    /// Counts, number of ratings and weight of each unit.
    fn rows<'b>(&'b self, weights: &'b [f64]) -> impl Iterator<Item = (&'b [f64], f64, f64)> {
        let rows = self.counts.chunks_exact(self.size.max(1));
        rows.zip(&self.totals).zip(weights).map(|((row, m), w)| (row, *m, *w)).filter(|(_, _, w)| *w > 0.0)
    }

    fn observed(&self, weights: &[f64]) -> Value {
        let (mut sum, mut units) = (0.0, 0.0);
        for (row, m, w) in self.rows(weights).filter(|(_, m, _)| *m >= 2.0) {
            sum += w * row.iter().map(|n| n * (n - 1.0)).sum::<f64>() / (m * (m - 1.0));
            units += w;
        }
        if units == 0.0 { Err(Undefined::NoPairs) } else { Ok(sum / units) }
    }

    /// Mean share of each category over the units that were rated at all.
    fn prevalence(&self, weights: &[f64]) -> Result<Vec<f64>, Undefined> {
        let mut shares = vec![0.0; self.size];
        let mut units = 0.0;
        for (row, m, w) in self.rows(weights).filter(|(_, m, _)| *m > 0.0) {
            units += w;
            shares.iter_mut().zip(row).for_each(|(share, n)| *share += w * n / m);
        }
        if units == 0.0 {
            return Err(Undefined::NoRatings);
        }
        shares.iter_mut().for_each(|s| *s /= units);
        Ok(shares)
    }

    fn cohen(&self, weights: &[f64]) -> Value {
        let [a, b] = self.active[..] else {
            return Err(if self.active.len() > 2 { Undefined::NotTwo } else { Undefined::NoPairs });
        };
        let (mut rows, mut columns, mut same, mut n) = (vec![0.0; self.size], vec![0.0; self.size], 0.0, 0.0);
        for (unit, w) in self.ratings.units.iter().zip(weights) {
            let of = |g: usize| unit.get(g).copied().flatten();
            if let (Some(x), Some(y)) = (of(a), of(b)) {
                rows[x] += w;
                columns[y] += w;
                same += if x == y { *w } else { 0.0 };
                n += w;
            }
        }
        if n == 0.0 {
            return Err(Undefined::NoPairs);
        }
        let chance = rows.iter().zip(&columns).map(|(r, c)| r * c).sum::<f64>() / (n * n);
        corrected(same / n, chance)
    }

    fn conger(&self, weights: &[f64]) -> Value {
        let observed = self.observed(weights)?;
        let mut shares: Vec<Vec<f64>> = Vec::new();
        for rater in &self.active {
            let mut own = vec![0.0; self.size];
            for (unit, w) in self.ratings.units.iter().zip(weights) {
                if let Some(k) = unit.get(*rater).copied().flatten() {
                    own[k] += w;
                }
            }
            let n: f64 = own.iter().sum();
            if n > 0.0 {
                shares.push(own.into_iter().map(|c| c / n).collect());
            }
        }
        let r = shares.len() as f64;
        if r < 2.0 {
            return Err(Undefined::NoPairs);
        }
        let chance = (0..self.size)
            .map(|k| {
                let mean = shares.iter().map(|s| s[k]).sum::<f64>() / r;
                let variance = shares.iter().map(|s| (s[k] - mean).powi(2)).sum::<f64>() / (r - 1.0);
                mean * mean - variance / r
            })
            .sum();
        corrected(observed, chance)
    }

    fn alpha(&self, scale: Scale, weights: &[f64]) -> Value {
        let size = self.size;
        let mut coincidences = vec![0.0; size * size];
        let mut used = Vec::with_capacity(size);
        for (row, m, w) in self.rows(weights).filter(|(_, m, _)| *m >= 2.0) {
            used.clear();
            used.extend((0..size).filter(|c| row[*c] > 0.0));
            for &c in &used {
                for &k in &used {
                    let pairs = row[c] * (row[k] - f64::from(u8::from(c == k)));
                    coincidences[c * size + k] += w * pairs / (m - 1.0);
                }
            }
        }
        let totals: Vec<f64> = coincidences.chunks_exact(size.max(1)).map(|row| row.iter().sum()).collect();
        let n: f64 = totals.iter().sum();
        if n == 0.0 {
            return Err(Undefined::NoPairs);
        }
        let mut before = vec![0.0; size + 1];
        for (c, total) in totals.iter().enumerate() {
            before[c + 1] = before[c] + total;
        }
        let distance = |c: usize, k: usize| -> f64 {
            let (low, high) = (c.min(k), c.max(k));
            match scale {
                _ if low == high => 0.0,
                Scale::Nominal => 1.0,
                Scale::Ordinal => {
                    let between = before[high + 1] - before[low];
                    (between - (totals[low] + totals[high]) / 2.0).powi(2)
                }
                Scale::Ratio => {
                    let (low, high) = (low as f64 + 1.0, high as f64 + 1.0);
                    ((high - low) / (high + low)).powi(2)
                }
            }
        };
        let (mut found, mut expected) = (0.0, 0.0);
        for c in 0..size {
            for k in 0..size {
                let d = distance(c, k);
                found += coincidences[c * size + k] * d;
                expected += totals[c] * totals[k] * d;
            }
        }
        let (found, expected) = (found / n, expected / (n * (n - 1.0)));
        if expected <= 0.0 { Err(Undefined::OneCategory) } else { Ok(1.0 - found / expected) }
    }
}

fn corrected(observed: f64, chance: f64) -> Value {
    if 1.0 - chance < 1e-12 { Err(Undefined::OneCategory) } else { Ok((observed - chance) / (1.0 - chance)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Krippendorff's and Gwet's shared example: four raters, twelve units, missing ratings.
    fn vector() -> Ratings {
        let rows = [
            "1 2 3 3 2 1 4 1 2 . . .",
            "1 2 3 3 2 2 4 1 2 5 . .",
            ". 3 3 3 2 3 4 2 2 5 1 3",
            "1 2 3 3 2 4 4 1 2 5 1 .",
        ];
        let raters: Vec<Vec<Option<usize>>> = rows
            .iter()
            .map(|r| r.split(' ').map(|v| v.parse::<usize>().ok().map(|k| k - 1)).collect())
            .collect();
        let units = (0..12).map(|u| raters.iter().map(|r| r[u]).collect()).collect();
        Ratings { units, categories: 5 }
    }

    #[track_caller]
    fn near(value: Value, wanted: f64, tolerance: f64) {
        let value = value.unwrap();
        assert!((value - wanted).abs() < tolerance, "{value} is not {wanted}");
    }

    #[test]
    fn the_published_example_to_three_decimals() {
        let v = vector();
        near(measure(&v, Measure::Percent), 0.818, 5e-4);
        near(measure(&v, Measure::Ac1), 0.775, 5e-4);
        near(measure(&v, Measure::Fleiss), 0.761, 5e-4);
        near(measure(&v, Measure::Conger), 0.763, 5e-4);
        near(measure(&v, Measure::Alpha(Scale::Nominal)), 0.743, 5e-4);
        near(measure(&v, Measure::Alpha(Scale::Ordinal)), 0.815, 5e-4);
        near(measure(&v, Measure::Alpha(Scale::Ratio)), 0.797, 5e-4);
        let shares = Counted::of(&v).prevalence(&[1.0; 12]).unwrap();
        let chance: f64 = shares.iter().map(|p| p * (1.0 - p)).sum::<f64>() / 4.0;
        assert!((chance - 0.190).abs() < 5e-4, "{chance}");
        assert_eq!(measure(&v, Measure::Cohen), Err(Undefined::NotTwo));
    }

    #[test]
    fn the_kappa_paradox() {
        let cells = [(0, 0, 1095), (0, 1, 883), (1, 0, 2), (1, 1, 54)];
        let units = cells.iter().flat_map(|(a, b, n)| vec![vec![Some(*a), Some(*b)]; *n]).collect();
        let table = Ratings { units, categories: 2 };
        near(measure(&table, Measure::Cohen), 0.0599, 5e-5);
        near(measure(&table, Measure::Ac1), 0.3104, 5e-5);
        near(measure(&table, Measure::Percent), 0.5649, 5e-5);
    }

    #[test]
    fn undefined_has_a_reason() {
        let all = |units: Vec<Vec<Option<usize>>>| Ratings { units, categories: 2 };
        let empty = all(vec![]);
        let single = all(vec![vec![Some(0), None]; 3]);
        let constant = all(vec![vec![Some(0), Some(0)]; 3]);
        use Measure::{Ac1, Alpha, Cohen, Conger, Fleiss, Percent};
        for which in [Percent, Cohen, Fleiss, Conger, Ac1, Alpha(Scale::Nominal)] {
            assert!(measure(&empty, which).is_err());
            assert_eq!(measure(&single, which), Err(Undefined::NoPairs));
        }
        for which in [Cohen, Fleiss, Conger, Alpha(Scale::Ordinal)] {
            assert_eq!(measure(&constant, which), Err(Undefined::OneCategory));
        }
        near(measure(&constant, Ac1), 1.0, 1e-12);
        near(measure(&constant, Percent), 1.0, 1e-12);
    }

    #[test]
    fn a_unit_that_counts_twice_is_the_same_as_two_units() {
        let v = vector();
        let mut doubled = v.clone();
        doubled.units.push(v.units[2].clone());
        doubled.units.remove(0);
        let mut weights = [1.0; 12];
        (weights[2], weights[0]) = (2.0, 0.0);
        for which in
            [Measure::Percent, Measure::Fleiss, Measure::Conger, Measure::Ac1, Measure::Alpha(Scale::Ordinal)]
        {
            let weighted = Counted::of(&v).measure(which, &weights).unwrap();
            near(measure(&doubled, which), weighted, 1e-12);
        }
    }

    #[test]
    fn a_hundred_thousand_units_are_no_trouble() {
        // A method that walks pairs of ratings would not come back.
        let units: Vec<_> = (0..100_000).map(|i| vec![Some(i % 3), Some(i % 5 % 3), None]).collect();
        let many = Ratings { units, categories: 3 };
        assert!(
            measure(&many, Measure::Alpha(Scale::Ordinal)).is_ok() && measure(&many, Measure::Conger).is_ok()
        );
    }
}
