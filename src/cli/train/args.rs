//! The options of `pluriscope train`.

use super::drafts::DraftArgs;
use crate::{
    store::Format,
    train::{
        grpo_loss::{Aggregation, GrpoLoss},
        verdict::Lesson,
    },
};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Train an adapter for a method
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope train human-cot --items items.jsonl --model smollm2-135m -o runs/human-cot

Rows of split `train` are learnt, those of `val` watched. The run folder holds the settings, a TensorBoard log, a
checkpoint and the best adapter (`best/`, PEFT format). Run the same command again after an interruption: it goes
on from the checkpoint.

Exit status: 0 trained, 1 failed or interrupted, 2 misuse.")]
pub struct TrainArgs {
    /// What is trained
    #[arg(required = true)]
    pub method: Option<TrainMethod>,
    /// Items in any format that `import` reads: files, or folders of files
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// The format of the items, where their content does not tell
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Run folder
    #[arg(short, long, required = true, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Adapter to start from, a folder in PEFT format; its rank, alpha and targets are kept
    #[arg(long, value_name = "FOLDER")]
    pub init: Option<PathBuf>,
    /// Prompt template, in place of the method's own: `bare` and --word make the shortest rows
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
    /// For sft: learn the option's word alone, without the letter. With --template bare a first course of nearly twice
    /// as many rows in the same time; go on from its adapter with --init and the method's own template
    #[arg(long)]
    pub word: bool,
    /// Only the first N training rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Seed of the run
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Report in JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub adapter: AdapterArgs,
    #[command(flatten)]
    pub course: CourseArgs,
    #[command(flatten)]
    pub drafts: DraftArgs,
    #[command(flatten)]
    pub rollouts: RolloutArgs,
}

/// What can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrainMethod {
    /// The answer alone
    Sft,
    /// A human-written explanation, then the answer
    HumanCot,
    /// Reinforcement learning: whatever leads to the right answer. A small model needs --init with an adapter
    /// that answers already
    Rlvr,
    /// A model-written explanation of the given right answer, then the answer
    SyntheticCot,
    /// Which answer a rationale leads to, without the perspective: the judge of the consistency check
    Judge,
}

impl TrainMethod {
    /// The id in `methods.toml`.
    pub fn id(self) -> &'static str {
        match self {
            TrainMethod::Sft => "sft",
            TrainMethod::HumanCot => "human-cot",
            TrainMethod::Rlvr => "rlvr",
            TrainMethod::SyntheticCot => "synthetic-cot",
            TrainMethod::Judge => "judge",
        }
    }
}

/// The shape of the adapter
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Adapter")]
pub struct AdapterArgs {
    /// Rank
    #[arg(long, default_value_t = 16, value_name = "R")]
    pub rank: usize,
    /// Alpha: the adapter counts alpha / rank, or with --rslora alpha / sqrt(rank)
    #[arg(long, default_value_t = 32.0, value_name = "A")]
    pub alpha: f32,
    /// Rank-stabilised scaling
    #[arg(long)]
    pub rslora: bool,
    /// Share of the adapter's inputs that is dropped
    #[arg(long, default_value_t = 0.0, value_name = "P")]
    pub dropout: f32,
    /// Projections that are adapted
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAMES",
        default_value = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
    )]
    pub targets: Vec<String>,
}

/// How learning goes
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Learning")]
pub struct CourseArgs {
    /// Highest learning rate
    #[arg(long, default_value_t = 1e-3, value_name = "X")]
    pub lr: f32,
    /// Passes over the training rows
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub epochs: usize,
    /// Rows per update
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub batch: usize,
    /// Rows per pass; smaller than --batch saves memory
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub micro: usize,
    /// Share of all updates in which the learning rate rises
    #[arg(long, default_value_t = 0.06, value_name = "SHARE")]
    pub warmup: f32,
    #[arg(long, default_value_t = 0.01, value_name = "X")]
    pub weight_decay: f32,
    /// How long Adam remembers squared gradients; with less, such as 0.99, what is left to learn once the answers' form
    /// is known moves faster
    #[arg(long, default_value_t = 0.999, value_name = "X")]
    pub beta2: f32,
    /// Largest norm of the gradient; 0 leaves it
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub clip: f32,
    /// Looks at the validation rows per epoch
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub validations: usize,
    /// Methods that reason are validated by what they write about the first N validation rows, most probable text; 0
    /// looks at the letter after the given rationale alone, which says little of those that they write themselves
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub validation_limit: usize,
    /// Stop after this many validations without a better loss, or without more right answers where they are written out;
    /// 0 never stops
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub patience: usize,
    /// `completion` trains on the answer alone; `study` on the prompt too, as the study's scripts do
    #[arg(long, value_enum, default_value_t = Mask::Completion)]
    pub mask: Mask,
}

/// Reinforcement learning
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Reinforcement learning (rlvr)")]
pub struct RolloutArgs {
    /// Steps: rollouts, then one update or several
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub steps: usize,
    /// Prompts per step
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub prompts: usize,
    /// Rollouts of each prompt
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub group: u16,
    /// The most tokens of a rollout
    #[arg(long, default_value_t = 96, value_name = "N")]
    pub max_tokens: usize,
    /// Rollouts are drawn, and all log-probabilities taken, at this temperature. Below 1 they are closer to what the
    /// method will write, and more groups have but one answer
    #[arg(long, default_value_t = 1.0, value_name = "T", value_parser = temperature)]
    pub temperature: f32,
    /// What is learnt: the whole `rollout`, by its reward against those of its prompt, or with `verdict` the odds of the
    /// right verdict after each rationale as it was written: where to arrive, and not how to get there. They are known
    /// and need not be drawn, so one rollout of a prompt is enough
    #[arg(long, value_enum, default_value_t = Learn::Rollout)]
    pub learn: Learn,
    /// How tokens are put together: the mean over all (DAPO), over each rollout first (GRPO), or a fixed length
    /// and unscaled advantages (Dr. GRPO)
    #[arg(long, value_enum, default_value_t = Variant::Dapo)]
    pub loss: Variant,
    /// Updates of each step: its prompts are split into this many parts (the study: 4). After the first, the
    /// policy is no longer the one that wrote, and the clip matters
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub updates: u16,
    /// How often each step learns from all its rollouts (the µ of the GRPO paper)
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub passes: u16,
    /// The ratio of new to old probability is clipped at 1 - X
    #[arg(long, default_value_t = 0.2, value_name = "X")]
    pub clip_ratio: f32,
    /// ... and at 1 + X; as --clip-ratio where it is not given
    #[arg(long, value_name = "X")]
    pub clip_ratio_high: Option<f32>,
    /// Weight of the divergence from the base model
    #[arg(long, default_value_t = 0.001, value_name = "X")]
    pub kl: f32,
    /// Validate after this many steps
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub validate_every: usize,
}

impl RolloutArgs {
    pub fn settings(&self) -> GrpoLoss {
        let aggregation = match self.loss {
            Variant::Grpo => Aggregation::SequenceMean,
            Variant::Dapo => Aggregation::TokenMean,
            Variant::DrGrpo => Aggregation::FixedLength(self.max_tokens),
        };
        GrpoLoss {
            aggregation,
            clip: self.clip_ratio,
            clip_high: self.clip_ratio_high.unwrap_or(self.clip_ratio),
            kl: self.kl,
            ..GrpoLoss::default()
        }
    }
}

/// Variants of GRPO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    Grpo,
    DrGrpo,
    Dapo,
}

/// What is learnt from rollouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Learn {
    Rollout,
    Verdict,
}

impl From<Learn> for Lesson {
    fn from(learn: Learn) -> Lesson {
        match learn {
            Learn::Rollout => Lesson::Rollout,
            Learn::Verdict => Lesson::Verdict,
        }
    }
}

/// Which tokens are trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mask {
    Completion,
    Study,
}

/// A temperature to learn at: 0 has no log-probabilities.
fn temperature(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && f32::is_finite(value) => Ok(value),
        _ => Err("a temperature above 0 is wanted".to_owned()),
    }
}
