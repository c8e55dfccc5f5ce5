//! The corpus grows, a filter is applied, a trace is stored: the lists follow.

use crate::{
    app::{
        checks::QUICK,
        effect::Effect,
        event::{CorpusEvent, Record},
        explorer::PickRow,
        live::RowState,
        state::{Load, RunnableMethod, State},
    },
    core::{
        Adapters, Method, Sampler,
        corpus::{BadLine, LoadProgress, Loc, Marks},
        query::{Order, Query},
    },
    job::RowId,
};
use std::sync::Arc;

pub fn on_corpus(state: &mut State, event: CorpusEvent, effects: &mut Vec<Effect>) {
    match event {
        CorpusEvent::Grown { corpus, progress, bad } => {
            // What was written while the index grew is not in the snapshot.
            state.corpus = if state.fresh.is_empty() { corpus } else { corpus.with_traces(&state.fresh) };
            take_progress(state, progress, bad);
            add_columns(state);
            requery(state, effects);
        }
        CorpusEvent::Progress { progress, bad } => take_progress(state, progress, bad),
        CorpusEvent::Failed(problem) => {
            state.notes.push(problem.clone());
            state.load = Load::Failed(problem);
        }
    }
}

fn take_progress(state: &mut State, progress: LoadProgress, bad: Vec<BadLine>) {
    state.bad_lines.extend(bad);
    state.load = if progress.done { Load::Done(progress) } else { Load::Indexing(progress) };
}

/// Methods that only traces name become columns too.
fn add_columns(state: &mut State) {
    for id in state.corpus.methods() {
        if state.methods.iter().any(|m| m.method.id == *id) {
            continue;
        }
        let method = Method {
            id: id.clone(),
            title: id.0.clone(),
            about: "Known from its traces only.".to_owned(),
            model: None,
            adapter: None,
            trained: false,
            template: String::new(),
            sampler: Sampler::default(),
            kinds: Vec::new(),
            datasets: Vec::new(),
        };
        state.methods.push(RunnableMethod { method, adapters: Adapters::default(), declared: false });
    }
}

/// Asks for the current query to be evaluated over the current corpus.
pub fn requery(state: &mut State, effects: &mut Vec<Effect>) {
    state.filter.generation += 1;
    state.filter.pending = true;
    let corpus = if state.filter.query.asks_checks() {
        let records = state.checks.records().map(|r| &**r);
        state.corpus.with_marks(Arc::new(Marks::of(&state.corpus, records)))
    } else {
        state.corpus.clone()
    };
    effects.push(Effect::Query {
        generation: state.filter.generation,
        query: state.filter.query.clone(),
        order: Order { items: state.explorer.items.order, perspectives: state.explorer.picker.order },
        corpus,
    });
}

/// Sets another filter.
pub fn filter(state: &mut State, query: Query, effects: &mut Vec<Effect>) {
    if query != state.filter.query {
        state.filter.query = query;
        requery(state, effects);
    }
}

/// Builds both lists from the selection.
pub fn relist(state: &mut State) {
    let (picker, items) = heights(state);
    let explorer = &mut state.explorer;
    explorer.picker.rebuild(&state.corpus, &state.selection, picker);
    rescope(state);
    state.explorer.items.rebuild(&state.corpus, &state.selection, items);
}

/// The list under the picker follows its cursor, unless a situation is held.
pub fn rescope(state: &mut State) {
    use crate::app::explorer::items::Scope;
    let row = state.explorer.picker.current();
    if matches!(&state.explorer.items.scope, Scope::Pick(now) if *now != row) {
        state.explorer.items.scope = Scope::Pick(row);
        let (_, items) = heights(state);
        state.explorer.items.rebuild(&state.corpus, &state.selection, items);
        state.explorer.items.go(0, items);
        state.explorer.compare.reset();
    }
}

/// Rows that the picker and the item list have, their titles taken off.
pub fn heights(state: &State) -> (usize, usize) {
    let rows = |rect: Option<ratatui::layout::Rect>| {
        rect.map_or(1, |r| usize::from(r.height.saturating_sub(1)).max(1))
    };
    state.zones().map_or((1, 1), |z| (rows(z.perspectives.or(z.items)), rows(z.items)))
}

/// Leaves a perspective's row selected after its items changed place.
pub fn select_row(state: &mut State, row: &PickRow) {
    let (picker, _) = heights(state);
    state.explorer.picker.seek(row, picker);
    rescope(state);
}

pub fn on_stored(state: &mut State, row: RowId, result: Result<Loc, String>, effects: &mut Vec<Effect>) {
    let Some(live) = state.live.get(row) else { return };
    let RowState::Done(trace) = live.state.clone() else { return };
    let item = Arc::clone(&live.request.item);
    match result {
        Ok(loc) => {
            state.live.drop_row(row);
            let record = Record { item: Some(Arc::clone(&item)), trace: Some(Arc::clone(&trace)) };
            state.texts.want([loc]);
            state.texts.put(loc, Ok(record));
            state.corpus = state.corpus.with_trace(&item, &trace, loc);
            state.fresh.push((Arc::clone(&item), Arc::clone(&trace), loc));
            add_columns(state);
            show_newest(state, &item.id, &trace.method);
            requery(state, effects);
            // Its prefix is still in the worker's cache: the default check costs next to nothing now.
            if trace.predicted_answer.is_some() && !trace.cot.trim().is_empty() {
                super::check::start(state, &trace, &QUICK, effects);
            }
        }
        // The trace stays in its live column; nothing is lost while the program runs.
        Err(problem) => {
            state.complain(format!("written, but not saved: {problem}"));
            state.notes.push(format!("saving a trace: {problem}"));
        }
    }
}

/// The column shows the sample that was just written.
fn show_newest(state: &mut State, item: &crate::core::ItemId, method: &crate::core::MethodId) {
    let current = state.explorer.items.current();
    let Some(ix) = state.corpus.find(*item).filter(|ix| Some(*ix) == current) else { return };
    let Some(column) = state.methods.iter().position(|m| m.method.id == *method) else { return };
    let count = crate::app::explorer::columns::samples(state, ix, &state.methods[column]).len();
    let mut scroll = state.explorer.compare.scroll(column);
    scroll.sample = count.saturating_sub(1);
    state.explorer.compare.set_scroll(column, scroll);
}
