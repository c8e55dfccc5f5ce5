//! Supervised fine-tuning: completions, one adapter, one folder that says everything about the run.

use super::{
    batch::{Batch, Example},
    checkpoint::{Progress, State, Validation, claim},
    error::TrainError,
    event_log::EventLog,
    frozen::Frozen,
    lora::{Lora, LoraShape},
    network::{self, learn, score},
    optimiser::{AdamW, OptimiserSettings},
    policy::{Policy, greedy},
    rationale::DraftSettings,
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// All that decides the result of a run, besides the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SftSettings {
    /// What is trained, in the words of the command.
    pub method: String,
    /// Model reference, and the first digits of its file's hash.
    pub base: String,
    pub base_hash: String,
    /// The adapter that training starts from.
    pub init: Option<String>,
    pub template: String,
    pub lora: LoraShape,
    pub optimiser: OptimiserSettings,
    pub epochs: usize,
    /// Rows per update.
    pub batch: usize,
    /// Rows per pass: an update adds up the gradients of several passes where this is smaller.
    pub micro: usize,
    /// Validations per epoch.
    pub validations: usize,
    /// Stop after this many validations without a better loss; 0 never stops.
    pub patience: usize,
    pub seed: u64,
    /// Validation rows whose answers are written out; without, validation looks at given completions alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// Digest of the rows: a run is only continued on the same ones.
    pub data: String,
    /// Rows of each split.
    pub rows: [usize; 2],
    /// Who wrote and judged synthetic rationales, where those are learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drafts: Option<DraftSettings>,
}

/// The first so many validation rows, and the most tokens of each: what a given rationale leads to says nothing about those
/// that the adapter writes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub rows: usize,
    pub max_tokens: usize,
}

/// What a run reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    Step { step: usize, steps: usize, loss: f32, rate: f32, norm: f32, tokens_per_second: f32 },
    Validated(Validation),
    Resumed(usize),
}

/// Rows with what they have in common, so that one batch holds rows of the same situation.
pub struct Rows {
    pub examples: Vec<Example>,
    /// Rows with the same number are about the same situation.
    pub groups: Vec<usize>,
}

/// Time between checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(60);

/// Steps without a number, on end, that end a run.
const HOPELESS: usize = 5;

/// Bytes that training takes at most, the base model's own included, with `tokens` tokens per pass.
pub fn memory(frozen: &Frozen, lora: &Lora, tokens: usize) -> u64 {
    let config = &frozen.config;
    let ranks = 7 * lora.shape.rank;
    let kept = tokens * config.layers * (network::kept_floats(config) + ranks);
    // One layer's way back: what flows, and copies of it packed for the kernels; then logits of one chunk.
    let transient = tokens * 10 * (config.intermediate + config.hidden) + 3 * 96 * config.vocabulary;
    let state = lora.values.len() * 7;
    let sum = frozen.bytes() + 4 * (kept + transient + state) as u64;
    // A twentieth for what the allocator does not give back at once: `cargo bench --bench training` looks.
    sum + sum / 20
}

/// Refuses to start what would not fit beside what is running.
pub fn check_memory(needed: u64) -> Result<(), TrainError> {
    match crate::model::loader::available_memory() {
        Some(available) if needed > available => {
            Err(TrainError::Memory { needed_mib: needed >> 20, available_mib: available >> 20 })
        }
        _ => Ok(()),
    }
}

/// The order of rows in epoch `epoch`: whole groups, shuffled, rows within them too.
pub(super) fn order(groups: &[usize], seed: u64, epoch: usize) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (epoch as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut by_group: Vec<Vec<usize>> = vec![Vec::new(); groups.iter().max().map_or(0, |g| g + 1)];
    groups.iter().enumerate().for_each(|(row, group)| by_group[*group].push(row));
    by_group.shuffle(&mut rng);
    by_group.iter_mut().for_each(|rows| rows.shuffle(&mut rng));
    by_group.concat()
}

/// Mean loss per completion token and share of right completions over `rows`.
///
/// A row counts as right when its last three tokens before the end (the letter and what leads to it) and,
/// for short completions, all others are the most probable ones.
pub fn validate(frozen: &Frozen, lora: Option<&Lora>, rows: &Rows, micro: usize) -> (f32, f32) {
    let (mut loss, mut tokens, mut right) = (0.0, 0usize, 0usize);
    let order: Vec<usize> = (0..rows.examples.len()).collect();
    for chunk in order.chunks(micro.max(1)) {
        let examples: Vec<&Example> = chunk.iter().map(|i| &rows.examples[*i]).collect();
        let batch = Batch::new(&examples);
        let scored = score(frozen, lora, &batch);
        loss -= scored.iter().map(|s| f64::from(s.logprob)).sum::<f64>();
        tokens += scored.len();
        right += batch
            .rows()
            .into_iter()
            .filter(|range| {
                let row = &scored[range.clone()];
                let checked = if row.len() <= 12 { row } else { &row[row.len().saturating_sub(3)..] };
                checked.iter().all(|s| s.best)
            })
            .count();
    }
    ((loss / tokens.max(1) as f64) as f32, right as f32 / rows.examples.len().max(1) as f32)
}

pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// Trains `lora` on `train`, or goes on where the run in `folder` stopped. Writes there: `run.json`,
/// `state.safetensors`, `best/` (the adapter of the best validation), and a TensorBoard log.
///
/// `policy` writes answers out where the settings want that. `report` hears of every step, and may stop the run, which can
/// be continued later.
#[allow(clippy::too_many_arguments)]
pub fn train(
    frozen: &Frozen,
    mut lora: Lora,
    settings: &SftSettings,
    train: &Rows,
    validation: &Rows,
    policy: &mut dyn Policy,
    folder: &Path,
    report: &mut dyn FnMut(Report) -> ControlFlow<()>,
) -> Result<(Lora, Progress), TrainError> {
    if train.examples.is_empty() {
        return Err(TrainError::Empty(
            "no row of the training split has all that the method needs".to_owned(),
        ));
    }
    claim(folder, settings)?;
    let mut progress = Progress::default();
    let mut optimiser = AdamW::new(lora.values.len());
    let mut log = EventLog::create(folder, now())?;
    if let Some(state) = State::load(folder, lora.values.len())? {
        (progress, optimiser, lora.values) = (state.progress, state.optimiser, state.values);
        let _ = report(Report::Resumed(progress.step));
    }
    let per_epoch = train.examples.len().div_ceil(settings.batch);
    let steps = per_epoch * settings.epochs;
    let every = per_epoch.div_ceil(settings.validations.max(1)).max(1);
    let (mut saved, mut last) = (Instant::now(), Instant::now());
    let (mut rows, mut rows_of) = (Vec::new(), usize::MAX);
    let mut hopeless = 0;
    let mut gradient = vec![0f32; lora.values.len()];
    while progress.step < steps {
        let (epoch, at) = (progress.step / per_epoch, progress.step % per_epoch);
        if rows_of != epoch {
            (rows, rows_of) = (order(&train.groups, settings.seed, epoch), epoch);
        }
        let chosen = &rows[at * settings.batch..rows.len().min((at + 1) * settings.batch)];
        let targets: usize = chosen.iter().map(|i| train.examples[*i].completion.len()).sum();
        gradient.fill(0.0);
        let (mut loss, mut tokens) = (0.0, 0);
        for (pass, micro) in chosen.chunks(settings.micro.max(1)).enumerate() {
            let examples: Vec<&Example> = micro.iter().map(|i| &train.examples[*i]).collect();
            let batch = Batch::new(&examples);
            tokens += batch.tokens.len();
            let weight = 1.0 / targets as f32;
            let seed = settings.seed ^ ((progress.step * 1024 + pass) as u64) << 1;
            let scored = learn(frozen, &lora, &batch, seed, &|_, _| -weight, &mut gradient);
            loss -= scored.iter().map(|s| s.logprob * weight).sum::<f32>();
        }
        let rate = settings.optimiser.rate(progress.step, steps);
        let norm = optimiser.update(&mut lora.values, &mut gradient, rate, &settings.optimiser);
        if norm.is_finite() {
            hopeless = 0;
        } else {
            (hopeless, progress.skipped) = (hopeless + 1, progress.skipped + 1);
            if hopeless == HOPELESS {
                return Err(TrainError::Diverged(HOPELESS));
            }
        }
        progress.step += 1;
        progress.tokens += tokens as u64;
        let seconds = last.elapsed().as_secs_f64();
        last = Instant::now();
        progress.seconds += seconds;
        let speed = (tokens as f64 / seconds.max(1e-9)) as f32;
        let step = progress.step as i64;
        log.write(
            step,
            now(),
            &[
                ("train/loss", loss),
                ("train/lr", rate),
                ("train/grad_norm", norm),
                ("perf/tokens_per_second", speed),
                ("training/epoch", progress.step as f32 / per_epoch as f32),
            ],
        )?;
        let stop =
            report(Report::Step { step: progress.step, steps, loss, rate, norm, tokens_per_second: speed })
                .is_break();
        if progress.step.is_multiple_of(every) || progress.step == steps {
            if hopeless == 0 && !validation.examples.is_empty() {
                let (loss, mut accuracy) = validate(frozen, Some(&lora), validation, settings.micro);
                if let Some(Written { rows, max_tokens }) = settings.written {
                    let from = (settings.base.as_str(), progress.step);
                    accuracy = greedy(&lora, from, folder, policy, rows, max_tokens)?;
                }
                let epoch = progress.step as f32 / per_epoch as f32;
                let found = Validation { step: progress.step, epoch, loss, accuracy };
                log.write(step, now(), &[("val/loss", loss), ("val/accuracy", accuracy)])?;
                progress.validations.push(found.clone());
                if best(&progress.validations, settings.written.is_some()) + 1 == progress.validations.len() {
                    lora.save(&folder.join("best"), &settings.base)?;
                }
                let _ = report(Report::Validated(found));
            }
            last = Instant::now();
        }
        let over = exhausted(&progress.validations, settings.patience, settings.written.is_some());
        if stop || over || saved.elapsed() > CHECKPOINT || progress.step == steps {
            let state = State { progress, values: lora.values, optimiser };
            state.save(folder)?;
            (progress, optimiser, lora.values) = (state.progress, state.optimiser, state.values);
            saved = Instant::now();
        }
        if stop {
            return Err(TrainError::Interrupted);
        }
        if over {
            break;
        }
    }
    lora.save(&folder.join("last"), &settings.base)?;
    if validation.examples.is_empty() {
        lora.save(&folder.join("best"), &settings.base)?;
    }
    Ok((lora, progress))
}

/// The first of the best validations: by loss, or where answers were written out by their accuracy.
fn best(validations: &[Validation], written: bool) -> usize {
    let score = |v: &Validation| if written { v.accuracy } else { -v.loss };
    let most = validations.iter().map(score).fold(f32::NEG_INFINITY, f32::max);
    validations.iter().position(|v| score(v) >= most).unwrap_or(0)
}

/// Whether the last `patience` validations brought nothing better.
fn exhausted(validations: &[Validation], patience: usize, written: bool) -> bool {
    patience > 0 && validations.len() > best(validations, written) + patience
}
