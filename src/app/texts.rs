//! Texts at hand: traces and items read from their files, prepared for showing, least used forgotten first.

use super::event::Record;
use crate::core::{Item, Trace, answer, corpus::Loc, segment, text::neutralise};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

/// How many lines are kept.
const KEPT: usize = 400;

/// A text that was cleaned for the terminal and split in steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// All that the model wrote, foreign control characters neutralised.
    pub text: String,
    /// Byte ranges of the steps; their concatenation is `text`.
    pub steps: Vec<Range<usize>>,
    /// Index of the first step that is no longer rationale: the answer statement and what follows it.
    pub answer_from: usize,
}

impl Shown {
    /// Prepares a finished trace.
    pub fn of_trace(trace: &Trace) -> Shown {
        let output = if trace.llm_output.is_empty() { &trace.cot } else { &trace.llm_output };
        let cut = if output.starts_with(&trace.cot) {
            trace.cot.len()
        } else {
            // The file's own rationale is not a prefix: the study's rule says where it ends.
            answer::study_cut(output)
        };
        Shown::split(output, cut)
    }

    /// Prepares text that is still being written.
    pub fn of_text(text: &str) -> Shown {
        Shown::split(text, text.len())
    }

    fn split(output: &str, cut: usize) -> Shown {
        let cut = (0..=cut.min(output.len())).rev().find(|i| output.is_char_boundary(*i)).unwrap_or(0);
        let rationale = neutralise(output[..cut].trim_end());
        let rest = neutralise(&output[output[..cut].trim_end().len()..]);
        let lead = rest.len() - rest.trim_start().len();
        let text = format!("{rationale}{rest}");
        // White space between the two belongs to the rationale's last step.
        let border = rationale.len() + lead;
        let mut steps = segment::steps(&text[..border]);
        let answer_from = steps.len();
        steps.extend(segment::steps(&text[border..]).into_iter().map(|r| r.start + border..r.end + border));
        Shown { text, steps, answer_from }
    }

    /// The step's text without the white space around it, and where it starts.
    pub fn step(&self, index: usize) -> Option<(usize, &str)> {
        let range = self.steps.get(index)?.clone();
        let raw = self.text.get(range.clone())?;
        let lead = raw.len() - raw.trim_start().len();
        Some((range.start + lead, raw.trim()))
    }
}

/// A line that was read.
#[derive(Clone, Debug)]
pub struct Entry {
    pub item: Option<Arc<Item>>,
    pub trace: Option<Arc<Trace>>,
    pub shown: Arc<Shown>,
}

/// The cache.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    entries: HashMap<Loc, (u64, Result<Entry, String>)>,
    pending: HashSet<Loc>,
    turn: u64,
}

/// What is known of a line.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    Ready(&'a Entry),
    Pending,
    Failed(&'a str),
}

impl Texts {
    /// What is at hand, without asking for more: for drawing.
    pub fn get(&self, loc: Loc) -> Lookup<'_> {
        match self.entries.get(&loc) {
            Some((_, Ok(entry))) => Lookup::Ready(entry),
            Some((_, Err(problem))) => Lookup::Failed(problem),
            None => Lookup::Pending,
        }
    }

    /// Marks lines as used and returns those that must be read.
    pub fn want(&mut self, locs: impl IntoIterator<Item = Loc>) -> Vec<Loc> {
        self.turn += 1;
        let mut missing = Vec::new();
        for loc in locs {
            match self.entries.get_mut(&loc) {
                Some((used, _)) => *used = self.turn,
                None if self.pending.insert(loc) => missing.push(loc),
                None => {}
            }
        }
        missing
    }

    /// Keeps what was read.
    pub fn put(&mut self, loc: Loc, record: Result<Record, String>) {
        self.pending.remove(&loc);
        let entry = record.map(|record| Entry {
            shown: Arc::new(record.trace.as_deref().map(Shown::of_trace).unwrap_or_default()),
            item: record.item,
            trace: record.trace,
        });
        self.entries.insert(loc, (self.turn, entry));
        if self.entries.len() > KEPT {
            let mut ages: Vec<(u64, Loc)> =
                self.entries.iter().map(|(loc, (used, _))| (*used, *loc)).collect();
            ages.sort_unstable();
            for (_, loc) in ages.into_iter().take(KEPT / 4) {
                self.entries.remove(&loc);
            }
        }
    }

    /// Forgets everything: another corpus is shown.
    pub fn clear(&mut self) {
        *self = Texts::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Item, Perspective};

    fn shown(output: &str) -> Shown {
        let item = Item::value("vk", Perspective::named("Honesty"), "Keeping a found coin");
        Shown::of_trace(&Trace::new(&item, "sft".into(), output.to_owned()))
    }

    #[test]
    fn nothing_of_the_output_is_hidden() {
        let output = "<think>hm</think> It is not theirs. So no.\nAnswer: B\nThank you.";
        let shown = shown(output);
        assert_eq!(shown.text, output);
        assert_eq!(shown.answer_from, 2);
        assert_eq!(shown.step(2).map(|s| s.1), Some("Answer: B"));
        assert_eq!(shown.step(3).map(|s| s.1), Some("Thank you."));
    }

    #[test]
    fn escapes_are_neutralised_and_old_entries_forgotten() {
        assert!(!shown("a\u{1b}[2Jb\nAnswer: A").text.contains('\u{1b}'));
        let mut texts = Texts::default();
        for offset in 0..1000 {
            let loc = Loc { file: 0, offset, len: 1 };
            assert_eq!(texts.want([loc]), [loc]);
            texts.put(loc, Ok(Record { item: None, trace: None }));
        }
        assert!(texts.entries.len() <= KEPT);
    }
}
