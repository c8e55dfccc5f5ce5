//! From configuration and paths to a session: assets, keymap, theme, the bundled corpus.

use super::{Session, outside::Outside};
use crate::{
    app::{
        Event, State,
        annotate::{OpenDesk, Opening},
        keymap::Keymap,
        state::{RunnableMethod, Screen, Setup},
    },
    config::Config,
    setup::assets,
    store::assets::{Assets, find_adapters, named_adapter},
    ui::Depth,
};
use color_eyre::eyre::{Result, WrapErr};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The corpus that the program brings along; what has traces comes first, so that the first screen shows some.
const BUNDLED: [(&str, &[u8]); 4] = [
    ("traces.jsonl", include_bytes!("../../data/traces.jsonl")),
    ("values.jsonl", include_bytes!("../../data/values.jsonl")),
    ("checks.jsonl", include_bytes!("../../data/checks.jsonl")),
    ("survey.jsonl", include_bytes!("../../data/survey.jsonl")),
];

/// How a session is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Files and folders; none opens the bundled corpus.
    pub paths: Vec<PathBuf>,
    /// Theme by name, over the configuration's.
    pub theme: Option<String>,
    pub size: (u16, u16),
    /// Whether live traces are read from and written to the library.
    pub keep: bool,
    /// Folders of training runs to watch: the session begins on the training screen. None: `runs` here and in the
    /// data folder, once they are asked for.
    pub runs: Vec<PathBuf>,
    /// Levels of accuracy to draw beside the runs, by name.
    pub lines: Vec<(String, f64)>,
    /// The base seed of live generations; from the clock where there is none.
    pub seed: Option<u64>,
    /// The desk to open instead of a corpus.
    pub desk: Option<OpenDesk>,
}

/// Prepares a session; nothing of the corpus is read yet.
pub fn open(config: Config, options: OpenOptions, depth: Depth) -> Result<Session> {
    let config = Arc::new(config);
    let (assets, problems) = match assets(&config) {
        Ok(assets) => (assets, Vec::new()),
        // A broken methods file must not keep anyone from reading traces.
        Err(error) => (Assets::load(None, None)?, vec![format!("{error:#}")]),
    };
    let user = config.keymap.clone().unwrap_or_else(|| config.config_dir.join("keymap.toml"));
    let (keymap, keymap_problems) = Keymap::load(std::fs::read_to_string(user).ok().as_deref());
    let bundled = options.paths.is_empty() && options.desk.is_none();
    let paths = if bundled {
        let folder = bundled_folder(&config)?;
        BUNDLED.map(|(file, _)| folder.join(file)).to_vec()
    } else {
        options.paths
    };
    let setup = Setup {
        keymap: Arc::new(keymap),
        methods: runnable(&assets, &config),
        templates: assets.templates.clone().into_iter().collect(),
        title: if bundled { "bundled corpus".to_owned() } else { title(&paths) },
        model: config.model.clone(),
        judge: named_adapter("judge", &config.model, &config.adapters_dir())
            .map(|found| (config.model.clone(), found)),
        seed: options.seed.unwrap_or_else(clock_seed),
        theme: options.theme.or_else(|| config.theme.clone()).unwrap_or_else(|| "dark".to_owned()),
        mouse: config.mouse,
        caveat: bundled.then(|| "the survey is fictional".to_owned()),
    };
    let (sender, events) = tokio::sync::mpsc::unbounded_channel();
    for problem in problems.into_iter().chain(keymap_problems.iter().map(ToString::to_string)) {
        // The receiver is alive: it is returned below.
        let _ = sender.send(Event::Note(problem));
    }
    let mut outside = Outside::new(config, Arc::new(assets), paths, options.keep, sender)?;
    let mut state = State::new(setup, options.size);
    if !options.runs.is_empty() {
        outside.watch_at_start(options.runs, options.lines);
        state.screen = Screen::Training;
        state.training.watched = true;
    }
    if options.desk.is_some() {
        state.screen = Screen::Annotate;
        state.annotate.opening = Opening::Opening;
    }
    outside.desk = options.desk;
    Ok(Session { state, outside, events, depth, recorder: None })
}

/// Methods with the adapters that are here.
fn runnable(assets: &Assets, config: &Config) -> Vec<RunnableMethod> {
    let adapters = config.adapters_dir();
    assets
        .methods
        .iter()
        .map(|method| {
            let model = method.model.as_deref().unwrap_or(&config.model);
            let adapters = find_adapters(method, model, &adapters);
            RunnableMethod { method: method.clone(), adapters, declared: true }
        })
        .collect()
}

fn title(paths: &[PathBuf]) -> String {
    let name = |p: &Path| {
        p.file_name().map_or_else(|| p.display().to_string(), |n| n.to_string_lossy().into_owned())
    };
    match paths {
        [one] => name(one),
        [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
        [] => String::new(),
    }
}

fn clock_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The bundled corpus as files: the source tree's own, or written once to the cache folder.
pub fn bundled_folder(config: &Config) -> Result<PathBuf> {
    let size: usize = BUNDLED.iter().map(|(_, bytes)| bytes.len()).sum();
    let name = format!("bundled-{}-{size}", env!("CARGO_PKG_VERSION"));
    let write = |folder: &Path| -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (file, bytes) in BUNDLED {
            let path = folder.join(file);
            if std::fs::metadata(&path).map_or(true, |m| m.len() != bytes.len() as u64) {
                let part = folder.join(format!("{file}.{}.part", std::process::id()));
                std::fs::write(&part, bytes)?;
                std::fs::rename(&part, &path)?;
            }
        }
        Ok(())
    };
    let cached = config.cache_dir.join(&name);
    if write(&cached).is_ok() {
        return Ok(cached);
    }
    let temporary = std::env::temp_dir().join(format!("pluriscope-{name}"));
    write(&temporary)
        .wrap_err("the bundled corpus could be written neither to the cache nor to the temporary folder")?;
    Ok(temporary)
}

/// How many colours the terminal has, from the environment.
pub fn depth() -> Depth {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let term = set("TERM").unwrap_or_default();
    if set("NO_COLOR").is_some() || term == "dumb" {
        Depth::None
    } else if set("COLORTERM").is_some_and(|v| v == "truecolor" || v == "24bit") || term.contains("direct") {
        Depth::True
    } else if term.contains("256") {
        Depth::Indexed
    } else {
        Depth::Sixteen
    }
}

/// `dark` or `light`, as the terminal's background is; asks it, and does not wait long for an answer.
pub fn background_theme() -> &'static str {
    let mut options = terminal_colorsaurus::QueryOptions::default();
    options.timeout = std::time::Duration::from_millis(40);
    match terminal_colorsaurus::theme_mode(options) {
        Ok(terminal_colorsaurus::ThemeMode::Light) => "light",
        _ => "dark",
    }
}
