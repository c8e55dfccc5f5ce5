//! The comparison: which columns, which step has the cursor, how far each column is scrolled.

use crate::app::texts::Shown;
use crate::core::{diff::WordDiff, wrap::wrap};
use std::collections::{BTreeSet, HashMap};

/// The top of a column's view: a step, and a line within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    pub step: usize,
    pub line: usize,
}

/// How one column is scrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnScroll {
    pub anchor: Anchor,
    /// Stay at the end while text is being written.
    pub follow: bool,
    /// Which repeated sample is shown.
    pub sample: usize,
    /// Steps there were when following stopped: what is below is new.
    pub seen: usize,
}

/// The comparison's state. Columns are named by their index into the state's methods.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The column with the focus.
    pub focus: usize,
    /// First visible column, as an index into the shown ones.
    pub first: usize,
    pub step: usize,
    /// Columns scroll together by step.
    pub sync: bool,
    pub hidden: BTreeSet<usize>,
    /// Word-level difference between the focused column and the next one.
    pub diff: bool,
    pub marks: Option<Marks>,
    scrolls: HashMap<usize, ColumnScroll>,
}

/// A computed difference, and of which columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Marks {
    pub left: usize,
    pub right: usize,
    pub diff: WordDiff,
}

impl Default for Compare {
    fn default() -> Compare {
        Compare {
            focus: 0,
            first: 0,
            step: 0,
            sync: true,
            hidden: BTreeSet::new(),
            diff: false,
            marks: None,
            scrolls: HashMap::new(),
        }
    }
}

impl Compare {
    /// Columns in order, hidden ones left out.
    pub fn shown(&self, count: usize) -> Vec<usize> {
        (0..count).filter(|c| !self.hidden.contains(c)).collect()
    }

    /// How a column is scrolled.
    pub fn scroll(&self, column: usize) -> ColumnScroll {
        self.scrolls.get(&column).copied().unwrap_or(ColumnScroll { follow: true, ..ColumnScroll::default() })
    }

    pub fn set_scroll(&mut self, column: usize, scroll: ColumnScroll) {
        self.scrolls.insert(column, scroll);
    }

    /// Which sample of a column is shown.
    pub fn sample(&self, column: usize) -> usize {
        self.scroll(column).sample
    }

    /// Another item is shown: back to the top everywhere.
    pub fn reset(&mut self) {
        self.step = 0;
        self.scrolls.clear();
        self.marks = None;
    }
}

/// Wrapped lines of a step at this width; at least one.
pub fn step_lines(shown: &Shown, step: usize, width: usize) -> usize {
    shown.step(step).map_or(1, |(_, text)| wrap(text, width.max(1)).len().max(1))
}

/// The anchor nearest to `anchor` from which `step` is visible in `height` rows; a step that is taller than
/// the view starts at the top.
pub fn reveal(shown: &Shown, anchor: Anchor, step: usize, height: usize, width: usize) -> Anchor {
    let step = step.min(shown.steps.len().saturating_sub(1));
    if step < anchor.step || (step == anchor.step && anchor.line > 0) {
        return Anchor { step, line: 0 };
    }
    // Rows from the anchor to the end of the step; walk back from the step instead when it does not fit.
    let mut rows = step_lines(shown, step, width);
    if rows >= height {
        return Anchor { step, line: 0 };
    }
    let mut first = Anchor { step, line: 0 };
    let mut at = step;
    while at > anchor.step {
        at -= 1;
        let lines = step_lines(shown, at, width) - if at == anchor.step { anchor.line } else { 0 };
        if rows + lines > height {
            return first;
        }
        rows += lines;
        first = Anchor { step: at, line: if at == anchor.step { anchor.line } else { 0 } };
    }
    first.min(Anchor { step: step.max(anchor.step), line: 0 }).max(anchor)
}

/// The anchor that shows the end of the text.
pub fn bottom(shown: &Shown, height: usize, width: usize) -> Anchor {
    let mut rows = 0;
    for step in (0..shown.steps.len()).rev() {
        let lines = step_lines(shown, step, width);
        if rows + lines >= height {
            return Anchor { step, line: (rows + lines).saturating_sub(height).min(lines - 1) };
        }
        rows += lines;
    }
    Anchor::default()
}

/// Moves an anchor by lines, within the text.
pub fn scroll_lines(shown: &Shown, anchor: Anchor, by: isize, width: usize) -> Anchor {
    let mut at = anchor;
    for _ in 0..by.unsigned_abs() {
        if by < 0 {
            if at.line > 0 {
                at.line -= 1;
            } else if at.step > 0 {
                at.step -= 1;
                at.line = step_lines(shown, at.step, width) - 1;
            }
        } else if at.line + 1 < step_lines(shown, at.step, width) {
            at.line += 1;
        } else if at.step + 1 < shown.steps.len() {
            at = Anchor { step: at.step + 1, line: 0 };
        }
    }
    at
}
