//! What can go wrong with a model, with the remedy where there is one.

use std::path::PathBuf;

/// Why a model or adapter cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {problem}")]
    Format { path: PathBuf, problem: String },
    #[error("{path}: {what} is not supported; {remedy}")]
    Unsupported { path: PathBuf, what: String, remedy: String },
    #[error("{path}: tensor `{name}` is missing")]
    MissingTensor { path: PathBuf, name: String },
    #[error("{path}: tensor `{name}` has shape {found:?}, expected {expected:?}")]
    Shape { path: PathBuf, name: String, found: Vec<usize>, expected: Vec<usize> },
    #[error(
        "{path}: needs about {needed_mib} MiB and {available_mib} MiB are free; choose 8-bit weights, a \
         smaller model, or close other programs"
    )]
    Memory { path: PathBuf, needed_mib: u64, available_mib: u64 },
    #[error("loading was cancelled")]
    Cancelled,
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    #[error("chat template: {0}")]
    ChatTemplate(String),
    #[error("adapter {path}: {problem}")]
    Adapter { path: PathBuf, problem: String },
    #[error("the sequence would reach {wanted} tokens; the model's context is {context}")]
    Context { wanted: usize, context: usize },
    #[error("token {0} is not in the vocabulary")]
    Token(u32),
    #[error("no adapter is loaded in slot {0}")]
    AdapterSlot(u32),
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
}

impl ModelError {
    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> ModelError {
        let path = path.to_owned();
        move |source| ModelError::Io { path, source }
    }

    pub(super) fn format(path: &std::path::Path, problem: impl std::fmt::Display) -> ModelError {
        ModelError::Format { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn unsupported(
        path: &std::path::Path,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ModelError {
        ModelError::Unsupported { path: path.to_owned(), what: what.into(), remedy: remedy.into() }
    }
}
