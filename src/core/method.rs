//! Methods: the columns of every comparison, declared in `assets/methods.toml` and the user's own file.

use super::{Item, Kind, Sampler};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// A method's id, `zero-shot-cot`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MethodId(pub String);

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MethodId {
    fn from(id: &str) -> Self {
        MethodId(id.to_owned())
    }
}

/// An adapter by name (as stored in traces) and folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AdapterRef {
    pub name: String,
    pub path: PathBuf,
}

/// The adapters of a method. What was trained on values knows nothing of surveys, so a method may have another
/// for these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapters {
    /// For every item that has no better one.
    pub general: Option<AdapterRef>,
    /// For demographic perspectives.
    pub survey: Option<AdapterRef>,
}

impl Adapters {
    /// The one for items seen from a perspective of `kind`.
    pub fn of(&self, kind: Kind) -> Option<&AdapterRef> {
        let own = self.survey.as_ref().filter(|_| kind == Kind::Demographic);
        own.or(self.general.as_ref())
    }

    /// The one that a trace names.
    pub fn named(&self, name: &str) -> Option<&AdapterRef> {
        [&self.general, &self.survey].into_iter().flatten().find(|adapter| adapter.name == name)
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.general.is_some() || self.survey.is_some()
    }
}

/// One way of steering a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    pub id: MethodId,
    /// Shown at the head of its column.
    pub title: String,
    /// One line that says what it is.
    #[serde(default)]
    pub about: String,
    /// Model reference; without one, the model chosen on the command line or in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Adapter reference: a folder in PEFT format, relative to the methods file, or a shipped one by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Whether the method needs an adapter to mean anything (a trained method without one is "not run").
    #[serde(default)]
    pub trained: bool,
    /// Prompt template id.
    pub template: String,
    #[serde(default)]
    pub sampler: Sampler,
    /// Perspective kinds it applies to; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Data sets it applies to; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
}

impl Method {
    /// Whether a trace of this method on `item` can exist at all; `false` is "not applicable", not "missing".
    pub fn applies_to(&self, item: &Item) -> bool {
        self.applies(item.perspective.kind, &item.dataset)
    }

    /// Whether its template asks for a rationale before the answer.
    pub fn reasons(&self) -> bool {
        !self.template.ends_with("direct")
    }

    /// As [`Method::applies_to`], from the two facts it needs.
    pub fn applies(&self, kind: Kind, dataset: &str) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.datasets.is_empty() || self.datasets.iter().any(|d| d == dataset))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MethodsFile {
    #[serde(default, rename = "method")]
    methods: Vec<Method>,
}

/// Reads a methods file. The error names line and column, as TOML reports them.
pub fn parse_methods(toml_text: &str) -> Result<Vec<Method>, Box<toml::de::Error>> {
    toml::from_str::<MethodsFile>(toml_text).map(|file| file.methods).map_err(Box::new)
}

/// Lays the user's methods over the shipped ones: same id replaces, new ids follow.
pub fn merge_methods(mut shipped: Vec<Method>, user: Vec<Method>) -> Vec<Method> {
    for method in user {
        match shipped.iter_mut().find(|m| m.id == method.id) {
            Some(slot) => *slot = method,
            None => shipped.push(method),
        }
    }
    shipped
}
