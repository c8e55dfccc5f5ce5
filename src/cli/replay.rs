//! `pluriscope replay`: writes stored traces again and compares them token by token.

use super::common::{self, misuse};
use crate::{
    config::Config,
    core::{AdapterRef, Finish, Item, Trace},
    engine::{Engine, EngineOptions, ModelProvider},
    job::{Command, GenerateRow, JobEvent, JobId, RowId},
    setup,
    store::{
        Context,
        assets::{Assets, find_adapters, named_adapter},
        detect, source,
    },
};
use clap::Args;
use color_eyre::eyre::Result;
use serde::Serialize;
use std::{
    collections::HashMap,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, mpsc},
};

/// Write stored traces again and compare every token
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope replay traces.jsonl --limit 5

Uses the model, adapter, template, sampler and seed that each trace names; --model puts another model in their
place. Exit status: 0 all tokens are the same, 1 some differ or could not be compared, 2 misuse.")]
pub struct ReplayArgs {
    /// Traces as `generate` writes them
    #[arg(required = true, value_name = "FILE")]
    pub traces: Vec<PathBuf>,
    /// Only the first N traces that can be replayed
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Report in JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// A stored trace and where it stands.
#[derive(Clone, Debug)]
pub struct Stored {
    pub place: String,
    pub trace: Trace,
    pub row: GenerateRow,
}

/// How a replayed trace compares.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    Same {
        tokens: usize,
    },
    /// The first token that differs; `None` where one of the two had ended.
    Differs {
        index: usize,
        stored: Option<u32>,
        now: Option<u32>,
        stored_text: String,
        now_text: String,
    },
    Failed {
        problem: String,
    },
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    pub place: String,
    pub method: String,
    pub model: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What is not as it was, where that may be the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

/// Runs the command; `model` is the model reference of the command line, if one was given.
pub fn run(args: ReplayArgs, model: Option<&str>, config: &Config) -> Result<ExitCode> {
    let assets = setup::assets(config)?;
    let limit = args.limit.unwrap_or(usize::MAX);
    let Collected { stored, mut replayed, skipped } = collect(&args.traces, &assets, config, model, limit)?;
    if skipped > 0 {
        eprintln!(
            "left out {skipped} rows without a seed, tokens or their item: `generate` did not write them"
        );
    }
    if stored.is_empty() && replayed.is_empty() {
        return misuse("there is no trace that can be replayed");
    }
    replayed.extend(replay(stored, setup::local_models(config, &assets.models))?);
    let dirs = setup::model_dirs(config);
    let text = |model: &str, token: u32| {
        let located = setup::locate(&dirs, &assets.models, model).ok()?;
        common::token_text(&located.path, token)
    };
    name_tokens(&mut replayed, text);
    tell(&args, &replayed)
}

/// What the files hold: what can be replayed, what cannot any more, and how many rows never could.
pub struct Collected {
    pub stored: Vec<Stored>,
    pub replayed: Vec<Replayed>,
    pub skipped: usize,
}

/// Reads the first `limit` replayable traces.
pub fn collect(
    files: &[PathBuf],
    assets: &Assets,
    config: &Config,
    model: Option<&str>,
    limit: usize,
) -> Result<Collected> {
    let mut out = Collected { stored: Vec::new(), replayed: Vec::new(), skipped: 0 };
    let mut skipped_files = Vec::new();
    for path in files {
        for (file, layout) in detect::expand(path, None, &mut skipped_files)? {
            source::read_all(&file, layout, &Context::of(&file), &mut |number, row| {
                if out.stored.len() + out.replayed.len() >= limit {
                    return;
                }
                let place = format!("{}:{number}", file.display());
                let pair = row.ok().and_then(|row| Some((row.item?, row.trace?)));
                match pair.filter(|(_, t)| t.seed.is_some() && t.sampler.is_some() && !t.tokens.is_empty()) {
                    None => out.skipped += 1,
                    Some((item, trace)) => match rebuild(item, &trace, assets, config, model) {
                        Ok(row) => out.stored.push(Stored { place, trace, row }),
                        Err(problem) => out.replayed.push(Replayed {
                            place,
                            method: trace.method.0.clone(),
                            model: trace.model.clone(),
                            outcome: Outcome::Failed { problem },
                            changed: Vec::new(),
                        }),
                    },
                }
            })?;
        }
    }
    Ok(out)
}

/// The row that wrote `trace`.
fn rebuild(
    item: Item,
    trace: &Trace,
    assets: &Assets,
    config: &Config,
    model: Option<&str>,
) -> Result<GenerateRow, String> {
    let stored = trace.template.as_ref().ok_or("the trace names no prompt template")?;
    let template = assets
        .templates
        .get(&stored.id)
        .ok_or_else(|| format!("there is no prompt template `{}` any more", stored.id))?;
    if template.reference.hash != stored.hash {
        return Err(format!(
            "the prompt template `{}` has changed since (it was {}, now it is {})",
            stored.id, stored.hash, template.reference.hash
        ));
    }
    let model = model.map_or_else(|| trace.model.clone(), str::to_owned);
    if model.starts_with("openai:") {
        return Err("a server promises no tokens, so there is nothing to compare".to_owned());
    }
    let adapter = match &trace.adapter {
        None => None,
        Some(name) => Some(adapter(name, trace, assets, config, &model)?),
    };
    let mut sampler = trace.sampler.clone().unwrap_or_default();
    if trace.finish == Some(Finish::Cancelled) {
        sampler.max_tokens = trace.tokens.len();
    }
    Ok(GenerateRow {
        row: RowId(0),
        prompt: template.render(&item).map_err(|e| e.to_string())?,
        item: Arc::new(item),
        method: trace.method.clone(),
        model,
        adapter,
        template: template.reference.clone(),
        sampler,
        seed: trace.seed.unwrap_or_default(),
        sample: trace.sample,
    })
}

/// The adapter of this name for `model`, as the trace's method would find it.
///
/// # Errors
/// When it is not on this machine.
pub fn adapter(
    name: &str,
    trace: &Trace,
    assets: &Assets,
    config: &Config,
    model: &str,
) -> Result<AdapterRef, String> {
    let dir = config.adapters_dir();
    // The name comes from a file: it may not lead anywhere.
    if std::path::Path::new(name).components().count() != 1 || name.contains(['/', '\\']) || name == ".." {
        return Err(format!("its adapter `{name}` is a path, not a name"));
    }
    let of_method = assets.methods.iter().find(|m| m.id == trace.method);
    of_method
        .and_then(|m| find_adapters(m, model, &dir).named(name).cloned())
        .or_else(|| named_adapter(name, model, &dir))
        .ok_or_else(|| format!("its adapter `{name}` is not in {}", dir.display()))
}

/// Writes all rows again, in one batch, and compares.
pub fn replay<P: ModelProvider>(stored: Vec<Stored>, provider: P) -> Result<Vec<Replayed>> {
    let (sender, events) = mpsc::channel();
    // The receiver outlives the engine.
    let engine = Engine::start(EngineOptions::default(), provider, move |event| drop(sender.send(event)))?;
    let rows = stored.iter().enumerate().map(|(i, s)| GenerateRow { row: RowId(i as u64), ..s.row.clone() });
    engine.send(Command::Generate { job: JobId(1), rows: rows.collect() });
    let mut results: HashMap<u64, Result<Arc<Trace>, String>> = HashMap::new();
    for event in events {
        match event {
            JobEvent::RowDone { row, trace, .. } => drop(results.insert(row.0, Ok(trace))),
            JobEvent::RowFailed { row, problem, .. } => drop(results.insert(row.0, Err(problem))),
            JobEvent::JobDone { .. } => break,
            _ => {}
        }
    }
    let replayed = stored.into_iter().enumerate().map(|(i, s)| {
        let mut changed = Vec::new();
        let outcome = match results.remove(&(i as u64)) {
            Some(Ok(now)) => {
                changed = differences(&s.trace, &now);
                compare(&s.trace.tokens, &now.tokens)
            }
            Some(Err(problem)) => Outcome::Failed { problem },
            None => Outcome::Failed { problem: "the engine did not answer".to_owned() },
        };
        Replayed { place: s.place, method: s.trace.method.0, model: s.row.model, outcome, changed }
    });
    Ok(replayed.collect())
}

fn compare(stored: &[u32], now: &[u32]) -> Outcome {
    let index = stored.iter().zip(now).take_while(|(a, b)| a == b).count();
    if index == stored.len() && index == now.len() {
        return Outcome::Same { tokens: index };
    }
    let (stored, now) = (stored.get(index).copied(), now.get(index).copied());
    Outcome::Differs { index, stored, now, stored_text: String::new(), now_text: String::new() }
}

/// Provenance that is not as it was.
fn differences(stored: &Trace, now: &Trace) -> Vec<String> {
    let mut out = Vec::new();
    let mut check = |what: &str, a: String, b: String| {
        if !a.is_empty() && a != b {
            out.push(format!("{what} was {a}, now {b}"));
        }
    };
    let engine = |t: &Trace| t.engine.clone().unwrap_or_default();
    check("the model", stored.model.clone(), now.model.clone());
    check("the model file's hash", engine(stored).model_hash, engine(now).model_hash);
    check("the form of the weights", engine(stored).weights, engine(now).weights);
    check("the engine", engine(stored).name, engine(now).name);
    let tokens = |t: &Trace| t.prompt_tokens.map_or(String::new(), |n| n.to_string());
    check("the prompt's length in tokens", tokens(stored), tokens(now));
    out
}

/// Puts the texts of differing tokens in.
fn name_tokens(replayed: &mut [Replayed], text: impl Fn(&str, u32) -> Option<String>) {
    for one in replayed {
        if let Outcome::Differs { stored, now, stored_text, now_text, .. } = &mut one.outcome {
            let name =
                |token: Option<u32>| token.map_or(String::new(), |t| text(&one.model, t).unwrap_or_default());
            *stored_text = name(*stored);
            *now_text = name(*now);
        }
    }
}

fn tell(args: &ReplayArgs, replayed: &[Replayed]) -> Result<ExitCode> {
    let same = replayed.iter().filter(|r| matches!(r.outcome, Outcome::Same { .. })).count();
    if args.json {
        println!("{}", serde_json::to_string(replayed)?);
    } else {
        for one in replayed {
            let Replayed { place, method, outcome, changed, .. } = one;
            match outcome {
                Outcome::Same { tokens } => println!("{place}: {method}: the same, {tokens} tokens"),
                Outcome::Differs { index, stored, now, stored_text, now_text } => {
                    let token = |id: &Option<u32>, text: &str| {
                        id.map_or("the end".to_owned(), |id| format!("{text:?} ({id})"))
                    };
                    let (stored, now) = (token(stored, stored_text), token(now, now_text));
                    println!("{place}: {method}: token {index} differs: stored {stored}, now {now}");
                    changed.iter().for_each(|c| println!("  {c}"));
                }
                Outcome::Failed { problem } => println!("{place}: {method}: {problem}"),
            }
        }
        println!("{same} of {} traces are the same, token by token", replayed.len());
    }
    Ok(ExitCode::from(u8::from(same < replayed.len())))
}
