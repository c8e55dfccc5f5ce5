//! One resolved [`Config`]: flags over environment over configuration file over defaults.
//!
//! The file is `config.toml` in the configuration folder, or what `--config` names. Decides where things are
//! and what is preferred; opens nothing but its own file.

use crate::store::assets::toml_problem;
use clap::Args;
use etcetera::BaseStrategy;
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The model that everything uses unless told otherwise: it runs on any machine.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Common options")]
pub struct ConfigArgs {
    /// Configuration file, instead of config.toml in the configuration folder
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Model reference: a name (see `models list`), a .gguf file, a folder of safetensors, hf:ORG/NAME or
    /// openai:URL#MODEL
    #[arg(long, global = true, value_name = "REF")]
    pub model: Option<String>,
    /// Methods file, instead of methods.toml in the configuration folder
    #[arg(long, global = true, value_name = "FILE")]
    pub methods_file: Option<PathBuf>,
    /// Database of annotations, check results and live generations
    #[arg(long, global = true, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Compute threads
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<usize>,
}

/// Everything that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Model reference.
    pub model: String,
    /// A methods file other than the one in the configuration folder.
    pub methods_file: Option<PathBuf>,
    /// A keymap file other than the one in the configuration folder.
    pub keymap: Option<PathBuf>,
    /// Theme by name; `None` chooses by terminal.
    pub theme: Option<String>,
    pub mouse: bool,
    /// Compute threads; `None` is all cores.
    pub threads: Option<usize>,
    pub database: PathBuf,
    /// The user's own configuration, methods, prompts, keymap.
    pub config_dir: PathBuf,
    /// Adapters, the database, recordings.
    pub data_dir: PathBuf,
    /// What can be made anew: indexes.
    pub cache_dir: PathBuf,
    /// Model files of our own.
    pub models_dir: PathBuf,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{name}={value}: {problem}")]
    Environment { name: &'static str, value: String, problem: &'static str },
    #[error("--threads 0: at least one thread is needed")]
    NoThreads,
}

/// The configuration file. Paths in it are relative to its folder.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    model: Option<String>,
    methods: Option<PathBuf>,
    keymap: Option<PathBuf>,
    theme: Option<String>,
    mouse: Option<bool>,
    threads: Option<std::num::NonZeroUsize>,
    database: Option<PathBuf>,
    models: Option<PathBuf>,
}

/// The folders that the platform gives to programs, before ours.
#[derive(Clone, Debug)]
pub struct BaseDirs {
    pub config: PathBuf,
    pub data: PathBuf,
    pub cache: PathBuf,
}

impl BaseDirs {
    /// By the XDG rules; without a home, a folder of their own in the temporary folder.
    pub fn of_platform() -> BaseDirs {
        match etcetera::choose_base_strategy() {
            Ok(base) => {
                BaseDirs { config: base.config_dir(), data: base.data_dir(), cache: base.cache_dir() }
            }
            Err(_) => {
                let base = std::env::temp_dir();
                BaseDirs { config: base.clone(), data: base.clone(), cache: base }
            }
        }
    }
}

impl Config {
    /// Resolves the configuration of this process.
    pub fn resolve(args: &ConfigArgs) -> Result<Config, ConfigError> {
        Config::from_parts(
            args,
            |name| std::env::var(name).ok().filter(|v| !v.is_empty()),
            &BaseDirs::of_platform(),
        )
    }

    /// As [`Config::resolve`], from flags, an environment and the platform's folders.
    pub fn from_parts(
        args: &ConfigArgs,
        environment: impl Fn(&str) -> Option<String>,
        base: &BaseDirs,
    ) -> Result<Config, ConfigError> {
        let ours = |dir: &Path| dir.join("pluriscope");
        let (config_dir, data_dir, cache_dir) = (ours(&base.config), ours(&base.data), ours(&base.cache));
        let named = args.config.clone().or_else(|| environment("PLURISCOPE_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| config_dir.join("config.toml"));
        let (file, read) = read_file(&path, named.is_some())?;
        let beside = |p: PathBuf| path.parent().map_or(p.clone(), |folder| folder.join(&p));
        let set = |name: &str| environment(name);
        let threads = match (args.threads, set("PLURISCOPE_THREADS")) {
            (Some(0), _) => return Err(ConfigError::NoThreads),
            (Some(n), _) => Some(n),
            (None, Some(value)) => match value.parse() {
                Ok(n) if n > 0 => Some(n),
                _ => {
                    let problem = "not a number of threads";
                    return Err(ConfigError::Environment { name: "PLURISCOPE_THREADS", value, problem });
                }
            },
            (None, None) => file.threads.map(std::num::NonZeroUsize::get),
        };
        let path_of = |flag: &Option<PathBuf>, name: &str, own: Option<PathBuf>| {
            flag.clone().or_else(|| set(name).map(PathBuf::from)).or(own.map(beside))
        };
        Ok(Config {
            model: args
                .model
                .clone()
                .or_else(|| set("PLURISCOPE_MODEL"))
                .or(file.model)
                .unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
            methods_file: path_of(&args.methods_file, "PLURISCOPE_METHODS", file.methods),
            keymap: path_of(&None, "PLURISCOPE_KEYMAP", file.keymap),
            theme: set("PLURISCOPE_THEME").or(file.theme),
            mouse: file.mouse.unwrap_or(true),
            threads,
            database: path_of(&args.db, "PLURISCOPE_DB", file.database)
                .unwrap_or_else(|| data_dir.join("library.db")),
            models_dir: path_of(&None, "PLURISCOPE_MODELS", file.models)
                .unwrap_or_else(|| data_dir.join("models")),
            config_dir,
            data_dir,
            cache_dir,
            file: read.then_some(path),
        })
    }

    /// Where trained adapters are kept.
    pub fn adapters_dir(&self) -> PathBuf {
        self.data_dir.join("adapters")
    }
}

/// The file's content, and whether there was one; it has to be there only if it was named.
fn read_file(path: &Path, named: bool) -> Result<(ConfigFile, bool), ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        // A home that is no folder has no configuration either.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) && !named =>
        {
            return Ok((ConfigFile::default(), false));
        }
        Err(source) => return Err(ConfigError::Io { path: path.to_owned(), source }),
    };
    let file = toml::from_str(&text).map_err(|error| {
        let (line, message) = toml_problem(&text, error.span(), error.message());
        ConfigError::Syntax { path: path.to_owned(), line, message }
    })?;
    Ok((file, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home {
        folder: tempfile::TempDir,
        base: BaseDirs,
    }

    fn home(config: Option<&str>) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let base = BaseDirs {
            config: folder.path().join("c"),
            data: folder.path().join("d"),
            cache: folder.path().join("k"),
        };
        if let Some(text) = config {
            fs::create_dir_all(base.config.join("pluriscope")).unwrap();
            fs::write(base.config.join("pluriscope/config.toml"), text).unwrap();
        }
        Home { folder, base }
    }

    fn environment(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn without_anything_the_defaults_hold() {
        let home = home(None);
        let config = Config::from_parts(&ConfigArgs::default(), environment(&[]), &home.base).unwrap();
        assert_eq!((config.model.as_str(), config.mouse, config.file), (DEFAULT_MODEL, true, None));
        assert_eq!(config.database, home.folder.path().join("d/pluriscope/library.db"));
    }

    #[test]
    fn flags_win_over_environment_over_file() {
        let home = home(Some(
            "model = \"file\"\ntheme = \"file\"\nthreads = 3\nmouse = false\nkeymap = \"k.toml\"\n",
        ));
        let env = environment(&[
            ("PLURISCOPE_MODEL", "env"),
            ("PLURISCOPE_THEME", "env"),
            ("PLURISCOPE_DB", "e.db"),
        ]);
        let args = ConfigArgs { model: Some("flag".to_owned()), ..ConfigArgs::default() };
        let config = Config::from_parts(&args, env, &home.base).unwrap();
        assert_eq!((config.model.as_str(), config.theme.as_deref()), ("flag", Some("env")));
        assert_eq!((config.threads, config.mouse, config.database), (Some(3), false, "e.db".into()));
        assert_eq!(config.keymap, Some(home.folder.path().join("c/pluriscope/k.toml")));
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        let problem = |text: &str| {
            let home = home(Some(text));
            Config::from_parts(&ConfigArgs::default(), environment(&[]), &home.base).unwrap_err().to_string()
        };
        assert!(problem("model = \"a\"\ncolour = 1\n").contains("config.toml:2: unknown field `colour`"));
        assert!(problem("threads = 0").contains("config.toml:1:"));
        let home = home(None);
        let env = environment(&[("PLURISCOPE_THREADS", "many")]);
        let error = Config::from_parts(&ConfigArgs::default(), env, &home.base).unwrap_err();
        assert_eq!(error.to_string(), "PLURISCOPE_THREADS=many: not a number of threads");
        let args = ConfigArgs { config: Some("gone.toml".into()), ..ConfigArgs::default() };
        let error = Config::from_parts(&args, environment(&[]), &home.base).unwrap_err();
        assert!(error.to_string().contains("gone.toml"));
    }
}
