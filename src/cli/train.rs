//! `pluriscope train`: adapters from items, one method at a time; goes on where it was interrupted.

mod drafts;
mod rollouts;
mod show;
mod verl;

use super::{
    engine::{self, misuse},
    guard::{self, GuardArgs},
};
use crate::{
    config::Config,
    core::{Item, Prompt, Template, check::judge_prompt, prompt::TemplateError},
    model::{LoadOptions, Model},
    store::Format,
    train::{
        TrainError,
        checkpoint::Progress,
        frozen::Frozen,
        grpo::{self, GrpoReport, GrpoSettings, Prompts},
        grpo_loss::{Aggregation, GrpoLoss},
        lora::{Lora, LoraShape},
        optimiser::OptimiserSettings,
        rows::{self, Style},
        sft::{self, Report, Rows, SftSettings},
    },
};
use clap::{Args, Subcommand, ValueEnum};
use color_eyre::eyre::Result;
use drafts::DraftArgs;
use rollouts::{EnginePolicy, Writer};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    io::IsTerminal,
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
};

/// Train an adapter for a method, or the embedded safety classifier
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TrainCommand {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    method: TrainArgs,
}

/// What is trained that is no adapter.
#[derive(Clone, Debug, Subcommand)]
enum Other {
    Guard(GuardArgs),
    Verl(verl::VerlArgs),
}

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
    fn id(self) -> &'static str {
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
    /// Largest norm of the gradient; 0 leaves it
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub clip: f32,
    /// Looks at the validation rows per epoch
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub validations: usize,
    /// Stop after this many validations without a better loss; 0 never stops
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
    /// Updates
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub steps: usize,
    /// Prompts per update
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub prompts: usize,
    /// Rollouts of each prompt
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(2..))]
    pub group: u16,
    /// The most tokens of a rollout
    #[arg(long, default_value_t = 96, value_name = "N")]
    pub max_tokens: usize,
    /// How tokens are put together: the mean over all (DAPO), over each rollout first (GRPO), or a fixed length
    /// and unscaled advantages (Dr. GRPO)
    #[arg(long, value_enum, default_value_t = Variant::Dapo)]
    pub loss: Variant,
    /// Weight of the divergence from the base model
    #[arg(long, default_value_t = 0.001, value_name = "X")]
    pub kl: f32,
    /// Validate after this many updates
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub validate_every: usize,
    /// Only the first N validation rows
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub validation_limit: usize,
}

impl RolloutArgs {
    fn settings(&self) -> GrpoLoss {
        let aggregation = match self.loss {
            Variant::Grpo => Aggregation::SequenceMean,
            Variant::Dapo => Aggregation::TokenMean,
            Variant::DrGrpo => Aggregation::FixedLength(self.max_tokens),
        };
        GrpoLoss { aggregation, kl: self.kl, ..GrpoLoss::default() }
    }
}

/// Variants of GRPO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    Grpo,
    DrGrpo,
    Dapo,
}

/// Which tokens are trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mask {
    Completion,
    Study,
}

/// Runs the command.
pub fn run(command: TrainCommand, config: &Config) -> Result<ExitCode> {
    match command.other {
        Some(Other::Guard(args)) => guard::run(args, config),
        Some(Other::Verl(args)) => verl::run(&args, config),
        None => adapter(command.method, config),
    }
}

fn adapter(args: TrainArgs, config: &Config) -> Result<ExitCode> {
    // Both are required unless another subcommand was named.
    let (Some(method_id), Some(out)) = (args.method, args.out.clone()) else {
        return misuse("name a method to train and a run folder");
    };
    let assets = engine::assets(config)?;
    // The judge is no method; it learns from what the methods with human rationales learn from.
    let like = if method_id == TrainMethod::Judge { "human-cot" } else { method_id.id() };
    let method = match assets.choose(&[like.to_owned()]) {
        Ok(chosen) => chosen[0].clone(),
        Err(error) => return misuse(error),
    };
    let Some(template) = assets.template(&method) else { return misuse("the method has no template") };
    let located = match engine::locate(&engine::model_dirs(config), &assets.models, &config.model) {
        Ok(located) => located,
        Err(error) => return misuse(error),
    };
    let mut items = engine::read_items(&args.items, args.format, None)?.items;
    items.retain(|item| method.applies_to(item) && item.gold.is_some());
    let of = |name: &str| {
        items.iter().filter(|i| i.split.as_deref().unwrap_or("train") == name).cloned().collect::<Vec<_>>()
    };
    let mut train_items = of("train");
    train_items.truncate(args.limit.unwrap_or(usize::MAX));
    let mut validation_items = of("val");
    if method_id == TrainMethod::SyntheticCot {
        let Some(hinted) = assets.templates.get("rationalise") else {
            return misuse("the prompt template `rationalise` is missing");
        };
        let mut writer = Writer::new(&method, config, located.clone());
        let mut explain = |items: &[Arc<Item>], folder: PathBuf| -> Result<Vec<Arc<Item>>> {
            let done = folder.join("synthetic.jsonl");
            if done.is_file() {
                return Ok(engine::read_items(&[done], None, None)?.items);
            }
            let (kept, sifted) =
                drafts::explain(&mut writer, hinted, template, items, &args.drafts, args.seed, &folder)?;
            eprintln!("{}", serde_json::to_string(&sifted)?);
            Ok(kept)
        };
        train_items = explain(&train_items, out.join("drafts/train"))?;
        validation_items = explain(&validation_items, out.join("drafts/val"))?;
    }

    let options = LoadOptions { threads: config.threads, ..LoadOptions::default() };
    let model = Model::load(&located.path, &options, &mut |_| ControlFlow::Continue(()))?;
    let rows_of = |items: &mut Vec<Arc<Item>>| -> Result<Rows> {
        let mut rows = Rows { examples: Vec::new(), groups: Vec::new() };
        let (mut kept, mut groups) = (Vec::new(), HashMap::new());
        for item in items.drain(..) {
            let Some((prompt, completion)) = material(method_id, template, &item)? else { continue };
            let study = args.course.mask == Mask::Study;
            rows.examples.push(rows::example(&model, &prompt, &completion, study)?);
            let next = groups.len();
            rows.groups.push(*groups.entry(item.text.clone()).or_insert(next));
            kept.push(item);
        }
        *items = kept;
        Ok(rows)
    };
    let train = rows_of(&mut train_items)?;
    let validation = rows_of(&mut validation_items)?;
    let hash = crate::model::LanguageModel::info(&model).hash.clone();
    let end = rows::end_token(&model);
    drop(model);

    let frozen = Frozen::load(&located.path)?;
    let shape = LoraShape {
        rank: args.adapter.rank,
        alpha: args.adapter.alpha,
        rslora: args.adapter.rslora,
        dropout: args.adapter.dropout,
        targets: args.adapter.targets.clone(),
    };
    let lora = match &args.init {
        Some(folder) => Lora::load(folder, &frozen.config, args.adapter.dropout)?,
        None => Lora::new(shape, &frozen.config, args.seed)?,
    };
    let optimiser = OptimiserSettings {
        lr: args.course.lr,
        warmup: args.course.warmup,
        weight_decay: args.course.weight_decay,
        clip: args.course.clip,
        ..OptimiserSettings::default()
    };
    // PEFT wants the repository that the weights come from; our short names mean nothing there.
    let named = assets.models.iter().find(|m| m.name == config.model && !m.upstream.is_empty());
    let base = named.map_or(config.model.clone(), |m| m.upstream.clone());
    let init = args.init.as_ref().map(|p| p.display().to_string());
    let template_name = match method_id {
        TrainMethod::Judge => "the consistency check's question".to_owned(),
        _ => format!("{} {}", template.reference.id, template.reference.hash),
    };
    let data = digest(&train_items, &template_name);
    let longest = train.examples.iter().map(|e| e.prompt.len() + e.completion.len()).max().unwrap_or(0);
    let needed = sft::memory(&frozen, &lora, longest.max(args.rollouts.max_tokens) * args.course.micro);
    eprintln!(
        "{} training and {} validation rows, {} weights to train, at most {} MiB",
        train.examples.len(),
        validation.examples.len(),
        lora.values.len(),
        needed >> 20
    );
    // The base model is loaded by now, so only the rest has to fit.
    sft::check_memory(needed - frozen.bytes())?;
    let interrupted = engine::interrupt_flag()?;
    let go_on = || {
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    if method_id == TrainMethod::Rlvr {
        let settings = GrpoSettings {
            base,
            base_hash: hash,
            init,
            template: template_name,
            lora: lora.shape.clone(),
            optimiser,
            loss: args.rollouts.settings(),
            scale_advantages: args.rollouts.loss != Variant::DrGrpo,
            steps: args.rollouts.steps,
            prompts: args.rollouts.prompts,
            group: usize::from(args.rollouts.group),
            micro: args.course.micro,
            max_tokens: args.rollouts.max_tokens,
            validate_every: args.rollouts.validate_every,
            seed: args.seed,
            data,
        };
        let prompts = Prompts {
            train: train.examples.into_iter().map(|e| e.prompt).collect(),
            validation: args.rollouts.validation_limit.min(validation_items.len()),
        };
        let mut policy = EnginePolicy {
            writer: Writer::new(&method, config, located),
            template: template.clone(),
            items: [train_items, validation_items],
            end,
        };
        let mut report = |report: GrpoReport| {
            show::grpo(&report);
            if let Err(problem) = show::keep_rollout(&out, &report) {
                eprintln!("a rollout was not logged: {problem}");
            }
            go_on()
        };
        let result = grpo::train(&frozen, lora, &settings, &prompts, &out, &mut policy, &mut report);
        return finish(result.map(|(_, progress)| progress), json!(settings), args.json);
    }
    let settings = SftSettings {
        method: method_id.id().to_owned(),
        base,
        base_hash: hash,
        init,
        template: template_name,
        lora: lora.shape.clone(),
        optimiser,
        epochs: args.course.epochs,
        batch: args.course.batch,
        micro: args.course.micro,
        validations: args.course.validations,
        patience: args.course.patience,
        seed: args.seed,
        data,
        rows: [train.examples.len(), validation.examples.len()],
    };
    let terminal = std::io::stderr().is_terminal();
    let mut report = |report: Report| {
        show::sft(&report, terminal);
        go_on()
    };
    let result = sft::train(&frozen, lora, &settings, &train, &validation, &out, &mut report);
    finish(result.map(|(_, progress)| progress), json!(settings), args.json)
}

/// What is put to the model about `item`, and what it shall answer; `None` where the item lacks what it takes.
fn material(method: TrainMethod, template: &Template, item: &Item) -> Result<Option<(Prompt, String)>> {
    let completion = match method {
        // What is written in reinforcement learning comes from the policy; the row is there for its prompt.
        TrainMethod::Sft | TrainMethod::Rlvr => rows::completion(item, Style::Direct),
        TrainMethod::HumanCot | TrainMethod::SyntheticCot => rows::completion(item, Style::Reason),
        TrainMethod::Judge => {
            let Some(rationale) = &item.explanation else { return Ok(None) };
            let verdict = rows::verdict(rationale, item);
            return Ok(verdict.map(|verdict| (judge_prompt(item, rationale), verdict)));
        }
    };
    Ok(completion
        .map(|completion| Ok::<_, TemplateError>((template.render(item)?, completion)))
        .transpose()?)
}

/// Reports the end of a run.
fn finish(
    result: Result<Progress, TrainError>,
    settings: serde_json::Value,
    report: bool,
) -> Result<ExitCode> {
    match result {
        Ok(progress) => {
            if report {
                println!("{}", json!({ "settings": settings, "progress": progress }));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(TrainError::Interrupted) => {
            eprintln!("interrupted; the same command goes on from here");
            Ok(ExitCode::from(1))
        }
        Err(error) => Err(error.into()),
    }
}

/// A digest of what is learnt: items, golds, explanations, template.
fn digest(items: &[Arc<Item>], template: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(template);
    for item in items {
        hash.update(item.id.0.to_be_bytes());
        hash.update(item.gold.map(|g| g.to_string()).unwrap_or_default());
        hash.update(item.explanation.as_deref().unwrap_or_default());
        hash.update([0x1e]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command.unwrap())
    }

    #[test]
    fn methods_and_the_rest_share_one_word() {
        let method = parse("pluriscope train rlvr --items a.jsonl --steps 3 -o runs/rlvr").unwrap();
        let Command::Train(method) = method else { panic!() };
        assert!(method.other.is_none() && method.method.method.is_some());
        for line in ["train guard --data d -o o", "train verl --items a.jsonl -o o"] {
            let Command::Train(other) = parse(&format!("pluriscope {line}")).unwrap() else { panic!() };
            assert!(other.other.is_some(), "{line}");
        }
        assert!(parse("pluriscope train sft -o o").is_err(), "items are required");
        assert!(parse("pluriscope train --items a.jsonl -o o").is_err(), "a method is required");
    }
}
