//! The metrics screen: pages of tables and charts over the present filter, and value priorities.

use crate::app::{
    State,
    action::{Action, Context},
    metrics::{
        Page,
        page::{self, Line},
    },
};
use crate::core::metric::Samples;
use crate::ui::{
    Theme,
    paint::{counted, fill_row, put, put_right},
    widgets::{overlays, pages, priorities, range_chart, sheet},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// The smallest screen for tables.
const SMALLEST: (u16, u16) = (60, 12);

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let shown = Page::ALL.map(|page| (page.word(), page == state.metrics.page));
    let Some(inner) = pages::frame(state, theme, area, "METRICS", shown, SMALLEST, buffer) else { return };
    scope(state, theme, inner, buffer);
    let body = Rect { y: inner.y + 3, height: inner.height.saturating_sub(3), ..inner };
    if state.metrics.page == Page::Priorities {
        priorities::draw(state, theme, body, buffer);
    } else if state.metrics.sheets().is_empty() {
        face(state, theme, body, buffer);
    } else {
        tables(state, theme, body, buffer);
    }
    overlays::draw(state, theme, area, buffer);
}

/// What the numbers cover, and how far measuring is.
fn scope(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let filter =
        if state.filter.query.is_empty() { "everything".to_owned() } else { state.filter.query.to_string() };
    let further = state.metrics.measured.report.sets.iter().any(|set| set.further_samples > 0);
    let samples = match state.metrics.samples {
        Samples::First if !further => "",
        Samples::First => "   ·   first samples",
        Samples::Majority => "   ·   majority of samples",
        Samples::Mean => "   ·   mean of samples",
    };
    let about = format!(
        "{}, {}{samples}   ·   {filter}",
        counted(state.selection.items.len(), "item"),
        counted(state.selection.traces, "trace")
    );
    put(buffer, rect.x, rect.y, rect.width, &about, theme.soft());
    let rule = rect.y + 1;
    match state.metrics.running {
        Some((done, of)) => {
            let text = format!("measuring {done} of {of}");
            let start = put_right(buffer, rect.x, rect.right(), rule, &text, theme.accent());
            let room = start.saturating_sub(rect.x + 2);
            let filled = (usize::from(room) * done).checked_div(of).unwrap_or(0) as u16;
            fill_row(buffer, rect.x, rule, room, theme.glyph("─", "-"), theme.line());
            fill_row(buffer, rect.x, rule, filled, theme.glyph("━", "="), theme.accent());
        }
        None => fill_row(buffer, rect.x, rule, rect.width, theme.glyph("─", "-"), theme.line()),
    }
}

fn face(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let key = |action| {
        let key = state.setup.keymap.hint(Context::Metrics, action);
        key.map_or_else(|| ":".to_owned(), |k| k.to_string())
    };
    let metrics = &state.metrics;
    let (headline, hint) = if metrics.page == Page::Training {
        no_runs(state)
    } else if metrics.running.is_some() || state.filter.pending {
        ("measuring …".to_owned(), "numbers appear as they are ready".to_owned())
    } else if state.selection.items.is_empty() {
        (
            "nothing to measure: the filter selects no item".to_owned(),
            format!("{} drops it", key(Action::ClearFilter)),
        )
    } else if metrics.page == Page::Checks {
        (
            "no trace of this filter has been checked".to_owned(),
            format!("{} opens the audit, which checks them all", key(Action::Audit)),
        )
    } else if metrics.page == Page::Pairs {
        (
            "no two methods ran on the same items".to_owned(),
            "a comparison needs traces of at least two methods on one item".to_owned(),
        )
    } else {
        ("nothing to show here".to_owned(), "the items are of one group only".to_owned())
    };
    put(buffer, rect.x, rect.y + 1, rect.width, &headline, theme.accent());
    put(buffer, rect.x, rect.y + 3, rect.width, &hint, theme.soft());
}

/// Why the page of training runs is empty.
fn no_runs(state: &State) -> (String, String) {
    let training = &state.training;
    if !training.seen {
        return ("looking for training runs …".to_owned(), String::new());
    }
    let headline = if training.runs.is_empty() {
        "there is no training run".to_owned()
    } else {
        "no run was validated yet".to_owned()
    };
    (headline, format!("looked in {}; `pluriscope watch FOLDER` looks elsewhere", training.places))
}

fn tables(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (sheets, charts) = (state.metrics.sheets(), state.metrics.charts());
    let cells = usize::from(rect.width);
    let lines = page::lines(&charts, &sheets, cells);
    let place = page::settled(state.metrics.place(), &sheets);
    let height = usize::from(rect.height);
    let from = page::scroll(&lines, place, height);
    for (i, line) in lines.iter().skip(from).take(height).enumerate() {
        let row = Rect { y: rect.y + i as u16, height: 1, ..rect };
        match *line {
            Line::Blank => {}
            Line::Chart { chart, row: at } => range_chart::draw_row(charts[chart], at, theme, row, buffer),
            Line::Title(table) => sheet::title(sheets[table], table == place.table, theme, row, buffer),
            Line::Head(table) => {
                let column = if table == place.table { place.column } else { 0 };
                sheet::head(sheets[table], column, theme, row, buffer);
            }
            Line::Row { table, row: at } => {
                let here = (table == place.table && at == place.row).then_some(place.column);
                let column = if table == place.table { place.column } else { 0 };
                sheet::row(sheets[table], at, column, here, theme, row, buffer);
            }
            Line::Note { table, line } => sheet::note(sheets[table], line, theme, row, buffer),
        }
    }
    let below = lines.len().saturating_sub(from + height);
    if below > 0 {
        put_right(buffer, rect.x, rect.right(), rect.bottom(), &format!("{below} more below"), theme.dim());
    }
}
