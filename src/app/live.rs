//! Generations under way: what has been asked for, what is written so far, and how the worker stands.

use super::texts::Shown;
use crate::{
    core::{ItemId, MethodId, Trace},
    job::{GenerateRow, JobEvent, JobId, Progress, RowId},
};
use std::{collections::BTreeMap, sync::Arc};

/// How a live row stands.
#[derive(Clone, Debug, PartialEq)]
pub enum RowState {
    Waiting,
    /// Prompt being read; tokens of it that came from the cache.
    Reading {
        prompt_tokens: usize,
        cached_tokens: usize,
    },
    Writing,
    /// Finished and handed to the store.
    Done(Arc<Trace>),
    Failed(String),
}

/// One live column.
#[derive(Clone, Debug)]
pub struct LiveRow {
    pub job: JobId,
    pub request: Arc<GenerateRow>,
    pub state: RowState,
    pub text: String,
    pub shown: Arc<Shown>,
    pub tokens: usize,
}

/// All live rows, and the ids given so far.
#[derive(Clone, Debug, Default)]
pub struct Live {
    rows: BTreeMap<RowId, LiveRow>,
    last_id: u64,
    pub progress: Progress,
    /// Rows of the present burst of work: how many there are and how many have ended.
    pub asked: usize,
    pub ended: usize,
    /// Asked for while its item is still being read.
    pub awaiting: Vec<(ItemId, Vec<MethodId>)>,
}

impl Live {
    /// A fresh id for a row or a job.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds requested rows; they replace what failed of the same items and methods.
    pub fn add(&mut self, job: JobId, rows: &[GenerateRow]) {
        self.rows.retain(|_, row| {
            let again =
                |new: &GenerateRow| new.item.id == row.request.item.id && new.method == row.request.method;
            !(matches!(row.state, RowState::Failed(_)) && rows.iter().any(again))
        });
        if !self.busy() {
            self.asked = 0;
            self.ended = 0;
        }
        self.asked += rows.len();
        for request in rows {
            self.rows.insert(
                request.row,
                LiveRow {
                    job,
                    request: Arc::new(request.clone()),
                    state: RowState::Waiting,
                    text: String::new(),
                    shown: Arc::default(),
                    tokens: 0,
                },
            );
        }
    }

    /// The newest row of a method on an item that has not been stored yet.
    pub fn row(&self, item: ItemId, method: &MethodId) -> Option<(RowId, &LiveRow)> {
        self.rows
            .iter()
            .rev()
            .find(|(_, row)| row.request.item.id == item && row.request.method == *method)
            .map(|(id, row)| (*id, row))
    }

    /// The row with this id.
    pub fn get(&self, id: RowId) -> Option<&LiveRow> {
        self.rows.get(&id)
    }

    /// Rows that are not yet at their end.
    pub fn open(&self) -> impl Iterator<Item = (RowId, &LiveRow)> {
        self.rows
            .iter()
            .filter(|(_, row)| !matches!(row.state, RowState::Done(_) | RowState::Failed(_)))
            .map(|(id, row)| (*id, row))
    }

    /// Every row that is not stored yet.
    pub fn all(&self) -> impl Iterator<Item = &LiveRow> {
        self.rows.values()
    }

    /// Whether anything is being written or waits.
    pub fn busy(&self) -> bool {
        self.open().next().is_some()
    }

    /// Takes in what the worker says about a row; the finished trace is returned for the store.
    pub fn apply(&mut self, event: &JobEvent) -> Option<(RowId, Arc<Trace>)> {
        match event {
            JobEvent::RowStarted { row, prompt_tokens, cached_tokens, .. } => {
                let state =
                    RowState::Reading { prompt_tokens: *prompt_tokens, cached_tokens: *cached_tokens };
                self.rows.get_mut(row)?.state = state;
            }
            JobEvent::RowText { row, text, tokens, .. } => {
                let row = self.rows.get_mut(row)?;
                row.state = RowState::Writing;
                row.text.push_str(text);
                row.tokens += *tokens;
                row.shown = Arc::new(Shown::of_text(&row.text));
            }
            JobEvent::RowDone { row: id, trace, .. } => {
                let row = self.rows.get_mut(id)?;
                row.state = RowState::Done(Arc::clone(trace));
                row.shown = Arc::new(Shown::of_trace(trace));
                row.tokens = trace.token_count().unwrap_or(row.tokens);
                self.ended += 1;
                return Some((*id, Arc::clone(trace)));
            }
            JobEvent::RowFailed { row, problem, .. } => {
                let row = self.rows.get_mut(row)?;
                row.state = RowState::Failed(problem.clone());
                self.ended += 1;
            }
            JobEvent::Progress(progress) => self.progress = progress.clone(),
            _ => {}
        }
        None
    }

    /// Drops a row: it was stored, or the user closed it.
    pub fn drop_row(&mut self, id: RowId) -> Option<LiveRow> {
        self.rows.remove(&id)
    }

    /// Takes all rows that failed for want of a model, to ask for them again.
    pub fn take_failed(&mut self, model: &str) -> Vec<GenerateRow> {
        let ids: Vec<RowId> = self
            .rows
            .iter()
            .filter(|(_, row)| row.request.model == model && matches!(row.state, RowState::Failed(_)))
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter().filter_map(|id| self.rows.remove(&id)).map(|row| (*row.request).clone()).collect()
    }
}
