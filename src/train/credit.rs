//! Which tokens of a rollout a reward is put down to.
//!
//! GRPO gives every token of a rollout the same advantage. Of a rationale of forty tokens one word decides the answer,
//! and what the other thirty-nine add to the gradient is noise: in a model that reasons before it knows, all of it.
//! [`Credit::Verdict`] leaves them out. What is credited begins a few words before the one that first states the
//! answer, so that "could go either way" is credited as a whole; with the rest of the rationale as it was written, it
//! is still the exact policy gradient for these tokens. It teaches where to arrive, not how to get there.

use crate::core::{Item, parse_answer};
use serde::{Deserialize, Serialize};

/// What a reward is put down to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credit {
    /// Every token of the rollout.
    #[default]
    Rollout,
    /// The words that state the answer, and what follows them.
    Verdict,
}

/// Words before the one that states the answer which belong to the statement.
const LEAD: usize = 3;

/// The byte of `text` where its answer's statement begins: [`LEAD`] words before the word from which on no longer part
/// of the text has another answer than the whole. 0 where there is no answer.
///
/// ```
/// use pluriscope::{core::{Item, Perspective}, train::credit::statement};
/// let item = Item::value("vk", Perspective::named("Privacy"), "Reading a diary");
/// let text = "It lay open. Her trust, and privacy, oppose it.\nAnswer: B";
/// assert_eq!(&text[statement(text, &item)..], " trust, and privacy, oppose it.\nAnswer: B");
/// ```
pub fn statement(text: &str, item: &Item) -> usize {
    let Some(answer) = parse_answer(text, item) else { return 0 };
    let starts = word_starts(text);
    let mut first = starts.len() - 1;
    // From the end, until a shorter part has another answer; "Answer:" and the like have none yet.
    for word in (0..first).rev() {
        match parse_answer(&text[..starts[word + 1]], item) {
            Some(found) if found.letter == answer.letter => first = word,
            Some(_) => break,
            None => {}
        }
    }
    starts[first.saturating_sub(LEAD)]
}

/// Where words begin, with the white space before them.
fn word_starts(text: &str) -> Vec<usize> {
    let mut starts = vec![0];
    let mut in_word = !text.starts_with(char::is_whitespace);
    for (at, c) in text.char_indices() {
        if in_word && c.is_whitespace() {
            starts.push(at);
        }
        in_word = !c.is_whitespace();
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Letter, Perspective};
    use proptest::prelude::*;

    fn credited(text: &str) -> &str {
        let item = Item::value("vk", Perspective::named("Privacy"), "Reading a diary");
        &text[statement(text, &item)..]
    }

    #[test]
    fn what_states_the_answer_is_credited() {
        for (text, want) in [
            ("It is hers. Privacy opposes it.\nAnswer: B", " is hers. Privacy opposes it.\nAnswer: B"),
            (
                "For one it helps, for another it hurts, so it could go either way.\nAnswer: C",
                " it could go either way.\nAnswer: C",
            ),
            // The words say one thing and the letter another: the letter is what counts.
            ("Privacy supports it, one would think.\nAnswer: B", " would think.\nAnswer: B"),
            // A first verdict that is taken back does not count.
            (
                "Privacy supports it. But no, in the end it opposes it.\nAnswer: B",
                " the end it opposes it.\nAnswer: B",
            ),
            ("Answer: A", "Answer: A"),
            ("Nobody can say.", "Nobody can say."),
            ("", ""),
        ] {
            assert_eq!(credited(text), want);
        }
    }

    proptest! {
        #[test]
        fn it_begins_at_a_word_and_holds_the_answer(text in "(it|so|supports|opposes|either|not|\\.|\n|Answer: [AB]| ){0,30}") {
            let item = Item::value("vk", Perspective::named("Privacy"), "Reading a diary");
            let at = statement(&text, &item);
            prop_assert!(at == 0 || text[at..].starts_with(char::is_whitespace));
            if let Some(answer) = parse_answer(&text, &item) {
                prop_assert!(answer.letter <= Letter::C);
                prop_assert!(at < text.len());
            } else {
                prop_assert_eq!(at, 0);
            }
        }
    }
}
