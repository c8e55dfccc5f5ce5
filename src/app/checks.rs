//! Checks in the explorer: runs under way, and the verdicts by trace.

use crate::{
    core::{
        Trace,
        check::{CheckId, Reason, Record, Scoring, Settings, Source, Subject, TraceKey, Verdict},
    },
    job::{
        Command, JobEvent, JobId,
        checking::{CheckRun, Routes, Step},
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What one key runs on the focused column.
pub const QUICK: [CheckId; 1] = [CheckId::ProbabilityTrace];

/// What one key runs on every column of the item, and the audit on every trace.
pub const FULL: [CheckId; 9] = [
    CheckId::ProbabilityTrace,
    CheckId::EarlyAnswering,
    CheckId::MistakesFrozen,
    CheckId::Filler,
    CheckId::ShuffledOptions,
    CheckId::Conclusion,
    CheckId::Consistency,
    CheckId::SafetyLexical,
    CheckId::SafetyClassifier,
];

/// What every trace that is shown gets by itself: these need no model.
pub const AT_SIGHT: [CheckId; 2] = [CheckId::SafetyLexical, CheckId::SafetyClassifier];

/// Runs and verdicts.
#[derive(Debug, Default)]
pub struct Checks {
    runs: Vec<CheckRun>,
    verdicts: HashMap<TraceKey, BTreeMap<CheckId, Arc<Record>>>,
    /// Asked for while the trace's item is still being read, or another run on the trace is under way.
    pub awaiting: Vec<(Arc<Trace>, Vec<CheckId>)>,
    pub how: How,
}

/// How checks are made, as far as it is chosen on screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// The model in use writes mistakes and paraphrases; rules do without.
    pub model_makes: bool,
    /// What the answer is read off by; by itself words for values and letters for surveys.
    pub scoring: Option<Scoring>,
}

impl Checks {
    /// The verdicts on a trace, by check.
    pub fn of(&self, trace: &Trace) -> Option<&BTreeMap<CheckId, Arc<Record>>> {
        self.verdicts.get(&TraceKey::of(trace))
    }

    /// One check's verdict on a trace.
    pub fn verdict(&self, trace: &Trace, check: CheckId) -> Option<&Arc<Record>> {
        self.of(trace)?.get(&check)
    }

    /// Whether a trace is being checked.
    pub fn running(&self, trace: &Trace) -> bool {
        let key = TraceKey::of(trace);
        self.runs.iter().any(|run| TraceKey::of(&run.subject().trace) == key)
    }

    /// Whether a trace is being checked for this.
    pub fn at(&self, trace: &Trace, check: CheckId) -> bool {
        let key = TraceKey::of(trace);
        self.runs
            .iter()
            .any(|run| TraceKey::of(&run.subject().trace) == key && run.open().any(|c| c == check))
    }

    /// Every verdict, in no particular order.
    pub fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.verdicts.values().flat_map(BTreeMap::values)
    }

    /// Whether there is nothing yet.
    pub fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }

    /// Traces being checked.
    pub fn busy(&self) -> usize {
        self.runs.len()
    }

    /// Keeps records that were made before: a verdict of this session is not replaced.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Arc<Record>>) {
        for record in records {
            self.verdicts.entry(record.trace.clone()).or_default().entry(record.check).or_insert(record);
        }
    }

    /// Keeps a verdict.
    pub fn put(&mut self, record: Arc<Record>) {
        self.verdicts.entry(record.trace.clone()).or_default().insert(record.check, record);
    }

    /// Jobs under way.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.runs.iter().map(CheckRun::job)
    }

    /// Begins those of `checks` that have no verdict with the same version and parameters yet.
    pub fn start(
        &mut self,
        job: JobId,
        subject: Subject,
        settings: Settings,
        routes: Routes,
        checks: &[CheckId],
        next_id: &mut dyn FnMut() -> u64,
    ) -> News {
        let known = self.of(&subject.trace);
        let open: Vec<CheckId> = checks
            .iter()
            .copied()
            .filter(|check| {
                let stored = known.and_then(|k| k.get(check));
                stored.is_none_or(|r| {
                    r.source.parameters != Source::of(*check, &subject, &settings).parameters || failed(r)
                })
            })
            .collect();
        if open.is_empty() {
            return News::default();
        }
        if self.running(&subject.trace) {
            // One run at a time on a trace: the others follow it.
            self.wait(&subject.trace, &open);
            return News::default();
        }
        let (run, step) = CheckRun::start(job, Arc::new(subject), Arc::new(settings), routes, &open, next_id);
        if !run.finished() {
            self.runs.push(run);
        }
        self.take(step)
    }

    /// Remembers what was asked about a trace; asked twice, it waits once.
    pub fn wait(&mut self, trace: &Arc<Trace>, checks: &[CheckId]) {
        if !self.awaiting.iter().any(|(t, c)| Arc::ptr_eq(t, trace) && c == checks) {
            self.awaiting.push((Arc::clone(trace), checks.to_vec()));
        }
    }

    /// Takes in what the worker says.
    pub fn on(&mut self, event: &JobEvent, next_id: &mut dyn FnMut() -> u64) -> News {
        let step = self.runs.iter_mut().find_map(|run| run.on(event, next_id));
        self.runs.retain(|run| !run.finished());
        step.map_or_else(News::default, |step| self.take(step))
    }

    fn take(&mut self, step: Step) -> News {
        let records: Vec<Arc<Record>> = step.records.into_iter().map(Arc::new).collect();
        records.iter().for_each(|record| self.put(Arc::clone(record)));
        News { commands: step.commands, records }
    }
}

/// Whether a verdict is only that the model could not be asked: that may be tried again.
pub fn failed(record: &Record) -> bool {
    matches!(record.verdict, Verdict::Unjudged(Reason::ModelFailed(_)))
}

/// What came of a start or an event.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// To be sent to the worker.
    pub commands: Vec<Command>,
    /// Verdicts that became known.
    pub records: Vec<Arc<Record>>,
}
