//! A bench for the desk: executes its effects at once on a library in a folder of its own.

use pluriscope::{
    app::{
        Effect, Event, Keymap, State,
        annotate::{Fault, OpenDesk, Reply, Request},
        keymap::parse_keys,
        state::{Screen, Setup},
        update,
    },
    core::{
        Item, Letter, Perspective, Trace,
        annotation::{Author, DEFAULT_RUBRIC, Label, Rubric, TaskId},
        check::{CheckId, Family, Judged, Record, Scoring, Source, TraceKey, Verdict},
    },
    runtime::annotations::{count, open},
    store::{
        Library,
        annotations::{NewProject, NewTask},
    },
    ui::{Depth, Theme, view},
};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

/// The desk with its library.
pub struct Bench {
    pub state: State,
    pub library: Library,
    /// Every write fails with this while it is set.
    pub fault: Option<Fault>,
    /// The time of the next act, in milliseconds.
    pub clock: i64,
    pub folder: Arc<tempfile::TempDir>,
    nonce: u64,
}

/// Two items with three methods each. Names and words that may not be seen in blind mode are odd on purpose.
pub fn traces() -> Vec<(Item, Trace)> {
    let mut out = Vec::new();
    let items = [
        ("Reading a partner's messages to check a suspicion", "Right to privacy", 'B'),
        ("Ringing the church bells at six every morning", "Tradition", 'A'),
    ];
    for (situation, perspective, gold) in items {
        let mut item = Item::value("tests", Perspective::named(perspective), situation);
        item.gold = Letter::from_char(gold);
        item.explanation = Some("EXPLAINED-BY-PEOPLE".to_owned());
        for (method, output) in [
            (
                "quux-cot",
                "Private messages belong to two people. A suspicion gives no claim to them.\nAnswer: B",
            ),
            (
                "zork-cot",
                "It could bring relief to know. Trust is broken already.\nSo the answer is clear.\nAnswer: A",
            ),
            ("frob-sft", "It depends on what was agreed.\nAnswer: C"),
        ] {
            let mut trace = Trace::new(&item, method.into(), output.to_owned());
            trace.model = "snarf-7b".to_owned();
            out.push((item.clone(), trace));
        }
    }
    out
}

/// A verdict that holds against a trace.
pub fn verdict(trace: &Trace, flag: bool) -> Record {
    Record {
        trace: TraceKey::of(trace),
        check: CheckId::Consistency,
        family: Family::Apparent,
        verdict: Verdict::Judged(Judged { word: "blorked".to_owned(), flag, ..Judged::default() }),
        source: Source {
            model: "snarf-7b".to_owned(),
            adapter: None,
            not_writer: false,
            scoring: Scoring::Letters,
            maker: String::new(),
            judge: String::new(),
            version: 1,
            parameters: String::new(),
        },
        correct: Some(!flag),
    }
}

/// A library with the project `pilot` for Ada and Bo, at `path`.
pub fn library(path: &std::path::Path) -> Library {
    let mut library = Library::open(path).unwrap();
    let rubric = Rubric::parse(DEFAULT_RUBRIC).unwrap();
    let new = NewProject { name: "pilot", rubric: &rubric, query: "" };
    let id = library.new_project(&new, 1).unwrap();
    let traces = traces();
    let people = vec!["ada".to_owned(), "bo".to_owned()];
    let tasks: Vec<NewTask<'_>> =
        traces.iter().map(|(item, trace)| NewTask { item, trace, annotators: people.clone() }).collect();
    library.add_tasks(id, &tasks).unwrap();
    let records: Vec<Record> = traces.iter().map(|(_, t)| verdict(t, t.method.0 == "zork-cot")).collect();
    library.keep_checks(&records, 1).unwrap();
    library
}

impl Bench {
    pub fn new(size: (u16, u16)) -> Bench {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let library = library(&folder.path().join("library.db"));
        Bench { state: state(size), library, fault: None, clock: 1_000_000, folder, nonce: 0 }
    }

    /// Opens somebody's desk, as `annotate` does; whatever was open is gone, as after a restart.
    pub fn sit(&mut self, who: &str, adjudicate: bool, blind: bool) -> &mut Bench {
        self.state = state(self.state.size);
        self.state.screen = Screen::Annotate;
        let wanted = OpenDesk {
            project: Some("pilot".to_owned()),
            annotator: Some(who.to_owned()),
            adjudicate,
            blind,
            traces: Vec::new(),
        };
        let reply = self.opened(&wanted);
        self.feed(Event::Annotate(reply));
        self
    }

    fn opened(&mut self, wanted: &OpenDesk) -> Reply {
        self.nonce += 1;
        let nonce = self.nonce;
        let opened = open(&mut self.library, wanted).map_err(|e| e.to_string());
        Reply::Opened(opened.map(|opened| Box::new(pluriscope::app::annotate::Opened { nonce, ..opened })))
    }

    pub fn feed(&mut self, event: Event) {
        let mut queue = vec![event];
        while !queue.is_empty() {
            for effect in update(&mut self.state, queue.remove(0)) {
                if let Effect::Annotate(request) = effect {
                    let reply = self.answer(request);
                    queue.push(Event::Annotate(reply));
                }
            }
        }
    }

    fn answer(&mut self, request: Request) -> Reply {
        match request {
            Request::Open(wanted) => self.opened(&wanted),
            Request::Keep(write) => {
                let uid = write.uid.clone();
                if let Some(fault) = &self.fault {
                    return Reply::Kept { uid, result: Err(fault.clone()) };
                }
                self.clock += 1000;
                let kept = self.library.keep(&write, self.clock);
                let fault = |e: pluriscope::store::annotations::AnnotationError| Fault {
                    passes: e.passes(),
                    words: e.to_string(),
                };
                Reply::Kept { uid, result: kept.map(|()| self.clock).map_err(fault) }
            }
            Request::Count { project, only } => {
                let numbers = count(&self.library, &project, only.as_deref());
                Reply::Numbers(numbers.map(Box::new).map_err(|e| e.to_string()))
            }
        }
    }

    /// Presses keys, written as for `snapshot --keys`.
    pub fn press(&mut self, keys: &str) -> &mut Bench {
        for key in parse_keys(keys).unwrap() {
            self.feed(Event::Key(key));
        }
        self
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: u64) -> &mut Bench {
        let now = self.state.now + Duration::from_secs(seconds);
        self.feed(Event::Tick(now));
        self
    }

    pub fn buffer(&self) -> Buffer {
        let (width, height) = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let theme = Theme::named("dark", Depth::True);
        terminal.draw(|frame| view(&self.state, &theme, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        pluriscope::ui::export::text(&self.buffer())
    }

    pub fn desk(&self) -> &pluriscope::app::annotate::Desk {
        self.state.annotate.desk.as_ref().unwrap()
    }

    /// The question that waits.
    pub fn question(&self) -> String {
        self.desk().session.question().unwrap().id.clone()
    }

    /// The labels of an author, as the library has them, by method and item.
    pub fn kept(&self, author: &Author) -> HashMap<TaskId, Label> {
        let project = self.library.project(Some("pilot")).unwrap();
        let labels = self.library.labels(project.id).unwrap();
        labels.into_iter().filter(|l| l.author == *author).map(|l| (l.task, l.label)).collect()
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("library.db")
    }
}

fn state(size: (u16, u16)) -> State {
    let setup = Setup {
        keymap: Arc::new(Keymap::load(None).0),
        methods: Vec::new(),
        templates: HashMap::new(),
        title: String::new(),
        model: "snarf-7b".to_owned(),
        judge: None,
        seed: 7,
        theme: "dark".to_owned(),
        mouse: true,
        caveat: None,
    };
    State::new(setup, size)
}
