//! What passes between somebody who labels and the library: who, which project and traces, what is to be kept.

use super::{Act, Rubric, TaskId};
use crate::core::{Item, Trace, check::TraceKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who labels. An adjudicator decides over others' labels, and their decisions are kept apart from their own labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Author {
    pub name: String,
    pub adjudicator: bool,
}

impl Author {
    pub fn annotator(name: &str) -> Author {
        Author { name: name.to_owned(), adjudicator: false }
    }
}

/// A project as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    pub id: i64,
    pub name: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    pub rubric: Arc<Rubric>,
    /// How many versions of this rubric there are up to this one: "faithfulness 2".
    pub rubric_number: i64,
    /// The query that chose its traces, for people.
    pub query: String,
}

/// A trace to label, with its item.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: TaskId,
    pub key: TraceKey,
    pub item: Arc<Item>,
    pub trace: Arc<Trace>,
}

/// Where somebody stopped: the trace, and the question's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub task: TaskId,
    pub question: String,
}

/// What is to be kept: an act, a place, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub project: i64,
    pub author: Author,
    /// Version of the rubric.
    pub rubric: String,
    /// Made by the caller and the same when it is tried again: nothing is kept twice.
    pub uid: String,
    pub act: Option<Act<TaskId>>,
    pub standing: Option<Standing>,
}
