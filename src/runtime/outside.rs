//! Effects, executed: every slow thing on a thread of its own, every answer an event.

use super::{
    measure,
    report::{Opened, save},
};
use crate::{
    app::{
        Effect, Event,
        annotate::{OpenDesk, Request},
        event::{CorpusEvent, FetchEvent, ModelLine, Record},
        metrics::{
            Measured,
            report::{Saved, Wish},
        },
    },
    cli::engine::{local_models, model_dirs},
    config::Config,
    core::{
        Corpus, Item, Loc, Trace,
        check::Record as Verdicts,
        corpus::LoadProgress,
        metric::{Report, Settings, chart::charts, sheet::sheets},
        query::{Order, Query, Selection, evaluate},
        run::RunLog,
    },
    engine::{Engine, EngineHandle, EngineOptions},
    job::{Command, JobEvent, RowId},
    store::{
        Library, LoadOptions, Source,
        assets::Assets,
        check_results::{holds_records, read_records},
        fetch::{FetchSettings, FetchUpdate, fetch},
        load,
        models::ModelRef,
    },
    train::runs,
};
use std::{
    borrow::Cow,
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc::UnboundedSender;

/// Sends events to the loop, and counts the answers that are still owed.
#[derive(Clone)]
pub struct Mailbox {
    sender: UnboundedSender<Event>,
    owed: Arc<AtomicUsize>,
}

impl Mailbox {
    pub fn new(sender: UnboundedSender<Event>) -> Mailbox {
        Mailbox { sender, owed: Arc::default() }
    }

    fn send(&self, event: Event) {
        // Without a loop there is nobody to tell.
        let _ = self.sender.send(event);
    }

    fn owe(&self, answers: usize) {
        self.owed.fetch_add(answers, Ordering::SeqCst);
    }

    pub(super) fn answer(&self, event: Event) {
        self.send(event);
        self.owed.fetch_sub(1, Ordering::SeqCst);
    }

    /// Answers that have not come yet: files being read, queries, traces being stored.
    pub fn owed(&self) -> usize {
        self.owed.load(Ordering::SeqCst)
    }
}

/// How often run folders are looked at.
const WATCH: Duration = Duration::from_millis(700);

/// Work of the reader thread.
enum Read {
    Load(Vec<Loc>),
    Store { row: RowId, item: Arc<Item>, trace: Arc<Trace> },
    KeepChecks(Vec<Arc<Verdicts>>),
}

/// What stands outside the state machine.
pub struct Outside {
    pub mailbox: Mailbox,
    config: Arc<Config>,
    assets: Arc<Assets>,
    paths: Vec<PathBuf>,
    /// Files of check results among the paths that were named.
    checks: Vec<PathBuf>,
    source: Arc<OnceLock<Arc<Source>>>,
    reader: mpsc::Sender<Read>,
    engine: Option<EngineHandle>,
    annotations: Option<mpsc::Sender<Request>>,
    /// The desk to open instead of a corpus.
    pub desk: Option<OpenDesk>,
    query_cancel: Arc<AtomicBool>,
    measure_cancel: Arc<AtomicBool>,
    fetch_cancel: Arc<AtomicBool>,
    cancel: Arc<AtomicBool>,
    /// Ends the thread that watches run folders.
    unwatch: Arc<AtomicBool>,
    /// Where runs are looked for.
    run_folders: Vec<PathBuf>,
    watch_at_start: bool,
    /// Levels of accuracy that stand beside the runs.
    lines: Vec<(String, f64)>,
    /// Whether live traces are kept between sessions.
    keep: bool,
}

impl Outside {
    pub fn new(
        config: Arc<Config>,
        assets: Arc<Assets>,
        paths: Vec<PathBuf>,
        keep: bool,
        sender: UnboundedSender<Event>,
    ) -> std::io::Result<Outside> {
        let mailbox = Mailbox::new(sender);
        let (reader, work) = mpsc::channel();
        let (checks, paths) = paths.into_iter().partition(|path| holds_records(path));
        let outside = Outside {
            mailbox: mailbox.clone(),
            config: Arc::clone(&config),
            assets,
            paths,
            checks,
            source: Arc::default(),
            reader,
            engine: None,
            annotations: None,
            desk: None,
            query_cancel: Arc::default(),
            measure_cancel: Arc::default(),
            fetch_cancel: Arc::default(),
            cancel: Arc::default(),
            unwatch: Arc::default(),
            run_folders: vec![PathBuf::from("runs"), config.data_dir.join("runs")],
            watch_at_start: false,
            lines: Vec::new(),
            keep,
        };
        let source = Arc::clone(&outside.source);
        std::thread::Builder::new()
            .name("pluriscope-reader".to_owned())
            .spawn(move || read_loop(&work, &source, &config, keep, &mailbox))?;
        Ok(outside)
    }

    /// Begins to open the corpus in the background.
    pub fn start_opening(&self) -> Vec<Effect> {
        if let Some(desk) = &self.desk {
            return vec![Effect::Annotate(Request::Open(desk.clone()))];
        }
        let (paths, checks) = (self.paths.clone(), self.checks.clone());
        let (config, mailbox) = (Arc::clone(&self.config), self.mailbox.clone());
        let (source, cancel, keep) = (Arc::clone(&self.source), Arc::clone(&self.cancel), self.keep);
        self.mailbox.owe(1);
        let failed = self.mailbox.clone();
        let spawned = std::thread::Builder::new().name("pluriscope-open".to_owned()).spawn(move || {
            open(&paths, &checks, &config, &source, &cancel, keep, &mailbox);
            mailbox.owed.fetch_sub(1, Ordering::SeqCst);
        });
        if let Err(error) = spawned {
            failed.answer(Event::Corpus(CorpusEvent::Failed(error.to_string())));
        }
        if self.watch_at_start { vec![Effect::WatchRuns(true)] } else { Vec::new() }
    }

    /// Watches these folders from the beginning, instead of the usual ones.
    pub fn watch_at_start(&mut self, folders: Vec<PathBuf>, lines: Vec<(String, f64)>) {
        self.lines = lines;
        self.run_folders = folders;
        self.watch_at_start = true;
    }

    /// Executes one effect. Those of the terminal are the loop's.
    pub fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::Load(locs) => {
                self.mailbox.owe(locs.len());
                let _ = self.reader.send(Read::Load(locs));
            }
            Effect::Store { row, item, trace } => {
                self.mailbox.owe(1);
                let _ = self.reader.send(Read::Store { row, item, trace });
            }
            Effect::Annotate(request) => self.annotate(request),
            Effect::KeepChecks(records) => {
                if self.keep {
                    self.mailbox.owe(1);
                    let _ = self.reader.send(Read::KeepChecks(records));
                }
            }
            Effect::WatchRuns(on) => self.watch_runs(on),
            Effect::Query { generation, query, order, corpus } => {
                self.query(generation, query, order, corpus)
            }
            Effect::Measure { generation, query, selection, corpus, settings } => {
                self.measure(generation, query, selection, corpus, settings);
            }
            Effect::Report(wish) => self.report(wish),
            Effect::Engine(command) => self.command(command),
            Effect::Fetch(model) => self.fetch(model),
            Effect::CancelFetch => self.fetch_cancel.store(true, Ordering::SeqCst),
            Effect::ListModels => self.list_models(),
            Effect::Quit | Effect::Suspend | Effect::Redraw | Effect::Copy(_) | Effect::SetMouse(_) => {}
        }
    }

    /// Stops what runs; does not wait for it.
    pub fn leave(&mut self) {
        self.cancel.store(true, Ordering::SeqCst);
        self.query_cancel.store(true, Ordering::SeqCst);
        self.measure_cancel.store(true, Ordering::SeqCst);
        self.fetch_cancel.store(true, Ordering::SeqCst);
        self.unwatch.store(true, Ordering::SeqCst);
        if let Some(engine) = self.engine.take() {
            engine.shutdown();
        }
    }

    fn watch_runs(&mut self, on: bool) {
        self.unwatch.store(true, Ordering::SeqCst);
        if !on {
            return;
        }
        let stop = Arc::new(AtomicBool::new(false));
        self.unwatch = Arc::clone(&stop);
        let (mailbox, folders) = (self.mailbox.clone(), self.run_folders.clone());
        let levels: Vec<Arc<RunLog>> =
            self.lines.iter().map(|(name, value)| Arc::new(RunLog::level(name, *value))).collect();
        self.mailbox.owe(1);
        let failed = self.mailbox.clone();
        let spawned = std::thread::Builder::new().name("pluriscope-runs".to_owned()).spawn(move || {
            let places: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            let mut seen = None;
            while !stop.load(Ordering::SeqCst) {
                let found: Vec<PathBuf> = folders.iter().flat_map(|folder| runs::find(folder)).collect();
                let now: Vec<(PathBuf, u64)> =
                    found.into_iter().map(|f| (f.clone(), runs::size(&f))).collect();
                if seen.as_ref() != Some(&now) {
                    let read = now.iter().map(|(folder, _)| Arc::new(runs::read(folder)));
                    let read = read.chain(levels.iter().cloned()).collect();
                    mailbox.send(Event::Runs { places: places.join(", "), runs: read });
                    if seen.is_none() {
                        mailbox.owed.fetch_sub(1, Ordering::SeqCst);
                    }
                    seen = Some(now);
                }
                std::thread::sleep(WATCH);
            }
        });
        if let Err(error) = spawned {
            failed.answer(Event::Note(format!("the runs cannot be watched: {error}")));
        }
    }

    fn annotate(&mut self, request: Request) {
        if self.annotations.is_none() {
            let (config, mailbox) = (Arc::clone(&self.config), self.mailbox.clone());
            match super::annotations::start(config, self.keep, mailbox) {
                Ok(sender) => self.annotations = Some(sender),
                Err(error) => {
                    return self.mailbox.send(Event::Note(format!("no annotation thread: {error}")));
                }
            }
        }
        if let Some(annotations) = &self.annotations {
            self.mailbox.owe(1);
            let _ = annotations.send(request);
        }
    }

    fn query(&mut self, generation: u64, query: Query, order: Order, corpus: Corpus) {
        self.query_cancel.store(true, Ordering::SeqCst);
        let cancel = Arc::new(AtomicBool::new(false));
        self.query_cancel = Arc::clone(&cancel);
        let (mailbox, source) = (self.mailbox.clone(), Arc::clone(&self.source));
        self.mailbox.owe(1);
        let failed = self.mailbox.clone();
        let spawned = std::thread::Builder::new().name("pluriscope-query".to_owned()).spawn(move || {
            let rationale = |ix| {
                let trace = source.get()?.trace(&corpus, ix).ok()?;
                Some(Cow::Owned(if trace.llm_output.is_empty() { trace.cot } else { trace.llm_output }))
            };
            if let Some(selection) = evaluate(&corpus, &query, order, &rationale, &cancel) {
                mailbox.send(Event::Selected { generation, selection: Arc::new(selection) });
            }
            mailbox.owed.fetch_sub(1, Ordering::SeqCst);
        });
        if let Err(error) = spawned {
            failed.answer(Event::Note(format!("the filter could not run: {error}")));
        }
    }

    fn measure(
        &mut self,
        generation: u64,
        query: Query,
        selection: Arc<Selection>,
        corpus: Corpus,
        settings: Settings,
    ) {
        self.measure_cancel.store(true, Ordering::SeqCst);
        let cancel = Arc::new(AtomicBool::new(false));
        self.measure_cancel = Arc::clone(&cancel);
        let (mailbox, source) = (self.mailbox.clone(), Arc::clone(&self.source));
        self.mailbox.owe(1);
        let failed = self.mailbox.clone();
        let spawned = std::thread::Builder::new().name("pluriscope-measure".to_owned()).spawn(move || {
            let (query, selection) = (&query, &*selection);
            let request =
                measure::Request { corpus: &corpus, query, selection, settings, methods: &[], compat: None };
            let tell = |report: &Report, running| {
                let measured =
                    Measured { report: report.clone(), sheets: sheets(report), charts: charts(report) };
                mailbox.send(Event::Measured { generation, measured: Arc::new(measured), running });
            };
            let source = source.get().map(AsRef::as_ref);
            let whole = measure::measure(&request, source, &cancel, &mut |report, done, of| {
                tell(report, Some((done, of)))
            });
            if let Some(report) = whole {
                tell(&report, None);
            }
            mailbox.owed.fetch_sub(1, Ordering::SeqCst);
        });
        if let Err(error) = spawned {
            failed.answer(Event::Note(format!("nothing could be measured: {error}")));
        }
    }

    fn report(&self, wish: Wish) {
        let (mailbox, source) = (self.mailbox.clone(), Arc::clone(&self.source));
        let opened = Opened { paths: self.paths.clone(), checks: self.checks.clone() };
        self.mailbox.owe(1);
        let failed = self.mailbox.clone();
        let spawned = std::thread::Builder::new().name("pluriscope-report".to_owned()).spawn(move || {
            let saved = save(&wish, source.get().map(AsRef::as_ref), &opened, &mut |done, of| {
                mailbox.send(Event::Report(Saved::Progress(done, of)));
            });
            mailbox.answer(Event::Report(saved));
        });
        if let Err(error) = spawned {
            failed.answer(Event::Report(Saved::Failed(error.to_string())));
        }
    }

    fn command(&mut self, command: Command) {
        if self.engine.is_none() {
            let mailbox = self.mailbox.clone();
            let provider = local_models(&self.config, &self.assets.models);
            let started = Engine::start(EngineOptions::default(), provider, move |event: JobEvent| {
                mailbox.send(Event::Job(event));
            });
            match started {
                Ok(engine) => self.engine = Some(engine),
                Err(error) => return self.mailbox.send(Event::Note(format!("no worker thread: {error}"))),
            }
        }
        if let Some(engine) = &self.engine {
            engine.send(command);
        }
    }

    fn fetch(&mut self, model: String) {
        let cancel = Arc::new(AtomicBool::new(false));
        self.fetch_cancel = Arc::clone(&cancel);
        let mailbox = self.mailbox.clone();
        let (config, entries) = (Arc::clone(&self.config), self.assets.models.clone());
        let failed = (self.mailbox.clone(), model.clone());
        self.mailbox.owe(1);
        let spawned = std::thread::Builder::new().name("pluriscope-fetch".to_owned()).spawn(move || {
            let event = match ModelRef::parse(&model, &entries) {
                Err(error) => FetchEvent::Failed { model, problem: error.to_string() },
                Ok(reference) => {
                    let settings = FetchSettings::from_env(model_dirs(&config));
                    let mut from = String::new();
                    let mut report = |update: FetchUpdate| {
                        let (bytes, total) = match update {
                            FetchUpdate::Trying(step) => {
                                from = step.to_string();
                                (0, None)
                            }
                            FetchUpdate::Bytes { done, total } => (done, total),
                            FetchUpdate::Checking { done, total } => (done, Some(total)),
                            FetchUpdate::DidNotWork(attempt) => {
                                mailbox.send(Event::Note(format!("{}: {}", attempt.step, attempt.reason)));
                                (0, None)
                            }
                        };
                        let model = model.clone();
                        let from = from.clone();
                        mailbox.send(Event::Fetch(FetchEvent::Progress { model, from, bytes, total }));
                        if cancel.load(Ordering::SeqCst) {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(())
                        }
                    };
                    match fetch(&reference, &settings, &mut report) {
                        Ok(_) => FetchEvent::Done { model },
                        Err(error) => FetchEvent::Failed { model, problem: error.to_string() },
                    }
                }
            };
            mailbox.answer(Event::Fetch(event));
        });
        if let Err(error) = spawned {
            let event = FetchEvent::Failed { model: failed.1, problem: error.to_string() };
            failed.0.answer(Event::Fetch(event));
        }
    }

    fn list_models(&self) {
        let dirs = model_dirs(&self.config);
        let mut lines: Vec<ModelLine> = self
            .assets
            .models
            .iter()
            .map(|entry| {
                let reference = ModelRef::Named(Box::new(entry.clone()));
                ModelLine {
                    reference: entry.name.clone(),
                    about: format!("{} · needs {} MB", entry.title, entry.memory),
                    present: dirs.locate(&reference).is_some(),
                }
            })
            .collect();
        lines.extend(dirs.others(&self.assets.models).into_iter().map(|path| ModelLine {
            reference: path.to_string_lossy().into_owned(),
            about: "found in the models folder".to_owned(),
            present: true,
        }));
        self.mailbox.send(Event::Models(lines));
    }
}

fn open(
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
        if keep {
            kept_generations(config, &source, &corpus, last, mailbox);
        }
        known_checks(checks, keep.then_some(config), &corpus, mailbox);
    }
}

/// Verdicts on items of this corpus: this user's own first, then those that came with the corpus.
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
    records.retain(|r| corpus.find(r.trace.item_id).is_some());
    if !records.is_empty() {
        mailbox.send(Event::Checked(records.into_iter().map(Arc::new).collect()));
    }
}

/// Live traces of earlier sessions on items of this corpus.
fn kept_generations(
    config: &Config,
    source: &Source,
    corpus: &Corpus,
    progress: LoadProgress,
    mailbox: &Mailbox,
) {
    if !config.database.exists() {
        return;
    }
    let rows = Library::open(&config.database).and_then(|library| library.generations());
    match rows {
        Err(error) => mailbox.send(Event::Note(error.to_string())),
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
            if !rows.is_empty() {
                let corpus = corpus.with_traces(&rows);
                mailbox.send(Event::Corpus(CorpusEvent::Grown { corpus, progress, bad: Vec::new() }));
            }
        }
    }
}

fn read_loop(
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
                    let record = source.get().ok_or("nothing is open".to_owned()).and_then(|s| {
                        s.read(loc).map_err(|error| error.to_string()).map(|row| Record {
                            item: row.item.map(Arc::new),
                            trace: row.trace.map(Arc::new),
                        })
                    });
                    mailbox.answer(Event::Loaded { loc, record });
                }
            }
            Read::Store { row, item, trace } => {
                let saved = if keep { store(&mut library, config, &item, &trace) } else { Ok(()) };
                let result = saved.and_then(|()| {
                    source.get().map(|s| s.hold(item, trace)).ok_or_else(|| "nothing is open".to_owned())
                });
                mailbox.answer(Event::Stored { row, result });
            }
            Read::KeepChecks(records) => {
                let records = records.iter().map(|r| &**r);
                let kept = opened(&mut library, config)
                    .and_then(|library| library.keep_checks(records, now()).map_err(|e| e.to_string()));
                if let Err(problem) = kept {
                    mailbox.send(Event::Note(format!("results of checks were not kept: {problem}")));
                }
                mailbox.owed.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
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

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}
