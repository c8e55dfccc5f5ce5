//! The state of a run on disk: enough to go on bit for bit, replaced as a whole.

use super::{error::TrainError, lora, optimiser::AdamW};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::HashMap, fs, path::Path};

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made: an update each, in reinforcement learning one or several.
    pub step: usize,
    /// Tokens seen, shared ones once.
    pub tokens: u64,
    pub seconds: f64,
    /// Validation, in order.
    pub validations: Vec<Validation>,
    /// Updates whose gradient was not a number; nothing was learnt in them.
    pub skipped: usize,
}

/// One look at the validation rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    pub step: usize,
    /// Share of the training rows seen so far; above 1 in later epochs.
    pub epoch: f32,
    /// Mean negative log-probability per completion token, in nats.
    pub loss: f32,
    /// Share of answers that are right as the adapter writes them; where it was not asked to, of completions whose every
    /// token is the most probable one, and of given rationales the share of letters.
    pub accuracy: f32,
}

/// Everything that a run needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub progress: Progress,
    pub values: Vec<f32>,
    pub optimiser: AdamW,
}

const FILE: &str = "state.safetensors";

impl State {
    /// Saves to `folder`, replacing the state before.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join(FILE);
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let all =
            [("values", &self.values), ("first", &self.optimiser.first), ("second", &self.optimiser.second)]
                .map(|(name, values)| (name, values.len(), bytes(values)));
        let views = all
            .iter()
            .map(|(name, len, bytes)| Ok((*name, TensorView::new(Dtype::F32, vec![*len], bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| TrainError::format(&path, e))?;
        let progress = serde_json::to_string(&self.progress).map_err(|e| TrainError::format(&path, e))?;
        let metadata = HashMap::from([
            ("progress".to_owned(), progress),
            ("updates".to_owned(), self.optimiser.updates.to_string()),
        ]);
        let bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|e| TrainError::format(&path, e))?;
        lora::write(&path, &bytes)
    }

    /// Loads from `folder`; `None` where nothing was saved.
    pub fn load(folder: &Path, weights: usize) -> Result<Option<State>, TrainError> {
        let path = folder.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(TrainError::io(&path)(e)),
        };
        let damaged = |e: &dyn std::fmt::Display| {
            TrainError::format(&path, format!("not a usable checkpoint ({e}); delete it to start anew"))
        };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
        let facts = header.metadata().clone().unwrap_or_default();
        let floats = |name: &str| {
            let view = tensors.tensor(name).map_err(|e| damaged(&e))?;
            if view.dtype() != Dtype::F32 {
                return Err(damaged(&format!("{:?} instead of F32", view.dtype())));
            }
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            if values.len() == weights {
                Ok(values)
            } else {
                Err(damaged(&format!("{} weights instead of {weights}", values.len())))
            }
        };
        let progress = facts
            .get("progress")
            .and_then(|t| serde_json::from_str(t).ok())
            .ok_or_else(|| damaged(&"no progress"))?;
        let updates =
            facts.get("updates").and_then(|t| t.parse().ok()).ok_or_else(|| damaged(&"no update count"))?;
        let optimiser = AdamW { first: floats("first")?, second: floats("second")?, updates };
        Ok(Some(State { progress, values: floats("values")?, optimiser }))
    }
}

/// Writes the settings of a new run to `folder`, or makes sure that a begun one has the same.
pub fn claim<T: Serialize + DeserializeOwned + PartialEq>(
    folder: &Path,
    settings: &T,
) -> Result<(), TrainError> {
    fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    let path = folder.join("run.json");
    match fs::read_to_string(&path) {
        Ok(text) => match serde_json::from_str::<T>(&text) {
            Ok(found) if found == *settings => Ok(()),
            Ok(_) => {
                let what = "its settings differ".to_owned();
                Err(TrainError::OtherRun { path: folder.to_owned(), what })
            }
            Err(e) => Err(TrainError::OtherRun { path: folder.to_owned(), what: e.to_string() }),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let text = serde_json::to_string_pretty(settings).map_err(|e| TrainError::format(&path, e))?;
            lora::write(&path, text.as_bytes())
        }
        Err(e) => Err(TrainError::io(&path)(e)),
    }
}
