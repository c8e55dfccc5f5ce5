//! The events of both sides, models on this machine and on servers, as one stream.
//!
//! A job may have rows on both: it is done when both sides are done with it, and progress is that of both together.

use crate::job::{Command, JobEvent, JobFinish, JobId, Progress};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Who runs a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Side {
    Here,
    Servers,
}

#[derive(Default)]
struct Sides {
    open: [bool; 2],
    finish: Option<JobFinish>,
}

struct Inner {
    sink: Box<dyn Fn(JobEvent) + Send>,
    jobs: HashMap<JobId, Sides>,
    progress: [Progress; 2],
    /// Whether a server was ever asked for anything.
    mixed: bool,
}

pub(in crate::engine) struct Front {
    inner: Mutex<Inner>,
}

impl Front {
    pub fn new(sink: impl Fn(JobEvent) + Send + 'static) -> Front {
        let inner =
            Inner { sink: Box::new(sink), jobs: HashMap::new(), progress: Default::default(), mixed: false };
        Front { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command of `job` goes to `side`.
    pub fn sent(&self, job: JobId, side: Side) {
        let mut inner = self.lock();
        inner.mixed |= side == Side::Servers;
        inner.jobs.entry(job).or_default().open[side as usize] = true;
    }

    /// Passes an event of `side` on.
    pub fn event(&self, side: Side, event: JobEvent) {
        let mut inner = self.lock();
        let event = match event {
            JobEvent::JobDone { job, finish } => {
                let Some(sides) = inner.jobs.get_mut(&job) else {
                    return (inner.sink)(JobEvent::JobDone { job, finish });
                };
                sides.open[side as usize] = false;
                sides.finish = Some(sides.finish.map_or(finish, |other| both(other, finish)));
                if sides.open.contains(&true) {
                    return;
                }
                let finish = inner.jobs.remove(&job).and_then(|s| s.finish).unwrap_or(finish);
                JobEvent::JobDone { job, finish }
            }
            JobEvent::Progress(progress) if inner.mixed => {
                inner.progress[side as usize] = progress;
                let [a, b] = &inner.progress;
                JobEvent::Progress(Progress {
                    rows_done: a.rows_done + b.rows_done,
                    rows_live: a.rows_live + b.rows_live,
                    rows_waiting: a.rows_waiting + b.rows_waiting,
                    tokens_per_second: a.tokens_per_second + b.tokens_per_second,
                    time_left: a.time_left.max(b.time_left),
                })
            }
            other => other,
        };
        (inner.sink)(event);
    }
}

/// How a job ended whose halves ended in these ways.
fn both(a: JobFinish, b: JobFinish) -> JobFinish {
    match (a, b) {
        (JobFinish::Cancelled, _) | (_, JobFinish::Cancelled) => JobFinish::Cancelled,
        (JobFinish::Failed, JobFinish::Failed) => JobFinish::Failed,
        _ => JobFinish::Done,
    }
}

/// A command in the parts that each side gets. `is_served` says whether a model reference names a server.
pub(in crate::engine) fn split(
    command: Command,
    is_served: impl Fn(&str) -> bool,
) -> (Option<Command>, Option<Command>) {
    match command {
        Command::Load { job, model } => {
            let served = is_served(&model);
            let command = Command::Load { job, model };
            if served { (None, Some(command)) } else { (Some(command), None) }
        }
        Command::Generate { job, rows } => {
            let empty = rows.is_empty();
            let (there, here): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_served(&row.model));
            (
                (empty || !here.is_empty()).then_some(Command::Generate { job, rows: here }),
                (!there.is_empty()).then_some(Command::Generate { job, rows: there }),
            )
        }
        Command::Score { job, rows } => {
            let empty = rows.is_empty();
            let (there, here): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_served(&row.model));
            (
                (empty || !here.is_empty()).then_some(Command::Score { job, rows: here }),
                (!there.is_empty()).then_some(Command::Score { job, rows: there }),
            )
        }
        other @ (Command::Cancel(_) | Command::CancelRow(_) | Command::Shutdown) => {
            (Some(other.clone()), Some(other))
        }
    }
}

/// The job that a command adds to.
pub(in crate::engine) fn job_of(command: &Command) -> Option<JobId> {
    match command {
        Command::Load { job, .. } | Command::Generate { job, .. } | Command::Score { job, .. } => Some(*job),
        Command::Cancel(_) | Command::CancelRow(_) | Command::Shutdown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_job_on_both_sides_is_done_once() {
        let (sender, events) = mpsc::channel();
        let front = Front::new(move |event| drop(sender.send(event)));
        let done = |finish| JobEvent::JobDone { job: JobId(1), finish };
        front.sent(JobId(1), Side::Here);
        front.sent(JobId(1), Side::Servers);
        front.event(Side::Here, done(JobFinish::Failed));
        assert!(events.try_recv().is_err());
        front.event(Side::Servers, done(JobFinish::Done));
        assert!(matches!(events.try_recv(), Ok(JobEvent::JobDone { finish: JobFinish::Done, .. })));
        assert!(events.try_recv().is_err());
    }

    #[test]
    fn progress_of_both_sides_adds_up() {
        let (sender, events) = mpsc::channel();
        let front = Front::new(move |event| drop(sender.send(event)));
        front.sent(JobId(1), Side::Servers);
        let progress = |rows_live| JobEvent::Progress(Progress { rows_live, ..Progress::default() });
        front.event(Side::Here, progress(2));
        front.event(Side::Servers, progress(3));
        let last = events.try_iter().last();
        assert!(matches!(last, Some(JobEvent::Progress(p)) if p.rows_live == 5));
    }
}
