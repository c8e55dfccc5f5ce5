//! Actions, one by one.

use super::{
    annotate, check,
    corpus::{filter, heights, relist, requery},
    generate,
    movement::{horizontal, scroll_column, step_item, step_perspective, vertical},
    search,
    zones::{focus, leave_swap, no_picker},
};
use crate::app::{
    action::Action,
    effect::Effect,
    explorer::{Anchor, Zone, cell, items, items::Scope, picker},
    input::Input,
    overlay::Overlay,
    state::State,
};
use crate::core::query::{ItemOrder, Query, Term, Test};

/// Does what a key, the palette or the mouse asked for.
pub fn perform(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::First | Action::Last => {
            vertical(state, action);
        }
        Action::Left => horizontal(state, true),
        Action::Right => horizontal(state, false),
        Action::ScrollUp => scroll_column(state, state.explorer.compare.focus, -1),
        Action::ScrollDown => scroll_column(state, state.explorer.compare.focus, 1),
        Action::Select => select(state),
        Action::Back => back(state, effects),
        Action::NextZone => focus(state, state.explorer.focus.next(no_picker(state), false)),
        Action::PreviousZone => focus(state, state.explorer.focus.next(no_picker(state), true)),
        Action::FocusPerspectives => focus(state, Zone::Perspectives),
        Action::FocusItems => focus(state, Zone::Items),
        Action::FocusComparison => focus(state, Zone::Comparison),
        Action::Zoom => {
            state.explorer.zoomed = !state.explorer.zoomed;
            state.explorer.focus = Zone::Comparison;
        }
        Action::FoldPicker => {
            state.explorer.folded = !state.explorer.folded;
            if state.explorer.folded && state.explorer.focus == Zone::Perspectives {
                state.explorer.focus = Zone::Items;
            }
        }
        Action::ToggleGroup => {
            state.explorer.picker.toggle(None);
            relist(state);
        }
        Action::NextItem => step_item(state, 1),
        Action::PreviousItem => step_item(state, -1),
        Action::NextPerspective => step_perspective(state, true),
        Action::PreviousPerspective => step_perspective(state, false),
        Action::SwapPerspective => swap(state),
        Action::NextSample => step_sample(state, 1),
        Action::PreviousSample => step_sample(state, -1),
        Action::ToggleSync => {
            state.explorer.compare.sync = !state.explorer.compare.sync;
            let sync = state.explorer.compare.sync;
            state.say(if sync { "columns scroll together" } else { "columns scroll alone" });
        }
        Action::Diff => {
            state.explorer.compare.diff = !state.explorer.compare.diff;
        }
        Action::HideColumn => hide_column(state),
        Action::ShowColumns => state.explorer.compare.hidden.clear(),
        Action::Search => search::start(state),
        Action::NextMatch => search::walk(state, false, effects),
        Action::PreviousMatch => search::walk(state, true, effects),
        Action::Filter => open_filter(state),
        Action::ClearFilter => filter(state, Query::default(), effects),
        Action::DisagreementLens => lens(state, effects),
        Action::Order => next_order(state, effects),
        Action::Generate => generate::focused(state, effects),
        Action::GenerateAll => generate::missing(state, effects),
        Action::Cancel => generate::cancel(state, effects),
        Action::Check => check::focused(state, effects),
        Action::CheckAll => check::all(state, effects),
        Action::ChooseCheck => state.overlay = Some(Overlay::Checks { cursor: 0 }),
        Action::Evidence => state.overlay = Some(Overlay::Evidence { scroll: 0 }),
        Action::Intervene => super::intervene::open(state),
        Action::Blur => {
            state.blur = !state.blur;
            state.say(if state.blur { "flagged steps are hidden" } else { "flagged steps are shown" });
        }
        Action::Annotate => annotate::open(state, effects),
        Action::Audit => super::audit::open(state),
        Action::Metrics => super::metrics::open(state),
        Action::Report => super::report::open(state),
        Action::Training => super::training::open(state),
        // Keys of other screens.
        Action::NextPage
        | Action::PreviousPage
        | Action::Start
        | Action::About
        | Action::Samples
        | Action::SaveLabel
        | Action::PreviousQuestion
        | Action::NextQuestion
        | Action::NextTrace
        | Action::PreviousTrace
        | Action::Undo
        | Action::Redo
        | Action::SkipTrace
        | Action::FlagTrace
        | Action::EditNote
        | Action::Mark
        | Action::ClearAnswer
        | Action::Reveal
        | Action::SideBySide
        | Action::Adopt
        | Action::Numbers => {}
        Action::Copy => copy(state, effects),
        Action::Details => state.overlay = Some(Overlay::Details { scroll: 0 }),
        Action::Problems => state.overlay = Some(Overlay::Problems { scroll: 0 }),
        Action::Models => {
            state.overlay = Some(Overlay::Models { cursor: 0 });
            effects.push(Effect::ListModels);
        }
        Action::NextTheme => next_theme(state),
        Action::ToggleMouse => {
            state.mouse = !state.mouse;
            effects.push(Effect::SetMouse(state.mouse));
            state.say(if state.mouse { "mouse on" } else { "mouse off: the terminal selects text" });
        }
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Help => {
            state.overlay = Some(Overlay::Help { context: state.context(), scroll: 0 });
        }
        Action::Palette => state.overlay = Some(Overlay::Palette { input: Input::default(), cursor: 0 }),
        // The demo takes its own before this is asked.
        Action::DemoNext
        | Action::DemoPrevious
        | Action::DemoPause
        | Action::DemoReplay
        | Action::DemoColumn
        | Action::DemoLarge
        | Action::DemoLock => {}
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Quit => {
            state.quitting = true;
            effects.push(Effect::Quit);
        }
    }
}

fn select(state: &mut State) {
    match state.explorer.focus {
        Zone::Perspectives => {
            let group = state
                .explorer
                .picker
                .lines
                .get(state.explorer.picker.cursor)
                .is_some_and(|l| l.open.is_some());
            if group {
                state.explorer.picker.toggle(None);
                relist(state);
            } else {
                focus(state, Zone::Items);
            }
        }
        Zone::Items => focus(state, Zone::Comparison),
        Zone::Comparison => state.explorer.zoomed = !state.explorer.zoomed,
    }
}

/// Esc goes one thing back: swap, zoom, search, then filter; it never leaves the program.
fn back(state: &mut State, effects: &mut Vec<Effect>) {
    if state.live.busy()
        && state.explorer.focus == Zone::Comparison
        && generate::cancel_focused(state, effects)
    {
        return;
    }
    if matches!(state.explorer.items.scope, Scope::Swap { .. }) {
        leave_swap(state);
    } else if state.explorer.zoomed {
        state.explorer.zoomed = false;
    } else if state.search_words().is_some() {
        let mut query = state.filter.query.clone();
        query.terms.retain(|t| t.negated || !matches!(t.test, Test::Text { .. }));
        filter(state, query, effects);
    } else if state.explorer.focus == Zone::Comparison {
        focus(state, Zone::Items);
    }
}

/// Holds the situation and lists it under all its perspectives; again, back to where one was.
fn swap(state: &mut State) {
    if matches!(state.explorer.items.scope, Scope::Swap { .. }) {
        return leave_swap(state);
    }
    let Some(item) = state.explorer.items.current() else { return };
    let Some(text) = state.corpus.item(item).and_then(|i| i.text()) else { return };
    let others = state.corpus.items_of_text(text).len();
    if others < 2 {
        return state.say("this situation has one perspective only");
    }
    let back = state.explorer.picker.current();
    state.explorer.items.scope = Scope::Swap { text, back, item };
    let (_, height) = heights(state);
    state.explorer.items.rebuild(&state.corpus, &state.selection, height);
    state.explorer.items.seek(item, height);
    if state.explorer.focus == Zone::Perspectives {
        state.explorer.focus = Zone::Items;
    }
}

fn step_sample(state: &mut State, by: isize) {
    let Some(item) = state.explorer.items.current() else { return };
    let column = state.explorer.compare.focus;
    let Some(method) = state.methods.get(column) else { return };
    let count = crate::app::explorer::columns::samples(state, item, method).len();
    let mut scroll = state.explorer.compare.scroll(column);
    let to = scroll.sample.saturating_add_signed(by).min(count.saturating_sub(1));
    if count < 2 {
        state.say("one sample only");
    } else if to != scroll.sample {
        scroll.sample = to;
        scroll.anchor = Anchor::default();
        state.explorer.compare.set_scroll(column, scroll);
    }
}

fn hide_column(state: &mut State) {
    let shown = state.explorer.compare.shown(state.methods.len());
    if shown.len() < 2 {
        return state.say("the last column stays");
    }
    let focus = state.explorer.compare.focus;
    let at = shown.iter().position(|c| *c == focus).unwrap_or(0);
    state.explorer.compare.hidden.insert(focus);
    state.explorer.compare.focus =
        shown.get(at + 1).or_else(|| shown.get(at.wrapping_sub(1))).copied().unwrap_or(0);
}

/// Opens the filter line on the query as it is.
fn open_filter(state: &mut State) {
    let line = state.filter.query.to_string();
    let input = Input::new(&if line.is_empty() { line } else { format!("{line} ") });
    let suggestions = crate::core::query::suggest(input.text(), input.before().len(), &state.corpus);
    state.overlay = Some(Overlay::Filter { input, problem: None, suggestions, cursor: None });
}

/// Items on which methods flip, most first; again, all items.
fn lens(state: &mut State, effects: &mut Vec<Effect>) {
    let mut query = state.filter.query.clone();
    let on = query.terms.iter().any(|t| t.test == Test::Flips && !t.negated);
    query.terms.retain(|t| t.test != Test::Flips);
    if !on {
        query.terms.push(Term { negated: false, test: Test::Flips });
    }
    state.explorer.items.order = if on { ItemOrder::File } else { ItemOrder::Disagreement };
    state.filter.query = query;
    requery(state, effects);
}

fn next_order(state: &mut State, effects: &mut Vec<Effect>) {
    if state.explorer.focus == Zone::Perspectives {
        let picker = &mut state.explorer.picker;
        picker.order = picker::order_word(picker.order).1;
    } else {
        let list = &mut state.explorer.items;
        list.order = items::order_word(list.order).1;
    }
    requery(state, effects);
}

fn next_theme(state: &mut State) {
    let names = ["dark", "light", "high-contrast", "ansi", "none"];
    let at = names.iter().position(|n| *n == state.theme).unwrap_or(0);
    state.theme = names.get((at + 1) % names.len()).copied().unwrap_or("dark").to_owned();
    state.say(format!("theme: {}", state.theme));
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(item) = state.explorer.items.current() else { return };
    match cell(state, item, state.explorer.compare.focus).shown() {
        Some(shown) => effects.push(Effect::Copy(shown.text.clone())),
        None => state.say("nothing to copy in this column"),
    }
}
