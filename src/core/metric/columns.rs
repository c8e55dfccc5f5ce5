//! Answers as small integers, one column per method: what every metric is computed from. No text, no file.
//!
//! Rows are items, sorted so that those of one situation or question (a *cluster*) lie side by side. Items whose
//! gold is not known stay out, and are counted.

pub use super::samples::NO_ANSWER;
use super::samples::{Repeats, Samples, majority};
use crate::core::{
    Corpus, Kind, Letter, MethodId,
    corpus::{DatasetIx, ItemEntry, ItemIx, MethodIx, PerspectiveIx, TextIx, TraceIx},
};
use std::ops::Range;

/// The method has no trace on this item.
pub const NOT_RUN: u8 = 255;

/// One method's answers, a code per row: an option's index, [`NO_ANSWER`] or [`NOT_RUN`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    pub method: MethodIdOrNone,
    pub codes: Vec<u8>,
    /// Tokens written per row; 0 is "not known". Empty where nobody asked.
    pub tokens: Vec<u32>,
    /// The trace behind each row, `u32::MAX` where there is none. Empty where there is no corpus.
    pub traces: Vec<u32>,
    /// The codes of every sample, where all of them count.
    pub repeats: Option<Repeats>,
}

/// A method's name; only tests leave it out.
pub type MethodIdOrNone = Option<MethodId>;

impl Answers {
    /// The name, or nothing.
    pub fn name(&self) -> &str {
        self.method.as_ref().map_or("", |m| m.0.as_str())
    }

    /// The answers that count in a row: one, or every sample's; none where the method did not run.
    pub fn samples(&self, row: usize) -> &[u8] {
        match (&self.repeats, self.codes.get(row)) {
            (Some(repeats), _) => repeats.row(row),
            (None, Some(code)) if *code != NOT_RUN => std::slice::from_ref(code),
            _ => &[],
        }
    }

    /// Share of a row's samples that give this answer; 0 where the method did not run.
    pub fn share(&self, row: usize, answer: u8) -> f64 {
        let samples = self.samples(row);
        let hits = samples.iter().filter(|code| **code == answer).count();
        hits as f64 / samples.len().max(1) as f64
    }

    /// The first trace behind a row.
    pub fn trace(&self, row: usize) -> Option<TraceIx> {
        self.traces.get(row).copied().filter(|ix| *ix != u32::MAX).map(TraceIx)
    }
}

/// Items of one data set with every method's answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Per row, the right option's index.
    pub gold: Vec<u8>,
    /// Cluster `c` is rows `starts[c]..starts[c + 1]`.
    pub starts: Vec<u32>,
    /// Per cluster, the commonest gold over *all* perspectives that the corpus has on it, filter or not.
    pub blind: Vec<u8>,
    /// Per row. Empty where there is no corpus behind.
    pub items: Vec<ItemIx>,
    pub perspectives: Vec<PerspectiveIx>,
    /// Per row; `u16::MAX` where the item states none.
    pub domains: Vec<u16>,
    pub methods: Vec<Answers>,
    /// Whether every item asks for Support, Oppose or Either.
    pub values: bool,
    /// Selected items without gold; they are in no row.
    pub without_gold: usize,
    /// Traces past the first of a method on an item.
    pub further_samples: usize,
    /// Which of them count.
    pub samples: Samples,
}

/// The selected items of one data set.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    pub name: String,
    pub columns: Columns,
}

impl Columns {
    /// Rows.
    pub fn len(&self) -> usize {
        self.gold.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.gold.is_empty()
    }

    /// How many situations or questions there are.
    pub fn cluster_count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The rows of each cluster.
    pub fn clusters(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.starts.windows(2).map(|w| w[0] as usize..w[1] as usize)
    }

    /// Columns from bare codes, for tests and benchmarks. `cluster` gives each row's situation, ascending.
    pub fn of_codes(gold: Vec<u8>, cluster: &[u32], methods: Vec<(&str, Vec<u8>)>) -> Columns {
        let mut starts: Vec<u32> = Vec::new();
        let mut last = None;
        for (row, c) in cluster.iter().enumerate() {
            if last.replace(*c) != Some(*c) {
                starts.push(row as u32);
            }
        }
        starts.push(cluster.len() as u32);
        let values = gold.iter().all(|g| *g < 3);
        let mut columns = Columns {
            values,
            starts,
            methods: methods
                .into_iter()
                .map(|(name, codes)| Answers {
                    method: Some(MethodId::from(name)),
                    codes,
                    ..Answers::default()
                })
                .collect(),
            gold,
            ..Columns::default()
        };
        columns.blind =
            columns.clusters().map(|rows| commonest(columns.gold[rows].iter().copied())).collect();
        columns
    }

    /// The columns of `items` that belong to `dataset`.
    pub fn of(corpus: &Corpus, items: &[ItemIx], dataset: DatasetIx, samples: Samples) -> Columns {
        let mut rows: Vec<(TextIx, ItemIx)> = Vec::new();
        let mut columns = Columns { values: true, samples, ..Columns::default() };
        for ix in items {
            let Some(item) = corpus.item(*ix) else { continue };
            let (Some(text), true) = (item.text(), item.dataset() == Some(dataset)) else { continue };
            if item.gold().is_some() {
                rows.push((text, *ix));
            } else {
                columns.without_gold += 1;
            }
        }
        rows.sort_unstable();
        rows.dedup();
        columns.methods = corpus
            .methods()
            .iter()
            .map(|method| Answers {
                method: Some(method.clone()),
                codes: vec![NOT_RUN; rows.len()],
                tokens: vec![0; rows.len()],
                traces: vec![u32::MAX; rows.len()],
                repeats: (samples == Samples::Mean).then(Repeats::default),
            })
            .collect();
        let mut last = None;
        for (row, (text, ix)) in rows.iter().enumerate() {
            let Some(item) = corpus.item(*ix) else { continue };
            columns.gold.push(item.gold().map_or(0, |g| g.index() as u8));
            columns.items.push(*ix);
            let perspective = item.perspective().unwrap_or_default();
            columns.perspectives.push(perspective);
            columns.domains.push(item.domain().map_or(u16::MAX, |d| d.0));
            columns.values &= item.options() == 3
                && corpus.perspective(perspective).is_some_and(|p| p.kind != Kind::Demographic);
            if last.replace(*text) != Some(*text) {
                columns.starts.push(row as u32);
                let golds = corpus
                    .items_of_text(*text)
                    .iter()
                    .filter_map(|ix| corpus.item(*ix).and_then(ItemEntry::gold))
                    .map(|g| g.index() as u8);
                columns.blind.push(commonest(golds));
            }
            let mut firsts = 0;
            for (method, trace) in corpus.firsts(*ix) {
                firsts += 1;
                let (Some(answers), Some(entry)) =
                    (columns.methods.get_mut(usize::from(method.0)), corpus.trace(trace))
                else {
                    continue;
                };
                answers.codes[row] = entry.answer().map_or(NO_ANSWER, |l| l.index() as u8);
                answers.tokens[row] = entry.tokens().unwrap_or(0);
                answers.traces[row] = trace.0;
            }
            columns.further_samples += corpus.traces(*ix).len().saturating_sub(firsts);
            if samples != Samples::First {
                columns.count_all(corpus, *ix, row);
            }
        }
        columns.starts.push(rows.len() as u32);
        // Methods that never ran on this data set say nothing about it.
        columns.methods.retain(|m| m.codes.iter().any(|c| *c != NOT_RUN));
        columns
    }

    /// Takes every sample of an item into account.
    fn count_all(&mut self, corpus: &Corpus, item: ItemIx, row: usize) {
        let samples = self.samples;
        for (at, answers) in self.methods.iter_mut().enumerate() {
            let entries = corpus.samples(item, MethodIx(at as u16)).filter_map(|ix| corpus.trace(ix));
            let codes: Vec<u8> = entries.map(|e| e.answer().map_or(NO_ANSWER, |l| l.index() as u8)).collect();
            if let Some(repeats) = &mut answers.repeats {
                repeats.push(&codes);
            } else if samples == Samples::Majority && !codes.is_empty() {
                answers.codes[row] = majority(&codes);
            }
        }
    }
}

/// One [`DataSet`] per data set of the selection that has a row or an item without gold, in file order.
pub fn data_sets(corpus: &Corpus, items: &[ItemIx], samples: Samples) -> Vec<DataSet> {
    let mut seen = vec![false; corpus.datasets().len()];
    for dataset in items.iter().filter_map(|ix| corpus.item(*ix)?.dataset()) {
        if let Some(slot) = seen.get_mut(usize::from(dataset.0)) {
            *slot = true;
        }
    }
    corpus
        .datasets()
        .iter()
        .enumerate()
        .filter(|(at, _)| seen[*at])
        .map(|(at, name)| DataSet {
            name: name.to_string(),
            columns: Columns::of(corpus, items, DatasetIx(at as u16), samples),
        })
        .collect()
}

/// The commonest code; the first letter wins a tie, and `A` where there is none.
pub fn commonest(codes: impl Iterator<Item = u8>) -> u8 {
    let mut counts = [0u32; 26];
    for code in codes {
        if let Some(slot) = counts.get_mut(usize::from(code)) {
            *slot += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|n| *n == most).unwrap_or(0) as u8
}

/// The letter of a code, where it is one.
pub fn letter(code: u8) -> Option<Letter> {
    Letter::from_index(usize::from(code))
}

#[cfg(test)]
mod tests;
