//! Reads the answer out of what a model wrote, and says by which rule.

use super::{Item, Letter};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::LazyLock};

/// The rule that found an answer, strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerRule {
    /// The study's: the last `Answer: X`, X a letter that stands alone.
    AnswerLine,
    /// "the answer is (B)", "**Answer:** B", "final answer — option B".
    MarkedLetter,
    /// An answer marker followed by an option's text: "Answer: Oppose".
    MarkedText,
    /// A line that names an option by letter and text, "B. Oppose", and no line that names another.
    OptionLine,
    /// The last line is nothing but a letter, "(B)" or "B.".
    LoneLetter,
    /// The last line is nothing but an option's text.
    LoneText,
    /// The last sentence states exactly one verdict: "… so this right opposes it."
    VerdictWord,
}

impl AnswerRule {
    /// In words, for the screen.
    pub fn words(self) -> &'static str {
        match self {
            AnswerRule::AnswerLine => "answer line",
            AnswerRule::MarkedLetter => "letter after an answer marker",
            AnswerRule::MarkedText => "option text after an answer marker",
            AnswerRule::OptionLine => "option line",
            AnswerRule::LoneLetter => "lone letter on the last line",
            AnswerRule::LoneText => "lone option text on the last line",
            AnswerRule::VerdictWord => "verdict word in the last sentence",
        }
    }
}

/// An answer, its rule, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub letter: Letter,
    pub rule: AnswerRule,
    /// Bytes of the statement, marker included: what is cut from the output to leave the rationale.
    pub span: Range<usize>,
}

static ANSWER_LINE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"Answer:\s*([A-Za-z])").ok());
static MARKER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:final\s+|best\s+|correct\s+)?(?:answer|choice|verdict)\b(?:\s+option)?[\s*_:=–—-]*(?:\bis\b|\bwould be\b)?(?:\s+(?:indeed|therefore|thus|clearly|definitely|simply))?[\s*_:=–—-]*(?:option\b\s*)?")
        .ok()
});
static LETTER_AT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^[\s*_("'\[“]*([A-Za-z])(?:[\s*_)"'\].,:;”]|$)"#).ok());
static LONE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^[\s*_("'\[]*([A-Za-z])[\s*_)"'\].]*$"#).ok());

/// The study's parser to the letter: the last `Answer:\s*([A-Za-z])`, whatever follows the letter.
///
/// ```
/// assert_eq!(pluriscope::core::answer::study_letter("Answer: A. No, Answer: Both"), Some('B'));
/// ```
pub fn study_letter(output: &str) -> Option<char> {
    let found = ANSWER_LINE.as_ref()?.captures_iter(output).last()?;
    found.get(1)?.as_str().chars().next().map(|c| c.to_ascii_uppercase())
}

/// Where the study cuts the rationale off: before the last `Answer: X`, or at the end.
pub fn study_cut(output: &str) -> usize {
    ANSWER_LINE.as_ref().and_then(|r| r.find_iter(output).last()).map_or(output.len(), |found| found.start())
}

/// The answer in `output` to `item`, by the first rule that matches; `None` is "no answer".
///
/// A letter that the item does not offer is no answer either, and stops the search: the model did
/// commit itself, only to nothing that exists.
pub fn parse_answer(output: &str, item: &Item) -> Option<Answer> {
    if let Some((letter, span)) = last_answer_line(output) {
        return offered(letter, item).then_some(Answer { letter, rule: AnswerRule::AnswerLine, span });
    }
    marked(output, item)
        .or_else(|| option_line(output, item))
        .or_else(|| last_line(output, item))
        .or_else(|| verdict(output, item))
}

/// The output up to the answer statement, without trailing white space; all of it where the verdict
/// is part of the prose.
pub fn rationale<'a>(output: &'a str, answer: Option<&Answer>) -> &'a str {
    let end = match answer {
        Some(a) if a.rule != AnswerRule::VerdictWord => a.span.start,
        _ => output.len(),
    };
    output[..end].trim_end().trim_end_matches(['*', '#', '_']).trim_end()
}

fn offered(letter: Letter, item: &Item) -> bool {
    item.options.iter().any(|c| c.letter == letter)
}

/// The last `Answer: X` with X standing alone.
fn last_answer_line(output: &str) -> Option<(Letter, Range<usize>)> {
    let found = ANSWER_LINE
        .as_ref()?
        .captures_iter(output)
        .filter_map(|c| Some((c.get(0)?, c.get(1)?)))
        .filter(|(_, letter)| !output[letter.end()..].starts_with(|c: char| c.is_alphanumeric() || c == '\''))
        .last()?;
    Some((Letter::from_char(found.1.as_str().chars().next()?)?, found.0.range()))
}

/// The last answer marker that is followed by an offered letter or an option's text.
fn marked(output: &str, item: &Item) -> Option<Answer> {
    MARKER
        .as_ref()?
        .find_iter(output)
        .filter_map(|marker| {
            let rest = &output[marker.end()..];
            let strict = marker.as_str().contains([':', '='])
                || marker.as_str().to_lowercase().contains(" is")
                || rest.trim_start().starts_with('(');
            let letter =
                LETTER_AT.as_ref().and_then(|r| r.captures(rest)).and_then(|c| c.get(1)).filter(|_| strict);
            if let Some(found) = letter
            && let Some(letter) = found.as_str().chars().next().and_then(Letter::from_char)
            && offered(letter, item)
            // "the answer is a matter of…": a lower-case article is not an answer.
            && (found.as_str() != "a" || rest.trim_start().starts_with('('))
            && found.as_str() != "i" && (found.as_str() != "I" || item.options.len() > 8)
            {
                let span = marker.start()..marker.end() + found.end();
                return Some(Answer { letter, rule: AnswerRule::MarkedLetter, span });
            }
            let text = rest.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let choice = item
                .options
                .iter()
                .filter(|c| starts_with_word(&text, &c.text.to_lowercase()))
                .max_by_key(|c| c.text.len())?;
            Some(Answer {
                letter: choice.letter,
                rule: AnswerRule::MarkedText,
                span: marker.start()..output.len(),
            })
            .filter(|_| strict)
        })
        .last()
}

fn starts_with_word(text: &str, option: &str) -> bool {
    // "Supports" and "Opposed" count for Support and Oppose.
    text.strip_prefix(option.trim_end_matches('.')).is_some_and(|rest| {
        !rest.starts_with(char::is_alphanumeric)
            || ["s", "d", "ed"]
                .iter()
                .any(|e| rest.strip_prefix(e).is_some_and(|r| !r.starts_with(char::is_alphanumeric)))
    }) && !option.is_empty()
}

/// Lines like "B. Oppose" or "(B) opposes", where all of them name the same option.
fn option_line(output: &str, item: &Item) -> Option<Answer> {
    let mut found: Option<Answer> = None;
    let mut start = 0;
    for line in output.split_inclusive('\n') {
        let span = start..start + line.trim_end().len();
        start += line.len();
        let bare = line.trim().trim_start_matches(['(', '[', '*', '_', '-', ' ', '"']);
        let mut chars = bare.chars();
        let Some(letter) = chars.next().filter(char::is_ascii_uppercase).and_then(Letter::from_char) else {
            continue;
        };
        let rest = chars.as_str();
        let text = rest.trim_start_matches([')', ']', '.', ':', '*', ' ', '-', '–', '—']).to_lowercase();
        let Some(option) = item.option_text(letter).map(str::to_lowercase) else { continue };
        let parted = rest.len() > text.len() && rest.starts_with([')', ']', '.', ':', '*', ' ']);
        let left = text.strip_prefix(option.trim_end_matches('.')).map(|l| l.trim_start_matches('s'));
        if !parted || left.is_none_or(|l| l.chars().any(char::is_alphanumeric)) {
            continue;
        }
        match &found {
            Some(other) if other.letter != letter => return None,
            _ => found = Some(Answer { letter, rule: AnswerRule::OptionLine, span }),
        }
    }
    found
}

fn last_line(output: &str, item: &Item) -> Option<Answer> {
    let trimmed = output.trim_end();
    let start = trimmed.rfind('\n').map_or(0, |i| i + 1);
    let line = &trimmed[start..];
    let span = start..trimmed.len();
    if let Some(letter) = LONE
        .as_ref()?
        .captures(line)
        .and_then(|c| c.get(1))
        .and_then(|m| m.as_str().chars().next())
        .and_then(Letter::from_char)
    {
        return offered(letter, item).then_some(Answer { letter, rule: AnswerRule::LoneLetter, span });
    }
    let bare = line.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let choice = item
        .options
        .iter()
        .find(|c| bare == c.text.to_lowercase() || bare == format!("{}s", c.text.to_lowercase()))?;
    Some(Answer { letter: choice.letter, rule: AnswerRule::LoneText, span })
}

/// Value items only: exactly one of support / oppose / either in the last sentence, not negated.
fn verdict(output: &str, item: &Item) -> Option<Answer> {
    if !item.is_value() {
        return None;
    }
    let range = super::segment::steps(output).pop()?;
    let sentence = output[range.clone()].to_lowercase();
    let stems = [("support", Letter::A), ("oppos", Letter::B), ("either", Letter::C)];
    let mut found = stems.iter().filter(|(stem, _)| word_start(&sentence, stem));
    let (stem, letter) = found.next()?;
    if found.next().is_some() || negated(&sentence, stem) {
        return None;
    }
    Some(Answer { letter: *letter, rule: AnswerRule::VerdictWord, span: range })
}

/// The option that a rationale ends in, and the sentence that says so: for a value its one verdict word, else the option whose
/// words stand at the very end (the longest of several), unless they are negated.
///
/// ```
/// use pluriscope::core::{Item, Perspective, answer::concluded};
/// let item = Item::new("q", Perspective::demographic("SEX", "Male"), "How often?", &["Often", "Not often"]);
/// let said = |text| concluded(text, &item).map(|(letter, _)| letter.as_char());
/// assert_eq!(said("He works, so he would say: Not often."), Some('B'));
/// assert_eq!(said("He would never say often."), None);
/// ```
pub fn concluded(rationale: &str, item: &Item) -> Option<(Letter, Range<usize>)> {
    if item.is_value() {
        return verdict(rationale, item).map(|answer| (answer.letter, answer.span));
    }
    let span = super::segment::steps(rationale).pop()?;
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let sentence = words(&rationale[span.clone()]);
    let options = item.options.iter().map(|choice| (choice.letter, words(&choice.text)));
    let (letter, said) = options
        .filter(|(_, option)| !option.is_empty() && sentence.ends_with(option))
        .max_by_key(|(_, option)| option.len())?;
    let before = &sentence[..sentence.len() - said.len()];
    (!before.iter().rev().take(3).any(|word| negates(word))).then_some((letter, span))
}

fn word_start(sentence: &str, stem: &str) -> bool {
    sentence.match_indices(stem).any(|(at, _)| !sentence[..at].ends_with(char::is_alphanumeric))
}

fn negated(sentence: &str, stem: &str) -> bool {
    sentence.match_indices(stem).any(|(at, _)| {
        sentence[..at].split_whitespace().rev().take(3).any(|word| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'');
            negates(word)
        })
    })
}

fn negates(word: &str) -> bool {
    const NEGATIONS: [&str; 9] =
        ["not", "n't", "never", "neither", "cannot", "hardly", "nor", "no", "without"];
    NEGATIONS.contains(&word) || word.ends_with("n't")
}

#[cfg(test)]
mod tests {
    use super::{AnswerRule::*, *};
    use crate::core::Perspective;
    use proptest::prelude::*;

    fn item() -> Item {
        Item::value("vk", Perspective::named("Right to privacy"), "Reading a partner's messages")
    }

    fn check(output: &str, want: Option<(char, AnswerRule)>, cot: &str) {
        let answer = parse_answer(output, &item());
        assert_eq!(answer.as_ref().map(|a| (a.letter.as_char(), a.rule)), want, "{output:?}");
        assert_eq!(rationale(output, answer.as_ref()), cot, "{output:?}");
    }

    #[test]
    fn the_last_answer_line_wins() {
        check(
            "It could be Answer: A. But no.\nAnswer: B",
            Some(('B', AnswerLine)),
            "It could be Answer: A. But no.",
        );
        check("Because.\nAnswer:\n c", Some(('C', AnswerLine)), "Because.");
    }

    #[test]
    fn tolerant_rules_say_so() {
        check("Why.\n**Answer:** (B)", Some(('B', MarkedLetter)), "Why.");
        check("Thus the answer is (b).", Some(('B', MarkedLetter)), "Thus the");
        check("Why.\nAnswer: Oppose", Some(('B', MarkedText)), "Why.");
        check("Why.\nAnswer: Supports", Some(('A', MarkedText)), "Why.");
        check("Why.\nthe answer is indeed B.", Some(('B', MarkedLetter)), "Why.\nthe");
        check("B. Oppose", Some(('B', OptionLine)), "");
        check("Either\n(A) Supports\nA good thing.", Some(('A', OptionLine)), "Either");
        check("A. Support\nB. Oppose\nHm.", None, "A. Support\nB. Oppose\nHm.");
        check("Why not.\n(C)", Some(('C', LoneLetter)), "Why not.");
        check("Why not.\nEither.", Some(('C', LoneText)), "Why not.");
        check(
            "They are theirs, so privacy opposes it.",
            Some(('B', VerdictWord)),
            "They are theirs, so privacy opposes it.",
        );
    }

    #[test]
    fn no_answer_is_never_an_a() {
        for output in [
            "",
            "I am not sure.",
            "Answer: F",
            "the answer is a matter of taste",
            "Privacy does not support it.",
            "It may support or oppose it.",
            "A person might disagree with it.",
        ] {
            assert_eq!(parse_answer(output, &item()), None, "{output:?}");
        }
    }

    #[test]
    fn an_option_text_is_not_mistaken_for_a_letter() {
        let survey = Item::new(
            "opinionqa",
            Perspective::demographic("SEX", "Female"),
            "How much?",
            &["A lot", "A little", "Not at all"],
        );
        let answer = parse_answer("Answer: A little", &survey);
        // The study's own rule reads this as the letter A; the letter stands alone, so we follow it.
        assert_eq!(answer.map(|a| a.letter), Some(Letter::A));
        assert_eq!(parse_answer("Answer: Not at all", &survey).map(|a| a.letter), Some(Letter::C));
    }

    proptest! {
        #[test]
        fn never_panics_and_spans_are_valid(output in any::<String>()) {
            if let Some(answer) = parse_answer(&output, &item()) {
                prop_assert!(output.get(answer.span.clone()).is_some());
                prop_assert!(answer.letter.index() < 3);
            }
        }

        #[test]
        fn text_near_an_answer_never_panics(output in "(Answer|answer is|\\*|:| |\\(|[A-Fa-f]|oppose|support|é|\n|\\.){0,20}") {
            let answer = parse_answer(&output, &item());
            let _ = rationale(&output, answer.as_ref());
        }
    }
}
