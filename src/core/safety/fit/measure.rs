//! How good scores and flags are: AUROC, average precision, and counts of right and wrong flags.

/// Chance that a positive scores higher than a negative, ties half; `None` without both.
///
/// The Mann-Whitney statistic over ranks.
pub fn auroc(scored: &[(f32, bool)]) -> Option<f64> {
    let mut sorted: Vec<&(f32, bool)> = scored.iter().collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let yes = scored.iter().filter(|s| s.1).count() as f64;
    let no = scored.len() as f64 - yes;
    if yes == 0.0 || no == 0.0 {
        return None;
    }
    let mut ranks = 0.0;
    let mut i = 0;
    while i < sorted.len() {
        let end = i + sorted[i..].iter().take_while(|s| s.0 == sorted[i].0).count();
        // Ranks i+1 to end share their mean.
        let mean = (i + 1 + end) as f64 / 2.0;
        ranks += mean * sorted[i..end].iter().filter(|s| s.1).count() as f64;
        i = end;
    }
    Some((ranks - yes * (yes + 1.0) / 2.0) / (yes * no))
}

/// Standard error of an AUROC (Hanley and McNeil 1982).
pub fn auroc_error(auroc: f64, yes: usize, no: usize) -> f64 {
    let (a, yes, no) = (auroc, yes.max(1) as f64, no.max(1) as f64);
    let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    ((a * (1.0 - a) + (yes - 1.0) * (q1 - a * a) + (no - 1.0) * (q2 - a * a)) / (yes * no)).max(0.0).sqrt()
}

/// Mean precision at each positive, from the highest score down; tied scores are taken together. `None`
/// without a positive.
pub fn average_precision(scored: &[(f32, bool)]) -> Option<f64> {
    let mut sorted: Vec<&(f32, bool)> = scored.iter().collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let total = scored.iter().filter(|s| s.1).count();
    let (mut hits, mut sum, mut i) = (0usize, 0.0, 0);
    while i < sorted.len() {
        let end = i + sorted[i..].iter().take_while(|s| s.0 == sorted[i].0).count();
        let new = sorted[i..end].iter().filter(|s| s.1).count();
        hits += new;
        sum += new as f64 * hits as f64 / end as f64;
        i = end;
    }
    (total > 0).then(|| sum / total as f64)
}

/// Flags against the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    pub hit: usize,
    pub missed: usize,
    pub false_flag: usize,
    pub clean: usize,
}

impl Confusion {
    /// From (flagged, truth) pairs.
    pub fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Confusion {
        let mut out = Confusion::default();
        for pair in pairs {
            match pair {
                (true, true) => out.hit += 1,
                (false, true) => out.missed += 1,
                (true, false) => out.false_flag += 1,
                (false, false) => out.clean += 1,
            }
        }
        out
    }

    pub fn recall(self) -> Option<f64> {
        share(self.hit, self.hit + self.missed)
    }

    pub fn precision(self) -> Option<f64> {
        share(self.hit, self.hit + self.false_flag)
    }

    pub fn false_positive_rate(self) -> Option<f64> {
        share(self.false_flag, self.false_flag + self.clean)
    }

    /// 2 hit / (2 hit + missed + false flags).
    pub fn f1(self) -> Option<f64> {
        share(2 * self.hit, 2 * self.hit + self.missed + self.false_flag)
    }

    /// Mean of recall and its counterpart for the negatives.
    pub fn balanced_accuracy(self) -> Option<f64> {
        Some((self.recall()? + 1.0 - self.false_positive_rate()?) / 2.0)
    }
}

fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auroc_by_hand() {
        // Pairs won: (.9,.5) (.9,.1) (.5 ties .5) (.5,.1): 3.5 of 4.
        let scored = [(0.9, true), (0.5, true), (0.5, false), (0.1, false)];
        assert_eq!(auroc(&scored), Some(0.875));
        assert_eq!(auroc(&[(0.5, true)]), None);
    }

    #[test]
    fn average_precision_by_hand() {
        // Positives at ranks 1 and 3: (1/1 + 2/3) / 2.
        let scored = [(0.9, true), (0.8, false), (0.7, true), (0.1, false)];
        assert!((average_precision(&scored).unwrap() - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(average_precision(&[(0.5, true), (0.5, false)]), Some(0.5));
        assert_eq!(average_precision(&[(0.5, false)]), None);
    }

    #[test]
    fn confusion_by_hand() {
        let c = Confusion { hit: 3, missed: 1, false_flag: 2, clean: 4 };
        assert_eq!((c.recall(), c.precision(), c.f1()), (Some(0.75), Some(0.6), Some(6.0 / 9.0)));
        assert!((c.balanced_accuracy().unwrap() - (0.75 + 4.0 / 6.0) / 2.0).abs() < 1e-12);
        assert_eq!(Confusion::default().f1(), None);
    }

    #[test]
    fn the_error_shrinks_with_more_positives() {
        assert!(auroc_error(0.9, 10, 300) > 2.0 * auroc_error(0.9, 100, 300));
    }
}
