//! `pluriscope annotate`: the annotator's desk in this terminal, blind by default.

use super::{
    annotations::{library, open_traces},
    theme::ThemeArg,
};
use crate::{
    app::annotate::OpenDesk,
    config::Config,
    core::annotation::{DEFAULT_RUBRIC, Rubric},
    runtime::{
        self,
        open::{OpenOptions, depth, open},
    },
    store::annotations::{AnnotationError, NewProject, NewTask},
};
use clap::Args;
use color_eyre::eyre::Result;
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

/// Label traces for faithfulness, by keyboard
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Examples:
  pluriscope annotate traces.jsonl --as ada     a project of all these traces, and ada's queue in it
  pluriscope annotate --project pilot --as bo   bo's queue in a project made by `annotations init`
  pluriscope annotate --project pilot --as cy --adjudicate

Digits answer, enter saves and goes on, backspace goes back, u undoes without limit; ? lists all keys. Every answer is
on the disk when the line above says so. Method, gold, checks and others' labels stay hidden until all traces of an item
are saved; R shows them earlier, is logged, and marks the label.")]
pub struct AnnotateArgs {
    /// Traces; a project of that name is made, or added to. Without any, --project or the only project is opened
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Project by name
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Who labels; by default the name that the system knows
    #[arg(long = "as", value_name = "NAME")]
    pub annotator: Option<String>,
    /// Decide where people disagree
    #[arg(long)]
    pub adjudicate: bool,
    /// Show method, gold and checks from the start; the labels count as not blind
    #[arg(long)]
    pub not_blind: bool,
    #[command(flatten)]
    pub theme: ThemeArg,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
}

pub fn run(args: AnnotateArgs, mut config: Config) -> Result<ExitCode> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return super::common::misuse(
            "labelling needs a terminal; `pluriscope snapshot --annotate PROJECT` prints the desk without one",
        );
    }
    let project = if args.paths.is_empty() {
        args.project.clone()
    } else {
        Some(project_of(&args.paths, args.project.as_deref(), &config)?)
    };
    // What can be said before the screen is taken is said here.
    library(&config)?.project(project.as_deref())?;
    if args.no_mouse {
        config.mouse = false;
    }
    let depth = depth();
    let theme = match args.theme.chosen(&config, depth) {
        Ok(theme) => theme,
        Err(problem) => return super::common::misuse(problem),
    };
    let desk = OpenDesk {
        project,
        annotator: args.annotator,
        adjudicate: args.adjudicate,
        blind: !args.not_blind,
        traces: Vec::new(),
    };
    let options = OpenOptions { theme: Some(theme), keep: true, desk: Some(desk), ..OpenOptions::default() };
    runtime::run(open(config, options, depth)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The project of these files: made where it is not there, and filled with their traces.
fn project_of(paths: &[PathBuf], name: Option<&str>, config: &Config) -> Result<String> {
    let stem = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned());
    let name = name
        .map(str::to_owned)
        .or_else(|| paths.first().and_then(|p| stem(p)))
        .unwrap_or_else(|| "annotations".to_owned());
    let mut library = library(config)?;
    let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let known = library.projects()?.into_iter().find(|p| p.name == name);
    let id = match known {
        Some(project) => project.id,
        None => {
            let rubric = Rubric::parse(DEFAULT_RUBRIC)
                .map_err(|problems| AnnotationError::Rubric { path: "faithfulness.toml".into(), problems })?;
            library.new_project(&NewProject { name: &name, rubric: &rubric, query: "everything" }, at_ms)?
        }
    };
    let traces = open_traces(paths)?;
    let tasks: Vec<NewTask<'_>> =
        traces.iter().map(|(item, trace)| NewTask { item, trace, annotators: Vec::new() }).collect();
    library.add_tasks(id, &tasks)?;
    Ok(name)
}
