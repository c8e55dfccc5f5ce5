//! Downloads from the Hugging Face hub into its shared cache, through `hf-hub`.
//!
//! `hf-hub` knows neither time limits nor cancelling, so it runs on a thread of its own: when it is not wanted
//! any more the thread is unwound at its next read, and a thread that reads nothing at all is left behind.

use super::{FetchSettings, FetchUpdate, OnUpdate, StepError, file_sha256};
use crate::store::models::HubSource;
use hf_hub::{Cache, Repo, RepoType, api::sync::ApiBuilder, api::sync::ApiRepo};
use std::{
    fs,
    net::{TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// A download is tried again this often after a cut connection.
const RETRIES: usize = 2;

/// What the download thread says.
enum Said {
    Size(u64),
    Bytes(u64),
    Done(Result<Vec<PathBuf>, String>),
}

/// Downloads one file, or all files of a safetensors model; the path, and the hash of a single file.
pub(super) fn download(
    hub: &HubSource,
    sha256: Option<&str>,
    settings: &FetchSettings,
    update: &mut OnUpdate<'_>,
) -> Result<(PathBuf, Option<String>), StepError> {
    if settings.offline {
        return Err("HF_HUB_OFFLINE is set".to_owned().into());
    }
    probe(&settings.endpoint, settings.connect_timeout)?;
    let files = run(hub, settings, update)?;
    let mut single = None;
    for file in &files {
        let blob = fs::canonicalize(file).unwrap_or_else(|_| file.clone());
        // The hub names the blobs of large files by their SHA-256.
        let named = blob.file_name().and_then(|n| n.to_str()).filter(|n| n.len() == 64).map(str::to_owned);
        let want = if hub.file.is_some() { sha256.map(str::to_owned).or(named) } else { named };
        let Some(want) = want else { continue };
        let got = file_sha256(&blob, update)?;
        if got != want {
            let kept = [file, &blob].into_iter().any(|path| path.exists() && fs::remove_file(path).is_err());
            let removed = if kept { "" } else { "; it was removed" };
            return Err(format!("the hub sent a file with SHA-256 {got}, not {want}{removed}").into());
        }
        single = hub.file.is_some().then_some(got);
    }
    let first = files.into_iter().next().ok_or_else(|| "the repository has no files".to_owned())?;
    let path = if hub.file.is_some() { first } else { first.parent().map(Path::to_owned).unwrap_or(first) };
    Ok((path, single))
}

fn run(
    hub: &HubSource,
    settings: &FetchSettings,
    update: &mut OnUpdate<'_>,
) -> Result<Vec<PathBuf>, StepError> {
    let (sender, said) = mpsc::channel();
    let cancel = Arc::new(AtomicBool::new(false));
    let (job, flag) = ((hub.clone(), settings.clone()), Arc::clone(&cancel));
    thread::Builder::new()
        .name("pluriscope-fetch".to_owned())
        .spawn(move || {
            let done = files(&job.0, &job.1, &flag, &sender);
            // The receiver is gone when the download was given up.
            let _ = sender.send(Said::Done(done));
        })
        .map_err(|e| format!("no thread to download with: {e}"))?;
    let (mut done, mut total) = (0, None);
    let mut heard = Instant::now();
    loop {
        match said.recv_timeout(Duration::from_millis(100)) {
            Ok(Said::Size(size)) => (done, total, heard) = (0, Some(size), Instant::now()),
            Ok(Said::Bytes(bytes)) => {
                done += bytes;
                heard = Instant::now();
            }
            Ok(Said::Done(result)) => return result.map_err(StepError::from),
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the download broke off inside hf-hub".to_owned().into());
            }
            Err(RecvTimeoutError::Timeout) if heard.elapsed() > settings.stall_timeout => {
                cancel.store(true, Ordering::Relaxed);
                let seconds = settings.stall_timeout.as_secs_f32();
                return Err(format!("nothing came for {seconds} s").into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if update(FetchUpdate::Bytes { done, total }).is_break() {
            cancel.store(true, Ordering::Relaxed);
            return Err(StepError::Cancelled);
        }
    }
}

/// On the download thread: all files that the model needs.
fn files(
    hub: &HubSource,
    settings: &FetchSettings,
    cancel: &Arc<AtomicBool>,
    sender: &Sender<Said>,
) -> Result<Vec<PathBuf>, String> {
    let api = ApiBuilder::from_cache(Cache::new(settings.dirs.hub_cache.clone()))
        .with_endpoint(settings.endpoint.clone())
        .with_token(settings.token.clone())
        .with_retries(RETRIES)
        .with_progress(false)
        .build()
        .map_err(|e| e.to_string())?;
    let repo = Repo::with_revision(hub.repo.clone(), RepoType::Model, hub.revision().to_owned());
    let names = match &hub.file {
        Some(file) => vec![file.clone()],
        None => {
            let info = api.repo(repo.clone()).info().map_err(|e| plain(&e.to_string(), &hub.repo))?;
            let names: Vec<String> =
                info.siblings.into_iter().map(|s| s.rfilename).filter(|name| needed(name)).collect();
            if !names.iter().any(|n| n.ends_with(".safetensors")) {
                return Err(format!(
                    "{} has no safetensors; name one of its files with hf:{0}/FILE.gguf",
                    hub.repo
                ));
            }
            names
        }
    };
    let cached = Cache::new(settings.dirs.hub_cache.clone()).repo(repo.clone());
    let repo = api.repo(repo);
    let mut paths = Vec::new();
    for name in names {
        match cached.get(&name) {
            Some(path) if hub.file.is_none() => paths.push(path),
            _ => paths.push(one(&repo, &name, settings, cancel, sender).map_err(|e| plain(&e, &hub.repo))?),
        }
    }
    Ok(paths)
}

/// Whether a file of a repository belongs to a safetensors model: those at the top, not the other formats.
fn needed(name: &str) -> bool {
    const SMALL: [&str; 5] = [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    ];
    SMALL.contains(&name)
        || name == "model.safetensors.index.json"
        || (name.starts_with("model") && name.ends_with(".safetensors") && !name.contains('/'))
}

fn one(
    repo: &ApiRepo,
    name: &str,
    settings: &FetchSettings,
    cancel: &Arc<AtomicBool>,
    sender: &Sender<Said>,
) -> Result<PathBuf, String> {
    let report = || Report { cancel: Arc::clone(cancel), sender: sender.clone() };
    repo.download_with_progress(name, report()).or_else(|error| {
        // A part that is complete but was never renamed cannot be resumed: start that file afresh.
        let text = error.to_string();
        if !text.contains("416") && !text.contains("Invalid part file") {
            return Err(text);
        }
        remove_parts(&settings.dirs.hub_cache, &repo.url(name), &settings.endpoint);
        repo.download_with_progress(name, report()).map_err(|e| e.to_string())
    })
}

/// Removes the unfinished parts of one repository, which `url` is in.
fn remove_parts(cache: &Path, url: &str, endpoint: &str) {
    let repo = url
        .trim_start_matches(endpoint)
        .trim_start_matches('/')
        .split("/resolve/")
        .next()
        .unwrap_or_default();
    let blobs = cache.join(format!("models--{}", repo.replace('/', "--"))).join("blobs");
    for path in fs::read_dir(blobs).into_iter().flatten().flatten().map(|e| e.path()) {
        if path.extension().is_some_and(|e| e == "part") {
            // If it cannot be removed, the second attempt says what is wrong.
            let _ = fs::remove_file(path);
        }
    }
}

/// The hub's refusals in words that say what to do.
fn plain(error: &str, repo: &str) -> String {
    if error.contains("401") || error.contains("403") {
        format!("{repo} wants a token: accept its terms on the hub, then set HF_TOKEN ({error})")
    } else if error.contains("404") {
        format!("{repo} has no such file or revision ({error})")
    } else {
        error.to_owned()
    }
}

struct Report {
    cancel: Arc<AtomicBool>,
    sender: Sender<Said>,
}

impl Report {
    fn say(&self, said: Said) {
        if self.cancel.load(Ordering::Relaxed) || self.sender.send(said).is_err() {
            // hf-hub cannot be told to stop, but its thread can be unwound, without a word from the panic hook;
            // the lock on the file is released on the way.
            std::panic::resume_unwind(Box::new("cancelled"));
        }
    }
}

impl hf_hub::api::Progress for Report {
    fn init(&mut self, size: usize, _: &str) {
        self.say(Said::Size(size as u64));
    }

    fn update(&mut self, size: usize) {
        self.say(Said::Bytes(size as u64));
    }

    fn finish(&mut self) {}
}

/// Whether the hub, or the proxy on the way, takes a connection within `limit`: without this a machine that
/// drops packets would wait for minutes.
fn probe(endpoint: &str, limit: Duration) -> Result<(), StepError> {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let proxies: [&str; 4] = if endpoint.starts_with("https") {
        ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
    };
    // Whom a proxy does not serve is reached directly; which hosts those are, the client decides later.
    let direct = ["no_proxy", "NO_PROXY"].into_iter().find_map(set).is_some();
    let target = proxies.into_iter().find_map(set).filter(|_| !direct).unwrap_or_else(|| endpoint.to_owned());
    let (host, port) = host_and_port(&target).ok_or_else(|| format!("`{target}` is not an address"))?;
    let (sender, answer) = mpsc::channel();
    let name = host.clone();
    thread::Builder::new()
        .name("pluriscope-fetch-probe".to_owned())
        .spawn(move || {
            let reached = (name.as_str(), port).to_socket_addrs().and_then(|addresses| {
                let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "no address");
                for address in addresses {
                    match TcpStream::connect_timeout(&address, limit) {
                        Ok(_) => return Ok(()),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            });
            // Nobody listens once the limit has passed.
            let _ = sender.send(reached);
        })
        .map_err(|e| format!("no thread to connect with: {e}"))?;
    match answer.recv_timeout(limit) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("{host} cannot be reached: {error}").into()),
        Err(_) => Err(format!("{host} did not answer within {} s", limit.as_secs_f32()).into()),
    }
}

fn host_and_port(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split('/').next()?.rsplit('@').next()?;
    let default = if scheme == "https" { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    let host = host.trim_matches(['[', ']']);
    (!host.is_empty()).then(|| (host.to_owned(), port))
}
