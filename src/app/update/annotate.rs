//! The annotation screen: opens desks, hands answers to the disk, and shares out what is asked for.
//!
//! | file | what |
//! | --- | --- |
//! | `keys` | keys that are answers, or text |
//! | `desk` | actions on the desk |
//! | `numbers` | the pages of agreement |
//! | `mouse` | clicks, marks, the wheel |

mod desk;
mod keys;
mod mouse;
mod numbers;

pub use keys::{paste, takes_key};
pub use mouse::on_mouse;

use crate::app::{
    action::Action,
    annotate::{Counting, Desk, OpenDesk, Opening, Page, Reply, Request, Saving, Traces},
    effect::Effect,
    explorer::{Cell, cell},
    state::{Screen, State},
    texts::Lookup,
};
use crate::core::{
    ItemIx,
    annotation::{Value, session::Outcome},
};
use std::sync::Arc;

/// Opens the desk on the traces of the explorer's item. Gold was in sight: these labels are not blind.
pub fn open(state: &mut State, effects: &mut Vec<Effect>) {
    if state.annotate.desk.is_some() && !state.annotate.from_explorer {
        state.screen = Screen::Annotate;
        return;
    }
    let Some(ix) = state.explorer.items.current() else { return state.say("no item to annotate") };
    let traces = match material(state, ix) {
        Ok(Some(traces)) => traces,
        Ok(None) => {
            state.annotate.awaiting = state.corpus.item(ix).map(|entry| entry.id);
            return state.say("the item is still being read: labelling starts with it");
        }
        Err(why_not) => return state.say(why_not),
    };
    if state.annotate.waiting() {
        return state.complain("answers of the last item are still on their way to the disk");
    }
    state.annotate.from_explorer = true;
    state.annotate.desk = None;
    state.annotate.page = Page::Desk;
    state.annotate.opening = Opening::Opening;
    state.screen = Screen::Annotate;
    effects.push(Effect::Annotate(Request::Open(OpenDesk { traces, ..OpenDesk::default() })));
}

/// What the shown columns give to annotate, the focused one first, since the desk opens on it; `None` while it is being
/// read.
fn material(state: &State, ix: ItemIx) -> Result<Option<Traces>, String> {
    let unknown = "the file says too little of this item to annotate it";
    let entry = state.corpus.item(ix).filter(|entry| entry.known()).ok_or(unknown)?;
    let item = match state.texts.get(entry.loc) {
        Lookup::Ready(entry) => entry.item.as_ref().ok_or(unknown)?,
        Lookup::Pending => return Ok(None),
        Lookup::Failed(problem) => return Err(format!("the item cannot be read: {problem}")),
    };
    let mut traces = Traces::new();
    for column in state.explorer.compare.shown(state.methods.len()) {
        match cell(state, ix, column) {
            Cell::Loading => return Ok(None),
            Cell::Trace { entry, .. } => {
                if let Some(trace) = &entry.trace {
                    let at = if column == state.explorer.compare.focus { 0 } else { traces.len() };
                    traces.insert(at, (Arc::clone(item), Arc::clone(trace)));
                }
            }
            _ => {}
        }
    }
    if traces.is_empty() { Err("this item has no trace to annotate".to_owned()) } else { Ok(Some(traces)) }
}

/// Takes what the library answers.
pub fn on_reply(state: &mut State, reply: Reply, effects: &mut Vec<Effect>) {
    match reply {
        Reply::Opened(Ok(opened)) => {
            state.checks.restore(opened.checks.clone());
            let at = opened.at;
            let mut desk = Desk::new(*opened);
            desk.side_by_side = state.annotate.from_explorer;
            if let Some(slot) = at.and_then(|task| desk.tasks.iter().position(|t| t.id == task)) {
                desk.session.go_to(slot);
            }
            state.annotate.opening = Opening::Not;
            state.annotate.numbers = Counting::Not;
            state.annotate.desk = Some(desk);
        }
        Reply::Opened(Err(problem)) => state.annotate.opening = Opening::Failed(problem),
        Reply::Kept { uid, result } => {
            let now = state.now;
            let Some(desk) = &mut state.annotate.desk else { return };
            let words = result.as_ref().err().map(|fault| fault.words.clone());
            if !desk.on_kept(&uid, result, now) {
                reopen(state, words.unwrap_or_default(), effects);
            } else if words.is_none() {
                state.annotate.warned = false;
            }
        }
        Reply::Numbers(Ok(numbers)) => state.annotate.numbers = Counting::Done(numbers),
        Reply::Numbers(Err(problem)) => state.annotate.numbers = Counting::Failed(problem),
    }
}

/// The labels are not what this session thinks: they are read again.
fn reopen(state: &mut State, words: String, effects: &mut Vec<Effect>) {
    let Some(desk) = state.annotate.desk.take() else { return };
    let lost: Vec<String> = desk
        .waiting()
        .map(|act| {
            let value = act.after.as_ref().map_or_else(|| "nothing".to_owned(), Value::words);
            format!("{} = {value}", act.field)
        })
        .collect();
    let note = format!("{words}; not kept: {}", lost.join(", "));
    state.notes.push(note.clone());
    state.complain(note);
    state.annotate.opening = Opening::Opening;
    effects.push(Effect::Annotate(Request::Open(OpenDesk {
        project: Some(desk.project.name.clone()),
        annotator: Some(desk.author.name.clone()),
        adjudicate: desk.author.adjudicator,
        blind: desk.session.blind,
        traces: Vec::new(),
    })));
}

/// After every event: the next answer goes to the disk; whoever waits to leave does when all are there.
pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    open_awaited(state, effects);
    let now = state.now;
    let Some(desk) = &mut state.annotate.desk else { return };
    if let Some(write) = desk.next_write(now) {
        effects.push(Effect::Annotate(Request::Keep(write)));
    }
    if state.annotate.leaving && state.annotate.desk.as_ref().is_some_and(|d| d.unsaved() == 0) {
        state.quitting = true;
        effects.push(Effect::Quit);
    }
}

/// The desk of an item that was still being read, unless its user has gone on to something else.
fn open_awaited(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(id) = state.annotate.awaiting else { return };
    let current = state.explorer.items.current();
    let here = |ix: &ItemIx| state.corpus.item(*ix).is_some_and(|entry| entry.id == id);
    let wanted = current.filter(here).filter(|_| state.screen == Screen::Explorer);
    if wanted.is_some_and(|ix| matches!(material(state, ix), Ok(None))) {
        return;
    }
    state.annotate.awaiting = None;
    if wanted.is_some() {
        open(state, effects);
    }
}

/// Does something with the session and queues what came of it.
fn work(state: &mut State, deed: impl FnOnce(&mut Desk) -> Outcome) {
    let Some(desk) = &mut state.annotate.desk else { return };
    let before = desk.session.place();
    let outcome = deed(desk);
    desk.keep(&outcome, before);
    if let Outcome::Refused(why) = outcome {
        state.say(why);
    }
    state.annotate.warned = false;
    state.annotate.leaving = false;
}

/// Takes the actions that mean something here. Nothing that could show what blind mode hides is let through.
pub fn perform(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::Quit => quit(state, effects),
        Action::Help
        | Action::Palette
        | Action::Problems
        | Action::NextTheme
        | Action::ToggleMouse
        | Action::Redraw
        | Action::Suspend => return false,
        // Blurred steps are flagged ones, which nobody may tell from the others at a blind desk.
        Action::Blur if state.annotate.from_explorer => return false,
        Action::Numbers => numbers::toggle(state, effects),
        _ if state.annotate.page != Page::Desk => numbers::perform(state, action),
        _ if state.annotate.desk.is_none() => {
            if action == Action::Back && state.annotate.from_explorer {
                state.screen = Screen::Explorer;
            }
        }
        _ => desk::perform(state, action),
    }
    true
}

/// Leaving waits for the disk; what cannot be written is named once, and left behind at the second try.
fn quit(state: &mut State, effects: &mut Vec<Effect>) {
    let unsaved = state.annotate.desk.as_ref().map_or(0, Desk::unsaved);
    let failed = state.annotate.desk.as_ref().is_some_and(|d| matches!(d.saving, Saving::Failed { .. }));
    if unsaved > 0 && failed && !state.annotate.warned {
        state.annotate.warned = true;
        return state
            .complain(format!("{unsaved} answers are not on the disk; once more leaves without them"));
    }
    if unsaved > 0 && !failed {
        state.annotate.leaving = true;
        return;
    }
    state.quitting = true;
    effects.push(Effect::Quit);
}
