//! `pluriscope doctor`: what this machine has, and how to mend what is wrong.

use super::engine::{assets, model_dirs};
use crate::{
    app::keymap::Keymap,
    config::Config,
    runtime::open::{bundled_folder, depth},
    store::{Library, assets::find_adapters, models::ModelRef},
};
use clap::Args;
use color_eyre::eyre::Result;
use serde::Serialize;
use std::{io::IsTerminal, process::ExitCode};

/// Explain the machine: terminal, models, adapters, folders, library, threads
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope doctor --json")]
pub struct DoctorArgs {
    /// Report in JSON
    #[arg(long)]
    pub json: bool,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

pub fn run(args: &DoctorArgs, config: &Config) -> Result<ExitCode> {
    let findings = examine(config);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            println!("{} {:<14} {}", if finding.ok { "ok " } else { "!! " }, finding.what, finding.found);
            if let Some(remedy) = &finding.remedy {
                println!("{:18} {remedy}", "");
            }
        }
    }
    Ok(if findings.iter().all(|f| f.ok) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |what, ok, found: String, remedy: Option<String>| {
        findings.push(Finding { what, ok, found, remedy: remedy.filter(|_| !ok) });
    };
    add(
        "program",
        true,
        format!(
            "pluriscope {} on {} {}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
        None,
    );
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = config.threads.unwrap_or(cores);
    add(
        "threads",
        true,
        format!("{threads} for computing, of {cores} cores; kernels for {}", kernels()),
        None,
    );
    let size = crossterm::terminal::size();
    let terminal = std::io::stdout().is_terminal();
    let term = std::env::var("TERM").unwrap_or_default();
    add(
        "terminal",
        true,
        match (&size, terminal) {
            (Ok((w, h)), true) => format!("{term}, {w}x{h}, colours: {:?}", depth()),
            _ => "standard output is no terminal; snapshot and the headless commands work without one"
                .to_owned(),
        },
        None,
    );
    let utf8 =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let utf8_ok = utf8.as_ref().is_none_or(|v| v.to_lowercase().contains("utf"));
    add(
        "locale",
        utf8_ok,
        utf8.unwrap_or_else(|| "not set".to_owned()),
        Some("set LANG to a UTF-8 locale, for the symbols".to_owned()),
    );
    add(
        "settings",
        true,
        config.file.as_ref().map_or_else(
            || format!("defaults; {} would be read", config.config_dir.join("config.toml").display()),
            |f| f.display().to_string(),
        ),
        None,
    );
    let keymap = config.keymap.clone().unwrap_or_else(|| config.config_dir.join("keymap.toml"));
    let (_, problems) = Keymap::load(std::fs::read_to_string(&keymap).ok().as_deref());
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    add(
        "keymap",
        problems.is_empty(),
        if problems.is_empty() { "no conflicts".to_owned() } else { said.join("; ") },
        Some(format!("mend {}", keymap.display())),
    );
    match assets(config) {
        Err(error) => {
            add("methods", false, format!("{error:#}"), Some("mend the file, or move it away".to_owned()))
        }
        Ok(assets) => {
            let adapters = config.adapters_dir();
            let (have, lack): (Vec<_>, Vec<_>) = assets.methods.iter().filter(|m| m.trained).partition(|m| {
                find_adapters(m, m.model.as_deref().unwrap_or(&config.model), &adapters).any()
            });
            let ids = |methods: Vec<&crate::core::Method>| {
                methods.iter().map(|m| m.id.0.clone()).collect::<Vec<_>>().join(", ")
            };
            add(
                "methods",
                true,
                format!("{} methods, {} templates", assets.methods.len(), assets.templates.len()),
                None,
            );
            let lacking =
                if lack.is_empty() { String::new() } else { format!("; without an adapter: {}", ids(lack)) };
            add("adapters", true, format!("{} found ({}){lacking}", have.len(), ids(have)), None);
            let dirs = model_dirs(config);
            let entry = ModelRef::parse(&config.model, &assets.models);
            let found = entry.as_ref().ok().and_then(|r| dirs.locate(r));
            let server = matches!(entry, Ok(ModelRef::Server { .. }));
            add(
                "model",
                server || found.is_some(),
                match (&entry, found) {
                    (Err(error), _) => error.to_string(),
                    (_, Some(path)) => format!("{} at {}", config.model, path.display()),
                    _ if server => config.model.clone(),
                    _ => format!("{} is not on this machine", config.model),
                },
                Some(format!(
                    "pluriscope models fetch {}; everything but live writing works without",
                    config.model
                )),
            );
        }
    }
    add(
        "memory",
        true,
        crate::model::loader::available_memory()
            .map_or_else(|| "unknown".to_owned(), |b| format!("{:.1} GB available", b as f64 / 1e9)),
        None,
    );
    match Library::open(&config.database) {
        Ok(library) => {
            let count = library.generations().map_or(0, |(rows, _)| rows.len());
            add("library", true, format!("{} · {count} kept traces", config.database.display()), None);
        }
        Err(error) => {
            add("library", false, error.to_string(), Some("choose another file with --db".to_owned()))
        }
    }
    match bundled_folder(config) {
        Ok(folder) => add("corpus", true, format!("bundled, at {}", folder.display()), None),
        Err(error) => {
            add("corpus", false, format!("{error:#}"), Some("make the cache folder writable".to_owned()))
        }
    }
    findings
}

/// The instruction set that the decoder's kernels were compiled for here.
fn kernels() -> String {
    format!("{:?}", crate::model::kernels::isa()).to_lowercase()
}
