//! `annotations export`, `import` and `merge`.

use super::{ExportArgs, file_error, library, named, now, tables};
use crate::{
    cli::common::misuse,
    config::Config,
    store::annotations::formats::{
        Export, ExportOptions, LabelFormat, argilla, import::ImportOptions, label_studio, parquet, plain,
        potato,
    },
};
use clap::Args;
use color_eyre::eyre::{Result, WrapErr};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

pub fn export(args: &ExportArgs, config: &Config) -> Result<ExitCode> {
    let library = library(config)?;
    let project = named(&library, args.project.as_deref())?;
    let options = ExportOptions { text: !args.by_reference, unsaved: args.all };
    let export = Export::of(&library, project, options)?;
    match (args.format, &args.out) {
        (LabelFormat::Argilla, Some(folder)) => {
            argilla::folder(&export, folder).map_err(|e| file_error(folder, &e))?;
        }
        (LabelFormat::Potato, Some(folder)) => {
            potato::folder(&export, folder).map_err(|e| file_error(folder, &e))?;
        }
        (LabelFormat::Argilla | LabelFormat::Potato | LabelFormat::Parquet, None) => {
            return misuse(format!("--format {} needs --out", args.format));
        }
        (format, Some(path)) => {
            let mut draft = path.as_os_str().to_owned();
            draft.push(".part");
            let draft = PathBuf::from(draft);
            let file = File::create(&draft).wrap_err_with(|| format!("cannot write {}", draft.display()))?;
            write(format, &export, BufWriter::new(file)).map_err(|e| file_error(&draft, &e))?;
            std::fs::rename(&draft, path).wrap_err_with(|| format!("cannot write {}", path.display()))?;
            if format == LabelFormat::LabelStudio {
                let interface = path.with_extension("xml");
                std::fs::write(&interface, label_studio::config(&export.project.rubric))
                    .map_err(|e| file_error(&interface, &e))?;
            }
        }
        (format, None) => write(format, &export, std::io::stdout())?,
    }
    eprintln!("{}: {} labels of {} traces", export.project.name, export.labels.len(), export.tasks.len());
    Ok(ExitCode::SUCCESS)
}

fn write(format: LabelFormat, export: &Export, mut out: impl Write + Send) -> Result<()> {
    match format {
        LabelFormat::Csv => plain::csv(export, &mut out)?,
        LabelFormat::Parquet => parquet::parquet(export, &mut out)?,
        LabelFormat::LabelStudio => {
            serde_json::to_writer(&mut out, &label_studio::tasks(export))?;
            out.write_all(b"\n")?;
        }
        _ => plain::json_lines(export, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// Take labels back from a file: our JSON Lines, CSV or Parquet, or an export of Label Studio
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope annotations import --project pilot project-1-at-2026-11-24.json --annotator cy

Labels that differ from one that is here are listed and left alone, unless --replace is given; the history keeps both.
Exit status: 0 all labels were taken, 1 some rows were bad or differ, 2 misuse.")]
pub struct ImportArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Project by name; the only one by default
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Who made the labels, where the file does not say
    #[arg(long, value_name = "NAME")]
    pub annotator: Option<String>,
    /// Answers of the file replace those here where they differ
    #[arg(long)]
    pub replace: bool,
    /// Report in JSON
    #[arg(long)]
    pub json: bool,
}

pub fn import(args: &ImportArgs, config: &Config) -> Result<ExitCode> {
    let mut library = library(config)?;
    let project = named(&library, args.project.as_deref())?;
    let options = ImportOptions { annotator: args.annotator.clone(), replace: args.replace };
    let report = library.import_labels(&project, &args.file, &options, now())?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        for line in report.bad.iter().chain(&report.conflicts) {
            println!("{}: {line}", args.file.display());
        }
        println!(
            "{}: {} labels read, {} changed something, {} new traces, {} bad, {} differ",
            project.name,
            report.labels,
            report.changed,
            report.traces,
            report.bad.len(),
            report.conflicts.len()
        );
    }
    Ok(ExitCode::from(u8::from(!report.bad.is_empty() || !report.conflicts.is_empty())))
}

/// Take over the labels of another machine's database
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope annotations merge laptop.db

Everything that is not here comes over. Where one person labelled one trace differently on both, the label that was
changed last stands, the difference is listed, and the history keeps both. The other database is only read.
Exit status: 0 merged without conflicts, 1 merged with conflicts, 2 misuse.")]
pub struct MergeArgs {
    /// The other database
    #[arg(value_name = "FILE")]
    pub other: PathBuf,
    /// Report in JSON
    #[arg(long)]
    pub json: bool,
}

pub fn merge(args: &MergeArgs, config: &Config) -> Result<ExitCode> {
    if same(&args.other, &config.database) {
        return misuse(format!("{}: this is the library itself", args.other.display()));
    }
    let report = library(config)?.merge(&args.other, now())?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        tables::list(&report.conflicts);
        for name in &report.rubrics_differ {
            println!(
                "{name}: the rubric differs; the one here stays, labels keep the version they were made with"
            );
        }
        println!(
            "{} new projects, {} new traces, {} acts, {} labels changed, {} conflicts",
            report.projects,
            report.traces,
            report.acts,
            report.labels,
            report.conflicts.len()
        );
    }
    Ok(ExitCode::from(u8::from(!report.conflicts.is_empty())))
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
