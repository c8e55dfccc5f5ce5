//! Rows on servers: who runs when, on how many threads, and how each ends.
//!
//! A row is a thread's work from its first request to its last; threads are started as rows come and end when there
//! are none. What a row has written so far is kept here, so that cancelling ends it at once, whatever its
//! connection does. Events go out under the lock: those of one row come in order, and none after its end.

use super::{
    RemoteOptions, ServerModel,
    http::Cancel,
    score,
    server::{Facts, Server, Stop},
    write::{self, Draft},
};
use crate::{
    core::{Finish, text::panic_words},
    engine::{
        jobs::{Jobs, Meter, RowEnd},
        lane::Outcome,
        options::THREAD_NAME,
        queue::{Queue, Work},
    },
    job::{CANCELLED, Command, JobEvent, JobId, ModelReport, RowId},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// A row that a thread is at.
struct Live {
    job: JobId,
    cancel: Cancel,
    /// `None` for scores.
    draft: Option<Draft>,
}

struct State {
    queue: Queue,
    /// Models that somebody wants to know ready.
    loads: Vec<(JobId, String)>,
    jobs: Jobs,
    meter: Meter,
    live: BTreeMap<RowId, Live>,
    servers: HashMap<String, Arc<Server>>,
    /// Threads that are running.
    threads: usize,
    progress_sent: Instant,
    closed: bool,
}

type Resolve = Box<dyn Fn(&str) -> Option<ServerModel> + Send + Sync>;
type Emit = Box<dyn Fn(JobEvent) + Send + Sync>;

/// What the threads share.
pub(in crate::engine) struct Shared {
    options: RemoteOptions,
    resolve: Resolve,
    emit: Emit,
    state: Mutex<State>,
}

/// The rows on servers.
pub(in crate::engine) struct Pool {
    shared: Arc<Shared>,
}

/// What a thread does next.
enum Task {
    Row { job: JobId, work: Work, cancel: Cancel },
    Load { job: JobId, model: String },
}

impl Pool {
    pub fn new(
        options: RemoteOptions,
        resolve: impl Fn(&str) -> Option<ServerModel> + Send + Sync + 'static,
        emit: impl Fn(JobEvent) + Send + Sync + 'static,
    ) -> Pool {
        let state = State {
            queue: Queue::default(),
            loads: Vec::new(),
            jobs: Jobs::default(),
            meter: Meter::new(),
            live: BTreeMap::new(),
            servers: HashMap::new(),
            threads: 0,
            progress_sent: Instant::now(),
            closed: false,
        };
        let shared =
            Shared { options, resolve: Box::new(resolve), emit: Box::new(emit), state: Mutex::new(state) };
        Pool { shared: Arc::new(shared) }
    }

    /// Takes a command in; answers come as events.
    pub fn handle(&self, command: Command) {
        let shared = &self.shared;
        let mut state = shared.lock();
        match command {
            Command::Load { job, model } => {
                state.jobs.hold(job);
                state.loads.push((job, model));
            }
            Command::Generate { job, rows } => {
                shared.enqueue(&mut state, job, rows.into_iter().map(|row| Work::Write(Arc::new(row))));
            }
            Command::Score { job, rows } => {
                shared.enqueue(&mut state, job, rows.into_iter().map(Work::Score));
            }
            Command::Cancel(job) => {
                state.jobs.mark_cancelled(job);
                state.loads.retain(|(j, _)| *j != job);
                shared.cancel(&mut state, |j, _| j == job);
            }
            Command::CancelRow(row) => shared.cancel(&mut state, |_, r| r == row),
            Command::Shutdown => {
                state.closed = true;
                let open: BTreeSet<JobId> =
                    state.queue.jobs().chain(state.live.values().map(|l| l.job)).collect();
                open.into_iter().for_each(|job| state.jobs.mark_cancelled(job));
                shared.cancel(&mut state, |_, _| true);
            }
        }
        shared.end_jobs(&mut state);
        let wanted =
            (state.queue.len() + state.live.len() + state.loads.len()).min(shared.options.at_once.max(1));
        while state.threads < wanted && !state.closed {
            let threads = Arc::clone(shared);
            let spawned = std::thread::Builder::new()
                .name(format!("{THREAD_NAME}-server"))
                .spawn(move || threads.work());
            match spawned {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads > 0 => break,
                Err(error) => {
                    let out = state.queue.fail_all(&format!("no thread for a request: {error}"));
                    shared.report(&mut state, out);
                    shared.end_jobs(&mut state);
                    break;
                }
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, state: &mut State, job: JobId, rows: impl Iterator<Item = Work>) {
        state.jobs.open(job);
        for work in rows {
            state.jobs.add_row(job, work.row());
            state.queue.push(job, work);
        }
    }

    /// One thread: rows and loads until there are none.
    fn work(self: &Arc<Self>) {
        loop {
            let task = {
                let mut state = self.lock();
                match self.next(&mut state) {
                    Some(task) => task,
                    None => {
                        state.threads -= 1;
                        return;
                    }
                }
            };
            let row = if let Task::Row { job, work, .. } = &task { Some((*job, work.row())) } else { None };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run(task)))
                && let Some((_, row)) = row
            {
                let problem = format!("the request failed ({}); please report it", panic_words(&*panic));
                self.end(row, Err(Stop::Failed(problem)));
            }
        }
    }

    /// The next thing to do: a row of the job with the fewest live rows.
    fn next(&self, state: &mut State) -> Option<Task> {
        if state.closed {
            return None;
        }
        if let Some((job, model)) = state.loads.pop() {
            return Some(Task::Load { job, model });
        }
        let live = |job: JobId| state.live.values().filter(|l| l.job == job).count();
        let job = state.queue.jobs().min_by_key(|job| live(*job))?;
        let mut rows = state.queue.take(job);
        let waiting = rows.pop_front();
        state.queue.put_back(job, rows);
        let work = waiting?.work;
        let cancel = Cancel::default();
        let draft = if let Work::Write(row) = &work { Some(Draft::new(Arc::clone(row))) } else { None };
        state.live.insert(work.row(), Live { job, cancel: cancel.clone(), draft });
        Some(Task::Row { job, work, cancel })
    }

    fn run(&self, task: Task) {
        match task {
            Task::Load { job, model } => {
                let result = self.meet(&model, &Cancel::default());
                let mut state = self.lock();
                let end = if result.is_ok() { RowEnd::Done } else { RowEnd::Failed };
                state.jobs.release(job, end);
                self.end_jobs(&mut state);
            }
            Task::Row { job, work, cancel } => {
                let row = work.row();
                let (server, facts) = match self.meet(work.model(), &cancel) {
                    Ok(met) => met,
                    Err(stop) => return self.end(row, Err(stop)),
                };
                self.emit_live(row, || JobEvent::RowStarted { job, row, prompt_tokens: 0, cached_tokens: 0 });
                let ending = match &work {
                    Work::Write(write) => {
                        write::run(self, write, &server, &facts, &self.options, &cancel).map(Ending::Wrote)
                    }
                    Work::Score(score) => score::run(score, &server, &facts, &self.options, &cancel)
                        .map(|(scores, tokens)| Ending::Scored(scores, tokens)),
                };
                self.end(row, ending);
            }
        }
    }

    /// The server of a reference and what it says about itself; the first time, that it is ready or cannot be had.
    fn meet(&self, reference: &str, cancel: &Cancel) -> Result<(Arc<Server>, Facts), Stop> {
        let known = self.lock().servers.get(reference).cloned();
        let server = match known {
            Some(server) => server,
            None => {
                let model = (self.resolve)(reference)
                    .ok_or_else(|| Stop::Failed(format!("`{reference}` names no server")))?;
                let server = Arc::new(Server::new(model));
                Arc::clone(self.lock().servers.entry(reference.to_owned()).or_insert(server))
            }
        };
        let begun = Instant::now();
        let client = server.client(&self.options, cancel);
        let (facts, asked) = server.facts(&client, &self.options, cancel);
        match (&facts, asked) {
            (Ok(facts), true) => (self.emit)(JobEvent::ModelReady(Arc::new(ModelReport {
                reference: reference.to_owned(),
                architecture: "server".to_owned(),
                weights: facts.owner.clone(),
                context: facts.context.unwrap_or(0),
                load_time: begun.elapsed(),
                ..ModelReport::default()
            }))),
            (Err(Stop::Failed(problem)), true) => (self.emit)(JobEvent::ModelFailed {
                model: reference.to_owned(),
                problem: problem.clone(),
                missing: false,
            }),
            _ => {}
        }
        facts.map(|facts| (server, facts))
    }

    fn emit_live(&self, row: RowId, event: impl FnOnce() -> JobEvent) {
        let state = self.lock();
        if state.live.contains_key(&row) {
            (self.emit)(event());
        }
    }

    /// Changes a live row's draft; `None` when the row has ended.
    pub(super) fn edit<T>(&self, row: RowId, change: impl FnOnce(&mut Draft) -> T) -> Option<T> {
        self.lock().live.get_mut(&row)?.draft.as_mut().map(change)
    }

    /// As [`Shared::edit`], for a piece that came; text goes out a few times a second.
    pub(super) fn piece<T>(&self, row: RowId, change: impl FnOnce(&mut Draft) -> T) -> Option<T> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let live = state.live.get_mut(&row)?;
        let job = live.job;
        let draft = live.draft.as_mut()?;
        let before = draft.written().0;
        let out = change(draft);
        let fresh = draft.written().0.saturating_sub(before);
        if let Some((text, tokens)) = draft.take_text(false) {
            (self.emit)(JobEvent::RowText { job, row, text, tokens });
        }
        let now = Instant::now();
        state.meter.step(now, fresh);
        if now.duration_since(state.progress_sent) >= PROGRESS_EVERY {
            state.progress_sent = now;
            self.send_progress(state, now);
        }
        Some(out)
    }

    fn send_progress(&self, state: &State, now: Instant) {
        let live: Vec<(usize, usize)> =
            state.live.values().filter_map(|l| l.draft.as_ref().map(Draft::written)).collect();
        let limits = state.queue.limits();
        let progress = state.meter.progress(now, &live, state.live.len(), &limits, state.queue.len());
        (self.emit)(JobEvent::Progress(progress));
    }

    /// Ends a row as its thread says, unless it was ended before.
    fn end(&self, row: RowId, ending: Result<Ending, Stop>) {
        let mut state = self.lock();
        let Some(mut live) = state.live.remove(&row) else { return };
        let job = live.job;
        let mut out = Vec::new();
        match (ending, &mut live.draft) {
            (Ok(Ending::Wrote(finish)), Some(draft)) => out.extend(wrote(job, row, draft, finish)),
            (Ok(Ending::Scored(scores, forward_tokens)), _) => {
                out.push(Outcome::Scored { job, row, scores, forward_tokens });
            }
            (Err(Stop::Cancelled), Some(draft)) => out.extend(wrote(job, row, draft, Finish::Cancelled)),
            (Err(Stop::Failed(problem)), _) => out.push(Outcome::Failed { job, row, problem }),
            (_, None) => out.push(Outcome::Failed { job, row, problem: CANCELLED.to_owned() }),
        }
        self.report(&mut state, out);
        if state.live.is_empty() && state.queue.len() == 0 {
            self.send_progress(&state, Instant::now());
            state.meter.reset();
        }
        self.end_jobs(&mut state);
    }

    fn cancel(&self, state: &mut State, which: impl Fn(JobId, RowId) -> bool) {
        let mut out = state.queue.cancel(&which);
        let rows: Vec<RowId> =
            state.live.iter().filter(|(row, live)| which(live.job, **row)).map(|(row, _)| *row).collect();
        for row in rows {
            let Some(mut live) = state.live.remove(&row) else { continue };
            live.cancel.raise();
            match &mut live.draft {
                Some(draft) => out.extend(wrote(live.job, row, draft, Finish::Cancelled)),
                None => out.push(Outcome::Failed { job: live.job, row, problem: CANCELLED.to_owned() }),
            }
        }
        self.report(state, out);
    }

    /// Turns outcomes into events and keeps the books.
    fn report(&self, state: &mut State, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            let event = match outcome {
                Outcome::Started { job, row, prompt_tokens, cached_tokens } => {
                    JobEvent::RowStarted { job, row, prompt_tokens, cached_tokens }
                }
                Outcome::Text { job, row, text, tokens } => JobEvent::RowText { job, row, text, tokens },
                Outcome::Wrote { job, row, trace } => {
                    let cancelled = trace.finish == Some(Finish::Cancelled);
                    state.jobs.close_row(job, row, if cancelled { RowEnd::Cancelled } else { RowEnd::Done });
                    state.meter.row((!cancelled).then(|| trace.token_count().unwrap_or(0)));
                    JobEvent::RowDone { job, row, trace }
                }
                Outcome::Scored { job, row, scores, forward_tokens } => {
                    state.jobs.close_row(job, row, RowEnd::Done);
                    state.meter.row(None);
                    JobEvent::RowScored { job, row, scores: Arc::new(scores), forward_tokens }
                }
                Outcome::Failed { job, row, problem } => {
                    let cancelled = problem == CANCELLED;
                    state.jobs.close_row(
                        job,
                        row,
                        if cancelled { RowEnd::Cancelled } else { RowEnd::Failed },
                    );
                    state.meter.row(None);
                    JobEvent::RowFailed { job, row, problem }
                }
            };
            (self.emit)(event);
        }
    }

    fn end_jobs(&self, state: &mut State) {
        for (job, finish) in state.jobs.take_finished() {
            (self.emit)(JobEvent::JobDone { job, finish });
        }
    }
}

/// How a row's work ended well.
enum Ending {
    Wrote(Finish),
    Scored(Vec<crate::job::ContinuationScore>, usize),
}

/// The last text of a row, and its trace.
fn wrote(job: JobId, row: RowId, draft: &mut Draft, finish: Finish) -> Vec<Outcome> {
    let text = draft.take_text(true).map(|(text, tokens)| Outcome::Text { job, row, text, tokens });
    text.into_iter().chain([Outcome::Wrote { job, row, trace: Arc::new(draft.trace(finish)) }]).collect()
}
