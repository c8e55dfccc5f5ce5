//! Synthetic rationales: which drafts are good enough to learn from, and which of those is taken.
//!
//! The right answer is given to whoever writes the drafts (Zelikman et al. 2022, STaR); the gates see to it
//! that the text leads to that answer instead of starting from it. Pure: drafts in, texts and counts out.

use crate::core::{Item, Kind, Letter, answer, parse_answer, segment};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Who writes drafts, how many, and who judges them: what decides the rationales, besides the items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftSettings {
    /// Model reference of the writer, and its adapter.
    pub writer: String,
    pub adapter: Option<String>,
    /// Model reference of the judge, with `+` and its adapter where it has one; without a judge that gate is open.
    pub judge: Option<String>,
    /// Drafts of each item.
    pub drafts: u32,
    /// Id and hash of the prompt that gives the right answer away.
    pub template: String,
    pub seed: u64,
}

/// A text that may explain an item's gold answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub text: String,
    /// Mean log-probability of its tokens, in nats: under the model that wrote it, or, where a server does not tell,
    /// under the model that shall learn it. Unknown where nobody needed it.
    pub logprob: Option<f32>,
    /// Whether the model ended it, rather than the token limit.
    pub finished: bool,
    /// Why there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    #[serde(default)]
    pub judged: Judged,
}

/// What a judge made of a draft's rationale, without knowing the perspective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    #[default]
    NotAsked,
    /// It names no option.
    Unclear,
    LeadsTo(Letter),
}

/// Why a draft was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The writer failed: a server refused, or its filter stopped the text.
    Unwritten,
    /// Cut off by the token limit.
    Unfinished,
    /// Fewer than 12 or more than 90 words.
    Length,
    /// Does not end in the right answer, in words.
    WrongEnd,
    /// The first sentence of several gives the answer already; of a survey also: what introduces the option at the end
    /// opens the text, or hardly anything comes before it.
    OpensWithConclusion,
    /// Shares a run of 9 words with the item, or says a sentence or a run of 4 words twice.
    Copied,
    /// A judge who sees the text without the perspective finds another answer.
    Inconsistent,
    /// That judge names no option.
    Unjudged,
}

const WORDS: std::ops::RangeInclusive<usize> = 12..=90;
const COPIED: usize = 9;
const REPEATED: usize = 4;
/// Words before a survey's option.
const BEFORE: usize = 8;

/// The rationale of a draft, or the first gate that it fails; what a judge says comes after these.
pub fn admit(draft: &Draft, item: &Item) -> Result<String, Gate> {
    if draft.problem.is_some() {
        return Err(Gate::Unwritten);
    }
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
    if (sentences.len() > 1 && states(first, item, false)) || !argues(&text, item) {
        return Err(Gate::OpensWithConclusion);
    }
    let repeated = sentences.iter().enumerate().any(|(i, s)| sentences[..i].contains(s));
    if repeated || repeats(&text) || copies(&text, &item.text) {
        return Err(Gate::Copied);
    }
    Ok(text)
}

/// Whether a sentence states an answer; where `right`, the right one and nothing else. Of a survey: whether it mentions the
/// gold option; where `right`, whether it ends in that and in no longer one.
fn states(sentence: &str, item: &Item, right: bool) -> bool {
    if item.is_value() {
        let found = parse_answer(sentence, item);
        return found.is_some_and(|f| !right || Some(f.letter) == item.gold);
    }
    let gold = item.gold.and_then(|g| item.option_text(g));
    if !surveyed(item) {
        // "The right opposes it": a verdict, where the option is "oppose".
        let lower = sentence.to_lowercase();
        return gold.is_some_and(|gold| lower.contains(gold.to_lowercase().trim_end_matches('.')));
    }
    let said = words(sentence);
    let mut options = item.options.iter().map(|o| (o.letter, words(&o.text))).filter(|(_, o)| !o.is_empty());
    if right {
        // "Not at all important" ends as "important" does: the longest option counts.
        let last =
            options.filter(|(_, option)| said.ends_with(option)).max_by_key(|(_, option)| option.len());
        return last.is_some_and(|(letter, _)| Some(letter) == item.gold);
    }
    let gold = options.find(|(letter, _)| Some(*letter) == item.gold);
    gold.is_some_and(|(_, option)| said.windows(option.len()).any(|run| run == option))
}

/// Whether a group was asked, and chose among words of the question's own.
fn surveyed(item: &Item) -> bool {
    item.perspective.kind == Kind::Demographic
}

/// Whether something comes before a survey's option and what introduces it ("they chose"): a small model learns soonest to
/// say just that.
fn argues(text: &str, item: &Item) -> bool {
    let gold = item.gold.and_then(|g| item.option_text(g)).filter(|_| surveyed(item)).map(words);
    let said = words(text);
    let before = gold.as_ref().and_then(|gold| said.strip_suffix(gold.as_slice()));
    before.is_none_or(|before| before.len() >= BEFORE && !before.ends_with(&before[..2]))
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

/// Whether a run of words comes twice: by its most probable text a small model that learnt from such goes round in circles.
fn repeats(text: &str) -> bool {
    let mut seen = HashSet::new();
    words(text).windows(REPEATED).any(|run| !seen.insert(run.to_vec()))
}

fn copies(text: &str, from: &str) -> bool {
    let from = words(from);
    let runs: HashSet<&[String]> = from.windows(COPIED).collect();
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
    /// The rationale to learn from; `None` where no draft is good enough.
    ///
    /// Score: mean log-probability, less 0.1 for every rationale taken before that opens with the same three
    /// words.
    pub fn take(&mut self, item: &Item, drafts: &[Draft]) -> Option<String> {
        self.counts.items += 1;
        self.counts.drafts += drafts.len();
        let mut best: Option<(f32, String)> = None;
        for draft in drafts {
            let admitted = admit(draft, item).and_then(|text| match draft.judged {
                Judged::Unclear => Err(Gate::Unjudged),
                Judged::LeadsTo(letter) if Some(letter) != item.gold => Err(Gate::Inconsistent),
                Judged::NotAsked | Judged::LeadsTo(_) => Ok(text),
            });
            match admitted {
                Ok(text) => {
                    self.counts.passed += 1;
                    let used = self.openings.get(&opening(&text)).copied().unwrap_or(0);
                    let score = draft.logprob.unwrap_or(0.0) - 0.1 * used as f32;
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
    use crate::core::Perspective;

    fn item() -> Item {
        let text = "Reading a teenage daughter's diary after she stops eating dinner with the family";
        let mut item = Item::value("vk", Perspective::named("Right to privacy"), text);
        item.gold = Some(Letter::B);
        item
    }

    fn draft(text: &str) -> Draft {
        let text = text.to_owned();
        Draft { text, logprob: Some(-1.0), finished: true, problem: None, judged: Judged::NotAsked }
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
            (
                "A diary is hers, and a diary is hers, and a diary is hers alone to read. That claim opposes it.",
                Some(Gate::Copied),
            ),
        ] {
            assert_eq!(admit(&draft(text), &item()).err(), want, "{text}");
        }
        let refused = Draft { problem: Some("429".to_owned()), ..draft("") };
        assert_eq!(admit(&refused, &item()), Err(Gate::Unwritten));
        assert_eq!(admit(&Draft { finished: false, ..draft(GOOD) }, &item()), Err(Gate::Unfinished));
        let with_letter = draft(&format!("{GOOD}\nAnswer: B"));
        assert_eq!(admit(&with_letter, &item()).as_deref(), Ok(GOOD));
    }

    #[test]
    fn a_survey_rationale_ends_in_the_words_of_the_option_and_of_no_other() {
        let options = ["Important", "Not at all important", "No", "Rather less important than it used to be"];
        let perspective = Perspective::demographic("AGE", "65+");
        let mut item = Item::new("oq", perspective, "How important is a garden to you?", &options);
        let because = "Many have tended one for longer than their neighbours have lived there.";
        for (gold, end, want) in [
            (Letter::A, "So they chose: Important.", None),
            (Letter::B, "So they chose: Not at all important.", None),
            (Letter::A, "So they chose: Not at all important.", Some(Gate::WrongEnd)),
            (Letter::B, "So they chose: Important.", Some(Gate::WrongEnd)),
            // Neither a part of a word nor words on the way are the answer.
            (Letter::C, "So that is all that they know.", Some(Gate::WrongEnd)),
            (Letter::C, "So they chose: No, they should have one.", Some(Gate::WrongEnd)),
        ] {
            item.gold = Some(gold);
            assert_eq!(admit(&draft(&format!("{because} {end}")), &item).err(), want, "{end}");
        }
        for (gold, told) in [
            (
                Letter::B,
                "They chose what their neighbours have, a tidy one. They chose: Not at all important.",
            ),
            (
                Letter::from_index(3).unwrap(),
                "As it is, they chose: Rather less important than it used to be.",
            ),
        ] {
            item.gold = Some(gold);
            assert_eq!(admit(&draft(told), &item), Err(Gate::OpensWithConclusion), "{told}");
        }
        item.gold = Some(Letter::A);
        let told = "It is important to them from the start. Many have tended one for years. So they chose: Important.";
        assert_eq!(admit(&draft(told), &item), Err(Gate::OpensWithConclusion));
    }

    #[test]
    fn the_best_is_taken_and_openings_vary() {
        let other = "Her words were meant for her alone and trust is slow to mend once it breaks. So it opposes that.";
        let drafts = [
            Draft { logprob: Some(-0.5), ..draft(GOOD) },
            Draft { logprob: Some(-0.55), ..draft(other) },
            draft("No."),
        ];
        let mut sieve = Sieve::default();
        assert_eq!(sieve.take(&item(), &drafts).as_deref(), Some(GOOD));
        assert_eq!(sieve.take(&item(), &drafts).as_deref(), Some(other));
        let want = BTreeMap::from([(Gate::Length, 2)]);
        assert_eq!((sieve.counts.kept, sieve.counts.passed, sieve.counts.removed), (2, 4, want));
    }

    #[test]
    fn the_judge_removes_what_leads_elsewhere_or_nowhere_and_each_is_counted() {
        let judged =
            [Judged::LeadsTo(Letter::A), Judged::Unclear, Judged::LeadsTo(Letter::B), Judged::NotAsked];
        let drafts = judged.map(|judged| Draft { judged, ..draft(GOOD) });
        let mut sieve = Sieve::default();
        assert_eq!(sieve.take(&item(), &drafts[..2]), None);
        assert_eq!(sieve.take(&item(), &drafts[2..3]).as_deref(), Some(GOOD));
        assert_eq!(sieve.take(&item(), &drafts[3..]).as_deref(), Some(GOOD));
        let want = BTreeMap::from([(Gate::Inconsistent, 1), (Gate::Unjudged, 1)]);
        assert_eq!((sieve.counts.passed, sieve.counts.removed), (2, want));
    }
}
