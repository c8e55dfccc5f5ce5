//! Where things stand on the screen, from its size alone: shared by `update` (scrolling, mouse) and `view`.

use ratatui::layout::Rect;

/// The smallest screen that can be used.
pub const SMALLEST: (u16, u16) = (40, 10);
/// Narrowest column of the comparison, and the gutter between two.
pub const COLUMN_MIN: u16 = 28;
pub const GUTTER: u16 = 3;
/// Nobody reads lines longer than this with ease.
pub const COLUMN_MAX: u16 = 90;
/// Rows above the text of a column: its head, its facts, its check line.
pub const COLUMN_HEAD: u16 = 3;
/// Row right below it: what is further down, or new.
pub const COLUMN_FOOT: u16 = 1;
/// Cells left of a step's text: its number, its bar, a blank.
pub const STEP_MARGIN: u16 = 4;
/// Rows above the columns: title, details, a blank.
pub const COMPARISON_HEAD: u16 = 3;

/// The explorer's zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zones {
    pub top: Rect,
    pub bottom: Rect,
    /// `None` when folded, zoomed away, or there is no room.
    pub perspectives: Option<Rect>,
    pub items: Option<Rect>,
    pub comparison: Rect,
    /// Column of the hairline right of the perspectives.
    pub rule: Option<u16>,
    /// Row of the hairline above the comparison.
    pub hairline: Option<u16>,
}

/// Splits the screen; `None` when it is smaller than [`SMALLEST`].
pub fn zones(size: (u16, u16), folded: bool, zoomed: bool) -> Option<Zones> {
    let (width, height) = size;
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let top = Rect::new(0, 0, width, 1);
    let bottom = Rect::new(0, height - 1, width, 1);
    let body = Rect::new(0, 1, width, height - 2);
    if zoomed {
        return Some(Zones {
            top,
            bottom,
            perspectives: None,
            items: None,
            comparison: body,
            rule: None,
            hairline: None,
        });
    }
    let upper = upper_height(body.height);
    let picker = (!folded && width >= 60).then(|| (width / 4).clamp(22, 32));
    let left = picker.map_or(0, |w| w + 1);
    let comparison = Rect::new(0, body.y + upper + 1, width, body.height - upper - 1);
    Some(Zones {
        top,
        bottom,
        perspectives: picker.map(|w| Rect::new(0, body.y, w, upper)),
        items: Some(Rect::new(left, body.y, width - left, upper)),
        comparison,
        rule: picker,
        hairline: Some(body.y + upper),
    })
}

/// Rows of the two lists: about a third of the body, the comparison gets the rest.
fn upper_height(body: u16) -> u16 {
    (body * 3 / 10).clamp(3, 16)
}

/// The columns of the comparison that fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Index of the first visible column, and one rectangle per visible column (head and text).
    pub first: usize,
    pub rects: Vec<Rect>,
}

/// Lays out `count` columns in `area` (below the comparison's head) so that `focus` is visible; `first` is
/// where the view stood before, and moves no more than it must.
pub fn columns(area: Rect, count: usize, focus: usize, first: usize) -> Columns {
    let inner = area.width.saturating_sub(2);
    if count == 0 || inner < 4 {
        return Columns { first: 0, rects: Vec::new() };
    }
    let fit = usize::from((inner + GUTTER) / (COLUMN_MIN + GUTTER)).clamp(1, count);
    let first = first.min(focus).max((focus + 1).saturating_sub(fit)).min(count - fit);
    let width = ((inner + GUTTER) / fit as u16).saturating_sub(GUTTER).clamp(1, COLUMN_MAX);
    let y = area.y + COMPARISON_HEAD.min(area.height);
    let height = area.height.saturating_sub(COMPARISON_HEAD);
    let rects =
        (0..fit as u16).map(|i| Rect::new(area.x + 1 + i * (width + GUTTER), y, width, height)).collect();
    Columns { first, rects }
}

/// Rows of its own that the check bar has at the foot of a column of this height, whatever is known by then: verdicts
/// that come in move no text.
pub fn bar_rows(height: u16) -> u16 {
    (height / 8).clamp(1, 4)
}

/// Rows and width that a column's text has: its head, its foot and the step numbers taken off.
pub fn column_text(rect: Rect) -> (usize, usize) {
    (
        usize::from(rect.height.saturating_sub(COLUMN_HEAD + COLUMN_FOOT + bar_rows(rect.height))),
        usize::from(rect.width.saturating_sub(STEP_MARGIN)),
    )
}

/// The first visible row of a list of `count` rows, so that `cursor` is on screen and the view moves little.
pub fn list_scroll(scroll: usize, cursor: usize, height: usize, count: usize) -> usize {
    if height == 0 {
        return 0;
    }
    let scroll = scroll.min(cursor).max((cursor + 1).saturating_sub(height));
    scroll.min(count.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn zones_and_columns_stay_on_the_screen(
            w in 0u16..400, h in 0u16..200, folded: bool, zoomed: bool, count in 0usize..12, focus in 0usize..12, first in 0usize..12,
        ) {
            let screen = Rect::new(0, 0, w, h);
            if let Some(zones) = zones((w, h), folded, zoomed) {
                for rect in [Some(zones.top), Some(zones.bottom), zones.perspectives, zones.items, Some(zones.comparison)].into_iter().flatten() {
                    prop_assert_eq!(rect.intersection(screen), rect);
                    prop_assert!(rect.height > 0);
                }
                let focus = focus.min(count.saturating_sub(1));
                let columns = columns(zones.comparison, count, focus, first);
                for rect in &columns.rects {
                    prop_assert_eq!(rect.intersection(screen), *rect);
                }
                if count > 0 {
                    prop_assert!((columns.first..columns.first + columns.rects.len()).contains(&focus));
                }
            }
        }

        #[test]
        fn the_cursor_is_always_visible(scroll in 0usize..50, cursor in 0usize..50, height in 1usize..20) {
            let scroll = list_scroll(scroll, cursor, height, 50);
            prop_assert!((scroll..scroll + height).contains(&cursor));
        }
    }
}
