//! An engine for training, used like a function: rows in, traces or scores out, in the order of the rows.

use crate::{
    config::Config,
    core::{AdapterRef, Item, Method, Prompt, Sampler, Template, TemplateRef, Trace, seed::row_seed},
    engine::{Engine, EngineHandle, EngineOptions},
    job::{Command, Continuation, ContinuationScore, GenerateRow, JobEvent, JobId, RowId, ScoreRow},
    model::{LanguageModel, Model},
    setup,
    store::models::ModelEntry,
    train::TrainError,
};
use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
};

/// Adapters that an engine holds before it is started anew: it never forgets one.
pub const ADAPTERS: usize = 24;

/// Rows that run at once.
const ROWS: usize = 64;

/// A model that is asked, here or on a server, and its adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub model: String,
    pub adapter: Option<AdapterRef>,
}

impl Asked {
    /// MODEL, or MODEL+ADAPTER.
    pub fn name(&self) -> String {
        match &self.adapter {
            Some(adapter) => format!("{}+{}", self.model, adapter.name),
            None => self.model.clone(),
        }
    }
}

/// An engine that is started when it is first needed, for any models.
pub struct Writer {
    method: Method,
    config: Config,
    entries: Vec<ModelEntry>,
    engine: Option<(EngineHandle, Receiver<JobEvent>)>,
    adapters: HashSet<PathBuf>,
    jobs: u64,
}

/// What came of each row: what was asked for, or why it failed.
type Each<T> = Vec<Result<T, String>>;

impl Writer {
    pub fn new(method: &Method, config: &Config, entries: &[ModelEntry]) -> Writer {
        Writer {
            method: method.clone(),
            config: config.clone(),
            entries: entries.to_vec(),
            engine: None,
            adapters: HashSet::new(),
            jobs: 0,
        }
    }

    /// Bytes that the engine takes at most with `model`, besides its adapters, for rows of `len` tokens at most.
    pub fn memory(model: &Model, len: usize) -> u64 {
        model.info().memory_bytes + ROWS as u64 * model.sequence_bytes(len)
    }

    /// The model that is trained, without an adapter.
    pub fn base(&self) -> Asked {
        Asked { model: self.config.model.clone(), adapter: None }
    }

    /// A row that writes what `template` asks for; who is asked is said to [`Writer::write`].
    pub fn row(
        &self,
        template: &Template,
        item: &Arc<Item>,
        sampler: Sampler,
        seed: u64,
        sample: u32,
    ) -> Result<GenerateRow, TrainError> {
        let prompt = template.render(item).map_err(|e| TrainError::Rollout(e.to_string()))?;
        let seed = row_seed(seed, item.id, &self.method.id, sample);
        Ok(GenerateRow { sample, ..self.question(prompt, &template.reference, item, sampler, seed) })
    }

    /// A row that answers `prompt`.
    pub fn question(
        &self,
        prompt: Prompt,
        template: &TemplateRef,
        item: &Arc<Item>,
        sampler: Sampler,
        seed: u64,
    ) -> GenerateRow {
        GenerateRow {
            row: RowId(0),
            item: Arc::clone(item),
            method: self.method.id.clone(),
            model: String::new(),
            adapter: None,
            template: template.clone(),
            prompt,
            sampler,
            seed,
            sample: 0,
        }
    }

    /// Writes all rows as one job; the first that fails ends it.
    pub fn write(&mut self, rows: Vec<GenerateRow>, who: &Asked) -> Result<Vec<Arc<Trace>>, TrainError> {
        let written: Result<Vec<_>, String> = self.write_each(rows, who)?.into_iter().collect();
        written.map_err(TrainError::Rollout)
    }

    /// Writes all rows as one job. An error only where none of them could be written.
    pub fn write_each(
        &mut self,
        mut rows: Vec<GenerateRow>,
        who: &Asked,
    ) -> Result<Each<Arc<Trace>>, TrainError> {
        for (i, row) in rows.iter_mut().enumerate() {
            (row.row, row.model, row.adapter) = (RowId(i as u64), who.model.clone(), who.adapter.clone());
        }
        let count = rows.len();
        self.job(
            count,
            who,
            |job| Command::Generate { job, rows },
            |event| match event {
                JobEvent::RowDone { row, trace, .. } => Some((row, trace)),
                _ => None,
            },
        )
    }

    /// Mean log-probability per token, in nats, of each text as what follows its prompt.
    pub fn score(&mut self, texts: Vec<(Prompt, String)>, who: &Asked) -> Result<Vec<f32>, TrainError> {
        let count = texts.len();
        let rows = texts
            .into_iter()
            .enumerate()
            .map(|(i, (prompt, text))| ScoreRow {
                row: RowId(i as u64),
                model: who.model.clone(),
                adapter: who.adapter.clone(),
                prompt,
                continuations: vec![Continuation { context: String::new(), candidates: vec![text] }],
            })
            .collect();
        let scored = self.job(
            count,
            who,
            |job| Command::Score { job, rows },
            |event| match event {
                JobEvent::RowScored { row, scores, .. } => Some((row, scores)),
                _ => None,
            },
        )?;
        let mean = |scores: Arc<Vec<ContinuationScore>>| {
            let score = scores.first().ok_or_else(|| "no score came back".to_owned())?;
            let sum: f64 = score.logprobs.iter().sum();
            Ok((sum / score.candidate_tokens.iter().sum::<usize>().max(1) as f64) as f32)
        };
        let means: Result<Vec<f32>, String> = scored.into_iter().map(|one| one.and_then(mean)).collect();
        means.map_err(TrainError::Rollout)
    }

    /// Runs one job of `count` rows, which are numbered from 0.
    fn job<T: Clone>(
        &mut self,
        count: usize,
        who: &Asked,
        command: impl FnOnce(JobId) -> Command,
        take: impl Fn(JobEvent) -> Option<(RowId, T)>,
    ) -> Result<Each<T>, TrainError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let path = who.adapter.as_ref().map(|adapter| adapter.path.clone());
        let fresh = path.as_ref().is_some_and(|path| !self.adapters.contains(path));
        if self.engine.is_none() || (fresh && self.adapters.len() == ADAPTERS) {
            self.start()?;
        }
        self.adapters.extend(path);
        self.jobs += 1;
        let Some((engine, events)) = &self.engine else { return Ok(Vec::new()) };
        engine.send(command(JobId(self.jobs)));
        let mut out: Each<T> = vec![Err("nothing came back".to_owned()); count];
        loop {
            match events.recv().map_err(|e| TrainError::Rollout(e.to_string()))? {
                JobEvent::RowFailed { row, problem, .. } => out[row.0 as usize] = Err(problem),
                JobEvent::WorkerFailed { problem } => return Err(TrainError::Rollout(problem)),
                JobEvent::JobDone { .. } => break,
                other => {
                    if let Some((row, found)) = take(other) {
                        out[row.0 as usize] = Ok(found);
                    }
                }
            }
        }
        match out.iter().find_map(|one| one.as_ref().err()) {
            Some(problem) if out.iter().all(Result::is_err) => {
                Err(TrainError::Rollout(format!("{}: {problem}", who.name())))
            }
            _ => Ok(out),
        }
    }

    fn start(&mut self) -> Result<(), TrainError> {
        let (sender, receiver) = channel();
        let provider = setup::local_models(&self.config, &self.entries);
        let settings = EngineOptions { max_rows: ROWS, ..EngineOptions::default() };
        let engine = Engine::start(settings, provider, move |event| {
            // Nobody listens any more once the run has failed.
            let _ = sender.send(event);
        })
        .map_err(|e| TrainError::Rollout(e.to_string()))?;
        self.engine = Some((engine, receiver));
        self.adapters.clear();
        Ok(())
    }
}
