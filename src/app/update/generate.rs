//! Live generation: what is asked of the worker, cancelled, and asked again once a model is there.

use crate::{
    app::{
        effect::Effect,
        explorer::{Cell, cell, columns},
        overlay::Overlay,
        state::{ModelState, RunnableMethod, State},
        texts::Lookup,
    },
    core::{Item, corpus::ItemIx, seed::row_seed},
    job::{Command, GenerateRow, JobId, RowId},
};
use std::sync::Arc;

/// Writes the focused column's method on the current item; a new sample where there is one already.
pub fn focused(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(item) = state.explorer.items.current() else { return state.say("no item to write about") };
    let column = state.explorer.compare.focus;
    match cell(state, item, column) {
        Cell::NotApplicable => return state.say("this method does not apply to this item"),
        Cell::NotRun { why_not: Some(why) } => return state.complain(why),
        Cell::Live(_, row) if !matches!(row.state, crate::app::live::RowState::Failed(_)) => {
            return state.say("this column is being written already");
        }
        Cell::Live(id, _) => {
            state.live.drop_row(id);
        }
        _ => {}
    }
    submit(state, item, &[column], effects);
}

/// Writes every column that has no trace of the current item.
pub fn missing(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(item) = state.explorer.items.current() else { return state.say("no item to write about") };
    let shown = state.explorer.compare.shown(state.methods.len());
    let open: Vec<usize> = shown
        .into_iter()
        .filter(|c| matches!(cell(state, item, *c), Cell::NotRun { why_not: None }))
        .collect();
    if open.is_empty() {
        return state.say("every method that can run here has run on this item; w writes one more sample");
    }
    submit(state, item, &open, effects);
}

pub fn submit(state: &mut State, ix: ItemIx, methods: &[usize], effects: &mut Vec<Effect>) {
    let Some(item) = full_item(state, ix) else { return wait_for_item(state, ix, methods) };
    let mut rows = Vec::new();
    for column in methods {
        let Some(method) = state.methods.get(*column).cloned() else { continue };
        match request(state, ix, &item, &method) {
            Ok(row) => rows.push(row),
            Err(problem) => state.complain(problem),
        }
    }
    send(state, rows, effects);
}

/// What was asked about an item that is still being read is written as soon as it is there.
fn wait_for_item(state: &mut State, ix: ItemIx, methods: &[usize]) {
    let entry = state.corpus.item(ix).filter(|e| e.known());
    let Some((entry, text)) = entry.map(|e| (e, state.texts.get(e.loc))) else {
        return state.say("the file says too little of this item to write about it");
    };
    match text {
        Lookup::Pending => {}
        Lookup::Ready(_) => return state.say("the file says too little of this item to write about it"),
        Lookup::Failed(problem) => return state.complain(format!("the item cannot be read: {problem}")),
    }
    let methods = methods.iter().filter_map(|c| state.methods.get(*c)).map(|m| m.method.id.clone()).collect();
    state.live.awaiting.push((entry.id, methods));
    state.say("the item is still being read: writing starts with it");
}

/// Asks for what waited for items that have come, and says of the others if they cannot come.
pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    for (id, methods) in std::mem::take(&mut state.live.awaiting) {
        let Some(ix) = state.corpus.find(id) else { continue };
        let loc = state.corpus.item(ix).map(|e| e.loc);
        if loc.is_some_and(|loc| matches!(state.texts.get(loc), Lookup::Pending)) {
            state.live.awaiting.push((id, methods));
            continue;
        }
        let columns: Vec<usize> =
            methods.iter().filter_map(|id| state.methods.iter().position(|m| m.method.id == *id)).collect();
        submit(state, ix, &columns, effects);
    }
}

fn send(state: &mut State, rows: Vec<GenerateRow>, effects: &mut Vec<Effect>) {
    if rows.is_empty() {
        return;
    }
    let job = JobId(state.live.next_id());
    state.live.add(job, &rows);
    for row in &rows {
        // Live columns follow what is written.
        if let Some(column) = state.methods.iter().position(|m| m.method.id == row.method) {
            let mut scroll = state.explorer.compare.scroll(column);
            scroll.follow = true;
            state.explorer.compare.set_scroll(column, scroll);
        }
    }
    effects.push(Effect::Engine(Command::Generate { job, rows }));
}

fn full_item(state: &State, ix: ItemIx) -> Option<Arc<Item>> {
    let entry = state.corpus.item(ix).filter(|e| e.known())?;
    match state.texts.get(entry.loc) {
        Lookup::Ready(entry) => entry.item.clone(),
        _ => None,
    }
}

fn request(
    state: &mut State,
    ix: ItemIx,
    item: &Arc<Item>,
    method: &RunnableMethod,
) -> Result<GenerateRow, String> {
    let spec = &method.method;
    let template = state
        .setup
        .templates
        .get(&spec.template)
        .ok_or_else(|| format!("method {}: there is no prompt template `{}`", spec.id, spec.template))?;
    let prompt = template.render(item).map_err(|error| error.to_string())?;
    let template = template.reference.clone();
    let sample = columns::samples(state, ix, method)
        .iter()
        .filter_map(|t| state.corpus.trace(*t))
        .map(|t| t.sample() + 1)
        .max()
        .unwrap_or(0);
    Ok(GenerateRow {
        row: RowId(state.live.next_id()),
        item: Arc::clone(item),
        method: spec.id.clone(),
        model: spec.model.clone().unwrap_or_else(|| state.model_reference.clone()),
        adapter: method.adapters.of(item.perspective.kind).cloned(),
        template,
        prompt,
        sampler: spec.sampler.clone(),
        seed: row_seed(state.setup.seed, item.id, &spec.id, sample),
        sample,
    })
}

/// Stops everything.
pub fn cancel(state: &mut State, effects: &mut Vec<Effect>) {
    let mut jobs: Vec<JobId> = state.live.open().map(|(_, row)| row.job).chain(state.checks.jobs()).collect();
    jobs.sort_unstable();
    jobs.dedup();
    if matches!(state.model, ModelState::Fetching { .. }) {
        effects.push(Effect::CancelFetch);
        state.say("fetching stopped");
    } else if jobs.is_empty()
        && state.live.awaiting.is_empty()
        && state.checks.awaiting.is_empty()
        && state.annotate.awaiting.is_none()
    {
        state.say("nothing is being written");
    }
    state.live.awaiting.clear();
    state.checks.awaiting.clear();
    state.annotate.awaiting = None;
    effects.extend(jobs.into_iter().map(|job| Effect::Engine(Command::Cancel(job))));
}

/// Stops what the focused column writes; `false` when it writes nothing. A failed column is cleared.
pub fn cancel_focused(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some(item) = state.explorer.items.current() else { return false };
    let cell = cell(state, item, state.explorer.compare.focus);
    let Cell::Live(id, _) = cell else { return false };
    if !cell.is_writing() {
        return false;
    }
    effects.push(Effect::Engine(Command::CancelRow(id)));
    true
}

/// A model could not be had: say what to do. A demo goes on with its recordings, and says nothing.
pub fn no_model(state: &mut State, model: &str, problem: &str, missing: bool) {
    state.model = if missing { ModelState::Missing } else { ModelState::Failed(problem.to_owned()) };
    state.notes.push(format!("model {model}: {problem}"));
    if let Some(demo) = &mut state.demo {
        demo.model_here &= model != state.model_reference;
        return;
    }
    state.overlay = Some(Overlay::NoModel { model: model.to_owned(), problem: problem.to_owned(), missing });
}

/// Asks again for what failed while the model was away.
pub fn retry(state: &mut State, model: &str, effects: &mut Vec<Effect>) {
    let mut rows = state.live.take_failed(model);
    for row in &mut rows {
        row.row = RowId(state.live.next_id());
    }
    send(state, rows, effects);
}
