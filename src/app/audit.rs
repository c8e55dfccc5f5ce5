//! Checks over many traces: a job with progress that can be cancelled and goes on where it stopped, and the
//! summary of every verdict on the traces of the present filter.

use crate::core::{
    ItemIx, TraceIx,
    check::{CheckId, overview::Overview},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Traces whose checks run at the same time: enough to fill the worker's batch, few enough to cancel at once.
pub const AT_ONCE: usize = 4;

/// What the screen shows below the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Rates per method and check.
    #[default]
    Rates,
    /// Areas over the curve, drawn together.
    Curves,
    /// Labels of the safety checks.
    Safety,
    /// Right or wrong against flagged or clear.
    Quadrant,
}

impl Page {
    pub const ALL: [Page; 4] = [Page::Rates, Page::Curves, Page::Safety, Page::Quadrant];

    pub fn word(self) -> &'static str {
        match self {
            Page::Rates => "rates",
            Page::Curves => "curves",
            Page::Safety => "safety",
            Page::Quadrant => "right × flagged",
        }
    }
}

/// The job.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub checks: Vec<CheckId>,
    pub queue: VecDeque<(ItemIx, TraceIx)>,
    pub total: usize,
    pub done: usize,
    /// Traces that could not be checked, by reason.
    pub left_out: BTreeMap<String, usize>,
}

/// The screen's state.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    pub page: Page,
    pub cursor: usize,
    /// Column of the quadrant that is under the cursor: 0 to 3.
    pub cell: usize,
    pub work: Option<Work>,
    /// Why the last job ended before its end; `None` once another runs.
    pub stopped: Option<String>,
    /// Over the verdicts on the traces of the filter; made anew when either changes.
    pub overview: Overview,
    /// The check that quadrants and curves speak of.
    pub about: Option<CheckId>,
    /// Whether the user chose it: else it is the first that there are verdicts of.
    pub chosen: bool,
    /// Traces of the filter that have any verdict, and all of them.
    pub covered: (usize, usize),
    /// Whether the numbers lag behind the verdicts, and when they were made.
    pub stale: bool,
    pub made: Duration,
}

impl Audit {
    /// Checks that the records of the report speak of, in the order of [`CheckId::ALL`].
    pub fn checks(&self) -> Vec<CheckId> {
        CheckId::ALL
            .into_iter()
            .filter(|c| self.overview.report.checks.iter().any(|s| s.check == *c))
            .collect()
    }

    /// Rows of the present page.
    pub fn rows(&self) -> usize {
        match self.page {
            Page::Rates => self.overview.report.checks.len(),
            Page::Curves => self.overview.curves.len(),
            Page::Safety => self.overview.safety.len(),
            Page::Quadrant => self.overview.quadrants.len() * 2,
        }
    }
}
