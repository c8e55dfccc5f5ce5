//! `pluriscope annotations`: projects and queues, progress, agreement, disagreements, exports, imports, merging.

mod files;
mod project;
mod tables;

use crate::{
    config::Config,
    core::{Item, Trace, annotation::Project, check::Record},
    store::{
        Library, StoreError, annotations::formats::LabelFormat, check_results::read_records, detect, source,
    },
};
use clap::{Args, Subcommand};
use color_eyre::eyre::Result;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Projects of labels: make, assign, follow, measure, decide, export, import, merge
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  pluriscope annotations init pilot traces.jsonl --annotators ada,bo --shared 50 --overlap 2
  pluriscope annotate --project pilot --as ada
  pluriscope annotations status --project pilot
  pluriscope annotations agreement --project pilot
  pluriscope annotations export --project pilot --format jsonl -o labels.jsonl")]
pub struct AnnotationsArgs {
    #[command(subcommand)]
    pub command: AnnotationsCommand,
}

#[derive(Subcommand, Clone, Debug)]
pub enum AnnotationsCommand {
    Init(project::InitArgs),
    Assign(project::AssignArgs),
    Status(StatusArgs),
    Rubric(project::RubricArgs),
    Agreement(AgreementArgs),
    /// List the traces on which people disagree; `annotate --adjudicate` decides them
    #[command(
        after_help = "Example:\n  pluriscope annotations adjudicate --project pilot\n\nExit status: 0 nothing is left to decide, 1 something is, 2 misuse."
    )]
    Adjudicate(StatusArgs),
    Export(ExportArgs),
    Import(files::ImportArgs),
    Merge(files::MergeArgs),
    /// List what was labelled differently on machines that were merged
    #[command(after_help = "Example:\n  pluriscope annotations conflicts")]
    Conflicts {
        /// Report in JSON
        #[arg(long)]
        json: bool,
    },
    /// List every act: who, when, before, after, rubric version, blind or not
    #[command(after_help = "Example:\n  pluriscope annotations history --project pilot")]
    History(StatusArgs),
}

/// Show how far everybody is
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  pluriscope annotations status --project pilot")]
pub struct StatusArgs {
    /// Project by name; the only one by default
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Report in JSON
    #[arg(long)]
    pub json: bool,
}

/// Measure how far people agree, and automatic checks with people
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope annotations agreement --project pilot --checks checks.jsonl

Percent agreement, Krippendorff's alpha (ordinal for scales), Gwet's AC1, Fleiss' and, for two people, Cohen's kappa,
each with a 95 % bootstrap interval over traces. Checks are compared with the adjudicated label, or where nobody
adjudicated with what two or more people agree on.")]
pub struct AgreementArgs {
    /// Project by name; the only one by default
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Results of `pluriscope check`, besides those in the library
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub checks: Vec<PathBuf>,
    /// Report in JSON
    #[arg(long)]
    pub json: bool,
}

/// Write labels in the format of another tool
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  pluriscope annotations export --format jsonl -o labels.jsonl
  pluriscope annotations export --format label-studio -o tasks.json     and tasks.xml, the labelling interface
  pluriscope annotations export --format argilla -o folder              read by argilla's Dataset.from_disk
  pluriscope annotations export --format potato -o folder")]
pub struct ExportArgs {
    /// Project by name; the only one by default
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// jsonl, csv, parquet, label-studio, argilla or potato
    #[arg(long, default_value = "jsonl", value_name = "FORMAT")]
    pub format: LabelFormat,
    /// File, or for argilla and potato a folder; standard output by default where it is one file of text
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Only what names each trace, not its text
    #[arg(long)]
    pub by_reference: bool,
    /// Labels that are not saved yet, too
    #[arg(long)]
    pub all: bool,
}

pub fn run(args: AnnotationsArgs, config: &Config) -> Result<ExitCode> {
    match args.command {
        AnnotationsCommand::Init(args) => project::init(&args, config),
        AnnotationsCommand::Assign(args) => project::assign(&args, config),
        AnnotationsCommand::Rubric(args) => project::rubric(&args, config),
        AnnotationsCommand::Status(args) => tables::status(&args, config),
        AnnotationsCommand::Agreement(args) => tables::agreement(&args, config),
        AnnotationsCommand::Adjudicate(args) => tables::adjudicate(&args, config),
        AnnotationsCommand::History(args) => tables::history(&args, config),
        AnnotationsCommand::Conflicts { json } => tables::conflicts(json, config),
        AnnotationsCommand::Export(args) => files::export(&args, config),
        AnnotationsCommand::Import(args) => files::import(&args, config),
        AnnotationsCommand::Merge(args) => files::merge(&args, config),
    }
}

/// The library of this configuration.
pub fn library(config: &Config) -> Result<Library> {
    Ok(Library::open(&config.database)?)
}

fn named(library: &Library, name: Option<&str>) -> Result<Project> {
    Ok(library.project(name)?)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// Every trace of these files with its item; what cannot be used is told.
pub fn open_traces(paths: &[PathBuf]) -> Result<Vec<(Arc<Item>, Arc<Trace>)>> {
    let mut skipped: Vec<StoreError> = Vec::new();
    let (mut items, mut traces) = (HashMap::new(), Vec::new());
    let mut bad = 0;
    for path in paths {
        for (file, layout) in detect::expand(path, None, &mut skipped)? {
            let context = crate::store::Context::of(&file);
            source::read_all(&file, layout, &context, &mut |_, row| match row {
                Ok(row) => {
                    if let Some(item) = row.item {
                        items.entry(item.id).or_insert_with(|| Arc::new(item));
                    }
                    traces.extend(row.trace.map(Arc::new));
                }
                Err(_) => bad += 1,
            })?;
        }
    }
    let found = traces.len();
    let traces: Vec<_> =
        traces.into_iter().filter_map(|t| Some((Arc::clone(items.get(&t.item_id)?), t))).collect();
    if bad > 0 {
        eprintln!("{bad} rows could not be read; `pluriscope import` lists them");
    }
    if traces.len() < found {
        eprintln!("{} traces are left out: their item is in none of these files", found - traces.len());
    }
    Ok(traces)
}

/// Results of checks: the library's own, newest first, then those of files.
fn check_records(library: &Library, files: &[PathBuf]) -> Result<Vec<Record>> {
    let (mut records, damaged) = library.checks()?;
    if damaged > 0 {
        eprintln!("{damaged} kept results of checks could not be read");
    }
    for path in files {
        let (found, bad) = read_records(path).map_err(|e| file_error(path, &e))?;
        if bad > 0 {
            eprintln!("{}: {bad} lines are no results of checks", path.display());
        }
        records.extend(found);
    }
    Ok(records)
}

fn file_error(path: &Path, error: &dyn std::fmt::Display) -> color_eyre::Report {
    super::common::failure(format!("{}: {error}", path.display()))
}
