//! One loaded model and the sequences that run on it: admits rows, runs steps, hands back what came of them.

use super::{
    plan::Plan,
    prefix::{PrefixCache, common},
    scoring::{Piece, Scoring, tokenise},
    writing::{Advance, Writing},
};
use crate::{
    core::{AdapterRef, Finish, Trace},
    job::{BEYOND_CONTEXT, CANCELLED, ContinuationScore, GenerateRow, JobId, RowId, ScoreRow},
    model::{AdapterIx, ForwardRow, LanguageModel, Sampled, Want},
};
use rayon::prelude::*;
use std::{collections::HashMap, ops::Range, path::PathBuf, sync::Arc, time::Instant};

/// A row waits for a prefix that another row is about to compute if that saves it at least this many tokens.
const WORTH_WAITING: usize = 16;

/// What became of a row, or of a part of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Started { job: JobId, row: RowId, prompt_tokens: usize, cached_tokens: usize },
    Text { job: JobId, row: RowId, text: String, tokens: usize },
    Wrote { job: JobId, row: RowId, trace: Arc<Trace> },
    Scored { job: JobId, row: RowId, scores: Vec<ContinuationScore>, forward_tokens: usize },
    Failed { job: JobId, row: RowId, problem: String },
}

/// Prompt tokens that one step may run, beside live rows and without any.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepLimits {
    pub prefill_beside: usize,
    pub prefill_alone: usize,
}

/// What one step runs: per writing row the range of its tokens, if any, and per scored row its pieces.
struct Batch {
    writes: Vec<Option<Range<usize>>>,
    scores: Vec<Vec<Piece>>,
}

pub(super) struct Lane<M: LanguageModel> {
    pub model: M,
    adapters: HashMap<PathBuf, AdapterIx>,
    prefixes: PrefixCache<M::Sequence>,
    writing: Vec<Writing<M::Sequence>>,
    scoring: Vec<Scoring<M::Sequence>>,
    /// When a row last ran here, on the scheduler's clock.
    pub used: u64,
}

/// Draws the next token of row `i`.
fn draw<'a, S>(
    (i, row, logits): (usize, &'a mut Writing<S>, &[f32]),
) -> (usize, &'a mut Writing<S>, Result<Sampled, String>) {
    let drawn = row.draw(logits);
    (i, row, drawn)
}

impl<M: LanguageModel> Lane<M> {
    /// A lane that keeps at most `prefix_tokens` of finished sequences.
    pub fn new(model: M, prefix_tokens: usize) -> Self {
        Lane {
            model,
            adapters: HashMap::new(),
            prefixes: PrefixCache::new(prefix_tokens),
            writing: Vec::new(),
            scoring: Vec::new(),
            used: 0,
        }
    }

    /// The jobs of the live rows, one entry a row.
    pub fn live(&self) -> impl Iterator<Item = JobId> {
        self.writing.iter().map(|w| w.job).chain(self.scoring.iter().map(|s| s.job))
    }

    /// Tokens that the writing rows may come to hold, and how many they have written.
    pub fn reserved(&self) -> usize {
        self.writing.iter().map(|w| w.prompt_tokens + w.row.sampler.max_tokens).sum()
    }

    /// Tokens written so far by each writing row, with its limit.
    pub fn written(&self) -> impl Iterator<Item = (usize, usize)> {
        self.writing.iter().map(|w| (w.written(), w.row.sampler.max_tokens))
    }

    fn adapter(&mut self, adapter: Option<&AdapterRef>) -> Result<Option<AdapterIx>, String> {
        let Some(adapter) = adapter else { return Ok(None) };
        if let Some(&ix) = self.adapters.get(&adapter.path) {
            return Ok(Some(ix));
        }
        let ix =
            self.model.load_adapter(&adapter.path).map_err(|e| format!("adapter `{}`: {e}", adapter.name))?;
        self.adapters.insert(adapter.path.clone(), ix);
        Ok(Some(ix))
    }

    /// Every live sequence: adapter, the tokens it will hold, the sequence.
    fn holders(&self) -> impl Iterator<Item = (Option<AdapterIx>, &[u32], &M::Sequence)> {
        let writing = self.writing.iter().map(|w| (w.adapter, w.tokens.as_slice(), &w.sequence));
        writing.chain(self.scoring.iter().flat_map(|s| s.holders().map(|(t, seq)| (s.adapter, t, seq))))
    }

    /// A fork of the longest prefix of `tokens` that some sequence holds, at most `limit` long; `None` when a
    /// live row is about to compute a much longer one.
    fn start(
        &mut self,
        adapter: Option<AdapterIx>,
        tokens: &[u32],
        limit: usize,
    ) -> Option<(usize, M::Sequence)> {
        let (mut now, mut soon) = ((0, None), 0);
        for (_, theirs, sequence) in self.holders().filter(|(a, _, _)| *a == adapter) {
            let shared = common(tokens, theirs).min(limit);
            let held = shared.min(self.model.len(sequence));
            soon = soon.max(shared);
            if held > now.0 {
                now = (held, Some(self.model.fork(sequence, held)));
            }
        }
        if let Some((len, sequence, _)) = self.prefixes.longest(adapter, tokens)
            && len.min(limit) > now.0
        {
            now = (len.min(limit), Some(self.model.fork(sequence, len.min(limit))));
        }
        if soon >= now.0 + WORTH_WAITING {
            return None;
        }
        Some((now.0, now.1.unwrap_or_else(|| self.model.new_sequence())))
    }

    /// Takes a row in; `Ok(None)` when it had better wait for another row's prefix. `tokens` keeps the
    /// encoded prompt between attempts.
    pub fn admit(
        &mut self,
        job: JobId,
        row: &Arc<GenerateRow>,
        tokens: &mut Option<Vec<u32>>,
        now: Instant,
    ) -> Result<Option<Outcome>, String> {
        if let Some(problem) = row.sampler.problem() {
            return Err(problem);
        }
        let adapter = self.adapter(row.adapter.as_ref())?;
        let prompt = match tokens.take() {
            Some(tokens) => tokens,
            None => self.model.encode_prompt(&row.prompt).map_err(|e| e.to_string())?,
        };
        self.check_length(prompt.len(), 1)?;
        let Some((cached_tokens, sequence)) = self.start(adapter, &prompt, prompt.len() - 1) else {
            *tokens = Some(prompt);
            return Ok(None);
        };
        let prompt_tokens = prompt.len();
        self.writing.push(Writing::new(job, Arc::clone(row), adapter, sequence, prompt, now));
        Ok(Some(Outcome::Started { job, row: row.row, prompt_tokens, cached_tokens }))
    }

    /// As [`Lane::admit`], for a row of scores.
    pub fn admit_score(&mut self, job: JobId, row: &ScoreRow) -> Result<Option<Outcome>, String> {
        let adapter = self.adapter(row.adapter.as_ref())?;
        let tokenised = tokenise(&self.model, &row.prompt, &row.continuations).map_err(|e| e.to_string())?;
        let Some(trunk) =
            tokenised.iter().flat_map(|t| t.candidates.iter().chain([&t.context])).max_by_key(|t| t.len())
        else {
            return Ok(Some(Outcome::Scored { job, row: row.row, scores: Vec::new(), forward_tokens: 0 }));
        };
        self.check_length(trunk.len(), 0)?;
        let Some((held, sequence)) = self.start(adapter, trunk, trunk.len()) else { return Ok(None) };
        let plan = Plan::new(&tokenised, &trunk[..held]);
        let model = &self.model;
        let scoring = Scoring::new(job, row.row, adapter, plan, |len| model.fork(&sequence, len));
        self.scoring.push(scoring);
        Ok(Some(Outcome::Started { job, row: row.row, prompt_tokens: trunk.len(), cached_tokens: held }))
    }

    fn check_length(&self, tokens: usize, room: usize) -> Result<(), String> {
        let context = self.model.info().context;
        if tokens == 0 {
            return Err("the prompt is empty".to_owned());
        }
        if tokens + room > context {
            return Err(format!(
                "the prompt has {tokens} tokens, and the model reads at most {context}: {BEYOND_CONTEXT}"
            ));
        }
        Ok(())
    }

    /// Runs one batch; returns what came of it and how many tokens were written.
    pub fn step(&mut self, limits: StepLimits) -> (Vec<Outcome>, usize) {
        self.scoring.iter_mut().for_each(|s| s.fork(&self.model));
        let batch = self.plan(limits);
        let Lane { model, writing, scoring, .. } = self;
        let mut rows = Vec::new();
        for (w, piece) in writing.iter_mut().zip(&batch.writes) {
            if let Some(range) = piece {
                let want = if range.end == w.tokens.len() { Want::Last } else { Want::None };
                let (sequence, tokens) = (&mut w.sequence, &w.tokens[range.clone()]);
                rows.push(ForwardRow { sequence, tokens, adapter: w.adapter, want });
            }
        }
        for (s, pieces) in scoring.iter_mut().zip(&batch.scores) {
            let adapter = s.adapter;
            let mut pieces = pieces.iter().peekable();
            for (branch, sequence, tokens) in s.parts() {
                if let Some(piece) = pieces.next_if(|p| p.branch == branch) {
                    rows.push(ForwardRow {
                        sequence,
                        tokens: &tokens[piece.from..piece.to],
                        adapter,
                        want: piece.want,
                    });
                }
            }
        }
        if rows.is_empty() {
            return (Vec::new(), 0);
        }
        match model.forward(&mut rows) {
            Ok(logits) => self.apply(&batch, &logits),
            Err(error) => (self.fail_step(&batch, &error.to_string()), 0),
        }
    }

    /// Which tokens of each row run next: all decoding rows, and prompt tokens within the limits.
    fn plan(&self, limits: StepLimits) -> Batch {
        let decoding = self.writing.iter().any(|w| w.written() > 0);
        let mut budget = if decoding { limits.prefill_beside } else { limits.prefill_alone };
        // Checks of what is on screen and new columns start together: neither starves the other.
        let mut for_scores = if self.scoring.is_empty() { 0 } else { budget.div_ceil(2) };
        budget -= for_scores;
        let mut writes = Vec::with_capacity(self.writing.len());
        for w in &self.writing {
            let from = self.model.len(&w.sequence);
            if w.written() > 0 {
                writes.push(Some(from..w.tokens.len()));
                continue;
            }
            let to = w.tokens.len().min(from + budget);
            budget -= to - from;
            writes.push((to > from).then_some(from..to));
        }
        for_scores += budget;
        let mut scores = Vec::with_capacity(self.scoring.len());
        for s in &self.scoring {
            let pieces = s.pieces(&self.model, for_scores);
            for_scores -= pieces.iter().map(|p| p.to - p.from).sum::<usize>();
            scores.push(pieces);
        }
        Batch { writes, scores }
    }

    fn apply(&mut self, batch: &Batch, logits: &[Vec<f32>]) -> (Vec<Outcome>, usize) {
        let now = Instant::now();
        let vocabulary = self.model.info().vocabulary.max(1);
        let mut logits = logits.iter();
        let (mut ended, mut written, mut drawing) = (Vec::new(), 0, Vec::new());
        for (i, (w, piece)) in self.writing.iter_mut().zip(&batch.writes).enumerate() {
            let Some(range) = piece else { continue };
            let row_logits = logits.next().map_or(&[][..], Vec::as_slice);
            if range.end == w.tokens.len() {
                drawing.push((i, w, row_logits));
            }
        }
        // Each row draws from its own stream, so that it does not matter where.
        let model = &self.model;
        let drawn: Vec<_> = match drawing.len() {
            0 | 1 => drawing.into_iter().map(draw).collect(),
            _ => model.on_threads(|| drawing.into_par_iter().map(draw).collect()),
        };
        for (i, w, drawn) in drawn {
            match drawn.and_then(|drawn| w.advance(model, drawn, now)) {
                Ok(Advance::GoesOn) => written += 1,
                Ok(Advance::Finished(finish)) => {
                    written += usize::from(finish != Finish::Stop);
                    ended.push((i, Ok(finish)));
                }
                Err(problem) => ended.push((i, Err(problem))),
            }
        }
        for (s, pieces) in self.scoring.iter_mut().zip(&batch.scores) {
            for &piece in pieces {
                s.read(piece, logits.next().map_or(&[][..], Vec::as_slice), vocabulary);
            }
        }
        let mut out = Vec::new();
        for (i, finish) in ended.into_iter().rev() {
            let w = self.writing.remove(i);
            out.extend(self.retire(w, finish, now));
        }
        for i in (0..self.scoring.len()).rev() {
            if self.scoring[i].finished(&self.model) {
                let s = self.scoring.remove(i);
                let (job, row, adapter, forward_tokens) = (s.job, s.row, s.adapter, s.forward_tokens);
                let (scores, longest) = s.finish();
                if let Some((tokens, sequence)) = longest {
                    self.prefixes.insert(adapter, tokens, sequence);
                }
                out.push(Outcome::Scored { job, row, scores, forward_tokens });
            }
        }
        (out, written)
    }

    /// Every row of a batch that could not be run fails with the model's words.
    fn fail_step(&mut self, batch: &Batch, problem: &str) -> Vec<Outcome> {
        let mut out = Vec::new();
        let now = Instant::now();
        for i in (0..self.writing.len()).rev() {
            if batch.writes[i].is_some() {
                let w = self.writing.remove(i);
                out.extend(self.retire(w, Err(problem.to_owned()), now));
            }
        }
        for i in (0..self.scoring.len()).rev() {
            if !batch.scores[i].is_empty() {
                let s = self.scoring.remove(i);
                out.push(Outcome::Failed { job: s.job, row: s.row, problem: problem.to_owned() });
            }
        }
        out
    }

    /// The last events of a row; its sequence stays for those who share its start.
    fn retire(
        &mut self,
        mut w: Writing<M::Sequence>,
        finish: Result<Finish, String>,
        now: Instant,
    ) -> Vec<Outcome> {
        let (job, row) = (w.job, w.row.row);
        let mut out = Vec::new();
        if let Some((text, tokens)) = w.take_text() {
            out.push(Outcome::Text { job, row, text, tokens });
        }
        match finish {
            Ok(finish) => {
                out.push(Outcome::Wrote {
                    job,
                    row,
                    trace: Arc::new(w.trace(self.model.info(), finish, now)),
                });
                let held = self.model.len(&w.sequence);
                w.tokens.truncate(held);
                self.prefixes.insert(w.adapter, w.tokens, w.sequence);
            }
            Err(problem) => out.push(Outcome::Failed { job, row, problem }),
        }
        out
    }

    /// Ends the rows that `which` names; what they wrote is kept.
    pub fn cancel(&mut self, which: impl Fn(JobId, RowId) -> bool) -> Vec<Outcome> {
        let mut out = Vec::new();
        let now = Instant::now();
        for i in (0..self.writing.len()).rev() {
            if which(self.writing[i].job, self.writing[i].row.row) {
                let mut w = self.writing.remove(i);
                let finish = w.end(&self.model, Finish::Cancelled).map(|_| Finish::Cancelled);
                out.extend(self.retire(w, finish, now));
            }
        }
        for i in (0..self.scoring.len()).rev() {
            if which(self.scoring[i].job, self.scoring[i].row) {
                let s = self.scoring.remove(i);
                out.push(Outcome::Failed { job: s.job, row: s.row, problem: CANCELLED.to_owned() });
            }
        }
        out
    }

    /// Text that became ready since the last call.
    pub fn take_text(&mut self) -> Vec<Outcome> {
        self.writing
            .iter_mut()
            .filter_map(|w| {
                let (text, tokens) = w.take_text()?;
                Some(Outcome::Text { job: w.job, row: w.row.row, text, tokens })
            })
            .collect()
    }
}
