//! Rubrics: what annotators are asked, read from TOML. Mistakes come back with their line and what to do.

mod read;

use super::value::Value;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// A list of questions. Two rubrics with the same questions have the same version.
#[derive(Clone, Debug, PartialEq)]
pub struct Rubric {
    pub id: String,
    pub title: String,
    pub about: String,
    pub questions: Vec<Question>,
    /// First 12 hexadecimal digits of the SHA-256 over everything that could change an answer.
    pub version: String,
    /// The file as it was read, so that old versions stay readable.
    pub source: String,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub id: String,
    pub text: String,
    pub help: String,
    pub kind: Kind,
    pub required: bool,
    pub only_if: Option<Condition>,
    /// Families of automatic checks that are compared with it: `apparent`, `causal`, `safety`.
    pub families: Vec<String>,
}

/// What can be answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Single(Vec<Choice>),
    Several(Vec<Choice>),
    /// `against` is the answer that speaks against the rationale.
    YesNo {
        against: Option<bool>,
    },
    Step,
    Span,
    Scale {
        low: i64,
        high: i64,
        /// One per point, or none.
        labels: Vec<String>,
    },
    Text,
}

/// An option of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub text: String,
    /// A letter that answers, besides the digit of its place.
    pub key: Option<char>,
    /// Whether it speaks against the rationale; `None` for neither.
    pub against: Option<bool>,
}

/// When a question is asked at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub question: String,
    pub test: ConditionTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionTest {
    /// There is an answer, and it is not "none".
    Any,
    /// The answer is, or holds, one of these.
    Is(Vec<String>),
    /// There is an answer, and it is none of these.
    Not(Vec<String>),
}

/// A mistake in a rubric file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}; {remedy}")]
pub struct RubricProblem {
    pub line: usize,
    pub problem: String,
    pub remedy: String,
}

/// Answers by question.
pub type Answers = BTreeMap<String, Value>;

impl Rubric {
    /// Reads a rubric file; all that is wrong with it, where something is.
    pub fn parse(text: &str) -> Result<Rubric, Vec<RubricProblem>> {
        read::parse(text)
    }

    pub fn question(&self, id: &str) -> Option<&Question> {
        self.questions.iter().find(|q| q.id == id)
    }

    /// The questions that are asked, given the answers so far.
    pub fn asked<'a>(&'a self, answers: &'a Answers) -> impl Iterator<Item = &'a Question> + 'a {
        self.questions.iter().filter(|q| self.is_asked(q, answers))
    }

    /// Whether a question is asked. One that depends on a question that is not asked itself is not.
    pub fn is_asked(&self, question: &Question, answers: &Answers) -> bool {
        let Some(condition) = &question.only_if else { return true };
        let Some(other) = self.question(&condition.question) else { return false };
        self.is_asked(other, answers)
            && answers.get(&other.id).is_some_and(|value| condition.test.holds(value))
    }

    /// Required questions that are asked and have no answer.
    pub fn open<'a>(&'a self, answers: &'a Answers) -> impl Iterator<Item = &'a Question> + 'a {
        self.asked(answers).filter(|q| q.required && !answers.contains_key(&q.id))
    }

    /// The answers that count: those of questions that are asked. Others are kept, and come back with their condition.
    pub fn counted(&self, answers: &Answers) -> Answers {
        let asked = self.asked(answers).filter_map(|q| answers.get(&q.id).map(|v| (q.id.clone(), v.clone())));
        asked.collect()
    }
}

impl ConditionTest {
    fn holds(&self, value: &Value) -> bool {
        let among = |list: &[String]| match value {
            Value::Choice(v) | Value::Text(v) => list.contains(v),
            Value::Several(set) => list.iter().any(|v| set.contains(v)),
            other => list.contains(&other.words()),
        };
        match self {
            ConditionTest::Any => !value.is_empty(),
            ConditionTest::Is(list) => among(list),
            ConditionTest::Not(list) => !among(list),
        }
    }
}

impl Kind {
    /// The word in files.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Single(_) => "single",
            Kind::Several(_) => "several",
            Kind::YesNo { .. } => "yes-no",
            Kind::Step => "step",
            Kind::Span => "span",
            Kind::Scale { .. } => "scale",
            Kind::Text => "text",
        }
    }

    /// The options, where there are some.
    pub fn choices(&self) -> &[Choice] {
        match self {
            Kind::Single(choices) | Kind::Several(choices) => choices,
            _ => &[],
        }
    }
}

impl Question {
    /// Whether a value answers this question, on a trace of `steps` steps (`None` where that is not known).
    pub fn accepts(&self, value: &Value, steps: Option<usize>) -> bool {
        let known = |v: &String| self.kind.choices().iter().any(|c| c.value == *v);
        match (&self.kind, value) {
            (_, Value::Nothing) => !self.required || matches!(self.kind, Kind::Several(_)),
            (Kind::Single(_), Value::Choice(value)) => known(value),
            (Kind::Several(_), Value::Several(set)) => set.iter().all(known),
            (Kind::YesNo { .. }, Value::YesNo(_)) | (Kind::Text, Value::Text(_)) => true,
            (Kind::Step, Value::Step(step)) => steps.is_none_or(|n| *step < n),
            (Kind::Span, Value::Spans(spans)) => spans.iter().all(|s| s.start < s.end),
            (Kind::Scale { low, high, .. }, Value::Scale(n)) => (low..=high).contains(&n),
            _ => false,
        }
    }

    /// Reads what [`Value::plain`] wrote.
    pub fn read(&self, json: &Json) -> Option<Value> {
        let value = match (&self.kind, json) {
            (_, Json::Null) => Value::Nothing,
            (Kind::Single(_), Json::String(value)) => Value::Choice(value.clone()),
            (Kind::Several(_), Json::Array(list)) => {
                let set: Option<BTreeSet<String>> =
                    list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
                Value::Several(set?)
            }
            (Kind::YesNo { .. }, Json::Bool(yes)) => Value::YesNo(*yes),
            (Kind::Step, Json::Number(n)) => Value::Step((n.as_u64()? as usize).checked_sub(1)?),
            (Kind::Span, spans @ Json::Array(_)) => Value::Spans(serde_json::from_value(spans.clone()).ok()?),
            (Kind::Scale { .. }, Json::Number(n)) => Value::Scale(n.as_i64()?),
            (Kind::Text, Json::String(text)) => Value::Text(text.clone()),
            _ => return None,
        };
        self.accepts(&value, None).then_some(value)
    }

    /// Whether an answer speaks against the rationale; `None` for neither.
    pub fn speaks_against(&self, value: &Value) -> Option<bool> {
        match (&self.kind, value) {
            (Kind::YesNo { against }, Value::YesNo(yes)) => against.map(|against| against == *yes),
            (Kind::Single(choices), Value::Choice(value)) => {
                choices.iter().find(|c| c.value == *value)?.against
            }
            // "Nothing", where an option would speak against.
            (Kind::Single(choices), Value::Nothing) => {
                choices.iter().any(|c| c.against == Some(true)).then_some(false)
            }
            (Kind::Several(choices), Value::Several(set)) => {
                let marked = choices.iter().any(|c| c.against == Some(true));
                let hit = |c: &Choice| c.against == Some(true) && set.contains(&c.value);
                marked.then(|| choices.iter().any(hit))
            }
            _ => None,
        }
    }

    /// The option's text for people; other values in their own words.
    pub fn words(&self, value: &Value) -> String {
        let text = |v: &String| {
            self.kind.choices().iter().find(|c| c.value == *v).map_or(v.clone(), |c| c.text.clone())
        };
        match (&self.kind, value) {
            (Kind::Single(_), Value::Choice(v)) => text(v),
            (Kind::Several(_), Value::Several(set)) if !set.is_empty() => {
                set.iter().map(text).collect::<Vec<_>>().join(", ")
            }
            (Kind::Scale { low, labels, .. }, Value::Scale(n)) => {
                match usize::try_from(n - low).ok().and_then(|i| labels.get(i)) {
                    Some(label) => format!("{n} {label}"),
                    None => n.to_string(),
                }
            }
            _ => value.words(),
        }
    }
}

#[cfg(test)]
mod tests;
