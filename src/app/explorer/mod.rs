//! The explorer screen: perspectives, items, comparison, and which of them has the focus.

pub mod columns;
pub mod compare;
pub mod items;
pub mod picker;

pub use columns::{Cell, cell};
pub use compare::{Anchor, Compare};
pub use items::ItemList;
pub use picker::{PickRow, Picker};

use super::action::Context;

/// A zone that can have the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    #[default]
    Perspectives,
    Items,
    Comparison,
}

impl Zone {
    /// Where its keys are looked up.
    pub fn context(self) -> Context {
        match self {
            Zone::Perspectives => Context::Perspectives,
            Zone::Items => Context::Items,
            Zone::Comparison => Context::Comparison,
        }
    }

    /// The zone after this one; folded zones are left out.
    pub fn next(self, folded: bool, back: bool) -> Zone {
        match (self, back) {
            (Zone::Perspectives, false) | (Zone::Comparison, true) => Zone::Items,
            (Zone::Items, false) => Zone::Comparison,
            (Zone::Comparison, false) | (Zone::Items, true) if !folded => Zone::Perspectives,
            (Zone::Comparison, false) => Zone::Items,
            _ => Zone::Comparison,
        }
    }
}

/// The screen's state.
#[derive(Clone, Debug, Default)]
pub struct Explorer {
    pub focus: Zone,
    pub folded: bool,
    pub zoomed: bool,
    pub picker: Picker,
    pub items: ItemList,
    pub compare: Compare,
}
