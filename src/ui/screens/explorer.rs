//! The explorer: three zones, one line above and one below.

use crate::app::{State, explorer::Zone, geometry::SMALLEST, state::Load};
use crate::ui::{
    Theme,
    paint::{fill_row, put},
    widgets::{comparison, items, overlays, picker, status},
};
use ratatui::{buffer::Buffer, layout::Rect};

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(zones) = state.zones() else { return too_small(area, theme, buffer) };
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 || zones.bottom.bottom() > area.bottom() {
        return too_small(area, theme, buffer);
    }
    status::top(state, theme, zones.top, buffer);
    status::bottom(state, theme, zones.bottom, buffer);
    if let Some(line) = face(state) {
        message(&line, theme, Rect::new(0, 1, area.width, area.height - 2), buffer);
    } else {
        if let Some(rect) = zones.perspectives {
            picker::draw(state, theme, rect, state.explorer.focus == Zone::Perspectives, buffer);
        }
        if let Some(rect) = zones.items {
            items::draw(state, theme, rect, state.explorer.focus == Zone::Items, buffer);
            if let Some(x) = zones.rule {
                for y in rect.top()..rect.bottom() {
                    put(buffer, x, y, 1, theme.glyph("│", "|"), theme.line());
                }
            }
        }
        if let Some(y) = zones.hairline {
            fill_row(buffer, 1, y, area.width.saturating_sub(2), theme.glyph("─", "-"), theme.line());
        }
        comparison::draw(state, theme, zones.comparison, state.explorer.focus == Zone::Comparison, buffer);
    }
    overlays::draw(state, theme, area, buffer);
}

/// What stands in place of the zones while there is nothing to show: a headline and what to do.
fn face(state: &State) -> Option<(String, String)> {
    if !state.corpus.is_empty() {
        return None;
    }
    Some(match &state.load {
        Load::Opening => (format!("opening {} …", state.setup.title), String::new()),
        Load::Indexing(progress) => (
            format!("reading {} … {:.0} %", state.setup.title, progress.fraction() * 100.0),
            "the first rows appear as soon as they are read".to_owned(),
        ),
        Load::Failed(problem) => {
            ("this could not be opened".to_owned(), format!("{problem}   ·   q leaves, p lists every problem"))
        }
        Load::Done(progress) if progress.bad > 0 => (
            format!("no usable row in {}", state.setup.title),
            format!("{} lines could not be read: p lists them with the reason", progress.bad),
        ),
        Load::Done(_) => (
            format!("{} is empty", state.setup.title),
            "start with a file:  pluriscope traces.jsonl   ·   or convert one:  pluriscope import rows.json -o items.jsonl"
                .to_owned(),
        ),
    })
}

fn message(lines: &(String, String), theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let y = area.y + area.height / 3;
    let width = area.width.saturating_sub(6);
    put(buffer, area.x + 3, y, width, &lines.0, theme.accent());
    for (i, line) in crate::core::wrap::wrap(&lines.1, usize::from(width.min(90))).into_iter().enumerate() {
        let y = y + 2 + i as u16;
        if y < area.bottom() {
            put(buffer, area.x + 3, y, width, &lines.1[line], theme.soft());
        }
    }
}

fn too_small(area: Rect, theme: &Theme, buffer: &mut Buffer) {
    let text = format!("too small: {}x{}, needs {}x{}", area.width, area.height, SMALLEST.0, SMALLEST.1);
    if area.height > 0 {
        put(buffer, 0, area.height / 2, area.width, &text, theme.caution());
    }
}
