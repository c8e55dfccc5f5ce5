//! The verdict after a rationale that the policy wrote: what is learnt where the verdict is weighed, not drawn.
//!
//! GRPO draws a whole rollout and gives each of its tokens the same advantage, though one word of a rationale of forty
//! tokens decides the answer. The verdict can be weighed instead: the policy writes a rationale, and in the place of its
//! own verdict the probability of the right word, among the words that could stand there, is what is raised, by exactly
//! its gradient. The logarithm of that probability, averaged over rationales, is a lower bound of the right answer's
//! (Jensen), as in Tang et al. 2025 (JEPO); Zhou et al. 2025 (VeriFree) take the probability itself. Of the two terms of
//! either this is the one that teaches where to arrive; the other, which teaches the rationale that leads there, is
//! GRPO's affair. Only the odds of these words are learnt: raising the right one against all words teaches to come to the
//! verdict sooner, and rationales shrink (`tests/bench/LOG.md`).

use crate::core::{Item, Letter, check::edits::opposite, parse_answer};
use serde::{Deserialize, Serialize};

/// What a step of reinforcement learning learns from a rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lesson {
    /// The whole rollout, by its reward against those of its group.
    #[default]
    Rollout,
    /// The right verdict after its rationale.
    Verdict,
}

/// Where a text states its answer, and the words that could stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The byte of the text where the word begins, white space before it included.
    pub at: usize,
    /// " opposes" and " supports", or " B", " A" and " C": the right one first.
    pub words: Vec<String>,
}

/// The first statement of the answer of `text`: the word from which on no longer part of the text has another answer than
/// the whole. `None` where there is no answer, and where the right word would not fit: a sentence that supports or
/// opposes has no place for "either".
///
/// ```
/// use pluriscope::{core::{Item, Letter, Perspective}, train::verdict::{Verdict, verdict}};
/// let mut item = Item::value("vk", Perspective::named("Privacy"), "Reading a diary");
/// item.gold = Some(Letter::B);
/// let text = "It lay open, so privacy supports it.\nAnswer: A";
/// let words = [" opposes", " supports"].map(str::to_owned).to_vec();
/// assert_eq!(verdict(text, &item), Some(Verdict { at: 23, words }));
/// ```
pub fn verdict(text: &str, item: &Item) -> Option<Verdict> {
    let (gold, answer) = (item.gold?, parse_answer(text, item)?);
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
    let (at, end) = (starts[first], starts.get(first + 1).copied().unwrap_or(text.len()));
    let word = text[at..end].trim_end_matches(|c: char| !c.is_alphanumeric());
    // Another word is good where it says what it should.
    let says = |word: &String, letter: Letter| {
        let told = parse_answer(&format!("{}{word}", &text[..at]), item);
        told.is_some_and(|told| told.letter == letter)
    };
    let saying = |letter: Letter| {
        let own = (letter == answer.letter).then(|| word.to_owned());
        let lettered = word.strip_suffix(answer.letter.as_char()).map(|before| format!("{before}{letter}"));
        own.or(lettered).into_iter().chain(opposite(word)).find(|word| says(word, letter))
    };
    let right = saying(gold)?;
    let others = item.options.iter().map(|option| option.letter).filter(|letter| *letter != gold);
    let words: Vec<String> = std::iter::once(right).chain(others.filter_map(saying)).collect();
    (words.len() > 1).then_some(Verdict { at, words })
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
    use crate::core::Perspective;
    use proptest::prelude::*;

    fn item(gold: Letter) -> Item {
        let mut item = Item::value("vk", Perspective::named("Privacy"), "Reading a diary");
        item.gold = Some(gold);
        item
    }

    /// The text up to the verdict, and the words that could stand there.
    fn weighed(text: &str, gold: Letter) -> Option<String> {
        let found = verdict(text, &item(gold))?;
        Some(format!("{}|{}", &text[..found.at], found.words.join("|")))
    }

    #[test]
    fn the_word_that_states_the_answer_is_weighed_against_its_opposite() {
        for (text, gold, want) in [
            ("Privacy opposes it.\nAnswer: B", Letter::A, Some("Privacy| supports| opposes")),
            ("Privacy opposes it.\nAnswer: B", Letter::B, Some("Privacy| opposes| supports")),
            (
                "It would be, she says, opposing.\nAnswer: B",
                Letter::A,
                Some("It would be, she says,| supporting| opposing"),
            ),
            // No word makes such a sentence an "either", nor the other way round.
            ("Privacy opposes it.\nAnswer: B", Letter::C, None),
            ("It could go either way.\nAnswer: C", Letter::A, None),
            ("It could go either way.\nAnswer: C", Letter::C, None),
            // The words say one thing and the letter another: the letter is what counts.
            (
                "Privacy supports it, one would think.\nAnswer: B",
                Letter::A,
                Some("Privacy supports it, one would think.\nAnswer:| A| B| C"),
            ),
            // A first verdict that is taken back does not count.
            (
                "Privacy supports it. But in the end it opposes it.\nAnswer: B",
                Letter::A,
                Some("Privacy supports it. But in the end it| supports| opposes"),
            ),
            ("Answer: A", Letter::C, Some("Answer:| C| A| B")),
            ("Support.\nAnswer: A", Letter::B, Some("|Oppose|Support")),
            ("Nobody can say.", Letter::A, None),
            ("", Letter::A, None),
        ] {
            assert_eq!(weighed(text, gold).as_deref(), want, "{text:?} {gold}");
        }
    }

    #[test]
    fn survey_items_have_letters_alone() {
        let mut survey = item(Letter::B);
        for option in &mut survey.options {
            option.text = format!("{} times a week", option.letter);
        }
        let text = "Old people support each other.\nAnswer: A";
        let found = verdict(text, &survey).unwrap();
        assert_eq!(
            (&text[..found.at], &found.words[..]),
            ("Old people support each other.\nAnswer:", &[" B", " A", " C"].map(str::to_owned)[..])
        );
    }

    proptest! {
        #[test]
        fn the_rationale_stays_and_the_answer_is_right(
            text in "(it|so|supports|opposes|either|not|\\.|\n|Answer: [AB]| ){0,30}",
            gold in prop::sample::select(vec![Letter::A, Letter::B, Letter::C]),
        ) {
            let item = item(gold);
            if let Some(found) = verdict(&text, &item) {
                prop_assert!(found.at == 0 || text[found.at..].starts_with(char::is_whitespace));
                let own = parse_answer(&text, &item).unwrap().letter;
                let at = found.words.iter().position(|word| text[found.at..].starts_with(word.as_str()));
                prop_assert_eq!(at == Some(0), own == gold, "{:?}", found);
                prop_assert!(at.is_some());
            }
        }
    }
}
