//! Steerability: what changes when only the perspective changes.
//!
//! Every pair of perspectives on one situation (or question) is a *perspective change*. Where gold differs, a method
//! is steered when it answers both with their gold; where gold is the same, it is stable when its answer stays. A
//! method that ignores the perspective scores 0 on the first and 1 on the second.

use super::columns::{Columns, NOT_RUN};
use std::ops::Range;

/// Pair counts of one cluster, or their sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Pairs whose gold differs.
    pub differing: u64,
    /// Of those: both answered with their gold.
    pub followed: u64,
    /// Of those: both gave a letter, and the letters differ.
    pub moved: u64,
    /// Pairs with the same gold.
    pub same: u64,
    /// Of those: both gave the same letter.
    pub kept: u64,
}

impl Changes {
    pub fn plus(self, other: Changes) -> Changes {
        Changes {
            differing: self.differing + other.differing,
            followed: self.followed + other.followed,
            moved: self.moved + other.moved,
            same: self.same + other.same,
            kept: self.kept + other.kept,
        }
    }

    /// Share of perspective changes where the answer changes as gold does.
    pub fn steerability(self) -> Option<f64> {
        (self.differing > 0).then(|| self.followed as f64 / self.differing as f64)
    }

    /// Share of perspective changes with other gold where the answer changes at all.
    pub fn responsiveness(self) -> Option<f64> {
        (self.differing > 0).then(|| self.moved as f64 / self.differing as f64)
    }

    /// Share of perspective changes with the same gold where the answer stays.
    pub fn stability(self) -> Option<f64> {
        (self.same > 0).then(|| self.kept as f64 / self.same as f64)
    }
}

/// Code of "no answer" in the small table: it equals nothing, not even itself.
const NONE: usize = 26;

/// Counts the pairs within one cluster, in time linear in its rows.
pub fn changes(gold: &[u8], answers: &[u8], rows: Range<usize>) -> Changes {
    // table[gold][answer]
    let mut table = [[0u64; 27]; 26];
    for i in rows {
        if answers[i] != NOT_RUN {
            let answer = usize::from(answers[i]).min(NONE);
            table[usize::from(gold[i]) % 26][answer] += 1;
        }
    }
    let pairs = |n: u64| n * n.saturating_sub(1) / 2;
    let per_gold = table.map(|row| row.iter().sum::<u64>());
    let all: u64 = per_gold.iter().sum();
    let same: u64 = per_gold.into_iter().map(pairs).sum();
    let kept: u64 = table.iter().flat_map(|row| &row[..NONE]).map(|n| pairs(*n)).sum();
    let right: u64 = (0..26).map(|k| table[k][k]).sum();
    let right_same_gold: u64 = (0..26).map(|k| pairs(table[k][k])).sum();
    let equal_answers: u64 = (0..NONE).map(|a| pairs(table.iter().map(|row| row[a]).sum())).sum();
    let differing = pairs(all) - same;
    let answered: Vec<u64> = table.iter().map(|row| row[..NONE].iter().sum()).collect();
    let both_answered = pairs(answered.iter().sum()) - answered.iter().map(|n| pairs(*n)).sum::<u64>();
    Changes {
        differing,
        followed: pairs(right) - right_same_gold,
        moved: both_answered - (equal_answers - kept),
        same,
        kept,
    }
}

/// All perspective changes of one method.
pub fn total(columns: &Columns, method: usize) -> Changes {
    let Some(answers) = columns.methods.get(method) else { return Changes::default() };
    columns
        .clusters()
        .map(|rows| changes(&columns.gold, &answers.codes, rows))
        .fold(Changes::default(), Changes::plus)
}

#[cfg(test)]
mod tests {
    use super::{super::columns::NO_ANSWER, *};
    use proptest::prelude::*;

    /// The definition, pair by pair.
    fn slow(gold: &[u8], answers: &[u8]) -> Changes {
        let mut c = Changes::default();
        for i in 0..gold.len() {
            for j in i + 1..gold.len() {
                if answers[i] == NOT_RUN || answers[j] == NOT_RUN {
                    continue;
                }
                let equal = answers[i] == answers[j] && answers[i] != NO_ANSWER;
                if gold[i] == gold[j] {
                    c.same += 1;
                    c.kept += u64::from(equal);
                } else {
                    c.differing += 1;
                    c.followed += u64::from(answers[i] == gold[i] && answers[j] == gold[j]);
                    let answered = answers[i] != NO_ANSWER && answers[j] != NO_ANSWER;
                    c.moved += u64::from(answered && !equal);
                }
            }
        }
        c
    }

    #[test]
    fn a_method_that_ignores_the_perspective_is_not_steered() {
        let blind = Columns::of_codes(vec![0, 1, 2, 0], &[0; 4], vec![("m", vec![0; 4])]);
        let c = total(&blind, 0);
        assert_eq!((c.steerability(), c.responsiveness(), c.stability()), (Some(0.0), Some(0.0), Some(1.0)));
        let perfect = Columns::of_codes(vec![0, 1, 2, 0], &[0; 4], vec![("m", vec![0, 1, 2, 0])]);
        assert_eq!(total(&perfect, 0).steerability(), Some(1.0));
    }

    proptest! {
        #[test]
        fn counting_by_table_is_counting_by_pair(
            rows in proptest::collection::vec((0u8..4, prop_oneof![0u8..5, Just(NO_ANSWER), Just(NOT_RUN)]), 0..25),
        ) {
            let (gold, answers): (Vec<u8>, Vec<u8>) = rows.into_iter().unzip();
            prop_assert_eq!(changes(&gold, &answers, 0..gold.len()), slow(&gold, &answers));
        }
    }
}
