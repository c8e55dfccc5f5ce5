//! One step edited by hand: which edit, its run on the worker, and what it did to the answer.

use super::check;
use crate::app::{
    effect::Effect,
    explorer::{Cell, Zone, cell},
    input::Input,
    keymap::Key,
    overlay::{Intervene, Outcome, Overlay},
    state::State,
    texts::Lookup,
};
use crate::{
    core::{check::intervene::Intervention, segment},
    job::{Command, JobEvent, JobId, checking::InterveneRun},
};
use crossterm::event::KeyCode;
use std::sync::Arc;

/// Opens the sheet on the step under the cursor.
pub fn open(state: &mut State) {
    let Some(ix) = state.explorer.items.current() else { return state.say("no trace to edit") };
    let focus = state.explorer.compare.focus;
    let Cell::Trace { entry, .. } = cell(state, ix, focus) else {
        return state.say("this column has no finished trace to edit");
    };
    let Some(trace) = entry.trace.clone() else { return state.say("this line holds no trace") };
    let item = state.corpus.item(ix).and_then(|e| match state.texts.get(e.loc) {
        Lookup::Ready(entry) => entry.item.clone(),
        _ => None,
    });
    let Some(item) = item else { return state.say("the item is still being read: again in a moment") };
    let steps: Vec<String> =
        segment::steps(&trace.cot).into_iter().map(|r| trace.cot[r].trim().to_owned()).collect();
    if steps.is_empty() {
        return state.say("this trace has no rationale to edit");
    }
    let step = state.explorer.compare.step.min(steps.len() - 1);
    state.explorer.focus = Zone::Comparison;
    state.overlay = Some(Overlay::Intervene(Box::new(Intervene {
        item,
        trace,
        steps,
        step,
        input: None,
        edit: None,
        outcome: Outcome::Nothing,
    })));
}

pub fn on_key(
    state: &mut State,
    mut sheet: Intervene,
    key: Key,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    if let Some((mut input, insert)) = sheet.input.take() {
        match key.code {
            KeyCode::Esc => {}
            KeyCode::Enter if !input.text().trim().is_empty() => {
                let (step, text) = (sheet.step, input.text().trim().to_owned());
                let edit = if insert {
                    Intervention::Insert { step, text }
                } else {
                    Intervention::Replace { step, text }
                };
                run(state, &mut sheet, edit, effects);
            }
            _ => {
                input.key(key);
                sheet.input = Some((input, insert));
            }
        }
        return Some(Overlay::Intervene(Box::new(sheet)));
    }
    let step = sheet.step;
    match key.code {
        KeyCode::Esc | KeyCode::Char('q' | 'E') => {
            stop(state, effects);
            return None;
        }
        KeyCode::Up | KeyCode::Char('k') => sheet.step = step.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => sheet.step = (step + 1).min(sheet.steps.len() - 1),
        KeyCode::Char('x') => run(state, &mut sheet, Intervention::Cut { step }, effects),
        KeyCode::Char('d') => run(state, &mut sheet, Intervention::Delete { step }, effects),
        KeyCode::Char('n') => run(state, &mut sheet, Intervention::Negate { step }, effects),
        KeyCode::Char('e') | KeyCode::Enter => {
            let text = sheet.steps.get(step).map_or("", String::as_str);
            sheet.input = Some((Input::new(text), false));
        }
        KeyCode::Char('i') => sheet.input = Some((Input::default(), true)),
        _ => {}
    }
    state.explorer.compare.step = sheet.step;
    Some(Overlay::Intervene(Box::new(sheet)))
}

fn stop(state: &mut State, effects: &mut Vec<Effect>) {
    if let Some(run) = state.intervening.take() {
        effects.push(Effect::Engine(Command::Cancel(run.job())));
    }
}

fn run(state: &mut State, sheet: &mut Intervene, edit: Intervention, effects: &mut Vec<Effect>) {
    stop(state, effects);
    sheet.edit = Some(edit.clone());
    let prepared = check::prepare(state, Arc::clone(&sheet.item), &sheet.trace);
    let job = JobId(state.live.next_id());
    let live = &mut state.live;
    let begun = prepared.and_then(|(subject, settings, routes)| {
        InterveneRun::start(job, Arc::new(subject), &settings, routes, edit, &mut || live.next_id())
            .map_err(|reason| reason.to_string())
    });
    match begun {
        Ok((run, commands)) => {
            state.intervening = Some(run);
            effects.extend(commands.into_iter().map(Effect::Engine));
            sheet.outcome = Outcome::Asking;
        }
        Err(problem) => sheet.outcome = Outcome::Failed(problem),
    }
}

/// Takes in what the worker says.
pub fn on_job(state: &mut State, event: &JobEvent) {
    let Some(run) = &mut state.intervening else { return };
    let Some(result) = run.on(event) else { return };
    state.intervening = None;
    if let Some(Overlay::Intervene(sheet)) = &mut state.overlay {
        sheet.outcome = match result {
            Ok(comparison) => Outcome::Moved(Box::new(comparison)),
            Err(reason) => Outcome::Failed(reason.to_string()),
        };
    }
}
