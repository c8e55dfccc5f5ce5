//! Checks on a real model, and on the field's own files.

mod data;
mod planted;
mod smollm;

use pluriscope::{
    core::{
        AdapterRef, Item, Template, Trace,
        check::{CheckId, Checker, Record, Settings, Subject},
    },
    engine::{
        Engine, EngineHandle, EngineOptions,
        checking::{self, News, Task, Totals},
        local::{LocalModels, Located},
    },
    job::{JobEvent, checking::Routes},
    model::LoadOptions,
};
use std::{
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool, mpsc},
};

const MODEL: &str = "smollm2-135m";

/// The shipped template that lets a model reason.
fn reason() -> Arc<Template> {
    Arc::new(Template::parse("reason", include_str!("../../../assets/prompts/reason.toml")).unwrap())
}

/// The shipped adapter of this name.
fn shipped(name: &str) -> AdapterRef {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/adapters/smollm2-135m");
    AdapterRef { name: name.to_owned(), path: Path::new(folder).join(name) }
}

/// A trace of `item` that says it was written by SmolLM2.
fn subject(item: &Arc<Item>, output: &str) -> Subject {
    subject_of(item, output, reason(), None)
}

/// One that says it was written by SmolLM2, with an adapter.
fn subject_of(
    item: &Arc<Item>,
    output: &str,
    template: Arc<Template>,
    adapter: Option<&AdapterRef>,
) -> Subject {
    let mut trace = Trace::new(item, "zero-shot-cot".into(), output.to_owned());
    trace.model = MODEL.to_owned();
    trace.adapter = adapter.map(|a| a.name.clone());
    let checker = Checker { model: MODEL.to_owned(), adapter: trace.adapter.clone() };
    Subject::new(Arc::clone(item), Arc::new(trace), template, checker).unwrap()
}

/// An engine with SmolLM2, if the model can be had.
struct Bench {
    engine: EngineHandle,
    events: mpsc::Receiver<JobEvent>,
}

impl Bench {
    fn start(options: EngineOptions) -> Option<Bench> {
        let folder = match crate::models::smollm2() {
            Ok(folder) => folder,
            Err(problem) => {
                println!("skipped: {problem}");
                return None;
            }
        };
        let path = find_gguf(&folder)?;
        let provider = LocalModels::new(LoadOptions::default(), move |_| {
            Ok(Located { path: path.clone(), sha256: None, memory: 150 << 20 })
        });
        let (sender, events) = mpsc::channel();
        let engine = Engine::start(options, provider, move |event| drop(sender.send(event))).unwrap();
        Some(Bench { engine, events })
    }

    /// The one that all tests share: the model is loaded once.
    fn cached() -> Option<MutexGuard<'static, Bench>> {
        static SHARED: OnceLock<Option<Mutex<Bench>>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Bench::start(EngineOptions::default()).map(Mutex::new));
        shared.as_ref().map(|bench| bench.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `checks` on every subject.
    fn run(
        &self,
        subjects: &[Subject],
        settings: &Settings,
        checks: &[CheckId],
        naive: bool,
    ) -> (Vec<Record>, Totals) {
        let routes = Routes { model: MODEL.to_owned(), adapter: None, judge: None, naive };
        self.run_by(&routes, subjects, settings, checks)
    }

    /// Runs `checks` on every subject with the model and adapter of `routes`.
    fn run_by(
        &self,
        routes: &Routes,
        subjects: &[Subject],
        settings: &Settings,
        checks: &[CheckId],
    ) -> (Vec<Record>, Totals) {
        let tasks = subjects.iter().map(|subject| Task {
            subject: Arc::new(subject.clone()),
            settings: Arc::new(settings.clone()),
            routes: routes.clone(),
            checks: checks.to_vec(),
        });
        let mut records = Vec::new();
        let mut sink = |news: News<'_>| -> Result<(), Infallible> {
            if let News::Record(record) = news {
                records.push(*record);
            }
            Ok(())
        };
        let at_once = if routes.naive { 1 } else { 8 };
        let totals =
            checking::drive(&self.engine, &self.events, tasks, at_once, &AtomicBool::new(false), &mut sink)
                .unwrap();
        (records, totals)
    }
}

fn find_gguf(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).find_map(|path| {
        let ours = path.to_string_lossy().to_lowercase().contains("smollm2-135m");
        if path.is_dir() {
            find_gguf(&path)
        } else {
            (ours && path.extension().is_some_and(|e| e == "gguf")).then_some(path)
        }
    })
}
