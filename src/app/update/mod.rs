//! `update`: the only place where the state changes.

mod actions;
mod annotate;
mod audit;
mod check;
mod corpus;
mod demo;
mod generate;
mod intervene;
mod metrics;
mod mouse;
mod movement;
mod overlays;
mod partners;
mod reading;
mod report;
mod search;
mod training;
mod zones;

pub use overlays::palette;

use super::{
    action::Action,
    effect::Effect,
    event::{Event, FetchEvent},
    explorer::Zone,
    keymap::Key,
    live::RowState,
    state::{ModelState, Screen, State},
};
use crate::job::JobEvent;

/// How many notes are kept: the newest.
const NOTES: usize = 500;

/// Takes in one event and says what should happen outside.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    match event {
        Event::Key(key) => on_key(state, key, &mut effects),
        Event::Mouse(_) if demo::takes_mouse(state) => {}
        Event::Mouse(event) => mouse::on_mouse(state, event, &mut effects),
        Event::Paste(text) => overlays::on_paste(state, &text, &mut effects),
        Event::Resize(width, height) => {
            state.size = (width, height);
            corpus::relist(state);
        }
        Event::Tick(now) => {
            state.now = state.now.max(now);
            if state.toast.as_ref().is_some_and(|t| t.until <= state.now) {
                state.toast = None;
            }
        }
        Event::Job(event) => on_job(state, event, &mut effects),
        Event::Corpus(event) => corpus::on_corpus(state, event, &mut effects),
        Event::Selected { generation, selection } if generation == state.filter.generation => {
            state.filter.pending = false;
            state.selection = selection;
            state.audit.stale = true;
            corpus::relist(state);
        }
        Event::Selected { .. } => {}
        Event::Loaded { loc, record } => state.texts.put(loc, record),
        Event::Stored { row, result } => corpus::on_stored(state, row, result, &mut effects),
        Event::Runs { places, runs } => training::on_runs(state, places, runs),
        Event::Checked(records) => {
            state.checks.restore(records);
            state.audit.stale = true;
            if state.filter.query.asks_checks() {
                corpus::requery(state, &mut effects);
            }
        }
        Event::Annotate(reply) => annotate::on_reply(state, reply, &mut effects),
        Event::Measured { generation, measured, running } => {
            metrics::on_measured(state, generation, measured, running);
        }
        Event::Report(saved) => report::on_saved(state, saved),
        Event::Copied(Ok(bytes)) => state.say(format!("copied {bytes} bytes")),
        Event::Copied(Err(problem)) => state.complain(format!("not copied: {problem}")),
        Event::Fetch(event) => on_fetch(state, event, &mut effects),
        Event::Models(models) => state.models = models,
        Event::Note(note) => {
            state.complain(note.clone());
            state.notes.push(note);
        }
    }
    let old = state.notes.len().saturating_sub(NOTES);
    state.notes.drain(..old);
    audit::settle(state, &mut effects);
    annotate::settle(state, &mut effects);
    demo::settle(state, &mut effects);
    generate::settle(state, &mut effects);
    check::settle(state, &mut effects);
    metrics::settle(state, &mut effects);
    training::settle(state, &mut effects);
    reading::settle(state, &mut effects);
    effects
}

fn on_key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    if state.demo.is_some() && demo::on_key(state, key, effects) {
        // The demo took it.
    } else if state.overlay.is_some() {
        overlays::on_key(state, key, effects);
    } else if state.search.is_some() {
        search::on_key(state, key, effects);
    } else if state.screen == Screen::Explorer
        && state.explorer.focus == Zone::Perspectives
        && search::picker_key(state, key)
    {
        // The picker's own search took it.
    } else if state.screen == Screen::Annotate && annotate::takes_key(state, key) {
        // An answer, or text that is being written.
    } else if let Some(action) = state.setup.keymap.action(state.context(), key) {
        perform(state, action, effects);
    }
}

/// The page after `now`, or the one before; the last is followed by the first.
pub(super) fn turned<T: Copy + PartialEq>(pages: &[T], now: T, back: bool) -> T {
    let at = pages.iter().position(|page| *page == now).unwrap_or(0);
    let by = if back { pages.len().saturating_sub(1) } else { 1 };
    pages.get((at + by) % pages.len().max(1)).copied().unwrap_or(now)
}

/// Performs an action: the screen that is shown takes what is its own, the rest is everyone's.
pub(super) fn perform(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    let taken = match state.screen {
        Screen::Explorer => false,
        Screen::Audit => audit::perform(state, action, effects),
        Screen::Training => training::perform(state, action),
        Screen::Annotate => annotate::perform(state, action, effects),
        Screen::Metrics => metrics::perform(state, action, effects),
    };
    if !taken && !demo::perform(state, action) {
        actions::perform(state, action, effects);
    }
}

fn on_job(state: &mut State, event: JobEvent, effects: &mut Vec<Effect>) {
    match &event {
        JobEvent::ModelLoading { stage, fraction, .. } => {
            state.model = ModelState::Loading { stage, fraction: *fraction };
        }
        JobEvent::ModelReady(report) => state.model = ModelState::Ready(report.clone()),
        JobEvent::ModelFailed { model, problem, missing } => {
            generate::no_model(state, model, problem, *missing)
        }
        JobEvent::WorkerFailed { problem } => {
            state.complain(format!("the worker failed and was started again: {problem}"));
            state.notes.push(format!("worker: {problem}"));
        }
        _ => {}
    }
    check::on_job(state, &event, effects);
    intervene::on_job(state, &event);
    if let Some((row, trace)) = state.live.apply(&event)
        && let Some(live) = state.live.get(row)
    {
        // What was cancelled before the first token is not worth keeping.
        if trace.tokens.is_empty() && trace.llm_output.is_empty() {
            state.live.drop_row(row);
        } else {
            effects.push(Effect::Store { row, item: live.request.item.clone(), trace });
        }
    }
    if matches!(&event, JobEvent::JobDone { .. }) && state.live.asked > 0 && !state.live.busy() {
        let failed = state.live.failed();
        let written = state.live.asked.saturating_sub(failed);
        // In a demo the caption says what was written.
        if failed == 0 && state.demo.is_none() {
            state.say(format!("{written} of {} written", state.live.asked));
        }
        (state.live.asked, state.live.ended) = (0, 0);
    }
}

fn on_fetch(state: &mut State, event: FetchEvent, effects: &mut Vec<Effect>) {
    match event {
        FetchEvent::Progress { from, bytes, total, .. } => {
            state.model = ModelState::Fetching { from, bytes, total };
        }
        FetchEvent::Done { model } => {
            state.model = ModelState::Idle;
            state.say(format!("{model} is here"));
            effects.push(Effect::ListModels);
            generate::retry(state, &model, effects);
        }
        FetchEvent::Failed { model, problem } => {
            state.model = ModelState::Failed(problem.clone());
            state.notes.push(format!("fetching {model}: {problem}"));
            state.complain(format!("{model} could not be fetched; `p` says why"));
        }
    }
}

impl super::live::Live {
    /// Live rows that ended in failure.
    fn failed(&self) -> usize {
        self.all().filter(|row| matches!(row.state, RowState::Failed(_))).count()
    }
}
