//! The item list: what the picker's row holds, or, while swapping, one situation under all its perspectives.

use super::picker::PickRow;
use crate::app::geometry::list_scroll;
use crate::core::{
    corpus::{Corpus, ItemIx, TextIx},
    query::{ItemOrder, Selection},
};

/// What the list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Pick(PickRow),
    /// One situation or question, all perspectives; where to go back to.
    Swap {
        text: TextIx,
        back: PickRow,
        item: ItemIx,
    },
}

impl Default for Scope {
    fn default() -> Scope {
        Scope::Pick(PickRow::Everything)
    }
}

/// The list's state.
#[derive(Clone, Debug, Default)]
pub struct ItemList {
    pub scope: Scope,
    pub rows: Vec<ItemIx>,
    pub cursor: usize,
    pub scroll: usize,
    pub order: ItemOrder,
}

/// The word for an order, and the order after it.
pub fn order_word(order: ItemOrder) -> (&'static str, ItemOrder) {
    match order {
        ItemOrder::File => ("file", ItemOrder::Disagreement),
        ItemOrder::Disagreement => ("disagreement", ItemOrder::Name),
        ItemOrder::Name => ("name", ItemOrder::Gold),
        ItemOrder::Gold => ("gold", ItemOrder::File),
    }
}

impl ItemList {
    /// The item under the cursor.
    pub fn current(&self) -> Option<ItemIx> {
        self.rows.get(self.cursor).copied()
    }

    /// Moves the cursor; stays within the list.
    pub fn go(&mut self, to: usize, height: usize) {
        self.cursor = to.min(self.rows.len().saturating_sub(1));
        self.scroll = list_scroll(self.scroll, self.cursor, height, self.rows.len());
    }

    /// Lists what the scope holds; the cursor stays on its item where that is still listed.
    pub fn rebuild(&mut self, corpus: &Corpus, selection: &Selection, height: usize) {
        let here = self.current();
        self.rows = match &self.scope {
            Scope::Swap { text, .. } => corpus.items_of_text(*text).to_vec(),
            Scope::Pick(row) => {
                selection.items.iter().copied().filter(|ix| holds(corpus, row, *ix)).collect()
            }
        };
        let at = here.and_then(|ix| self.rows.iter().position(|row| *row == ix));
        self.go(at.unwrap_or(self.cursor), height);
    }

    /// Puts the cursor on an item, where it is listed.
    pub fn seek(&mut self, item: ItemIx, height: usize) {
        if let Some(at) = self.rows.iter().position(|row| *row == item) {
            self.go(at, height);
        }
    }
}

/// Whether an item belongs under a row of the picker.
fn holds(corpus: &Corpus, row: &PickRow, ix: ItemIx) -> bool {
    let Some(item) = corpus.item(ix) else { return false };
    let perspective = || item.perspective().and_then(|p| corpus.perspective(p));
    match row {
        PickRow::Everything => true,
        PickRow::Perspective(wanted) => item.perspective() == Some(*wanted),
        PickRow::Kind(kind) => perspective().is_some_and(|p| p.kind == *kind),
        PickRow::Attribute(attribute) => {
            perspective().is_some_and(|p| p.attribute.as_deref() == Some(attribute))
        }
    }
}
