//! `pluriscope eval`: the study's tables with intervals, tests and baselines, as text or as a report.

mod curves;

use super::common::{self, misuse};
use crate::{
    config::Config,
    core::{
        Corpus,
        check::{Record, summary},
        corpus::Marks,
        metric::{Compat, Report, ReportFormat, Resampling, Samples, Settings},
        query::{Order, Query, evaluate},
    },
    runtime::{
        measure::{Request, measure},
        open::bundled_folder,
        report::{Provenance, command, render},
    },
    setup,
    store::{LoadOptions, Source, check_results, load},
};
use clap::Args;
use color_eyre::eyre::{Result, WrapErr, eyre};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    borrow::Cow,
    collections::HashSet,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

/// Measure methods against gold, baselines and each other
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  pluriscope eval traces.jsonl --json
  pluriscope eval results/ --where \"kind:right split:test\" --format html -o report.html
  pluriscope eval results/ --compat study

Intervals come from a bootstrap over situations or questions; differences have McNemar's test, Holm's correction and
a paired bootstrap. Without PATH the bundled corpus is measured.

Exit status: 0 something was measured, 1 nothing to measure or interrupted, 2 misuse.")]
pub struct EvalArgs {
    /// Traces and items in any known format: files, or folders of files
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Items of traces that do not carry their own
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// Only items that this query selects; the language is that of the explorer's filter
    #[arg(long = "where", value_name = "QUERY")]
    pub filter: Option<String>,
    /// Only these methods, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    pub methods: Vec<String>,
    /// Also what a published script would print: study, study-saved or modular-pluralism
    #[arg(long, value_name = "SCRIPT")]
    pub compat: Option<Compat>,
    /// Results of `pluriscope check`, for the table of accuracy, faithfulness and safety
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub checks: Vec<PathBuf>,
    /// Training runs (folders of TensorBoard event files), for sample efficiency
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub logs: Vec<PathBuf>,
    /// Of repeated samples of a method on an item: first (only that one counts), majority (the commonest answer) or
    /// mean (every sample, averaged within the item)
    #[arg(long, default_value_t, value_name = "WHICH")]
    pub samples: Samples,
    /// Bootstrap samples
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    pub bootstrap: u32,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// text, html, md, csv, json or latex
    #[arg(long, default_value_t, value_name = "FORMAT")]
    pub format: ReportFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Where the report goes; standard output without it
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: EvalArgs, config: &Config) -> Result<ExitCode> {
    let query = match args.filter.as_deref().map(Query::parse).transpose() {
        Ok(query) => query.unwrap_or_default(),
        Err(error) => return misuse(format!("--where: {error}")),
    };
    let mut paths = args.paths.clone();
    if paths.is_empty() {
        paths = vec![bundled_folder(config)?];
    }
    // Items first: what is said of an item there counts.
    paths.splice(0..0, args.items.iter().cloned());
    for path in paths.iter().chain(&args.checks).chain(&args.logs) {
        if let Err(error) = std::fs::metadata(path) {
            return misuse(format!("{}: {error}", path.display()));
        }
    }
    let cancel = common::interrupt_flag()?;
    let source = Source::open(&paths, None).map_err(|e| eyre!("{e}"))?;
    for skipped in &source.skipped {
        eprintln!("left out: {skipped}");
    }
    let Some(corpus) = read(&source, &cancel) else { return Ok(ExitCode::from(1)) };
    if let Some(unknown) = args.methods.iter().find(|m| corpus.method_ix(m).is_none()) {
        let known: Vec<_> = corpus.methods().iter().map(|m| m.0.as_str()).collect();
        return misuse(format!("--methods: no trace is of `{unknown}`; there are {}", known.join(", ")));
    }
    let records = check_records(&args)?;
    let corpus = corpus.with_marks(Arc::new(Marks::of(&corpus, &records)));
    let rationale = |ix| source.trace(&corpus, ix).ok().map(|t| Cow::Owned(t.llm_output));
    let Some(selection) = evaluate(&corpus, &query, Order::default(), &rationale, &cancel) else {
        return Ok(ExitCode::from(1));
    };
    if selection.items.is_empty() {
        eprintln!("nothing to measure: no item is selected by `{query}`");
        return Ok(ExitCode::from(1));
    }
    let assets = setup::assets(config)?;
    let settings = Settings {
        resampling: Resampling { samples: args.bootstrap as usize, seed: args.seed },
        samples: args.samples,
        no_rationale: assets.methods.iter().filter(|m| !m.reasons()).map(|m| m.id.clone()).collect(),
    };
    let request = Request {
        corpus: &corpus,
        query: &query,
        selection: &selection,
        settings,
        methods: &args.methods,
        compat: args.compat,
    };
    let bar = bar();
    let measured = measure(&request, Some(&source), &cancel, &mut |_, done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let Some(mut report) = measured else { return Ok(ExitCode::from(1)) };
    let selected: HashSet<_> = selection.items.iter().filter_map(|ix| Some(corpus.item(*ix)?.id)).collect();
    let wanted = |r: &&Record| {
        selected.contains(&r.trace.item_id)
            && corpus.named(&r.trace).next().is_some()
            && (args.methods.is_empty() || args.methods.contains(&r.trace.method.0))
    };
    report.checks = summary::summarise(records.iter().filter(wanted)).checks;
    report.curves = curves::read(&args.logs)?;
    write(&args, &source, &report)?;
    Ok(ExitCode::SUCCESS)
}

fn read(source: &Source, cancel: &Arc<AtomicBool>) -> Option<Corpus> {
    let mut bad = 0;
    let options = LoadOptions { cache_dir: None, threads: 0 };
    let corpus = load(source, &options, cancel, &mut |update| {
        for line in &update.bad {
            if bad < 5 {
                eprintln!("left out: {line}");
            }
            bad += 1;
        }
        update.problems.iter().for_each(|problem| eprintln!("left out: {problem}"));
    });
    if bad > 5 {
        eprintln!("left out: {} more lines", bad - 5);
    }
    corpus
}

fn check_records(args: &EvalArgs) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for path in &args.checks {
        let (found, bad) = check_results::read_records(path).wrap_err_with(|| path.display().to_string())?;
        if bad > 0 {
            eprintln!("left out: {}: {bad} lines that are no check results", path.display());
        }
        records.extend(found);
    }
    // Later lines come first, and the first of a trace, check and parameters counts.
    let mut seen = HashSet::new();
    records.retain(|r| seen.insert(r.key()));
    Ok(records)
}

fn write(args: &EvalArgs, source: &Source, report: &Report) -> Result<()> {
    let format = if args.json { ReportFormat::Json } else { args.format };
    let provenance = Provenance::of(command(), source, report, &mut |_, _| {})?;
    let text = render(report, &provenance, format)?;
    match &args.out {
        Some(path) => std::fs::write(path, text).wrap_err_with(|| path.display().to_string()),
        None => Ok(std::io::stdout().write_all(text.as_bytes())?),
    }
}

/// A progress bar on standard error, drawn only on a terminal.
fn bar() -> ProgressBar {
    let hidden = !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) = ProgressStyle::with_template("measuring {pos}/{len} {wide_bar} {eta}") {
        bar.set_style(style);
    }
    bar
}
