//! The numbered steps of a rationale in a column: wrapped, marked, from the column's anchor on.

use crate::app::{explorer::Anchor, flags::veil, geometry::STEP_MARGIN, texts::Shown};
use crate::core::wrap::{width, wrap_while};
use crate::ui::{Theme, paint::put};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use std::ops::Range;

/// How the steps are to be drawn.
pub struct Look<'a> {
    pub theme: &'a Theme,
    /// Probability of the recorded answer before the first step and after each; empty where not checked.
    pub curve: &'a [f64],
    /// Steps that a safety check flags, and whether their words are hidden.
    pub flagged: &'a [usize],
    pub blur: bool,
    pub anchor: Anchor,
    /// The step with the cursor, where the cursor is shown.
    pub cursor: Option<usize>,
    /// Words to mark.
    pub search: Option<&'a str>,
    /// Byte ranges that differ from the other column.
    pub differs: &'a [Range<usize>],
    /// Show a caret after the last word.
    pub writing: bool,
}

/// What of a text was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The first step that did not fit whole.
    pub hidden: Option<usize>,
    /// Rows that were used.
    pub rows: u16,
}

/// Draws steps into `rect`.
pub fn draw(shown: &Shown, look: &Look<'_>, rect: Rect, buffer: &mut Buffer) -> Drawn {
    let columns = rect.width.saturating_sub(STEP_MARGIN);
    let mut y = rect.y;
    for step in look.anchor.step..shown.steps.len() {
        let Some((start, text)) = shown.step(step) else { continue };
        let skip = if step == look.anchor.step { look.anchor.line } else { 0 };
        let mut line_number = 0;
        let mut full = true;
        let mut last = rect.x + STEP_MARGIN;
        wrap_while(text, usize::from(columns), |line| {
            if line_number >= skip {
                if y >= rect.bottom() {
                    full = false;
                    return false;
                }
                if line_number == 0 {
                    number(step, shown, look, rect.x, y, buffer);
                }
                let place = Rect::new(rect.x + STEP_MARGIN, y, columns, 1);
                let base = if step >= shown.answer_from { look.theme.soft() } else { look.theme.text() };
                if look.blur && look.flagged.contains(&step) {
                    let hidden = veil(&text[line.clone()], look.theme.ascii);
                    last = put(buffer, place.x, y, columns, &hidden, look.theme.line());
                } else {
                    last = words(&text[line.clone()], start + line.start, base, look, place, buffer);
                }
                y += 1;
            }
            line_number += 1;
            true
        });
        if look.writing && step + 1 == shown.steps.len() && full && y > rect.y {
            put(
                buffer,
                last.min(rect.right() - 1),
                y - 1,
                1,
                look.theme.glyph("▍", "_"),
                look.theme.accent(),
            );
        }
        if !full {
            return Drawn { hidden: Some(step), rows: y - rect.y };
        }
    }
    Drawn { hidden: None, rows: y - rect.y }
}

fn number(step: usize, shown: &Shown, look: &Look<'_>, x: u16, y: u16, buffer: &mut Buffer) {
    let theme = look.theme;
    let here = look.cursor == Some(step);
    let style = if here { theme.accent().add_modifier(Modifier::BOLD) } else { theme.dim() };
    if step >= shown.answer_from {
        put(buffer, x + 1, y, 1, theme.glyph("→", ">"), style);
    } else {
        put(buffer, x, y, 3, &format!("{:>2}", step + 1), style);
        if look.flagged.contains(&step) {
            put(buffer, x + 3, y, 1, theme.glyph("⚑", "!"), theme.caution());
        }
        if let Some(p) = look.curve.get(step + 1) {
            put(buffer, x + 2, y, 1, &super::column::sparkline(&[*p], theme), theme.accent());
        }
    }
}

/// One line with its marks; returns the column after it.
fn words(line: &str, offset: usize, base: Style, look: &Look<'_>, place: Rect, buffer: &mut Buffer) -> u16 {
    let Rect { x, y, width: room, .. } = place;
    let theme = look.theme;
    let end = put(buffer, x, y, room, line, base);
    let mut mark = |range: Range<usize>, style: Style| {
        let from = width(&line[..range.start]) as u16;
        let part = &line[range];
        put(buffer, x + from, y, (width(part) as u16).min(room.saturating_sub(from)), part, style);
    };
    for differs in look.differs {
        let (from, to) = (differs.start.max(offset), differs.end.min(offset + line.len()));
        if from < to && line.is_char_boundary(from - offset) && line.is_char_boundary(to - offset) {
            mark(from - offset..to - offset, theme.mark(base));
        }
    }
    if let Some(search) = look.search {
        for range in matches(line, search) {
            mark(range, theme.mark(base).add_modifier(Modifier::BOLD));
        }
    }
    end
}

/// Where `words` occurs in `line`, ignoring ASCII case.
pub fn matches(line: &str, words: &str) -> Vec<Range<usize>> {
    if words.is_empty() {
        return Vec::new();
    }
    let (hay, needle) = (line.to_ascii_lowercase(), words.to_ascii_lowercase());
    hay.match_indices(&needle).map(|(at, found)| at..at + found.len()).collect()
}
