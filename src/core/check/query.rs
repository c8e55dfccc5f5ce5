//! Questions that checks put to a model, and its replies. Plain data.

use super::Reason;
use crate::core::{Prompt, Sampler};

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The model (and adapter) under test.
    Writer,
    Judge,
    /// Makes mistakes and paraphrases.
    Maker,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub who: Who,
    pub prompt: Prompt,
    pub ask: Ask,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Log-probabilities of candidates after each context.
    Score(Vec<Readout>),
    /// Text that goes on from the prompt.
    Write { sampler: Sampler, seed: u64 },
}

/// `context` is read after the prompt and its prefill; each candidate is scored as what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readout {
    pub context: String,
    pub candidates: Vec<String>,
}

/// What came back for one [`Query`].
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// One entry per readout.
    Scores(Vec<Scores>),
    Text(String),
    /// The model could not be asked, in its words.
    Failed(String),
    /// The text is longer than the model reads.
    TooLong(String),
}

/// Natural log-probabilities of one readout's candidates, each summed over its tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    pub logprobs: Vec<f64>,
    /// Entropy of the whole next-token distribution after the context, in nats, where it is known.
    pub entropy: Option<f64>,
}

/// The scores of reply `at`, which must be `want` many.
pub(crate) fn scores(replies: &[Reply], at: usize, want: usize) -> Result<&[Scores], Reason> {
    match replies.get(at) {
        Some(Reply::Scores(scores)) if scores.len() == want => Ok(scores),
        Some(Reply::Failed(problem)) => Err(Reason::ModelFailed(problem.clone())),
        Some(Reply::TooLong(problem)) => Err(Reason::TooLong(problem.clone())),
        _ => Err(Reason::ModelFailed("the scores that came back are not those that were asked for".into())),
    }
}

/// The text of reply `at`.
pub(crate) fn text(replies: &[Reply], at: usize) -> Result<&str, Reason> {
    match replies.get(at) {
        Some(Reply::Text(text)) => Ok(text),
        Some(Reply::Failed(problem)) => Err(Reason::ModelFailed(problem.clone())),
        Some(Reply::TooLong(problem)) => Err(Reason::TooLong(problem.clone())),
        _ => Err(Reason::ModelFailed("no text came back".into())),
    }
}
