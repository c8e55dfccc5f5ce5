//! One method's numbers over its items, all of one resampling from the same bootstrap samples.

use super::{
    Settings, baseline,
    bootstrap::{Counts, FEWEST_CLUSTERS, percentile_interval},
    columns::{Answers, Columns, letter},
    estimate::Estimate,
    report::{Binary, MethodScore},
    samples::Repeats,
    steer,
    tally::{CLASSES, Tally},
};

/// The numbers that the bootstrap takes of each sample, in this order.
const NUMBERS: usize = 10;

/// Scores one method: all numbers of one resampling come from the same samples.
pub(super) fn score(columns: &Columns, method: usize, settings: &Settings) -> MethodScore {
    let Some(answers) = columns.methods.get(method) else { return MethodScore::default() };
    let tally = Tally::of(columns, method);
    let changes = steer::total(columns, method);
    let layout = Layout::of(columns, answers);
    let counts = Counts::of(layout.width(), layout.rows(columns, answers));
    let mut totals = layout.numbers(&counts.totals());
    // Of shares of samples the counts are rounded; the value is not.
    totals[4] = changes.steerability();
    let mut intervals = [None; NUMBERS];
    if counts.clusters() >= FEWEST_CLUSTERS {
        let samples = counts.resample(settings.resampling, method as u64, |s| layout.numbers(s));
        for (at, interval) in intervals.iter_mut().enumerate() {
            *interval = percentile_interval(samples.iter().map(|s| s[at]));
        }
    }
    let estimate =
        |at: usize| Estimate { value: totals[at], interval: intervals[at].filter(|_| totals[at].is_some()) };
    let count = |which: &dyn Fn(u8, u8) -> bool| {
        let rows = columns.gold.iter().enumerate();
        rows.map(|(row, gold)| answers.samples(row).iter().filter(|code| which(*gold, **code)).count() as u64)
            .sum()
    };
    let majority = baseline::majority_accuracy(columns, Some(method));
    let binary = columns.values.then(|| Binary {
        n: tally.gold[0] + tally.gold[1],
        accuracy: estimate(6),
        balanced_accuracy: estimate(7),
        macro_f1: estimate(8),
        micro_f1: estimate(9),
    });
    MethodScore {
        method: answers.name().to_owned(),
        n: tally.count(),
        answers: count(&|_, _| true),
        right: count(&|gold, code| gold == code),
        invalid: count(&|_, code| usize::from(code) >= CLASSES),
        not_run: columns.len() as u64 - tally.count(),
        clusters: counts.clusters(),
        accuracy: estimate(0),
        balanced_accuracy: estimate(1),
        macro_f1: estimate(2),
        micro_f1: estimate(3),
        binary,
        majority,
        majority_answer: majority.and_then(|_| letter(baseline::majority_answer(columns, Some(method)))),
        blind: baseline::blind_accuracy(columns, Some(method)),
        above_blind: estimate(5),
        no_rationale: answers.method.as_ref().is_some_and(|m| settings.no_rationale.contains(m)),
        steerability: estimate(4),
        perspective_changes: changes.differing as u64,
        responsiveness: changes.responsiveness(),
        stability: changes.stability(),
    }
}

/// Where each count stands in a cluster's row: right, predicted and gold per class; for values, predictions on items
/// whose gold is Either; then changes followed, changes, and hits of the blind oracle. Where every sample counts, all
/// are multiplied so that a sample's part of its item is a whole number.
struct Layout {
    classes: usize,
    values: bool,
    /// What one answer counts, times the samples of its item.
    item: u32,
    /// What one pair of perspectives counts.
    pair: f64,
}

/// What an item counts where each of its samples counts a part of it: divisible by every number up to 16.
const ITEM: u32 = 720_720;
/// What a pair of items counts then: each situation's sum is rounded to this part.
const PAIR: f64 = 2_520.0;

impl Layout {
    fn of(columns: &Columns, answers: &Answers) -> Layout {
        let codes = answers.repeats.as_ref().map_or(answers.codes.as_slice(), Repeats::all);
        let most = columns.gold.iter().chain(codes).copied().filter(|c| usize::from(*c) < CLASSES).max();
        let (item, pair) = if answers.repeats.is_some() { (ITEM, PAIR) } else { (1, 1.0) };
        Layout { classes: usize::from(most.unwrap_or(0)) + 1, values: columns.values, item, pair }
    }

    fn width(&self) -> usize {
        self.classes * if self.values { 4 } else { 3 } + 3
    }

    /// One row per cluster in which the method ran.
    fn rows<'a>(&'a self, columns: &'a Columns, answers: &'a Answers) -> impl Iterator<Item = Vec<u32>> + 'a {
        let k = self.classes;
        columns.clusters().enumerate().filter_map(move |(cluster, rows)| {
            let mut row = vec![0u32; self.width()];
            let tail = self.width() - 3;
            let blind = columns.blind.get(cluster).copied();
            let mut ran = false;
            for i in rows.clone() {
                let samples = answers.samples(i);
                if samples.is_empty() {
                    continue;
                }
                ran = true;
                let (gold, part) = (usize::from(columns.gold[i]), self.item / samples.len() as u32);
                let whole = part * samples.len() as u32;
                row[2 * k + gold] += whole;
                row[tail + 2] += if blind == Some(columns.gold[i]) { whole } else { 0 };
                for answer in samples.iter().map(|code| usize::from(*code)).filter(|code| *code < k) {
                    row[k + answer] += part;
                    row[answer] += if answer == gold { part } else { 0 };
                    if self.values && gold == 2 {
                        row[3 * k + answer] += part;
                    }
                }
            }
            let changes = steer::of_cluster(columns, answers, rows);
            row[tail] = (changes.followed * self.pair).round() as u32;
            row[tail + 1] = (changes.differing * self.pair).round() as u32;
            ran.then_some(row)
        })
    }

    /// The ten numbers of a sample.
    fn numbers(&self, sums: &[u64]) -> [Option<f64>; NUMBERS] {
        let k = self.classes;
        let tail = self.width() - 3;
        let mut tally = Tally::default();
        tally.right[..k].copy_from_slice(&sums[..k]);
        tally.predicted[..k].copy_from_slice(&sums[k..2 * k]);
        tally.gold[..k].copy_from_slice(&sums[2 * k..3 * k]);
        let n = tally.count();
        let steerability = (sums[tail + 1] > 0).then(|| sums[tail] as f64 / sums[tail + 1] as f64);
        let above = (n > 0).then(|| (tally.hits() as f64 - sums[tail + 2] as f64) / n as f64);
        let mut numbers = [None; NUMBERS];
        numbers[..6].copy_from_slice(&[
            tally.accuracy(),
            tally.balanced_accuracy(),
            tally.macro_f1(),
            tally.micro_f1(),
            steerability,
            above,
        ]);
        if self.values {
            for class in 0..k {
                tally.predicted[class] -= sums[3 * k + class];
            }
            (tally.gold[2], tally.right[2]) = (0, 0);
            numbers[6..].copy_from_slice(&[
                tally.accuracy(),
                tally.balanced_accuracy(),
                tally.macro_f1(),
                tally.micro_f1(),
            ]);
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Samples, columns::NO_ANSWER},
        *,
    };
    use proptest::prelude::*;

    /// The first method with all samples of each row counting.
    fn with_samples(mut columns: Columns, samples: &[Vec<u8>]) -> Columns {
        let mut repeats = Repeats::default();
        samples.iter().for_each(|codes| repeats.push(codes));
        columns.methods[0].repeats = Some(repeats);
        columns.samples = Samples::Mean;
        columns
    }

    #[test]
    fn an_item_weighs_the_same_however_often_it_was_sampled() {
        let columns = Columns::of_codes(vec![0, 1], &[0, 1], vec![("m", vec![0, 0])]);
        let columns = with_samples(columns, &[vec![0, 0, 1, NO_ANSWER], vec![1]]);
        let score = score(&columns, 0, &Settings::default());
        assert_eq!((score.n, score.answers, score.right, score.invalid), (2, 5, 3, 1));
        assert_eq!(score.accuracy.value, Some((0.5 + 1.0) / 2.0));
        // A: recall 1/2; B: recall 1.
        assert_eq!(score.balanced_accuracy.value, Some(0.75));
        // A: 2·½/(1 + ½); B: 2·1/(1 + 1¼).
        assert!((score.macro_f1.value.unwrap() - (2.0 / 3.0 + 8.0 / 9.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn more_samples_of_an_item_narrow_the_interval_and_more_equal_ones_do_not() {
        let items = 200;
        let gold = vec![0u8; items];
        let clusters: Vec<u32> = (0..items as u32).collect();
        let first: Vec<u8> = (0..items as u8).map(|i| i % 2).collect();
        let columns = || Columns::of_codes(gold.clone(), &clusters, vec![("m", first.clone())]);
        let width = |columns: &Columns| {
            let interval = score(columns, 0, &Settings::default()).accuracy.interval.unwrap();
            interval.high - interval.low
        };
        let one = width(&columns());
        let equal: Vec<Vec<u8>> = first.iter().map(|code| vec![*code; 4]).collect();
        assert!((width(&with_samples(columns(), &equal)) - one).abs() < 1e-9);
        let mixed: Vec<Vec<u8>> = first.iter().map(|code| vec![*code, 1 - code, 0, 0]).collect();
        assert_eq!(width(&with_samples(columns(), &mixed)), 0.0, "every item is right three times of four");
    }

    proptest! {
        #[test]
        fn equal_samples_give_the_numbers_of_one(
            rows in proptest::collection::vec((0u8..3, prop_oneof![0u8..3, Just(NO_ANSWER)], 1usize..20), 1..40),
        ) {
            let gold: Vec<u8> = rows.iter().map(|r| r.0).collect();
            let codes: Vec<u8> = rows.iter().map(|r| r.1).collect();
            let clusters: Vec<u32> = (0..rows.len() as u32).map(|i| i / 3).collect();
            let plain = Columns::of_codes(gold, &clusters, vec![("m", codes)]);
            let samples: Vec<Vec<u8>> = rows.iter().map(|r| vec![r.1; r.2]).collect();
            let (a, b) = (score(&plain, 0, &Settings::default()),
                score(&with_samples(plain.clone(), &samples), 0, &Settings::default()));
            for (a, b) in [(a.accuracy, b.accuracy), (a.macro_f1, b.macro_f1), (a.steerability, b.steerability),
                (a.above_blind, b.above_blind), (a.binary.unwrap().micro_f1, b.binary.unwrap().micro_f1)] {
                prop_assert_eq!(a.value.is_some(), b.value.is_some());
                prop_assert!((a.value.unwrap_or(0.0) - b.value.unwrap_or(0.0)).abs() < 1e-4, "{:?} {:?}", a, b);
            }
        }
    }
}
