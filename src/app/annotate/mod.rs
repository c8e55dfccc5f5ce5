//! The annotation screen's state: a desk with a queue and a session, writes that wait for the disk, and the numbers of
//! the agreement pages.
//!
//! | file | what |
//! | --- | --- |
//! | [`outside`] | what is asked of the library, and its answers |
//! | [`desk`] | one person at work: session, place, unsaved answers, pace |
//! | [`reading`] | the text under the cursor: steps, words, marks |
//! | [`layout`] | where things stand on the screen |
//! | [`panel`] | the questions, as lines |

pub mod desk;
pub mod layout;
pub mod outside;
pub mod panel;
pub mod reading;

use crate::core::ItemId;

pub use desk::{Desk, Saving, Writing};
pub use outside::{Fault, Numbers, OpenDesk, Opened, Reply, Request, Traces};

/// What the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// The queue, trace by trace.
    #[default]
    Desk,
    Agreement,
    Confusion,
    Disagreements,
    Checkers,
}

impl Page {
    /// The pages of numbers, in the order of their keys.
    pub const NUMBERS: [Page; 4] = [Page::Agreement, Page::Confusion, Page::Disagreements, Page::Checkers];

    pub fn word(self) -> &'static str {
        match self {
            Page::Desk => "labels",
            Page::Agreement => "agreement",
            Page::Confusion => "confusion",
            Page::Disagreements => "disagreements",
            Page::Checkers => "checks against people",
        }
    }
}

/// How far the numbers are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Counting {
    #[default]
    Not,
    Counting,
    Done(Box<Numbers>),
    Failed(String),
}

/// How the desk came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Opening {
    #[default]
    Not,
    Opening,
    Failed(String),
}

/// The screen's state.
#[derive(Clone, Debug, Default)]
pub struct Annotate {
    pub page: Page,
    pub opening: Opening,
    pub desk: Option<Desk>,
    pub numbers: Counting,
    /// The row under the cursor of a page of numbers.
    pub cursor: usize,
    /// Which of the confusions is shown.
    pub confusion: usize,
    /// The item whose desk is asked for while it is still being read.
    pub awaiting: Option<ItemId>,
    /// Whether there is an explorer to go back to.
    pub from_explorer: bool,
    /// The second time, quitting leaves unsaved answers behind.
    pub warned: bool,
    /// Leave as soon as everything is on the disk.
    pub leaving: bool,
}

impl Annotate {
    /// Whether time must pass: an answer waits for the disk, or is to be tried again.
    pub fn waiting(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.unsaved() > 0)
    }

    /// Rows of the present page of numbers.
    pub fn rows(&self) -> usize {
        let Counting::Done(numbers) = &self.numbers else { return 0 };
        match self.page {
            Page::Desk => 0,
            Page::Agreement => numbers.report.rows.len() + numbers.report.marks.len(),
            Page::Confusion => 0,
            Page::Disagreements => numbers.disagreements.len(),
            Page::Checkers => numbers.checkers.len(),
        }
    }
}
