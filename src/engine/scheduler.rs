//! Which row runs where and when: commands in, events out, one step at a time, without a thread of its own.
//!
//! Rows are admitted from the job with the fewest live rows, so that a check of what is on screen never waits
//! behind a long run. Never blocks: models are asked for through [`Scheduler::take_loads`] and handed in by
//! [`Scheduler::loaded`].

use super::{
    jobs::{Jobs, Meter, RowEnd},
    lane::{Lane, Outcome, StepLimits},
    options::EngineOptions,
    provider::{LoadError, ModelProvider},
    queue::{Queue, Waiting, Work},
};
use crate::{
    core::Finish,
    job::{CANCELLED, Command, JobEvent, JobId, ModelReport, RowId},
    model::LanguageModel,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Rows that a job without any live row may have beyond the usual limit.
const EXTRA_ROWS: usize = 8;
/// Live text goes out at most this often.
const TEXT_EVERY: Duration = Duration::from_millis(34);
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// A model that is being loaded, and the jobs that asked for nothing else.
struct Loading {
    cancel: Arc<AtomicBool>,
    jobs: Vec<JobId>,
    begun: Instant,
}

/// A model to be loaded on another thread.
pub(super) struct LoadRequest {
    pub reference: String,
    pub cancel: Arc<AtomicBool>,
}

pub(super) struct Scheduler<P: ModelProvider> {
    options: EngineOptions,
    provider: Arc<P>,
    emit: Box<dyn Fn(JobEvent) + Send>,
    lanes: BTreeMap<String, Lane<P::Model>>,
    loading: HashMap<String, Loading>,
    loads: Vec<LoadRequest>,
    waiting: Queue,
    jobs: Jobs,
    meter: Meter,
    text_sent: Instant,
    progress_sent: Instant,
    clock: u64,
}

impl<P: ModelProvider> Scheduler<P> {
    pub fn new(options: EngineOptions, provider: Arc<P>, emit: Box<dyn Fn(JobEvent) + Send>) -> Self {
        let now = Instant::now();
        Scheduler {
            options,
            provider,
            emit,
            lanes: BTreeMap::new(),
            loading: HashMap::new(),
            loads: Vec::new(),
            waiting: Queue::default(),
            jobs: Jobs::default(),
            meter: Meter::new(),
            text_sent: now,
            progress_sent: now,
            clock: 0,
        }
    }

    /// Takes a command in. [`Command::Shutdown`] cancels everything.
    pub fn handle(&mut self, command: Command) {
        match command {
            Command::Load { job, model } => {
                self.jobs.hold(job);
                if let Some(lane) = self.lanes.get(&model) {
                    (self.emit)(JobEvent::ModelReady(Arc::new(report(&model, lane, Duration::ZERO))));
                    self.jobs.release(job, RowEnd::Done);
                } else {
                    self.request(&model, Some(job));
                }
            }
            Command::Generate { job, rows } => {
                self.enqueue(job, rows.into_iter().map(|row| Work::Write(Arc::new(row))));
            }
            Command::Score { job, rows } => self.enqueue(job, rows.into_iter().map(Work::Score)),
            Command::Cancel(job) => {
                self.jobs.mark_cancelled(job);
                self.cancel(|j, _| j == job);
                for loading in self.loading.values_mut() {
                    let before = loading.jobs.len();
                    loading.jobs.retain(|&j| j != job);
                    (loading.jobs.len()..before).for_each(|_| self.jobs.release(job, RowEnd::Cancelled));
                }
                self.drop_unwanted_loads();
            }
            Command::CancelRow(row) => {
                self.cancel(|_, r| r == row);
                self.drop_unwanted_loads();
            }
            Command::Shutdown => {
                let open: Vec<JobId> =
                    self.waiting.jobs().chain(self.lanes.values().flat_map(Lane::live)).collect();
                open.into_iter().for_each(|job| self.jobs.mark_cancelled(job));
                self.cancel(|_, _| true);
                self.loading.values().for_each(|loading| loading.cancel.store(true, Ordering::Relaxed));
            }
        }
        self.end_jobs();
    }

    fn enqueue(&mut self, job: JobId, rows: impl Iterator<Item = Work>) {
        self.jobs.open(job);
        for work in rows {
            self.jobs.add_row(job, work.row());
            self.waiting.push(job, work);
        }
    }

    fn cancel(&mut self, which: impl Fn(JobId, RowId) -> bool) {
        let mut out = self.waiting.cancel(&which);
        for lane in self.lanes.values_mut() {
            out.extend(lane.cancel(&which));
        }
        self.report(out);
    }

    /// A model that nobody waits for any more need not be loaded to the end.
    fn drop_unwanted_loads(&self) {
        for (reference, loading) in &self.loading {
            let wanted = self.waiting.wants(reference);
            if loading.jobs.is_empty() && !wanted {
                loading.cancel.store(true, Ordering::Relaxed);
            }
        }
    }

    fn request(&mut self, reference: &str, job: Option<JobId>) {
        let loading = self.loading.entry(reference.to_owned()).or_insert_with(|| {
            let cancel = Arc::new(AtomicBool::new(false));
            self.loads.push(LoadRequest { reference: reference.to_owned(), cancel: Arc::clone(&cancel) });
            Loading { cancel, jobs: Vec::new(), begun: Instant::now() }
        });
        loading.jobs.extend(job);
    }

    /// Models that somebody has to load now; room has been made for them.
    pub fn take_loads(&mut self) -> Vec<LoadRequest> {
        let loads = std::mem::take(&mut self.loads);
        for load in &loads {
            self.make_room(self.provider.memory_needed(&load.reference).unwrap_or(0));
        }
        loads
    }

    /// Drops idle models, least recently used first, until `needed` more bytes fit into the budget.
    fn make_room(&mut self, needed: u64) {
        let wanted = |lanes: &BTreeMap<String, Lane<P::Model>>| {
            needed + lanes.values().map(|l| l.model.info().memory_bytes).sum::<u64>()
        };
        while wanted(&self.lanes) > self.options.model_memory {
            let idle = self
                .lanes
                .iter()
                .filter(|(reference, lane)| lane.live().next().is_none() && !self.waiting.wants(reference));
            let Some(oldest) = idle.min_by_key(|(_, lane)| lane.used).map(|(reference, _)| reference.clone())
            else {
                break;
            };
            self.lanes.remove(&oldest);
        }
    }

    pub fn load_stage(&self, reference: &str, stage: &'static str, fraction: f32) {
        (self.emit)(JobEvent::ModelLoading { model: reference.to_owned(), stage, fraction });
    }

    /// A load that was asked for has ended.
    pub fn loaded(&mut self, reference: &str, result: Result<P::Model, LoadError>) {
        let loading = self.loading.remove(reference);
        let holders = loading.as_ref().map(|l| l.jobs.clone()).unwrap_or_default();
        let wanted = !holders.is_empty() || self.waiting.wants(reference);
        match result {
            Ok(model) => {
                let position = self.provider.position_bytes(&model).unwrap_or(64 << 10).max(1);
                let mut lane = Lane::new(model, (self.options.prefix_memory / position) as usize);
                self.clock += 1;
                lane.used = self.clock;
                let time = loading.map_or(Duration::ZERO, |l| l.begun.elapsed());
                (self.emit)(JobEvent::ModelReady(Arc::new(report(reference, &lane, time))));
                holders.into_iter().for_each(|job| self.jobs.release(job, RowEnd::Done));
                self.lanes.insert(reference.to_owned(), lane);
                self.make_room(0);
            }
            // Cancelled for someone who left, and wanted again by someone who came since: load again.
            Err(LoadError::Cancelled) if wanted => {
                let mut holders = holders.into_iter();
                self.request(reference, holders.next());
                holders.for_each(|job| self.request(reference, Some(job)));
            }
            Err(LoadError::Cancelled) => {}
            Err(error) => {
                let missing = matches!(error, LoadError::Missing(_));
                let problem = error.to_string();
                (self.emit)(JobEvent::ModelFailed {
                    model: reference.to_owned(),
                    problem: problem.clone(),
                    missing,
                });
                holders.into_iter().for_each(|job| self.jobs.release(job, RowEnd::Failed));
                let out = self.waiting.fail(reference, &problem);
                self.report(out);
            }
        }
        self.end_jobs();
    }

    /// Whether a step would do anything.
    pub fn busy(&self) -> bool {
        self.lanes.values().any(|lane| lane.live().next().is_some())
            || self.waiting.any(|model| !self.loading.contains_key(model))
    }

    /// Tokens written so far by each live row.
    #[cfg(test)]
    pub fn written(&self) -> Vec<usize> {
        self.lanes.values().flat_map(|lane| lane.written().map(|(written, _)| written)).collect()
    }

    /// Admits what fits and runs one batch of every model that has rows.
    pub fn step(&mut self) {
        self.admit();
        let limits = StepLimits {
            prefill_beside: self.options.prefill_beside,
            prefill_alone: self.options.prefill_alone,
        };
        let (mut out, mut written) = (Vec::new(), 0);
        self.clock += 1;
        for lane in self.lanes.values_mut().filter(|lane| lane.live().next().is_some()) {
            lane.used = self.clock;
            let (outcomes, tokens) = lane.step(limits);
            out.extend(outcomes);
            written += tokens;
        }
        let now = Instant::now();
        self.meter.step(now, written);
        if now.duration_since(self.text_sent) >= TEXT_EVERY {
            self.text_sent = now;
            let text: Vec<Outcome> = self.lanes.values_mut().flat_map(Lane::take_text).collect();
            self.report(text);
        }
        self.report(out);
        let idle = !self.busy();
        if idle || now.duration_since(self.progress_sent) >= PROGRESS_EVERY {
            self.progress_sent = now;
            self.send_progress(now);
        }
        if idle {
            self.meter.reset();
        }
        self.end_jobs();
    }

    fn send_progress(&self, now: Instant) {
        let live: Vec<(usize, usize)> = self.lanes.values().flat_map(Lane::written).collect();
        let rows_live = self.lanes.values().map(|lane| lane.live().count()).sum();
        let (limits, rows_waiting) = (self.waiting.limits(), self.waiting.len());
        (self.emit)(JobEvent::Progress(self.meter.progress(now, &live, rows_live, &limits, rows_waiting)));
    }

    /// Moves waiting rows into their lanes while there is room.
    fn admit(&mut self) {
        let mut live: HashMap<JobId, usize> = HashMap::new();
        for job in self.lanes.values().flat_map(Lane::live) {
            *live.entry(job).or_default() += 1;
        }
        let mut total: usize = live.values().sum();
        let mut blocked: Vec<JobId> = Vec::new();
        loop {
            let next = self.waiting.jobs().filter(|job| !blocked.contains(job));
            let Some(job) = next.min_by_key(|job| live.get(job).copied().unwrap_or(0)) else { break };
            let own = live.get(&job).copied().unwrap_or(0);
            let limit = self.options.max_rows + if own == 0 { EXTRA_ROWS } else { 0 };
            if total < limit && self.admit_one(job) {
                *live.entry(job).or_default() += 1;
                total += 1;
            } else {
                blocked.push(job);
            }
        }
    }

    /// Admits the first row of `job` that can run now; `false` when there is none.
    fn admit_one(&mut self, job: JobId) -> bool {
        let mut queue = self.waiting.take(job);
        let mut out = Vec::new();
        let mut admitted = false;
        let mut tried = 0;
        let mut i = 0;
        while i < queue.len() && !admitted && tried < self.options.max_rows {
            let Waiting { work, tokens } = &mut queue[i];
            let Some(lane) = self.lanes.get_mut(work.model()) else {
                let reference = work.model().to_owned();
                self.request(&reference, None);
                i += 1;
                continue;
            };
            let position = self.provider.position_bytes(&lane.model).unwrap_or(64 << 10);
            let room = (self.options.live_memory / position.max(1)) as usize;
            let row = work.row();
            tried += 1;
            let outcome = match work {
                Work::Write(write) => {
                    let needed = write.sampler.max_tokens + tokens.as_ref().map_or(0, Vec::len);
                    if lane.reserved() > 0 && lane.reserved() + needed > room {
                        break;
                    }
                    lane.admit(job, write, tokens, Instant::now())
                }
                Work::Score(score) => lane.admit_score(job, score),
            };
            match outcome {
                Ok(None) => {
                    i += 1;
                    continue;
                }
                Ok(Some(outcome)) => {
                    admitted = matches!(outcome, Outcome::Started { .. });
                    out.push(outcome);
                }
                Err(problem) => out.push(Outcome::Failed { job, row, problem }),
            }
            queue.remove(i);
        }
        self.waiting.put_back(job, queue);
        self.report(out);
        admitted
    }

    /// Turns outcomes into events and keeps the books.
    fn report(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            let event = match outcome {
                Outcome::Started { job, row, prompt_tokens, cached_tokens } => {
                    JobEvent::RowStarted { job, row, prompt_tokens, cached_tokens }
                }
                Outcome::Text { job, row, text, tokens } => JobEvent::RowText { job, row, text, tokens },
                Outcome::Wrote { job, row, trace } => {
                    let cancelled = trace.finish == Some(Finish::Cancelled);
                    self.jobs.close_row(job, row, if cancelled { RowEnd::Cancelled } else { RowEnd::Done });
                    self.meter.row((!cancelled).then_some(trace.tokens.len()));
                    JobEvent::RowDone { job, row, trace }
                }
                Outcome::Scored { job, row, scores, forward_tokens } => {
                    self.jobs.close_row(job, row, RowEnd::Done);
                    self.meter.row(None);
                    JobEvent::RowScored { job, row, scores: Arc::new(scores), forward_tokens }
                }
                Outcome::Failed { job, row, problem } => {
                    let cancelled = problem == CANCELLED;
                    self.jobs.close_row(job, row, if cancelled { RowEnd::Cancelled } else { RowEnd::Failed });
                    self.meter.row(None);
                    JobEvent::RowFailed { job, row, problem }
                }
            };
            (self.emit)(event);
        }
    }

    fn end_jobs(&mut self) {
        for (job, finish) in self.jobs.take_finished() {
            (self.emit)(JobEvent::JobDone { job, finish });
        }
    }

    /// After a panic: every open row fails, everything loaded is dropped, and the next command starts afresh.
    pub fn fail_all(&mut self, problem: &str) {
        self.loading.values().for_each(|loading| loading.cancel.store(true, Ordering::Relaxed));
        self.lanes.clear();
        self.loading.clear();
        self.loads.clear();
        self.waiting = Queue::default();
        self.meter.reset();
        let (rows, jobs) = self.jobs.take_all();
        for (job, row) in rows {
            (self.emit)(JobEvent::RowFailed { job, row, problem: problem.to_owned() });
        }
        for job in jobs {
            (self.emit)(JobEvent::JobDone { job, finish: crate::job::JobFinish::Failed });
        }
        (self.emit)(JobEvent::WorkerFailed { problem: problem.to_owned() });
    }
}

fn report<M: LanguageModel>(reference: &str, lane: &Lane<M>, load_time: Duration) -> ModelReport {
    let info = lane.model.info();
    ModelReport {
        reference: reference.to_owned(),
        architecture: info.architecture.clone(),
        parameters: info.parameters,
        weights: info.weights.clone(),
        memory_bytes: info.memory_bytes,
        context: info.context,
        vocabulary: info.vocabulary,
        load_time,
        hash: info.hash.clone(),
    }
}
