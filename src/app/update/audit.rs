//! The audit screen: starts, feeds and stops the checks of many traces, and keeps its numbers up to date.

use super::{check, corpus, generate};
use crate::app::{
    action::Action,
    audit::{AT_ONCE, Page, Work},
    checks::FULL,
    effect::Effect,
    explorer::Zone,
    state::{ModelState, Screen, State},
    texts::Lookup,
};
use crate::core::{
    ItemIx, Outcome,
    check::{CheckId, Record, TraceKey, overview::overview},
    corpus::{CheckState, CheckTest},
    query::{MethodName, OutcomeTest, Query, Term, Test},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// The numbers are made anew at most this often while verdicts come in.
const REFRESH: Duration = Duration::from_millis(400);

pub fn open(state: &mut State) {
    state.screen = Screen::Audit;
    state.audit.stale = true;
    state.audit.made = Duration::ZERO;
}

/// Takes the actions that mean something here.
pub fn perform(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Up => state.audit.cursor = state.audit.cursor.saturating_sub(1),
        Action::Down => state.audit.cursor += 1,
        Action::PageUp => state.audit.cursor = state.audit.cursor.saturating_sub(10),
        Action::PageDown => state.audit.cursor += 10,
        Action::First => state.audit.cursor = 0,
        Action::Last => state.audit.cursor = usize::MAX,
        Action::Left => state.audit.cell = 0,
        Action::Right => state.audit.cell = 1,
        Action::NextPage | Action::NextZone => turn(state, false),
        Action::PreviousPage | Action::PreviousZone => turn(state, true),
        Action::About => next_check(state),
        Action::Start => start(state),
        Action::Cancel => {
            if let Some(work) = state.audit.work.take() {
                let left = work.queue.len();
                state.audit.stopped = (left > 0).then(|| format!("stopped with {left} traces to go"));
                state.say("stopped; what was found is kept, and a goes on with the rest");
            }
            generate::cancel(state, effects);
        }
        Action::Select => select(state, effects),
        Action::Back => state.screen = Screen::Explorer,
        Action::FocusPerspectives | Action::FocusItems | Action::FocusComparison => {
            state.screen = Screen::Explorer;
            return false;
        }
        Action::Filter | Action::ClearFilter => return false,
        everyones if everyones.is_everyones() => return false,
        // The rest speaks of columns and lists that are not shown.
        _ => {}
    }
    state.audit.cursor = state.audit.cursor.min(state.audit.rows().saturating_sub(1));
    true
}

fn turn(state: &mut State, back: bool) {
    state.audit.page = super::turned(&Page::ALL, state.audit.page, back);
    state.audit.cursor = 0;
}

/// The next check that there are verdicts of.
fn next_check(state: &mut State) {
    let checks = state.audit.checks();
    let at = state.audit.about.and_then(|about| checks.iter().position(|c| *c == about));
    state.audit.about = checks.get(at.map_or(0, |at| (at + 1) % checks.len().max(1))).copied();
    state.audit.chosen = true;
    refresh(state);
}

/// Queues every trace of the filter that lacks a verdict.
fn start(state: &mut State) {
    if state.audit.work.is_some() {
        return state.say("running already; x stops it");
    }
    let mut work = Work { checks: FULL.to_vec(), ..Work::default() };
    for ix in &state.selection.items {
        work.queue.extend(state.corpus.traces(*ix).map(|trace| (*ix, trace)));
    }
    work.total = work.queue.len();
    if work.total == 0 {
        return state.say("no trace under this filter");
    }
    state.audit.stopped = None;
    state.audit.work = Some(work);
}

/// After every event: hands the next traces to the checks, and makes the numbers anew when they lag behind.
pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.audit.work.is_some() {
        feed(state, effects);
    }
    let due = state.now.saturating_sub(state.audit.made) >= REFRESH || state.audit.made == Duration::ZERO;
    if state.screen == Screen::Audit && state.audit.stale && due {
        refresh(state);
    }
}

fn feed(state: &mut State, effects: &mut Vec<Effect>) {
    if matches!(state.model, ModelState::Missing | ModelState::Failed(_)) {
        let left = state.audit.work.take().map_or(0, |work| work.queue.len());
        state.audit.stopped = Some(format!("stopped with {left} traces to go: there is no model to ask"));
        return state.complain("the checks were stopped: there is no model to ask");
    }
    let mut missing = Vec::new();
    while state.checks.busy() < AT_ONCE {
        let Some(work) = &mut state.audit.work else { return };
        let Some((ix, trace)) = work.queue.front().copied() else { break };
        let (Some(item), Some(facts)) = (state.corpus.item(ix), state.corpus.trace(trace)) else {
            work.queue.pop_front();
            continue;
        };
        let (item_loc, loc, known) = (item.loc, facts.loc, item.known());
        if known {
            missing.extend(state.texts.want([item_loc, loc]));
        }
        let row = match (state.texts.get(item_loc), state.texts.get(loc)) {
            _ if !known => Err("the item is not known".to_owned()),
            (Lookup::Pending, _) | (_, Lookup::Pending) => break,
            (Lookup::Ready(item), Lookup::Ready(trace)) => match (item.item.clone(), trace.trace.clone()) {
                (Some(item), Some(trace)) => Ok((item, trace)),
                _ => Err("the line holds no trace".to_owned()),
            },
            (Lookup::Failed(problem), _) | (_, Lookup::Failed(problem)) => Err(problem.to_owned()),
        };
        let checks = work.checks.clone();
        work.queue.pop_front();
        work.done += 1;
        let result = row.and_then(|(item, trace)| check::start_on(state, item, &trace, &checks, effects));
        if let (Err(problem), Some(work)) = (result, &mut state.audit.work) {
            *work.left_out.entry(problem).or_default() += 1;
        }
    }
    if !missing.is_empty() {
        effects.push(Effect::Load(missing));
    }
    let Some(work) = &state.audit.work else { return };
    if work.queue.is_empty() && state.checks.busy() == 0 {
        let left_out: usize = work.left_out.values().sum();
        let checked = work.total - left_out;
        let reasons: Vec<String> =
            work.left_out.iter().map(|(why, n)| format!("{n} left out: {why}")).collect();
        state.notes.extend(reasons.iter().map(|r| format!("checks: {r}")));
        state.audit.work = None;
        state.audit.made = Duration::ZERO;
        state.say(match left_out {
            0 => format!("{checked} traces checked"),
            _ => format!("{checked} traces checked, {left_out} left out; p lists why"),
        });
    }
}

/// Verdicts on the very traces of the filter, and how many of these traces have any.
pub fn verdicts(state: &State) -> (Vec<&Record>, usize) {
    let all = state.filter.query.is_empty();
    let wanted: HashSet<ItemIx> =
        if all { HashSet::new() } else { state.selection.items.iter().copied().collect() };
    let here = |key: &TraceKey| {
        let items = state.corpus.named(key).filter_map(|ix| Some(state.corpus.trace(ix)?.item()));
        items.filter(|item| all || wanted.contains(item)).count()
    };
    let mut held: HashMap<&TraceKey, usize> = HashMap::new();
    let records = state
        .checks
        .records()
        .map(Arc::as_ref)
        .filter(|r| *held.entry(&r.trace).or_insert_with(|| here(&r.trace)) > 0)
        .collect();
    (records, held.values().sum())
}

/// Makes the numbers anew.
fn refresh(state: &mut State) {
    let (records, covered) = verdicts(state);
    let has = |check: CheckId| records.iter().any(|r| r.check == check);
    let about = state
        .audit
        .about
        .filter(|c| state.audit.chosen && has(*c))
        .or_else(|| CheckId::ALL.into_iter().find(|c| has(*c)));
    let overview = overview(&records, about);
    let all = state.filter.query.is_empty();
    let total = if all { state.corpus.trace_count() } else { state.selection.traces };
    state.audit.overview = overview;
    state.audit.about = about;
    state.audit.covered = (covered, total);
    state.audit.stale = false;
    state.audit.made = state.now.max(Duration::from_millis(1));
    state.audit.cursor = state.audit.cursor.min(state.audit.rows().saturating_sub(1));
}

/// The traces behind the row under the cursor, as the explorer's filter.
fn select(state: &mut State, effects: &mut Vec<Effect>) {
    let audit = &state.audit;
    let found = match audit.page {
        Page::Rates => audit
            .overview
            .report
            .checks
            .get(audit.cursor)
            .map(|s| (s.method.0.clone(), None, s.check, CheckTest::Counted)),
        Page::Safety => audit.overview.safety.get(audit.cursor).map(|s| {
            let test = s.what.map_or(CheckTest::Is(CheckState::Flagged), CheckTest::Flags);
            (s.method.0.clone(), None, s.check, test)
        }),
        Page::Curves => audit
            .overview
            .curves
            .get(audit.cursor)
            .and_then(|c| Some((c.method.0.clone(), None, audit.about?, CheckTest::Any))),
        Page::Quadrant => audit.overview.quadrants.get(audit.cursor / 2).and_then(|q| {
            let outcome = if audit.cursor.is_multiple_of(2) { Outcome::Right } else { Outcome::Wrong };
            let state = if audit.cell == 0 { CheckState::Clear } else { CheckState::Flagged };
            Some((q.method.0.clone(), Some(outcome), audit.about?, CheckTest::Is(state)))
        }),
    };
    let Some((method, outcome, check, test)) = found else { return state.say("nothing to open here") };
    let name = MethodName::Id(method.clone());
    let mut query = Query {
        terms: state
            .filter
            .query
            .terms
            .iter()
            .filter(|t| !matches!(t.test, Test::Check { .. }))
            .cloned()
            .collect(),
    };
    if let Some(outcome) = outcome {
        let test = Test::Method { method: name.clone(), outcome: OutcomeTest::Is(outcome) };
        query.terms.retain(|t| !matches!(t.test, Test::Method { .. }));
        query.terms.push(Term { negated: false, test });
    }
    query.terms.push(Term { negated: false, test: Test::Check { method: name, check, test } });
    if let Some(column) = state.methods.iter().position(|m| m.method.id.0 == method) {
        state.explorer.compare.hidden.remove(&column);
        state.explorer.compare.focus = column;
    }
    state.screen = Screen::Explorer;
    state.explorer.focus = Zone::Items;
    state.say(format!("{query}   ·   F drops the filter, A goes back to the audit"));
    corpus::filter(state, query, effects);
}
