//! Search: by name in the picker, by words elsewhere; and walking the matches.

use super::corpus::{filter, heights, relist};
use crate::app::{
    effect::Effect,
    explorer::{Zone, cell},
    input::Input,
    keymap::Key,
    state::{Search, State},
};
use crate::core::query::{Place, Term, Test};
use crossterm::event::KeyCode;

/// Starts a search in the focused zone.
pub fn start(state: &mut State) {
    if state.explorer.focus == Zone::Perspectives {
        state.explorer.picker.search = Some(Input::default());
        state.explorer.picker.typing = true;
        relist(state);
    } else {
        let in_rationale = state.filter.query.reads_rationales();
        let input = Input::new(state.search_words().unwrap_or(""));
        state.search = Some(Search { input, in_rationale });
    }
}

/// Keys of the search line at the bottom.
pub fn on_key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    let Some(search) = &mut state.search else { return };
    match key.code {
        KeyCode::Esc => state.search = None,
        KeyCode::Tab | KeyCode::BackTab => search.in_rationale = !search.in_rationale,
        KeyCode::Enter => {
            let Search { input, in_rationale } = std::mem::take(search);
            state.search = None;
            let mut query = state.filter.query.clone();
            query.terms.retain(|t| t.negated || !matches!(t.test, Test::Text { .. }));
            let words = input.text().trim().to_owned();
            if !words.is_empty() {
                let place = if in_rationale { Place::Rationale } else { Place::Text };
                query.terms.push(Term { negated: false, test: Test::Text { place, words } });
            }
            filter(state, query, effects);
        }
        _ => {
            search.input.key(key);
        }
    }
}

/// Keys of the picker's search, while one is typed; `false` when the key is not for it.
pub fn picker_key(state: &mut State, key: Key) -> bool {
    let (height, _) = heights(state);
    let picker = &mut state.explorer.picker;
    if !picker.typing {
        if key.code == KeyCode::Esc && picker.search.is_some() {
            picker.search = None;
            relist(state);
            return true;
        }
        return false;
    }
    let moves = match key.code {
        KeyCode::Up => Some(picker.cursor.saturating_sub(1)),
        KeyCode::Down => Some(picker.cursor + 1),
        _ => None,
    };
    if let Some(to) = moves {
        picker.go(to, height);
        super::corpus::rescope(state);
        return true;
    }
    match key.code {
        KeyCode::Esc => {
            picker.search = None;
            picker.typing = false;
        }
        KeyCode::Enter => picker.typing = false,
        KeyCode::Tab | KeyCode::BackTab => {
            picker.typing = false;
            return false;
        }
        _ => {
            let Some(input) = &mut picker.search else { return false };
            if !input.key(key) {
                return false;
            }
        }
    }
    relist(state);
    true
}

/// To the next or previous match: within the focused column's steps, then in the next item.
pub fn walk(state: &mut State, back: bool, effects: &mut Vec<Effect>) {
    let Some(words) = state.search_words().map(str::to_lowercase) else {
        return state.say("nothing is searched for: / starts a search");
    };
    let Some(item) = state.explorer.items.current() else { return };
    if state.explorer.focus == Zone::Comparison {
        let here = state.explorer.compare.step;
        let cell = cell(state, item, state.explorer.compare.focus);
        let steps = cell.shown().map_or(Vec::new(), |shown| {
            (0..shown.steps.len())
                .filter(|i| shown.step(*i).is_some_and(|(_, t)| t.to_lowercase().contains(&words)))
                .collect()
        });
        let next =
            if back { steps.iter().rev().find(|s| **s < here) } else { steps.iter().find(|s| **s > here) };
        if let Some(step) = next {
            return super::movement::go_step(state, *step);
        }
    }
    let (_, height) = heights(state);
    let list = &state.explorer.items;
    let to = if back {
        list.cursor.checked_sub(1)
    } else {
        Some(list.cursor + 1).filter(|i| *i < list.rows.len())
    };
    match to {
        Some(to) => super::movement::go_item(state, to, height),
        None => state.say(if back { "no match before this one" } else { "no match after this one" }),
    }
    let _ = effects;
}
