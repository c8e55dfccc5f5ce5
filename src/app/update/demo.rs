//! The demo's part of `update`: scenes entered, recordings advanced, keys taken while the lock is on.

use super::{check, generate};
use crate::app::checks::AT_SIGHT;
use crate::app::{
    action::{Action, Context},
    checks::QUICK,
    demo::{Demo, Found, KEY_SHOWN, Pressed, Scene, Writing, playback::Playing},
    effect::Effect,
    explorer::{Cell, PickRow, Zone, cell, columns, items::Scope},
    keymap::Key,
    live::RowState,
    state::{ModelState, Screen, State},
    texts::Lookup,
};
use crate::core::{Item, corpus::ItemIx};
use crate::job::Command;
use std::{sync::Arc, time::Duration};

/// How long an audience waits for the first word of a live column; the time that loading takes is not counted.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes a key; `false` when it is the explorer's.
pub fn on_key(state: &mut State, key: Key, effects: &mut Vec<Effect>) -> bool {
    let Some(demo) = &state.demo else { return false };
    let locked = demo.locked;
    let action = if locked {
        state.setup.keymap.action(Context::Demo, key)
    } else {
        // The lock can always be closed again; all else is the explorer's.
        let lock = state.setup.keymap.action(Context::Demo, key).filter(|a| *a == Action::DemoLock);
        lock.or_else(|| state.setup.keymap.action(state.explorer.focus.context(), key))
    };
    if let (Some(action), Some(demo)) = (action, &mut state.demo) {
        let until = state.now + KEY_SHOWN;
        demo.pressed = Some(Pressed { key: key.to_string(), action: action.short().to_owned(), until });
    }
    if state.overlay.is_some() || (!locked && action != Some(Action::DemoLock)) {
        return false;
    }
    match action {
        Some(action) if allowed(action) => super::perform(state, action, effects),
        Some(_) => state.say("the demo is locked: L gives the explorer its keys"),
        None => {}
    }
    true
}

/// What may be done while the lock is on.
fn allowed(action: Action) -> bool {
    is_ours(action)
        || matches!(
            action,
            Action::Quit | Action::Help | Action::Suspend | Action::Redraw | Action::NextTheme | Action::Blur
        )
}

fn is_ours(action: Action) -> bool {
    matches!(
        action,
        Action::DemoNext
            | Action::DemoPrevious
            | Action::DemoPause
            | Action::DemoReplay
            | Action::DemoColumn
            | Action::DemoLarge
            | Action::DemoLock
    )
}

/// Takes the demo's own actions; `false` for others.
pub fn perform(state: &mut State, action: Action) -> bool {
    if !is_ours(action) {
        return false;
    }
    let Some(demo) = &mut state.demo else {
        state.say("no demo is running: `pluriscope demo` starts one");
        return true;
    };
    match action {
        Action::DemoNext if !demo.played() => demo.playing.iter_mut().for_each(Playing::finish),
        Action::DemoNext if demo.at + 1 < demo.playlist.scenes.len() => go(state, |at| at + 1),
        Action::DemoNext => state.say("this was the last scene"),
        Action::DemoPrevious => go(state, |at| at.saturating_sub(1)),
        Action::DemoReplay => go(state, |at| at),
        Action::DemoPause => demo.paused = !demo.paused,
        Action::DemoLarge => demo.large = !demo.large,
        Action::DemoLock => {
            demo.locked = !demo.locked;
            let words =
                if demo.locked { "locked" } else { "unlocked: the explorer has its keys, L locks again" };
            state.say(words);
        }
        _ => next_column(state),
    }
    true
}

fn next_column(state: &mut State) {
    let shown = state.explorer.compare.shown(state.methods.len());
    let at = shown.iter().position(|c| *c == state.explorer.compare.focus).unwrap_or(0);
    if let Some(next) = shown.get((at + 1) % shown.len().max(1)) {
        state.explorer.compare.focus = *next;
    }
}

fn go(state: &mut State, to: impl Fn(usize) -> usize) {
    if let Some(demo) = &mut state.demo {
        demo.at = to(demo.at).min(demo.playlist.scenes.len().saturating_sub(1));
        demo.found = Found::Waiting;
        demo.over = false;
    }
}

/// After every event: the scene's item is looked for, recordings start and go on.
pub fn settle(state: &mut State, effects: &mut Vec<Effect>) {
    if state.demo.is_none() {
        return;
    }
    pass_time(state);
    enter(state);
    watch_live(state, effects);
    start(state, effects);
    if let Some(demo) = &mut state.demo {
        let clock = demo.clock;
        let before = demo.played();
        demo.playing.iter_mut().filter(|p| !p.finished()).for_each(|p| p.advance(clock));
        if !before && demo.played() {
            check_scene(state, effects);
        }
    }
    follow_on(state);
}

fn pass_time(state: &mut State) {
    let Some(demo) = &mut state.demo else { return };
    let passed = state.now.saturating_sub(demo.seen);
    demo.seen = state.now;
    if !demo.paused && demo.found != Found::Waiting {
        // After a suspension the scene goes on where it stood.
        demo.clock += passed.min(Duration::from_secs(2));
    }
    if demo.pressed.as_ref().is_some_and(|p| p.until <= state.now) {
        demo.pressed = None;
    }
}

/// Begins the scene once its item can be told.
fn enter(state: &mut State) {
    let Some(demo) = &state.demo else { return };
    if demo.found != Found::Waiting {
        return;
    }
    let Some(scene) = demo.scene().cloned() else { return };
    let loaded = matches!(state.load, crate::app::state::Load::Done(_) | crate::app::state::Load::Failed(_));
    let found = match &scene.situation {
        None => Found::NoItem,
        Some(situation) => match find(state, situation, scene.perspective.as_deref()) {
            Some(item) => Found::Item(item),
            None if !loaded => return,
            None => {
                let perspective = scene.perspective.as_deref().unwrap_or("any perspective");
                Found::Missing(format!("“{situation}” from {perspective} is not in this corpus"))
            }
        },
    };
    if let Found::Item(item) = found {
        show(state, item, &scene.methods);
    }
    state.blur = scene.blur;
    if let Some(demo) = &mut state.demo {
        (demo.found, demo.clock, demo.asked, demo.seen) = (found, Duration::ZERO, None, state.now);
        demo.live.clear();
        demo.playing.clear();
        demo.started.clear();
    }
}

/// The item by its words: one that has traces before one that has none.
fn find(state: &State, situation: &str, perspective: Option<&str>) -> Option<ItemIx> {
    let (situation, wanted) = (situation.trim().to_lowercase(), perspective.map(|p| p.trim().to_lowercase()));
    let fits = |ix: &ItemIx| {
        let name = || {
            let p = state.corpus.item(*ix)?.perspective().and_then(|p| state.corpus.perspective(p))?;
            let group = p.attribute.as_deref().zip(p.group.as_deref()).map(|(a, g)| format!("{a}: {g}"));
            let wanted = wanted.as_deref()?;
            Some(p.name.to_lowercase() == wanted || group.is_some_and(|g| g.to_lowercase() == wanted))
        };
        state.corpus.title(*ix).to_lowercase().starts_with(&situation)
            && (wanted.is_none() || name() == Some(true))
    };
    let mut found: Option<ItemIx> = None;
    for ix in state.corpus.items().filter(|ix| fits(ix)) {
        if state.corpus.firsts(ix).next().is_some() {
            return Some(ix);
        }
        found = found.or(Some(ix));
    }
    found
}

/// Brings the item on, with its situation held, the comparison alone, and the scene's columns.
fn show(state: &mut State, item: ItemIx, methods: &[String]) {
    state.screen = Screen::Explorer;
    state.overlay = None;
    state.search = None;
    state.explorer.zoomed = true;
    state.explorer.focus = Zone::Comparison;
    let Some(text) = state.corpus.item(item).and_then(|i| i.text()) else { return };
    state.explorer.items.scope = Scope::Swap { text, back: PickRow::Everything, item };
    let (_, height) = super::corpus::heights(state);
    state.explorer.items.rebuild(&state.corpus, &state.selection, height);
    state.explorer.items.seek(item, height);
    state.explorer.compare.reset();
    let wanted = |i: usize| match state.methods.get(i) {
        Some(m) if methods.is_empty() => !columns::samples(state, item, m).is_empty(),
        Some(m) => methods.contains(&m.method.id.0),
        None => false,
    };
    let hidden: Vec<usize> = (0..state.methods.len()).filter(|i| !wanted(*i)).collect();
    // A scene whose methods are all unknown shows what there is.
    let all = hidden.len() == state.methods.len();
    state.explorer.compare.hidden = if all { Default::default() } else { hidden.into_iter().collect() };
    let shown = state.explorer.compare.shown(state.methods.len());
    state.explorer.compare.focus = shown.first().copied().unwrap_or(0);
}

/// Live columns that come to nothing, or keep the audience waiting, give way to their recordings.
fn watch_live(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    let loading = matches!(state.model, ModelState::Loading { .. });
    let (Some(demo), rows) = (&mut state.demo, &state.live) else { return };
    demo.asked = demo.asked.map(|asked| if loading { now } else { asked });
    let late = demo.asked.is_some_and(|asked| now.saturating_sub(asked) >= PATIENCE);
    let (mut problems, mut silent) = (Vec::new(), false);
    demo.live.retain_mut(|column| {
        let row = rows.get(column.row);
        column.written |= row.is_some_and(|row| matches!(row.state, RowState::Done(_)));
        let problem = match row.map(|row| (&row.state, row.text.is_empty())) {
            _ if column.written => return true,
            Some((RowState::Failed(problem), _)) => problem.clone(),
            Some((_, true)) if late => {
                silent = true;
                effects.push(Effect::Engine(Command::CancelRow(column.row)));
                format!("no word came within {} s", PATIENCE.as_secs())
            }
            Some(_) => return true,
            None => "it was stopped".to_owned(),
        };
        problems.push(format!("the demo, writing live: {problem}"));
        false
    });
    if !problems.is_empty() {
        // Who kept the audience waiting is not asked again.
        demo.model_here &= !silent;
        state.notes.extend(problems);
        state.say("not written live this time: the recording is shown");
    }
}

/// Asks once for the columns that the scene wants written anew and that can be written here.
fn write_live(state: &mut State, item: ItemIx, scene: &Scene, effects: &mut Vec<Effect>) {
    let wanted = scene.live && state.demo.as_ref().is_some_and(|d| d.model_here && d.asked.is_none());
    if !wanted || full(state, item).is_none() {
        return;
    }
    let mut columns = state.explorer.compare.shown(state.methods.len());
    columns.retain(|column| runs(state, item, *column));
    generate::submit(state, item, &columns, effects);
    let row = |method: usize| {
        let (entry, runnable) = (state.corpus.item(item)?, state.methods.get(method)?);
        let (row, _) = state.live.row(entry.id, &runnable.method.id)?;
        Some(Writing { method, row, written: false })
    };
    let live = columns.into_iter().filter_map(row).collect();
    if let Some(demo) = &mut state.demo {
        (demo.asked, demo.live) = (Some(state.now), live);
    }
}

/// Starts the live writing of the scene, and the recordings of all other columns whose trace has been read.
fn start(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(demo) = &state.demo else { return };
    let (Found::Item(item), Some(scene)) = (&demo.found, demo.scene().cloned()) else { return };
    let item = *item;
    write_live(state, item, &scene, effects);
    let shown = state.explorer.compare.shown(state.methods.len());
    let Some(demo) = state.demo.as_ref().filter(|_| scene.play) else { return };
    let waits = |c: &usize| !demo.started.contains(c) && !demo.live.iter().any(|l| l.method == *c);
    // What stands in for live writing begins when it is needed, not with the scene.
    let since = if demo.asked.is_some() && !demo.playing.is_empty() { demo.clock } else { Duration::ZERO };
    let mut fresh = Vec::new();
    for column in shown.into_iter().filter(waits) {
        let Cell::Trace { entry, .. } = cell(state, item, column) else { continue };
        let (Some(trace), Some(full)) = (entry.trace.clone(), full(state, item)) else { continue };
        let mut playing = Playing::new(column, &full, &trace, scene.play_time());
        playing.since = since;
        fresh.push(playing);
    }
    for playing in &fresh {
        // Flagged steps are hidden from the first word on.
        if !playing.trace.cot.trim().is_empty() {
            check::start(state, &playing.trace, &AT_SIGHT, effects);
        }
    }
    if let Some(demo) = &mut state.demo {
        if demo.playing.is_empty() && !fresh.is_empty() {
            // The texts begin together, once the first of them is there.
            demo.clock = Duration::ZERO;
        }
        demo.started.extend(fresh.iter().map(|p| p.method));
        demo.playing.extend(fresh);
        let speed = demo.playing.iter().map(|p| p.speed).max().unwrap_or(1);
        demo.playing.iter_mut().for_each(|p| p.at_speed(speed));
    }
}

/// Whether a method can be written here and now; a trained one needs its adapter.
fn runs(state: &State, item: ItemIx, column: usize) -> bool {
    state.methods.get(column).is_some_and(|m| {
        m.declared && !columns::lacks_adapter(state, item, m) && columns::applies(state, item, m)
    })
}

fn full(state: &State, item: ItemIx) -> Option<Arc<Item>> {
    let entry = state.corpus.item(item).filter(|e| e.known())?;
    match state.texts.get(entry.loc) {
        Lookup::Ready(entry) => entry.item.clone(),
        _ => None,
    }
}

/// The texts are through: the check that the scene asks for, where a model can be asked.
fn check_scene(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(demo) = &state.demo else { return };
    if !demo.model_here || !demo.scene().is_some_and(|s| s.checks) {
        return;
    }
    let traces: Vec<_> = demo.playing.iter().map(|p| Arc::clone(&p.trace)).collect();
    for trace in traces.into_iter().filter(|t| !t.cot.trim().is_empty()) {
        check::start(state, &trace, &QUICK, effects);
    }
}

/// In an unattended demo the next scene follows.
fn follow_on(state: &mut State) {
    let Some(demo) = &mut state.demo else { return };
    let Some(scene) = demo.scene() else { return };
    let writing = demo.live.iter().any(|column| !column.written) || !demo.played();
    let long = demo.clock >= scene.play_time() + scene.stay_time();
    if !demo.auto || demo.paused || demo.over || writing || !long || demo.found == Found::Waiting {
        return;
    }
    if demo.at + 1 < demo.playlist.scenes.len() {
        go(state, |at| at + 1);
        enter(state);
    } else {
        demo.over = true;
    }
}

/// The mouse is the presenter's, not the audience's.
pub fn takes_mouse(state: &State) -> bool {
    state.demo.as_ref().is_some_and(|d: &Demo| d.locked)
}
