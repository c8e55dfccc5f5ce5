//! Models that run on this machine: references resolved by the caller, weights loaded by [`crate::model`].

use super::{
    provider::{LoadError, LoadProgress, ModelProvider},
    remote::ServerModel,
};
use crate::model::{LoadOptions, Model, ModelError};
use std::{ops::ControlFlow, path::PathBuf};

/// Files of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// A `.gguf` file or a folder of safetensors.
    pub path: PathBuf,
    /// The SHA-256 that the file must have, where it is known beforehand.
    pub sha256: Option<String>,
    /// Bytes that the loaded model will take, roughly.
    pub memory: u64,
}

type Resolve = dyn Fn(&str) -> Option<ServerModel> + Send + Sync;
type Locate = dyn Fn(&str) -> Result<Located, LoadError> + Send + Sync;

/// Provides models from files that `locate` finds. The engine reads no configuration: callers resolve names.
pub struct LocalModels {
    locate: Box<Locate>,
    server: Box<Resolve>,
    options: LoadOptions,
}

impl LocalModels {
    pub fn new(
        options: LoadOptions,
        locate: impl Fn(&str) -> Result<Located, LoadError> + Send + Sync + 'static,
    ) -> LocalModels {
        LocalModels { locate: Box::new(locate), server: Box::new(|_| None), options }
    }

    /// With servers, as `resolve` finds them behind references.
    pub fn with_servers(
        mut self,
        resolve: impl Fn(&str) -> Option<ServerModel> + Send + Sync + 'static,
    ) -> LocalModels {
        self.server = Box::new(resolve);
        self
    }
}

impl ModelProvider for LocalModels {
    type Model = Model;

    fn load(&self, reference: &str, progress: &LoadProgress<'_>) -> Result<Model, LoadError> {
        let located = (self.locate)(reference)?;
        let mut report = |at: crate::model::LoadProgress| {
            progress.report(at.stage, at.fraction);
            if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let model = Model::load(&located.path, &self.options, &mut report).map_err(|error| match error {
            ModelError::Cancelled => LoadError::Cancelled,
            other => LoadError::Unusable(other.to_string()),
        })?;
        let hash = &crate::model::LanguageModel::info(&model).hash;
        match located.sha256 {
            Some(want) if !hash.is_empty() && !want.starts_with(hash.as_str()) => {
                Err(LoadError::Unusable(format!(
                    "{} has a SHA-256 that begins with {hash}, not {}: it is damaged; fetch it again with `pluriscope models fetch {reference}`",
                    located.path.display(),
                    &want[..hash.len().min(want.len())]
                )))
            }
            _ => Ok(model),
        }
    }

    fn server(&self, reference: &str) -> Option<ServerModel> {
        (self.server)(reference)
    }

    fn memory_needed(&self, reference: &str) -> Option<u64> {
        (self.locate)(reference).ok().map(|located| located.memory)
    }

    fn position_bytes(&self, model: &Model) -> Option<u64> {
        // A long sequence, so that the rounding to whole pages does not count.
        Some(model.sequence_bytes(4096) / 4096)
    }
}
