//! What the screen asks of the library, and what comes back.

use crate::core::{
    Item, Trace,
    annotation::{
        Act, Author, Project, Standing, Task, TaskId, Write,
        checker::Comparison,
        ratings::Rated,
        report::{Confusion, Disagreement, Report},
    },
    check::Record,
};
use std::sync::Arc;

/// Traces with their items, in the order in which they are labelled.
pub type Traces = Vec<(Arc<Item>, Arc<Trace>)>;

/// Which desk is wanted.
#[derive(Clone, Debug, Default)]
pub struct OpenDesk {
    /// By name; the only one where there is one.
    pub project: Option<String>,
    /// Who labels; the name that the system knows where none is given.
    pub annotator: Option<String>,
    pub adjudicate: bool,
    pub blind: bool,
    /// Traces that are to be labelled on the spot, in a project of their own.
    pub traces: Traces,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Request {
    /// Answered by [`Reply::Opened`].
    Open(OpenDesk),
    /// Answered by [`Reply::Kept`], when it is on the disk or failed.
    Keep(Write),
    /// Answered by [`Reply::Numbers`]. `only` leaves out what may not be seen yet.
    Count { project: Box<Project>, only: Option<Vec<TaskId>> },
}

/// A desk as it was left.
#[derive(Clone, Debug)]
pub struct Opened {
    pub project: Project,
    pub author: Author,
    pub blind: bool,
    /// In the order of this author.
    pub tasks: Vec<Task>,
    /// With the time of each act, in milliseconds since 1970.
    pub history: Vec<(i64, Act<TaskId>)>,
    pub standing: Option<Standing>,
    /// Labels of others on these traces.
    pub others: Vec<Rated>,
    pub checks: Vec<Arc<Record>>,
    /// Makes the names of this session's acts unique.
    pub nonce: u64,
    /// The trace to open on, where one was asked for.
    pub at: Option<TaskId>,
}

/// Why an answer is not on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub words: String,
    /// Trying again can help; otherwise the desk is opened anew.
    pub passes: bool,
}

/// The numbers of a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    pub report: Report,
    pub confusions: Vec<Confusion>,
    pub disagreements: Vec<Disagreement>,
    pub checkers: Vec<Comparison>,
    /// Traces that were left out because they may not be seen yet.
    pub hidden: usize,
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum Reply {
    Opened(Result<Box<Opened>, String>),
    /// The time at which it was kept, in milliseconds since 1970.
    Kept {
        uid: String,
        result: Result<i64, Fault>,
    },
    Numbers(Result<Box<Numbers>, String>),
}
