//! Runs rows through an engine and writes each as it finishes.

use super::{
    Report,
    output::Output,
    probabilities::{Writer, with_probabilities},
};
use crate::{
    core::{Finish, Item, Trace, check::Scoring},
    engine::{Engine, EngineHandle, EngineOptions, ModelProvider},
    job::{Command, GenerateRow, JobEvent, JobId, Progress, RowId},
};
use color_eyre::eyre::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// Failed rows that are listed; the rest is counted.
const LISTED: usize = 10;

/// A run over many rows.
pub struct Run<P> {
    pub provider: P,
    pub options: EngineOptions,
    pub interrupted: Arc<AtomicBool>,
    /// Whether each trace is asked for the probabilities of the options after its rationale, and how.
    pub probabilities: Option<Scoring>,
    /// No progress bar even on a terminal.
    pub quiet: bool,
}

/// A row under way.
enum Open {
    /// It is being written; the writer is known where it will be asked for probabilities.
    Writing { item: Arc<Item>, writer: Option<Writer> },
    /// It is written, and the options are being scored.
    Scoring { item: Arc<Item>, trace: Arc<Trace>, by: Scoring },
}

impl<P: ModelProvider> Run<P> {
    /// Writes every row to `output` as it finishes. When interrupted, rows under way are dropped: written again
    /// from the beginning, they come out the same.
    pub fn write(self, rows: Vec<GenerateRow>, output: &mut Output, report: &mut Report) -> Result<()> {
        let (sender, events) = mpsc::channel();
        // The receiver outlives the engine.
        let engine = Engine::start(self.options, self.provider, move |event| drop(sender.send(event)))?;
        let chunk = (self.options.max_rows * 4).max(64);
        let bar = bar(rows.len() as u64, self.quiet);
        let begun = Instant::now();
        let next_row = rows.iter().map(|row| row.row.0 + 1).max().unwrap_or(0);
        let mut waiting = rows.into_iter();
        let mut under_way =
            UnderWay { engine: &engine, open: HashMap::new(), jobs: 0, by: self.probabilities, next_row };
        loop {
            let stop = self.interrupted.load(Ordering::Relaxed);
            if !stop && under_way.open.len() <= self.options.max_rows {
                under_way.begin(waiting.by_ref().take(chunk).collect());
            }
            if under_way.open.is_empty() {
                break;
            }
            if stop && !report.interrupted {
                report.interrupted = true;
                bar.set_message("stopping");
                for job in 1..=under_way.jobs {
                    engine.send(Command::Cancel(JobId(job)));
                }
            }
            match events.recv_timeout(Duration::from_millis(100)) {
                Ok(event) => under_way.take(event, output, report, &bar)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        bar.finish_and_clear();
        report.seconds = begun.elapsed().as_secs_f64();
        report.tokens_per_second = report.tokens as f64 / report.seconds.max(1e-9);
        Ok(())
    }
}

/// Rows that were sent, and the jobs that they belong to.
struct UnderWay<'a> {
    engine: &'a EngineHandle,
    open: HashMap<RowId, Open>,
    jobs: u64,
    by: Option<Scoring>,
    next_row: u64,
}

impl UnderWay<'_> {
    fn begin(&mut self, rows: Vec<GenerateRow>) {
        if rows.is_empty() {
            return;
        }
        for row in &rows {
            let writer = self.by.map(|_| Writer::of(row));
            self.open.insert(row.row, Open::Writing { item: Arc::clone(&row.item), writer });
        }
        self.jobs += 1;
        self.engine.send(Command::Generate { job: JobId(self.jobs), rows });
    }

    fn take(
        &mut self,
        event: JobEvent,
        output: &mut Output,
        report: &mut Report,
        bar: &ProgressBar,
    ) -> Result<()> {
        match event {
            JobEvent::RowDone { row, trace, .. } => {
                let Some(Open::Writing { item, writer }) = self.open.remove(&row) else { return Ok(()) };
                if trace.finish == Some(Finish::Cancelled) {
                    return Ok(());
                }
                if let (Some(by), Some(writer)) = (self.by, writer) {
                    // Half of a row is none: it is written again, and scored, when the run goes on.
                    if report.interrupted || self.score(&item, &trace, writer, by) {
                        return Ok(());
                    }
                }
                written(&item, &trace, output, report, bar)?;
            }
            JobEvent::RowScored { row, scores, .. } => {
                let Some(Open::Scoring { item, trace, by }) = self.open.remove(&row) else { return Ok(()) };
                let whole = with_probabilities(&item, &trace, &scores, by);
                report.unscored += usize::from(whole.is_none());
                written(&item, &whole.unwrap_or(trace), output, report, bar)?;
            }
            JobEvent::RowFailed { row, problem, .. } => match self.open.remove(&row) {
                Some(Open::Scoring { item, trace, .. }) if !report.interrupted => {
                    report.unscored += 1;
                    if report.unscored == 1 {
                        let about = "its trace is written without option probabilities";
                        bar.suspend(|| eprintln!("item {}: {about}: {problem}", item.id));
                    }
                    written(&item, &trace, output, report, bar)?;
                }
                Some(Open::Writing { item, .. }) => failed(&item, &problem, report, bar),
                _ => {}
            },
            JobEvent::ModelLoading { model, stage, fraction } => {
                bar.set_message(format!("{model}: {stage} {:.0} %", fraction * 100.0));
            }
            JobEvent::Progress(progress) => bar.set_message(words(&progress)),
            _ => {}
        }
        Ok(())
    }

    /// Asks for the probabilities of the options after a trace that was just written: its prompt and text are still
    /// in the cache. `false` where there is nothing to ask.
    fn score(&mut self, item: &Arc<Item>, trace: &Arc<Trace>, writer: Writer, by: Scoring) -> bool {
        let row = RowId(self.next_row);
        let Some(ask) = writer.ask(row, item, trace, by) else { return false };
        self.next_row += 1;
        self.jobs += 1;
        self.open.insert(row, Open::Scoring { item: Arc::clone(item), trace: Arc::clone(trace), by });
        self.engine.send(Command::Score { job: JobId(self.jobs), rows: vec![ask] });
        true
    }
}

fn written(
    item: &Item,
    trace: &Trace,
    output: &mut Output,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    output.append(item, trace)?;
    report.written += 1;
    report.tokens += trace.token_count().unwrap_or(0);
    bar.inc(1);
    Ok(())
}

fn failed(item: &Item, problem: &str, report: &mut Report, bar: &ProgressBar) {
    report.failed += 1;
    if report.failed <= LISTED {
        bar.suspend(|| eprintln!("item {}: {problem}", item.id));
    } else if report.failed == LISTED + 1 {
        bar.suspend(|| eprintln!("… more rows failed"));
    }
    bar.inc(1);
}

fn words(progress: &Progress) -> String {
    let left = progress.time_left.map_or(String::new(), |t| format!(", {} s left", t.as_secs()));
    format!("{} live, {:.0} tokens/s{left}", progress.rows_live, progress.tokens_per_second)
}

/// A progress bar on standard error, drawn only on a terminal.
fn bar(rows: u64, quiet: bool) -> ProgressBar {
    let hidden = quiet || !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(rows), target);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} rows {wide_bar} {msg}") {
        bar.set_style(style);
    }
    bar
}
