//! What can happen to the explorer.

use super::{
    annotate::Reply,
    keymap::Key,
    metrics::{Measured, report::Saved},
};
use crate::{
    core::{
        Item, Trace,
        check::Record as Verdicts,
        corpus::{BadLine, Corpus, LoadProgress, Loc},
        query::Selection,
        run::RunLog,
    },
    job::{JobEvent, RowId},
};
use crossterm::event::MouseEvent;
use std::{sync::Arc, time::Duration};

/// One event; everything that enters `update`.
#[derive(Clone, Debug)]
pub enum Event {
    Key(Key),
    Mouse(MouseEvent),
    Paste(String),
    Resize(u16, u16),
    /// Time since the start; the only clock that the explorer knows.
    Tick(Duration),
    Job(JobEvent),
    Corpus(CorpusEvent),
    /// The answer to `Effect::Query` of this generation.
    Selected {
        generation: u64,
        selection: Arc<Selection>,
    },
    /// The answer to `Effect::Load`.
    Loaded {
        loc: Loc,
        record: Result<Record, String>,
    },
    /// The answer to `Effect::Store`: where the trace lies now.
    Stored {
        row: RowId,
        result: Result<Loc, String>,
    },
    /// Verdicts that were kept by earlier sessions or shipped with the corpus.
    Checked(Vec<Arc<Verdicts>>),
    /// Training runs as they are now, while `Effect::WatchRuns` holds; where they were looked for.
    Runs {
        places: String,
        runs: Vec<Arc<RunLog>>,
    },
    /// The answer to `Effect::Annotate`.
    Annotate(Reply),
    /// The answers to `Effect::Measure` of this generation: what is measured so far, and how many steps of how many
    /// are done; `None` with the last.
    Measured {
        generation: u64,
        measured: Arc<Measured>,
        running: Option<(usize, usize)>,
    },
    /// The answers to `Effect::Report`.
    Report(Saved),
    /// The answer to `Effect::Copy`.
    Copied(Result<usize, String>),
    Fetch(FetchEvent),
    /// The answer to `Effect::ListModels`.
    Models(Vec<ModelLine>),
    /// A note for the user from outside: a bad keymap, a log that cannot be written.
    Note(String),
}

/// A line of a file, read in full.
#[derive(Clone, Debug)]
pub struct Record {
    pub item: Option<Arc<Item>>,
    pub trace: Option<Arc<Trace>>,
}

/// How opening goes.
#[derive(Clone, Debug)]
pub enum CorpusEvent {
    /// The index so far; the last one comes with `progress.done`.
    Grown { corpus: Corpus, progress: LoadProgress, bad: Vec<BadLine> },
    /// Further, but no new snapshot yet.
    Progress { progress: LoadProgress, bad: Vec<BadLine> },
    /// Nothing could be opened.
    Failed(String),
}

/// How fetching a model goes.
#[derive(Clone, Debug, PartialEq)]
pub enum FetchEvent {
    Progress { model: String, from: String, bytes: u64, total: Option<u64> },
    Done { model: String },
    Failed { model: String, problem: String },
}

/// A model at hand, or one that can be fetched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelLine {
    pub reference: String,
    /// Size, architecture, or how to get it.
    pub about: String,
    pub present: bool,
}
