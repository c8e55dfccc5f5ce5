//! Which rows are open in which job, and how fast the work goes.

use crate::job::{JobFinish, JobId, Progress, RowId};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

/// How a row ended, as far as its job cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowEnd {
    Done,
    Cancelled,
    Failed,
}

#[derive(Debug, Default)]
struct JobState {
    open: usize,
    done: usize,
    failed: usize,
    cancelled: bool,
}

/// The open jobs and rows.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    jobs: BTreeMap<JobId, JobState>,
    rows: HashMap<RowId, JobId>,
}

impl Jobs {
    /// Opens a job with no rows yet; closing the last row ends it.
    pub fn open(&mut self, job: JobId) {
        self.jobs.entry(job).or_default();
    }

    pub fn add_row(&mut self, job: JobId, row: RowId) {
        self.jobs.entry(job).or_default().open += 1;
        self.rows.insert(row, job);
    }

    /// The job waits for something that is not a row: a model.
    pub fn hold(&mut self, job: JobId) {
        self.jobs.entry(job).or_default().open += 1;
    }

    pub fn mark_cancelled(&mut self, job: JobId) {
        if let Some(state) = self.jobs.get_mut(&job) {
            state.cancelled = true;
        }
    }

    /// Ends a row.
    pub fn close_row(&mut self, job: JobId, row: RowId, end: RowEnd) {
        if self.rows.remove(&row).is_some() {
            self.release(job, end);
        }
    }

    /// Ends a hold, or a row that was removed already.
    pub fn release(&mut self, job: JobId, end: RowEnd) {
        let Some(state) = self.jobs.get_mut(&job) else { return };
        state.open = state.open.saturating_sub(1);
        match end {
            RowEnd::Done => state.done += 1,
            RowEnd::Failed => state.failed += 1,
            RowEnd::Cancelled => {}
        }
    }

    /// Jobs that have nothing open any more; they are forgotten.
    pub fn take_finished(&mut self) -> Vec<(JobId, JobFinish)> {
        let finished: Vec<JobId> =
            self.jobs.iter().filter(|(_, s)| s.open == 0).map(|(&job, _)| job).collect();
        finished
            .into_iter()
            .filter_map(|job| {
                let state = self.jobs.remove(&job)?;
                let finish = if state.cancelled {
                    JobFinish::Cancelled
                } else if state.failed > 0 && state.done == 0 {
                    JobFinish::Failed
                } else {
                    JobFinish::Done
                };
                Some((job, finish))
            })
            .collect()
    }

    /// Everything that is open, rows and jobs; all is forgotten.
    pub fn take_all(&mut self) -> (Vec<(JobId, RowId)>, Vec<JobId>) {
        let mut rows: Vec<_> = self.rows.drain().map(|(row, job)| (job, row)).collect();
        rows.sort();
        (rows, std::mem::take(&mut self.jobs).into_keys().collect())
    }
}

/// Speed over the last second or so, and what is left at that speed.
#[derive(Debug)]
pub(super) struct Meter {
    window: VecDeque<(Instant, usize)>,
    rows_done: usize,
    /// Tokens of finished rows, for the mean length of those to come.
    tokens_done: usize,
    rows_written: usize,
}

/// Speed is measured over this long.
const WINDOW: Duration = Duration::from_millis(1500);

impl Meter {
    pub fn new() -> Self {
        Meter { window: VecDeque::new(), rows_done: 0, tokens_done: 0, rows_written: 0 }
    }

    /// A step wrote `tokens`.
    pub fn step(&mut self, now: Instant, tokens: usize) {
        self.window.push_back((now, tokens));
        while self.window.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.window.pop_front();
        }
    }

    /// A row ended, having written `tokens` (`None` for scores and failures).
    pub fn row(&mut self, tokens: Option<usize>) {
        self.rows_done += 1;
        if let Some(tokens) = tokens {
            self.rows_written += 1;
            self.tokens_done += tokens;
        }
    }

    /// Forgets all: the next work is counted from nothing.
    pub fn reset(&mut self) {
        *self = Meter::new();
    }

    /// The numbers, given each live row's (written, limit) and the limits of the waiting ones.
    pub fn progress(
        &self,
        now: Instant,
        live: &[(usize, usize)],
        rows_live: usize,
        waiting_limits: &[usize],
        rows_waiting: usize,
    ) -> Progress {
        let tokens: usize = self.window.iter().skip(1).map(|(_, tokens)| tokens).sum();
        let span = self.window.front().map_or(0.0, |(at, _)| now.duration_since(*at).as_secs_f32());
        let tokens_per_second = if span > 0.0 { tokens as f32 / span } else { 0.0 };
        let mean = (self.rows_written > 0).then(|| self.tokens_done.div_ceil(self.rows_written));
        let expected = |limit: usize| mean.map_or(limit, |mean| mean.min(limit));
        let left: usize =
            live.iter().map(|&(written, limit)| expected(limit).saturating_sub(written).max(1)).sum();
        let left = left + waiting_limits.iter().map(|&limit| expected(limit)).sum::<usize>();
        let time_left = (tokens_per_second > 0.0 && left > 0)
            .then(|| Duration::from_secs_f32((left as f32 / tokens_per_second).min(1e7)));
        Progress { rows_done: self.rows_done, rows_live, rows_waiting, tokens_per_second, time_left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_ends_with_its_last_row() {
        let mut jobs = Jobs::default();
        jobs.add_row(JobId(1), RowId(1));
        jobs.add_row(JobId(1), RowId(2));
        jobs.close_row(JobId(1), RowId(1), RowEnd::Failed);
        assert!(jobs.take_finished().is_empty());
        // Closing twice counts once.
        jobs.close_row(JobId(1), RowId(1), RowEnd::Failed);
        assert!(jobs.take_finished().is_empty());
        jobs.close_row(JobId(1), RowId(2), RowEnd::Done);
        assert_eq!(jobs.take_finished(), [(JobId(1), JobFinish::Done)]);
    }

    #[test]
    fn speed_and_time_left_follow_from_the_window() {
        let start = Instant::now();
        let mut meter = Meter::new();
        for i in 0..=10u64 {
            meter.step(start + Duration::from_millis(100 * i), 5);
        }
        let progress = meter.progress(start + Duration::from_secs(1), &[(10, 60)], 1, &[50], 1);
        assert!((progress.tokens_per_second - 50.0).abs() < 0.1);
        assert_eq!(progress.time_left.map(|t| t.as_secs_f32().round()), Some(2.0));
    }
}
