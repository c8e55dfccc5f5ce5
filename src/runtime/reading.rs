//! Files of the corpus and the library: opened in the background, lines read and traces kept as they are asked for.

use super::mailbox::{Mailbox, catching, now};
use crate::{
    app::{
        Event,
        event::{CorpusEvent, Record},
    },
    config::Config,
    core::{Corpus, Item, Loc, Trace, check::Record as Verdicts, corpus::LoadProgress},
    job::RowId,
    store::{Library, LoadOptions, Source, check_results::read_records, load},
};
use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, atomic::AtomicBool, mpsc},
};

/// Work of the reader thread.
pub(super) enum Read {
    Load(Vec<Loc>),
    Store { row: RowId, item: Arc<Item>, trace: Arc<Trace> },
    KeepChecks(Vec<Arc<Verdicts>>),
}

pub(super) fn open(
    paths: &[PathBuf],
    checks: &[PathBuf],
    config: &Config,
    place: &OnceLock<Arc<Source>>,
    cancel: &AtomicBool,
    keep: bool,
    mailbox: &Mailbox,
) {
    let source = match Source::open(paths, None) {
        Ok(source) => Arc::new(source),
        Err(error) => return mailbox.send(Event::Corpus(CorpusEvent::Failed(error.to_string()))),
    };
    for error in &source.skipped {
        mailbox.send(Event::Note(format!("left out: {error}")));
    }
    if place.set(Arc::clone(&source)).is_err() {
        return;
    }
    let options = LoadOptions { cache_dir: Some(config.cache_dir.clone()), threads: 0 };
    let mut last = LoadProgress::default();
    let mut whole = None;
    load(&source, &options, cancel, &mut |update| {
        last = update.progress;
        for problem in update.problems {
            mailbox.send(Event::Note(problem));
        }
        // The last snapshot waits for the kept generations.
        if update.progress.done {
            whole = update.corpus.or(whole.take());
            mailbox.send(Event::Corpus(CorpusEvent::Grown {
                corpus: whole.clone().unwrap_or_default(),
                progress: update.progress,
                bad: update.bad,
            }));
        } else if let Some(corpus) = update.corpus {
            mailbox.send(Event::Corpus(CorpusEvent::Grown {
                corpus,
                progress: update.progress,
                bad: update.bad,
            }));
        } else {
            mailbox.send(Event::Corpus(CorpusEvent::Progress { progress: update.progress, bad: update.bad }));
        }
    });
    if let Some(corpus) = whole {
        let grown = if keep { kept_generations(config, &source, &corpus, last, mailbox) } else { None };
        known_checks(checks, keep.then_some(config), &grown.unwrap_or(corpus), mailbox);
    }
}

/// Verdicts on traces of this corpus: this user's own first, then those that came with the corpus.
fn known_checks(files: &[PathBuf], config: Option<&Config>, corpus: &Corpus, mailbox: &Mailbox) {
    let mut records = Vec::new();
    if let Some(config) = config.filter(|c| c.database.exists()) {
        match Library::open(&config.database).and_then(|library| library.checks()) {
            Ok((own, damaged)) => {
                records.extend(own);
                if damaged > 0 {
                    mailbox.send(Event::Note(format!("{damaged} kept results of checks could not be read")));
                }
            }
            Err(error) => mailbox.send(Event::Note(error.to_string())),
        }
    }
    for path in files {
        match read_records(path) {
            Ok((found, bad)) => {
                records.extend(found);
                if bad > 0 {
                    let text = format!("{}: {bad} lines are no results of checks", path.display());
                    mailbox.send(Event::Note(text));
                }
            }
            Err(error) => mailbox.send(Event::Note(format!("{}: {error}", path.display()))),
        }
    }
    records.retain(|r| corpus.named(&r.trace).next().is_some());
    if !records.is_empty() {
        mailbox.send(Event::Checked(records.into_iter().map(Arc::new).collect()));
    }
}

/// Live traces of earlier sessions on items of this corpus; the corpus with them, where there are any.
fn kept_generations(
    config: &Config,
    source: &Source,
    corpus: &Corpus,
    progress: LoadProgress,
    mailbox: &Mailbox,
) -> Option<Corpus> {
    if !config.database.exists() {
        return None;
    }
    let rows = Library::open(&config.database).and_then(|library| library.generations());
    match rows {
        Err(error) => {
            mailbox.send(Event::Note(error.to_string()));
            None
        }
        Ok((generations, damaged)) => {
            let rows: Vec<_> = generations
                .into_iter()
                .filter(|g| corpus.find(g.item.id).is_some())
                .map(|g| {
                    let (item, trace) = (Arc::new(g.item), Arc::new(g.trace));
                    let loc = source.hold(Arc::clone(&item), Arc::clone(&trace));
                    (item, trace, loc)
                })
                .collect();
            if damaged > 0 {
                mailbox.send(Event::Note(format!("{damaged} kept traces could not be read")));
            }
            let grown = (!rows.is_empty()).then(|| corpus.with_traces(&rows))?;
            let corpus = grown.clone();
            mailbox.send(Event::Corpus(CorpusEvent::Grown { corpus, progress, bad: Vec::new() }));
            Some(grown)
        }
    }
}

pub(super) fn read_loop(
    work: &mpsc::Receiver<Read>,
    source: &OnceLock<Arc<Source>>,
    config: &Config,
    keep: bool,
    mailbox: &Mailbox,
) {
    let mut library: Option<Library> = None;
    while let Ok(work) = work.recv() {
        match work {
            Read::Load(locs) => {
                for loc in locs {
                    let record = catching(|| read(source, loc)).unwrap_or_else(Err);
                    mailbox.answer(Event::Loaded { loc, record });
                }
            }
            Read::Store { row, item, trace } => {
                let saved = match keep {
                    true => catching(|| store(&mut library, config, &item, &trace)).unwrap_or_else(Err),
                    false => Ok(()),
                };
                let result = saved.and_then(|()| {
                    source.get().map(|s| s.hold(item, trace)).ok_or_else(|| "nothing is open".to_owned())
                });
                mailbox.answer(Event::Stored { row, result });
            }
            Read::KeepChecks(records) => {
                let records = records.iter().map(|r| &**r);
                let kept = catching(|| {
                    opened(&mut library, config)
                        .and_then(|library| library.keep_checks(records, now()).map_err(|e| e.to_string()))
                })
                .unwrap_or_else(Err);
                if let Err(problem) = kept {
                    mailbox.send(Event::Note(format!("results of checks were not kept: {problem}")));
                }
                mailbox.settle();
            }
        }
    }
}

fn read(source: &OnceLock<Arc<Source>>, loc: Loc) -> Result<Record, String> {
    let row = source.get().ok_or("nothing is open")?.read(loc).map_err(|error| error.to_string())?;
    Ok(Record { item: row.item.map(Arc::new), trace: row.trace.map(Arc::new) })
}

fn opened<'a>(library: &'a mut Option<Library>, config: &Config) -> Result<&'a mut Library, String> {
    let open = match library.take() {
        Some(open) => open,
        None => Library::open(&config.database).map_err(|error| error.to_string())?,
    };
    Ok(library.insert(open))
}

fn store(library: &mut Option<Library>, config: &Config, item: &Item, trace: &Trace) -> Result<(), String> {
    opened(library, config)?.add_generation(item, trace, now()).map(|_| ()).map_err(|error| error.to_string())
}
