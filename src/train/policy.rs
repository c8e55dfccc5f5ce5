//! What an adapter writes, while it is being trained: rollouts to learn from, and validation by the most probable text.

use super::{error::TrainError, lora::Lora, verdict::Lesson};
use std::{fs, path::Path};

/// One completion that the policy wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// The prompt's place in the list.
    pub prompt: usize,
    /// What was written, the end of the turn included where it was reached.
    pub tokens: Vec<u32>,
    pub text: String,
    /// 1 where the last answer equals gold.
    pub reward: f32,
    /// Whether there is an answer at all.
    pub answered: bool,
    /// How many of the tokens come before its verdict, and those of each word that could stand there, the right one
    /// first; `None` where none would be right, or nobody asked.
    pub verdict: Option<(usize, Vec<Vec<u32>>)>,
}

/// What the policy is asked to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Prompts, by their place in the list.
    pub prompts: Vec<usize>,
    pub group: usize,
    pub seed: u64,
    /// 0 takes the most probable token.
    pub temperature: f32,
    pub max_tokens: usize,
    /// With [`Lesson::Verdict`], rollouts want their verdicts.
    pub lesson: Lesson,
}

/// Writes completions with the adapter in a folder; `validation` chooses the list of prompts.
pub trait Policy {
    fn write(
        &mut self,
        adapter: &Path,
        validation: bool,
        request: &Request,
    ) -> Result<Vec<Rollout>, TrainError>;
}

/// What `policy` writes with the weights as they are. They pass through a folder within `folder`, of a name that no step
/// has twice: an engine keeps what it has read.
pub(super) fn written(
    lora: &Lora,
    (base, step): (&str, usize),
    folder: &Path,
    policy: &mut dyn Policy,
    validation: bool,
    request: &Request,
) -> Result<Vec<Rollout>, TrainError> {
    let adapter = folder.join(format!("{}-{step}", if validation { "validation" } else { "rollout" }));
    lora.save(&adapter, base)?;
    let rollouts = policy.write(&adapter, validation, request);
    fs::remove_dir_all(&adapter).map_err(TrainError::io(&adapter))?;
    rollouts
}

/// Share of the first `prompts` validation prompts whose most probable text ends in the right answer.
pub(super) fn greedy(
    lora: &Lora,
    from: (&str, usize),
    folder: &Path,
    policy: &mut dyn Policy,
    prompts: usize,
    max_tokens: usize,
) -> Result<f32, TrainError> {
    let prompts: Vec<usize> = (0..prompts).collect();
    let request =
        Request { prompts, group: 1, seed: 0, temperature: 0.0, max_tokens, lesson: Lesson::Rollout };
    let rollouts = written(lora, from, folder, policy, true, &request)?;
    Ok(rollouts.iter().map(|r| r.reward).sum::<f32>() / request.prompts.len().max(1) as f32)
}
