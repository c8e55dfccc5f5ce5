//! Checks over many traces: rates with intervals, curves drawn together, safety by label, right against flagged.

mod curves;
mod quadrant;
mod rates;
mod safety;

use crate::app::{
    State,
    action::{Action, Context},
    audit::Page,
    state::Load,
};
use crate::core::{MethodId, metric::Interval};
use crate::ui::{
    Theme,
    paint::{fill_row, put, put_right, thousands},
    widgets::{column::share, overlays, pages},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let names = Page::ALL.map(|page| (page.word(), page == state.audit.page));
    let Some(inner) = pages::frame(state, theme, area, "AUDIT", names, (60, 12), buffer) else { return };
    head(state, theme, inner, buffer);
    let body = Rect { y: inner.y + 3, height: inner.height.saturating_sub(3), ..inner };
    if state.audit.overview.report.checks.is_empty() {
        face(state, theme, body, buffer);
    } else {
        match state.audit.page {
            Page::Rates => rates::draw(state, theme, body, buffer),
            Page::Curves => curves::draw(state, theme, body, buffer),
            Page::Safety => safety::draw(state, theme, body, buffer),
            Page::Quadrant => quadrant::draw(state, theme, body, buffer),
        }
    }
    overlays::draw(state, theme, area, buffer);
}

/// What the numbers cover, and the job's progress.
fn head(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let audit = &state.audit;
    let filter =
        if state.filter.query.is_empty() { "everything".to_owned() } else { state.filter.query.to_string() };
    let (covered, total) = audit.covered;
    let about = format!("{} of {} traces have verdicts   ·   {filter}", thousands(covered), thousands(total));
    put(buffer, rect.x, rect.y, rect.width, &about, theme.soft());
    if let Some(work) = &audit.work {
        let done = work.done.saturating_sub(state.checks.busy());
        let text = format!("checking {} of {}  x stops", thousands(done), thousands(work.total));
        let start = put_right(buffer, rect.x, rect.right(), rect.y + 1, &text, theme.accent());
        let room = start.saturating_sub(rect.x + 2);
        let filled = (usize::from(room) * done).checked_div(work.total.max(1)).unwrap_or(0) as u16;
        fill_row(buffer, rect.x, rect.y + 1, room, theme.glyph("─", "-"), theme.line());
        fill_row(buffer, rect.x, rect.y + 1, filled, theme.glyph("━", "="), theme.accent());
    } else {
        fill_row(buffer, rect.x, rect.y + 1, rect.width, theme.glyph("─", "-"), theme.line());
        if let Some(stopped) = &audit.stopped {
            put_right(buffer, rect.x, rect.right(), rect.y + 1, &format!(" {stopped}"), theme.caution());
        }
    }
}

fn face(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (headline, hint, style) = no_verdicts(state, theme);
    put(buffer, rect.x, rect.y + 1, rect.width, &headline, style);
    put(buffer, rect.x, rect.y + 3, rect.width, &hint, theme.soft());
}

/// Why there is no verdict to show, and what to do about it.
fn no_verdicts(state: &State, theme: &Theme) -> (String, String, Style) {
    let key = |action| {
        let key = state.setup.keymap.hint(Context::Audit, action);
        key.map_or_else(String::new, |k| k.to_string())
    };
    let (headline, hint) = if state.audit.work.is_some() {
        ("checking …", "the first verdicts appear as they come".to_owned())
    } else if let Some(stopped) = &state.audit.stopped {
        let hint = format!(
            "{} chooses or fetches a model, {} goes on with the rest",
            key(Action::Models),
            key(Action::Start)
        );
        return (stopped.clone(), hint, theme.caution());
    } else if let Load::Failed(problem) = &state.load {
        return ("nothing could be opened".to_owned(), problem.clone(), theme.wrong());
    } else if state.selection.traces == 0 && !matches!(state.load, Load::Done(_)) {
        ("the corpus is being read …", "its traces can be checked as soon as they are there".to_owned())
    } else if state.filter.pending {
        ("filtering …", String::new())
    } else if state.selection.traces == 0 {
        let hint = if state.filter.query.is_empty() {
            format!("{} goes back, where traces can be written", key(Action::Back))
        } else {
            format!("{} drops the filter", key(Action::ClearFilter))
        };
        ("nothing to check: no trace is under this filter", hint)
    } else {
        (
            "no trace of this filter has been checked",
            format!(
                "{} checks them all, {} goes back to set another filter",
                key(Action::Start),
                key(Action::Back)
            ),
        )
    };
    (headline.to_owned(), hint, theme.accent())
}

/// First row to draw so that `cursor` is seen among `height` rows.
fn first(cursor: usize, rows: usize, height: usize) -> usize {
    cursor.saturating_sub(height.saturating_sub(1) / 2).min(rows.saturating_sub(height))
}

/// Which check a page speaks of, what it shows, and how to take another.
fn about(state: &State, shows: &str, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let check = state.audit.about.map_or("", |c| c.word());
    let text = format!("{check}: {shows}   ·   c takes another check");
    put(buffer, rect.x, rect.y, rect.width, &text, theme.soft());
}

fn title(state: &State, method: &MethodId) -> String {
    let known = state.methods.iter().find(|m| m.method.id == *method);
    known.map_or_else(|| method.0.clone(), |m| m.method.title.clone())
}

/// A share with its interval, as a bar: the share filled, the interval's ends marked.
fn bar(rate: f64, interval: Option<Interval>, rect: Rect, style: Style, theme: &Theme, buffer: &mut Buffer) {
    let cells = f64::from(rect.width.saturating_sub(1));
    let at = |share: f64| rect.x + (share * cells).round() as u16;
    fill_row(buffer, rect.x, rect.y, rect.width, theme.glyph("·", "."), theme.line());
    if let Some(interval) = interval {
        let (low, high) = (at(interval.low), at(interval.high));
        fill_row(buffer, low, rect.y, high - low + 1, theme.glyph("─", "-"), theme.dim());
    }
    put(buffer, at(rate), rect.y, 1, theme.glyph("●", "o"), style);
}

/// A mean as it is read: `.82`, `-.12`.
fn mean(value: f64) -> String {
    let sign = if value <= -0.005 { "-" } else { "" };
    format!("{sign}{}", share(value.abs()))
}

/// Rounded as `check` prints it: a half goes up.
fn percent(share: f64) -> String {
    format!("{} %", (share * 100.0).round())
}

fn between(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| format!("{}–{}", (i.low * 100.0).round(), (i.high * 100.0).round()))
}
