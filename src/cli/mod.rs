//! The command line: one file per subcommand, and the dispatch.

pub mod annotate;
pub mod annotations;
pub mod append;
pub mod check;
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod eval;
pub mod explore;
pub mod generate;
pub mod guard;
pub mod import;
pub mod manual;
pub mod models;
pub mod replay;
pub mod snapshot;
pub mod train;

use crate::config::{Config, ConfigArgs};
use clap::{CommandFactory, Parser, Subcommand};
use color_eyre::eyre::Result;
use std::process::ExitCode;

/// Explore chain-of-thought traces of steerably pluralistic language models.
///
/// Without a subcommand the explorer opens: on the given files and folders, or on the bundled corpus.
#[derive(Parser, Debug)]
#[command(name = "pluriscope", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  pluriscope                                explore the bundled corpus
  pluriscope traces.jsonl                   explore traces of your own
  pluriscope models fetch smollm2-135m      bring a model that runs anywhere
  pluriscope generate --items items.jsonl --methods zero-shot-cot --limit 20 -o traces.jsonl

Exit status of every command: 0 done, 1 found something or failed, 2 misuse.")]
pub struct Cli {
    #[command(flatten)]
    pub explore: explore::ExploreArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Subcommands, in the order of `--help`.
#[derive(Subcommand, Debug)]
pub enum Command {
    Generate(generate::GenerateArgs),
    Replay(replay::ReplayArgs),
    Check(check::CheckArgs),
    Annotate(annotate::AnnotateArgs),
    Annotations(annotations::AnnotationsArgs),
    Train(Box<train::TrainCommand>),
    Watch(explore::WatchArgs),
    Eval(eval::EvalArgs),
    Import(import::ImportArgs),
    Models(models::ModelsArgs),
    Snapshot(snapshot::SnapshotArgs),
    Demo(demo::DemoArgs),
    Doctor(doctor::DoctorArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // A pipe that closes ends the program quietly, as it ends every other tool.
    let cli = Cli::parse();
    if let Err(error) = color_eyre::config::HookBuilder::default().display_env_section(false).install() {
        eprintln!("error: {error}");
    }
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    let named_model = cli.config.model.clone();
    let config = match Config::resolve(&cli.config) {
        Ok(config) => config,
        Err(error) => return engine::misuse(error),
    };
    match cli.command {
        None => explore::run(cli.explore, config),
        Some(Command::Generate(args)) => generate::run(args, &config),
        Some(Command::Replay(args)) => replay::run(args, named_model.as_deref(), &config),
        Some(Command::Check(args)) => check::run(args, named_model.as_deref(), &config),
        Some(Command::Annotate(args)) => annotate::run(args, config),
        Some(Command::Annotations(args)) => annotations::run(args, &config),
        Some(Command::Eval(args)) => eval::run(args, &config),
        Some(Command::Train(args)) => train::run(*args, &config),
        Some(Command::Watch(args)) => explore::watch(args, config),
        Some(Command::Import(args)) => import::run(args),
        Some(Command::Models(args)) => models::run(args, &config),
        Some(Command::Snapshot(args)) => snapshot::run(args, config),
        Some(Command::Demo(args)) => demo::run(args, config),
        Some(Command::Doctor(args)) => doctor::run(&args, &config),
        Some(Command::Completions(args)) => manual::completions(&args, &mut Cli::command()),
        Some(Command::Man(args)) => manual::man(&args, Cli::command()),
    }
}

fn is_broken_pipe(error: &color_eyre::Report) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
