//! Checks asked for by key, and the one that follows every generation by itself.

use super::partners;
use crate::{
    app::{
        action::Action,
        checks::{AT_SIGHT, FULL, News, QUICK, failed},
        effect::Effect,
        explorer::{Cell, cell},
        state::{ModelState, State},
        texts::Lookup,
    },
    core::{
        Item, Trace,
        check::{CheckId, Checker, Scoring, Settings, Subject},
    },
    job::{JobEvent, JobId, checking::Routes},
};
use std::sync::Arc;

/// Runs the default check on the focused column.
pub fn focused(state: &mut State, effects: &mut Vec<Effect>) {
    if let Some(trace) = on_focused(state, &QUICK, effects)
        && state.checks.verdict(&trace, CheckId::ProbabilityTrace).is_some_and(|r| !failed(r))
    {
        let key = state.setup.keymap.hint(state.context(), Action::Evidence);
        let key = key.map_or_else(|| "the palette".to_owned(), |key| key.to_string());
        state.say(format!("checked already; {key} shows the evidence"));
    }
}

/// Begins checks of the focused column's trace, and returns it; says so where there is none.
fn on_focused(state: &mut State, checks: &[CheckId], effects: &mut Vec<Effect>) -> Option<Arc<Trace>> {
    let item = state.explorer.items.current();
    let Some(trace) = item.and_then(|ix| trace_of(&cell(state, ix, state.explorer.compare.focus))) else {
        state.say("this column has no finished trace to check");
        return None;
    };
    start(state, &trace, checks, effects);
    Some(trace)
}

/// Runs the full set on every column of the item.
pub fn all(state: &mut State, effects: &mut Vec<Effect>) {
    on_every(state, &FULL, effects);
}

/// Runs one check that was chosen from the list, on the focused column or on every one.
pub fn chosen(state: &mut State, check: CheckId, every: bool, effects: &mut Vec<Effect>) {
    if check == CheckId::SafetyGuard {
        return state
            .say("a guard model is named on the command line: check --checks safety-guard --judge MODEL");
    }
    if every {
        on_every(state, &[check], effects);
    } else {
        on_focused(state, &[check], effects);
    }
}

fn on_every(state: &mut State, checks: &[CheckId], effects: &mut Vec<Effect>) {
    let Some(ix) = state.explorer.items.current() else { return state.say("no trace to check") };
    let shown = state.explorer.compare.shown(state.methods.len());
    let traces: Vec<Arc<Trace>> =
        shown.into_iter().filter_map(|column| trace_of(&cell(state, ix, column))).collect();
    if traces.is_empty() {
        return state.say("no column has a finished trace to check");
    }
    for trace in traces {
        start(state, &trace, checks, effects);
    }
}

fn trace_of(cell: &Cell<'_>) -> Option<Arc<Trace>> {
    match cell {
        Cell::Trace { entry, .. } => entry.trace.clone(),
        _ => None,
    }
}

/// What is known of the text of a trace's item; `None` where no file tells it.
fn lookup<'a>(state: &'a State, trace: &Trace) -> Option<Lookup<'a>> {
    let ix = state.corpus.find(trace.item_id)?;
    let entry = state.corpus.item(ix).filter(|e| e.known())?;
    Some(state.texts.get(entry.loc))
}

fn item_of(state: &State, trace: &Trace) -> Option<Arc<Item>> {
    match lookup(state, trace) {
        Some(Lookup::Ready(entry)) => entry.item.clone(),
        _ => None,
    }
}

/// Begins checks of a trace that are not known yet.
pub fn start(state: &mut State, trace: &Arc<Trace>, checks: &[CheckId], effects: &mut Vec<Effect>) {
    let item = match lookup(state, trace) {
        None => return state.say("the file says too little of this item to check its traces"),
        Some(Lookup::Failed(problem)) => {
            let said = format!("the item cannot be read: {problem}");
            return state.complain(said);
        }
        Some(Lookup::Pending) => {
            state.checks.wait(trace, checks);
            return state.say("the item is still being read: the check starts with it");
        }
        Some(Lookup::Ready(entry)) => entry.item.clone(),
    };
    let Some(item) = item else {
        return state.say("the file says too little of this item to check its traces");
    };
    if let Err(problem) = start_on(state, item, trace, checks, effects) {
        state.complain(problem);
    }
}

/// Begins what waited for a text that has come, or for the run before it on the same trace.
pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    for (trace, checks) in std::mem::take(&mut state.checks.awaiting) {
        if matches!(lookup(state, &trace), Some(Lookup::Pending)) || state.checks.running(&trace) {
            state.checks.wait(&trace, &checks);
        } else {
            start(state, &trace, &checks, effects);
        }
    }
}

/// Begins checks of a trace of `item`; what stands against it, if it cannot be tested at all. What needs another
/// trace beside it waits until that one has been read.
pub fn start_on(
    state: &mut State,
    item: Arc<Item>,
    trace: &Arc<Trace>,
    checks: &[CheckId],
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    let (mut subject, settings, routes) = prepare(state, item, trace)?;
    if let Some(want) = checks.iter().find_map(|c| c.wants_partner()) {
        let mut missing = Vec::new();
        subject.partner = partners::find(state, &subject, want, &mut missing);
        if !missing.is_empty() {
            let unread = state.texts.want(missing);
            effects.extend((!unread.is_empty()).then_some(Effect::Load(unread)));
            state.checks.wait(trace, checks);
            return Ok(());
        }
    }
    let job = JobId(state.live.next_id());
    let live = &mut state.live;
    let news = state.checks.start(job, subject, settings, routes, checks, &mut || live.next_id());
    take(state, news, effects);
    Ok(())
}

/// The trace under test, how to test it and whom to ask.
pub fn prepare(
    state: &State,
    item: Arc<Item>,
    trace: &Arc<Trace>,
) -> Result<(Subject, Settings, Routes), String> {
    let method = state.methods.iter().find(|m| m.method.id == trace.method);
    let named = trace.template.as_ref().map(|t| t.id.as_str());
    let template = named
        .or(method.map(|m| m.method.template.as_str()))
        .and_then(|id| state.setup.templates.get(id))
        .or_else(|| state.setup.templates.get("reason"));
    let Some(template) = template.cloned().map(Arc::new) else {
        return Err("no prompt template fits this trace, so nothing can be asked after it".to_owned());
    };
    // The writer itself where it is the model in use; otherwise the verdict says that another model was asked.
    let model = state.model_reference.clone();
    let adapter = method
        .zip(trace.adapter.as_deref().filter(|_| trace.model == model))
        .and_then(|(m, name)| m.adapters.named(name).cloned());
    let checker = Checker { model: model.clone(), adapter: adapter.as_ref().map(|a| a.name.clone()) };
    let how = state.checks.how;
    let scoring = how.scoring.unwrap_or_else(|| Scoring::fitting(&item, trace));
    let subject =
        Subject::new(item, Arc::clone(trace), template, checker).map_err(|error| error.to_string())?;
    // A judge that was trained for this model reads rationales better than the model as it is.
    let judge = state.setup.judge.clone().filter(|(of, _)| *of == model);
    let named = judge.as_ref().map(|(model, adapter)| format!("{model}+{}", adapter.name));
    let settings = Settings { scoring, judge: named, maker: how.model_makes.then(|| model.clone()) };
    Ok((subject, settings, Routes { model, adapter, judge, naive: false }))
}

/// Checks that need no model, on every trace that is shown.
pub fn at_sight(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(ix) = state.explorer.items.current() else { return };
    let shown = state.explorer.compare.shown(state.methods.len());
    for column in shown {
        let Some(trace) = trace_of(&cell(state, ix, column)) else { continue };
        let known = state.checks.of(&trace);
        if state.checks.running(&trace)
            || trace.cot.trim().is_empty()
            || known.is_some_and(|k| AT_SIGHT.iter().all(|c| k.contains_key(c)))
        {
            continue;
        }
        if let Some(item) = item_of(state, &trace) {
            // A trace that cannot be tested says so when a check is asked for.
            let _ = start_on(state, item, &trace, &AT_SIGHT, effects);
        }
    }
}

/// The default check on the focused column's trace, by itself: only while the model is loaded and has nothing to do.
pub fn when_idle(state: &mut State, effects: &mut Vec<Effect>) {
    let idle = matches!(state.model, ModelState::Ready(_))
        && !state.live.busy()
        && state.checks.busy() == 0
        && state.intervening.is_none()
        && state.audit.work.is_none();
    let Some(ix) = state.explorer.items.current().filter(|_| idle) else { return };
    let Some(trace) = trace_of(&cell(state, ix, state.explorer.compare.focus)) else { return };
    let known = state.checks.verdict(&trace, CheckId::ProbabilityTrace).is_some();
    if known || trace.predicted_answer.is_none() || trace.cot.trim().is_empty() {
        return;
    }
    if let Some(item) = item_of(state, &trace) {
        // A trace that cannot be tested says so when a check is asked for.
        let _ = start_on(state, item, &trace, &QUICK, effects);
    }
}

/// Hands an event of the worker to the runs.
pub fn on_job(state: &mut State, event: &JobEvent, effects: &mut Vec<Effect>) {
    let live = &mut state.live;
    let news = state.checks.on(event, &mut || live.next_id());
    take(state, news, effects);
}

/// Sends what is to be asked, and keeps what was found. A verdict that fails for want of a model is not kept: the
/// next try may succeed. What needs no model is found again faster than it is read.
fn take(state: &mut State, news: News, effects: &mut Vec<Effect>) {
    effects.extend(news.commands.into_iter().map(Effect::Engine));
    let kept: Vec<_> =
        news.records.iter().filter(|r| !AT_SIGHT.contains(&r.check) && !failed(r)).cloned().collect();
    if !news.records.is_empty() {
        state.audit.stale = true;
    }
    if !kept.is_empty() {
        effects.push(Effect::KeepChecks(kept));
    }
}
