//! Plain data between the explorer and the engine: what is asked for, and what comes back.
//!
//! Nothing here runs. The engine consumes [`Command`]s on its own thread and answers with [`JobEvent`]s.

pub mod checking;

use crate::core::{AdapterRef, Finish, Item, MethodId, Prompt, Sampler, TemplateRef, Trace};
use std::{sync::Arc, time::Duration};

/// The engine's word for a row that was stopped.
pub const CANCELLED: &str = "cancelled";

/// How the problem of a row ends that is longer than its model reads.
pub const BEYOND_CONTEXT: &str = "shorten the item or choose a model with a longer context";

/// One request of the user; rows belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// One sequence within a job: one live column, one headless item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u64);

/// A trace to be written.
#[derive(Clone, Debug)]
pub struct GenerateRow {
    pub row: RowId,
    pub item: Arc<Item>,
    pub method: MethodId,
    /// Model reference: alias, path, `hf:…` or `openai:…`.
    pub model: String,
    /// Resolved adapter folder, and the name kept in the trace.
    pub adapter: Option<AdapterRef>,
    pub template: TemplateRef,
    pub prompt: Prompt,
    pub sampler: Sampler,
    pub seed: u64,
    /// Which repetition this is, from 0.
    pub sample: u32,
}

/// A position whose next-token distribution is asked for: letter and word scores of the checks.
#[derive(Clone, Debug)]
pub struct ScoreRow {
    pub row: RowId,
    pub model: String,
    pub adapter: Option<AdapterRef>,
    pub prompt: Prompt,
    /// Texts appended to the prompt (after its prefill), each scored on its own; shared prefixes are
    /// computed once.
    pub continuations: Vec<Continuation>,
}

/// `context` is read, then each of `candidates` is scored as what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    pub context: String,
    pub candidates: Vec<String>,
}

/// What the engine is told.
#[derive(Clone, Debug)]
pub enum Command {
    /// Load a model now, ahead of the first row that needs it.
    Load {
        job: JobId,
        model: String,
    },
    Generate {
        job: JobId,
        rows: Vec<GenerateRow>,
    },
    Score {
        job: JobId,
        rows: Vec<ScoreRow>,
    },
    /// Stop a job; rows keep what they have.
    Cancel(JobId),
    /// Stop one row; it keeps what it has.
    CancelRow(RowId),
    Shutdown,
}

/// What the engine reports. Events of one row come in order.
#[derive(Clone, Debug)]
pub enum JobEvent {
    ModelLoading {
        model: String,
        stage: &'static str,
        fraction: f32,
    },
    ModelReady(Arc<ModelReport>),
    /// The model could not be had; every row that wanted it fails with the same words.
    ModelFailed {
        model: String,
        problem: String,
        missing: bool,
    },
    /// A row has begun: its prompt length in tokens, and how many came from the cache.
    RowStarted {
        job: JobId,
        row: RowId,
        prompt_tokens: usize,
        cached_tokens: usize,
    },
    /// New text of a row and how many tokens it took, in batches of at most 30 a second.
    RowText {
        job: JobId,
        row: RowId,
        text: String,
        tokens: usize,
    },
    RowDone {
        job: JobId,
        row: RowId,
        trace: Arc<Trace>,
    },
    RowScored {
        job: JobId,
        row: RowId,
        scores: Arc<Vec<ContinuationScore>>,
        forward_tokens: usize,
    },
    RowFailed {
        job: JobId,
        row: RowId,
        problem: String,
    },
    /// How the whole worker stands; sent a few times a second while it works.
    Progress(Progress),
    /// The job has no rows left.
    JobDone {
        job: JobId,
        finish: JobFinish,
    },
    /// The worker itself failed (a panic): its jobs are gone, a new worker serves the next.
    WorkerFailed {
        problem: String,
    },
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFinish {
    Done,
    Cancelled,
    Failed,
}

/// Facts of a loaded model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelReport {
    pub reference: String,
    /// `llama` or `qwen2`.
    pub architecture: String,
    pub parameters: u64,
    /// `q8` or `f32`.
    pub weights: String,
    pub memory_bytes: u64,
    pub context: usize,
    pub vocabulary: usize,
    pub load_time: Duration,
    /// SHA-256 of the weights file, first 16 digits.
    pub hash: String,
}

/// The worker's state in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    pub rows_done: usize,
    pub rows_live: usize,
    pub rows_waiting: usize,
    /// Written tokens per second over the last second or so, all rows together.
    pub tokens_per_second: f32,
    pub time_left: Option<Duration>,
}

/// Scores of one [`Continuation`]: natural log-probability of each candidate, summed over its tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct ContinuationScore {
    pub logprobs: Vec<f64>,
    /// Entropy of the next-token distribution after the context, in nats; servers do not tell it.
    pub entropy: Option<f64>,
    /// Tokens of each candidate.
    pub candidate_tokens: Vec<usize>,
}

/// Outcome words for a finish reason, for screens.
pub fn finish_words(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "finished",
        Finish::Length => "token limit reached",
        Finish::StopString => "stop text reached",
        Finish::Cancelled => "cancelled",
        Finish::Failed => "failed",
    }
}
