//! The whole state of the explorer.

use super::{
    action::Context,
    annotate::{Annotate, Page},
    audit::Audit,
    checks::Checks,
    demo::Demo,
    event::ModelLine,
    explorer::Explorer,
    geometry::{Columns, Zones, columns, zones},
    input::Input,
    keymap::Keymap,
    live::Live,
    metrics::Metrics,
    overlay::Overlay,
    texts::Texts,
    training::Training,
};
use crate::{
    core::{
        AdapterRef, Adapters, Item, Loc, Method, Template, Trace,
        corpus::{BadLine, Corpus, LoadProgress},
        query::{Query, Selection, Test},
    },
    job::{ModelReport, checking::InterveneRun},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// A method with what it needs to run here.
#[derive(Clone, Debug)]
pub struct RunnableMethod {
    pub method: Method,
    /// The adapters that were found.
    pub adapters: Adapters,
    /// Whether a methods file declares it, or only a trace names it.
    pub declared: bool,
}

/// What the explorer starts with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub keymap: Arc<Keymap>,
    pub methods: Vec<RunnableMethod>,
    pub templates: HashMap<String, Template>,
    /// Shown in the top line: "value corpus", or the file's name.
    pub title: String,
    /// The model for methods that name none.
    pub model: String,
    /// The judge's model and adapter, where one was trained for `model`.
    pub judge: Option<(String, AdapterRef)>,
    /// The base of the seeds of live generations.
    pub seed: u64,
    pub theme: String,
    pub mouse: bool,
    /// A word about the corpus that must always be seen ("contains a fictional survey").
    pub caveat: Option<String>,
}

/// How far the corpus is.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    Opening,
    Indexing(LoadProgress),
    Done(LoadProgress),
    Failed(String),
}

/// The model as the explorer knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// Not asked for yet.
    Idle,
    Loading {
        stage: &'static str,
        fraction: f32,
    },
    Ready(Arc<ModelReport>),
    Fetching {
        from: String,
        bytes: u64,
        total: Option<u64>,
    },
    Missing,
    Failed(String),
}

/// A short message in the bottom line.
#[derive(Clone, Debug, PartialEq)]
pub struct Toast {
    pub text: String,
    pub bad: bool,
    pub until: Duration,
}

/// A search being typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    pub input: Input,
    pub in_rationale: bool,
}

/// The filter, as text and as query.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub query: Query,
    /// Number of the last query sent, and whether its answer is awaited.
    pub generation: u64,
    pub pending: bool,
}

/// The screens; one is shown at a time. Each has its state beside the explorer's, its own keys ([`Context`]), a
/// module under `app` that takes its actions, and one under `ui::screens` that draws it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    #[default]
    Explorer,
    /// Checks over many traces.
    Audit,
    /// Training runs.
    Training,
    /// Labels of people, and how they agree.
    Annotate,
    /// Tables over the filter.
    Metrics,
}

/// Everything. `update` is the only writer, `view` only reads.
#[derive(Debug)]
pub struct State {
    pub setup: Setup,
    pub size: (u16, u16),
    pub screen: Screen,
    pub now: Duration,
    pub corpus: Corpus,
    pub load: Load,
    pub bad_lines: Vec<BadLine>,
    pub notes: Vec<String>,
    pub filter: Filter,
    pub selection: Arc<Selection>,
    pub explorer: Explorer,
    pub overlay: Option<Overlay>,
    pub texts: Texts,
    pub live: Live,
    pub checks: Checks,
    /// The edit by hand that is under way.
    pub intervening: Option<InterveneRun>,
    pub audit: Audit,
    pub training: Training,
    pub annotate: Annotate,
    pub metrics: Metrics,
    /// Whether steps that a safety check flags are hidden.
    pub blur: bool,
    /// Traces written and stored in this session.
    pub fresh: Vec<(Arc<Item>, Arc<Trace>, Loc)>,
    pub model: ModelState,
    pub models: Vec<ModelLine>,
    /// The columns: declared methods first, then those that only traces name.
    pub methods: Vec<RunnableMethod>,
    /// The model that live generation uses; starts as `setup.model`.
    pub model_reference: String,
    pub theme: String,
    pub mouse: bool,
    pub toast: Option<Toast>,
    /// The search that is being typed in the bottom line, and whether it looks into rationales.
    pub search: Option<Search>,
    /// The demo that is played, if one is.
    pub demo: Option<Demo>,
    pub quitting: bool,
}

impl State {
    pub fn new(setup: Setup, size: (u16, u16)) -> State {
        State {
            size,
            screen: Screen::default(),
            now: Duration::ZERO,
            corpus: Corpus::default(),
            load: Load::Opening,
            bad_lines: Vec::new(),
            notes: Vec::new(),
            filter: Filter::default(),
            selection: Arc::default(),
            explorer: Explorer::default(),
            overlay: None,
            texts: Texts::default(),
            live: Live::default(),
            checks: Checks::default(),
            intervening: None,
            audit: Audit::default(),
            training: Training::default(),
            annotate: Annotate::default(),
            metrics: Metrics::default(),
            blur: false,
            fresh: Vec::new(),
            model: ModelState::Idle,
            models: Vec::new(),
            methods: setup.methods.clone(),
            model_reference: setup.model.clone(),
            theme: setup.theme.clone(),
            mouse: setup.mouse,
            toast: None,
            search: None,
            demo: None,
            quitting: false,
            setup,
        }
    }

    /// Where keys are looked up now.
    pub fn context(&self) -> Context {
        if self.demo.as_ref().is_some_and(|d| d.locked) {
            return Context::Demo;
        }
        match self.screen {
            Screen::Explorer => self.explorer.focus.context(),
            Screen::Audit => Context::Audit,
            Screen::Training => Context::Training,
            Screen::Annotate if self.annotate.page == Page::Desk => Context::Annotate,
            Screen::Annotate => Context::Agreement,
            Screen::Metrics => Context::Metrics,
        }
    }

    /// Shows a message for a few seconds.
    pub fn say(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: false, until: self.now + Duration::from_secs(4) });
    }

    /// Shows a problem for longer.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: true, until: self.now + Duration::from_secs(10) });
    }

    /// The words that are searched for and marked, where there are some.
    pub fn search_words(&self) -> Option<&str> {
        self.filter.query.terms.iter().find_map(|term| match &term.test {
            Test::Text { words, .. } if !term.negated => Some(words.as_str()),
            _ => None,
        })
    }

    /// The zones of the screen as it is now; `None` when it is too small.
    pub fn zones(&self) -> Option<Zones> {
        let (width, height) = self.size;
        let caption = self.demo.as_ref().map_or(0, |demo| demo.rows(self.size));
        let size = (width, height.saturating_sub(caption));
        let mut zones = zones(size, self.explorer.folded, self.explorer.zoomed)?;
        // A demo's caption stands between the comparison and the line of keys.
        zones.bottom.y += caption;
        Some(zones)
    }

    /// The comparison's columns as they are laid out now: indices of methods, and their rectangles.
    pub fn columns(&self) -> (Vec<usize>, Columns) {
        let shown = self.explorer.compare.shown(self.methods.len());
        let focus = shown.iter().position(|c| *c == self.explorer.compare.focus).unwrap_or(0);
        let area = self.zones().map(|z| z.comparison).unwrap_or_default();
        let columns = columns(area, shown.len(), focus, self.explorer.compare.first);
        (shown, columns)
    }
}
