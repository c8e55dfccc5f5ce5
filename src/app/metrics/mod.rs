//! The metrics screen: tables over the present filter, measured in the background, and value priorities on the
//! present situation. Never computes a metric itself; it holds what came and where the cursor is.

pub mod page;
pub mod priorities;
pub mod report;

pub use page::{Line, Place};
pub use priorities::Priorities;

use crate::core::{
    metric::{
        Samples,
        chart::Chart,
        report::{Curve, Report},
        sheet::{Section, Sheet},
    },
    run::RunLog,
};
use std::sync::Arc;

/// What the screen shows below its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Accuracy beside its baselines, F1, steerability.
    #[default]
    Scores,
    /// Differences with their tests, agreement, flips.
    Pairs,
    /// Heat maps: groups by methods.
    Groups,
    /// Accuracy, faithfulness and safety in one table.
    Checks,
    /// Weights over the perspectives of one situation.
    Priorities,
    /// Sample efficiency: accuracy against the share of training rows, by run.
    Training,
}

impl Page {
    pub const ALL: [Page; 6] =
        [Page::Scores, Page::Pairs, Page::Groups, Page::Checks, Page::Priorities, Page::Training];

    pub fn word(self) -> &'static str {
        match self {
            Page::Scores => "scores",
            Page::Pairs => "pairs",
            Page::Groups => "for whom",
            Page::Checks => "checks",
            Page::Priorities => "priorities",
            Page::Training => "training",
        }
    }

    fn section(self) -> Option<Section> {
        match self {
            Page::Scores => Some(Section::Scores),
            Page::Pairs => Some(Section::Pairs),
            Page::Groups => Some(Section::Groups),
            Page::Checks => Some(Section::Checks),
            Page::Priorities => None,
            Page::Training => Some(Section::Training),
        }
    }
}

/// What was measured, ready to be drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    pub report: Report,
    pub sheets: Vec<Sheet>,
    pub charts: Vec<Chart>,
}

/// The screen's state.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub page: Page,
    /// Where the cursor is on each page.
    pub places: [Place; 6],
    pub measured: Arc<Measured>,
    /// Which of repeated samples count.
    pub samples: Samples,
    /// Number of the filter that was last asked to be measured; 0 is none yet.
    pub asked: u64,
    /// Steps done and steps in all, while a measurement runs.
    pub running: Option<(usize, usize)>,
    /// Verdicts on the traces of the filter, as a table; made by the screen, since verdicts come one by one.
    pub checks: Option<Sheet>,
    /// Verdicts when that table was made.
    pub verdicts: usize,
    pub priorities: Priorities,
    /// Sample efficiency of the runs that are watched, as a table and drawn.
    pub training: Option<Sheet>,
    pub training_charts: Vec<Chart>,
}

impl Metrics {
    /// Tables of the present page.
    pub fn sheets(&self) -> Vec<&Sheet> {
        match self.page {
            Page::Checks => return self.checks.iter().collect(),
            Page::Training => return self.training.iter().collect(),
            _ => {}
        }
        let section = self.page.section();
        self.measured.sheets.iter().filter(|s| Some(s.section) == section).collect()
    }

    /// Charts of the present page.
    pub fn charts(&self) -> Vec<&Chart> {
        if self.page == Page::Training {
            return self.training_charts.iter().collect();
        }
        let section = self.page.section();
        self.measured.charts.iter().filter(|c| Some(c.section()) == section).collect()
    }

    /// Validation accuracy of the runs that were validated.
    pub fn curves(&self, runs: &[Arc<RunLog>]) -> Vec<Curve> {
        runs.iter().filter_map(|run| Curve::of_run(run)).collect()
    }

    pub fn place(&self) -> Place {
        self.places[self.page as usize]
    }

    pub fn set_place(&mut self, place: Place) {
        self.places[self.page as usize] = place;
    }
}
