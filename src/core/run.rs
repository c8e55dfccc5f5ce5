//! A training run as it is looked at: its curves, settings and rollouts. Plain data; who reads the files is another
//! matter. Names of curves are those of TensorBoard logs, ours and verl's.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub step: i64,
    /// Seconds since 1970.
    pub wall: f64,
    pub value: f64,
}

/// Something that was written while training, with its reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    pub step: usize,
    /// Mean reward of the step.
    pub reward: f64,
    pub text: String,
}

/// What of a run is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    Loss,
    Reward,
    Accuracy,
    Kl,
    Length,
    Rate,
    Speed,
}

impl Curve {
    pub const ALL: [Curve; 7] =
        [Curve::Loss, Curve::Reward, Curve::Accuracy, Curve::Kl, Curve::Length, Curve::Rate, Curve::Speed];

    pub fn word(self) -> &'static str {
        match self {
            Curve::Loss => "loss",
            Curve::Reward => "reward",
            Curve::Accuracy => "validation accuracy",
            Curve::Kl => "KL to the reference",
            Curve::Length => "response length, tokens",
            Curve::Rate => "learning rate",
            Curve::Speed => "tokens per second",
        }
    }

    /// Tags that mean this, the first that a run has is taken. A name that ends in `*` is a beginning.
    fn tags(self) -> &'static [&'static str] {
        match self {
            Curve::Loss => &["train/loss", "actor/loss", "actor/pg_loss"],
            Curve::Reward => &["critic/rewards/mean", "critic/score/mean"],
            Curve::Accuracy => &["val/accuracy", "val/test_score", "val-core/*"],
            Curve::Kl => &["actor/kl_loss"],
            Curve::Length => &["response_length/mean"],
            Curve::Rate => &["train/lr", "actor/lr"],
            Curve::Speed => &["perf/tokens_per_second", "perf/throughput"],
        }
    }
}

/// A run that is alive writes something at least every so many seconds, and steps' time.
const SILENCE: f64 = 300.0;
const STEPS_OF_SILENCE: f64 = 8.0;

/// One run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunLog {
    /// The folder's name.
    pub name: String,
    /// What was trained, where the run says: a method, or `rlvr`.
    pub method: String,
    /// Curves by tag, in order of steps.
    pub series: BTreeMap<String, Vec<Point>>,
    /// Settings by name, as text.
    pub settings: Vec<(String, String)>,
    /// Steps that the run will make, where it says.
    pub steps: Option<i64>,
    /// Share of the training rows that one step sees, where it is known.
    pub share_per_step: Option<f64>,
    pub rollouts: Vec<Rollout>,
    /// What is wrong with its files.
    pub problem: Option<String>,
    /// Whether it is short of its end and nothing has come of it for long: it may have been stopped.
    pub silent: bool,
}

impl RunLog {
    /// A level of accuracy that was published or measured elsewhere.
    pub fn level(name: &str, accuracy: f64) -> RunLog {
        let point = Point { step: 0, wall: 0.0, value: accuracy };
        let series = BTreeMap::from([("val/accuracy".to_owned(), vec![point])]);
        RunLog { name: name.to_owned(), series, ..RunLog::default() }
    }

    /// The points of a curve; empty where the run has none.
    pub fn curve(&self, curve: Curve) -> &[Point] {
        for tag in curve.tags() {
            let found = match tag.strip_suffix('*') {
                Some(start) => self.series.iter().find(|(t, _)| t.starts_with(start)).map(|(_, s)| s),
                None => self.series.get(*tag),
            };
            if let Some(points) = found.filter(|p| !p.is_empty()) {
                return points;
            }
        }
        &[]
    }

    /// The last step of any curve.
    pub fn last_step(&self) -> i64 {
        self.series.values().filter_map(|points| points.last()).map(|p| p.step).max().unwrap_or(0)
    }

    /// Seconds a step took, the median over the last points: what the time left is reckoned from. A pause, or a night
    /// between an interruption and its resumption, is one long step among others.
    pub fn seconds_per_step(&self) -> Option<f64> {
        let points = self.series.values().max_by_key(|points| points.len())?;
        let last = &points[points.len().saturating_sub(12)..];
        let mut paces: Vec<f64> = last
            .windows(2)
            .filter(|pair| pair[1].step > pair[0].step)
            .map(|pair| (pair[1].wall - pair[0].wall) / (pair[1].step - pair[0].step) as f64)
            .collect();
        paces.sort_by(f64::total_cmp);
        paces.get(paces.len() / 2).copied()
    }

    /// Seconds until the end, where the run says how many steps it makes.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = (self.steps? - self.last_step()).max(0);
        Some(left as f64 * self.seconds_per_step()?)
    }

    /// Whether at this time (seconds since 1970) the run is not at its end and has been silent for far longer than its
    /// steps take.
    pub fn silent_at(&self, now: f64) -> bool {
        let walls = self.series.values().filter_map(|points| points.last()).map(|point| point.wall);
        // Who has written nothing yet has only begun.
        let Some(last) = walls.max_by(f64::total_cmp) else { return false };
        let patience = SILENCE.max(STEPS_OF_SILENCE * self.seconds_per_step().unwrap_or(0.0));
        self.steps.is_some_and(|steps| self.last_step() < steps) && now - last > patience
    }

    /// Validation accuracy against the share of training rows seen: points of the sample-efficiency figure.
    pub fn efficiency(&self) -> Vec<(f64, f64)> {
        let last = self.steps.unwrap_or_else(|| self.last_step()).max(1) as f64;
        let share = self.share_per_step.unwrap_or(1.0 / last);
        self.curve(Curve::Accuracy).iter().map(|p| (p.step as f64 * share, p.value)).collect()
    }

    /// The best validation accuracy, and at which step.
    pub fn best(&self) -> Option<(i64, f64)> {
        let points = self.curve(Curve::Accuracy).iter();
        points.max_by(|a, b| a.value.total_cmp(&b.value)).map(|p| (p.step, p.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[(i64, f64)]) -> Vec<Point> {
        values.iter().map(|&(step, value)| Point { step, wall: step as f64 * 2.0, value }).collect()
    }

    #[test]
    fn ours_and_verl_s_names_mean_the_same() {
        let mut run = RunLog { steps: Some(10), ..RunLog::default() };
        run.series
            .insert("val-core/steerable_vk/reward/mean@1".into(), points(&[(0, 0.5), (5, 0.8), (10, 0.7)]));
        run.series.insert("critic/rewards/mean".into(), points(&[(1, 0.5), (2, 0.6)]));
        assert_eq!(run.best(), Some((5, 0.8)));
        assert_eq!(run.efficiency(), [(0.0, 0.5), (0.5, 0.8), (1.0, 0.7)]);
        assert_eq!(run.curve(Curve::Reward).len(), 2);
        assert!(run.curve(Curve::Loss).is_empty());
    }

    #[test]
    fn the_time_left_is_reckoned_from_the_last_steps() {
        let mut run = RunLog { steps: Some(100), ..RunLog::default() };
        run.series.insert("train/loss".into(), points(&(1..=50).map(|s| (s, 1.0)).collect::<Vec<_>>()));
        assert_eq!(run.seconds_left(), Some(100.0));
        // A night in between changes nothing.
        run.series.values_mut().flatten().filter(|p| p.step > 45).for_each(|p| p.wall += 30_000.0);
        assert_eq!(run.seconds_left(), Some(100.0));
        assert_eq!(RunLog::default().seconds_left(), None);
    }

    #[test]
    fn a_run_that_is_silent_before_its_end_has_stopped() {
        let mut run = RunLog { steps: Some(100), ..RunLog::default() };
        assert!(!run.silent_at(1e9), "it has only begun");
        let points =
            |seconds: f64| (1..=10).map(move |step| Point { step, wall: step as f64 * seconds, value: 0.5 });
        run.series.insert("train/loss".into(), points(2.0).collect());
        assert!(!run.silent_at(21.0) && !run.silent_at(319.0) && run.silent_at(321.0));
        // Slow steps need more patience.
        run.series.insert("train/loss".into(), points(60.0).collect());
        assert!(!run.silent_at(600.0 + 479.0) && run.silent_at(600.0 + 481.0));
        run.steps = Some(10);
        assert!(!run.silent_at(1e9), "it is at its end");
        run.steps = None;
        assert!(!run.silent_at(1e9), "nobody knows its end");
    }
}
