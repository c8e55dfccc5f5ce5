//! The training screen: which run, which page; the runs themselves come as events.

use crate::app::{
    action::Action,
    effect::Effect,
    metrics,
    state::{Screen, State},
    training::Page,
};
use crate::core::run::RunLog;
use std::sync::Arc;

pub fn open(state: &mut State) {
    state.screen = Screen::Training;
}

/// After every event: run folders are watched while something that draws them is shown.
pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    let metrics = state.screen == Screen::Metrics && state.metrics.page == metrics::Page::Training;
    let shown = metrics || state.screen == Screen::Training;
    if state.training.watched != shown {
        state.training.watched = shown;
        effects.push(Effect::WatchRuns(shown));
    }
}

pub fn on_runs(state: &mut State, places: String, runs: Vec<Arc<RunLog>>) {
    // The cursor stays on its run when others come or go.
    let name = state.training.current().map(|run| run.name.clone());
    state.training.places = places;
    state.training.runs = runs;
    state.training.seen = true;
    let at = name.and_then(|name| state.training.runs.iter().position(|run| run.name == name));
    state.training.cursor = at.unwrap_or(0);
    super::metrics::on_runs(state);
}

/// Takes the actions that mean something here.
pub fn perform(state: &mut State, action: Action) -> bool {
    let training = &mut state.training;
    let last = training.runs.len().saturating_sub(1);
    match action {
        Action::Up => training.cursor = training.cursor.saturating_sub(1),
        Action::Down => training.cursor = (training.cursor + 1).min(last),
        Action::First => training.cursor = 0,
        Action::Last => training.cursor = last,
        Action::PageUp | Action::ScrollUp => training.scroll = training.scroll.saturating_sub(5),
        Action::PageDown | Action::ScrollDown => training.scroll += 5,
        Action::NextPage | Action::NextZone | Action::Right => turn(state, false),
        Action::PreviousPage | Action::PreviousZone | Action::Left => turn(state, true),
        Action::Back | Action::FocusPerspectives | Action::FocusItems | Action::FocusComparison => {
            state.screen = Screen::Explorer;
            return action == Action::Back;
        }
        everyones if everyones.is_everyones() => return false,
        _ => {}
    }
    true
}

fn turn(state: &mut State, back: bool) {
    state.training.page = super::turned(&Page::ALL, state.training.page, back);
    state.training.scroll = 0;
}
