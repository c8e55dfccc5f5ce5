//! What `update` asks of the outside.

use super::{annotate::Request, metrics::report::Wish};
use crate::{
    core::{
        Item, Trace,
        check::Record,
        corpus::{Corpus, Loc},
        metric::Settings,
        query::{Order, Query, Selection},
    },
    job::{Command, RowId},
};
use std::sync::Arc;

/// One effect; the runtime executes it and answers with an event where the doc says so.
#[derive(Clone, Debug)]
pub enum Effect {
    Quit,
    /// Give the terminal back until `fg`.
    Suspend,
    /// Clear and draw everything.
    Redraw,
    /// Read these lines; one `Loaded` each.
    Load(Vec<Loc>),
    /// Evaluate; answered by `Selected`. A newer query cancels an older one.
    Query {
        generation: u64,
        query: Query,
        order: Order,
        corpus: Corpus,
    },
    /// Measure a selection; answered by `Measured` events. A newer measurement cancels an older one.
    Measure {
        generation: u64,
        query: Query,
        selection: Arc<Selection>,
        corpus: Corpus,
        settings: Settings,
    },
    /// Write a report; answered by `Report` events, the last of them no progress.
    Report(Wish),
    /// Hand a command to the worker; answered by `Job` events.
    Engine(Command),
    /// Keep a generated trace; answered by `Stored`.
    Store {
        row: RowId,
        item: Arc<Item>,
        trace: Arc<Trace>,
    },
    /// Keep verdicts of checks; a failure comes back as a `Note`.
    KeepChecks(Vec<Arc<Record>>),
    /// Watch the run folders, or no longer; answered by `Runs` at once and whenever a log has grown.
    WatchRuns(bool),
    /// Ask the library of annotations; answered by `Annotate`.
    Annotate(Request),
    /// Put text on the clipboard (OSC 52); answered by `Copied`.
    Copy(String),
    /// Fetch a model; answered by `Fetch` events.
    Fetch(String),
    CancelFetch,
    /// Answered by `Models`.
    ListModels,
    SetMouse(bool),
}
