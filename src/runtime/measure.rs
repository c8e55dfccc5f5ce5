//! Runs the steps of a measurement on a few threads, and reads what the index does not hold: option probabilities and
//! the model's own text.

use crate::{
    core::{
        Corpus, Trace, TraceIx,
        metric::{
            Compat, Measure, Report, Samples, Settings,
            columns::{DataSet, data_sets},
            distribution::{self, Compared},
            report::CompatRow,
            steps::{Part, take},
        },
        query::{Query, Selection},
    },
    store::Source,
};
use std::{
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// A report in the making is shown at most this often.
const EVERY: Duration = Duration::from_millis(120);
/// Measuring takes at most this many threads: the worker needs some, too.
const THREADS: usize = 4;
/// If none of so many traces carries option probabilities, none is expected to.
const PROBE: usize = 200;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub corpus: &'a Corpus,
    pub query: &'a Query,
    pub selection: &'a Selection,
    pub settings: Settings,
    /// Only these methods; none is all.
    pub methods: &'a [String],
    pub compat: Option<Compat>,
}

/// Measures a selection. `shown` gets the report so far, and how many steps of how many are done. `None` when
/// `cancel` was set meanwhile.
pub fn measure(
    request: &Request<'_>,
    source: Option<&Source>,
    cancel: &AtomicBool,
    shown: &mut dyn FnMut(&Report, usize, usize),
) -> Option<Report> {
    let mut sets = data_sets(request.corpus, &request.selection.items, request.settings.samples);
    if !request.methods.is_empty() {
        for set in &mut sets {
            set.columns.methods.retain(|m| request.methods.iter().any(|wanted| wanted == m.name()));
        }
    }
    if cancel.load(Ordering::Relaxed) {
        return None;
    }
    let work = Measure::new(sets, request.settings.clone());
    let mut report = work.report();
    report.filter = request.query.to_string();
    report.compat = request.compat;
    run_steps(&work, request.corpus, cancel, &mut report, shown)?;
    if let Some(source) = source {
        for (at, set) in work.sets.iter().enumerate() {
            let found = distributions(request, source, set, cancel)?;
            let rows = match request.compat {
                Some(compat) => rescored(request.corpus, source, set, compat, cancel)?,
                None => Vec::new(),
            };
            if let Some(slot) = report.sets.get_mut(at) {
                (slot.distributions, slot.compat) = (found, rows);
            }
        }
    }
    Some(report)
}

fn run_steps(
    work: &Measure,
    corpus: &Corpus,
    cancel: &AtomicBool,
    report: &mut Report,
    shown: &mut dyn FnMut(&Report, usize, usize),
) -> Option<()> {
    let steps = work.steps();
    let threads =
        std::thread::available_parallelism().map_or(2, usize::from).min(THREADS).min(steps.len().max(1));
    let next = AtomicUsize::new(0);
    let (sender, parts) = mpsc::channel::<Part>();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, steps, next) = (sender.clone(), &steps, &next);
            scope.spawn(move || {
                while !cancel.load(Ordering::Relaxed)
                    && let Some(step) = steps.get(next.fetch_add(1, Ordering::Relaxed))
                    // Without a receiver nobody wants the rest.
                    && sender.send(work.run(*step, corpus)).is_ok()
                {}
            });
        }
        drop(sender);
        let (mut done, mut last) = (0, Instant::now());
        for part in parts {
            take(report, part);
            done += 1;
            if last.elapsed() >= EVERY {
                shown(report, done, steps.len());
                last = Instant::now();
            }
        }
        (done == steps.len()).then_some(())
    })
}

/// Each method's option probabilities against the human ones, where its traces carry any. Where every sample counts,
/// those of an item are averaged first: the probabilities over the rationales that the method writes.
fn distributions(
    request: &Request<'_>,
    source: &Source,
    set: &DataSet,
    cancel: &AtomicBool,
) -> Option<Vec<distribution::DistributionScore>> {
    let columns = &set.columns;
    if columns.values {
        return Some(Vec::new());
    }
    let corpus = request.corpus;
    let clusters: Vec<_> = columns.clusters().collect();
    let mut found = Vec::new();
    for answers in &columns.methods {
        let (mut compared, mut read) = (Vec::new(), 0);
        'method: for (cluster, rows) in clusters.iter().enumerate() {
            for row in rows.clone() {
                let Some(ix) = answers.trace(row) else { continue };
                if cancel.load(Ordering::Relaxed) {
                    return None;
                }
                if read >= PROBE && compared.is_empty() {
                    break 'method;
                }
                read += 1;
                let traces = match columns.samples {
                    Samples::Mean => samples_of(corpus, ix),
                    Samples::First | Samples::Majority => vec![ix],
                };
                compared.extend(one_distribution(corpus, source, set, row, &traces, cluster as u32));
            }
        }
        if !compared.is_empty() {
            found.push(distribution::summarise(answers.name(), &compared, request.settings.resampling));
        }
    }
    Some(found)
}

/// All samples of the method that wrote this trace, on its item.
fn samples_of(corpus: &Corpus, ix: TraceIx) -> Vec<TraceIx> {
    let entry = corpus.trace(ix);
    entry.map_or_else(Vec::new, |entry| corpus.samples(entry.item(), entry.method()).collect())
}

fn one_distribution(
    corpus: &Corpus,
    source: &Source,
    set: &DataSet,
    row: usize,
    traces: &[TraceIx],
    cluster: u32,
) -> Option<Compared> {
    let item_ix = *set.columns.items.get(row)?;
    let options = corpus.item(item_ix)?.options();
    let found = traces.iter().filter_map(|ix| source.trace(corpus, *ix).ok());
    let found: Vec<_> = found.filter_map(|trace| distribution::of_trace(&trace, options)).collect();
    let model = distribution::mean(&found)?;
    let human = distribution::of_item(&source.item(corpus, item_ix).ok()?)?;
    let group = corpus.perspective(*set.columns.perspectives.get(row)?)?.name.clone();
    Compared::of(cluster, &group, &human, &model)
}

/// The model's texts read again as a published script reads them.
fn rescored(
    corpus: &Corpus,
    source: &Source,
    set: &DataSet,
    compat: Compat,
    cancel: &AtomicBool,
) -> Option<Vec<CompatRow>> {
    let columns = &set.columns;
    let mut found = Vec::new();
    for answers in &columns.methods {
        let (mut gold, mut classes) = (Vec::new(), Vec::new());
        for (row, code) in columns.gold.iter().enumerate() {
            if cancel.load(Ordering::Relaxed) {
                return None;
            }
            let trace: Option<Trace> = answers.trace(row).and_then(|ix| source.trace(corpus, ix).ok());
            let letter = crate::core::metric::columns::letter(*code).and_then(|l| compat.gold(l));
            if let (Some(trace), Some(letter)) = (trace, letter) {
                gold.push(letter);
                classes.push(compat.class(&trace.llm_output));
            }
        }
        if !gold.is_empty() {
            let scores = compat.scores(&gold, &classes);
            found.push(CompatRow { method: answers.name().to_owned(), scores });
        }
    }
    Some(found)
}
