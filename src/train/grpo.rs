//! Reinforcement learning with a verifiable reward: rollouts in groups, GRPO on those that teach something.
//!
//! One update per round of rollouts, so the policy that learns is the one that wrote. Log-probabilities are
//! the network's own, at temperature 1. Where the rollouts come from is the caller's affair.

use super::{
    batch::{Batch, Example},
    checkpoint::{Progress, State, Validation, claim},
    error::TrainError,
    event_log::EventLog,
    frozen::Frozen,
    grpo_loss::{GrpoLoss, advantages, has_signal},
    lora::{Lora, LoraShape},
    network::{learn, score},
    optimiser::{AdamW, OptimiserSettings},
    sft,
};
use serde::{Deserialize, Serialize};
use std::{fs, ops::ControlFlow, path::Path, time::Instant};

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
    /// Divide advantages by the group's deviation (Dr. GRPO does not).
    pub scale_advantages: bool,
    pub steps: usize,
    /// Prompts per step, and rollouts of each.
    pub prompts: usize,
    pub group: usize,
    /// Rollouts per pass.
    pub micro: usize,
    pub max_tokens: usize,
    /// Validate after this many steps.
    pub validate_every: usize,
    pub seed: u64,
    pub data: String,
}

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
}

/// What the policy is asked to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Prompts, by their place in the list.
    pub prompts: Vec<usize>,
    pub group: usize,
    pub seed: u64,
    pub greedy: bool,
    pub max_tokens: usize,
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
    /// Groups whose rewards are all the same: nothing to learn from.
    pub silent: usize,
    pub loss: f32,
    pub kl: f32,
    pub norm: f32,
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
        let adapter = folder.join(format!("rollout-{}", progress.step));
        lora.save(&adapter, &settings.base)?;
        let request = Request {
            prompts: chosen,
            group: settings.group,
            seed: settings.seed.wrapping_add(progress.step as u64),
            greedy: false,
            max_tokens: settings.max_tokens,
        };
        let rollouts = policy.write(&adapter, false, &request);
        fs::remove_dir_all(&adapter).map_err(TrainError::io(&adapter))?;
        let rollouts = rollouts?;
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

/// One update from the rollouts of a step.
fn improve(
    frozen: &Frozen,
    lora: &mut Lora,
    optimiser: &mut AdamW,
    settings: &GrpoSettings,
    prompts: &[Vec<u32>],
    rollouts: &[Rollout],
    progress: &mut Progress,
) -> StepReport {
    let count = rollouts.len().max(1) as f32;
    let mut step = StepReport {
        steps: settings.steps,
        reward: rollouts.iter().map(|r| r.reward).sum::<f32>() / count,
        answered: rollouts.iter().filter(|r| r.answered).count() as f32 / count,
        length: rollouts.iter().map(|r| r.tokens.len()).sum::<usize>() as f32 / count,
        sample: rollouts.first().map(|r| r.text.clone()).unwrap_or_default(),
        ..StepReport::default()
    };
    let (mut kept, mut gains) = (Vec::new(), Vec::new());
    for group in rollouts.chunk_by(|a, b| a.prompt == b.prompt) {
        let rewards: Vec<f32> = group.iter().map(|r| r.reward).collect();
        if has_signal(&rewards) {
            gains.extend(advantages(&rewards, settings.scale_advantages));
            kept.extend(group);
        } else {
            step.silent += 1;
        }
    }
    let examples: Vec<Example> = kept
        .iter()
        .map(|r| Example {
            prompt: prompts[r.prompt].clone(),
            completion: r.tokens.clone(),
            train_prompt: false,
        })
        .collect();
    let lengths: Vec<usize> = examples.iter().map(|e| e.completion.len()).collect();
    let weights = settings.loss.weights(&lengths);
    let mut gradient = vec![0f32; lora.values.len()];
    let micro = settings.micro.max(1);
    for (chunk, rows) in examples.chunks(micro).enumerate() {
        let batch = Batch::new(&rows.iter().collect::<Vec<_>>());
        progress.tokens += batch.tokens.len() as u64;
        let reference = (settings.loss.kl > 0.0).then(|| score(frozen, None, &batch));
        let of = |i: usize| chunk * micro + batch.targets[i].row;
        let token = |i: usize, new: f32| {
            let reference = reference.as_ref().map_or(new, |r| r[i].logprob);
            // The policy that learns is the one that wrote: the ratio is 1.
            settings.loss.token(new, new, reference, gains[of(i)])
        };
        let slope = |i: usize, new: f32| token(i, new).slope * weights[of(i)];
        let scored = learn(frozen, lora, &batch, settings.seed, &slope, &mut gradient);
        for (i, scored) in scored.iter().enumerate() {
            let token = token(i, scored.logprob);
            step.loss += weights[of(i)] * (token.policy + settings.loss.kl * token.kl);
            step.kl += weights[of(i)] * token.kl;
        }
    }
    if !examples.is_empty() {
        let rate = settings.optimiser.rate(progress.step, settings.steps);
        step.norm = optimiser.update(&mut lora.values, &mut gradient, rate, &settings.optimiser);
        progress.skipped += usize::from(!step.norm.is_finite());
    }
    progress.step += 1;
    step.step = progress.step;
    step
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
    let adapter = folder.join(format!("validation-{}", progress.step));
    lora.save(&adapter, &settings.base)?;
    let request = Request {
        prompts: (0..validation).collect(),
        group: 1,
        seed: settings.seed,
        greedy: true,
        max_tokens: settings.max_tokens,
    };
    let rollouts = policy.write(&adapter, true, &request);
    fs::remove_dir_all(&adapter).map_err(TrainError::io(&adapter))?;
    let rollouts = rollouts?;
    let accuracy = rollouts.iter().map(|r| r.reward).sum::<f32>() / rollouts.len().max(1) as f32;
    let found = Validation { step: progress.step, epoch: 0.0, loss: 1.0 - accuracy, accuracy };
    log.write(progress.step as i64, sft::now(), &[("val/test_score", accuracy)])?;
    if progress.validations.iter().all(|v| found.accuracy > v.accuracy) {
        lora.save(&folder.join("best"), &settings.base)?;
    }
    progress.validations.push(found.clone());
    let _ = report(GrpoReport::Validated(found));
    Ok(())
}
