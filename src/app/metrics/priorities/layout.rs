//! Where the weights stand on the screen: shared by drawing and by the mouse.

use super::{MOST, STEP};
use ratatui::layout::Rect;

/// Cells of a weight's bar: one per step.
pub const BAR: u16 = (MOST / STEP) as u16;

/// The room of a page of the metrics screen, below title, scope and rule.
pub fn body(size: (u16, u16)) -> Rect {
    Rect::new(1, 6, size.0.saturating_sub(2), size.1.saturating_sub(8))
}

/// The parts of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// A row of heads, then one row per perspective.
    pub list: Rect,
    /// Cells of the column of names, and where the bars begin.
    pub names: u16,
    pub bar: u16,
    /// The first row that is shown; all rows that there are.
    pub from: usize,
    pub rows: usize,
    pub decisions: Rect,
}

impl Layout {
    pub fn of(rect: Rect, voices: usize, rows: usize, cursor: usize) -> Layout {
        // Voices stand below: title, one line each, a blank and two lines of what they mean.
        let below = (voices as u16 + 4).min(rect.height / 2);
        let list = Rect { y: rect.y + 2, height: rect.height.saturating_sub(below + 3), ..rect };
        // The names take what the bars and the answers leave.
        let names = rect.width.saturating_sub(BAR + 8 + 3 * voices as u16).clamp(12, 44);
        let height = usize::from(list.height.saturating_sub(1));
        Layout {
            list,
            names,
            bar: list.x + names + 2,
            from: cursor.saturating_sub(height / 2).min(rows.saturating_sub(height)),
            rows,
            decisions: Rect { y: list.bottom() + 1, height: below, ..rect },
        }
    }

    /// Perspectives that fit.
    pub fn shown(&self) -> usize {
        usize::from(self.list.height.saturating_sub(1))
    }

    /// The perspective at a cell of the screen.
    pub fn row_at(&self, x: u16, y: u16) -> Option<usize> {
        let line = usize::from(y.checked_sub(self.list.y + 1)?);
        let inside = x >= self.list.x && x < self.list.right() && line < self.shown();
        Some(self.from + line).filter(|row| inside && *row < self.rows)
    }

    /// Whether a press there takes hold of a bar; the cell before it counts, so that 0 can be reached.
    pub fn on_bar(&self, x: u16) -> bool {
        x + 1 >= self.bar && x < self.bar + BAR
    }

    /// The weight of a bar that ends in this cell.
    pub fn weight_at(&self, x: u16) -> f64 {
        (f64::from((x + 1).saturating_sub(self.bar)) * STEP).min(MOST)
    }
}
