//! Rows that have not begun, in the order they came, per job.

use super::{lane::Outcome, writing::unwritten};
use crate::job::{CANCELLED, GenerateRow, JobId, RowId, ScoreRow};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// A row that has not begun.
pub(super) struct Waiting {
    pub work: Work,
    /// The prompt, once it was encoded.
    pub tokens: Option<Vec<u32>>,
}

pub(super) enum Work {
    Write(Arc<GenerateRow>),
    Score(ScoreRow),
}

impl Work {
    pub fn row(&self) -> RowId {
        match self {
            Work::Write(row) => row.row,
            Work::Score(row) => row.row,
        }
    }

    pub fn model(&self) -> &str {
        match self {
            Work::Write(row) => &row.model,
            Work::Score(row) => &row.model,
        }
    }
}

#[derive(Default)]
pub(super) struct Queue {
    jobs: BTreeMap<JobId, VecDeque<Waiting>>,
}

impl Queue {
    pub fn push(&mut self, job: JobId, work: Work) {
        self.jobs.entry(job).or_default().push_back(Waiting { work, tokens: None });
    }

    /// Jobs with rows here.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.jobs.keys().copied()
    }

    /// Whether some row needs `model`.
    pub fn wants(&self, model: &str) -> bool {
        self.any(|m| m == model)
    }

    /// Whether the model of some row fulfils `which`.
    pub fn any(&self, which: impl Fn(&str) -> bool) -> bool {
        self.jobs.values().flatten().any(|w| which(w.work.model()))
    }

    pub fn len(&self) -> usize {
        self.jobs.values().map(VecDeque::len).sum()
    }

    /// The most tokens that each row to be written may write.
    pub fn limits(&self) -> Vec<usize> {
        let limit =
            |w: &Waiting| if let Work::Write(row) = &w.work { Some(row.sampler.max_tokens) } else { None };
        self.jobs.values().flatten().filter_map(limit).collect()
    }

    /// Takes a job's rows out, to be put back by [`Queue::put_back`].
    pub fn take(&mut self, job: JobId) -> VecDeque<Waiting> {
        self.jobs.remove(&job).unwrap_or_default()
    }

    pub fn put_back(&mut self, job: JobId, rows: VecDeque<Waiting>) {
        if !rows.is_empty() {
            self.jobs.insert(job, rows);
        }
    }

    /// Removes the rows that `which` names.
    pub fn cancel(&mut self, which: impl Fn(JobId, RowId) -> bool) -> Vec<Outcome> {
        self.remove(
            |job, work| which(job, work.row()),
            |job, work| match work {
                Work::Write(row) => Outcome::Wrote { job, row: row.row, trace: Arc::new(unwritten(row)) },
                Work::Score(row) => Outcome::Failed { job, row: row.row, problem: CANCELLED.to_owned() },
            },
        )
    }

    /// Removes the rows that need `model`, which cannot be had.
    pub fn fail(&mut self, model: &str, problem: &str) -> Vec<Outcome> {
        self.remove(
            |_, work| work.model() == model,
            |job, work| Outcome::Failed { job, row: work.row(), problem: problem.to_owned() },
        )
    }

    /// Removes every row, all failed in the same words.
    pub fn fail_all(&mut self, problem: &str) -> Vec<Outcome> {
        self.remove(
            |_, _| true,
            |job, work| Outcome::Failed { job, row: work.row(), problem: problem.to_owned() },
        )
    }

    fn remove(
        &mut self,
        which: impl Fn(JobId, &Work) -> bool,
        outcome: impl Fn(JobId, &Work) -> Outcome,
    ) -> Vec<Outcome> {
        let mut out = Vec::new();
        for (&job, rows) in &mut self.jobs {
            rows.retain(|waiting| {
                let goes = which(job, &waiting.work);
                if goes {
                    out.push(outcome(job, &waiting.work));
                }
                !goes
            });
        }
        self.jobs.retain(|_, rows| !rows.is_empty());
        out
    }
}
