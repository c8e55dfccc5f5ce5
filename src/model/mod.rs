//! The decoder and all it needs. The only candle code of the program.
//!
//! [`LanguageModel`] is what the batch engine asks of a model; [`Model`] is ours, and tests have a tiny one.

pub mod attention;
pub mod cache;
pub mod chat;
pub mod config;
pub mod decoder;
pub mod error;
pub mod gguf;
mod gguf_check;
pub mod kernels;
pub mod linear;
pub mod loader;
pub mod local;
pub mod lora;
pub mod ops;
pub mod peft;
pub mod safetensors;
pub mod sampler;
pub mod tokenizer;
pub mod weights;

pub use error::ModelError;
pub use loader::{LoadOptions, LoadProgress, WeightChoice};
pub use local::Model;
pub use sampler::{RowSampler, Sampled};

use crate::core::Prompt;
use std::path::Path;

/// Facts of a loaded model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// `llama` or `qwen2`.
    pub architecture: String,
    pub parameters: u64,
    /// How the weights are held: `q8` or `f32`.
    pub weights: String,
    pub memory_bytes: u64,
    /// Longest sequence, in tokens.
    pub context: usize,
    pub vocabulary: usize,
    /// SHA-256 of the weights file, first 16 hexadecimal digits.
    pub hash: String,
}

/// A loaded adapter's slot in its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AdapterIx(pub u32);

/// Which positions of a row's new tokens need logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    None,
    Last,
    /// The last so many.
    Tail(usize),
    All,
}

impl Want {
    /// These positions of `len` new tokens.
    pub fn positions(self, len: usize) -> std::ops::Range<usize> {
        let tail = match self {
            Want::None => 0,
            Want::Last => 1,
            Want::Tail(tail) => tail,
            Want::All => len,
        };
        len.saturating_sub(tail)..len
    }
}

/// One row of a batch: new tokens at the end of a sequence.
pub struct ForwardRow<'a, S> {
    pub sequence: &'a mut S,
    /// New tokens, at least one.
    pub tokens: &'a [u32],
    pub adapter: Option<AdapterIx>,
    pub want: Want,
}

/// What the engine needs of a language model. A row's result never depends on the other rows.
pub trait LanguageModel {
    /// The KV state of one sequence.
    type Sequence: Send;
    type Error: std::error::Error + Send + Sync + 'static;
    fn info(&self) -> &ModelInfo;
    /// Chat template and prefill applied, special tokens included.
    fn encode_prompt(&self, prompt: &Prompt) -> Result<Vec<u32>, Self::Error>;
    /// Plain text, no special tokens.
    fn encode(&self, text: &str) -> Result<Vec<u32>, Self::Error>;
    /// The text of tokens, special ones left out.
    fn decode(&self, tokens: &[u32]) -> Result<String, Self::Error>;
    /// Whether this token ends the turn.
    fn is_end(&self, token: u32) -> bool;
    fn load_adapter(&mut self, folder: &Path) -> Result<AdapterIx, Self::Error>;
    fn new_sequence(&self) -> Self::Sequence;
    /// A new sequence that shares the first `len` positions; cheap.
    fn fork(&self, sequence: &Self::Sequence, len: usize) -> Self::Sequence;
    /// Positions that the sequence holds.
    fn len(&self, sequence: &Self::Sequence) -> usize;
    /// Runs `work` where the model computes: parallel parts of it get the model's threads, where it has some of its own.
    fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        work()
    }
    /// Runs all rows as one batch; per row `[wanted positions × vocabulary]` logits, row-major.
    fn forward(&mut self, rows: &mut [ForwardRow<'_, Self::Sequence>]) -> Result<Vec<Vec<f32>>, Self::Error>;
}
