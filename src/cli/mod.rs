//! The command line: one file per subcommand, and the dispatch.

pub mod annotate;
pub mod annotations;
pub mod append;
pub mod check;
pub mod common;
pub mod demo;
pub mod doctor;
pub mod eval;
pub mod explore;
pub mod generate;
pub mod guard;
pub mod import;
pub mod manual;
pub mod models;
pub mod replay;
pub mod snapshot;
pub mod theme;
pub mod train;

use crate::config::{Config, ConfigArgs};
use clap::{CommandFactory, Parser, Subcommand};
use color_eyre::eyre::Result;
use std::{
    any::Any,
    fmt::Display,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::ExitCode,
};

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
    let cli = Cli::parse();
    if let Err(error) = install_hooks() {
        say(format_args!("error: {error:#}"));
    }
    // A pipe that closes ends the program quietly, as it ends every other tool.
    match catch_unwind(AssertUnwindSafe(|| dispatch(cli))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            say(format_args!("error: {error:#}"));
            ExitCode::from(1)
        }
        Err(panic) => match unprinted(&*panic) {
            Some(problem) if problem == format!("stdout: {}", broken_pipe()) => ExitCode::SUCCESS,
            Some(problem) => {
                say(format_args!("error: {problem}"));
                ExitCode::from(1)
            }
            None => resume_unwind(panic),
        },
    }
}

/// Reports of errors and panics in words; `print!` that found nobody to read it is no fault, and `main` sees to it.
fn install_hooks() -> Result<()> {
    let hooks = color_eyre::config::HookBuilder::default().display_env_section(false);
    let (panics, errors) = hooks.try_into_hooks()?;
    std::panic::set_hook(Box::new(move |info| {
        if unprinted(info.payload()).is_none() {
            say(panics.panic_report(info));
        }
    }));
    Ok(errors.install()?)
}

/// Says something on standard error, which may be gone: `eprintln!` would panic then.
fn say(words: impl Display) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// What `print!` and `eprint!` panic with when they cannot write: the stream, and why.
fn unprinted(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<String>()?.strip_prefix("failed printing to ")
}

/// As the system words it.
fn broken_pipe() -> io::Error {
    io::Error::from_raw_os_error(libc::EPIPE)
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    let named_model = cli.config.model.clone();
    let config = match Config::resolve(&cli.config) {
        Ok(config) => config,
        Err(error) => return common::misuse(error),
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
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
