//! `pluriscope doctor`: what this machine has, and how to mend what is wrong.

use super::theme;
use crate::{
    app::keymap::Keymap,
    config::Config,
    engine::remote::Trust,
    runtime::open::{bundled_folder, depth},
    setup::{assets, model_dirs, trust},
    store::{Library, assets::find_adapters, models::ModelRef},
    ui::paint::bytes,
};
use clap::Args;
use color_eyre::eyre::Result;
use serde::Serialize;
use std::{
    fs::{self, OpenOptions},
    io::IsTerminal,
    path::Path,
    process::ExitCode,
};

/// The smallest terminal on which every screen but the annotator's desk has room.
const NEEDED: (u16, u16) = (60, 12);

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
    let term = std::env::var("TERM").unwrap_or_default();
    let size = std::io::stdout().is_terminal().then(|| crossterm::terminal::size().unwrap_or_default());
    let (ok, found, remedy) = terminal(size, &term);
    add("terminal", ok, found, remedy.map(str::to_owned));
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
    let theme = theme::configured(config);
    add(
        "theme",
        theme.is_ok(),
        theme
            .map_or_else(|problem| problem, |name| name.unwrap_or("as the terminal's background").to_owned()),
        Some("name one that there is".to_owned()),
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
    let dirs = model_dirs(config);
    for (what, path, remedy) in [
        ("model folder", &dirs.own, "make it writable, or name another with PLURISCOPE_MODELS"),
        (
            "hugging face",
            &dirs.hub_cache,
            "to fetch models, set HF_HUB_CACHE to a folder that can be written to",
        ),
        (
            "index cache",
            &config.cache_dir,
            "set XDG_CACHE_HOME to a folder that can be written to; without one every start reads large files anew",
        ),
    ] {
        let (ok, found) = folder(path);
        add(what, ok, found, Some(remedy.to_owned()));
    }
    let (ok, found) = servers(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let remedy = "let SSL_CERT_FILE name a file of certificates in PEM format, or unset it".to_owned();
    add("servers", ok, found, Some(remedy));
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

/// What the environment says about servers; of keys and proxies, only that they are there.
fn servers(environment: &dyn Fn(&str) -> Option<String>) -> (bool, String) {
    let those = |names: &[&'static str], is_set: &dyn Fn(&str) -> bool| {
        let set: Vec<&str> = names.iter().copied().filter(|name| is_set(name)).collect();
        if set.is_empty() { "none".to_owned() } else { set.join(", ") }
    };
    let is_set = |name: &str| environment(name).is_some();
    let keys = those(&["PLURISCOPE_API_KEY", "OPENAI_API_KEY"], &is_set);
    // These are read in small letters too.
    let proxies = those(&["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"], &|name| {
        is_set(name) || is_set(&name.to_lowercase())
    });
    let file = environment("SSL_CERT_FILE");
    let (ok, authorities) = match trust(file.as_deref()) {
        Trust::Public => (true, "the public ones".to_owned()),
        Trust::Own(found) => (true, format!("{} of {}", found.len(), file.unwrap_or_default())),
        Trust::Unusable(problem) => (false, problem),
    };
    (ok, format!("keys: {keys}; proxies: {proxies}; authorities: {authorities}"))
}

/// Whether the explorer can be shown on standard output, in which words, and what would help; `size` where that is a
/// terminal at all.
fn terminal(size: Option<(u16, u16)>, term: &str) -> (bool, String, Option<&'static str>) {
    let Some((w, h)) = size else {
        let words = "standard output is no terminal; snapshot and the headless commands work without one";
        return (true, words.to_owned(), None);
    };
    let name = if term.is_empty() { "TERM is not set" } else { term };
    if matches!(term, "" | "dumb") {
        let remedy = "set TERM to what the terminal is, xterm-256color for most; or use snapshot";
        (false, format!("{name}, {w}x{h}: it may not understand how a screen is drawn"), Some(remedy))
    } else if w == 0 || h == 0 {
        let remedy = "tell it its size: stty columns 120 rows 36";
        (false, format!("{name}, which does not say how large it is"), Some(remedy))
    } else if w < NEEDED.0 || h < NEEDED.1 {
        let found = format!("{name}, {w}x{h}: too small, needs {}x{}", NEEDED.0, NEEDED.1);
        (false, found, Some("make the window larger or its letters smaller; 120x36 is comfortable"))
    } else {
        (true, format!("{name}, {w}x{h}, colours: {:?}", depth()), None)
    }
}

/// Whether a folder can be written to, and in words where it is and how much lies in it.
fn folder(path: &Path) -> (bool, String) {
    let writable = can_write(path);
    let state = match (path.is_dir(), writable) {
        (true, true) => format!("{}, writable", bytes(size_below(path))),
        (true, false) => format!("{}, cannot be written to", bytes(size_below(path))),
        (false, true) => "not there yet, made when it is needed".to_owned(),
        (false, false) => "not there, and cannot be made".to_owned(),
    };
    (writable, format!("{} · {state}", path.display()))
}

/// Tries to make a file in a folder, or in the nearest one above it that is there.
fn can_write(path: &Path) -> bool {
    let there = path.ancestors().find(|p| p.symlink_metadata().is_ok()).unwrap_or(Path::new("."));
    let probe = there.join(format!(".pluriscope-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe).is_ok();
    // Only what was made here is taken away.
    made && fs::remove_file(&probe).is_ok()
}

/// Bytes of all files below a folder; links are not followed, so that what a cache links to counts once.
fn size_below(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_below(&entry.path()),
        Ok(meta) if meta.is_file() => meta.len(),
        _ => 0,
    };
    entries.map(size).sum()
}

/// The instruction set that the decoder's kernels were compiled for here.
fn kernels() -> String {
    format!("{:?}", crate::model::kernels::isa()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_proxies_are_told_without_what_is_in_them() {
        let environment = |name: &str| match name {
            "PLURISCOPE_API_KEY" => Some("sk-secret".to_owned()),
            "https_proxy" => Some("http://user:word@proxy:3128".to_owned()),
            "SSL_CERT_FILE" => Some("no-such.pem".to_owned()),
            _ => None,
        };
        let (ok, found) = servers(&environment);
        assert!(!ok, "a file that is not there");
        assert!(
            found.starts_with(
                "keys: PLURISCOPE_API_KEY; proxies: HTTPS_PROXY; authorities: SSL_CERT_FILE, no-such.pem"
            ),
            "{found}"
        );
        assert!(!found.contains("secret") && !found.contains("word@"));
        assert_eq!(
            servers(&|_| None),
            (true, "keys: none; proxies: none; authorities: the public ones".to_owned())
        );
    }

    #[test]
    fn a_terminal_that_cannot_show_the_explorer_is_named_with_what_helps() {
        let found = |size, term| {
            let (ok, found, remedy) = terminal(size, term);
            assert_eq!(ok, remedy.is_none());
            format!("{ok}: {found}: {}", remedy.unwrap_or_default())
        };
        let small = found(Some((59, 40)), "xterm-256color");
        assert!(small.starts_with("false: xterm-256color, 59x40: too small, needs 60x12"), "{small}");
        assert!(found(Some((120, 11)), "xterm").contains("too small"));
        assert!(found(Some((0, 0)), "xterm").contains("stty columns"));
        assert!(found(Some((120, 40)), "dumb").contains("set TERM"));
        assert!(found(Some((120, 40)), "").starts_with("false: TERM is not set"));
        assert!(found(Some((60, 12)), "xterm").starts_with("true: xterm, 60x12, colours"));
        assert!(found(None, "dumb").starts_with("true: standard output is no terminal"));
    }

    #[test]
    fn a_folder_is_named_with_its_size_and_whether_it_can_be_written_to() {
        let home = tempfile::tempdir().unwrap();
        let below = home.path().join("models/deep");
        assert!(folder(&below).1.ends_with("· not there yet, made when it is needed"));
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("weights"), [0; 2400]).unwrap();
        let (ok, found) = folder(&home.path().join("models"));
        assert!(ok && found.ends_with("models · 2 kB, writable"), "{found}");
        let file = folder(&below.join("weights/more"));
        assert!(!file.0 && file.1.ends_with("not there, and cannot be made"), "{}", file.1);
        assert_eq!(fs::read_dir(&below).unwrap().count(), 1, "nothing is left behind");
    }
}
