//! A bench for the explorer: executes effects at once over a corpus in memory.

use pluriscope::{
    app::{
        Effect, Event, Keymap, State,
        annotate::{self, OpenDesk},
        event::{CorpusEvent, Record},
        keymap::parse_keys,
        metrics::{Measured, report::Wish},
        state::{RunnableMethod, Setup},
        update,
    },
    core::{
        Adapters, Corpus, Item, Kind, Letter, Loc, Perspective, Template, Trace,
        corpus::LoadProgress,
        method::parse_methods,
        metric::{chart::charts, sheet::sheets},
        query::evaluate,
    },
    job::{Command, ContinuationScore, GenerateRow, JobEvent},
    runtime::measure::{Request, measure},
    ui::{Depth, Theme, export, view},
};
use ratatui::{Terminal, backend::TestBackend};
use std::{collections::HashMap, sync::Arc, sync::atomic::AtomicBool};

/// Items and traces of a small corpus, in file order.
pub struct Fixture {
    pub items: Vec<Item>,
    pub traces: Vec<Trace>,
}

/// A state with its outside world.
pub struct Bench {
    pub state: State,
    lines: HashMap<Loc, Record>,
    /// Commands that the engine would have got.
    pub commands: Vec<Command>,
    pub copied: Vec<String>,
    /// Reports that were asked for.
    pub wished: Vec<Wish>,
    /// Desks that were asked for.
    pub desks: Vec<OpenDesk>,
    /// Lines that a slow disk has not given yet, once somebody says that it is slow.
    pub held: Option<Vec<Loc>>,
    next_live: u64,
}

impl Bench {
    pub fn new(fixture: &Fixture, size: (u16, u16)) -> Bench {
        let methods = parse_methods(include_str!("../../../assets/methods.toml")).unwrap();
        let methods = methods
            .into_iter()
            .map(|mut method| {
                // As a methods file may say it: then a column has nothing to show of a survey.
                if &*method.id.0 == "human-cot" {
                    method.kinds = vec![Kind::Value, Kind::Right, Kind::Duty];
                }
                RunnableMethod { method, adapters: Adapters::default(), declared: true }
            })
            .collect();
        let mut templates = HashMap::new();
        for (id, text) in [
            ("reason", include_str!("../../../assets/prompts/reason.toml")),
            ("direct", include_str!("../../../assets/prompts/direct.toml")),
        ] {
            templates.insert(id.to_owned(), Template::parse(id, text).unwrap());
        }
        let setup = Setup {
            keymap: Arc::new(Keymap::load(None).0),
            methods,
            templates,
            title: "test corpus".to_owned(),
            model: "smollm2-135m".to_owned(),
            judge: None,
            seed: 7,
            theme: "dark".to_owned(),
            mouse: true,
            caveat: None,
        };
        let mut lines = HashMap::new();
        let mut at = 0;
        let mut place = || {
            at += 1;
            Loc { file: 0, offset: at - 1, len: 1 }
        };
        for item in &fixture.items {
            lines.insert(place(), Record { item: Some(Arc::new(item.clone())), trace: None });
        }
        for trace in &fixture.traces {
            lines.insert(place(), Record { item: None, trace: Some(Arc::new(trace.clone())) });
        }
        let corpus = Corpus::of(&fixture.items, &fixture.traces);
        let mut bench = Bench {
            state: State::new(setup, size),
            lines,
            commands: Vec::new(),
            copied: Vec::new(),
            wished: Vec::new(),
            desks: Vec::new(),
            held: None,
            next_live: 0,
        };
        let progress = LoadProgress { done: true, ..LoadProgress::default() };
        bench.feed(Event::Corpus(CorpusEvent::Grown { corpus, progress, bad: Vec::new() }));
        bench
    }

    /// Feeds an event and everything that follows from it.
    pub fn feed(&mut self, event: Event) {
        let mut queue = vec![event];
        while let Some(event) = queue.pop() {
            for effect in update(&mut self.state, event) {
                self.execute(effect, &mut queue);
            }
        }
    }

    fn execute(&mut self, effect: Effect, queue: &mut Vec<Event>) {
        match effect {
            Effect::Load(locs) => match &mut self.held {
                Some(held) => held.extend(locs),
                None => queue.extend(locs.into_iter().map(|loc| self.loaded(loc))),
            },
            Effect::Query { generation, query, order, corpus } => {
                let lines = &self.lines;
                let rationale = |ix| {
                    let loc = corpus.trace(ix)?.loc;
                    lines.get(&loc)?.trace.as_ref().map(|t| t.llm_output.clone().into())
                };
                let selection =
                    evaluate(&corpus, &query, order, &rationale, &AtomicBool::new(false)).unwrap();
                queue.push(Event::Selected { generation, selection: Arc::new(selection) });
            }
            Effect::Measure { generation, query, selection, corpus, mut settings } => {
                settings.resampling.samples = 200;
                let request = Request {
                    corpus: &corpus,
                    query: &query,
                    selection: &selection,
                    settings,
                    methods: &[],
                    compat: None,
                };
                let report = measure(&request, None, &AtomicBool::new(false), &mut |_, _, _| {}).unwrap();
                let (sheets, charts) = (sheets(&report), charts(&report));
                let measured = Arc::new(Measured { report, sheets, charts });
                queue.push(Event::Measured { generation, measured, running: None });
            }
            Effect::Report(wish) => self.wished.push(wish),
            Effect::Annotate(annotate::Request::Open(desk)) => self.desks.push(desk),
            Effect::Engine(command) => self.commands.push(command),
            Effect::Copy(text) => {
                queue.push(Event::Copied(Ok(text.len())));
                self.copied.push(text);
            }
            Effect::Store { row, item, trace } => {
                let loc = Loc { file: u32::MAX, offset: self.next_live, len: 0 };
                self.next_live += 1;
                self.lines.insert(loc, Record { item: Some(item), trace: Some(trace) });
                queue.push(Event::Stored { row, result: Ok(loc) });
            }
            _ => {}
        }
    }

    fn loaded(&self, loc: Loc) -> Event {
        let record = self.lines.get(&loc).cloned().ok_or_else(|| "no such line".to_owned());
        Event::Loaded { loc, record }
    }

    /// The slow disk gives what was asked of it.
    pub fn release(&mut self) {
        for loc in self.held.take().unwrap_or_default() {
            self.feed(self.loaded(loc));
        }
    }

    /// It gives the traces alone.
    pub fn release_traces(&mut self) {
        self.release_those(|line| line.trace.is_some());
    }

    /// It gives the items alone.
    pub fn release_items(&mut self) {
        self.release_those(|line| line.item.is_some());
    }

    fn release_those(&mut self, which: impl Fn(&Record) -> bool) {
        let held = self.held.take().unwrap_or_default();
        let (given, rest): (Vec<Loc>, Vec<Loc>) =
            held.into_iter().partition(|loc| self.lines.get(loc).is_some_and(&which));
        self.held = Some(rest);
        given.into_iter().for_each(|loc| self.feed(self.loaded(loc)));
    }

    /// Presses keys, written as for `snapshot --keys`.
    pub fn press(&mut self, keys: &str) -> &mut Bench {
        for key in parse_keys(keys).unwrap() {
            self.feed(Event::Key(key));
        }
        self
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        let (width, height) = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let theme = Theme::named(&self.state.theme, Depth::True);
        terminal.draw(|frame| view(&self.state, &theme, frame)).unwrap();
        export::text(terminal.backend().buffer())
    }

    /// Rows of the last generation that was asked for.
    pub fn asked(&self) -> Vec<GenerateRow> {
        self.commands
            .iter()
            .rev()
            .find_map(|c| match c {
                Command::Generate { rows, .. } => Some(rows.clone()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The item that is compared.
    pub fn item(&self) -> String {
        let ix = self.state.explorer.items.current().unwrap();
        let perspective = self.state.corpus.item(ix).and_then(|i| i.perspective());
        let name =
            perspective.and_then(|p| self.state.corpus.perspective(p)).map_or("?", |p| p.name.as_str());
        format!("{} | {name}", self.state.corpus.title(ix))
    }
}

/// A value item with gold.
pub fn item(situation: &str, perspective: &str, gold: char) -> Item {
    let mut item = Item::value("tests", Perspective::named(perspective), situation);
    item.gold = Letter::from_char(gold);
    item.source = "tests, CC0".to_owned();
    item
}

/// A trace of a method.
pub fn trace(item: &Item, method: &str, output: &str) -> Trace {
    let mut trace = Trace::new(item, method.into(), output.to_owned());
    trace.tokens = (0..output.split_whitespace().count() as u32).collect();
    trace
}

/// Two situations under three perspectives, a survey question; some methods run, one twice.
pub fn fixture() -> Fixture {
    let mail = "Reading a partner's messages to check a suspicion";
    let bells = "Ringing the church bells at six every morning";
    let items = vec![
        item(mail, "Right to privacy", 'B'),
        item(mail, "Honesty", 'C'),
        item(mail, "Duty to protect others", 'A'),
        item(bells, "Right to rest", 'B'),
        item(bells, "Tradition", 'A'),
        survey(),
    ];
    let mut traces = vec![
        trace(
            &items[0],
            "zero-shot-cot",
            "It could bring relief to know the truth about a partner. Trust is already broken.\nSo the answer is clear.\nAnswer: A",
        ),
        trace(
            &items[0],
            "human-cot",
            "1. Private messages belong to the two people who wrote them. 2. A suspicion gives no claim to them.\nThe right to privacy opposes it.\nAnswer: B",
        ),
        trace(&items[0], "zero-shot-direct", "I would rather not say."),
        trace(&items[1], "zero-shot-cot", "It reveals the truth, yet by stealth.\nAnswer: C"),
        trace(
            &items[3],
            "zero-shot-cot",
            "People sleep at six. \u{1b}[31mBells\u{1b}[0m wake them.\nAnswer: B",
        ),
        trace(&items[3], "sft", "Answer: B"),
        trace(&items[5], "zero-shot-cot", "An older resident walks to the square.\nAnswer: A"),
    ];
    let mut second = trace(&items[0], "zero-shot-cot", "A second try: secrets are owed respect.\nAnswer: B");
    second.sample = 1;
    traces.push(second);
    Fixture { items, traces }
}

fn survey() -> Item {
    let mut item = Item::new(
        "harrow-mere",
        Perspective::demographic("AGE", "65+"),
        "What should the cobbled half of the Market Square be used for?",
        &["Benches", "Parking for shoppers"],
    );
    item.gold = Letter::from_char('B');
    item.options[0].human_probability = Some(0.4);
    item.options[1].human_probability = Some(0.6);
    item
}

impl Bench {
    /// Answers every question of the checks since the last call: the first option is taken for the answer, and
    /// whatever should be written fails.
    pub fn answer_checks(&mut self) {
        while !self.commands.is_empty() {
            for command in std::mem::take(&mut self.commands) {
                match command {
                    Command::Score { job, rows } => {
                        for row in rows {
                            let scores = row
                                .continuations
                                .iter()
                                .map(|c| ContinuationScore {
                                    logprobs: (0..c.candidates.len()).map(|i| -0.5 - i as f64).collect(),
                                    entropy: Some(1.0),
                                    candidate_tokens: vec![1; c.candidates.len()],
                                })
                                .collect();
                            let scores = Arc::new(scores);
                            let event = JobEvent::RowScored { job, row: row.row, scores, forward_tokens: 10 };
                            self.feed(Event::Job(event));
                        }
                    }
                    Command::Generate { job, rows } => {
                        for row in rows {
                            let problem = "nobody writes here".to_owned();
                            self.feed(Event::Job(JobEvent::RowFailed { job, row: row.row, problem }));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}
