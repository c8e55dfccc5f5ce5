//! Actions on the desk: save, back, undo, marks, steps, scrolling.

use super::{keys::begin_writing, work};
use crate::app::{
    action::Action,
    annotate::{
        Desk,
        layout::{text_rect, zones},
    },
    explorer::compare,
    geometry::STEP_MARGIN,
    state::{Screen, State},
};
use crate::core::annotation::{Kind, TaskId, Value, session::Outcome};
use ratatui::layout::Rect;
use std::sync::Arc;

pub(super) fn perform(state: &mut State, action: Action) {
    match action {
        Action::SaveLabel | Action::Select => enter(state),
        Action::PreviousQuestion => work(state, |d| d.session.back()),
        Action::NextQuestion => work(state, |d| {
            d.session.next_question();
            Outcome::Moved
        }),
        Action::NextTrace => step_trace(state, 1),
        Action::PreviousTrace => step_trace(state, -1),
        Action::First => work(state, |d| {
            d.session.go_to(0);
            Outcome::Moved
        }),
        Action::Last => work(state, |d| {
            d.session.go_to(usize::MAX);
            Outcome::Moved
        }),
        Action::Undo => undo(state, false),
        Action::Redo => undo(state, true),
        Action::SkipTrace => work(state, |d| d.session.skip()),
        Action::FlagTrace => work(state, |d| d.session.flag()),
        Action::EditNote => {
            if let Some(desk) = &mut state.annotate.desk {
                begin_writing(desk, None);
            }
        }
        Action::Mark => mark(state),
        Action::ClearAnswer => {
            work(state, |d| if d.marking() { d.session.unmark() } else { d.session.clear() });
        }
        Action::Reveal => {
            work(state, |d| d.session.reveal());
        }
        Action::SideBySide | Action::Zoom => {
            if let Some(desk) = &mut state.annotate.desk {
                desk.side_by_side = !desk.side_by_side;
            }
        }
        Action::Adopt => adopt(state),
        Action::Up => go_step(state, -1),
        Action::Down => go_step(state, 1),
        Action::Left => sideways(state, -1),
        Action::Right => sideways(state, 1),
        Action::ScrollUp => scroll(state, -1),
        Action::ScrollDown => scroll(state, 1),
        Action::PageUp => page(state, -1),
        Action::PageDown => page(state, 1),
        Action::Back if state.annotate.from_explorer => state.screen = Screen::Explorer,
        // The rest speaks of lists and columns that are not shown, or would show what is hidden.
        _ => {}
    }
}

fn enter(state: &mut State) {
    let before = progress(state);
    work(state, |d| d.session.enter());
    if before.is_some_and(|open| open > 0) && progress(state) == Some(0) {
        state.say("that was the last open trace of your queue");
    }
}

fn progress(state: &State) -> Option<usize> {
    state.annotate.desk.as_ref().map(|d| d.session.progress().open())
}

fn step_trace(state: &mut State, by: isize) {
    work(state, |d| {
        let at = d.session.place().slot;
        let to = at.saturating_add_signed(by);
        if to == at || to >= d.session.slots().len() {
            return Outcome::Refused("no more traces that way".to_owned());
        }
        d.session.go_to(to);
        Outcome::Moved
    });
}

fn undo(state: &mut State, redo: bool) {
    let mut said = None;
    work(state, |d| {
        let outcome = if redo { d.session.redo() } else { d.session.undo() };
        if let Outcome::Act(act) = &outcome {
            let value = act.after.as_ref().map_or_else(|| "open".to_owned(), Value::words);
            said =
                Some(format!("{}: {} is {value} again", if redo { "redone" } else { "undone" }, act.field));
        }
        outcome
    });
    if let Some(said) = said {
        state.say(said);
    }
}

/// Space: the step under the cursor, the beginning or end of a mark, or text.
fn mark(state: &mut State) {
    let Some(desk) = &mut state.annotate.desk else { return };
    match desk.session.question().map(|q| (q.kind.clone(), q.id.clone())) {
        Some((Kind::Step, _)) => {
            let step = desk.step;
            work(state, |d| d.session.answer(Value::Step(step)));
        }
        Some((Kind::Text, id)) => begin_writing(desk, Some(id)),
        Some((Kind::Span, _)) => match desk.begun.take() {
            None => desk.begun = Some(desk.word),
            Some(begun) => {
                let span = desk.text().and_then(|t| t.between(begun, desk.word));
                if let Some(span) = span {
                    work(state, |d| d.session.mark(span));
                }
            }
        },
        _ => state.say("digits answer this question"),
    }
}

/// Adjudication: answers on which all agree, where nothing was decided yet.
fn adopt(state: &mut State) {
    let Some(desk) = &state.annotate.desk else { return };
    if !desk.author.adjudicator {
        return state.say("only an adjudicator takes over what others agree on");
    }
    let slot = desk.session.place().slot;
    let others: Vec<_> = desk.others_on(slot).into_iter().filter(|r| !r.adjudicated).cloned().collect();
    let label = desk.session.label().cloned().unwrap_or_default();
    let rubric = Arc::clone(&desk.session.rubric);
    let mut adopted = 0;
    for (at, question) in rubric.questions.iter().enumerate() {
        let mut said = others.iter().map(|r| r.answers.get(&question.id));
        let first = said.next().flatten();
        let Some(value) = first.filter(|_| others.len() > 1 && said.all(|s| s == first)) else { continue };
        if label.answer(&question.id).is_none() {
            let value = value.clone();
            work(state, |d| {
                d.session.go_to_question(at);
                d.session.answer(value)
            });
            adopted += 1;
        }
    }
    work(state, |d| {
        d.session.go_to(slot);
        Outcome::Moved
    });
    state.say(format!("{adopted} answers taken over"));
}

pub(super) fn column(state: &State) -> Option<(TaskId, Rect)> {
    let desk = state.annotate.desk.as_ref()?;
    let zones = zones(state.size, desk)?;
    let at = desk.columns().iter().position(|s| *s == desk.session.place().slot)?;
    let rect = zones.columns.get(at.checked_sub(zones.first)?)?;
    Some((desk.task()?.id, text_rect(*rect)))
}

fn go_step(state: &mut State, by: isize) {
    let place = column(state);
    let Some(desk) = &mut state.annotate.desk else { return };
    let Some(text) = desk.text().cloned() else { return };
    let last = text.shown.steps.len().saturating_sub(1);
    desk.step = desk.step.saturating_add_signed(by).min(last);
    if let Some(start) = text.shown.steps.get(desk.step).map(|s| s.start) {
        desk.word = text.word_at(start);
    }
    reveal_step(desk, place);
}

fn reveal_step(desk: &mut Desk, place: Option<(TaskId, Rect)>) {
    let (Some((task, rect)), Some(text)) = (place, desk.text().cloned()) else { return };
    let width = usize::from(rect.width.saturating_sub(STEP_MARGIN));
    let anchor = compare::reveal(&text.shown, desk.anchor(task), desk.step, usize::from(rect.height), width);
    desk.set_anchor(task, anchor);
}

fn sideways(state: &mut State, by: isize) {
    let place = column(state);
    let Some(desk) = &mut state.annotate.desk else { return };
    if desk.marking() {
        let Some(text) = desk.text().cloned() else { return };
        desk.word = desk.word.saturating_add_signed(by).min(text.words.len().saturating_sub(1));
        if let Some(word) = text.words.get(desk.word) {
            desk.step = text.step_at(word.start);
        }
        return reveal_step(desk, place);
    }
    work(state, |d| {
        let siblings = d.session.siblings();
        let to = d.session.place().slot.saturating_add_signed(by);
        if !siblings.contains(&to) || to == d.session.place().slot {
            return Outcome::Refused("no other trace of this item that way".to_owned());
        }
        d.session.go_to(to);
        Outcome::Moved
    });
}

pub(super) fn scroll(state: &mut State, by: isize) {
    let Some((task, rect)) = column(state) else { return };
    let Some(desk) = &mut state.annotate.desk else { return };
    let Some(text) = desk.text_of(task).cloned() else { return };
    let width = usize::from(rect.width.saturating_sub(STEP_MARGIN));
    let end = compare::bottom(&text.shown, usize::from(rect.height), width);
    let anchor = compare::scroll_lines(&text.shown, desk.anchor(task), by, width);
    desk.set_anchor(task, anchor.min(end));
}

fn page(state: &mut State, by: isize) {
    let half = column(state).map_or(1, |(_, rect)| (rect.height / 2).max(1));
    scroll(state, by * half as isize);
}
