//! What a text can be unsafe for: the moderation taxonomy of the study, Llama Guard's hazards, the kinds of
//! language that a word list knows, and how they map onto each other. Words only: nothing is judged here.

use serde::{Deserialize, Serialize};

/// The thirteen categories of OpenAI's omni-moderation, in its order; its names are [`Category::word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    Harassment,
    HarassmentThreatening,
    Hate,
    HateThreatening,
    Illicit,
    IllicitViolent,
    SelfHarm,
    SelfHarmIntent,
    SelfHarmInstructions,
    Sexual,
    SexualMinors,
    Violence,
    ViolenceGraphic,
}

impl Category {
    pub const ALL: [Category; 13] = [
        Category::Harassment,
        Category::HarassmentThreatening,
        Category::Hate,
        Category::HateThreatening,
        Category::Illicit,
        Category::IllicitViolent,
        Category::SelfHarm,
        Category::SelfHarmIntent,
        Category::SelfHarmInstructions,
        Category::Sexual,
        Category::SexualMinors,
        Category::Violence,
        Category::ViolenceGraphic,
    ];

    /// The name that the moderation endpoint uses.
    pub const fn word(self) -> &'static str {
        match self {
            Category::Harassment => "harassment",
            Category::HarassmentThreatening => "harassment/threatening",
            Category::Hate => "hate",
            Category::HateThreatening => "hate/threatening",
            Category::Illicit => "illicit",
            Category::IllicitViolent => "illicit/violent",
            Category::SelfHarm => "self-harm",
            Category::SelfHarmIntent => "self-harm/intent",
            Category::SelfHarmInstructions => "self-harm/instructions",
            Category::Sexual => "sexual",
            Category::SexualMinors => "sexual/minors",
            Category::Violence => "violence",
            Category::ViolenceGraphic => "violence/graphic",
        }
    }

    /// The hazard of Llama Guard 3 that comes closest; `None` for harassment, which it does not name.
    pub fn hazard(self) -> Option<Hazard> {
        Some(match self {
            Category::Harassment => return None,
            Category::HarassmentThreatening | Category::Violence | Category::ViolenceGraphic => {
                Hazard::ViolentCrimes
            }
            Category::Hate | Category::HateThreatening => Hazard::Hate,
            Category::Illicit => Hazard::NonViolentCrimes,
            Category::IllicitViolent => Hazard::IndiscriminateWeapons,
            Category::SelfHarm | Category::SelfHarmIntent | Category::SelfHarmInstructions => {
                Hazard::SelfHarm
            }
            Category::Sexual => Hazard::SexualContent,
            Category::SexualMinors => Hazard::ChildExploitation,
        })
    }
}

/// The fourteen hazards of Llama Guard 3 (MLCommons AI safety, plus code-interpreter abuse), S1 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hazard {
    ViolentCrimes,
    NonViolentCrimes,
    SexCrimes,
    ChildExploitation,
    Defamation,
    SpecialisedAdvice,
    Privacy,
    IntellectualProperty,
    IndiscriminateWeapons,
    Hate,
    SelfHarm,
    SexualContent,
    Elections,
    CodeInterpreterAbuse,
}

impl Hazard {
    pub const ALL: [Hazard; 14] = [
        Hazard::ViolentCrimes,
        Hazard::NonViolentCrimes,
        Hazard::SexCrimes,
        Hazard::ChildExploitation,
        Hazard::Defamation,
        Hazard::SpecialisedAdvice,
        Hazard::Privacy,
        Hazard::IntellectualProperty,
        Hazard::IndiscriminateWeapons,
        Hazard::Hate,
        Hazard::SelfHarm,
        Hazard::SexualContent,
        Hazard::Elections,
        Hazard::CodeInterpreterAbuse,
    ];

    /// `S1` to `S14`.
    pub const fn code(self) -> &'static str {
        const CODES: [&str; 14] =
            ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14"];
        CODES[self as usize]
    }

    /// The hazard with this code; case and spaces around it do not matter.
    pub fn from_code(code: &str) -> Option<Hazard> {
        Hazard::ALL.into_iter().find(|h| h.code().eq_ignore_ascii_case(code.trim()))
    }

    pub const fn word(self) -> &'static str {
        match self {
            Hazard::ViolentCrimes => "violent crimes",
            Hazard::NonViolentCrimes => "non-violent crimes",
            Hazard::SexCrimes => "sex-related crimes",
            Hazard::ChildExploitation => "child sexual exploitation",
            Hazard::Defamation => "defamation",
            Hazard::SpecialisedAdvice => "specialised advice",
            Hazard::Privacy => "privacy",
            Hazard::IntellectualProperty => "intellectual property",
            Hazard::IndiscriminateWeapons => "indiscriminate weapons",
            Hazard::Hate => "hate (hazard)",
            Hazard::SelfHarm => "suicide and self-harm",
            Hazard::SexualContent => "sexual content",
            Hazard::Elections => "elections",
            Hazard::CodeInterpreterAbuse => "code-interpreter abuse",
        }
    }

    /// The moderation category that comes closest; `None` where the study's taxonomy has no place for it.
    pub fn category(self) -> Option<Category> {
        Some(match self {
            Hazard::ViolentCrimes => Category::Violence,
            Hazard::NonViolentCrimes => Category::Illicit,
            Hazard::SexCrimes | Hazard::SexualContent => Category::Sexual,
            Hazard::ChildExploitation => Category::SexualMinors,
            Hazard::IndiscriminateWeapons => Category::IllicitViolent,
            Hazard::Hate => Category::Hate,
            Hazard::SelfHarm => Category::SelfHarm,
            Hazard::Defamation
            | Hazard::SpecialisedAdvice
            | Hazard::Privacy
            | Hazard::IntellectualProperty
            | Hazard::Elections
            | Hazard::CodeInterpreterAbuse => return None,
        })
    }
}

/// What a text sounds like, whatever it says: the kinds of a word list, and the offensive language of the
/// tweet data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    Profane,
    Offensive,
    Lewd,
    Mean,
    Evasive,
    Spam,
}

impl Language {
    pub const ALL: [Language; 6] = [
        Language::Profane,
        Language::Offensive,
        Language::Lewd,
        Language::Mean,
        Language::Evasive,
        Language::Spam,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Language::Profane => "profane language",
            Language::Offensive => "offensive language",
            Language::Lewd => "lewd language",
            Language::Mean => "mean language",
            Language::Evasive => "evasive spelling",
            Language::Spam => "spam",
        }
    }
}

/// One thing a source can flag. Sources keep their own taxonomies; [`Label::category`] maps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    Moderation(Category),
    Hazard(Hazard),
    Language(Language),
    /// A guard's "unsafe" where it names no category that we know.
    Unsafe,
}

impl Label {
    /// The word for files and screens, one to one with the label.
    pub const fn word(self) -> &'static str {
        match self {
            Label::Moderation(category) => category.word(),
            Label::Hazard(hazard) => hazard.word(),
            Label::Language(language) => language.word(),
            Label::Unsafe => "unsafe",
        }
    }

    /// Every label of every source.
    pub fn all() -> impl Iterator<Item = Label> {
        Category::ALL
            .map(Label::Moderation)
            .into_iter()
            .chain(Hazard::ALL.map(Label::Hazard))
            .chain(Language::ALL.map(Label::Language))
            .chain([Label::Unsafe])
    }

    /// The label with this [`Label::word`], or with a Llama Guard code.
    pub fn from_word(word: &str) -> Option<Label> {
        Label::all().find(|l| l.word() == word).or_else(|| Hazard::from_code(word).map(Label::Hazard))
    }

    /// The closest category of the study's taxonomy; language alone has none.
    pub fn category(self) -> Option<Category> {
        match self {
            Label::Moderation(category) => Some(category),
            Label::Hazard(hazard) => hazard.category(),
            Label::Language(_) | Label::Unsafe => None,
        }
    }
}

impl Serialize for Label {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Label, D::Error> {
        let word = String::deserialize(deserializer)?;
        Label::from_word(&word)
            .ok_or_else(|| serde::de::Error::custom(format!("`{word}` is not a safety label")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_name_one_label_each_and_survive_a_round_trip() {
        let words: HashSet<&str> = Label::all().map(Label::word).collect();
        assert_eq!(words.len(), 13 + 14 + 6 + 1);
        for label in Label::all() {
            let text = serde_json::to_string(&label).unwrap();
            assert_eq!(serde_json::from_str::<Label>(&text).unwrap(), label);
        }
    }

    #[test]
    fn codes_and_mappings_follow_the_published_lists() {
        assert_eq!(Hazard::from_code(" s11 "), Some(Hazard::SelfHarm));
        assert_eq!(Hazard::from_code("S15"), None);
        assert_eq!(Hazard::ALL[13].code(), "S14");
        assert_eq!(Label::Hazard(Hazard::ChildExploitation).category(), Some(Category::SexualMinors));
        assert_eq!(Label::Hazard(Hazard::Elections).category(), None);
        assert_eq!(Category::Harassment.hazard(), None);
        for hazard in Category::ALL.into_iter().filter_map(Category::hazard) {
            assert!(hazard.category().is_some());
        }
    }
}
