//! What can lie over the explorer, each with its own state; at most one at a time.

use super::{action::Context, input::Input, metrics::report::ReportSheet};
use crate::core::{
    Item, Trace,
    check::intervene::{Comparison, Intervention},
    query::Suggestion,
};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// Keys of a zone.
    Help { context: Context, scroll: usize },
    /// Every action by name.
    Palette { input: Input, cursor: usize },
    /// The filter as one line; `problem` is what is wrong with what stands there.
    Filter { input: Input, problem: Option<String>, suggestions: Vec<Suggestion>, cursor: Option<usize> },
    /// Unreadable lines and notes.
    Problems { scroll: usize },
    /// Where the focused trace came from.
    Details { scroll: usize },
    /// What the checks found on the focused trace, with the evidence.
    Evidence { scroll: usize },
    /// Every check, to run one of them.
    Checks { cursor: usize },
    /// One step edited by hand, and how the answer moves.
    Intervene(Box<Intervene>),
    /// Models at hand.
    Models { cursor: usize },
    /// What is measured, as a file.
    Report(Box<ReportSheet>),
    /// A generation was asked for and no model is there.
    NoModel { model: String, problem: String, missing: bool },
}

/// The sheet on which one step is edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervene {
    pub item: Arc<Item>,
    pub trace: Arc<Trace>,
    /// Steps of the rationale, trimmed.
    pub steps: Vec<String>,
    /// The step that is edited.
    pub step: usize,
    /// Text being typed, and whether it is a new step before this one.
    pub input: Option<(Input, bool)>,
    /// The last edit that was asked for.
    pub edit: Option<Intervention>,
    pub outcome: Outcome,
}

/// What the edit did.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Nothing,
    Asking,
    Moved(Box<Comparison>),
    Failed(String),
}
