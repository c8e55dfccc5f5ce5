//! What stands in a column of the comparison: one method on the current item.

use crate::app::{
    demo::RECORDED,
    live::{LiveRow, RowState},
    state::{RunnableMethod, State},
    texts::{Entry, Lookup, Shown},
};
use crate::{
    core::{
        Kind, Letter,
        corpus::{ItemIx, Outcome, TraceEntry, TraceIx},
    },
    job::RowId,
};
use std::sync::Arc;

/// A cell of the comparison. "Not applicable" and "not run" are states of their own.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// There is no such cell: the method is for other perspectives or data sets.
    NotApplicable,
    /// No trace yet; `why_not` says what live generation would need.
    NotRun {
        why_not: Option<&'static str>,
    },
    Loading,
    Failed(&'a str),
    Live(RowId, &'a LiveRow),
    Trace {
        entry: &'a Entry,
        facts: TraceEntry,
        sample: usize,
        samples: usize,
    },
}

/// The samples of a method on an item, in order.
pub fn samples(state: &State, item: ItemIx, method: &RunnableMethod) -> Vec<TraceIx> {
    match state.corpus.method_ix(&method.method.id.0) {
        Some(ix) => state.corpus.samples(item, ix).collect(),
        None => Vec::new(),
    }
}

/// The cell of `method` (an index into the state's methods) on `item`.
pub fn cell(state: &State, item: ItemIx, method: usize) -> Cell<'_> {
    let (Some(runnable), Some(entry)) = (state.methods.get(method), state.corpus.item(item)) else {
        return Cell::NotRun { why_not: None };
    };
    if let Some(row) = state.demo.as_ref().and_then(|demo| demo.row(item, method)) {
        return Cell::Live(RECORDED, row);
    }
    // Before an audience, what failed gives way to its recording.
    let shown = |row: &LiveRow| state.demo.is_none() || !matches!(row.state, RowState::Failed(_));
    if let Some((id, row)) = state.live.row(entry.id, &runnable.method.id).filter(|(_, row)| shown(row)) {
        return Cell::Live(id, row);
    }
    let samples = samples(state, item, runnable);
    let chosen = state.explorer.compare.sample(method).min(samples.len().saturating_sub(1));
    let Some(facts) = samples.get(chosen).and_then(|ix| state.corpus.trace(*ix)).copied() else {
        return not_run(state, item, runnable);
    };
    match state.texts.get(facts.loc) {
        Lookup::Ready(entry) => Cell::Trace { entry, facts, sample: chosen, samples: samples.len() },
        Lookup::Pending => Cell::Loading,
        Lookup::Failed(problem) => Cell::Failed(problem),
    }
}

/// Whether a method can mean anything on an item.
pub fn applies(state: &State, item: ItemIx, runnable: &RunnableMethod) -> bool {
    kind(state, item).is_none_or(|kind| runnable.method.applies(kind, state.corpus.dataset(item)))
}

fn kind(state: &State, item: ItemIx) -> Option<Kind> {
    let perspective = state.corpus.item(item).and_then(|i| i.perspective());
    perspective.and_then(|p| state.corpus.perspective(p)).map(|p| p.kind)
}

/// Whether a trained method has no adapter for such an item.
pub fn lacks_adapter(state: &State, item: ItemIx, runnable: &RunnableMethod) -> bool {
    let kind = kind(state, item).unwrap_or(Kind::Value);
    runnable.method.trained && runnable.adapters.of(kind).is_none()
}

fn not_run<'a>(state: &State, item: ItemIx, runnable: &RunnableMethod) -> Cell<'a> {
    if !applies(state, item, runnable) {
        return Cell::NotApplicable;
    }
    let why_not = if state.demo.as_ref().is_some_and(|demo| demo.locked) {
        Some("there is no recording of this method here")
    } else if !runnable.declared {
        Some("known from traces only: no methods file declares it")
    } else if lacks_adapter(state, item, runnable) {
        Some("needs its trained adapter, which is not here")
    } else {
        None
    };
    Cell::NotRun { why_not }
}

impl Cell<'_> {
    /// The text, where there is some.
    pub fn shown(&self) -> Option<&Arc<Shown>> {
        match self {
            Cell::Trace { entry, .. } => Some(&entry.shown),
            Cell::Live(_, row) => Some(&row.shown),
            _ => None,
        }
    }

    /// Whether text is still being added.
    pub fn is_writing(&self) -> bool {
        matches!(self, Cell::Live(_, row) if !matches!(row.state, RowState::Done(_) | RowState::Failed(_)))
    }

    /// The recorded answer and what became of it.
    pub fn outcome(&self) -> Option<(Option<Letter>, Outcome)> {
        match self {
            Cell::Trace { facts, .. } => Some((facts.answer(), facts.outcome())),
            Cell::Live(_, LiveRow { state: RowState::Done(trace), .. }) => {
                let outcome = match (trace.predicted_answer, trace.correct) {
                    (None, _) => Outcome::NoAnswer,
                    (_, Some(true)) => Outcome::Right,
                    (_, Some(false)) => Outcome::Wrong,
                    (_, None) => Outcome::Unjudged,
                };
                Some((trace.predicted_answer, outcome))
            }
            _ => None,
        }
    }
}
