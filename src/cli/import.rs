//! `pluriscope import`: any known format becomes our JSON Lines. Bad rows are listed, never fatal.

use crate::{
    core::ItemId,
    store::{Context, Format, Join, Row, detect, export, index, source},
};
use clap::Args;
use color_eyre::eyre::{Result, WrapErr};
use serde::Serialize;
use std::{
    collections::HashSet,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Bad rows that are listed; the rest is counted.
const LISTED: usize = 20;

/// Convert items and traces of another format to Pluriscope's JSON Lines
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope import steerable.json --join overton.json -o items.jsonl --json

Exit status: 0 all rows were converted, 1 some rows were bad or reading failed, 2 misuse.")]
pub struct ImportArgs {
    /// Files, or folders of files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the rows go; without it they go to standard output, or with --json nowhere
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The format of the rows, where their content does not tell
    /// (pluriscope, study, modular-vk, modular-opinionqa, modular-overton, valueprism, opinionqa, verl)
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// A Modular Pluralism Overton file whose explanations are joined in
    #[arg(long, value_name = "FILE")]
    pub join: Option<PathBuf>,
    /// Report in JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// What was converted.
#[derive(Debug, Default, Serialize)]
struct Report {
    format: String,
    rows: u64,
    bad: u64,
    items: u64,
    traces: u64,
    /// Items with a human-written explanation.
    explanations: u64,
    /// Rows whose item, as an item line, was there before.
    repeated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<PathBuf>,
}

/// Converts the files.
pub fn run(args: ImportArgs) -> Result<ExitCode> {
    if let Some(out) = &args.out
        && args.files.iter().chain(&args.join).any(|file| same_file(file, out))
    {
        eprintln!("error: {} is read and cannot be written at once; choose another --out", out.display());
        return Ok(ExitCode::from(2));
    }
    let join = args.join.as_deref().map(index::read_join).transpose()?;
    if join.as_ref().is_some_and(Join::is_empty) {
        let file = args.join.unwrap_or_default();
        eprintln!("error: {}: no explanations to join; --join takes an Overton file", file.display());
        return Ok(ExitCode::from(2));
    }
    let mut output = Output::create(args.out.as_deref(), args.json)?;
    let mut report = Report { out: args.out.clone(), ..Report::default() };
    convert(&args, join.map(Arc::new), &mut output, &mut report)?;
    output.finish()?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        eprintln!(
            "{}: {} rows ({} items, {} traces), {} bad",
            report.format, report.rows, report.items, report.traces, report.bad
        );
    }
    Ok(ExitCode::from(u8::from(report.bad > 0)))
}

fn convert(
    args: &ImportArgs,
    join: Option<Arc<Join>>,
    output: &mut Output,
    report: &mut Report,
) -> Result<()> {
    let mut skipped = Vec::new();
    let mut formats: Vec<&str> = Vec::new();
    let mut seen: HashSet<ItemId> = HashSet::new();
    for path in &args.files {
        for (file, layout) in detect::expand(path, args.format, &mut skipped)? {
            if !formats.contains(&layout.format.word()) {
                formats.push(layout.format.word());
            }
            let context = Context { join: join.clone(), ..Context::of(&file) };
            let mut failed = None;
            source::read_all(&file, layout, &context, &mut |number, row| match row {
                Ok(row) => {
                    report.count(&row, &mut seen);
                    if failed.is_none() {
                        failed = output.row(&row).err();
                    }
                }
                Err(reason) => {
                    report.bad += 1;
                    if report.bad <= LISTED as u64 {
                        eprintln!("{}:{number}: {reason}", file.display());
                    }
                }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
    }
    for error in skipped {
        eprintln!("left out: {error}");
    }
    if report.bad > LISTED as u64 {
        eprintln!("… and {} more bad rows", report.bad - LISTED as u64);
    }
    report.format = formats.join("+");
    Ok(())
}

impl Report {
    fn count(&mut self, row: &Row, seen: &mut HashSet<ItemId>) {
        self.rows += 1;
        self.traces += u64::from(row.trace.is_some());
        if let Some(item) = &row.item {
            let new = seen.insert(item.id);
            self.items += u64::from(new);
            self.repeated += u64::from(!new && row.trace.is_none());
            self.explanations += u64::from(new && item.explanation.is_some());
        }
    }
}

/// Where rows go. A file is written beside its place and moved there at the end; a device or a pipe is written to as it
/// stands, since moving a file there would put it in the device's place.
enum Output {
    Device { path: PathBuf, writer: BufWriter<File> },
    File { draft: PathBuf, target: PathBuf, writer: BufWriter<File> },
    Standard(BufWriter<std::io::Stdout>),
    Nowhere,
}

impl Output {
    fn create(out: Option<&Path>, json: bool) -> Result<Output> {
        let Some(target) = out else {
            return Ok(if json {
                Output::Nowhere
            } else {
                Output::Standard(BufWriter::new(std::io::stdout()))
            });
        };
        if std::fs::metadata(target).is_ok_and(|m| !m.is_file()) {
            let file = File::options().write(true).open(target);
            let file = file.wrap_err_with(|| format!("cannot write {}", target.display()))?;
            return Ok(Output::Device { path: target.to_owned(), writer: BufWriter::new(file) });
        }
        let mut draft = target.as_os_str().to_owned();
        draft.push(".part");
        let draft = PathBuf::from(draft);
        let file = File::create(&draft).wrap_err_with(|| format!("cannot write {}", draft.display()))?;
        Ok(Output::File { draft, target: target.to_owned(), writer: BufWriter::new(file) })
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        let line = export::line(row)?;
        match self {
            Output::File { writer, draft, .. } => {
                writeln!(writer, "{line}").wrap_err_with(|| format!("cannot write {}", draft.display()))?;
            }
            Output::Device { path, writer } => {
                writeln!(writer, "{line}").wrap_err_with(|| format!("cannot write {}", path.display()))?;
            }
            Output::Standard(writer) => writeln!(writer, "{line}")?,
            Output::Nowhere => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Output::File { draft, target, mut writer } => {
                writer.flush().wrap_err_with(|| format!("cannot write {}", draft.display()))?;
                drop(writer);
                std::fs::rename(&draft, &target)
                    .wrap_err_with(|| format!("cannot write {}", target.display()))
            }
            Output::Device { path, mut writer } => {
                writer.flush().wrap_err_with(|| format!("cannot write {}", path.display()))
            }
            Output::Standard(mut writer) => Ok(writer.flush()?),
            Output::Nowhere => Ok(()),
        }
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
