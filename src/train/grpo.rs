//! Reinforcement learning with a verifiable reward: rollouts in groups, GRPO on those that teach something.
//!
//! One or several updates per round of rollouts (`improve`); log-probabilities are the network's own, at
//! the temperature that rollouts are drawn with. Where the rollouts come from is the caller's affair.

use super::{
    checkpoint::{Progress, State, Validation, claim},
    error::TrainError,
    event_log::EventLog,
    frozen::Frozen,
    grpo_loss::GrpoLoss,
    improve::improve,
    lora::{Lora, LoraShape},
    optimiser::{AdamW, OptimiserSettings},
    policy::{Policy, Request, greedy, written},
    sft,
    verdict::Lesson,
};
use serde::{Deserialize, Serialize};
use std::{ops::ControlFlow, path::Path, time::Instant};

/// All that decides the result of a run, besides the prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrpoSettings {
    pub base: String,
    pub base_hash: String,
    pub init: Option<String>,
    pub template: String,
    pub lora: LoraShape,
    pub optimiser: OptimiserSettings,
    pub loss: GrpoLoss,
    /// What a rollout teaches.
    #[serde(default)]
    pub lesson: Lesson,
    /// Divide advantages by the group's deviation (Dr. GRPO does not).
    pub scale_advantages: bool,
    pub steps: usize,
    /// Prompts per step, and rollouts of each.
    pub prompts: usize,
    pub group: usize,
    /// Parts that the groups of a step are split into; each makes one update (verl's mini-batches).
    #[serde(default = "once")]
    pub updates: usize,
    /// How often a step learns from all of its rollouts.
    #[serde(default = "once")]
    pub passes: usize,
    /// Rollouts that go through the network together.
    pub micro: usize,
    pub max_tokens: usize,
    /// Of the rollouts, and of all log-probabilities.
    #[serde(default = "one")]
    pub temperature: f32,
    /// Validate after this many steps.
    pub validate_every: usize,
    pub seed: u64,
    pub data: String,
}

/// What runs did before they said it.
fn once() -> usize {
    1
}

fn one() -> f32 {
    1.0
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepReport {
    pub step: usize,
    pub steps: usize,
    pub reward: f32,
    /// Share of rollouts with an answer.
    pub answered: f32,
    /// Mean completion length, in tokens.
    pub length: f32,
    /// Groups with nothing to learn from: their rewards are all the same, or no verdict can be right.
    pub silent: usize,
    /// Updates made, and the means over them of the loss, the divergence from the base model (k3, nats per
    /// token) and the gradient's norm.
    pub updates: usize,
    pub loss: f32,
    pub kl: f32,
    pub norm: f32,
    /// Share of tokens that the clip of the ratio held back.
    pub clipped: f32,
    pub seconds: f32,
    /// One rollout of this step.
    pub sample: String,
}

/// What a run reports.
#[derive(Clone, Debug, PartialEq)]
pub enum GrpoReport {
    Step(StepReport),
    Validated(Validation),
    Resumed(usize),
}

/// What there is to answer.
pub struct Prompts {
    /// Training prompts, as tokens.
    pub train: Vec<Vec<u32>>,
    /// How many validation prompts the policy holds.
    pub validation: usize,
}

/// Trains `lora` on `prompts`, or goes on where the run in `folder` stopped; writes there what
/// [`sft::train`] writes; one sample per step is reported. Validation accuracy is that of greedy answers.
pub fn train(
    frozen: &Frozen,
    mut lora: Lora,
    settings: &GrpoSettings,
    prompts: &Prompts,
    folder: &Path,
    policy: &mut dyn Policy,
    report: &mut dyn FnMut(GrpoReport) -> ControlFlow<()>,
) -> Result<(Lora, Progress), TrainError> {
    let (prompts, validation) = (&prompts.train, prompts.validation);
    if prompts.is_empty() {
        return Err(TrainError::Empty("no row of the training split has a gold answer".to_owned()));
    }
    claim(folder, settings)?;
    let (mut progress, mut optimiser) = (Progress::default(), AdamW::new(lora.values.len()));
    let mut log = EventLog::create(folder, sft::now())?;
    match State::load(folder, lora.values.len())? {
        Some(state) => {
            (progress, optimiser, lora.values) = (state.progress, state.optimiser, state.values);
            let _ = report(GrpoReport::Resumed(progress.step));
        }
        None => look(&lora, settings, validation, folder, policy, &mut progress, &mut log, report)?,
    }
    let groups: Vec<usize> = (0..prompts.len()).collect();
    let per_epoch = prompts.len().div_ceil(settings.prompts);
    while progress.step < settings.steps {
        let start = Instant::now();
        let (epoch, at) = (progress.step / per_epoch, progress.step % per_epoch);
        let order = sft::order(&groups, settings.seed, epoch);
        let chosen = order[at * settings.prompts..order.len().min((at + 1) * settings.prompts)].to_vec();
        let request = Request {
            prompts: chosen,
            group: settings.group,
            seed: settings.seed.wrapping_add(progress.step as u64),
            temperature: settings.temperature,
            max_tokens: settings.max_tokens,
            lesson: settings.lesson,
        };
        let rollouts = written(&lora, (&settings.base, progress.step), folder, policy, false, &request)?;
        let mut step =
            improve(frozen, &mut lora, &mut optimiser, settings, prompts, &rollouts, &mut progress);
        step.seconds = start.elapsed().as_secs_f32();
        progress.seconds += f64::from(step.seconds);
        let number = step.step as i64;
        log.write(
            number,
            sft::now(),
            &[
                ("critic/rewards/mean", step.reward),
                ("critic/format/mean", step.answered),
                ("response_length/mean", step.length),
                ("critic/groups_without_signal", step.silent as f32),
                ("actor/loss", step.loss),
                ("actor/kl_loss", step.kl),
                ("actor/grad_norm", step.norm),
                ("actor/pg_clipfrac", step.clipped),
                ("timing_s/step", step.seconds),
                ("training/epoch", progress.step as f32 / per_epoch as f32),
            ],
        )?;
        let stop = report(GrpoReport::Step(step)).is_break();
        if progress.step.is_multiple_of(settings.validate_every.max(1)) || progress.step == settings.steps {
            look(&lora, settings, validation, folder, policy, &mut progress, &mut log, report)?;
        }
        let state = State { progress, values: lora.values, optimiser };
        state.save(folder)?;
        (progress, optimiser, lora.values) = (state.progress, state.optimiser, state.values);
        if stop {
            return Err(TrainError::Interrupted);
        }
    }
    lora.save(&folder.join("last"), &settings.base)?;
    Ok((lora, progress))
}

/// Greedy answers to the validation prompts; the adapter with the best share of right ones is kept.
#[allow(clippy::too_many_arguments)]
fn look(
    lora: &Lora,
    settings: &GrpoSettings,
    validation: usize,
    folder: &Path,
    policy: &mut dyn Policy,
    progress: &mut Progress,
    log: &mut EventLog,
    report: &mut dyn FnMut(GrpoReport) -> ControlFlow<()>,
) -> Result<(), TrainError> {
    let accuracy =
        greedy(lora, (&settings.base, progress.step), folder, policy, validation, settings.max_tokens)?;
    let found = Validation { step: progress.step, epoch: 0.0, loss: 1.0 - accuracy, accuracy };
    log.write(progress.step as i64, sft::now(), &[("val/test_score", accuracy)])?;
    if progress.validations.iter().all(|v| found.accuracy > v.accuracy) {
        lora.save(&folder.join("best"), &settings.base)?;
    }
    progress.validations.push(found.clone());
    let _ = report(GrpoReport::Validated(found));
    Ok(())
}
