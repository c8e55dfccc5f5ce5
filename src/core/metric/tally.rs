//! Counts of right, predicted and gold per class, and the scores that follow from them.
//!
//! An answer that could not be read is wrong: it belongs to no class, so it lowers recall and accuracy and leaves
//! precision alone. What other scripts do with it is in [`super::compat`].

use super::columns::{Columns, NOT_RUN};

/// Classes that can be told apart: the letters A to Z.
pub const CLASSES: usize = 26;

/// Counts over some rows of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Answered with gold, per class.
    pub right: [u64; CLASSES],
    /// Answered with this letter.
    pub predicted: [u64; CLASSES],
    /// Gold is this letter.
    pub gold: [u64; CLASSES],
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { right: [0; CLASSES], predicted: [0; CLASSES], gold: [0; CLASSES] }
    }
}

impl Tally {
    /// Counts one answer; a code past `Z` is "no answer".
    pub fn add(&mut self, gold: u8, answer: u8) {
        let Some(slot) = self.gold.get_mut(usize::from(gold)) else { return };
        *slot += 1;
        if let Some(slot) = self.predicted.get_mut(usize::from(answer)) {
            *slot += 1;
            self.right[usize::from(answer)] += u64::from(gold == answer);
        }
    }

    /// All rows of a method that ran.
    pub fn of(columns: &Columns, method: usize) -> Tally {
        let mut tally = Tally::default();
        if let Some(answers) = columns.methods.get(method) {
            let ran = columns.gold.iter().zip(&answers.codes).filter(|(_, answer)| **answer != NOT_RUN);
            ran.for_each(|(gold, answer)| tally.add(*gold, *answer));
        }
        tally
    }

    /// As [`Tally::of`], over the items whose gold is Support or Oppose: the study's binary setting.
    pub fn binary(columns: &Columns, method: usize) -> Tally {
        let mut tally = Tally::of(columns, method);
        let Some(answers) = columns.methods.get(method) else { return tally };
        for (gold, answer) in columns.gold.iter().zip(&answers.codes) {
            if *gold == 2
                && *answer != NOT_RUN
                && let Some(slot) = tally.predicted.get_mut(usize::from(*answer))
            {
                *slot -= 1;
            }
        }
        tally.gold[2] = 0;
        tally.right[2] = 0;
        tally
    }

    /// Rows.
    pub fn count(&self) -> u64 {
        self.gold.iter().sum()
    }

    /// Rows with the gold answer.
    pub fn hits(&self) -> u64 {
        self.right.iter().sum()
    }

    /// Rows without a usable answer.
    pub fn invalid(&self) -> u64 {
        self.count() - self.predicted.iter().sum::<u64>()
    }

    /// Share of rows with the gold answer; `None` without rows.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.hits() as f64, self.count() as f64)
    }

    /// Mean recall over the classes that occur as gold.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let present = (0..CLASSES).filter(|k| self.gold[*k] > 0);
        mean(present.map(|k| self.right[k] as f64 / self.gold[k] as f64))
    }

    /// Mean F1 over the classes that occur as gold or as answer.
    pub fn macro_f1(&self) -> Option<f64> {
        mean((0..CLASSES).filter(|k| self.gold[*k] + self.predicted[*k] > 0).map(|k| self.f1(k)))
    }

    /// F1 of all classes pooled: 2 · right / (answered + gold). Equal to accuracy where every answer is usable.
    pub fn micro_f1(&self) -> Option<f64> {
        let predicted: u64 = self.predicted.iter().sum();
        share(2.0 * self.hits() as f64, (predicted + self.count()) as f64)
    }

    /// F1 of one class; 0 where it occurs nowhere.
    pub fn f1(&self, class: usize) -> f64 {
        share(2.0 * self.right[class] as f64, (self.predicted[class] + self.gold[class]) as f64)
            .unwrap_or(0.0)
    }

    /// Mean F1 over the given classes, present or not.
    pub fn macro_f1_over(&self, classes: &[usize]) -> Option<f64> {
        mean(classes.iter().map(|k| self.f1(*k)))
    }

    /// Pooled F1 over the given classes.
    pub fn micro_f1_over(&self, classes: &[usize]) -> Option<f64> {
        let sum = |counts: &[u64; CLASSES]| classes.iter().map(|k| counts[*k]).sum::<u64>() as f64;
        share(2.0 * sum(&self.right), sum(&self.predicted) + sum(&self.gold))
    }
}

fn share(part: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| part / of)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0u32), |(sum, n), v| (sum + v, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

#[cfg(test)]
mod tests {
    use super::{super::columns::NO_ANSWER, *};
    use proptest::prelude::*;

    fn tally(pairs: &[(u8, u8)]) -> Tally {
        let mut tally = Tally::default();
        pairs.iter().for_each(|(gold, answer)| tally.add(*gold, *answer));
        tally
    }

    #[test]
    fn an_unreadable_answer_is_wrong_but_of_no_class() {
        let t = tally(&[(0, 0), (0, NO_ANSWER), (1, 1), (1, 0)]);
        assert_eq!((t.hits(), t.count(), t.invalid()), (2, 4, 1));
        assert_eq!(t.accuracy(), Some(0.5));
        assert_eq!(t.balanced_accuracy(), Some(0.5));
        // A: 2·1/(2+2), B: 2·1/(1+2)
        assert_eq!(t.macro_f1(), Some((0.5 + 2.0 / 3.0) / 2.0));
        assert_eq!(t.micro_f1(), Some(4.0 / 7.0));
    }

    #[test]
    fn nothing_gives_nothing_and_one_class_is_fine() {
        assert_eq!(Tally::default().accuracy(), None);
        assert_eq!(Tally::default().macro_f1(), None);
        let one = tally(&[(2, 2), (2, 2)]);
        assert_eq!(
            (one.accuracy(), one.balanced_accuracy(), one.macro_f1()),
            (Some(1.0), Some(1.0), Some(1.0))
        );
    }

    #[test]
    fn the_binary_setting_drops_items_whose_gold_is_either() {
        let columns =
            Columns::of_codes(vec![0, 1, 2, 2], &[0, 0, 1, 1], vec![("m", vec![0, 2, 0, NO_ANSWER])]);
        let t = Tally::binary(&columns, 0);
        assert_eq!((t.count(), t.hits(), t.invalid()), (2, 1, 0));
        assert_eq!(t.predicted[..3], [1, 0, 1]);
    }

    proptest! {
        #[test]
        fn scores_stay_in_bounds_and_do_not_know_the_order(
            pairs in proptest::collection::vec((0u8..5, prop_oneof![0u8..7, Just(NO_ANSWER)]), 0..60),
        ) {
            let forward = tally(&pairs);
            let mut reversed = pairs.clone();
            reversed.reverse();
            prop_assert_eq!(&forward, &tally(&reversed));
            for score in [forward.accuracy(), forward.balanced_accuracy(), forward.macro_f1(), forward.micro_f1()] {
                prop_assert_eq!(score.is_some(), !pairs.is_empty());
                prop_assert!(score.is_none_or(|s| (0.0..=1.0).contains(&s)));
            }
        }
    }
}
