//! The sheet on which a report is asked for: format, name of the file, and how writing goes.

use crate::app::input::Input;
use crate::core::metric::{Report, ReportFormat};
use std::sync::Arc;

/// The name that is proposed.
const NAME: &str = "pluriscope-report";

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    pub format: ReportFormat,
    /// A path, from the folder in which the program was started.
    pub name: String,
    /// Whether a file that is there may be replaced.
    pub replace: bool,
    pub report: Arc<Report>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Saved {
    /// Files hashed, of how many.
    Progress(usize, usize),
    /// A file with this name is there, and nobody said that it may be replaced.
    Exists,
    Written {
        path: String,
        bytes: u64,
    },
    Failed(String),
}

/// The sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportSheet {
    pub format: ReportFormat,
    pub name: Input,
    /// The last thing that was heard; `None` before anything was asked for.
    pub saved: Option<Saved>,
}

impl Default for ReportSheet {
    fn default() -> ReportSheet {
        let format = ReportFormat::Html;
        ReportSheet { format, name: Input::new(&format.named(NAME)), saved: None }
    }
}

impl ReportSheet {
    /// Goes to another format; the file's name follows.
    pub fn choose(&mut self, back: bool) {
        let formats = ReportFormat::FILES;
        let at = formats.iter().position(|f| *f == self.format).unwrap_or(0);
        let next = if back { at.saturating_sub(1) } else { (at + 1).min(formats.len() - 1) };
        self.format = formats[next];
        self.name = Input::new(&self.format.named(self.name.text()));
        self.saved = None;
    }

    /// Whether it is being written.
    pub fn busy(&self) -> bool {
        matches!(self.saved, Some(Saved::Progress(..)))
    }
}
