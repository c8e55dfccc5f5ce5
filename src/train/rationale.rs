//! Synthetic rationales: which drafts are good enough to learn from, and which of those is taken.
//!
//! The right answer is given to whoever writes the drafts (Zelikman et al. 2022, STaR); the gates see to it
//! that the text leads to that answer instead of starting from it. Pure: drafts in, texts and counts out.

use crate::core::{Item, answer, parse_answer, segment};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// A text that may explain an item's gold answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub text: String,
    /// Mean log-probability of its tokens under the model that wrote it, in nats.
    pub logprob: f32,
    /// Whether the model ended it, rather than the token limit.
    pub finished: bool,
}

/// Why a draft was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Cut off by the token limit.
    Unfinished,
    /// Fewer than 12 or more than 90 words.
    Length,
    /// Does not end in the right answer, in words.
    WrongEnd,
    /// The first sentence of several gives the answer already.
    OpensWithConclusion,
    /// Shares a run of 9 words with the item, or says a sentence twice.
    Copied,
    /// A judge who sees the text alone does not find the answer.
    Inconsistent,
}

const WORDS: std::ops::RangeInclusive<usize> = 12..=90;
const COPIED: usize = 9;

/// The rationale of a draft, or the first gate that it fails.
pub fn admit(draft: &Draft, item: &Item) -> Result<String, Gate> {
    if !draft.finished {
        return Err(Gate::Unfinished);
    }
    let found = parse_answer(&draft.text, item);
    let text = crate::core::text::squeeze(answer::rationale(&draft.text, found.as_ref()));
    if !WORDS.contains(&text.split_whitespace().count()) {
        return Err(Gate::Length);
    }
    let sentences: Vec<&str> = segment::steps(&text).into_iter().map(|range| text[range].trim()).collect();
    let (Some(first), Some(last)) = (sentences.first(), sentences.last()) else { return Err(Gate::Length) };
    if !states(last, item, true) || found.is_some_and(|f| Some(f.letter) != item.gold) {
        return Err(Gate::WrongEnd);
    }
    if sentences.len() > 1 && states(first, item, false) {
        return Err(Gate::OpensWithConclusion);
    }
    let repeated = sentences.iter().enumerate().any(|(i, s)| sentences[..i].contains(s));
    if repeated || copies(&text, &item.text) {
        return Err(Gate::Copied);
    }
    Ok(text)
}

/// Whether a sentence states an answer; the right one and nothing else, where `right`.
fn states(sentence: &str, item: &Item, right: bool) -> bool {
    if item.is_value() {
        let found = parse_answer(sentence, item);
        return found.is_some_and(|f| !right || Some(f.letter) == item.gold);
    }
    let lower = sentence.to_lowercase();
    let gold = item.gold.and_then(|g| item.option_text(g)).map(str::to_lowercase);
    gold.is_some_and(|gold| lower.contains(gold.trim_end_matches('.')))
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

fn copies(text: &str, from: &str) -> bool {
    let from = words(from);
    let runs: std::collections::HashSet<&[String]> = from.windows(COPIED).collect();
    words(text).windows(COPIED).any(|run| runs.contains(run))
}

/// What the gates removed, and what was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sifted {
    pub items: usize,
    pub drafts: usize,
    pub removed: BTreeMap<Gate, usize>,
    /// Drafts that passed all gates.
    pub passed: usize,
    /// Items with a rationale.
    pub kept: usize,
}

/// Takes the best draft of each item, keeping openings varied.
#[derive(Debug, Default)]
pub struct Sieve {
    pub counts: Sifted,
    openings: HashMap<Vec<String>, usize>,
}

impl Sieve {
    /// The rationale to learn from; `None` where no draft is good enough. `consistent` is the judge.
    ///
    /// Score: mean log-probability, less 0.1 for every rationale taken before that opens with the same three
    /// words.
    pub fn take(
        &mut self,
        item: &Item,
        drafts: &[Draft],
        mut consistent: impl FnMut(&str) -> bool,
    ) -> Option<String> {
        self.counts.items += 1;
        self.counts.drafts += drafts.len();
        let mut best: Option<(f32, String)> = None;
        for draft in drafts {
            let admitted = admit(draft, item)
                .and_then(|text| if consistent(&text) { Ok(text) } else { Err(Gate::Inconsistent) });
            match admitted {
                Ok(text) => {
                    self.counts.passed += 1;
                    let used = self.openings.get(&opening(&text)).copied().unwrap_or(0);
                    let score = draft.logprob - 0.1 * used as f32;
                    if best.as_ref().is_none_or(|(s, _)| score > *s) {
                        best = Some((score, text));
                    }
                }
                Err(gate) => *self.counts.removed.entry(gate).or_default() += 1,
            }
        }
        let (_, text) = best?;
        *self.openings.entry(opening(&text)).or_default() += 1;
        self.counts.kept += 1;
        Some(text)
    }
}

fn opening(text: &str) -> Vec<String> {
    words(text).into_iter().take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Letter, Perspective};

    fn item() -> Item {
        let text = "Reading a teenage daughter's diary after she stops eating dinner with the family";
        let mut item = Item::value("vk", Perspective::named("Right to privacy"), text);
        item.gold = Some(Letter::B);
        item
    }

    fn draft(text: &str) -> Draft {
        Draft { text: text.to_owned(), logprob: -1.0, finished: true }
    }

    const GOOD: &str = "A diary is written for nobody else, and she has earned a corner of her own. That claim opposes turning the lock.";

    #[test]
    fn each_gate_is_hit_by_its_own_fault() {
        for (text, want) in [
            (GOOD, None),
            ("That claim opposes it.", Some(Gate::Length)),
            (
                "A diary is written for nobody else, and she has earned a corner of her own. That claim supports it.",
                Some(Gate::WrongEnd),
            ),
            (
                "Privacy opposes this. A diary is written for nobody else to read, which is why privacy opposes it.",
                Some(Gate::OpensWithConclusion),
            ),
            (
                "Here is reading a teenage daughter's diary after she stops eating dinner. That is why it opposes it.",
                Some(Gate::Copied),
            ),
        ] {
            assert_eq!(admit(&draft(text), &item()).err(), want, "{text}");
        }
        assert_eq!(admit(&Draft { finished: false, ..draft(GOOD) }, &item()), Err(Gate::Unfinished));
        let with_letter = draft(&format!("{GOOD}\nAnswer: B"));
        assert_eq!(admit(&with_letter, &item()).as_deref(), Ok(GOOD));
    }

    #[test]
    fn the_best_is_taken_and_openings_vary() {
        let other = "Her words were meant for her alone and trust is slow to mend once it breaks. So it opposes that.";
        let drafts =
            [Draft { logprob: -0.5, ..draft(GOOD) }, Draft { logprob: -0.55, ..draft(other) }, draft("No.")];
        let mut sieve = Sieve::default();
        assert_eq!(sieve.take(&item(), &drafts, |_| true).as_deref(), Some(GOOD));
        assert_eq!(sieve.take(&item(), &drafts, |_| true).as_deref(), Some(other));
        assert_eq!(sieve.take(&item(), &drafts, |_| false), None);
        let want = BTreeMap::from([(Gate::Length, 3), (Gate::Inconsistent, 2)]);
        assert_eq!((sieve.counts.kept, sieve.counts.passed, sieve.counts.removed), (2, 4, want));
    }
}
