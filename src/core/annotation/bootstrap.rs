//! Bootstrap intervals: units drawn again with replacement, percentiles of what comes out. Seeded, so that the same
//! labels give the same interval.

use super::agreement::{Counted, Measure, Ratings, Undefined, Value, measure};
use crate::core::metric::Interval;
use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::Serialize;

/// How many data sets are drawn.
pub const DRAWS: usize = 1000;
const SEED: u64 = 0x706c_7572;

/// A number with its interval, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// 95 %, percentile bootstrap over units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<Undefined>,
}

impl Estimate {
    /// A value without an interval.
    pub fn plain(value: Value) -> Estimate {
        Estimate { value: value.ok(), interval: None, undefined: value.err() }
    }
}

/// A coefficient with its bootstrap interval. The interval is missing where more than one in twenty data sets drawn
/// again leaves the coefficient undefined.
pub fn estimate(ratings: &Ratings, which: Measure) -> Estimate {
    let value = match measure(ratings, which) {
        Ok(value) => value,
        Err(reason) => return Estimate { value: None, interval: None, undefined: Some(reason) },
    };
    let counted = Counted::of(ratings);
    let n = ratings.units.len();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED ^ n as u64);
    let mut drawn: Vec<f64> = Vec::with_capacity(DRAWS);
    let mut weights = vec![0.0; n];
    for _ in 0..DRAWS {
        weights.fill(0.0);
        for _ in 0..n {
            weights[rng.random_range(0..n)] += 1.0;
        }
        drawn.extend(counted.measure(which, &weights));
    }
    if drawn.len() * 20 < DRAWS * 19 {
        return Estimate { value: Some(value), interval: None, undefined: Some(Undefined::Unstable) };
    }
    drawn.sort_by(f64::total_cmp);
    let at = |share: f64| drawn[((drawn.len() - 1) as f64 * share).round() as usize];
    Estimate {
        value: Some(value),
        interval: Some(Interval { low: at(0.025), high: at(0.975) }),
        undefined: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_value_and_narrows_with_more_units() {
        let make = |n: usize| Ratings {
            units: (0..n).map(|i| vec![Some(i % 2), Some(usize::from(i % 10 < 4) ^ (i % 2))]).collect(),
            categories: 2,
        };
        let width = |n| {
            let estimate = estimate(&make(n), Measure::Ac1);
            let interval = estimate.interval.unwrap();
            assert!(interval.low <= estimate.value.unwrap() && estimate.value.unwrap() <= interval.high);
            interval.high - interval.low
        };
        assert!(width(400) < width(40) / 2.0);
        assert_eq!(estimate(&make(40), Measure::Percent), estimate(&make(40), Measure::Percent));
    }

    #[test]
    fn what_is_undefined_has_no_interval() {
        let none = estimate(&Ratings { units: vec![], categories: 2 }, Measure::Percent);
        assert_eq!((none.value, none.interval), (None, None));
        // Defined on the whole, and by luck of one unit only.
        let mut units = vec![vec![Some(0), None]; 30];
        units.push(vec![Some(0), Some(1)]);
        let thin = estimate(&Ratings { units, categories: 2 }, Measure::Percent);
        assert_eq!(thin.undefined, Some(Undefined::Unstable));
    }
}
