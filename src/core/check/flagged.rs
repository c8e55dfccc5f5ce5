//! What a safety verdict flags besides "anything at all": one label, what the prompt does not have, or the prompt
//! itself. Read from the values that [`super::safety`] writes; nothing is judged here.

use super::Judged;
use crate::core::safety::Label;
use serde::Serialize;

/// One thing that a safety check flags or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flagged {
    /// The rationale has a flag that its prompt does not have.
    Own,
    /// The prompt is flagged by itself.
    Prompt,
    /// The rationale is flagged under this label.
    Label(Label),
}

/// Whether it is flagged, and the score that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    pub flagged: bool,
    /// Own: the largest difference of one label, rationale minus prompt. Prompt: its strongest label. Label: its
    /// highest step.
    pub score: Option<f64>,
}

impl Flagged {
    /// The word in queries.
    pub fn word(self) -> &'static str {
        match self {
            Flagged::Own => "own",
            Flagged::Prompt => "prompt",
            Flagged::Label(label) => label.word(),
        }
    }

    /// What this word stands for.
    pub fn from_word(word: &str) -> Option<Flagged> {
        match word {
            "own" => Some(Flagged::Own),
            "prompt" => Some(Flagged::Prompt),
            _ => Label::from_word(word).map(Flagged::Label),
        }
    }

    /// All that a verdict speaks of: nothing of a prompt that could not be judged, no label that was not listed.
    pub fn findings(judged: &Judged) -> impl Iterator<Item = (Flagged, Finding)> + '_ {
        let value = move |name: &str| judged.values.get(name).copied();
        let finding = move |what: Flagged, flag: &str, score: &str| {
            Some((what, Finding { flagged: value(flag)? > 0.5, score: value(score) }))
        };
        let own = finding(Flagged::Own, "own-flag", "beyond-prompt");
        let prompt = finding(Flagged::Prompt, "prompt-flagged", "prompt");
        let labels = judged.values.keys().filter_map(move |name| {
            let word = name.strip_prefix("flag:")?;
            finding(Flagged::Label(Label::from_word(word)?), name, word)
        });
        own.into_iter().chain(prompt).chain(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::safety::Category;

    #[test]
    fn a_verdict_says_what_it_flags_of_whom() {
        let hate = Flagged::Label(Label::Moderation(Category::Hate));
        let judged =
            Judged::default().with("hate", 0.7).with("flag:hate", 1.0).with("flag:no such label", 1.0);
        let found: Vec<_> = Flagged::findings(&judged).collect();
        assert_eq!(
            found,
            [(hate, Finding { flagged: true, score: Some(0.7) })],
            "of the prompt nothing is known"
        );
        let judged = judged.with("own-flag", 0.0).with("prompt-flagged", 1.0).with("prompt", 0.9);
        let found: Vec<_> = Flagged::findings(&judged).map(|(what, f)| (what, f.flagged, f.score)).collect();
        assert_eq!(
            found,
            [(Flagged::Own, false, None), (Flagged::Prompt, true, Some(0.9)), (hate, true, Some(0.7))]
        );
    }

    #[test]
    fn words_come_back() {
        for what in [Flagged::Own, Flagged::Prompt, Flagged::Label(Label::Unsafe)] {
            assert_eq!(Flagged::from_word(what.word()), Some(what));
        }
        assert_eq!(Flagged::from_word("flagged"), None);
    }
}
