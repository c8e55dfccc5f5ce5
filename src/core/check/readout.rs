//! Reads an answer off as probabilities: what is put after a rationale, and what the scores then mean.
//!
//! By letters: `Answer:`, then ` A`, ` B`…: one token each. By words: a plain sentence that ends in the verdict.
//! A candidate of several tokens counts with the *sum* of their log-probabilities, never the mean: it is then
//! the probability that exactly this text follows, and the candidates are disjoint events. Long options are
//! improbable by that measure, which is why the mass off the options is always reported beside.

use super::{Readout, Reason, Scores, Scoring};
use crate::core::{Item, Kind};
use serde::{Deserialize, Serialize};

/// The probabilities of the options after some text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// In the order of the item's options; they add up to 1.
    pub p: Vec<f64>,
    /// Probability of anything but the candidates, 0 to 1.
    pub off: f64,
}

impl Distribution {
    /// Renormalises over the options; `None` when some number is none, or no option has any mass.
    ///
    /// ```
    /// use pluriscope::core::check::Distribution;
    /// let d = Distribution::of(&[0.3f64.ln(), 0.1f64.ln()]).unwrap();
    /// assert!((d.p[0] - 0.75).abs() < 1e-12 && (d.off - 0.6).abs() < 1e-12);
    /// ```
    pub fn of(logprobs: &[f64]) -> Option<Distribution> {
        let most = logprobs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !most.is_finite() || logprobs.iter().any(|l| l.is_nan()) {
            return None;
        }
        // Relative to the largest, so that options of many tokens do not all underflow to 0.
        let weights: Vec<f64> = logprobs.iter().map(|l| (l - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mass: f64 = logprobs.iter().map(|l| l.exp()).sum();
        Some(Distribution {
            p: weights.into_iter().map(|w| w / sum).collect(),
            off: (1.0 - mass).clamp(0.0, 1.0),
        })
    }

    /// The most probable option; ties go to the first.
    pub fn best(&self) -> usize {
        let mut best = 0;
        for (i, p) in self.p.iter().enumerate() {
            if *p > self.p[best] {
                best = i;
            }
        }
        best
    }

    /// In nats.
    pub fn entropy(&self) -> f64 {
        -self.p.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>()
    }
}

/// Distributions of all readouts of a reply.
pub(crate) fn distributions(scores: &[Scores], options: usize) -> Result<Vec<Distribution>, Reason> {
    scores
        .iter()
        .map(|s| {
            let read = Distribution::of(&s.logprobs).filter(|d| d.p.len() == options);
            read.ok_or_else(|| Reason::ModelFailed("the model gives no option any probability".into()))
        })
        .collect()
}

/// What is scored after `text`: a rationale, a part of one, or nothing.
pub fn readout(item: &Item, scoring: Scoring, text: &str) -> Readout {
    let (suffix, candidates) = match scoring {
        Scoring::Letters => {
            ("Answer:".to_owned(), item.options.iter().map(|c| format!(" {}", c.letter)).collect())
        }
        Scoring::Words => in_words(item),
    };
    let text = text.trim_end();
    let context = if text.is_empty() { suffix } else { format!("{text}\n{suffix}") };
    Readout { context, candidates }
}

/// A sentence that the options can end.
///
/// For value items the words follow the perspective's name: of the suffixes tried on SmolLM2 (planted rationales
/// for and against), this one moved most with the rationale, and bare letters not at all.
fn in_words(item: &Item) -> (String, Vec<String>) {
    if item.is_value() {
        let who = match item.perspective.kind {
            Kind::Demographic => "this person".to_owned(),
            kind => format!("the {} \"{}\"", kind.word(), item.perspective.name),
        };
        let candidates = [" supports", " opposes", " could go either way"].map(str::to_owned).to_vec();
        return (format!("So {who}"), candidates);
    }
    let candidates =
        item.options.iter().map(|c| format!(" {}", c.text.trim().trim_end_matches('.'))).collect();
    ("So the answer is:".to_owned(), candidates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Perspective;
    use proptest::prelude::*;

    #[test]
    fn suffixes_follow_the_item_and_the_scoring() {
        let item = Item::value("vk", Perspective::named("Right to privacy"), "Reading a diary");
        let read = readout(&item, Scoring::Letters, "It is hers. ");
        assert_eq!(read.context, "It is hers.\nAnswer:");
        assert_eq!(read.candidates, [" A", " B", " C"]);
        let read = readout(&item, Scoring::Words, "");
        assert_eq!(read.context, "So the right \"Right to privacy\"");
        assert_eq!(read.candidates, [" supports", " opposes", " could go either way"]);
    }

    #[test]
    fn long_options_do_not_underflow() {
        let d = Distribution::of(&[-2000.0, -2000.0 + 3f64.ln()]).unwrap();
        assert!((d.p[1] - 0.75).abs() < 1e-9);
        assert!((d.off - 1.0).abs() < 1e-12);
        assert_eq!(Distribution::of(&[f64::NEG_INFINITY; 2]), None);
        assert_eq!(Distribution::of(&[f64::NAN, 0.0]), None);
        assert_eq!(Distribution::of(&[]), None);
    }

    proptest! {
        #[test]
        fn probabilities_are_probabilities(logprobs in prop::collection::vec(-50f64..0.0, 1..11)) {
            let d = Distribution::of(&logprobs).unwrap();
            prop_assert!((d.p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(d.p.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!((0.0..=1.0).contains(&d.off));
            prop_assert!(d.entropy() >= -1e-12 && d.entropy() <= (logprobs.len() as f64).ln() + 1e-9);
            prop_assert!(d.p.iter().all(|p| *p <= d.p[d.best()]));
        }
    }
}
