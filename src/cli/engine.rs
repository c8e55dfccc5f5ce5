//! What every command that runs a model shares: models by reference, an engine, an interrupt flag, items.

use crate::{
    config::Config,
    core::{AdapterRef, Item},
    engine::{
        LoadError,
        local::{LocalModels, Located},
        remote::{ChatFormat, Key, ServerModel, Trust},
    },
    model::{LoadOptions, gguf::Gguf, tokenizer::TextTokenizer},
    store::{
        Context, Format,
        assets::{Assets, named_adapter},
        detect,
        models::{ModelDirs, ModelEntry, ModelRef, size_on_disk},
        source,
    },
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

/// The methods, templates and model names of this configuration.
pub fn assets(config: &Config) -> Result<Assets> {
    Ok(Assets::load(Some(&config.config_dir), config.methods_file.as_deref())?)
}

/// Where model files are looked for.
pub fn model_dirs(config: &Config) -> ModelDirs {
    ModelDirs::new(config.models_dir.clone())
}

/// The provider that loads references of this configuration, or finds the servers that they name.
pub fn local_models(config: &Config, entries: &[ModelEntry]) -> LocalModels {
    let (dirs, entries) = (model_dirs(config), entries.to_vec());
    let options = LoadOptions { threads: config.threads, ..LoadOptions::default() };
    let named = entries.clone();
    LocalModels::new(options, move |reference| locate(&dirs, &entries, reference))
        .with_servers(move |reference| server(&named, reference, &|name| std::env::var(name).ok()))
}

/// The server behind a reference, with the key that `environment` has for it (`OPENAI_API_KEY` goes to
/// api.openai.com alone, `PLURISCOPE_API_KEY` to the servers that the user names) and the authorities that it trusts.
pub fn server(
    entries: &[ModelEntry],
    reference: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<ServerModel> {
    if !reference.starts_with("openai:") {
        return None;
    }
    let ModelRef::Server { url, model, chat } = ModelRef::parse(reference, entries).ok()? else {
        return None;
    };
    let theirs = url == "https://api.openai.com" || url.starts_with("https://api.openai.com/");
    let name = if theirs { "OPENAI_API_KEY" } else { "PLURISCOPE_API_KEY" };
    let key = environment(name).and_then(|text| Key::new(&text));
    let trust = trust(environment("SSL_CERT_FILE").as_deref());
    Some(ServerModel { url, model, chat: chat.as_deref().and_then(ChatFormat::from_word), key, trust })
}

/// The authorities of the file that `SSL_CERT_FILE` names, as other programs read it.
pub fn trust(file: Option<&str>) -> Trust {
    let Some(file) = file.filter(|f| !f.is_empty()) else { return Trust::Public };
    match std::fs::read(file).map(|pem| Trust::from_pem(&pem)) {
        Ok(Trust::Unusable(problem)) => Trust::Unusable(format!("SSL_CERT_FILE, {file}: {problem}")),
        Ok(trust) => trust,
        Err(error) => Trust::Unusable(format!("SSL_CERT_FILE, {file}: {error}")),
    }
}

/// Whether a reference that a *file* names may be asked: models on this machine always, a server only where the user
/// names the same one, on the command line, in the configuration or among the methods. Otherwise a stranger's file
/// could have prompts, and the key, sent wherever it likes.
pub fn trusted(reference: &str, config: &Config, assets: &Assets) -> bool {
    !reference.starts_with("openai:")
        || reference == config.model
        || assets.methods.iter().any(|m| m.model.as_deref() == Some(reference))
}

/// The files of a reference, or in which words they are missing.
pub fn locate(dirs: &ModelDirs, entries: &[ModelEntry], reference: &str) -> Result<Located, LoadError> {
    let parsed = ModelRef::parse(reference, entries).map_err(|e| LoadError::Unusable(e.to_string()))?;
    if let ModelRef::Server { url, .. } = &parsed {
        return Err(LoadError::Unusable(format!(
            "`{reference}` is served at {url}; this engine runs model files"
        )));
    }
    let missing = || match &parsed {
        ModelRef::Gguf(path) | ModelRef::Folder(path) => LoadError::Missing(format!(
            "{}: no model is there (a .gguf file, or a folder with config.json, tokenizer.json and safetensors)",
            path.display()
        )),
        _ => LoadError::Missing(format!(
            "`{reference}` is not on this machine; `pluriscope models fetch {reference}` brings it"
        )),
    };
    let path = dirs.locate(&parsed).ok_or_else(missing)?;
    let (sha256, memory) = match &parsed {
        ModelRef::Named(entry) => (entry.sha256.clone(), entry.memory << 20),
        _ => (None, size_on_disk(&path)),
    };
    Ok(Located { path, sha256, memory })
}

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
