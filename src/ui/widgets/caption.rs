//! What a demo adds to the explorer's screen: the scene's caption, what is recorded and what is live, the key that was
//! pressed.

use crate::app::{
    State,
    demo::{Demo, playback::Playing},
};
use crate::core::wrap::{truncate, width, wrap};
use crate::ui::{
    Theme,
    paint::{clear, fill_row, put, put_all, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// Draws the caption above the line of keys, and the pressed key.
pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(demo) = &state.demo else { return };
    let rows = demo.rows((area.width, area.height));
    if area.height <= rows + 1 || state.zones().is_none() {
        return;
    }
    let top = area.bottom() - 1 - rows;
    let rect = Rect::new(area.x, top, area.width, rows);
    clear(buffer, rect);
    fill_row(buffer, area.x + 1, top, area.width.saturating_sub(2), theme.glyph("─", "-"), theme.line());
    title(state, demo, theme, rect, buffer);
    let room = Demo::caption_width(area.width);
    for (y, line) in (top + 1..).zip(lines(demo, room, rows.saturating_sub(1))) {
        put(buffer, area.x + 2, y, room, &line, theme.text());
    }
    pressed(demo, theme, area, buffer);
}

/// Scene, its number, and how what is seen came about, on the hairline.
fn title(state: &State, demo: &Demo, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let Some(scene) = demo.scene() else { return };
    let right = rect.right().saturating_sub(2);
    let words = format!(" {} ", source(state, demo));
    let start = put_right(buffer, rect.x + rect.width / 3, right, rect.y, &words, theme.accent());
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
    let plays = demo.scene().is_some_and(|scene| scene.play);
    if demo.live.is_empty() && demo.asked.is_some() && plays && demo.playing.is_empty() {
        parts.push("no recording".to_owned());
    } else if demo.live.is_empty() {
        let focused = demo.playback(state.explorer.compare.focus).or(demo.playing.first());
        parts.push(focused.map_or_else(|| "recorded".to_owned(), Playing::words));
    } else {
        // What plays beside live columns is named, so that nobody takes it for live.
        let recorded: Vec<&str> = demo
            .playing
            .iter()
            .filter_map(|p| state.methods.get(p.method).map(|m| m.method.title.as_str()))
            .collect();
        if !recorded.is_empty() {
            parts.push(format!("{} recorded", recorded.join(", ")));
        }
        let model = &state.model_reference;
        let written = demo.live.iter().all(|column| column.written);
        parts.push(if written { format!("written live by {model}") } else { format!("live, {model}") });
    }
    if !demo.locked {
        parts.push("unlocked".to_owned());
    }
    if demo.over {
        parts.push("end".to_owned());
    }
    parts.join(" · ")
}

/// The caption in at most `most` lines; it ends with an ellipsis where it is longer still.
pub fn lines(demo: &Demo, columns: u16, most: u16) -> Vec<String> {
    let (text, columns) = (demo.caption(), usize::from(columns.max(1)));
    let ranges = wrap(&text, columns);
    let cut = usize::from(most).checked_sub(1).filter(|last| last + 1 < ranges.len());
    let line = |(i, range): (usize, std::ops::Range<usize>)| {
        let whole = if cut == Some(i) { &text[range.start..] } else { &text[range] };
        truncate(whole, columns)
    };
    ranges.into_iter().enumerate().take(usize::from(most)).map(line).collect()
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
