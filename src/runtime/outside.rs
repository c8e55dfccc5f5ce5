//! Effects, executed: every slow thing on a thread of its own, every answer an event.

use super::{
    keeper::Keeper,
    mailbox::{CAUGHT, Mailbox, catching, now},
    measure,
    reading::{self, Read, open},
    report::{Opened, save},
};
use crate::{
    app::{
        Effect, Event,
        annotate::{OpenDesk, Request},
        event::{CorpusEvent, FetchEvent, ModelLine},
        metrics::{
            Measured,
            report::{Saved, Wish},
        },
    },
    config::Config,
    core::{
        Corpus,
        metric::{Report, Settings, chart::charts, sheet::sheets},
        query::{Order, Query, Selection, evaluate},
        run::RunLog,
    },
    engine::{Engine, EngineHandle, EngineOptions},
    job::{Command, JobEvent},
    setup::{local_models, model_dirs},
    store::{
        Source,
        assets::Assets,
        check_results::holds_records,
        fetch::{FetchSettings, FetchUpdate, fetch},
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
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;

/// How often run folders are looked at.
const WATCH: Duration = Duration::from_millis(700);
/// How long leaving waits for labels and traces to be kept: longer than somebody else may hold the database.
const KEEPING: Duration = Duration::from_secs(5);

/// What stands outside the state machine.
pub struct Outside {
    pub mailbox: Mailbox,
    config: Arc<Config>,
    assets: Arc<Assets>,
    paths: Vec<PathBuf>,
    /// Files of check results among the paths that were named.
    checks: Vec<PathBuf>,
    source: Arc<OnceLock<Arc<Source>>>,
    reader: Option<Keeper<Read>>,
    engine: Option<EngineHandle>,
    annotations: Option<Keeper<Request>>,
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
        let source = Arc::new(OnceLock::new());
        let (place, settings, answers) = (Arc::clone(&source), Arc::clone(&config), mailbox.clone());
        let reader = Keeper::start(&format!("{CAUGHT}reader"), move |work| {
            reading::read_loop(&work, &place, &settings, keep, &answers);
        })?;
        let (checks, paths) = paths.into_iter().partition(|path| holds_records(path));
        Ok(Outside {
            mailbox,
            run_folders: vec![PathBuf::from("runs"), config.data_dir.join("runs")],
            config,
            assets,
            paths,
            checks,
            source,
            reader: Some(reader),
            engine: None,
            annotations: None,
            desk: None,
            query_cancel: Arc::default(),
            measure_cancel: Arc::default(),
            fetch_cancel: Arc::default(),
            cancel: Arc::default(),
            unwatch: Arc::default(),
            watch_at_start: false,
            lines: Vec::new(),
            keep,
        })
    }

    /// Begins to open the corpus in the background.
    pub fn start_opening(&self) -> Vec<Effect> {
        if let Some(desk) = &self.desk {
            return vec![Effect::Annotate(Request::Open(desk.clone()))];
        }
        let (paths, checks) = (self.paths.clone(), self.checks.clone());
        let config = Arc::clone(&self.config);
        let (source, cancel, keep) = (Arc::clone(&self.source), Arc::clone(&self.cancel), self.keep);
        let failed = |problem| Event::Corpus(CorpusEvent::Failed(problem));
        self.mailbox.spawn("open", failed, move |mailbox| {
            open(&paths, &checks, &config, &source, &cancel, keep, mailbox);
        });
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
            Effect::Load(locs) => self.read(locs.len(), Read::Load(locs)),
            Effect::Store { row, item, trace } => self.read(1, Read::Store { row, item, trace }),
            Effect::Annotate(request) => self.annotate(request),
            Effect::KeepChecks(records) => {
                if self.keep {
                    self.read(1, Read::KeepChecks(records));
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

    /// Hands work to the reader, which owes this many answers for it.
    fn read(&self, answers: usize, work: Read) {
        if let Some(reader) = &self.reader {
            self.mailbox.owe(answers);
            reader.send(work);
        }
    }

    /// Stops what runs, and waits for what was handed over to be kept.
    pub fn leave(&mut self) {
        self.cancel.store(true, Ordering::SeqCst);
        self.query_cancel.store(true, Ordering::SeqCst);
        self.measure_cancel.store(true, Ordering::SeqCst);
        self.fetch_cancel.store(true, Ordering::SeqCst);
        self.unwatch.store(true, Ordering::SeqCst);
        let until = Instant::now() + KEEPING;
        if let Some(annotations) = self.annotations.take() {
            annotations.end(until);
        }
        if let Some(reader) = self.reader.take() {
            reader.end(until);
        }
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
        let spawned = std::thread::Builder::new().name(format!("{CAUGHT}runs")).spawn(move || {
            let places: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            let (mut seen, mut shown) = (None, Vec::new());
            while !stop.load(Ordering::SeqCst) {
                let found: Vec<PathBuf> = folders.iter().flat_map(|folder| runs::find(folder)).collect();
                let sizes: Vec<(PathBuf, u64)> =
                    found.into_iter().map(|f| (f.clone(), runs::size(&f))).collect();
                let mut news = seen.as_ref() != Some(&sizes);
                if news {
                    shown =
                        catching(|| sizes.iter().map(|(folder, _)| Arc::new(runs::read(folder))).collect())
                            .unwrap_or_else(|problem| {
                                mailbox.send(Event::Note(format!("the runs could not be read: {problem}")));
                                Vec::new()
                            });
                }
                // A run that was killed writes nothing: only time tells.
                for run in &mut shown {
                    let silent = run.silent_at(now() as f64 / 1000.0);
                    if run.silent != silent {
                        Arc::make_mut(run).silent = silent;
                        news = true;
                    }
                }
                if news {
                    let runs = shown.iter().chain(&levels).cloned().collect();
                    mailbox.send(Event::Runs { places: places.join(", "), runs });
                    if seen.is_none() {
                        mailbox.settle();
                    }
                    seen = Some(sizes);
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
                Ok(thread) => self.annotations = Some(thread),
                Err(error) => {
                    return self.mailbox.send(Event::Note(format!("no annotation thread: {error}")));
                }
            }
        }
        if let Some(annotations) = &self.annotations {
            self.mailbox.owe(1);
            annotations.send(request);
        }
    }

    fn query(&mut self, generation: u64, query: Query, order: Order, corpus: Corpus) {
        self.query_cancel.store(true, Ordering::SeqCst);
        let cancel = Arc::new(AtomicBool::new(false));
        self.query_cancel = Arc::clone(&cancel);
        let source = Arc::clone(&self.source);
        let failed = |problem| Event::Note(format!("the filter could not run: {problem}"));
        self.mailbox.spawn("query", failed, move |mailbox| {
            let rationale = |ix| {
                let trace = source.get()?.trace(&corpus, ix).ok()?;
                Some(Cow::Owned(if trace.llm_output.is_empty() { trace.cot } else { trace.llm_output }))
            };
            if let Some(selection) = evaluate(&corpus, &query, order, &rationale, &cancel) {
                mailbox.send(Event::Selected { generation, selection: Arc::new(selection) });
            }
        });
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
        let source = Arc::clone(&self.source);
        let failed = |problem| Event::Note(format!("nothing could be measured: {problem}"));
        self.mailbox.spawn("measure", failed, move |mailbox| {
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
        });
    }

    fn report(&self, wish: Wish) {
        let source = Arc::clone(&self.source);
        let opened = Opened { paths: self.paths.clone(), checks: self.checks.clone() };
        let failed = |problem| Event::Report(Saved::Failed(problem));
        self.mailbox.spawn("report", failed, move |mailbox| {
            let saved = save(&wish, source.get().map(AsRef::as_ref), &opened, &mut |done, of| {
                mailbox.send(Event::Report(Saved::Progress(done, of)));
            });
            mailbox.send(Event::Report(saved));
        });
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
        let (config, entries) = (Arc::clone(&self.config), self.assets.models.clone());
        let wanted = model.clone();
        let failed = move |problem| Event::Fetch(FetchEvent::Failed { model: wanted.clone(), problem });
        self.mailbox.spawn("fetch", failed, move |mailbox| {
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
            mailbox.send(Event::Fetch(event));
        });
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
