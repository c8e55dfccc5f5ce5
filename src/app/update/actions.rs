//! Actions, one by one.

use super::{
    annotate, check,
    corpus::{filter, heights, relist, requery, rescope, select_row},
    generate, search,
};
use crate::app::{
    action::Action,
    effect::Effect,
    explorer::{Anchor, PickRow, Zone, cell, compare, items, items::Scope, picker},
    geometry::column_text,
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
        Action::Evidence => state.overlay = Some(Overlay::Evidence { scroll: 0 }),
        Action::Intervene => super::intervene::open(state),
        Action::Blur => {
            state.blur = !state.blur;
            state.say(if state.blur { "flagged steps are hidden" } else { "flagged steps are shown" });
        }
        Action::Annotate => annotate::open(state, effects),
        Action::Audit => super::audit::open(state),
        Action::Metrics => super::metrics::open(state),
        Action::Training => super::training::open(state, effects),
        // Keys of other screens.
        Action::NextPage
        | Action::PreviousPage
        | Action::Start
        | Action::About
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

fn no_picker(state: &State) -> bool {
    state.zones().is_none_or(|z| z.perspectives.is_none())
}

/// Gives a zone the focus; unfolds or leaves the zoom where that is needed to see it.
pub fn focus(state: &mut State, zone: Zone) {
    if zone != Zone::Comparison {
        state.explorer.zoomed = false;
    }
    if zone == Zone::Perspectives {
        state.explorer.folded = false;
        if state.zones().is_some_and(|z| z.perspectives.is_none()) {
            state.say("too narrow for the perspectives: items instead");
            state.explorer.focus = Zone::Items;
            return;
        }
    }
    state.explorer.focus = zone;
}

fn moved(action: Action, cursor: usize, height: usize) -> usize {
    match action {
        Action::Up => cursor.saturating_sub(1),
        Action::Down => cursor + 1,
        Action::PageUp => cursor.saturating_sub((height / 2).max(1)),
        Action::PageDown => cursor + (height / 2).max(1),
        Action::First => 0,
        _ => usize::MAX,
    }
}

fn vertical(state: &mut State, action: Action) {
    let (picker, list) = heights(state);
    match state.explorer.focus {
        Zone::Perspectives => {
            let to = moved(action, state.explorer.picker.cursor, picker);
            state.explorer.picker.go(to, picker);
            if matches!(state.explorer.items.scope, Scope::Swap { .. }) {
                leave_swap(state);
            }
            rescope(state);
        }
        Zone::Items => go_item(state, moved(action, state.explorer.items.cursor, list), list),
        Zone::Comparison => read_on(state, action),
    }
}

/// Moves within the item list; another item is read from its beginning.
pub fn go_item(state: &mut State, to: usize, height: usize) {
    let before = state.explorer.items.current();
    state.explorer.items.go(to, height);
    if state.explorer.items.current() != before {
        state.explorer.compare.reset();
    }
}

fn step_item(state: &mut State, by: isize) {
    let (_, height) = heights(state);
    let to = state.explorer.items.cursor.saturating_add_signed(by);
    go_item(state, to, height);
}

fn step_perspective(state: &mut State, forward: bool) {
    let picker = &state.explorer.picker;
    let is_perspective =
        |i: &usize| matches!(picker.lines.get(*i).map(|l| &l.row), Some(PickRow::Perspective(_)));
    let next = if forward {
        (picker.cursor + 1..picker.lines.len()).find(is_perspective)
    } else {
        (0..picker.cursor).rev().find(is_perspective)
    };
    if let Some(to) = next {
        let (height, _) = heights(state);
        state.explorer.picker.go(to, height);
        rescope(state);
    }
}

/// Up and down in the comparison: the step cursor, in one column or in all; long steps scroll by lines first.
fn read_on(state: &mut State, action: Action) {
    let Some(item) = state.explorer.items.current() else { return };
    let (shown, layout) = state.columns();
    let focus = state.explorer.compare.focus;
    if action == Action::Last {
        return to_end(state);
    }
    let position = shown.iter().position(|c| *c == focus).unwrap_or(0);
    let rect = layout.rects.get(position.saturating_sub(layout.first)).copied().unwrap_or_default();
    let (height, width) = column_text(rect);
    let step = state.explorer.compare.step;
    let cell = cell(state, item, focus);
    if let Some(text) = cell.shown() {
        let lines = compare::step_lines(text, step, width);
        let mut scroll = state.explorer.compare.scroll(focus);
        if lines > height
            && scroll.anchor.step == step
            && matches!(action, Action::Down | Action::PageDown | Action::Up | Action::PageUp)
        {
            let page = (height / 2).max(1);
            let line = scroll.anchor.line;
            let next = match action {
                Action::Down | Action::PageDown if line + height < lines => {
                    Some((line + page).min(lines - height))
                }
                Action::Up | Action::PageUp if line > 0 => Some(line.saturating_sub(page)),
                _ => None,
            };
            if let Some(line) = next {
                scroll.anchor.line = line;
                scroll.follow = false;
                state.explorer.compare.set_scroll(focus, scroll);
                return;
            }
        }
    }
    let by = if matches!(action, Action::PageUp | Action::PageDown) { 4 } else { 1 };
    let to = match action {
        Action::Up | Action::PageUp => step.saturating_sub(by),
        Action::First => 0,
        _ => step + by,
    };
    go_step(state, to);
}

/// Puts the step cursor on a step, and scrolls the columns (all of them, or only the focused one) to it.
pub fn go_step(state: &mut State, to: usize) {
    let Some(item) = state.explorer.items.current() else { return };
    let (shown, layout) = state.columns();
    let sync = state.explorer.compare.sync;
    let visible: Vec<_> = shown.iter().skip(layout.first).zip(&layout.rects).collect();
    let last = visible
        .iter()
        .filter(|(column, _)| sync || **column == state.explorer.compare.focus)
        .filter_map(|(column, _)| cell(state, item, **column).shown().map(|t| t.steps.len()))
        .max()
        .unwrap_or(0);
    let to = to.min(last.saturating_sub(1));
    let upwards = to < state.explorer.compare.step;
    state.explorer.compare.step = to;
    for (column, rect) in visible {
        if !sync && *column != state.explorer.compare.focus {
            continue;
        }
        let cell = cell(state, item, *column);
        let Some(text) = cell.shown().cloned() else { continue };
        let mut scroll = state.explorer.compare.scroll(*column);
        if upwards && cell.is_writing() && scroll.follow {
            scroll.follow = false;
            scroll.seen = text.steps.len();
        }
        let (height, width) = column_text(*rect);
        if !scroll.follow || !cell.is_writing() {
            scroll.anchor = compare::reveal(&text, scroll.anchor, to, height, width);
        }
        state.explorer.compare.set_scroll(*column, scroll);
    }
}

fn to_end(state: &mut State) {
    let sync = state.explorer.compare.sync;
    let (shown, _) = state.columns();
    for column in shown {
        if sync || column == state.explorer.compare.focus {
            let mut scroll = state.explorer.compare.scroll(column);
            scroll.follow = true;
            state.explorer.compare.set_scroll(column, scroll);
        }
    }
    go_step(state, usize::MAX);
}

/// Scrolls one column by lines; scrolling up stops following.
pub fn scroll_column(state: &mut State, column: usize, by: isize) {
    let Some(item) = state.explorer.items.current() else { return };
    let (shown, layout) = state.columns();
    let Some(position) = shown.iter().position(|c| *c == column) else { return };
    let Some(rect) = position.checked_sub(layout.first).and_then(|i| layout.rects.get(i)) else { return };
    let cell = cell(state, item, column);
    let Some(text) = cell.shown() else { return };
    let (_, width) = column_text(*rect);
    let mut scroll = state.explorer.compare.scroll(column);
    if by < 0 && scroll.follow {
        scroll.follow = false;
        scroll.seen = text.steps.len();
    }
    scroll.anchor = compare::scroll_lines(text, scroll.anchor, by, width);
    state.explorer.compare.set_scroll(column, scroll);
}

fn horizontal(state: &mut State, left: bool) {
    match state.explorer.focus {
        Zone::Perspectives => {
            state.explorer.picker.toggle(Some(!left));
            relist(state);
        }
        Zone::Items => {
            focus(state, if left && !no_picker(state) { Zone::Perspectives } else { Zone::Comparison })
        }
        Zone::Comparison => {
            let shown = state.explorer.compare.shown(state.methods.len());
            let at = shown.iter().position(|c| *c == state.explorer.compare.focus).unwrap_or(0);
            let to = if left { at.saturating_sub(1) } else { (at + 1).min(shown.len().saturating_sub(1)) };
            state.explorer.compare.focus = shown.get(to).copied().unwrap_or(0);
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

fn leave_swap(state: &mut State) {
    let Scope::Swap { back, item, .. } = state.explorer.items.scope.clone() else { return };
    state.explorer.items.scope = Scope::Pick(back.clone());
    select_row(state, &back);
    let (_, height) = heights(state);
    state.explorer.items.rebuild(&state.corpus, &state.selection, height);
    state.explorer.items.seek(item, height);
    state.explorer.compare.reset();
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
