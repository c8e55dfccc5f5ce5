//! The frame of a screen with pages: the two status lines, its title, and the names of its pages.

use super::status;
use crate::app::State;
use crate::ui::{Theme, paint::put};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

/// How a row of a list is written: the one under the cursor stands out.
pub fn row_style(here: bool, theme: &Theme) -> Style {
    if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.text() }
}

/// A row's first words, with the cursor where it is.
pub fn pointed(text: &str, here: bool, theme: &Theme) -> String {
    format!("{}{text}", if here { theme.glyph("▸ ", "> ") } else { "  " })
}

/// Draws the frame; the room inside, below the title's row. `None` when the screen is smaller than `smallest`.
pub fn frame<'a>(
    state: &State,
    theme: &Theme,
    area: Rect,
    title: &str,
    pages: impl IntoIterator<Item = (&'a str, bool)>,
    smallest: (u16, u16),
    buffer: &mut Buffer,
) -> Option<Rect> {
    if area.width < smallest.0 || area.height < smallest.1 {
        let text = format!("too small: {}x{}, needs {}x{}", area.width, area.height, smallest.0, smallest.1);
        put(buffer, area.x, area.y + area.height / 2, area.width, &text, theme.caution());
        return None;
    }
    status::top(state, theme, Rect { height: 1, ..area }, buffer);
    status::bottom(state, theme, Rect { y: area.bottom() - 1, height: 1, ..area }, buffer);
    let inner = Rect::new(area.x + 1, area.y + 2, area.width - 2, area.height - 4);
    let bold = theme.accent().add_modifier(Modifier::BOLD);
    let mut x = put(buffer, inner.x, inner.y, inner.width, title, bold) + 3;
    for (word, shown) in pages {
        let style = if shown {
            theme.text().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        } else {
            theme.dim()
        };
        x = put(buffer, x, inner.y, inner.right().saturating_sub(x), word, style) + 3;
    }
    Some(Rect { y: inner.y + 1, height: inner.height - 1, ..inner })
}
