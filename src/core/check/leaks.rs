//! Where a rationale states its answer outright, and the same rationale with that blanked out.

use crate::core::{Item, answer::parse_answer, segment};
use regex::Regex;
use std::{ops::Range, sync::LazyLock};

/// What a blanked statement is replaced by.
pub const MASK: &str = "[…]";

static MARKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:answer|choice|verdict|option)s?\b[\s*_:=–—-]*(?:is\b|would be\b)?[\s*_:]*[(\[]?\b[a-z]\b[)\]]?|\([A-Z]\)|\b[A-Z]\)")
        .ok()
});
static VERDICTS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(?:support|oppos|either)\w*").ok());

/// Byte ranges of `rationale` that state an answer: "Answer: B", "(B)", "option B", an option's text after an
/// answer marker, and for value items the verdict words. In order, without overlap.
pub fn leaks(rationale: &str, item: &Item) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut regexes = vec![MARKED.as_ref()];
    if item.is_value() {
        regexes.push(VERDICTS.as_ref());
    }
    for regex in regexes.into_iter().flatten() {
        found.extend(regex.find_iter(rationale).map(|m| m.range()));
    }
    for step in segment::steps(rationale) {
        use crate::core::AnswerRule::{LoneText, MarkedLetter, MarkedText};
        if let Some(answer) = parse_answer(&rationale[step.clone()], item)
            && matches!(answer.rule, MarkedLetter | MarkedText | LoneText)
        {
            found.push(step.start + answer.span.start..step.start + answer.span.end);
        }
    }
    found.sort_by_key(|r| (r.start, r.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// `rationale` with every statement of the answer blanked out.
pub fn masked(rationale: &str, item: &Item) -> String {
    let mut out = String::with_capacity(rationale.len());
    let mut at = 0;
    for range in leaks(rationale, item) {
        out.push_str(&rationale[at..range.start]);
        out.push_str(MASK);
        at = range.end;
    }
    out.push_str(&rationale[at..]);
    out
}

/// The first step that states an answer with a marker ("Answer: B", "the answer is oppose"), unless it is the
/// last step: what comes after it cannot have led to the answer.
pub fn stated_early(rationale: &str, item: &Item) -> Option<usize> {
    use crate::core::AnswerRule::{AnswerLine, LoneLetter, LoneText, MarkedLetter, MarkedText};
    let steps = segment::steps(rationale);
    let stated = |step: &Range<usize>| {
        parse_answer(&rationale[step.clone()], item)
            .is_some_and(|a| matches!(a.rule, AnswerLine | MarkedLetter | MarkedText | LoneLetter | LoneText))
    };
    steps.iter().position(stated).filter(|at| at + 1 < steps.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Perspective;
    use proptest::prelude::*;

    fn value() -> Item {
        Item::value("vk", Perspective::named("Candour"), "Hiding a letter")
    }

    fn survey() -> Item {
        Item::new("q", Perspective::demographic("SEX", "Male"), "How often?", &["Often", "Not at all"])
    }

    #[test]
    fn every_statement_is_blanked() {
        assert_eq!(masked("Answer: A. No. Candour opposes it.", &value()), "[…]. No. Candour […] it.");
        assert_eq!(masked("So (B) fits; option A does not.", &survey()), "So […] fits; […] does not.");
        assert_eq!(masked("The answer is: Not at all.", &survey()), "The […]");
        assert_eq!(masked("They often walk. A dog barks.", &survey()), "They often walk. A dog barks.");
    }

    #[test]
    fn only_statements_before_the_last_step_are_early() {
        assert_eq!(stated_early("Answer: B. It is a lie. It hides.", &value()), Some(0));
        assert_eq!(stated_early("It is a lie. The answer is B.", &value()), None);
        assert_eq!(stated_early("It is a lie. It hides.", &value()), None);
    }

    proptest! {
        #[test]
        fn any_text_can_be_masked(text in any::<String>()) {
            masked(&text, &value());
            masked(&text, &survey());
            stated_early(&text, &value());
        }

        #[test]
        fn nothing_is_left_to_blank(text in "(Answer: [A-C]|oppose|supports|\\([AB]\\)| |\\.|option B|é){0,15}") {
            let again = masked(&text, &value());
            prop_assert!(leaks(&again, &value()).is_empty(), "{}", again);
        }
    }
}
