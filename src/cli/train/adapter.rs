//! Training a method's adapter: what is asked for, what is learnt, and the run itself.

use super::{
    args::{Learn, Mask, TrainArgs, TrainMethod, Variant},
    drafts::Drafting,
    rollouts::EnginePolicy,
    show,
    writer::{self, Writer},
};
use crate::{
    cli::common::{self, misuse},
    config::Config,
    core::{Item, Method, Prompt, Template, check::judge_prompt, prompt::TemplateError},
    model::{LoadOptions, Model},
    setup,
    store::assets::Assets,
    train::{
        TrainError,
        checkpoint::Progress,
        frozen::Frozen,
        grpo::{self, GrpoReport, GrpoSettings, Prompts},
        lora::{Lora, LoraShape},
        memory::keep_buffers,
        optimiser::OptimiserSettings,
        rationale::DraftSettings,
        rows::{self, Style},
        sft::{self, Report, Rows, SftSettings, Written},
    },
};
use color_eyre::eyre::Result;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    io::IsTerminal,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Trains an adapter.
pub fn run(args: TrainArgs, config: &Config) -> Result<ExitCode> {
    keep_buffers();
    let assets = setup::assets(config)?;
    let asked = match Asked::new(&args, config, &assets) {
        Ok(asked) => asked,
        Err(problem) => return misuse(problem),
    };
    let items = common::read_items(&args.items, args.format, None)?.items;
    let mut lessons = Lessons::of(items, &asked.method, args.limit);
    let drafts = if asked.id == TrainMethod::SyntheticCot {
        let Some(hinted) = assets.templates.get("rationalise") else {
            return misuse("the prompt template `rationalise` is missing");
        };
        let engine = Writer::new(&asked.method, config, &assets.models);
        let templates = [hinted, asked.template];
        let mut drafting = match Drafting::new(engine, &args.drafts, config, templates, args.seed) {
            Ok(drafting) => drafting,
            Err(error) => return misuse(error),
        };
        lessons.explain(&mut drafting, &asked.out)?;
        Some(drafting.settings)
    } else {
        None
    };

    let options = LoadOptions { threads: config.threads, ..LoadOptions::default() };
    let model = Model::load(&asked.weights, &options, &mut |_| ControlFlow::Continue(()))?;
    let [train, validation] = lessons.rows(&asked, &args, &model)?;
    let hash = crate::model::LanguageModel::info(&model).hash.clone();
    let end = rows::end_token(&model);
    let rollouts = asked.id == TrainMethod::Rlvr;
    let written =
        if reasons(asked.id) { args.course.validation_limit.min(validation.examples.len()) } else { 0 };
    let max_tokens = if rollouts { args.rollouts.max_tokens } else { asked.method.sampler.max_tokens };
    let looks = match (rollouts, written) {
        (true, _) => args.rollouts.steps,
        (false, 0) => 0,
        (false, _) => args.course.validations * args.course.epochs,
    };
    let prompts = train.examples.iter().chain(&validation.examples).map(|e| e.prompt.len());
    let writing = if looks > 0 { Writer::memory(&model, prompts.max().unwrap_or(0) + max_tokens) } else { 0 };
    let tokenizer = model.into_tokenizer();

    let frozen = Frozen::load(&asked.weights)?;
    let lora = start(&args, &frozen)?;
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
    let shared = Shared {
        base: asked.base,
        base_hash: hash,
        init: args.init.as_ref().map(|p| p.display().to_string()),
        data: digest(&lessons.train, &asked.question),
        template: asked.question,
        optimiser: optimiser(&args),
    };
    let policy = EnginePolicy {
        writer: Writer::new(&asked.method, config, &assets.models),
        template: asked.template.clone(),
        items: [lessons.train, lessons.validation],
        end,
        tokenizer,
    };
    let run = Run { args: &args, out: &asked.out, frozen, shared, interrupted: common::interrupt_flag()? };
    if rollouts {
        return run.reinforce(lora, policy, train, written);
    }
    let written = (written > 0).then_some(Written { rows: written, max_tokens });
    run.supervise(lora, policy, [train, validation], written, drafts)
}

/// What the command line asks for, looked up.
struct Asked<'a> {
    id: TrainMethod,
    method: Method,
    template: &'a Template,
    /// What a run says of its prompts: the template and its hash.
    question: String,
    /// The model's weights, and what PEFT shall call them.
    weights: PathBuf,
    base: String,
    out: PathBuf,
}

impl<'a> Asked<'a> {
    /// # Errors
    /// What cannot be asked for, and what to ask instead.
    fn new(args: &TrainArgs, config: &Config, assets: &'a Assets) -> Result<Asked<'a>, String> {
        // Both are required unless another subcommand was named.
        let (Some(id), Some(out)) = (args.method, args.out.clone()) else {
            return Err("name a method to train and a run folder".to_owned());
        };
        // The judge is no method; it learns from what the methods with human rationales learn from.
        let like = if id == TrainMethod::Judge { "human-cot" } else { id.id() };
        let mut method = assets.choose(&[like.to_owned()]).map_err(|error| error.to_string())?[0].clone();
        if let Some(name) = &args.template {
            method.template.clone_from(name);
        }
        let Some(template) = assets.template(&method) else {
            let known: Vec<&str> = assets.templates.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(format!("there is no prompt template `{}`; known: {known}", method.template));
        };
        if args.word && id != TrainMethod::Sft {
            return Err("--word is for sft: the other methods need their letter".to_owned());
        }
        if id == TrainMethod::Rlvr && args.rollouts.group == 1 && args.rollouts.learn == Learn::Rollout {
            let problem = "--group 1 has nothing to compare a rollout with: take more, or --learn verdict";
            return Err(problem.to_owned());
        }
        if args.template.is_some() && id == TrainMethod::Judge {
            let problem = "--template is not for judge: it learns the question of the consistency check";
            return Err(problem.to_owned());
        }
        let located = setup::locate(&setup::model_dirs(config), &assets.models, &config.model)
            .map_err(|error| error.to_string())?;
        // PEFT wants the repository that the weights come from; our short names mean nothing there.
        let named = assets.models.iter().find(|m| m.name == config.model && !m.upstream.is_empty());
        let base = named.map_or(config.model.clone(), |m| m.upstream.clone());
        let question = match id {
            TrainMethod::Judge => "the consistency check's question".to_owned(),
            _ => format!("{} {}", template.reference.id, template.reference.hash),
        };
        Ok(Asked { id, method, template, question, weights: located.path, base, out })
    }
}

/// The items to learn from, and those to watch.
struct Lessons {
    train: Vec<Arc<Item>>,
    validation: Vec<Arc<Item>>,
}

impl Lessons {
    fn of(mut items: Vec<Arc<Item>>, method: &Method, limit: Option<usize>) -> Lessons {
        items.retain(|item| method.applies_to(item) && item.gold.is_some());
        let of = |name: &str| {
            items.iter().filter(|i| i.split.as_deref().unwrap_or("train") == name).cloned().collect()
        };
        let (mut train, validation): (Vec<_>, _) = (of("train"), of("val"));
        train.truncate(limit.unwrap_or(usize::MAX));
        Lessons { train, validation }
    }

    /// Keeps the items that a rationale was written for, with it.
    fn explain(&mut self, drafting: &mut Drafting<'_>, out: &Path) -> Result<()> {
        for (items, name) in [(&mut self.train, "drafts/train"), (&mut self.validation, "drafts/val")] {
            let (kept, sifted) = drafting.explain(items, &out.join(name))?;
            eprintln!("{}", serde_json::to_string(&sifted)?);
            *items = kept;
        }
        Ok(())
    }

    /// Both in tokens; items that lack what the method takes are left out.
    fn rows(&mut self, asked: &Asked<'_>, args: &TrainArgs, model: &Model) -> Result<[Rows; 2]> {
        let study = args.course.mask == Mask::Study;
        let rows_of = |items: &mut Vec<Arc<Item>>| -> Result<Rows> {
            let mut rows = Rows { examples: Vec::new(), groups: Vec::new() };
            let (mut kept, mut groups) = (Vec::new(), HashMap::new());
            for item in items.drain(..) {
                let Some((prompt, completion)) = material(asked.id, args.word, asked.template, &item)? else {
                    continue;
                };
                rows.examples.push(rows::example(model, &prompt, &completion, study)?);
                let next = groups.len();
                rows.groups.push(*groups.entry(item.text.clone()).or_insert(next));
                kept.push(item);
            }
            *items = kept;
            Ok(rows)
        };
        Ok([rows_of(&mut self.train)?, rows_of(&mut self.validation)?])
    }
}

/// The adapter that training starts from.
fn start(args: &TrainArgs, frozen: &Frozen) -> Result<Lora, TrainError> {
    let shape = LoraShape {
        rank: args.adapter.rank,
        alpha: args.adapter.alpha,
        rslora: args.adapter.rslora,
        dropout: args.adapter.dropout,
        targets: args.adapter.targets.clone(),
    };
    match &args.init {
        Some(folder) => Lora::load(folder, &frozen.config, args.adapter.dropout),
        None => Lora::new(shape, &frozen.config, args.seed),
    }
}

fn optimiser(args: &TrainArgs) -> OptimiserSettings {
    OptimiserSettings {
        lr: args.course.lr,
        warmup: args.course.warmup,
        weight_decay: args.course.weight_decay,
        beta2: args.course.beta2,
        clip: args.course.clip,
        ..OptimiserSettings::default()
    }
}

/// What the settings of every run have.
#[derive(Clone)]
struct Shared {
    base: String,
    base_hash: String,
    init: Option<String>,
    template: String,
    optimiser: OptimiserSettings,
    data: String,
}

/// A run that is about to begin.
struct Run<'a> {
    args: &'a TrainArgs,
    out: &'a Path,
    frozen: Frozen,
    shared: Shared,
    interrupted: Arc<AtomicBool>,
}

impl Run<'_> {
    fn go_on(&self) -> ControlFlow<()> {
        if self.interrupted.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// `written` is how many validation rows are written out.
    fn reinforce(
        &self,
        lora: Lora,
        mut policy: EnginePolicy,
        train: Rows,
        written: usize,
    ) -> Result<ExitCode> {
        let Shared { base, base_hash, init, template, optimiser, data } = self.shared.clone();
        let (rollouts, course) = (&self.args.rollouts, &self.args.course);
        let settings = GrpoSettings {
            base,
            base_hash,
            init,
            template,
            lora: lora.shape.clone(),
            optimiser,
            loss: rollouts.settings(),
            lesson: rollouts.learn.into(),
            scale_advantages: rollouts.loss != Variant::DrGrpo,
            steps: rollouts.steps,
            prompts: rollouts.prompts,
            group: usize::from(rollouts.group),
            updates: usize::from(rollouts.updates),
            passes: usize::from(rollouts.passes),
            micro: course.micro,
            max_tokens: rollouts.max_tokens,
            temperature: rollouts.temperature,
            validate_every: rollouts.validate_every,
            seed: self.args.seed,
            data,
        };
        let prompts =
            Prompts { train: train.examples.into_iter().map(|e| e.prompt).collect(), validation: written };
        let mut report = |report: GrpoReport| {
            show::grpo(&report);
            if let Err(problem) = show::keep_rollout(self.out, &report) {
                eprintln!("a rollout was not logged: {problem}");
            }
            self.go_on()
        };
        let result = grpo::train(&self.frozen, lora, &settings, &prompts, self.out, &mut policy, &mut report);
        finish(result.map(|(_, progress)| progress), json!(settings), self.args.json)
    }

    fn supervise(
        &self,
        lora: Lora,
        mut policy: EnginePolicy,
        [train, validation]: [Rows; 2],
        written: Option<Written>,
        drafts: Option<DraftSettings>,
    ) -> Result<ExitCode> {
        let Shared { base, base_hash, init, template, optimiser, data } = self.shared.clone();
        let (args, course) = (self.args, &self.args.course);
        let method = args.method.map_or("", TrainMethod::id);
        let settings = SftSettings {
            method: if args.word { format!("{method} --word") } else { method.to_owned() },
            base,
            base_hash,
            init,
            template,
            lora: lora.shape.clone(),
            optimiser,
            epochs: course.epochs,
            batch: course.batch,
            micro: course.micro,
            validations: course.validations,
            patience: course.patience,
            seed: args.seed,
            written,
            data,
            rows: [train.examples.len(), validation.examples.len()],
            drafts,
        };
        let terminal = std::io::stderr().is_terminal();
        let mut report = |report: Report| {
            show::sft(&report, terminal);
            self.go_on()
        };
        let result = sft::train(
            &self.frozen,
            lora,
            &settings,
            &train,
            &validation,
            &mut policy,
            self.out,
            &mut report,
        );
        finish(result.map(|(_, progress)| progress), json!(settings), args.json)
    }
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
