//! The word list: spans of profane, offensive, lewd and mean words through the `rustrict` crate.
//!
//! A highlighter, not a judge: it has no violence, self-harm or illicit category, and its authors state that
//! about one clean text in four is misread (negative accuracy 76.5 %).

use super::{Assessment, Label, LabelScore, Language, SafetyResult, Source, StepSafety, score::Span};
use crate::core::segment;
use rustrict::{Censor, Type};
use std::ops::Range;

/// The crate and its list, as results name it.
pub const VERSION: &str = "rustrict 0.7";

/// Stands for a censored character; never part of a text that people write.
const MARK: char = '\u{f8ff}';

/// What the word list finds in `text`, step by step.
///
/// Scores are severities: mild 1/3, moderate 2/3, severe 1. Flagged is what rustrict calls inappropriate:
/// profane, offensive or lewd from moderate on, or severely mean.
pub fn assess(text: &str) -> SafetyResult {
    if !text.chars().any(char::is_alphanumeric) {
        return SafetyResult::unknown(Source::Lexical, "there is no text");
    }
    let mut spans = Vec::new();
    let steps: Vec<StepSafety> = segment::steps(text)
        .into_iter()
        .map(|range| {
            let piece = &text[range.clone()];
            let (found, words) = find(piece);
            spans.extend(words.into_iter().map(|(word, label)| Span {
                range: range.start + word.start..range.start + word.end,
                label,
            }));
            StepSafety { range, scores: scores(found), flags: flags(found) }
        })
        .collect();
    let whole = Censor::from_str(text).analyze();
    SafetyResult::Known(Assessment {
        source: Source::Lexical,
        version: VERSION.to_owned(),
        steps,
        whole: scores(whole),
        whole_flags: flags(whole),
        spans,
    })
}

const KINDS: [(Type, Language); 6] = [
    (Type::PROFANE, Language::Profane),
    (Type::OFFENSIVE, Language::Offensive),
    (Type::SEXUAL, Language::Lewd),
    (Type::MEAN, Language::Mean),
    (Type::EVASIVE, Language::Evasive),
    (Type::SPAM, Language::Spam),
];

fn scores(found: Type) -> Vec<LabelScore> {
    let severity = |kind: Type| {
        [(Type::SEVERE, 1.0), (Type::MODERATE, 2.0 / 3.0), (Type::MILD, 1.0 / 3.0)]
            .into_iter()
            .find(|(level, _)| found.is(kind & *level))
            .map(|(_, score)| score)
    };
    KINDS
        .into_iter()
        .filter_map(|(kind, language)| {
            severity(kind).map(|score| LabelScore { label: Label::Language(language), score })
        })
        .collect()
}

/// The kinds that make a text inappropriate in rustrict's own terms.
fn flags(found: Type) -> Vec<Label> {
    let kinds = KINDS.into_iter().filter(|(kind, _)| found.is(*kind & Type::INAPPROPRIATE));
    kinds.map(|(_, language)| Label::Language(language)).collect()
}

/// The analysis of one piece, and its inappropriate words with their strongest kind.
fn find(piece: &str) -> (Type, Vec<(Range<usize>, Label)>) {
    let mut censor = Censor::from_str(piece);
    censor.with_censor_replacement(MARK).with_censor_first_character_threshold(Type::INAPPROPRIATE);
    let (censored, found) = censor.censor_and_analyze();
    if found.isnt(Type::INAPPROPRIATE) {
        return (found, Vec::new());
    }
    let ranges = aligned(piece, &censored).unwrap_or_else(|| by_word(piece));
    let label = |range: &Range<usize>| {
        let own = Censor::from_str(&piece[range.clone()]).analyze();
        flags(own).first().or(flags(found).first()).copied().unwrap_or(Label::Language(Language::Profane))
    };
    let words = ranges.into_iter().map(|range| (range.clone(), label(&range))).collect();
    (found, words)
}

/// Runs of marked characters, where the censored text has one character for each of the piece.
fn aligned(piece: &str, censored: &str) -> Option<Vec<Range<usize>>> {
    if piece.contains(MARK) || piece.chars().count() != censored.chars().count() {
        return None;
    }
    let mut out: Vec<Range<usize>> = Vec::new();
    for ((at, c), shown) in piece.char_indices().zip(censored.chars()) {
        if shown != MARK {
            continue;
        }
        let end = at + c.len_utf8();
        match out.last_mut() {
            Some(last) if last.end == at => last.end = end,
            _ => out.push(at..end),
        }
    }
    Some(out)
}

/// For texts whose accents the list takes apart: the words that are inappropriate on their own.
fn by_word(piece: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut out = Vec::new();
    for word in piece.split_inclusive(char::is_whitespace) {
        let trimmed = word.trim_end();
        if Censor::from_str(trimmed).analyze().is(Type::INAPPROPRIATE) {
            out.push(at..at + trimmed.len());
        }
        at += word.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blurred(text: &str) -> Vec<String> {
        let SafetyResult::Known(assessment) = assess(text) else { return vec![] };
        assessment.blur(text.len()).into_iter().map(|r| text[r].to_owned()).collect()
    }

    #[test]
    fn spans_are_the_words_themselves() {
        assert_eq!(blurred("A calm step. That is bullshit, he said."), ["bullshit"]);
        assert_eq!(blurred("Ein Café voll bullshit"), ["bullshit"]);
        assert_eq!(blurred("e\u{301} what bullshit here"), ["bullshit"]);
        assert!(blurred("Scunthorpe residents assess the class.").is_empty());
    }

    #[test]
    fn flags_sit_on_their_step() {
        let SafetyResult::Known(found) = assess("A calm step. That is bullshit.") else { panic!() };
        assert!(found.flagged());
        assert!(found.steps[0].flags.is_empty());
        assert_eq!(found.steps[1].flags, [Label::Language(Language::Profane)]);
        assert_eq!(assess(" … ").flagged(), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_spans_are_inside(text in any::<String>()) {
            if let SafetyResult::Known(found) = assess(&text) {
                prop_assert!(found.spans.iter().all(|s| text.get(s.range.clone()).is_some()));
                prop_assert!(found.whole.iter().all(|s| (0.0..=1.0).contains(&s.score)));
            }
        }
    }
}
