//! The line above (what is open, what the worker does) and the line below (the keys that matter here).

use crate::app::{
    State,
    action::{Action, Context},
    explorer::Zone,
    metrics,
    state::{Load, ModelState, Screen},
};
use crate::ui::{
    Theme,
    paint::{bytes, duration, put, put_all, put_right, thousands},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

pub fn top(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let right = rect.right().saturating_sub(1);
    let worker = worker(state);
    let start = put_right(buffer, rect.x + rect.width / 3, right, rect.y, &worker, theme.soft());
    let mut about = state.setup.title.clone();
    if !state.corpus.is_empty() {
        let items = thousands(state.corpus.item_count());
        about.push_str(&format!(" · {items} items · {} methods", state.methods.len()));
    }
    if let Some(caveat) = &state.setup.caveat {
        about.push_str(&format!(" · {caveat}"));
    }
    let room = start.saturating_sub(2);
    let x = put(buffer, rect.x + 1, rect.y, room, "pluriscope", theme.accent().add_modifier(Modifier::BOLD));
    put(buffer, x + 3, rect.y, room.saturating_sub(x + 3), &about, theme.soft());
}

/// What the worker does, in words and numbers.
fn worker(state: &State) -> String {
    let mut parts = Vec::new();
    if let Load::Indexing(progress) = &state.load {
        parts.push(format!("indexing {:.0} %", progress.fraction() * 100.0));
    }
    if state.filter.pending && state.filter.query.reads_rationales() {
        parts.push("searching rationales…".to_owned());
    }
    let model = &state.model_reference;
    match &state.model {
        ModelState::Idle => parts.push(model.clone()),
        ModelState::Loading { stage, fraction } => {
            parts.push(format!("{model}  {stage} {:.0} %", fraction * 100.0))
        }
        ModelState::Ready(_) => parts.push(model.clone()),
        ModelState::Fetching { from, bytes: got, total } => {
            let of = total.map_or_else(String::new, |t| format!(" of {}", bytes(t)));
            parts.push(format!("fetching {model} from {from}  {}{of}", bytes(*got)));
        }
        // The caption says what is recorded; an audience need not know why.
        ModelState::Missing | ModelState::Failed(_) if state.demo.is_some() => parts.push(model.clone()),
        ModelState::Missing => parts.push(format!("{model} is not here")),
        ModelState::Failed(_) => parts.push(format!("{model} failed")),
    }
    if state.live.busy() {
        let live = &state.live;
        let writing = (live.ended + 1).min(live.asked.max(1));
        parts.push(format!("writing {writing} of {}", live.asked));
        if live.progress.tokens_per_second > 0.0 {
            parts.push(format!("{:.0} tok/s", live.progress.tokens_per_second));
        }
        if let Some(left) = live.progress.time_left {
            parts.push(format!("{} left", duration(left)));
        }
    }
    parts.join("  ")
}

pub fn bottom(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (x, y, right) = (rect.x + 1, rect.y, rect.right().saturating_sub(1));
    if let Some(search) = &state.search {
        let place = if search.in_rationale { "search in rationales: " } else { "search in questions: " };
        let x = put_all(buffer, x, y, right, &[(place, theme.dim()), (search.input.before(), theme.text())]);
        let x = put(buffer, x, y, 1, theme.glyph("▏", "_"), theme.accent());
        let rest = &search.input.text()[search.input.before().len()..];
        put(buffer, x, y, right.saturating_sub(x), rest, theme.text());
        put_right(buffer, x + 2, right, y, "⇥ where  enter search  esc leave", theme.dim());
        return;
    }
    if let Some(toast) = &state.toast {
        let style = if toast.bad { theme.caution() } else { theme.soft() };
        put(buffer, x, y, right - x, &toast.text, style);
        return;
    }
    hints(state, theme, x, y, right, buffer);
}

fn hints(state: &State, theme: &Theme, mut x: u16, y: u16, right: u16, buffer: &mut Buffer) {
    let context = state.context();
    let mut actions: Vec<Action> = match state.explorer.focus {
        _ if context == Context::Demo => vec![
            Action::DemoNext,
            Action::DemoPrevious,
            Action::DemoColumn,
            Action::DemoPause,
            // Where there is no room for the rest, all of it is behind this key.
            Action::Help,
            Action::DemoLarge,
            Action::DemoReplay,
            Action::Blur,
            Action::DemoLock,
        ],
        _ if state.screen == Screen::Audit => vec![
            Action::Down,
            Action::Select,
            Action::NextPage,
            Action::About,
            Action::Start,
            Action::Filter,
            Action::Back,
        ],
        _ if state.screen == Screen::Metrics && state.metrics.page == metrics::Page::Priorities => vec![
            Action::Down,
            Action::Right,
            Action::NextItem,
            Action::NextPage,
            Action::Report,
            Action::Back,
        ],
        _ if state.screen == Screen::Metrics => {
            vec![Action::Down, Action::Select, Action::NextPage, Action::Report, Action::Filter, Action::Back]
        }
        _ if state.screen == Screen::Training => {
            vec![Action::Down, Action::NextPage, Action::ScrollDown, Action::Back]
        }
        Zone::Perspectives => {
            vec![Action::Down, Action::Select, Action::Search, Action::Order, Action::NextZone]
        }
        Zone::Items => vec![
            Action::Down,
            Action::Select,
            Action::SwapPerspective,
            Action::Filter,
            Action::DisagreementLens,
            Action::NextZone,
        ],
        Zone::Comparison => vec![
            Action::Down,
            Action::Right,
            Action::Generate,
            Action::Check,
            Action::SwapPerspective,
            Action::Diff,
            Action::Zoom,
            Action::Details,
        ],
    };
    let locked = context == Context::Demo;
    if !locked
        && (state.live.busy()
            || state.audit.work.is_some()
            || matches!(state.model, ModelState::Fetching { .. }))
    {
        actions.insert(0, Action::Cancel);
    }
    if !actions.contains(&Action::Help) {
        actions.push(Action::Help);
    }
    for action in actions {
        let Some(key) = state.setup.keymap.hint(context, action) else { continue };
        let (key, label) = match action {
            Action::Down => ("↑↓".to_owned(), if context == Context::Comparison { "step" } else { "move" }),
            Action::Right => ("←→".to_owned(), if context == Context::Metrics { "weight" } else { "method" }),
            _ => (key.to_string(), action.short()),
        };
        let cells = (key.chars().count() + label.chars().count() + 3) as u16;
        if x + cells > right + 2 {
            break;
        }
        x = put_all(buffer, x, y, right, &[(&key, theme.accent()), (" ", theme.dim()), (label, theme.dim())])
            + 2;
    }
}
