//! The explorer in this terminal.

use super::theme::ThemeArg;
use crate::{
    config::Config,
    runtime::{
        self,
        open::{OpenOptions, depth, open},
        recorder::Recorder,
    },
};
use clap::Args;
use color_eyre::eyre::Result;
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

#[derive(Args, Clone, Debug, Default)]
pub struct ExploreArgs {
    /// Files and folders of items and traces, in any known format; none opens the bundled corpus
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub theme: ThemeArg,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// Base of the seeds of live generations; by default from the clock
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Record the session into a file as asciicast v2
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Neither read nor keep live generations of other sessions
    #[arg(long)]
    pub forget: bool,
}

/// Watch training runs: curves, sample efficiency, rollouts, while they grow
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope train sft --items data/values.jsonl -o runs/sft &
  pluriscope watch runs

Reads TensorBoard logs, those of `pluriscope train` and those of verl.")]
pub struct WatchArgs {
    /// Run folders, or folders of run folders
    #[arg(value_name = "FOLDER", default_value = "runs")]
    pub runs: Vec<PathBuf>,
    /// A level to draw beside the runs, as in `--line SFT=0.759` (may be given more than once)
    #[arg(long = "line", value_name = "NAME=ACCURACY", value_parser = parse_line)]
    pub lines: Vec<(String, f64)>,
    #[command(flatten)]
    pub theme: ThemeArg,
}

/// `NAME=ACCURACY`.
pub fn parse_line(text: &str) -> Result<(String, f64), String> {
    let parsed = text.rsplit_once('=').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    parsed
        .filter(|(name, value): &(String, f64)| !name.is_empty() && (0.0..=1.0).contains(value))
        .ok_or_else(|| format!("`{text}` is no NAME=ACCURACY with an accuracy of 0 to 1"))
}

/// Opens the explorer on the training screen.
pub fn watch(args: WatchArgs, config: Config) -> Result<ExitCode> {
    for folder in &args.runs {
        if !folder.is_dir() {
            return super::common::misuse(format!("{}: there is no such folder", folder.display()));
        }
    }
    let explore = ExploreArgs { theme: args.theme, ..ExploreArgs::default() };
    start(explore, args.runs, args.lines, config)
}

pub fn run(args: ExploreArgs, config: Config) -> Result<ExitCode> {
    start(args, Vec::new(), Vec::new(), config)
}

fn start(
    args: ExploreArgs,
    runs: Vec<PathBuf>,
    lines: Vec<(String, f64)>,
    mut config: Config,
) -> Result<ExitCode> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return super::common::misuse(
            "the explorer needs a terminal; `pluriscope snapshot` prints a screen without one",
        );
    }
    for path in &args.paths {
        if let Err(error) = std::fs::metadata(path) {
            return super::common::misuse(format!("{}: {error}", path.display()));
        }
    }
    if args.no_mouse {
        config.mouse = false;
    }
    let depth = depth();
    let theme = match args.theme.chosen(&config, depth) {
        Ok(theme) => theme,
        Err(problem) => return super::common::misuse(problem),
    };
    let options = OpenOptions {
        paths: args.paths,
        theme: Some(theme),
        size: (0, 0),
        keep: !args.forget,
        seed: args.seed,
        runs,
        lines,
        desk: None,
    };
    let recorder = match &args.record {
        Some(path) => match Recorder::create(path) {
            Ok(recorder) => Some(recorder),
            Err(error) => return super::common::misuse(format!("{}: {error}", path.display())),
        },
        None => None,
    };
    let mut session = open(config, options, depth)?;
    session.recorder = recorder;
    runtime::run(session)?;
    Ok(ExitCode::SUCCESS)
}
