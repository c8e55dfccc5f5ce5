//! The text on the desk: its steps, its words for marking, and which characters of the output they are.
//!
//! Marks count characters of the model's output as it was written; the screen shows it with control characters
//! neutralised. A map leads from one to the other.

use crate::app::texts::Shown;
use crate::core::{Trace, annotation::Span, text::neutralise};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// A trace prepared for reading and marking.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub shown: Shown,
    /// The output as it was written.
    raw: String,
    /// Byte of `shown.text` at which each character of `raw` starts, and the end.
    starts: Vec<usize>,
    /// Bytes of `shown.text` of each word.
    pub words: Vec<Range<usize>>,
}

impl Text {
    pub fn of(trace: &Trace) -> Text {
        let shown = Shown::of_trace(trace);
        let raw = if trace.llm_output.is_empty() { trace.cot.clone() } else { trace.llm_output.clone() };
        let mut starts = Vec::with_capacity(raw.len() + 1);
        let mut at = 0;
        let mut rest = raw.chars().peekable();
        while let Some(c) = rest.next() {
            starts.push(at);
            if !(c == '\r' && rest.peek() == Some(&'\n')) {
                at += neutralise(c.encode_utf8(&mut [0; 4])).len();
            }
        }
        starts.push(at);
        let words = shown.text.unicode_word_indices().map(|(at, word)| at..at + word.len()).collect();
        Text { shown, raw, starts, words }
    }

    /// Steps of the rationale; the answer statement and what follows are none.
    pub fn steps(&self) -> usize {
        self.shown.answer_from
    }

    /// The mark over these bytes of the shown text.
    pub fn span(&self, shown: Range<usize>) -> Span {
        let start = self.starts.partition_point(|at| *at <= shown.start).saturating_sub(1);
        let end = self.starts.partition_point(|at| *at < shown.end).max(start);
        let text = self.raw.chars().skip(start).take(end - start).collect();
        Span { start, end, text }
    }

    /// The bytes of the shown text that a mark covers.
    pub fn bytes(&self, span: &Span) -> Range<usize> {
        let last = self.starts.last().copied().unwrap_or(0);
        let at = |i: usize| self.starts.get(i).copied().unwrap_or(last);
        at(span.start)..at(span.end)
    }

    /// The step that holds a byte of the shown text.
    pub fn step_at(&self, byte: usize) -> usize {
        let found = self.shown.steps.iter().position(|step| byte < step.end);
        found.unwrap_or(self.shown.steps.len().saturating_sub(1))
    }

    /// The word at, or after, a byte of the shown text.
    pub fn word_at(&self, byte: usize) -> usize {
        let found = self.words.iter().position(|word| byte < word.end);
        found.unwrap_or(self.words.len().saturating_sub(1))
    }

    /// The mark from one word to another, in either order.
    pub fn between(&self, one: usize, other: usize) -> Option<Span> {
        let (first, last) = (self.words.get(one.min(other))?, self.words.get(one.max(other))?);
        Some(self.span(first.start..last.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Item, Perspective};
    use proptest::prelude::*;

    fn text(output: &str) -> Text {
        let item = Item::value("vk", Perspective::named("Honesty"), "Keeping a found coin");
        Text::of(&Trace::new(&item, "sft".into(), output.to_owned()))
    }

    #[test]
    fn marks_count_characters_of_the_output() {
        let text = text("It\u{1b}[1m is théirs.\tTrue.\r\nAnswer: B");
        let words: Vec<&str> = text.words.iter().map(|w| &text.shown.text[w.clone()]).collect();
        let at = words.iter().position(|w| *w == "théirs").unwrap();
        let span = text.between(at + 1, at).unwrap();
        assert_eq!(span.text, "théirs.\tTrue");
        assert_eq!(&text.shown.text[text.bytes(&span)], "théirs.    True");
        assert_eq!(text.step_at(text.words[at].start), 0);
    }

    proptest! {
        #[test]
        fn any_mark_of_any_text_can_be_shown_again(output in any::<String>(), a in 0usize..50, b in 0usize..50) {
            let text = text(&output);
            if let Some(span) = text.between(a, b) {
                let bytes = text.bytes(&span);
                prop_assert!(text.shown.text.get(bytes.clone()).is_some(), "{:?} of {:?}", bytes, text.shown.text);
                prop_assert!(span.start < span.end);
                prop_assert_eq!(text.span(bytes), span);
            }
        }
    }
}
