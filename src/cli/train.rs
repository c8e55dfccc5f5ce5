//! `pluriscope train`: adapters from items, one method at a time; goes on where it was interrupted.

mod args;
mod drafts;
mod rollouts;
mod show;
mod shrink;
mod verl;
mod writer;

use super::{
    engine::{self, misuse},
    guard::{self, GuardArgs},
};
use crate::{
    config::Config,
    core::{Item, Prompt, Template, check::judge_prompt, prompt::TemplateError},
    model::{LoadOptions, Model},
    train::{
        TrainError,
        checkpoint::Progress,
        frozen::Frozen,
        grpo::{self, GrpoReport, GrpoSettings, Prompts},
        lora::{Lora, LoraShape},
        memory::keep_buffers,
        optimiser::OptimiserSettings,
        rows::{self, Style},
        sft::{self, Report, Rows, SftSettings, Written},
    },
};
use args::{Learn, Mask, TrainArgs, TrainMethod, Variant};
use clap::{Args, Subcommand};
use color_eyre::eyre::Result;
use drafts::Drafting;
use rollouts::EnginePolicy;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    io::IsTerminal,
    ops::ControlFlow,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
};
use writer::Writer;

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
    Shrink(shrink::ShrinkArgs),
    Verl(verl::VerlArgs),
}

/// Runs the command.
pub fn run(command: TrainCommand, config: &Config) -> Result<ExitCode> {
    match command.other {
        Some(Other::Guard(args)) => guard::run(args, config),
        Some(Other::Shrink(args)) => shrink::run(&args, config),
        Some(Other::Verl(args)) => verl::run(&args, config),
        None => adapter(command.method, config),
    }
}

fn adapter(args: TrainArgs, config: &Config) -> Result<ExitCode> {
    keep_buffers();
    // Both are required unless another subcommand was named.
    let (Some(method_id), Some(out)) = (args.method, args.out.clone()) else {
        return misuse("name a method to train and a run folder");
    };
    let assets = engine::assets(config)?;
    // The judge is no method; it learns from what the methods with human rationales learn from.
    let like = if method_id == TrainMethod::Judge { "human-cot" } else { method_id.id() };
    let mut method = match assets.choose(&[like.to_owned()]) {
        Ok(chosen) => chosen[0].clone(),
        Err(error) => return misuse(error),
    };
    if let Some(name) = &args.template {
        method.template.clone_from(name);
    }
    let Some(template) = assets.template(&method) else {
        let known: Vec<&str> = assets.templates.keys().map(String::as_str).collect();
        return misuse(format!(
            "there is no prompt template `{}`; known: {}",
            method.template,
            known.join(", ")
        ));
    };
    if args.word && method_id != TrainMethod::Sft {
        return misuse("--word is for sft: the other methods need their letter");
    }
    if method_id == TrainMethod::Rlvr && args.rollouts.group == 1 && args.rollouts.learn == Learn::Rollout {
        return misuse("--group 1 has nothing to compare a rollout with: take more, or --learn verdict");
    }
    if args.template.is_some() && method_id == TrainMethod::Judge {
        return misuse("--template is not for judge: it learns the question of the consistency check");
    }
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
    let mut drafts = None;
    if method_id == TrainMethod::SyntheticCot {
        let Some(hinted) = assets.templates.get("rationalise") else {
            return misuse("the prompt template `rationalise` is missing");
        };
        let engine = Writer::new(&method, config, &assets.models);
        let mut drafting = match Drafting::new(engine, &args.drafts, config, [hinted, template], args.seed) {
            Ok(drafting) => drafting,
            Err(error) => return misuse(error),
        };
        for (items, name) in [(&mut train_items, "drafts/train"), (&mut validation_items, "drafts/val")] {
            let (kept, sifted) = drafting.explain(items, &out.join(name))?;
            eprintln!("{}", serde_json::to_string(&sifted)?);
            *items = kept;
        }
        drafts = Some(drafting.settings);
    }

    let options = LoadOptions { threads: config.threads, ..LoadOptions::default() };
    let model = Model::load(&located.path, &options, &mut |_| ControlFlow::Continue(()))?;
    let rows_of = |items: &mut Vec<Arc<Item>>| -> Result<Rows> {
        let mut rows = Rows { examples: Vec::new(), groups: Vec::new() };
        let (mut kept, mut groups) = (Vec::new(), HashMap::new());
        for item in items.drain(..) {
            let Some((prompt, completion)) = material(method_id, args.word, template, &item)? else {
                continue;
            };
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
    let written =
        if reasons(method_id) { args.course.validation_limit.min(validation.examples.len()) } else { 0 };
    let rollouts = method_id == TrainMethod::Rlvr;
    let max_tokens = if rollouts { args.rollouts.max_tokens } else { method.sampler.max_tokens };
    let asked = train.examples.iter().chain(&validation.examples).map(|e| e.prompt.len()).max();
    let looks = match (rollouts, written) {
        (true, _) => args.rollouts.steps,
        (false, 0) => 0,
        (false, _) => args.course.validations * args.course.epochs,
    };
    let writing = if looks > 0 { Writer::memory(&model, asked.unwrap_or(0) + max_tokens) } else { 0 };
    let tokenizer = model.into_tokenizer();

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
        beta2: args.course.beta2,
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
    let learnt = |own: usize| if rollouts { max_tokens } else { own };
    let lengths = train.examples.iter().map(|e| e.prompt.len() + learnt(e.completion.len()));
    let needed = sft::memory(&frozen, &lora, lengths.max().unwrap_or(0) * args.course.micro)
        + writing
        + 4 * (lora.values.len() * looks.min(writer::ADAPTERS)) as u64;
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
    let mut policy = EnginePolicy {
        writer: Writer::new(&method, config, &assets.models),
        template: template.clone(),
        items: [train_items, validation_items],
        end,
        tokenizer,
    };
    if rollouts {
        let settings = GrpoSettings {
            base,
            base_hash: hash,
            init,
            template: template_name,
            lora: lora.shape.clone(),
            optimiser,
            loss: args.rollouts.settings(),
            lesson: args.rollouts.learn.into(),
            scale_advantages: args.rollouts.loss != Variant::DrGrpo,
            steps: args.rollouts.steps,
            prompts: args.rollouts.prompts,
            group: usize::from(args.rollouts.group),
            updates: usize::from(args.rollouts.updates),
            passes: usize::from(args.rollouts.passes),
            micro: args.course.micro,
            max_tokens: args.rollouts.max_tokens,
            temperature: args.rollouts.temperature,
            validate_every: args.rollouts.validate_every,
            seed: args.seed,
            data,
        };
        let prompts =
            Prompts { train: train.examples.into_iter().map(|e| e.prompt).collect(), validation: written };
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
        method: if args.word { format!("{} --word", method_id.id()) } else { method_id.id().to_owned() },
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
        written: (written > 0).then_some(Written { rows: written, max_tokens: method.sampler.max_tokens }),
        data,
        rows: [train.examples.len(), validation.examples.len()],
        drafts,
    };
    let terminal = std::io::stderr().is_terminal();
    let mut report = |report: Report| {
        show::sft(&report, terminal);
        go_on()
    };
    let result = sft::train(&frozen, lora, &settings, &train, &validation, &mut policy, &out, &mut report);
    finish(result.map(|(_, progress)| progress), json!(settings), args.json)
}

/// Whether a method writes a rationale before its answer.
fn reasons(method: TrainMethod) -> bool {
    matches!(method, TrainMethod::HumanCot | TrainMethod::SyntheticCot | TrainMethod::Rlvr)
}

/// What is put to the model about `item`, and what it shall answer; `None` where the item lacks what it takes.
fn material(
    method: TrainMethod,
    word: bool,
    template: &Template,
    item: &Item,
) -> Result<Option<(Prompt, String)>> {
    let completion = match method {
        TrainMethod::Sft if word => rows::completion(item, Style::Word),
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
        for line in
            ["train guard --data d -o o", "train shrink --adapter a -o o", "train verl --items a.jsonl -o o"]
        {
            let Command::Train(other) = parse(&format!("pluriscope {line}")).unwrap() else { panic!() };
            assert!(other.other.is_some(), "{line}");
        }
        assert!(parse("pluriscope train sft -o o").is_err(), "items are required");
        assert!(parse("pluriscope train --items a.jsonl -o o").is_err(), "a method is required");
    }
}
