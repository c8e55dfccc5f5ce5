//! Runs rows through an engine and writes each as it finishes.

use super::{Report, output::Output};
use crate::{
    core::Finish,
    engine::{Engine, EngineOptions, ModelProvider},
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
    /// No progress bar even on a terminal.
    pub quiet: bool,
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
        let mut waiting = rows.into_iter();
        let mut open: HashMap<RowId, Arc<crate::core::Item>> = HashMap::new();
        let mut jobs = 0u64;
        loop {
            let stop = self.interrupted.load(Ordering::Relaxed);
            if !stop && open.len() <= self.options.max_rows {
                let next: Vec<GenerateRow> = waiting.by_ref().take(chunk).collect();
                if !next.is_empty() {
                    open.extend(next.iter().map(|row| (row.row, Arc::clone(&row.item))));
                    jobs += 1;
                    engine.send(Command::Generate { job: JobId(jobs), rows: next });
                }
            }
            if open.is_empty() {
                break;
            }
            if stop && !report.interrupted {
                report.interrupted = true;
                bar.set_message("stopping");
                for job in 1..=jobs {
                    engine.send(Command::Cancel(JobId(job)));
                }
            }
            match events.recv_timeout(Duration::from_millis(100)) {
                Ok(event) => take(event, &mut open, output, report, &bar)?,
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

fn take(
    event: JobEvent,
    open: &mut HashMap<RowId, Arc<crate::core::Item>>,
    output: &mut Output,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    match event {
        JobEvent::RowDone { row, trace, .. } => {
            let Some(item) = open.remove(&row) else { return Ok(()) };
            if trace.finish == Some(Finish::Cancelled) {
                return Ok(());
            }
            output.append(&item, &trace)?;
            report.written += 1;
            report.tokens += trace.token_count().unwrap_or(0);
            bar.inc(1);
        }
        JobEvent::RowFailed { row, problem, .. } => {
            let Some(item) = open.remove(&row) else { return Ok(()) };
            report.failed += 1;
            if report.failed <= LISTED {
                bar.suspend(|| eprintln!("item {}: {problem}", item.id));
            } else if report.failed == LISTED + 1 {
                bar.suspend(|| eprintln!("… more rows failed"));
            }
            bar.inc(1);
        }
        JobEvent::ModelLoading { model, stage, fraction } => {
            bar.set_message(format!("{model}: {stage} {:.0} %", fraction * 100.0));
        }
        JobEvent::Progress(progress) => bar.set_message(words(&progress)),
        _ => {}
    }
    Ok(())
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
