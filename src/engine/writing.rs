//! One sequence that writes a trace: its tokens, text, random stream and clock.

use super::{ENGINE_NAME, stream::TextStream};
use crate::{
    core::{
        Finish, Trace,
        trace::{EngineInfo, Timing},
    },
    job::{GenerateRow, JobId},
    model::{AdapterIx, LanguageModel, ModelInfo, RowSampler, Sampled},
};
use std::{sync::Arc, time::Instant};

/// A live row.
pub(super) struct Writing<S> {
    pub job: JobId,
    pub row: Arc<GenerateRow>,
    pub adapter: Option<AdapterIx>,
    pub sequence: S,
    /// Prompt and written tokens; those past the sequence's length still have to be run.
    pub tokens: Vec<u32>,
    pub prompt_tokens: usize,
    sampler: RowSampler,
    stream: TextStream,
    logprobs: Vec<f32>,
    /// When the row entered the batch: timings count from here, not from the wait before it.
    admitted: Instant,
    token_ms: Vec<u32>,
    /// Written tokens whose text was not handed out yet.
    unreported: usize,
}

/// What a step did to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    GoesOn,
    Finished(Finish),
}

impl<S> Writing<S> {
    /// A row whose `sequence` already holds some of the prompt's `tokens`, but not the last one.
    pub fn new(
        job: JobId,
        row: Arc<GenerateRow>,
        adapter: Option<AdapterIx>,
        sequence: S,
        tokens: Vec<u32>,
        now: Instant,
    ) -> Self {
        Writing {
            job,
            adapter,
            sequence,
            prompt_tokens: tokens.len(),
            tokens,
            sampler: RowSampler::new(&row.sampler, row.seed),
            stream: TextStream::new(&row.sampler.stop),
            logprobs: Vec::new(),
            admitted: now,
            token_ms: Vec::new(),
            unreported: 0,
            row,
        }
    }

    /// How many tokens it has written.
    pub fn written(&self) -> usize {
        self.tokens.len() - self.prompt_tokens
    }

    /// Draws the next token from `logits` `[vocabulary]`.
    pub fn draw(&mut self, logits: &[f32]) -> Result<Sampled, String> {
        // In pieces, each without a way out, which the compiler turns into vectors.
        let damaged = |l: &[f32]| l.iter().fold(false, |any, l| any | l.is_nan());
        if logits.is_empty() || logits.chunks(256).any(damaged) {
            return Err(
                "the model's scores are not numbers: its weights or its adapter are damaged".to_owned()
            );
        }
        Ok(self.sampler.sample(logits))
    }

    /// Goes on with the token that was drawn.
    pub fn advance<M: LanguageModel>(
        &mut self,
        model: &M,
        drawn: Sampled,
        now: Instant,
    ) -> Result<Advance, String> {
        if model.is_end(drawn.token) {
            return self.end(model, Finish::Stop).map(Advance::Finished);
        }
        self.tokens.push(drawn.token);
        self.logprobs.push(drawn.logprob);
        self.token_ms.push(now.duration_since(self.admitted).as_millis().min(u128::from(u32::MAX)) as u32);
        self.unreported += 1;
        let decode = |tokens: &[u32]| model.decode(tokens);
        if self.stream.push(drawn.token, decode).map_err(|e| e.to_string())? {
            return Ok(Advance::Finished(Finish::StopString));
        }
        let full = self.written() >= self.row.sampler.max_tokens || self.tokens.len() >= model.info().context;
        if full { self.end(model, Finish::Length).map(Advance::Finished) } else { Ok(Advance::GoesOn) }
    }

    /// Settles the last text; a stop string may still complete in it.
    pub fn end<M: LanguageModel>(&mut self, model: &M, finish: Finish) -> Result<Finish, String> {
        let stopped = self.stream.finish(|tokens| model.decode(tokens)).map_err(|e| e.to_string())?;
        Ok(if stopped { Finish::StopString } else { finish })
    }

    /// Text that became ready, and the tokens written, since the last call; `None` when nothing new.
    pub fn take_text(&mut self) -> Option<(String, usize)> {
        let text = self.stream.take_ready().to_owned();
        let tokens = std::mem::take(&mut self.unreported);
        (tokens > 0 || !text.is_empty()).then_some((text, tokens))
    }

    /// The trace of what was written, with its whole provenance.
    pub fn trace(&self, info: &ModelInfo, finish: Finish, now: Instant) -> Trace {
        let row = &self.row;
        let mut trace = Trace::new(&row.item, row.method.clone(), self.stream.text().to_owned());
        trace.sample = row.sample;
        trace.model.clone_from(&row.model);
        trace.adapter = row.adapter.as_ref().map(|a| a.name.clone());
        trace.template = Some(row.template.clone());
        trace.sampler = Some(row.sampler.clone());
        trace.seed = Some(row.seed);
        trace.prompt_tokens = Some(self.prompt_tokens as u32);
        trace.tokens = self.tokens[self.prompt_tokens..].to_vec();
        trace.logprobs.clone_from(&self.logprobs);
        trace.finish = Some(finish);
        trace.timing = Some(Timing {
            first_token_ms: self.token_ms.first().map_or(0.0, |&ms| f64::from(ms)),
            total_ms: now.duration_since(self.admitted).as_secs_f64() * 1e3,
            token_ms: self.token_ms.clone(),
        });
        trace.engine = Some(EngineInfo {
            name: ENGINE_NAME.to_owned(),
            weights: info.weights.clone(),
            model_hash: info.hash.clone(),
        });
        trace
    }
}

/// The trace of a row that was cancelled before it wrote anything.
pub(super) fn unwritten(row: &GenerateRow) -> Trace {
    let mut trace = Trace::new(&row.item, row.method.clone(), String::new());
    trace.sample = row.sample;
    trace.model.clone_from(&row.model);
    trace.adapter = row.adapter.as_ref().map(|a| a.name.clone());
    trace.template = Some(row.template.clone());
    trace.sampler = Some(row.sampler.clone());
    trace.seed = Some(row.seed);
    trace.finish = Some(Finish::Cancelled);
    trace
}
