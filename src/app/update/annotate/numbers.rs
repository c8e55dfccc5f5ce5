//! The pages of agreement: counted when they are opened, walked through, and a disagreement put on the desk.

use super::work;
use crate::app::{
    action::Action,
    annotate::{Counting, Page, Request},
    effect::Effect,
    state::State,
};
use crate::core::annotation::session::Outcome;

/// To the pages of numbers, counted anew; and back.
pub(super) fn toggle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.annotate.page != Page::Desk {
        state.annotate.page = Page::Desk;
        return;
    }
    let Some(desk) = &state.annotate.desk else { return };
    let session = &desk.session;
    // What may not be seen yet is left out of the count: not even a sum should sway anyone.
    let only = (session.blind && !desk.author.adjudicator).then(|| {
        let seen = (0..session.slots().len()).filter(|slot| session.may_see(*slot));
        seen.filter_map(|slot| session.slots().get(slot)).map(|s| s.task).collect()
    });
    let project = Box::new(desk.project.clone());
    state.annotate.page = Page::Agreement;
    state.annotate.cursor = 0;
    state.annotate.numbers = Counting::Counting;
    effects.push(Effect::Annotate(Request::Count { project, only }));
}

pub(super) fn perform(state: &mut State, action: Action) {
    let annotate = &mut state.annotate;
    let confusions = match &annotate.numbers {
        Counting::Done(numbers) => numbers.confusions.len(),
        _ => 0,
    };
    match action {
        Action::NextPage | Action::NextZone | Action::PreviousPage | Action::PreviousZone => {
            let back = matches!(action, Action::PreviousPage | Action::PreviousZone);
            annotate.page = crate::app::update::turned(&Page::NUMBERS, annotate.page, back);
            annotate.cursor = 0;
        }
        Action::Up => annotate.cursor = annotate.cursor.saturating_sub(1),
        Action::Down => annotate.cursor += 1,
        Action::PageUp => annotate.cursor = annotate.cursor.saturating_sub(10),
        Action::PageDown => annotate.cursor += 10,
        Action::First => annotate.cursor = 0,
        Action::Last => annotate.cursor = usize::MAX,
        Action::Left => annotate.confusion = annotate.confusion.saturating_sub(1),
        Action::Right => annotate.confusion = (annotate.confusion + 1).min(confusions.saturating_sub(1)),
        Action::Back => annotate.page = Page::Desk,
        Action::Select => return open_disagreement(state),
        _ => {}
    }
    annotate.cursor = annotate.cursor.min(annotate.rows().saturating_sub(1));
}

/// The trace under the cursor of the disagreements, on the desk.
fn open_disagreement(state: &mut State) {
    let Counting::Done(numbers) = &state.annotate.numbers else { return };
    let task = numbers.disagreements.get(state.annotate.cursor).map(|d| d.task);
    let (Page::Disagreements, Some(task)) = (state.annotate.page, task) else { return };
    let slot =
        state.annotate.desk.as_ref().and_then(|d| d.session.slots().iter().position(|s| s.task == task));
    match slot {
        Some(slot) => {
            state.annotate.page = Page::Desk;
            work(state, |d| {
                d.session.go_to(slot);
                Outcome::Moved
            });
        }
        None => state.say("this trace is not in your queue; `annotate --adjudicate` opens it"),
    }
}
