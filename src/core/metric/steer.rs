//! Steerability: what changes when only the perspective changes.
//!
//! Every pair of perspectives on one situation (or question) is a *perspective change*. Where gold differs, a method
//! is steered when it answers both with their gold; where gold is the same, it is stable when its answer stays. A
//! method that ignores the perspective scores 0 on the first and 1 on the second.

use super::columns::{Answers, Columns, NOT_RUN};
use std::ops::Range;

/// Pair counts of one cluster, or their sums; whole numbers where every item has one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Changes {
    /// Pairs whose gold differs.
    pub differing: f64,
    /// Of those: both answered with their gold.
    pub followed: f64,
    /// Of those: both gave a letter, and the letters differ.
    pub moved: f64,
    /// Pairs with the same gold.
    pub same: f64,
    /// Of those: both gave the same letter.
    pub kept: f64,
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
        (self.differing > 0.0).then(|| self.followed / self.differing)
    }

    /// Share of perspective changes with other gold where the answer changes at all.
    pub fn responsiveness(self) -> Option<f64> {
        (self.differing > 0.0).then(|| self.moved / self.differing)
    }

    /// Share of perspective changes with the same gold where the answer stays.
    pub fn stability(self) -> Option<f64> {
        (self.same > 0.0).then(|| self.kept / self.same)
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
        differing: differing as f64,
        followed: (pairs(right) - right_same_gold) as f64,
        moved: (both_answered - (equal_answers - kept)) as f64,
        same: same as f64,
        kept: kept as f64,
    }
}

/// As [`changes`], where items have several samples: a pair counts with the probability that one sample of either
/// item, drawn at random, would make it count. Pair by pair: situations have few rows.
pub fn mean_changes(gold: &[u8], answers: &Answers, rows: Range<usize>) -> Changes {
    let mut sum = Changes::default();
    let ran: Vec<usize> = rows.filter(|row| !answers.samples(*row).is_empty()).collect();
    for (at, &i) in ran.iter().enumerate() {
        for &j in &ran[at + 1..] {
            let (a, b) = (answers.samples(i), answers.samples(j));
            let of_both = (a.len() * b.len()) as f64;
            let readable = |codes: &[u8]| codes.iter().filter(|code| usize::from(**code) < NONE).count();
            let equal = a
                .iter()
                .filter(|code| usize::from(**code) < NONE)
                .map(|code| b.iter().filter(|other| *other == code).count())
                .sum::<usize>();
            if gold[i] == gold[j] {
                sum.same += 1.0;
                sum.kept += equal as f64 / of_both;
            } else {
                sum.differing += 1.0;
                sum.followed += answers.share(i, gold[i]) * answers.share(j, gold[j]);
                sum.moved += (readable(a) * readable(b) - equal) as f64 / of_both;
            }
        }
    }
    sum
}

/// The changes of one method within one cluster.
pub fn of_cluster(columns: &Columns, answers: &Answers, rows: Range<usize>) -> Changes {
    match answers.repeats {
        Some(_) => mean_changes(&columns.gold, answers, rows),
        None => changes(&columns.gold, &answers.codes, rows),
    }
}

/// All perspective changes of one method.
pub fn total(columns: &Columns, method: usize) -> Changes {
    let Some(answers) = columns.methods.get(method) else { return Changes::default() };
    columns.clusters().map(|rows| of_cluster(columns, answers, rows)).fold(Changes::default(), Changes::plus)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{columns::NO_ANSWER, samples::Repeats},
        *,
    };
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
                    c.same += 1.0;
                    c.kept += f64::from(u8::from(equal));
                } else {
                    c.differing += 1.0;
                    c.followed += f64::from(u8::from(answers[i] == gold[i] && answers[j] == gold[j]));
                    let answered = answers[i] != NO_ANSWER && answers[j] != NO_ANSWER;
                    c.moved += f64::from(u8::from(answered && !equal));
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

    #[test]
    fn samples_count_as_drawn_at_random() {
        let mut repeats = Repeats::default();
        [&[0, 0, 1, 1][..], &[1, 0][..], &[NO_ANSWER, 0][..]]
            .into_iter()
            .for_each(|codes| repeats.push(codes));
        let answers = Answers { codes: vec![0, 1, NO_ANSWER], repeats: Some(repeats), ..Answers::default() };
        let c = mean_changes(&[0, 1, 0], &answers, 0..3);
        // Items 0 and 1: half · half; items 1 and 2: half · half. Items 0 and 2 have the same gold.
        assert_eq!((c.differing, c.followed), (2.0, 0.5));
        assert_eq!((c.moved, c.same, c.kept), (0.5 + 0.25, 1.0, 0.25));
    }

    proptest! {
        #[test]
        fn counting_by_table_is_counting_by_pair(
            rows in proptest::collection::vec((0u8..4, prop_oneof![0u8..5, Just(NO_ANSWER), Just(NOT_RUN)]), 0..25),
        ) {
            let (gold, answers): (Vec<u8>, Vec<u8>) = rows.into_iter().unzip();
            let counted = changes(&gold, &answers, 0..gold.len());
            prop_assert_eq!(counted, slow(&gold, &answers));
            // Three equal samples of an item are no more than one.
            let mut repeats = Repeats::default();
            for code in &answers {
                let thrice = [*code; 3];
                repeats.push(if *code == NOT_RUN { &[] } else { &thrice });
            }
            let answers = Answers { codes: answers, repeats: Some(repeats), ..Answers::default() };
            let mean = mean_changes(&gold, &answers, 0..gold.len());
            let pairs = [(mean.differing, counted.differing), (mean.followed, counted.followed),
                (mean.moved, counted.moved), (mean.same, counted.same), (mean.kept, counted.kept)];
            prop_assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 1e-9), "{:?} {:?}", mean, counted);
        }
    }
}
