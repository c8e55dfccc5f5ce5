//! The file that traces are appended to, line by line, and what it holds already.

use crate::{
    cli::append::Appender,
    core::{Item, ItemId, MethodId, Trace},
    store::export,
};
use color_eyre::eyre::Result;
use serde::Deserialize;
use std::{collections::HashSet, path::Path};

/// What makes two rows the same work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Key {
    #[serde(rename = "item_id")]
    pub item: ItemId,
    pub method: MethodId,
    #[serde(default)]
    pub sample: u32,
    pub seed: u64,
    #[serde(default)]
    pub model: String,
}

/// Where traces go.
pub struct Output {
    appender: Appender,
    present: HashSet<Key>,
}

impl Output {
    /// Opens `path` for appending and reads what it holds; lines that are no traces of ours are left alone.
    pub fn open(path: Option<&Path>) -> Result<Output> {
        let mut present = HashSet::new();
        let appender = Appender::open(path, &mut |line| present.extend(serde_json::from_slice::<Key>(line)))?;
        Ok(Output { appender, present })
    }

    /// Whether the file held this row when it was opened.
    pub fn has(&self, key: &Key) -> bool {
        self.present.contains(key)
    }

    /// Appends one trace.
    pub fn append(&mut self, item: &Item, trace: &Trace) -> Result<()> {
        self.appender.line(export::trace_line(Some(item), trace)?)
    }
}
