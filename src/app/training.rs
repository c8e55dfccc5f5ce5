//! The training screen: runs being watched, and which of them is looked at.

use crate::core::run::RunLog;
use std::sync::Arc;

/// What is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// The curves of one run.
    #[default]
    Curves,
    /// Accuracy against the share of training data, all runs together.
    Efficiency,
    /// Samples of what was written, newest first.
    Rollouts,
    /// What it takes to repeat the run.
    Settings,
}

impl Page {
    pub const ALL: [Page; 4] = [Page::Curves, Page::Efficiency, Page::Rollouts, Page::Settings];

    pub fn word(self) -> &'static str {
        match self {
            Page::Curves => "curves",
            Page::Efficiency => "sample efficiency",
            Page::Rollouts => "rollouts",
            Page::Settings => "settings",
        }
    }
}

/// The screen's state.
#[derive(Clone, Debug, Default)]
pub struct Training {
    pub page: Page,
    pub runs: Vec<Arc<RunLog>>,
    pub cursor: usize,
    pub scroll: usize,
    /// Whether the folders were looked at yet.
    pub seen: bool,
    /// Where runs are looked for, in words.
    pub places: String,
    /// Whether the folders are watched now.
    pub watched: bool,
}

impl Training {
    pub fn current(&self) -> Option<&Arc<RunLog>> {
        self.runs.get(self.cursor)
    }
}
