//! The work of measuring, cut into independent steps: whoever runs them may use threads, show progress and stop.
//!
//! ```text
//! data_sets(corpus, items) -> Measure::new -> steps() -> run(step) for each, in any order -> take(part) -> report()
//! ```

use super::{
    Samples, baseline,
    bootstrap::Resampling,
    columns::{Columns, DataSet, letter},
    group::{Grouping, Groups, group},
    paired::{Pair, compare, holm},
    report::{MethodScore, Report, SetReport},
    score::score,
};
use crate::core::{Corpus, MethodId};

/// How to measure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub resampling: Resampling,
    /// Which of repeated samples count.
    pub samples: Samples,
    /// Methods that answer without a rationale.
    pub no_rationale: Vec<MethodId>,
}

/// One independent piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Score { set: usize, method: usize },
    Compare { set: usize, first: usize, second: usize },
    Group { set: usize, by: Grouping },
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Score { set: usize, method: usize, score: Box<MethodScore> },
    Pair { set: usize, pair: Box<Pair> },
    Groups { set: usize, groups: Option<Groups> },
}

/// A selection ready to be measured.
#[derive(Clone, Debug)]
pub struct Measure {
    pub sets: Vec<DataSet>,
    pub settings: Settings,
}

impl Measure {
    pub fn new(sets: Vec<DataSet>, settings: Settings) -> Measure {
        Measure { sets, settings }
    }

    /// All steps, what readers look at first coming first.
    pub fn steps(&self) -> Vec<Step> {
        let counts = || self.sets.iter().map(|s| s.columns.methods.len()).enumerate();
        let scores = counts().flat_map(|(set, n)| (0..n).map(move |method| Step::Score { set, method }));
        let pairs = counts().flat_map(|(set, n)| {
            (0..n)
                .flat_map(move |first| (first + 1..n).map(move |second| Step::Compare { set, first, second }))
        });
        let groups = counts().flat_map(|(set, _)| Grouping::ALL.map(|by| Step::Group { set, by }));
        scores.chain(groups).chain(pairs).collect()
    }

    /// Does one step. Its result depends on nothing but the columns and the settings.
    pub fn run(&self, step: Step, corpus: &Corpus) -> Part {
        let columns = |set: usize| self.sets.get(set).map(|s| &s.columns);
        match step {
            Step::Score { set, method } => Part::Score {
                set,
                method,
                score: Box::new(columns(set).map(|c| score(c, method, &self.settings)).unwrap_or_default()),
            },
            Step::Compare { set, first, second } => {
                let empty = Columns::default();
                let columns = columns(set).unwrap_or(&empty);
                let pair = compare(columns, first, second, self.settings.resampling);
                Part::Pair { set, pair: Box::new(pair) }
            }
            Step::Group { set, by } => {
                Part::Groups { set, groups: columns(set).and_then(|c| group(c, corpus, by)) }
            }
        }
    }

    /// A report without any step's result yet: what is known at once.
    pub fn report(&self) -> Report {
        Report {
            bootstrap: self.settings.resampling.samples,
            seed: self.settings.resampling.seed,
            sets: self.sets.iter().map(|set| self.set_report(set)).collect(),
            ..Report::default()
        }
    }

    fn set_report(&self, set: &DataSet) -> SetReport {
        let columns = &set.columns;
        SetReport {
            dataset: set.name.clone(),
            items: columns.len(),
            without_gold: columns.without_gold,
            further_samples: columns.further_samples,
            samples: columns.samples,
            clusters: columns.cluster_count(),
            values: columns.values,
            majority: baseline::majority_accuracy(columns, None),
            majority_answer: letter(baseline::majority_answer(columns, None)).filter(|_| !columns.is_empty()),
            blind: baseline::blind_accuracy(columns, None),
            methods: columns
                .methods
                .iter()
                .map(|m| MethodScore { method: m.name().to_owned(), ..MethodScore::default() })
                .collect(),
            ..SetReport::default()
        }
    }
}

/// Puts a step's result in its place.
pub fn take(report: &mut Report, part: Part) {
    match part {
        Part::Score { set, method, score } => {
            if let Some(slot) = report.sets.get_mut(set).and_then(|s| s.methods.get_mut(method)) {
                *slot = *score;
            }
        }
        Part::Pair { set, pair } => {
            let Some(set) = report.sets.get_mut(set) else { return };
            let at = set.pairs.partition_point(|p| (p.first, p.second) < (pair.first, pair.second));
            set.pairs.insert(at, *pair);
            correct(&mut set.pairs);
        }
        Part::Groups { set, groups } => {
            if let (Some(set), Some(groups)) = (report.sets.get_mut(set), groups) {
                let at = set.groups.partition_point(|g| g.by < groups.by);
                set.groups.insert(at, groups);
            }
        }
    }
}

/// Holm over the pairs that have a p-value.
fn correct(pairs: &mut [Pair]) {
    let p: Vec<f64> = pairs.iter().filter_map(|pair| pair.p_mcnemar).collect();
    let mut adjusted = holm(&p).into_iter();
    for pair in pairs.iter_mut().filter(|pair| pair.p_mcnemar.is_some()) {
        pair.p_holm = adjusted.next();
    }
}

/// The report of a selection, step after step: for tests and small data.
pub fn measure(measure: &Measure, corpus: &Corpus) -> Report {
    let mut report = measure.report();
    measure.steps().into_iter().for_each(|step| take(&mut report, measure.run(step, corpus)));
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::metric::{columns::NO_ANSWER, random::Random};

    /// Columns with `items` rows, five to a situation, and methods that are right with these odds.
    pub(crate) fn columns(items: usize, odds: &[f64]) -> Columns {
        let mut random = Random::new(3, 0);
        let gold: Vec<u8> = (0..items).map(|_| random.below(3) as u8).collect();
        let cluster: Vec<u32> = (0..items as u32).map(|i| i / 5).collect();
        let names = ["zero-shot-cot", "sft", "human-cot", "synthetic-cot", "rlvr"];
        let methods = odds
            .iter()
            .zip(names)
            .map(|(odds, name)| {
                let codes = gold
                    .iter()
                    .map(|g| match random.unit() {
                        x if x < *odds => *g,
                        x if x > 0.99 => NO_ANSWER,
                        _ => random.below(3) as u8,
                    })
                    .collect();
                (name, codes)
            })
            .collect();
        Columns::of_codes(gold, &cluster, methods)
    }

    fn plan(columns: Columns, samples: usize) -> Measure {
        let settings = Settings {
            resampling: Resampling { samples, seed: 7 },
            no_rationale: vec!["sft".into()],
            ..Settings::default()
        };
        Measure::new(vec![DataSet { name: "vk".to_owned(), columns }], settings)
    }

    #[test]
    fn the_report_holds_every_number_with_an_interval_around_it() {
        let report = measure(&plan(columns(600, &[0.3, 0.6]), 400), &Corpus::default());
        let set = &report.sets[0];
        assert_eq!((set.methods.len(), set.pairs.len(), set.clusters), (2, 1, 120));
        for score in &set.methods {
            assert_eq!((score.n, score.not_run), (600, 0));
            let binary = score.binary.as_ref().unwrap();
            for estimate in [
                score.accuracy,
                score.balanced_accuracy,
                score.macro_f1,
                score.micro_f1,
                score.steerability,
                binary.accuracy,
                binary.macro_f1,
            ] {
                let (value, interval) = (estimate.value.unwrap(), estimate.interval.unwrap());
                assert!(interval.low < value && value < interval.high, "{estimate:?}");
            }
            assert!(score.above_blind.value.unwrap() < score.accuracy.value.unwrap());
        }
        assert!(set.methods[1].no_rationale && !set.methods[0].no_rationale);
        let pair = &set.pairs[0];
        assert!(pair.difference.unwrap() < 0.0 && pair.p_mcnemar.unwrap() < 1e-6);
        assert_eq!(pair.p_holm, pair.p_mcnemar);
        assert!(set.groups.iter().any(|g| g.by == Grouping::Gold));
        assert_eq!(measure(&plan(columns(600, &[0.3, 0.6]), 400), &Corpus::default()), report);
    }

    #[test]
    fn an_empty_filter_and_a_single_item_are_no_trouble() {
        let empty = measure(&plan(Columns::default(), 100), &Corpus::default());
        assert_eq!((empty.sets[0].items, empty.sets[0].majority), (0, None));
        let one = measure(&plan(columns(1, &[1.0]), 100), &Corpus::default());
        let score = &one.sets[0].methods[0];
        assert_eq!((score.accuracy.value, score.accuracy.interval), (Some(1.0), None));
        assert_eq!(score.steerability.value, None);
    }

    /// The figure for the log: `cargo test --lib million -- --ignored --nocapture`.
    #[test]
    #[ignore = "takes a while: one million items, five methods, a thousand samples"]
    fn a_million_items_and_five_methods() {
        let plan = plan(columns(1_000_000, &[0.3, 0.4, 0.5, 0.6, 0.7]), 1000);
        let steps = plan.steps();
        let begun = std::time::Instant::now();
        let next = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(step) = steps.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                        let start = std::time::Instant::now();
                        plan.run(*step, &Corpus::default());
                        eprintln!("{step:?} {:.2} s", start.elapsed().as_secs_f64());
                    }
                });
            }
        });
        eprintln!("{} steps on two threads: {:.2} s", steps.len(), begun.elapsed().as_secs_f64());
    }
}
