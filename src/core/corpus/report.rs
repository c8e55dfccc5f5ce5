//! What loading a corpus reports while it runs.

use std::sync::Arc;

/// A row that could not be used. Never fatal: the rest is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BadLine {
    pub file: Arc<str>,
    /// From 1; for tables and arrays the row's number, from 1.
    pub line: u64,
    /// What is wrong and, where there is one, the remedy.
    pub reason: String,
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// How far loading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// Rows used so far, items and traces together.
    pub rows: u64,
    /// Rows that could not be used.
    pub bad: u64,
    /// Whether everything has been read.
    pub done: bool,
}

impl LoadProgress {
    /// 0 to 1.
    pub fn fraction(&self) -> f32 {
        if self.done || self.bytes_total == 0 {
            return if self.done { 1.0 } else { 0.0 };
        }
        (self.bytes_done as f64 / self.bytes_total as f64) as f32
    }
}
