//! Where things stand on the desk, from the screen's size alone; and from a place on the screen back to the text.

use super::{desk::Desk, reading::Text};
use crate::app::{explorer::Anchor, geometry::STEP_MARGIN};
use crate::core::wrap::{width, wrap};
use ratatui::layout::{Position, Rect};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The smallest screen on which one can label.
pub const SMALLEST: (u16, u16) = (60, 18);
/// From this width on, questions stand beside the text.
const BESIDE: u16 = 104;
const COLUMN_MIN: u16 = 30;
const COLUMN_MAX: u16 = 90;
const GUTTER: u16 = 3;
/// Rows above the text of a trace: its name and what is known of it.
pub const COLUMN_HEAD: u16 = 2;

/// The parts of the desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zones {
    pub top: Rect,
    /// How far one is.
    pub progress: Rect,
    /// The item: perspective, question, options.
    pub head: Rect,
    /// One per visible column, heads included; the first is that of `first`.
    pub columns: Vec<Rect>,
    /// Index of the first visible column among [`Desk::columns`].
    pub first: usize,
    pub questions: Rect,
    /// Whether the questions stand beside the text.
    pub beside: bool,
    pub bottom: Rect,
}

/// Lays out the desk; `None` when the screen is too small.
pub fn zones(size: (u16, u16), desk: &Desk) -> Option<Zones> {
    let (w, h) = size;
    if w < SMALLEST.0 || h < SMALLEST.1 {
        return None;
    }
    let beside = w >= BESIDE;
    let body = Rect::new(0, 2, w, h - 3);
    let (text, questions) = if beside {
        let panel = (w * 2 / 5).clamp(44, 64);
        (Rect { width: w - panel - 2, ..body }, Rect { x: w - panel, width: panel - 1, ..body })
    } else {
        let panel = (body.height * 2 / 5).clamp(8, 12);
        let text = Rect { height: body.height - panel - 1, ..body };
        (text, Rect { x: 1, y: text.bottom() + 1, width: w - 2, height: panel })
    };
    let head = Rect::new(1, text.y, text.width - 2, if text.height > 16 { 5 } else { 3 });
    let area = Rect::new(1, head.bottom(), text.width - 2, text.height - head.height);
    let shown = desk.columns();
    let here = shown.iter().position(|slot| *slot == desk.session.place().slot).unwrap_or(0);
    let count = shown.len().max(1);
    let fit = usize::from((area.width + GUTTER) / (COLUMN_MIN + GUTTER)).clamp(1, count);
    let first = (here + 1).saturating_sub(fit).min(count - fit);
    let wide = ((area.width + GUTTER) / fit as u16).saturating_sub(GUTTER).min(COLUMN_MAX);
    let columns =
        (0..fit as u16).map(|i| Rect { x: area.x + i * (wide + GUTTER), width: wide, ..area }).collect();
    Some(Zones {
        top: Rect::new(0, 0, w, 1),
        progress: Rect::new(0, 1, w, 1),
        head,
        columns,
        first,
        questions,
        beside,
        bottom: Rect::new(0, h - 1, w, 1),
    })
}

/// Where the text of a column stands: below its head, and above the line that says what is further down.
pub fn text_rect(column: Rect) -> Rect {
    Rect { y: column.y + COLUMN_HEAD, height: column.height.saturating_sub(COLUMN_HEAD + 1), ..column }
}

/// One visible line of a text: its row, the column at which it starts, and its bytes of the shown text.
pub type Line = (u16, u16, Range<usize>);

/// The lines of a text as they are drawn in `rect` from `anchor` on.
pub fn lines(text: &Text, anchor: Anchor, rect: Rect) -> Vec<Line> {
    let columns = usize::from(rect.width.saturating_sub(STEP_MARGIN));
    let mut out = Vec::new();
    let mut y = rect.y;
    for step in anchor.step..text.shown.steps.len() {
        let Some((start, words)) = text.shown.step(step) else { continue };
        let skip = if step == anchor.step { anchor.line } else { 0 };
        for line in wrap(words, columns).into_iter().skip(skip) {
            if y >= rect.bottom() {
                return out;
            }
            out.push((y, rect.x + STEP_MARGIN, start + line.start..start + line.end));
            y += 1;
        }
    }
    out
}

/// The byte of the shown text under a place on the screen; in a line's margin or tail, its first or last.
pub fn byte_at(text: &Text, anchor: Anchor, rect: Rect, at: Position) -> Option<usize> {
    let lines = lines(text, anchor, rect);
    let (_, x, range) = lines.iter().find(|(y, ..)| *y == at.y)?;
    let line = text.shown.text.get(range.clone())?;
    let mut cell = usize::from(*x);
    let mut last = range.start;
    for (offset, grapheme) in line.grapheme_indices(true) {
        last = range.start + offset;
        cell += width(grapheme);
        if cell > usize::from(at.x) {
            break;
        }
    }
    Some(last)
}

/// The cells that a piece of the shown text covers: row, first column, width.
pub fn cells_of(text: &Text, lines: &[Line], piece: &Range<usize>) -> Vec<(u16, u16, u16)> {
    let mut out = Vec::new();
    for (y, x, line) in lines {
        let (from, to) = (piece.start.max(line.start), piece.end.min(line.end));
        if from >= to {
            continue;
        }
        let shown = &text.shown.text;
        if let (Some(before), Some(part)) = (shown.get(line.start..from), shown.get(from..to)) {
            out.push((*y, x + width(before) as u16, width(part) as u16));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Item, Perspective, Trace};

    #[test]
    fn a_place_on_the_screen_is_a_word_of_the_text() {
        let item = Item::value("vk", Perspective::named("Honesty"), "Keeping a found coin");
        let text = Text::of(&Trace::new(
            &item,
            "sft".into(),
            "It is théirs and not 日本 yours. So no.\nAnswer: B".to_owned(),
        ));
        let rect = Rect::new(3, 5, 20, 6);
        let lines = lines(&text, Anchor::default(), rect);
        assert!(lines.len() > 3);
        for word in text.words.clone() {
            for (y, x, cells) in cells_of(&text, &lines, &word) {
                for x in x..x + cells {
                    let byte = byte_at(&text, Anchor::default(), rect, Position::new(x, y)).unwrap();
                    assert!(word.contains(&byte), "{x},{y} is in {word:?}, not at {byte}");
                }
            }
        }
        assert_eq!(byte_at(&text, Anchor::default(), rect, Position::new(0, 0)), None);
    }
}
