//! How a model reference becomes a model: implemented for real files, and by tests for a tiny one.

use super::remote::ServerModel;
use crate::model::LanguageModel;
use std::sync::atomic::{AtomicBool, Ordering};

/// Turns references into loaded models. Called on a helper thread, one call per model.
pub trait ModelProvider: Send + Sync + 'static {
    type Model: LanguageModel + Send + 'static;

    /// Loads `reference`; reports stages, and gives up soon after `progress.cancelled()`.
    fn load(&self, reference: &str, progress: &LoadProgress<'_>) -> Result<Self::Model, LoadError>;

    /// The server that `reference` names, if it names one: its rows are sent there, and nothing is loaded.
    fn server(&self, _reference: &str) -> Option<ServerModel> {
        None
    }

    /// Bytes that the loaded model will take, roughly, where that can be told beforehand: loaded models that
    /// nobody uses make room for it.
    fn memory_needed(&self, _reference: &str) -> Option<u64> {
        None
    }

    /// Bytes that one position of a sequence takes, where the model says.
    fn position_bytes(&self, _model: &Self::Model) -> Option<u64> {
        None
    }
}

/// Where a loading model says how far it is.
pub struct LoadProgress<'a> {
    report: &'a dyn Fn(&'static str, f32),
    cancel: &'a AtomicBool,
}

impl<'a> LoadProgress<'a> {
    /// `report` gets a stage in a word or two, and the share of it that is done, 0 to 1.
    pub fn new(report: &'a dyn Fn(&'static str, f32), cancel: &'a AtomicBool) -> Self {
        LoadProgress { report, cancel }
    }

    pub fn report(&self, stage: &'static str, fraction: f32) {
        (self.report)(stage, fraction);
    }

    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// Why there is no model.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// The files are not on this machine; `models fetch` may bring them.
    #[error("{0}")]
    Missing(String),
    /// The files are there and cannot be used.
    #[error("{0}")]
    Unusable(String),
    #[error("loading was cancelled")]
    Cancelled,
}
