//! Perspectives: the value, right, duty or demographic group that a model is asked to adopt.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What sort of perspective it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Value,
    Right,
    Duty,
    Demographic,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Value, Kind::Right, Kind::Duty, Kind::Demographic];

    /// Lower-case singular, as in the file format.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Value => "value",
            Kind::Right => "right",
            Kind::Duty => "duty",
            Kind::Demographic => "demographic",
        }
    }

    /// Lower-case plural, as in the picker's headings.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Value => "values",
            Kind::Right => "rights",
            Kind::Duty => "duties",
            Kind::Demographic => "demographics",
        }
    }

    /// The kind named by `word`, in any case; `None` when it is none of the four.
    pub fn from_word(word: &str) -> Option<Kind> {
        let word = word.trim();
        Kind::ALL
            .into_iter()
            .find(|k| word.eq_ignore_ascii_case(k.word()) || word.eq_ignore_ascii_case(k.plural()))
    }

    /// The kind that a bare name suggests: "Right to …" and "Duty to …" say it, all else is a value.
    /// Modular Pluralism files carry no kind of their own.
    pub fn infer(name: &str) -> Kind {
        let lower = name.trim_start().to_lowercase();
        if lower.starts_with("right ") || lower.ends_with(" rights") || lower.contains("'s right ") {
            Kind::Right
        } else if lower.starts_with("duty ") || lower.ends_with(" duty") || lower.contains("'s duty ") {
            Kind::Duty
        } else {
            Kind::Value
        }
    }
}

/// A perspective. Two perspectives with the same name (and group) are the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Perspective {
    pub kind: Kind,
    /// "Right to privacy", or for demographics a readable form, "Party: Democrat".
    pub name: String,
    /// Demographics only: the attribute as the data set spells it, "POLPARTY".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Demographics only: the group within the attribute, "Democrat".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Perspective {
    /// A value, right or duty; the kind is inferred from the name.
    pub fn named(name: &str) -> Perspective {
        let name = super::text::squeeze(name);
        Perspective { kind: Kind::infer(&name), name, attribute: None, group: None }
    }

    /// A demographic group of an OpinionQA attribute.
    ///
    /// ```
    /// use pluriscope::core::Perspective;
    /// assert_eq!(Perspective::demographic("POLPARTY", "Democrat").name, "party: Democrat");
    /// ```
    pub fn demographic(attribute: &str, group: &str) -> Perspective {
        let (attribute, group) = (super::text::squeeze(attribute), super::text::squeeze(group));
        Perspective {
            kind: Kind::Demographic,
            name: if attribute.eq_ignore_ascii_case("overall") {
                "general public".to_owned()
            } else {
                format!("{}: {group}", attribute_title(&attribute))
            },
            attribute: Some(attribute),
            group: Some(group),
        }
    }

    /// The text that enters the content hash: never the kind, which some sources only imply.
    pub fn key(&self) -> String {
        match (&self.attribute, &self.group) {
            (Some(a), Some(g)) => format!("{a}\u{1f}{g}"),
            _ => self.name.clone(),
        }
    }
}

impl fmt::Display for Perspective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// OpinionQA's attribute codes, and the labels that verl prompts use for them, in plain words.
const ATTRIBUTES: [(&str, &str, &str); 13] = [
    ("AGE", "age", "Age"),
    ("CITIZEN", "citizenship", "US Citizen"),
    ("CREGION", "region", "US Census Region"),
    ("EDUCATION", "education", "Education Level"),
    ("INCOME", "income", "Income Range"),
    ("MARITAL", "marital status", "Marital Status"),
    ("Overall", "overall", "General US Population"),
    ("POLIDEOLOGY", "ideology", "Political Ideology"),
    ("POLPARTY", "party", "Political Party Affiliation"),
    ("RACE", "race", "Race"),
    ("RELIG", "religion", "Religion"),
    ("RELIGATTEND", "attendance", "Religious Attendance"),
    ("SEX", "sex", "Gender"),
];

/// The readable title of an attribute code; codes we do not know are shown in lower case.
pub fn attribute_title(code: &str) -> String {
    ATTRIBUTES
        .iter()
        .find(|(c, _, _)| c.eq_ignore_ascii_case(code))
        .map_or_else(|| code.to_lowercase(), |(_, title, _)| (*title).to_owned())
}

/// The attribute code behind a prompt's label ("Marital Status" → "MARITAL"); unknown labels stay as they are.
pub fn attribute_code(label: &str) -> String {
    let label = label.trim();
    ATTRIBUTES
        .iter()
        .find(|(code, title, long)| {
            [code, title, long].into_iter().any(|known| known.eq_ignore_ascii_case(label))
        })
        .map_or_else(|| label.to_owned(), |(code, _, _)| (*code).to_owned())
}
