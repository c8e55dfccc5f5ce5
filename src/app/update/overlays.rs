//! Keys of what lies over the explorer.

use super::{check, corpus};
use crate::app::{
    action::{Action, Context},
    effect::Effect,
    explorer::picker::Finder,
    input::Input,
    keymap::Key,
    overlay::Overlay,
    state::{ModelState, State},
};
use crate::core::{
    check::{CheckId, Scoring},
    query::{Query, suggest},
};
use crossterm::event::KeyCode;

/// The actions that the palette lists for what was typed, best first.
pub fn palette(typed: &str) -> Vec<Action> {
    // A demo's own keys mean nothing here: while it has the keys, the palette stays closed.
    let listed = || Action::ALL.iter().filter(|a| !a.name().starts_with("demo-"));
    if typed.trim().is_empty() {
        return listed().copied().collect();
    }
    let mut finder = Finder::new(typed);
    let mut found: Vec<(u32, Action)> = listed()
        .filter_map(|a| {
            let by_name = finder.find(a.name()).map(|(score, _)| score * 2);
            let by_text = finder.find(a.about()).map(|(score, _)| score);
            by_name.max(by_text).map(|score| (score, *a))
        })
        .collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, action)| action).collect()
}

pub fn on_key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    if key.ctrl && key.code == KeyCode::Char('c') {
        state.overlay = None;
        return;
    }
    let Some(overlay) = state.overlay.take() else { return };
    state.overlay = match overlay {
        Overlay::Palette { input, cursor } => palette_key(state, input, cursor, key, effects),
        Overlay::Filter { input, cursor, .. } => filter_key(state, input, cursor, key, effects),
        Overlay::Models { cursor } => models_key(state, cursor, key, effects),
        Overlay::Checks { cursor } => checks_key(state, cursor, key, effects),
        Overlay::NoModel { model, problem, missing } => {
            no_model_key(state, model, problem, missing, key, effects)
        }
        Overlay::Help { context, .. } if key.code == KeyCode::Tab => {
            let at = Context::ALL.iter().position(|c| *c == context).unwrap_or(0);
            let context = Context::ALL.get((at + 1) % Context::ALL.len()).copied().unwrap_or(context);
            Some(Overlay::Help { context, scroll: 0 })
        }
        Overlay::Help { context, scroll } => {
            scrolled(state, key, scroll).map(|scroll| Overlay::Help { context, scroll })
        }
        Overlay::Problems { scroll } => {
            scrolled(state, key, scroll).map(|scroll| Overlay::Problems { scroll })
        }
        Overlay::Details { scroll } => scrolled(state, key, scroll).map(|scroll| Overlay::Details { scroll }),
        Overlay::Evidence { scroll } => {
            scrolled(state, key, scroll).map(|scroll| Overlay::Evidence { scroll })
        }
        Overlay::Report(sheet) => super::report::on_key(state, sheet, key, effects),
        Overlay::Intervene(sheet) => super::intervene::on_key(state, *sheet, key, effects),
    };
}

/// The new scroll of a reading overlay; `None` closes it.
fn scrolled(state: &State, key: Key, scroll: usize) -> Option<usize> {
    let action = state.setup.keymap.action(Context::Global, key);
    match action? {
        Action::Up => Some(scroll.saturating_sub(1)),
        Action::Down => Some(scroll + 1),
        Action::PageUp => Some(scroll.saturating_sub(10)),
        Action::PageDown => Some(scroll + 10),
        Action::First => Some(0),
        Action::Last => Some(usize::MAX / 2),
        Action::Back
        | Action::Quit
        | Action::Help
        | Action::Select
        | Action::Problems
        | Action::Evidence
        | Action::Details => None,
        _ => Some(scroll),
    }
}

fn palette_key(
    state: &mut State,
    mut input: Input,
    cursor: usize,
    key: Key,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    let count = palette(input.text()).len();
    match key.code {
        KeyCode::Esc => None,
        KeyCode::Enter => {
            let chosen = palette(input.text()).get(cursor).copied();
            if let Some(action) = chosen {
                super::perform(state, action, effects);
            }
            state.overlay.take()
        }
        KeyCode::Up => Some(Overlay::Palette { input, cursor: cursor.saturating_sub(1) }),
        KeyCode::Down => Some(Overlay::Palette { input, cursor: (cursor + 1).min(count.saturating_sub(1)) }),
        _ => {
            input.key(key);
            Some(Overlay::Palette { input, cursor: 0 })
        }
    }
}

fn filter_key(
    state: &mut State,
    mut input: Input,
    cursor: Option<usize>,
    key: Key,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    let suggestions = suggest(input.text(), input.before().len(), &state.corpus);
    match key.code {
        KeyCode::Esc => return None,
        KeyCode::Down if !suggestions.is_empty() => {
            let next = cursor.map_or(0, |c| (c + 1).min(suggestions.len() - 1));
            return Some(filter_overlay(state, input, Some(next)));
        }
        KeyCode::Up => {
            let next = cursor.and_then(|c| c.checked_sub(1));
            return Some(filter_overlay(state, input, next));
        }
        KeyCode::Tab => {
            if let Some(suggestion) = suggestions.get(cursor.unwrap_or(0)) {
                input.complete(suggestion.range.start, &suggestion.text);
            }
            return Some(filter_overlay(state, input, None));
        }
        KeyCode::Enter => match (cursor.and_then(|c| suggestions.get(c)), Query::parse(input.text())) {
            (Some(suggestion), _) => {
                input.complete(suggestion.range.start, &suggestion.text);
                return Some(filter_overlay(state, input, None));
            }
            (None, Ok(query)) => {
                corpus::filter(state, query, effects);
                return None;
            }
            (None, Err(_)) => {}
        },
        _ => {
            input.key(key);
        }
    }
    Some(filter_overlay(state, input, None))
}

fn filter_overlay(state: &State, input: Input, cursor: Option<usize>) -> Overlay {
    let suggestions = suggest(input.text(), input.before().len(), &state.corpus);
    let problem = Query::parse(input.text()).err().map(|error| error.to_string());
    Overlay::Filter { input, problem, suggestions, cursor }
}

fn models_key(state: &mut State, cursor: usize, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let last = state.models.len().saturating_sub(1);
    match (state.setup.keymap.action(Context::Global, key), state.models.get(cursor).cloned()) {
        (Some(Action::Up), _) => Some(Overlay::Models { cursor: cursor.saturating_sub(1) }),
        (Some(Action::Down), _) => Some(Overlay::Models { cursor: (cursor + 1).min(last) }),
        (Some(Action::Select), Some(model)) if model.present => {
            state.model_reference = model.reference.clone();
            state.model = ModelState::Idle;
            let job = crate::job::JobId(state.live.next_id());
            effects.push(Effect::Engine(crate::job::Command::Load { job, model: model.reference }));
            None
        }
        (Some(Action::Select), Some(model)) => {
            effects.push(Effect::Fetch(model.reference));
            None
        }
        (Some(Action::Back | Action::Quit | Action::Models), _) => None,
        _ => Some(Overlay::Models { cursor }),
    }
}

fn checks_key(state: &mut State, cursor: usize, key: Key, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let last = CheckId::ALL.len() - 1;
    let how = &mut state.checks.how;
    match (key.code, state.setup.keymap.action(Context::Global, key)) {
        (KeyCode::Char('m'), _) => how.model_makes = !how.model_makes,
        (KeyCode::Char('r'), _) => {
            how.scoring = match how.scoring {
                None => Some(Scoring::Words),
                Some(Scoring::Words) => Some(Scoring::Letters),
                Some(Scoring::Letters) => None,
            }
        }
        (KeyCode::Char(' '), _) => check::chosen(state, CheckId::ALL[cursor.min(last)], true, effects),
        (_, Some(Action::Select)) => check::chosen(state, CheckId::ALL[cursor.min(last)], false, effects),
        (_, Some(Action::Up)) => return Some(Overlay::Checks { cursor: cursor.saturating_sub(1) }),
        (_, Some(Action::Down)) => return Some(Overlay::Checks { cursor: (cursor + 1).min(last) }),
        (_, Some(Action::First)) => return Some(Overlay::Checks { cursor: 0 }),
        (_, Some(Action::Last)) => return Some(Overlay::Checks { cursor: last }),
        (_, Some(Action::Evidence)) => return Some(Overlay::Evidence { scroll: 0 }),
        (_, Some(Action::Back | Action::Quit | Action::ChooseCheck)) => return None,
        _ => {}
    }
    Some(Overlay::Checks { cursor })
}

fn no_model_key(
    state: &mut State,
    model: String,
    problem: String,
    missing: bool,
    key: Key,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    match key.code {
        KeyCode::Enter if missing => {
            state.model = ModelState::Fetching { from: "…".to_owned(), bytes: 0, total: None };
            effects.push(Effect::Fetch(model));
            None
        }
        KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q') => None,
        _ => Some(Overlay::NoModel { model, problem, missing }),
    }
}

/// Pasted text goes where text is typed.
pub fn on_paste(state: &mut State, text: &str, _effects: &mut Vec<Effect>) {
    if super::annotate::paste(state, text) {
        return;
    }
    match state.overlay.take() {
        Some(Overlay::Palette { mut input, .. }) => {
            input.insert(text);
            state.overlay = Some(Overlay::Palette { input, cursor: 0 });
        }
        Some(Overlay::Report(mut sheet)) => {
            if !sheet.busy() {
                sheet.name.insert(text);
                sheet.saved = None;
            }
            state.overlay = Some(Overlay::Report(sheet));
        }
        Some(Overlay::Filter { mut input, .. }) => {
            input.insert(text);
            state.overlay = Some(filter_overlay(state, input, None));
        }
        other => {
            state.overlay = other;
            if let Some(search) = &mut state.search {
                search.input.insert(text);
            } else if state.explorer.picker.typing
                && let Some(input) = &mut state.explorer.picker.search
            {
                input.insert(text);
                corpus::relist(state);
            }
        }
    }
}
