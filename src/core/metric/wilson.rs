//! The Wilson score interval of a share: honest for few traces and for shares near 0 and 1.

use serde::{Deserialize, Serialize};

/// Ends of an interval, both in 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % Wilson interval of `hits` out of `of`; `None` where nothing was counted.
///
/// Wilson 1927; the form is (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n).
///
/// ```
/// let interval = pluriscope::core::metric::wilson(8, 10).unwrap();
/// assert!((interval.low - 0.4902).abs() < 1e-4 && (interval.high - 0.9433).abs() < 1e-4);
/// assert!(pluriscope::core::metric::wilson(0, 0).is_none());
/// ```
pub fn wilson(hits: usize, of: usize) -> Option<Interval> {
    if of == 0 {
        return None;
    }
    wilson_share(hits.min(of) as f64 / of as f64, of as f64)
}

/// As [`wilson`], of a share `p` of `n` items, where `n` need not be whole: an effective number of items.
pub fn wilson_share(p: f64, n: f64) -> Option<Interval> {
    if n.is_nan() || n <= 0.0 {
        return None;
    }
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    Some(Interval { low: ((centre - half) / scale).max(0.0), high: ((centre + half) / scale).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn the_ends_stay_inside_and_hold_the_share() {
        for of in 1..40 {
            for hits in 0..=of {
                let share = hits as f64 / of as f64;
                let interval = wilson(hits, of).unwrap();
                assert!(0.0 <= interval.low && interval.low <= share + 1e-12, "{hits} of {of}");
                assert!(share <= interval.high + 1e-12 && interval.high <= 1.0, "{hits} of {of}");
            }
        }
    }

    #[test]
    fn none_of_ten_is_not_surely_none() {
        let interval = wilson(0, 10).unwrap();
        assert!(interval.low.abs() < 1e-12);
        assert!((interval.high - 0.2775).abs() < 1e-4);
    }
}
