//! What commands share: an interrupt flag, items, adapters by name, errors in words.

use crate::{
    config::Config,
    core::{AdapterRef, Item},
    model::{gguf::Gguf, tokenizer::TextTokenizer},
    store::{Context, Format, assets::named_adapter, detect, source},
};
use color_eyre::eyre::{Result, eyre};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The text of one token of the model at `path`, for messages.
pub fn token_text(path: &Path, token: u32) -> Option<String> {
    let tokenizer = if path.is_dir() {
        TextTokenizer::from_file(&path.join("tokenizer.json")).ok()?
    } else {
        TextTokenizer::from_gguf(&Gguf::open(path).ok()?, path).ok()?
    };
    let text = tokenizer.decode(&[token]).ok()?;
    Some(if text.is_empty() { tokenizer.token(token)? } else { text })
}

/// Rises at Ctrl-C (and SIGTERM); the second time the process ends at once.
pub fn interrupt_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("pluriscope-signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                wait_for_signal().await;
                if raised.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            }
        });
    })?;
    Ok(flag)
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            result = tokio::signal::ctrl_c() => hang_on(result.is_err()).await,
            _ = terminate.recv() => {}
        },
        Err(_) => hang_on(tokio::signal::ctrl_c().await.is_err()).await,
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    hang_on(tokio::signal::ctrl_c().await.is_err()).await;
}

/// Without signals nothing ever rises the flag, and the system's own Ctrl-C ends the process.
async fn hang_on(unavailable: bool) {
    if unavailable {
        std::future::pending::<()>().await;
    }
}

/// Items of several files, each once, and how many rows were bad.
pub struct ReadItems {
    pub items: Vec<Arc<Item>>,
    pub bad: usize,
}

/// Bad rows that are listed; the rest is counted.
const LISTED: usize = 10;

/// Reads the items of files in any known format, those of `split` only if one is named; bad rows are listed on
/// standard error.
pub fn read_items(files: &[PathBuf], format: Option<Format>, split: Option<&str>) -> Result<ReadItems> {
    let (mut items, mut bad) = (Vec::new(), 0);
    let mut seen = HashSet::new();
    let mut skipped = Vec::new();
    for path in files {
        for (file, layout) in detect::expand(path, format, &mut skipped)? {
            source::read_all(&file, layout, &Context::of(&file), &mut |number, row| match row {
                Ok(row) => {
                    let wanted = |item: &Item| split.is_none_or(|s| item.split.as_deref() == Some(s));
                    if let Some(item) = row.item.filter(wanted)
                        && seen.insert(item.id)
                    {
                        items.push(Arc::new(item));
                    }
                }
                Err(reason) => {
                    bad += 1;
                    if bad <= LISTED {
                        eprintln!("{}:{number}: {reason}", file.display());
                    }
                }
            })?;
        }
    }
    skipped.iter().for_each(|error| eprintln!("left out: {error}"));
    if bad > LISTED {
        eprintln!("… and {} more bad rows", bad - LISTED);
    }
    Ok(ReadItems { items, bad })
}

/// The model and the adapter of MODEL or MODEL+ADAPTER; a server's adapter is a model name there.
pub fn model_and_adapter(name: &str, config: &Config) -> Result<(String, Option<AdapterRef>)> {
    let Some((model, adapter)) = name.rsplit_once('+') else { return Ok((name.to_owned(), None)) };
    match named_adapter(adapter, model, &config.adapters_dir()) {
        Some(found) => Ok((model.to_owned(), Some(found))),
        None => Err(failure(format_args!("there is no adapter `{adapter}` for {model}"))),
    }
}

/// `--adapter METHOD=FOLDER`.
pub fn parse_adapter(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((method, folder)) if !method.is_empty() && !folder.is_empty() => {
            Ok((method.to_owned(), folder.into()))
        }
        _ => Err(format!("`{text}` is not METHOD=FOLDER")),
    }
}

/// An error of the user: said on standard error, exit code 2.
pub fn misuse(problem: impl std::fmt::Display) -> Result<std::process::ExitCode> {
    eprintln!("error: {problem}");
    Ok(std::process::ExitCode::from(2))
}

/// An error for the report, from anything that can be shown.
pub fn failure(problem: impl std::fmt::Display) -> color_eyre::Report {
    eyre!("{problem}")
}
