//! What a demo adds to the explorer's screen: the scene's caption, what is recorded and what is live, the key that was
//! pressed.

use crate::app::{
    State,
    demo::{Demo, Found, playback::Playing},
};
use crate::core::wrap::{width, wrap};
use crate::ui::{
    Theme,
    paint::{clear, fill_row, put, put_all, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// Draws the caption above the line of keys, and the pressed key.
pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(demo) = &state.demo else { return };
    let rows = Demo::rows(area.height);
    if area.height <= rows + 1 || state.zones().is_none() {
        return;
    }
    let top = area.bottom() - 1 - rows;
    let rect = Rect::new(area.x, top, area.width, rows);
    clear(buffer, rect);
    fill_row(buffer, area.x + 1, top, area.width.saturating_sub(2), theme.glyph("─", "-"), theme.line());
    title(state, demo, theme, rect, buffer);
    let room = area.width.saturating_sub(4).min(110);
    for (i, line) in lines(demo, usize::from(room)).iter().take(usize::from(rows - 1)).enumerate() {
        put(buffer, area.x + 2, top + 1 + i as u16, room, line, theme.text());
    }
    pressed(demo, theme, area, buffer);
}

/// Scene, its number, and how what is seen came about, on the hairline.
fn title(state: &State, demo: &Demo, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let Some(scene) = demo.scene() else { return };
    let right = rect.right().saturating_sub(2);
    let words = format!(" {} ", source(state, demo));
    let start = put_right(buffer, rect.x + rect.width / 2, right, rect.y, &words, theme.accent());
    let number = format!(" {} of {} ", demo.at + 1, demo.playlist.scenes.len());
    put_all(
        buffer,
        rect.x + 2,
        rect.y,
        start.saturating_sub(1),
        &[
            (" ", theme.text()),
            (&scene.title, theme.accent().add_modifier(Modifier::BOLD)),
            (&number, theme.dim()),
        ],
    );
}

/// Recorded, paused, live: in words.
pub fn source(state: &State, demo: &Demo) -> String {
    let mut parts = Vec::new();
    if demo.paused {
        parts.push("paused".to_owned());
    }
    if demo.live {
        let model = &state.model_reference;
        parts.push(if state.live.busy() {
            format!("live, {model}")
        } else {
            format!("written live by {model}")
        });
    } else {
        let focused = demo.playback(state.explorer.compare.focus).or(demo.playing.first());
        parts.push(focused.map_or_else(|| "recorded".to_owned(), Playing::words));
    }
    if !demo.locked {
        parts.push("unlocked".to_owned());
    }
    if demo.over {
        parts.push("end".to_owned());
    }
    parts.join(" · ")
}

/// The caption, or what is missing, wrapped.
pub fn lines(demo: &Demo, columns: usize) -> Vec<String> {
    let Some(scene) = demo.scene() else { return Vec::new() };
    let text = match &demo.found {
        Found::Missing(what) => format!("{what}. {}", scene.caption),
        _ => scene.caption.clone(),
    };
    let text = text.replace('\n', " ");
    wrap(&text, columns.max(1)).into_iter().map(|line| text[line].to_owned()).collect()
}

/// The key and what it does, bottom right, for a moment.
pub fn pressed(demo: &Demo, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(pressed) = &demo.pressed else { return };
    let text = format!("  {}  {}  ", pressed.key, pressed.action);
    let cells = (width(&text) as u16).min(area.width.saturating_sub(2));
    let y = area.bottom().saturating_sub(1);
    let x = area.right().saturating_sub(cells + 1);
    put(buffer, x, y, cells, &text, theme.accent().add_modifier(Modifier::REVERSED | Modifier::BOLD));
}
