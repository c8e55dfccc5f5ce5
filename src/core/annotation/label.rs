//! What one person says of one trace, as the sum of acts. An act is never changed or taken away: undo is an act too.

use super::{rubric::Answers, value::Value};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What an act changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Field {
    /// The answer to a question.
    Answer(String),
    /// A word to oneself and the adjudicator.
    Note,
    /// "Look at this again."
    Flag,
    /// "Not now", or "not for me".
    Skip,
    /// The label is done.
    Saved,
    /// What blind mode hides was looked at. Never undone.
    Revealed,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Answer(question) => f.write_str(question),
            Field::Note => f.write_str("@note"),
            Field::Flag => f.write_str("@flag"),
            Field::Skip => f.write_str("@skip"),
            Field::Saved => f.write_str("@saved"),
            Field::Revealed => f.write_str("@revealed"),
        }
    }
}

impl FromStr for Field {
    type Err = String;
    fn from_str(text: &str) -> Result<Field, String> {
        Ok(match text {
            "@note" => Field::Note,
            "@flag" => Field::Flag,
            "@skip" => Field::Skip,
            "@saved" => Field::Saved,
            "@revealed" => Field::Revealed,
            other if other.starts_with('@') || other.is_empty() => {
                return Err(format!("`{other}` is no field"));
            }
            question => Field::Answer(question.to_owned()),
        })
    }
}

impl From<Field> for String {
    fn from(field: Field) -> String {
        field.to_string()
    }
}

impl TryFrom<String> for Field {
    type Error = String;
    fn try_from(text: String) -> Result<Field, String> {
        text.parse()
    }
}

/// How an act came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActKind {
    Do,
    Undo,
    Redo,
    /// Taken over from another database or tool. Cannot be undone with a key.
    Merge,
}

impl ActKind {
    pub fn word(self) -> &'static str {
        match self {
            ActKind::Do => "do",
            ActKind::Undo => "undo",
            ActKind::Redo => "redo",
            ActKind::Merge => "merge",
        }
    }

    pub fn from_word(word: &str) -> Option<ActKind> {
        [ActKind::Do, ActKind::Undo, ActKind::Redo, ActKind::Merge].into_iter().find(|k| k.word() == word)
    }
}

/// One entry of the history. `T` names the trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Act<T> {
    pub task: T,
    pub kind: ActKind,
    pub field: Field,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Whether gold, method, checks and others' labels were hidden.
    pub blind: bool,
}

/// One person's label of one trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    fields: BTreeMap<Field, Value>,
    /// Some answer was given while more than the trace was to be seen.
    pub unblinded: bool,
}

impl Label {
    /// Takes in one act.
    pub fn apply<T>(&mut self, act: &Act<T>) {
        match &act.after {
            Some(value) => drop(self.fields.insert(act.field.clone(), value.clone())),
            None => drop(self.fields.remove(&act.field)),
        }
        if !act.blind && matches!(act.field, Field::Answer(_) | Field::Revealed) {
            self.unblinded = true;
        }
    }

    pub fn get(&self, field: &Field) -> Option<&Value> {
        self.fields.get(field)
    }

    pub fn answer(&self, question: &str) -> Option<&Value> {
        self.fields.get(&Field::Answer(question.to_owned()))
    }

    /// All answers, those to questions that are not asked now included.
    pub fn answers(&self) -> Answers {
        let answer = |(field, value): (&Field, &Value)| match field {
            Field::Answer(question) => Some((question.clone(), value.clone())),
            _ => None,
        };
        self.fields.iter().filter_map(answer).collect()
    }

    /// Everything that is set.
    pub fn fields(&self) -> &BTreeMap<Field, Value> {
        &self.fields
    }

    pub fn note(&self) -> &str {
        match self.fields.get(&Field::Note) {
            Some(Value::Text(note)) => note,
            _ => "",
        }
    }

    fn is_set(&self, field: &Field) -> bool {
        self.fields.get(field) == Some(&Value::YesNo(true))
    }

    pub fn flagged(&self) -> bool {
        self.is_set(&Field::Flag)
    }

    pub fn skipped(&self) -> bool {
        self.is_set(&Field::Skip)
    }

    pub fn saved(&self) -> bool {
        self.is_set(&Field::Saved)
    }

    pub fn revealed(&self) -> bool {
        self.is_set(&Field::Revealed)
    }

    /// Neither saved nor skipped.
    pub fn is_open(&self) -> bool {
        !self.saved() && !self.skipped()
    }

    /// A label of these fields, as a store or a file holds them.
    pub fn from_fields(fields: BTreeMap<Field, Value>, unblinded: bool) -> Label {
        Label { fields, unblinded }
    }
}
