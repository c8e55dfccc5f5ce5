//! Checks over many traces: several runs at a time on one engine, with progress, cancel and a total of costs.
//!
//! Which traces, and where results go, is the caller's; so is leaving out what is stored already. This only keeps
//! the worker fed.

use super::EngineHandle;
use crate::{
    core::check::{CheckId, Record, Settings, Subject},
    job::{
        Command, JobEvent, JobId,
        checking::{CheckRun, Cost, Routes, Step},
    },
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

/// Checks of one trace.
#[derive(Clone, Debug)]
pub struct Task {
    pub subject: Arc<Subject>,
    pub settings: Arc<Settings>,
    pub routes: Routes,
    pub checks: Vec<CheckId>,
}

/// How a drive ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Traces whose checks all have a verdict.
    pub traces: usize,
    pub cost: Cost,
    pub cancelled: bool,
}

/// Why a drive ended early.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<E> {
    #[error("model `{model}`: {problem}")]
    Model { model: String, problem: String },
    #[error("the engine has stopped")]
    Stopped,
    /// The sink's own.
    #[error("{0}")]
    Sink(E),
}

/// How often the cancel flag is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What the caller is told.
pub enum News<'a> {
    /// A verdict; in no particular order.
    Record(Box<Record>),
    /// Every event of the worker, for progress displays.
    Event(&'a JobEvent),
    /// All checks of one more trace are through.
    TraceDone,
}

/// Runs `tasks` to their verdicts, at most `at_once` traces at a time, until they end or `cancel` rises.
///
/// A model that cannot be had ends the drive at once: every further trace would fail in the same words.
///
/// # Errors
/// When a model cannot be had, the engine stops, or `sink` fails.
pub fn drive<E>(
    engine: &EngineHandle,
    events: &Receiver<JobEvent>,
    tasks: impl IntoIterator<Item = Task>,
    at_once: usize,
    cancel: &AtomicBool,
    sink: &mut dyn FnMut(News<'_>) -> Result<(), E>,
) -> Result<Totals, DriveError<E>> {
    let mut tasks = tasks.into_iter();
    let mut runs: Vec<CheckRun> = Vec::new();
    let mut totals = Totals::default();
    let mut ids = 0u64;
    let mut next_id = move || {
        ids += 1;
        ids
    };
    loop {
        while runs.len() < at_once.max(1) && !totals.cancelled {
            let Some(task) = tasks.next() else { break };
            let job = JobId(next_id());
            let (run, step) =
                CheckRun::start(job, task.subject, task.settings, task.routes, &task.checks, &mut next_id);
            pass_on(engine, step, sink)?;
            if run.finished() {
                finish(&run, &mut totals, sink)?;
            } else {
                runs.push(run);
            }
        }
        if runs.is_empty() {
            return Ok(totals);
        }
        if cancel.load(Ordering::Relaxed) && !totals.cancelled {
            totals.cancelled = true;
            for run in &runs {
                engine.send(Command::Cancel(run.job()));
            }
        }
        let event = match events.recv_timeout(LOOK) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Err(DriveError::Stopped),
        };
        sink(News::Event(&event)).map_err(DriveError::Sink)?;
        if let JobEvent::ModelFailed { model, problem, .. } = event {
            return Err(DriveError::Model { model, problem });
        }
        for run in &mut runs {
            if let Some(step) = run.on(&event, &mut next_id) {
                pass_on(engine, step, sink)?;
                break;
            }
        }
        let mut at = 0;
        while at < runs.len() {
            if runs[at].finished() {
                let run = runs.remove(at);
                finish(&run, &mut totals, sink)?;
            } else {
                at += 1;
            }
        }
    }
}

fn pass_on<E>(
    engine: &EngineHandle,
    step: Step,
    sink: &mut dyn FnMut(News<'_>) -> Result<(), E>,
) -> Result<(), DriveError<E>> {
    for record in step.records {
        sink(News::Record(Box::new(record))).map_err(DriveError::Sink)?;
    }
    for command in step.commands {
        if !engine.send(command) {
            return Err(DriveError::Stopped);
        }
    }
    Ok(())
}

fn finish<E>(
    run: &CheckRun,
    totals: &mut Totals,
    sink: &mut dyn FnMut(News<'_>) -> Result<(), E>,
) -> Result<(), DriveError<E>> {
    totals.cost.add(run.cost());
    if run.cancelled() {
        return Ok(());
    }
    totals.traces += 1;
    sink(News::TraceDone).map_err(DriveError::Sink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::check::{Verdict, tests::fixtures},
        engine::{Engine, EngineOptions, tiny::TinyProvider},
    };
    use std::{convert::Infallible, sync::mpsc};

    fn task(model: &str, naive: bool) -> Task {
        Task {
            subject: Arc::new(fixtures::subject("It is hers. Nobody asked.\nAnswer: B")),
            settings: Arc::default(),
            routes: Routes { model: model.to_owned(), adapter: None, judge: None, naive },
            checks: CheckId::ALL.to_vec(),
        }
    }

    fn run(
        tasks: Vec<Task>,
        cancel: bool,
    ) -> (Result<Totals, DriveError<Infallible>>, Vec<Record>, TinyProvider) {
        let provider = TinyProvider::default();
        let (sender, events) = mpsc::channel();
        let engine =
            Engine::start(EngineOptions::default(), provider.clone(), move |e| drop(sender.send(e))).unwrap();
        let mut records = Vec::new();
        let totals = drive(&engine, &events, tasks, 2, &AtomicBool::new(cancel), &mut |news| {
            if let News::Record(record) = news {
                records.push(*record);
            }
            Ok(())
        });
        (totals, records, provider)
    }

    #[test]
    fn every_check_of_every_trace_ends_and_costs_are_counted() {
        let (totals, records, provider) =
            run(vec![task("m", false), task("m", true), task("m", false)], false);
        let totals = totals.unwrap();
        assert_eq!((totals.traces, records.len()), (3, 3 * CheckId::ALL.len()));
        assert!(records.iter().any(|r| matches!(r.verdict, Verdict::Judged(_))));
        assert!(totals.cost.forward_tokens > 0 && totals.cost.written_tokens > 0);
        let seen = provider.seen.forward_tokens.load(Ordering::Relaxed);
        let counted = totals.cost.forward_tokens;
        // The last token of a text is written and never read again.
        assert!(seen <= counted && counted <= seen + totals.cost.rows, "{counted} counted, {seen} seen");
    }

    #[test]
    fn a_cancelled_drive_ends_without_verdicts() {
        let (totals, records, _) = run(vec![task("slow", false), task("slow", false)], true);
        let totals = totals.unwrap();
        assert!(totals.cancelled && totals.traces == 0);
        // Safety checks and reasons for no verdict need no model: they are known before.
        let asked = |r: &&Record| r.family != crate::core::check::Family::Safety;
        assert!(records.iter().filter(asked).all(|r| matches!(r.verdict, Verdict::Unjudged(_))));
    }

    #[test]
    fn a_model_that_is_not_there_ends_the_drive() {
        let (totals, _, _) = run(vec![task("missing", false)], false);
        assert!(matches!(totals, Err(DriveError::Model { model, .. }) if model == "missing"));
    }
}
