//! The flat tables behind a corpus, as they are saved, and the proof that they fit together.

use super::{ItemEntry, ItemIx, TraceEntry};
use crate::core::{MethodId, Perspective};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// The indexed part: flat tables and compressed rows (`starts[i]..starts[i + 1]`).
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) tables: Tables,
    pub(super) items: Vec<ItemEntry>,
    /// Sorted by item, method, sample, then file order.
    pub(super) traces: Vec<TraceEntry>,
    /// Per item, where its traces start; one more than there are items.
    pub(super) trace_starts: Vec<u32>,
    pub(super) perspective_items: Rows,
    pub(super) text_items: Rows,
    /// Item indices sorted by id.
    pub(super) by_id: Vec<ItemIx>,
    #[serde(skip)]
    pub(super) text_ranks: OnceLock<Vec<u32>>,
}

impl Base {
    /// Whether every index stays within its table: what a saved file must prove before it is believed.
    pub(super) fn sound(&self) -> bool {
        let tables = &self.tables;
        let rows = |rows: &Rows, count: usize| {
            rows.starts.len() == count + 1
                && rows.starts.is_sorted()
                && rows.starts.last().is_some_and(|end| *end as usize == rows.items.len())
                && rows.items.iter().all(|ix| (ix.0 as usize) < self.items.len())
        };
        let starts = &self.trace_starts;
        let empty = self.items.is_empty() && starts.is_empty();
        (empty || starts.len() == self.items.len() + 1)
            && starts.is_sorted()
            && starts.last().is_none_or(|end| *end as usize == self.traces.len())
            && rows(&self.perspective_items, tables.perspectives.len())
            && rows(&self.text_items, tables.texts.len())
            && self.by_id.len() == self.items.len()
            && self.by_id.iter().all(|ix| (ix.0 as usize) < self.items.len())
            && self.items.iter().all(|item| {
                item.perspective().is_none_or(|p| (p.0 as usize) < tables.perspectives.len())
                    && item.text().is_none_or(|t| (t.0 as usize) < tables.texts.len())
            })
            && self.traces.iter().all(|t| {
                (t.item().0 as usize) < self.items.len() && usize::from(t.method().0) < tables.methods.len()
            })
            && tables.texts.is_sorted_by_key(|t| t.start)
            && tables.texts.iter().all(|t| {
                let start = t.start as usize;
                tables.titles.get(start..start + t.len as usize).is_some()
            })
    }
}

/// Names that entries refer to by index.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tables {
    pub(super) files: Vec<Arc<str>>,
    #[serde(with = "plain_perspectives")]
    pub(super) perspectives: Vec<Arc<Perspective>>,
    pub(super) methods: Vec<MethodId>,
    pub(super) datasets: Vec<Arc<str>>,
    pub(super) splits: Vec<Arc<str>>,
    pub(super) domains: Vec<Arc<str>>,
    pub(super) texts: Vec<TextEntry>,
    /// The beginnings of all situations and questions, one after the other, each ended by a newline.
    pub(super) titles: String,
}

/// One situation or question: a hash of data set, full text and options, and its place in the title arena.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct TextEntry {
    pub(super) hash: u64,
    pub(super) start: u32,
    pub(super) len: u32,
}

/// Lists of items per row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Rows {
    pub(super) starts: Vec<u32>,
    pub(super) items: Vec<ItemIx>,
}

impl Rows {
    pub(super) fn get(&self, row: usize) -> &[ItemIx] {
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(&from), Some(&to)) => self.items.get(from as usize..to as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Groups items `0..rows.len()` by `rows[item]`, in item order; `None` belongs nowhere.
    pub(super) fn group(count: usize, rows: impl Iterator<Item = Option<usize>> + Clone) -> Rows {
        let mut starts = vec![0u32; count + 1];
        for row in rows.clone().flatten() {
            starts[row + 1] += 1;
        }
        for row in 0..count {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut items = vec![ItemIx(0); starts[count] as usize];
        for (item, row) in rows.enumerate() {
            if let Some(row) = row {
                items[next[row] as usize] = ItemIx(item as u32);
                next[row] += 1;
            }
        }
        Rows { starts, items }
    }
}

/// Perspectives as plain tuples: the binary form of the index has no room for left-out fields.
mod plain_perspectives {
    use super::{Arc, Perspective};
    use crate::core::Kind;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Row = (Kind, String, Option<String>, Option<String>);

    pub fn serialize<S: Serializer>(all: &[Arc<Perspective>], serializer: S) -> Result<S::Ok, S::Error> {
        let rows = all.iter().map(|p| (p.kind, &p.name, &p.attribute, &p.group));
        rows.collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Arc<Perspective>>, D::Error> {
        let rows = Vec::<Row>::deserialize(deserializer)?;
        let whole = |(kind, name, attribute, group)| Arc::new(Perspective { kind, name, attribute, group });
        Ok(rows.into_iter().map(whole).collect())
    }
}
