//! What an answer can be: one value per kind of question.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// A marked piece of the trace's output.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Characters (not bytes) of the trace's `llm_output`; `end` is the first one after.
    pub start: usize,
    pub end: usize,
    /// The words themselves, so that a label can be read without the trace.
    pub text: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// "None of it", said and not left out.
    Nothing,
    Choice(String),
    Several(BTreeSet<String>),
    YesNo(bool),
    /// A step of the rationale, from 0 (shown from 1).
    Step(usize),
    Spans(Vec<Span>),
    Scale(i64),
    Text(String),
}

impl Value {
    /// Whether it says that there is nothing: an empty list, "none", an empty text.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Nothing => true,
            Value::Several(set) => set.is_empty(),
            Value::Spans(spans) => spans.is_empty(),
            Value::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// The value as people and other tools write it: steps from 1, "nothing" as null.
    pub fn plain(&self) -> Json {
        match self {
            Value::Nothing => Json::Null,
            Value::Choice(value) | Value::Text(value) => json!(value),
            Value::Several(set) => json!(set),
            Value::YesNo(yes) => json!(yes),
            Value::Step(step) => json!(step + 1),
            Value::Spans(spans) => json!(spans),
            Value::Scale(n) => json!(n),
        }
    }

    /// The value in a few words.
    pub fn words(&self) -> String {
        match self {
            Value::Nothing => "none".to_owned(),
            Value::Choice(value) | Value::Text(value) => value.clone(),
            Value::Several(set) if set.is_empty() => "none".to_owned(),
            Value::Several(set) => set.iter().cloned().collect::<Vec<_>>().join(", "),
            Value::YesNo(true) => "yes".to_owned(),
            Value::YesNo(false) => "no".to_owned(),
            Value::Step(step) => format!("step {}", step + 1),
            Value::Spans(spans) if spans.is_empty() => "none".to_owned(),
            Value::Spans(spans) => {
                spans.iter().map(|s| format!("“{}”", s.text)).collect::<Vec<_>>().join(", ")
            }
            Value::Scale(n) => n.to_string(),
        }
    }
}
