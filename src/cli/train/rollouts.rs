//! Texts for training, written by the same batch engine as everything else: rollouts and drafts.

use crate::{
    config::Config,
    core::{Finish, Item, Method, Sampler, Template, Trace, seed::row_seed},
    engine::{
        Engine, EngineHandle, EngineOptions,
        local::{LocalModels, Located},
    },
    job::{AdapterRef, Command, GenerateRow, JobEvent, JobId, RowId},
    model::{LoadOptions, WeightChoice},
    train::{
        TrainError,
        grpo::{Policy, Request, Rollout},
    },
};
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
};

/// Adapters that an engine holds before it is started anew: it never forgets one.
const ADAPTERS: usize = 24;

/// Rows that run at once.
const ROWS: usize = 64;

/// An engine that is started when it is first needed.
pub struct Writer {
    pub method: Method,
    reference: String,
    located: Located,
    threads: Option<usize>,
    engine: Option<(EngineHandle, Receiver<JobEvent>)>,
    adapters: usize,
    jobs: u64,
}

impl Writer {
    pub fn new(method: &Method, config: &Config, located: Located) -> Writer {
        Writer {
            method: method.clone(),
            reference: config.model.clone(),
            located,
            threads: config.threads,
            engine: None,
            adapters: 0,
            jobs: 0,
        }
    }

    /// One row; its place in the list given to [`Writer::write`] is its number.
    pub fn row(
        &self,
        template: &Template,
        item: &Arc<Item>,
        sampler: Sampler,
        seed: u64,
        sample: u32,
    ) -> Result<GenerateRow, TrainError> {
        let prompt = template.render(item).map_err(|e| TrainError::Rollout(e.to_string()))?;
        Ok(GenerateRow {
            row: RowId(0),
            item: Arc::clone(item),
            method: self.method.id.clone(),
            model: self.reference.clone(),
            adapter: None,
            template: template.reference.clone(),
            prompt,
            sampler,
            seed: row_seed(seed, item.id, &self.method.id, sample),
            sample,
        })
    }

    /// Writes all rows as one job with the adapter in this folder; traces in the order of the rows.
    pub fn write(
        &mut self,
        mut rows: Vec<GenerateRow>,
        adapter: Option<&Path>,
    ) -> Result<Vec<Arc<Trace>>, TrainError> {
        if self.engine.is_none() || self.adapters == ADAPTERS {
            self.start()?;
        }
        self.adapters += 1;
        self.jobs += 1;
        let adapter =
            adapter.map(|path| AdapterRef { name: self.method.id.0.clone(), path: path.to_owned() });
        for (i, row) in rows.iter_mut().enumerate() {
            (row.row, row.adapter) = (RowId(i as u64), adapter.clone());
        }
        let mut out: Vec<Option<Arc<Trace>>> = vec![None; rows.len()];
        let Some((engine, events)) = &self.engine else { return Ok(Vec::new()) };
        engine.send(Command::Generate { job: JobId(self.jobs), rows });
        loop {
            match events.recv().map_err(|e| TrainError::Rollout(e.to_string()))? {
                JobEvent::RowDone { row, trace, .. } => out[row.0 as usize] = Some(trace),
                JobEvent::RowFailed { problem, .. }
                | JobEvent::ModelFailed { problem, .. }
                | JobEvent::WorkerFailed { problem } => return Err(TrainError::Rollout(problem)),
                JobEvent::JobDone { .. } => return Ok(out.into_iter().flatten().collect()),
                _ => {}
            }
        }
    }

    fn start(&mut self) -> Result<(), TrainError> {
        let (sender, receiver) = channel();
        let located = self.located.clone();
        let options = LoadOptions { weights: WeightChoice::Auto, threads: self.threads };
        let provider = LocalModels::new(options, move |_| Ok(located.clone()));
        let settings = EngineOptions { max_rows: ROWS, ..EngineOptions::default() };
        let engine = Engine::start(settings, provider, move |event| {
            // Nobody listens any more once the run has failed.
            let _ = sender.send(event);
        })
        .map_err(|e| TrainError::Rollout(e.to_string()))?;
        (self.engine, self.adapters) = (Some((engine, receiver)), 0);
        Ok(())
    }
}

/// The engine as a policy.
pub struct EnginePolicy {
    pub writer: Writer,
    pub template: Template,
    /// Training items, then validation items.
    pub items: [Vec<Arc<Item>>; 2],
    pub end: Option<u32>,
}

impl Policy for EnginePolicy {
    fn write(
        &mut self,
        adapter: &Path,
        validation: bool,
        request: &Request,
    ) -> Result<Vec<Rollout>, TrainError> {
        let items = &self.items[usize::from(validation)];
        let sampler = if request.greedy {
            Sampler::greedy(request.max_tokens)
        } else {
            Sampler { temperature: 1.0, top_p: 1.0, max_tokens: request.max_tokens, ..Sampler::default() }
        };
        let mut rows = Vec::with_capacity(request.prompts.len() * request.group);
        for prompt in &request.prompts {
            for sample in 0..request.group as u32 {
                rows.push(self.writer.row(
                    &self.template,
                    &items[*prompt],
                    sampler.clone(),
                    request.seed,
                    sample,
                )?);
            }
        }
        let traces = self.writer.write(rows, Some(adapter))?;
        let rollouts = traces.iter().enumerate().map(|(i, trace)| {
            let mut tokens = trace.tokens.clone();
            if trace.finish == Some(Finish::Stop) {
                tokens.extend(self.end);
            }
            Rollout {
                prompt: request.prompts[i / request.group],
                tokens,
                text: trace.llm_output.clone(),
                reward: f32::from(u8::from(trace.correct == Some(true))),
                answered: trace.predicted_answer.is_some(),
            }
        });
        // A rollout without a single token has nothing to learn from.
        Ok(rollouts.filter(|r| !r.tokens.is_empty()).collect())
    }
}
