//! Checks and interventions as work for the worker: questions become rows, events become verdicts.
//!
//! Pure, and the same for the explorer and the command line: whoever owns the state sends the commands that
//! [`CheckRun::start`] and [`CheckRun::on`] hand out, feeds every [`JobEvent`] back, and keeps the records. Nothing
//! here runs a model or waits.

use super::{
    BEYOND_CONTEXT, CANCELLED, Command, Continuation, ContinuationScore, GenerateRow, JobEvent, JobId, RowId,
    ScoreRow,
};
use crate::core::{
    AdapterRef, Finish,
    check::{
        self, Ask, CheckId, Query, Reason, Record, Reply, Round, Scores, Settings, Subject, Verdict, Who,
        intervene::{self, Comparison, Intervention},
    },
};
use std::sync::Arc;

/// The models behind the names in [`Subject`] and [`Settings`].
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// Model reference of the checker.
    pub model: String,
    pub adapter: Option<AdapterRef>,
    /// Model reference and adapter behind the judge's name; without it, the name is a model reference itself.
    pub judge: Option<(String, AdapterRef)>,
    /// Score every readout as a prompt of its own: for comparing costs.
    pub naive: bool,
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tokens that went through a model, prompts and written ones; cached ones are not among them.
    pub forward_tokens: usize,
    /// Written ones among these.
    pub written_tokens: usize,
    pub rows: usize,
}

impl Cost {
    /// Adds another cost.
    pub fn add(&mut self, other: Cost) {
        self.forward_tokens += other.forward_tokens;
        self.written_tokens += other.written_tokens;
        self.rows += other.rows;
    }
}

/// What an event led to.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// To be sent to the worker.
    pub commands: Vec<Command>,
    /// Verdicts that became known.
    pub records: Vec<Record>,
}

/// Checks of one trace, under way. Checks that ask the same share the question.
#[derive(Debug)]
pub struct CheckRun {
    subject: Arc<Subject>,
    settings: Arc<Settings>,
    asking: Asking,
    open: Vec<OpenCheck>,
}

#[derive(Debug)]
struct OpenCheck {
    check: CheckId,
    rounds: Vec<Vec<Reply>>,
    /// Questions of the present round.
    waits_for: Vec<usize>,
}

impl CheckRun {
    /// Begins `checks`; `next_id` gives a fresh row id each time. A check that needs no model has its record in
    /// the first step already.
    pub fn start(
        job: JobId,
        subject: Arc<Subject>,
        settings: Arc<Settings>,
        routes: Routes,
        checks: &[CheckId],
        next_id: &mut dyn FnMut() -> u64,
    ) -> (CheckRun, Step) {
        let open = checks
            .iter()
            .map(|&check| OpenCheck { check, rounds: Vec::new(), waits_for: Vec::new() })
            .collect();
        let asking = Asking::new(job, Arc::clone(&subject), &settings, routes);
        let mut run = CheckRun { subject, settings, asking, open };
        let step = run.advance(next_id);
        (run, step)
    }

    pub fn job(&self) -> JobId {
        self.asking.job
    }

    pub fn subject(&self) -> &Arc<Subject> {
        &self.subject
    }

    /// Checks without a verdict yet.
    pub fn open(&self) -> impl Iterator<Item = CheckId> {
        self.open.iter().map(|o| o.check)
    }

    /// Whether every check has its verdict, or the run was cancelled.
    pub fn finished(&self) -> bool {
        self.open.is_empty()
    }

    pub fn cancelled(&self) -> bool {
        self.asking.cancelled
    }

    pub fn cost(&self) -> Cost {
        self.asking.cost
    }

    /// Takes in an event; `None` when it is not about this run. A cancelled run ends without records.
    pub fn on(&mut self, event: &JobEvent, next_id: &mut dyn FnMut() -> u64) -> Option<Step> {
        if !self.asking.on(event) {
            return None;
        }
        if self.asking.cancelled {
            self.open.clear();
            return Some(Step::default());
        }
        Some(self.advance(next_id))
    }

    /// Takes every check whose replies are there as far as it goes.
    fn advance(&mut self, next_id: &mut dyn FnMut() -> u64) -> Step {
        let mut step = Step::default();
        for mut open in std::mem::take(&mut self.open) {
            loop {
                if !open.waits_for.is_empty() || !open.rounds.is_empty() {
                    let replies: Option<Vec<Reply>> =
                        open.waits_for.iter().map(|at| self.asking.reply(*at)).collect();
                    let Some(replies) = replies else {
                        self.open.push(open);
                        break;
                    };
                    if let Some(last) = open.rounds.last_mut() {
                        *last = replies;
                    }
                }
                match check::advance(open.check, &self.subject, &self.settings, &open.rounds) {
                    Round::Ask(queries) => {
                        open.waits_for = queries
                            .into_iter()
                            .map(|q| self.asking.ask(q, next_id, &mut step.commands))
                            .collect();
                        open.rounds.push(Vec::new());
                    }
                    Round::Done(verdict) => {
                        step.records.push(self.record(open.check, verdict));
                        break;
                    }
                }
            }
        }
        step.commands = merged(std::mem::take(&mut step.commands));
        step
    }

    fn record(&self, check: CheckId, verdict: Verdict) -> Record {
        Record::new(check, &self.subject, &self.settings, verdict)
    }
}

/// One intervention by hand, under way.
#[derive(Debug)]
pub struct InterveneRun {
    subject: Arc<Subject>,
    edit: Intervention,
    asking: Asking,
}

impl InterveneRun {
    /// Begins; the commands are to be sent to the worker.
    ///
    /// # Errors
    /// When there are no options, or no such step.
    pub fn start(
        job: JobId,
        subject: Arc<Subject>,
        settings: &Settings,
        routes: Routes,
        edit: Intervention,
        next_id: &mut dyn FnMut() -> u64,
    ) -> Result<(InterveneRun, Vec<Command>), Reason> {
        let query = intervene::plan(&subject, settings, &edit)?;
        let mut asking = Asking::new(job, Arc::clone(&subject), settings, routes);
        let mut commands = Vec::new();
        asking.ask(query, next_id, &mut commands);
        Ok((InterveneRun { subject, edit, asking }, commands))
    }

    pub fn job(&self) -> JobId {
        self.asking.job
    }

    pub fn edit(&self) -> &Intervention {
        &self.edit
    }

    /// Takes in an event; the comparison once it is there.
    pub fn on(&mut self, event: &JobEvent) -> Option<Result<Comparison, Reason>> {
        if !self.asking.on(event) {
            return None;
        }
        if self.asking.cancelled {
            return Some(Err(Reason::ModelFailed("cancelled".into())));
        }
        let reply = self.asking.reply(0)?;
        Some(intervene::judge(&self.subject, &self.edit, &reply))
    }
}

/// Questions under way: rows out, events in.
#[derive(Debug)]
struct Asking {
    job: JobId,
    subject: Arc<Subject>,
    routes: Routes,
    judge: Option<String>,
    maker: Option<String>,
    asked: Vec<Asked>,
    cost: Cost,
    cancelled: bool,
}

#[derive(Debug)]
struct Asked {
    query: Query,
    rows: Vec<(RowId, Option<Reply>)>,
}

impl Asking {
    fn new(job: JobId, subject: Arc<Subject>, settings: &Settings, routes: Routes) -> Asking {
        let (judge, maker) = (settings.judge.clone(), settings.maker.clone());
        Asking {
            job,
            subject,
            routes,
            judge,
            maker,
            asked: Vec::new(),
            cost: Cost::default(),
            cancelled: false,
        }
    }

    /// The place of `query` among the questions; it is put to the worker unless it was before.
    fn ask(&mut self, query: Query, next_id: &mut dyn FnMut() -> u64, commands: &mut Vec<Command>) -> usize {
        if let Some(at) = self.asked.iter().position(|a| a.query == query) {
            return at;
        }
        let (model, adapter) = match query.who {
            Who::Writer => (self.routes.model.clone(), self.routes.adapter.clone()),
            Who::Judge => match (&self.routes.judge, &self.judge) {
                (Some((model, adapter)), _) => (model.clone(), Some(adapter.clone())),
                (None, Some(judge)) => (judge.clone(), None),
                (None, None) => (self.routes.model.clone(), None),
            },
            Who::Maker => (self.maker.clone().unwrap_or_else(|| self.routes.model.clone()), None),
        };
        let mut rows = Vec::new();
        let mut row = |rows: &mut Vec<(RowId, Option<Reply>)>| {
            let id = RowId(next_id());
            rows.push((id, None));
            id
        };
        match &query.ask {
            Ask::Score(readouts) => {
                let continuations = readouts
                    .iter()
                    .map(|r| Continuation { context: r.context.clone(), candidates: r.candidates.clone() });
                let parts: Vec<Vec<Continuation>> = if self.routes.naive {
                    continuations.map(|c| vec![c]).collect()
                } else {
                    vec![continuations.collect()]
                };
                let score_rows = parts
                    .into_iter()
                    .map(|continuations| ScoreRow {
                        row: row(&mut rows),
                        model: model.clone(),
                        adapter: adapter.clone(),
                        prompt: query.prompt.clone(),
                        continuations,
                    })
                    .collect();
                commands.push(Command::Score { job: self.job, rows: score_rows });
            }
            Ask::Write { sampler, seed } => {
                let write = GenerateRow {
                    row: row(&mut rows),
                    item: Arc::clone(&self.subject.item),
                    method: self.subject.trace.method.clone(),
                    model,
                    adapter,
                    template: self.subject.template.reference.clone(),
                    prompt: query.prompt.clone(),
                    sampler: sampler.clone(),
                    seed: *seed,
                    sample: self.subject.trace.sample,
                };
                commands.push(Command::Generate { job: self.job, rows: vec![write] });
            }
        }
        self.cost.rows += rows.len();
        self.asked.push(Asked { query, rows });
        self.asked.len() - 1
    }

    /// The reply to question `at`, once all its rows are there.
    fn reply(&self, at: usize) -> Option<Reply> {
        let rows = &self.asked.get(at)?.rows;
        if rows.len() == 1 {
            return rows[0].1.clone();
        }
        let mut all = Vec::new();
        for (_, reply) in rows {
            match reply.as_ref()? {
                Reply::Scores(scores) => all.extend(scores.iter().cloned()),
                other => return Some(other.clone()),
            }
        }
        Some(Reply::Scores(all))
    }

    /// Takes in an event; whether it was about one of our rows.
    fn on(&mut self, event: &JobEvent) -> bool {
        let (row, reply) = match event {
            JobEvent::RowStarted { row, prompt_tokens, cached_tokens, .. } => {
                // Scores report their own forward tokens at the end.
                if let Some(asked) = self.find(*row)
                    && matches!(self.asked[asked].query.ask, Ask::Write { .. })
                {
                    self.cost.forward_tokens += prompt_tokens - cached_tokens;
                }
                return false;
            }
            JobEvent::RowScored { row, scores, forward_tokens, .. } => {
                if self.find(*row).is_some() {
                    self.cost.forward_tokens += forward_tokens;
                }
                (*row, Some(Reply::Scores(scores.iter().map(scores_of).collect())))
            }
            JobEvent::RowDone { row, trace, .. } => {
                if self.find(*row).is_some() {
                    let written = trace.token_count().unwrap_or(0);
                    self.cost.forward_tokens += written;
                    self.cost.written_tokens += written;
                }
                let reply = match trace.finish {
                    Some(Finish::Cancelled) => None,
                    Some(Finish::Failed) => Some(Reply::Failed("the model failed while it wrote".into())),
                    _ => Some(Reply::Text(trace.llm_output.clone())),
                };
                (*row, reply)
            }
            JobEvent::RowFailed { row, problem, .. } => {
                let reply = match problem.as_str() {
                    CANCELLED => None,
                    long if long.ends_with(BEYOND_CONTEXT) => Some(Reply::TooLong(problem.clone())),
                    _ => Some(Reply::Failed(problem.clone())),
                };
                (*row, reply)
            }
            _ => return false,
        };
        let Some(asked) = self.find(row) else { return false };
        match reply {
            Some(reply) => {
                if let Some(slot) = self.asked[asked].rows.iter_mut().find(|(id, _)| *id == row) {
                    slot.1 = Some(reply);
                }
            }
            None => self.cancelled = true,
        }
        true
    }

    fn find(&self, row: RowId) -> Option<usize> {
        self.asked.iter().position(|a| a.rows.iter().any(|(id, _)| *id == row))
    }
}

fn scores_of(score: &ContinuationScore) -> Scores {
    Scores { logprobs: score.logprobs.clone(), entropy: score.entropy }
}

/// All scores in one command, and all texts in another: the worker batches what comes together.
fn merged(commands: Vec<Command>) -> Vec<Command> {
    let (mut scores, mut texts) = (Vec::new(), Vec::new());
    let mut job = None;
    for command in commands {
        match command {
            Command::Score { job: j, rows } => {
                job = Some(j);
                scores.extend(rows);
            }
            Command::Generate { job: j, rows } => {
                job = Some(j);
                texts.extend(rows);
            }
            _ => {}
        }
    }
    let Some(job) = job else { return Vec::new() };
    let mut out = Vec::new();
    if !scores.is_empty() {
        out.push(Command::Score { job, rows: scores });
    }
    if !texts.is_empty() {
        out.push(Command::Generate { job, rows: texts });
    }
    out
}

#[cfg(test)]
mod tests;
