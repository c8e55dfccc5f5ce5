//! Everything that is measured over a selection, as one value: what the screen shows and what reports print.

use super::{
    Compat, CompatScores, Pair, Samples, distribution::DistributionScore, estimate::Estimate, group::Groups,
};
use crate::core::{
    Letter, MethodId,
    check::summary::Summary,
    run::{self, RunLog},
};
use serde::Serialize;

/// One method on one data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MethodScore {
    pub method: String,
    /// Items with a trace and a known gold.
    pub n: u64,
    /// Answers that count on them: n, or more where every sample counts.
    pub answers: u64,
    /// Right ones of those answers.
    pub right: u64,
    /// Answers that could not be read or name no option; they are wrong, and of no class.
    pub invalid: u64,
    /// Items of the selection without a trace.
    pub not_run: u64,
    /// Situations or questions among the n: what the bootstrap draws.
    pub clusters: usize,
    pub accuracy: Estimate,
    pub balanced_accuracy: Estimate,
    pub macro_f1: Estimate,
    pub micro_f1: Estimate,
    /// Value items only: those whose gold is Support or Oppose.
    pub binary: Option<Binary>,
    /// Always answering the commonest gold of the n items, and which that is.
    pub majority: Option<f64>,
    pub majority_answer: Option<Letter>,
    /// Answering every situation with its own commonest gold, whatever the perspective.
    pub blind: Option<f64>,
    /// Accuracy minus `blind`: what is left for the perspective.
    pub above_blind: Estimate,
    /// Whether the method answers without a rationale: the baseline of the others.
    pub no_rationale: bool,
    /// Share of perspective changes with other gold where the answer changes as gold does.
    pub steerability: Estimate,
    /// Pairs of perspectives on one situation whose gold differs.
    pub perspective_changes: u64,
    /// Share of those where the answer changes at all.
    pub responsiveness: Option<f64>,
    /// Share of pairs with the same gold where the answer stays.
    pub stability: Option<f64>,
}

/// The study's binary setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Binary {
    pub n: u64,
    pub accuracy: Estimate,
    pub balanced_accuracy: Estimate,
    pub macro_f1: Estimate,
    pub micro_f1: Estimate,
}

/// What a published script prints for one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompatRow {
    pub method: String,
    pub scores: CompatScores,
}

/// One data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SetReport {
    pub dataset: String,
    /// Selected items with a known gold.
    pub items: usize,
    pub without_gold: usize,
    /// Traces past the first of a method on an item, and which of them count.
    pub further_samples: usize,
    pub samples: Samples,
    /// Situations or questions.
    pub clusters: usize,
    /// Whether the items are values, rights and duties on situations, or groups on questions.
    pub values: bool,
    /// Over all selected items, whether or not a method ran.
    pub majority: Option<f64>,
    pub majority_answer: Option<Letter>,
    pub blind: Option<f64>,
    pub methods: Vec<MethodScore>,
    pub pairs: Vec<Pair>,
    pub groups: Vec<Groups>,
    /// Methods whose traces carry option probabilities, on items with a human distribution.
    pub distributions: Vec<DistributionScore>,
    pub compat: Vec<CompatRow>,
}

impl SetReport {
    /// "situation" or "question", in the number wanted.
    pub fn cluster_word(&self, count: usize) -> &'static str {
        match (self.values, count) {
            (true, 1) => "situation",
            (true, _) => "situations",
            (false, 1) => "question",
            (false, _) => "questions",
        }
    }

    pub fn method(&self, index: usize) -> &str {
        self.methods.get(index).map_or("", |m| &m.method)
    }
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The filter, as a query; empty selects all.
    pub filter: String,
    /// Bootstrap samples.
    pub bootstrap: usize,
    pub seed: u64,
    pub compat: Option<Compat>,
    pub sets: Vec<SetReport>,
    /// Verdicts of checks on the traces of the selection, by method and check.
    pub checks: Vec<Summary>,
    /// Validation accuracy over training, by run.
    pub curves: Vec<Curve>,
}

impl Report {
    /// Methods of all sets, in order, each once.
    pub fn methods(&self) -> Vec<MethodId> {
        let mut found: Vec<MethodId> = Vec::new();
        for score in self.sets.iter().flat_map(|s| &s.methods) {
            if found.iter().all(|m| m.0 != score.method) {
                found.push(MethodId(score.method.clone()));
            }
        }
        found
    }
}

/// A training run's validation accuracy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    pub run: String,
    /// What the run's log calls it.
    pub tag: String,
    /// Step and accuracy.
    pub points: Vec<(i64, f64)>,
    /// Share of the training rows that one step sees, where the run says.
    pub share_per_step: Option<f64>,
}

impl Curve {
    /// The curve of a run that was validated.
    pub fn of_run(run: &RunLog) -> Option<Curve> {
        let points = run.curve(run::Curve::Accuracy);
        (!points.is_empty()).then(|| Curve {
            run: run.name.clone(),
            tag: run::Curve::Accuracy.word().to_owned(),
            points: points.iter().map(|p| (p.step, p.value)).collect(),
            share_per_step: run.share_per_step,
        })
    }

    /// A level that was measured once: there is nothing to see of how it was reached.
    pub fn level(&self) -> Option<f64> {
        match self.points.as_slice() {
            [(_, value)] => Some(*value),
            _ => None,
        }
    }

    pub fn first(&self) -> Option<(i64, f64)> {
        self.points.first().copied()
    }

    /// The best point; the earlier one of equals.
    pub fn best(&self) -> Option<(i64, f64)> {
        self.points.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a })
    }

    /// The first step at which `part` of the gain from the first to the best validation was reached; `None` where
    /// nothing was gained.
    pub fn reached(&self, part: f64) -> Option<i64> {
        let (first, best) = (self.first()?.1, self.best()?.1);
        // A little less, so that the whole gain is reached at the best point, whatever rounding does.
        let wanted = first + part * (best - first) - 1e-12;
        (best > first).then(|| self.points.iter().find(|p| p.1 >= wanted).map(|p| p.0))?
    }

    /// The share of the training rows seen by a step; beyond 1 rows are seen again.
    pub fn share(&self, step: i64) -> Option<f64> {
        self.share_per_step.map(|share| share * step as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_gain_is_reached_where_the_curve_first_passes_it() {
        let curve = Curve {
            run: "sft".to_owned(),
            tag: "val/accuracy".to_owned(),
            points: vec![(0, 0.5), (10, 0.68), (20, 0.6), (30, 0.7), (40, 0.69)],
            share_per_step: Some(0.02),
        };
        assert_eq!((curve.best(), curve.reached(0.9)), (Some((30, 0.7)), Some(10)));
        assert_eq!((curve.reached(1.0), curve.share(30)), (Some(30), Some(0.6)));
        let flat = Curve { points: vec![(0, 0.5), (10, 0.4)], ..curve };
        assert_eq!((flat.reached(0.9), flat.level()), (None, None));
    }
}
