//! `pluriscope check`: faithfulness checks over stored traces; goes on where it was interrupted.

mod collect;
mod report;

use super::{
    append::Appender,
    common::{self, misuse},
};
use crate::{
    config::Config,
    core::check::{CheckId, Reason, Record, Scoring, Settings, Source, TraceKey, Verdict, summary},
    engine::{
        Engine, EngineOptions,
        checking::{self, DriveError, News, Task},
    },
    job::JobEvent,
    setup,
};
use clap::Args;
use color_eyre::eyre::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::Report;
use std::{
    collections::{HashMap, HashSet},
    io::IsTerminal,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, mpsc},
    time::Instant,
};

/// Check stored traces for faithfulness and safety
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope check traces.jsonl --checks probability-trace,consistency -o checks.jsonl

Causal checks ask the model (and adapter) that wrote a trace, where it is on this machine and --model names no
other; a result that speaks of another model says so. Run the same command again after an interruption: results
that are in the file already, with the same check version and parameters, are left out.

Exit status: 0 every check came to an end, 1 a model could not be asked or the run was interrupted, 2 misuse.")]
pub struct CheckArgs {
    /// Traces in any format that `import` reads: files, or folders of files
    #[arg(required = true, value_name = "FILE")]
    pub traces: Vec<PathBuf>,
    /// Checks, separated by commas (probability-trace, early-answering, mistakes-frozen, mistakes-regenerated,
    /// filler, paraphrase, shuffled-options, biasing-hint, hint-acknowledged, perspective-swap, conclusion,
    /// consistency, consistency-controls, safety-lexical, safety-classifier, safety-guard)
    #[arg(long, value_delimiter = ',', default_value = "probability-trace", value_name = "CHECKS")]
    pub checks: Vec<CheckId>,
    /// How answers are read off: by option `letters`, or by `words`. By default what the writer knows better: words where a
    /// model without an adapter judged a value, letters elsewhere
    #[arg(long, value_name = "BY")]
    pub score: Option<Scoring>,
    /// Model that judges, or MODEL+ADAPTER (`smollm2-135m+judge` is shipped); the checking model without its
    /// adapter by default
    #[arg(long, value_name = "REF")]
    pub judge: Option<String>,
    /// Model that writes mistakes and paraphrases; rules by default
    #[arg(long, value_name = "REF")]
    pub maker: Option<String>,
    /// Items of traces that do not carry their own
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// Only traces of these methods, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    pub methods: Vec<String>,
    /// Only the first N traces
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Traces that are checked at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub batch: u16,
    /// Read every prompt from its beginning, one at a time: to compare what the cache saves
    #[arg(long)]
    pub naive: bool,
    /// JSON Lines file to append results to; standard output by default
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Report in JSON on standard output (with --out)
    #[arg(long, requires = "out")]
    pub json: bool,
}

/// Results that a file holds already.
type Present = HashMap<(TraceKey, CheckId, String), Record>;

/// Runs the command; `model` is the model reference of the command line, if one was given.
pub fn run(args: CheckArgs, model: Option<&str>, config: &Config) -> Result<ExitCode> {
    let assets = setup::assets(config)?;
    let mut present = Present::new();
    let mut appender = Appender::open(args.out.as_deref(), &mut |line| {
        if let Ok(record) = serde_json::from_slice::<Record>(line)
            && !matches!(record.verdict, Verdict::Unjudged(Reason::ModelFailed(_)))
        {
            present.insert(record.key(), record);
        }
    })?;
    let settings =
        |scoring| Arc::new(Settings { scoring, maker: args.maker.clone(), judge: args.judge.clone() });
    let (by_letters, by_words) = (settings(Scoring::Letters), settings(Scoring::Words));
    let collected = collect::subjects(&args, &assets, config, model)?;
    if collected.subjects.is_empty() {
        return misuse("there is no trace that can be checked");
    }
    let mut report = Report { traces: collected.subjects.len(), bad: collected.bad, ..Report::default() };
    let mut records = Vec::new();
    let mut tasks = Vec::new();
    let mut seen = HashSet::new();
    for (subject, routes) in collected.subjects {
        let key = TraceKey::of(&subject.trace);
        let settings = match args.score.unwrap_or_else(|| Scoring::fitting(&subject.item, &subject.trace)) {
            Scoring::Letters => &by_letters,
            Scoring::Words => &by_words,
        };
        let mut checks = args.checks.clone();
        checks.retain(|check| {
            let parameters = Source::of(*check, &subject, settings).parameters;
            let asked = (key.clone(), *check, parameters);
            let stored = present.get(&asked);
            report.already += usize::from(stored.is_some());
            // A trace that is there twice has one verdict, and a check that is named twice runs once.
            let first = seen.insert(asked.clone());
            records.extend(stored.filter(|_| first).cloned());
            stored.is_none() && first
        });
        if !checks.is_empty() {
            tasks.push(Task { subject: Arc::new(subject), settings: Arc::clone(settings), routes, checks });
        }
    }
    let provider = setup::local_models(config, &assets.models);
    let cancel = common::interrupt_flag()?;
    let (sender, events) = mpsc::channel();
    // The receiver outlives the engine.
    let engine = Engine::start(options(&args), provider, move |event| drop(sender.send(event)))?;
    let bar = bar(tasks.len() as u64);
    let begun = Instant::now();
    let at_once = if args.naive { 1 } else { usize::from(args.batch) };
    let mut failed = 0;
    let driven = checking::drive(&engine, &events, tasks, at_once, &cancel, &mut |news| -> Result<()> {
        match news {
            News::Record(record) => {
                failed += usize::from(matches!(record.verdict, Verdict::Unjudged(Reason::ModelFailed(_))));
                appender.line(serde_json::to_string(&record)?)?;
                records.push(*record);
            }
            News::TraceDone => bar.inc(1),
            News::Event(JobEvent::ModelLoading { model, stage, fraction }) => {
                bar.set_message(format!("{model}: {stage} {:.0} %", fraction * 100.0));
            }
            News::Event(JobEvent::ModelReady(ready)) => report.load_seconds += ready.load_time.as_secs_f64(),
            News::Event(_) => {}
        }
        Ok(())
    });
    bar.finish_and_clear();
    report.seconds = (begun.elapsed().as_secs_f64() - report.load_seconds).max(0.0);
    match driven {
        Ok(totals) => {
            report.cost(totals.cost);
            report.interrupted = totals.cancelled;
        }
        Err(DriveError::Sink(error)) => return Err(error),
        Err(error) => return Err(common::failure(error)),
    }
    report.failed = failed;
    report.summary = summary::summarise(&records);
    report::tell(&args, &report)?;
    Ok(ExitCode::from(u8::from(report.interrupted || report.failed > 0)))
}

/// Without a prefix cache and one row at a time, nothing is shared.
fn options(args: &CheckArgs) -> EngineOptions {
    if args.naive {
        EngineOptions { max_rows: 1, prefix_memory: 0, ..EngineOptions::default() }
    } else {
        EngineOptions::default()
    }
}

/// A progress bar on standard error, drawn only on a terminal.
fn bar(traces: u64) -> ProgressBar {
    let hidden = !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(traces), target);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} traces {wide_bar} {eta} {msg}") {
        bar.set_style(style);
    }
    bar
}
