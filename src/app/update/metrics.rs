//! The metrics screen: asks for measurements when the filter changes, moves its cursor, and opens what lies behind a
//! cell.

use super::corpus;
use crate::app::{
    action::Action,
    effect::Effect,
    explorer::Zone,
    metrics::{Measured, Page, page, priorities},
    state::{Screen, State},
};
use crate::core::{
    ItemIx,
    check::summary::{Summary, summarise},
    metric::{Report, Resampling, Samples, Settings, chart::charts, sheet},
    query::{Query, Test},
};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use std::sync::Arc;

/// Rows that half a page moves.
const HALF_PAGE: isize = 10;

pub fn open(state: &mut State) {
    state.screen = Screen::Metrics;
    if let Some(item) = state.explorer.items.current() {
        state.metrics.priorities.turn_to(&state.corpus, item);
    }
}

/// After every event: what is shown follows the filter, and the verdicts.
pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.screen != Screen::Metrics {
        return;
    }
    if state.metrics.asked != state.filter.generation && !state.filter.pending {
        state.metrics.asked = state.filter.generation;
        state.metrics.running = Some((0, 0));
        let no_rationale =
            state.methods.iter().filter(|m| !m.method.reasons()).map(|m| m.method.id.clone()).collect();
        effects.push(Effect::Measure {
            generation: state.filter.generation,
            query: state.filter.query.clone(),
            selection: Arc::clone(&state.selection),
            corpus: state.corpus.clone(),
            settings: Settings {
                resampling: Resampling::default(),
                samples: state.metrics.samples,
                no_rationale,
            },
        });
    }
    if state.metrics.page == Page::Checks && state.metrics.verdicts != state.checks.records().count() {
        judge(state);
    }
}

/// A measurement came, or a part of one.
pub fn on_measured(
    state: &mut State,
    generation: u64,
    measured: Arc<Measured>,
    running: Option<(usize, usize)>,
) {
    let samples = |m: &Measured| m.report.sets.first().map(|set| set.samples);
    if generation != state.metrics.asked || samples(&measured).is_some_and(|s| s != state.metrics.samples) {
        return;
    }
    state.metrics.measured = measured;
    state.metrics.running = running;
    judge(state);
}

/// Makes the table of accuracy, faithfulness and safety from the verdicts on the traces of the filter.
fn judge(state: &mut State) {
    let report = Report { checks: verdicts(state), ..state.metrics.measured.report.clone() };
    state.metrics.checks = sheet::checks(&report);
    state.metrics.verdicts = state.checks.records().count();
}

/// Verdicts on the traces of the filter, by method and check.
fn verdicts(state: &State) -> Vec<Summary> {
    summarise(super::audit::verdicts(state).0).checks
}

/// Everything that the screen's pages show, as one report.
pub fn whole(state: &State) -> Report {
    Report {
        checks: verdicts(state),
        curves: state.metrics.curves(&state.training.runs),
        ..state.metrics.measured.report.clone()
    }
}

/// Training runs came, or grew.
pub fn on_runs(state: &mut State) {
    let curves = state.metrics.curves(&state.training.runs);
    let report = Report { curves, ..Report::default() };
    state.metrics.training = sheet::training(&report);
    state.metrics.training_charts = charts(&report);
}

/// Takes the actions that mean something here.
pub fn perform(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Up => go(state, -1),
        Action::Down => go(state, 1),
        Action::PageUp => go(state, -HALF_PAGE),
        Action::PageDown => go(state, HALF_PAGE),
        Action::First => go(state, isize::MIN / 2),
        Action::Last => go(state, isize::MAX / 2),
        Action::Left => sideways(state, -1),
        Action::Right => sideways(state, 1),
        Action::NextPage | Action::NextZone => turn(state, false),
        Action::PreviousPage | Action::PreviousZone => turn(state, true),
        Action::NextItem => step_item(state, 1),
        Action::PreviousItem => step_item(state, -1),
        Action::Select => select(state, effects),
        Action::Samples => next_samples(state),
        Action::Back => state.screen = Screen::Explorer,
        Action::FocusPerspectives | Action::FocusItems | Action::FocusComparison => {
            state.screen = Screen::Explorer;
            return false;
        }
        Action::Filter | Action::ClearFilter | Action::Audit | Action::Report => return false,
        everyones if everyones.is_everyones() => return false,
        // The rest speaks of columns and lists that are not shown.
        _ => {}
    }
    true
}

fn go(state: &mut State, by: isize) {
    if state.metrics.page == Page::Priorities {
        return state.metrics.priorities.go(by);
    }
    let place = page::moved(state.metrics.place(), &state.metrics.sheets(), by);
    state.metrics.set_place(place);
}

fn sideways(state: &mut State, by: isize) {
    if state.metrics.page == Page::Priorities {
        return state.metrics.priorities.weigh(by as f64 * priorities::STEP);
    }
    let mut place = state.metrics.place();
    place.column = place.column.saturating_add_signed(by);
    let place = page::settled(place, &state.metrics.sheets());
    state.metrics.set_place(place);
}

fn turn(state: &mut State, back: bool) {
    state.metrics.page = super::turned(&Page::ALL, state.metrics.page, back);
}

/// Counts repeated samples in the next way, and measures again.
fn next_samples(state: &mut State) {
    state.metrics.samples = super::turned(&Samples::ALL, state.metrics.samples, false);
    state.metrics.asked = 0;
    state.say(format!("repeated samples: {}", state.metrics.samples.about()));
}

/// A press on a weight's bar takes hold of it, and moving sets it; a press beside the bar moves the cursor alone.
pub fn on_mouse(state: &mut State, event: MouseEvent) -> bool {
    if state.metrics.page != Page::Priorities {
        return false;
    }
    let Some(layout) = state.metrics.priorities.layout(&state.corpus, state.size) else { return false };
    let priorities = &mut state.metrics.priorities;
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            let Some(row) = layout.row_at(event.column, event.row) else { return false };
            priorities.cursor = row;
            priorities.held = layout.on_bar(event.column);
            if priorities.held {
                priorities.set(layout.weight_at(event.column));
            }
        }
        MouseEventKind::Drag(MouseButton::Left) if priorities.held => {
            priorities.set(layout.weight_at(event.column));
        }
        MouseEventKind::Up(MouseButton::Left) => priorities.held = false,
        _ => return false,
    }
    true
}

/// The next situation of the filter, for the priorities.
fn step_item(state: &mut State, by: isize) {
    if state.metrics.page != Page::Priorities {
        return;
    }
    let items = &state.selection.items;
    let text = |ix: &ItemIx| state.corpus.item(*ix).and_then(|i| i.text());
    let at = items.iter().position(|ix| text(ix) == state.metrics.priorities.text).unwrap_or(0);
    let here = state.metrics.priorities.text;
    let next = if by > 0 {
        items.iter().skip(at).find(|ix| text(ix) != here)
    } else {
        items[..at.min(items.len())].iter().rev().find(|ix| text(ix) != here)
    };
    if let Some(ix) = next.copied() {
        state.metrics.priorities.turn_to(&state.corpus, ix);
    }
}

/// The traces behind the cell under the cursor, as the explorer's filter.
fn select(state: &mut State, effects: &mut Vec<Effect>) {
    if state.metrics.page == Page::Priorities {
        return state.say("←→ moves this weight; [ ] goes to another situation");
    }
    let sheets = state.metrics.sheets();
    let place = page::settled(state.metrics.place(), &sheets);
    let cell = sheets.get(place.table).and_then(|s| s.rows.get(place.row)?.get(place.column));
    let Some(own) = cell.and_then(|c| c.opens.as_deref()).and_then(|line| Query::parse(line).ok()) else {
        return state.say("no traces of its own lie behind this cell");
    };
    let method = own.terms.iter().find_map(|t| match &t.test {
        Test::Method { method: crate::core::query::MethodName::Id(id), .. } => Some(id.clone()),
        _ => None,
    });
    let mut query = state.filter.query.clone();
    for term in own.terms {
        if !query.terms.contains(&term) {
            query.terms.push(term);
        }
    }
    if let Some(column) = method.and_then(|id| state.methods.iter().position(|m| m.method.id.0 == id)) {
        state.explorer.compare.hidden.remove(&column);
        state.explorer.compare.focus = column;
    }
    state.screen = Screen::Explorer;
    state.explorer.focus = Zone::Items;
    state.say(format!("{query}   ·   F drops the filter, t goes back to the metrics"));
    corpus::filter(state, query, effects);
}
