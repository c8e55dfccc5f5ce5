//! The corpus: an immutable in-memory index of items and traces, without their long texts.
//!
//! A [`Corpus`] says what exists and how it compares: perspectives, items, methods, answers, outcomes.
//! Rationales stay in their files; each entry knows where ([`Loc`]). One million traces take about
//! 100 MB. Sharing is an `Arc`; nothing here reads a file.

mod base;
mod builder;
mod entry;
mod marks;
mod report;

pub use builder::{CorpusBuilder, ItemFacts, Origin, TraceFacts, options_key};
pub use entry::{
    DatasetIx, DomainIx, ItemEntry, ItemIx, Loc, MethodIx, Outcome, PerspectiveIx, TextIx, TraceEntry,
    TraceIx,
};
pub use marks::{CheckState, CheckTest, Marks};
pub use report::{BadLine, LoadProgress};

use base::{Base, Rows, Tables, TextEntry};

use super::{Item, ItemId, Letter, MethodId, Perspective, Trace};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, ops::Range, sync::Arc};

/// Live traces are laid over the index until there are this many; then the index is rebuilt with them.
const OVERLAY_LIMIT: usize = 2000;

/// Items, traces and how they hang together. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    base: Arc<Base>,
    methods: Arc<Vec<MethodId>>,
    overlay: Arc<Overlay>,
    marks: Arc<Marks>,
}

/// Traces added after the index was built.
#[derive(Clone, Debug, Default)]
struct Overlay {
    traces: Vec<TraceEntry>,
    /// For each item they touch: all its traces, sorted as in the base.
    lists: HashMap<ItemIx, Vec<TraceIx>>,
}

impl Corpus {
    /// A corpus of whole items and traces, for tests and small sets; locations count up from zero.
    pub fn of<'a>(
        items: impl IntoIterator<Item = &'a Item>,
        traces: impl IntoIterator<Item = &'a Trace>,
    ) -> Corpus {
        let mut builder = CorpusBuilder::default();
        let mut at = 0;
        let mut next = || {
            at += 1;
            Loc { file: 0, offset: at - 1, len: 1 }
        };
        for item in items {
            builder.add_item(&ItemFacts::from(item), next(), Origin::ItemLine);
        }
        for trace in traces {
            builder.add_trace(&TraceFacts::from(trace), next());
        }
        builder.finish()
    }

    /// The same corpus with what checks found, for queries.
    #[must_use]
    pub fn with_marks(&self, marks: Arc<Marks>) -> Corpus {
        Corpus { marks, ..self.clone() }
    }

    /// What checks found; empty unless [`Corpus::with_marks`] gave it.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Names of the files that [`Loc::file`] counts.
    pub fn files(&self) -> &[Arc<str>] {
        &self.base.tables.files
    }

    /// All perspectives, in file order.
    pub fn perspectives(&self) -> &[Arc<Perspective>] {
        &self.base.tables.perspectives
    }

    /// The perspective at `ix`; `None` for an index of another corpus.
    pub fn perspective(&self, ix: PerspectiveIx) -> Option<&Arc<Perspective>> {
        self.base.tables.perspectives.get(ix.0 as usize)
    }

    /// All methods that have a trace, in file order.
    pub fn methods(&self) -> &[MethodId] {
        &self.methods
    }

    /// The index of a method, where it has a trace.
    pub fn method_ix(&self, id: &str) -> Option<MethodIx> {
        self.methods.iter().position(|m| m.0 == id).map(|i| MethodIx(i as u16))
    }

    /// All data sets, in file order.
    pub fn datasets(&self) -> &[Arc<str>] {
        &self.base.tables.datasets
    }

    /// The domains that items state, in file order.
    pub fn domains(&self) -> &[Arc<str>] {
        &self.base.tables.domains
    }

    /// The split names that occur.
    pub fn splits(&self) -> &[Arc<str>] {
        &self.base.tables.splits
    }

    /// How many items there are, those known only by a trace's `item_id` included.
    pub fn item_count(&self) -> usize {
        self.base.items.len()
    }

    /// How many traces there are, repeats and live ones included.
    pub fn trace_count(&self) -> usize {
        self.base.traces.len() + self.overlay.traces.len()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.item_count() == 0
    }

    /// All item indices, in file order.
    pub fn items(&self) -> impl ExactSizeIterator<Item = ItemIx> + use<> {
        (0..self.base.items.len() as u32).map(ItemIx)
    }

    /// The item at `ix`; `None` for an index of another corpus.
    pub fn item(&self, ix: ItemIx) -> Option<&ItemEntry> {
        self.base.items.get(ix.0 as usize)
    }

    /// The trace at `ix`; `None` for an index of another corpus.
    pub fn trace(&self, ix: TraceIx) -> Option<&TraceEntry> {
        let ix = ix.0 as usize;
        let base = self.base.traces.len();
        self.base.traces.get(ix).or_else(|| self.overlay.traces.get(ix.checked_sub(base)?))
    }

    /// The item with this id.
    pub fn find(&self, id: ItemId) -> Option<ItemIx> {
        let order = &self.base.by_id;
        let id_of = |ix: &ItemIx| self.base.items.get(ix.0 as usize).map(|item| item.id);
        order.binary_search_by(|ix| id_of(ix).cmp(&Some(id))).ok().and_then(|at| order.get(at)).copied()
    }

    /// The beginning of a situation or question (at most 400 bytes); empty where the item is unknown.
    pub fn title(&self, item: ItemIx) -> &str {
        self.item(item).and_then(ItemEntry::text).map_or("", |text| self.text_title(text))
    }

    /// As [`Corpus::title`], of the text group.
    pub fn text_title(&self, text: TextIx) -> &str {
        let tables = &self.base.tables;
        tables
            .texts
            .get(text.0 as usize)
            .and_then(|t| tables.titles.get(t.start as usize..(t.start + t.len) as usize))
            .unwrap_or("")
    }

    /// How many different situations and questions there are.
    pub fn text_count(&self) -> usize {
        self.base.tables.texts.len()
    }

    /// The data set's name of an item; empty where the item is unknown.
    pub fn dataset(&self, item: ItemIx) -> &str {
        self.item(item)
            .and_then(ItemEntry::dataset)
            .and_then(|ix| self.base.tables.datasets.get(usize::from(ix.0)))
            .map_or("", |name| name)
    }

    /// The split of an item, where the corpus is split.
    pub fn split(&self, item: ItemIx) -> Option<&str> {
        let split = self.item(item)?.split_ix()?;
        self.base.tables.splits.get(split).map(|name| &**name)
    }

    /// All traces of an item, by method, then sample, then file order.
    pub fn traces(&self, item: ItemIx) -> Traces<'_> {
        if let Some(list) = self.overlay.lists.get(&item) {
            return Traces::List(list.iter());
        }
        Traces::Run(self.base_range(item))
    }

    fn base_range(&self, item: ItemIx) -> Range<u32> {
        let starts = &self.base.trace_starts;
        match (starts.get(item.0 as usize), starts.get(item.0 as usize + 1)) {
            (Some(&from), Some(&to)) => from..to,
            _ => 0..0,
        }
    }

    /// All samples of one method on one item, repeats included.
    pub fn samples(&self, item: ItemIx, method: MethodIx) -> impl Iterator<Item = TraceIx> + '_ {
        self.traces(item).filter(move |ix| self.trace(*ix).is_some_and(|t| t.method() == method))
    }

    /// The first sample of a method on an item: what a column shows.
    pub fn first(&self, item: ItemIx, method: MethodIx) -> Option<TraceIx> {
        self.samples(item, method).next()
    }

    /// The outcome of the first sample; `NotRun` where there is none. Whether a method applies at all is
    /// for [`super::Method::applies`] to say.
    pub fn outcome(&self, item: ItemIx, method: MethodIx) -> Outcome {
        self.first(item, method).and_then(|ix| self.trace(ix)).map_or(Outcome::NotRun, TraceEntry::outcome)
    }

    /// The first sample of every method that was run on an item, with its method.
    pub fn firsts(&self, item: ItemIx) -> impl Iterator<Item = (MethodIx, TraceIx)> + '_ {
        let mut last = None;
        self.traces(item).filter_map(move |ix| {
            let method = self.trace(ix)?.method();
            (last.replace(method) != Some(method)).then_some((method, ix))
        })
    }

    /// Items of a perspective, in file order.
    pub fn items_of(&self, perspective: PerspectiveIx) -> &[ItemIx] {
        self.base.perspective_items.get(perspective.0 as usize)
    }

    /// Items that share a situation or question, over all perspectives: what a perspective swap walks.
    pub fn items_of_text(&self, text: TextIx) -> &[ItemIx] {
        self.base.text_items.get(text.0 as usize)
    }

    /// Whether two methods answered this item with different letters.
    pub fn flips(&self, item: ItemIx) -> bool {
        self.disagreement(item) > 0.0
    }

    /// Share of method pairs that answered differently, 0 to 1, over the first samples that have an
    /// answer; 0 where fewer than two methods answered.
    pub fn disagreement(&self, item: ItemIx) -> f32 {
        if self.overlay.lists.contains_key(&item) {
            let firsts = self.firsts(item).filter_map(|(_, ix)| self.trace(ix)?.answer());
            return disagreement(firsts);
        }
        self.item(item).map_or(0.0, |entry| entry.disagreement)
    }

    /// Mean disagreement over a perspective's items.
    pub fn perspective_disagreement(&self, perspective: PerspectiveIx) -> f32 {
        let items = self.items_of(perspective);
        let sum: f32 = items.iter().map(|item| self.disagreement(*item)).sum();
        sum / (items.len().max(1) as f32)
    }

    /// Items known only by the `item_id` of a trace.
    pub fn unknown_items(&self) -> impl Iterator<Item = ItemIx> + '_ {
        self.items().filter(|ix| self.item(*ix).is_some_and(|item| !item.known()))
    }

    /// Items for which two lines state different golds; the first of the better lines counts.
    pub fn gold_conflicts(&self) -> impl Iterator<Item = ItemIx> + '_ {
        self.items().filter(|ix| self.item(*ix).is_some_and(ItemEntry::gold_conflict))
    }

    /// How many traces repeat an earlier one's item, method and sample number.
    pub fn repeat_count(&self) -> usize {
        self.base.traces.iter().chain(&self.overlay.traces).filter(|t| t.repeated()).count()
    }

    /// Ranks of the text groups by title, ignoring case; computed at the first call.
    pub(super) fn text_ranks(&self) -> &[u32] {
        self.base.text_ranks.get_or_init(|| {
            let count = self.base.tables.texts.len() as u32;
            let lower: Vec<String> = (0..count).map(|i| self.text_title(TextIx(i)).to_lowercase()).collect();
            let mut order: Vec<u32> = (0..count).collect();
            order.sort_unstable_by(|a, b| lower[*a as usize].cmp(&lower[*b as usize]).then(a.cmp(b)));
            let mut ranks = vec![0; count as usize];
            for (rank, text) in order.iter().enumerate() {
                ranks[*text as usize] = rank as u32;
            }
            ranks
        })
    }

    /// The title arena and where each title starts: one search runs over all of it.
    pub(super) fn titles(&self) -> (&str, impl Fn(usize) -> Option<TextIx> + '_) {
        let tables = &self.base.tables;
        let at = |offset: usize| {
            let after = tables.texts.partition_point(|t| t.start as usize <= offset);
            after.checked_sub(1).map(|ix| TextIx(ix as u32))
        };
        (&tables.titles, at)
    }

    /// This corpus and more traces, as when kept generations come back at the start: one rebuild at most.
    pub fn with_traces(&self, rows: &[(Arc<Item>, Arc<Trace>, Loc)]) -> Corpus {
        if let [(item, trace, loc)] = rows {
            return self.with_trace(item, trace, *loc);
        }
        if rows.is_empty() {
            return self.clone();
        }
        let mut builder = CorpusBuilder::from(self);
        for (item, trace, loc) in rows {
            builder.add_item(&ItemFacts::from(&**item), *loc, Origin::TraceLine);
            builder.add_trace(&TraceFacts::from(&**trace), *loc);
        }
        builder.finish()
    }

    /// This corpus and one more trace, as after a live generation. Cheap while the item is known; a new
    /// item rebuilds the index (about 0.2 µs per trace).
    pub fn with_trace(&self, item: &Item, trace: &Trace, loc: Loc) -> Corpus {
        let known = self.find(item.id).filter(|ix| self.item(*ix).is_some_and(ItemEntry::known));
        let Some(ix) = known.filter(|_| self.overlay.traces.len() < OVERLAY_LIMIT) else {
            let mut builder = CorpusBuilder::from(self);
            builder.add_item(&ItemFacts::from(item), loc, Origin::TraceLine);
            builder.add_trace(&TraceFacts::from(trace), loc);
            return builder.finish();
        };
        let mut methods = Arc::clone(&self.methods);
        let method = self.method_ix(&trace.method.0).unwrap_or_else(|| {
            Arc::make_mut(&mut methods).push(trace.method.clone());
            MethodIx((methods.len() - 1) as u16)
        });
        let mut entry = TraceEntry::new(ix, method, &TraceFacts::from(trace), loc);
        if let Some(item) = self.item(ix) {
            entry.judge(item);
        }
        let mut list: Vec<TraceIx> = self.traces(ix).collect();
        let key = |t: &TraceEntry| (t.method(), t.sample());
        entry
            .set_repeated(list.iter().any(|other| self.trace(*other).is_some_and(|t| key(t) == key(&entry))));
        let at = list.partition_point(|other| self.trace(*other).is_some_and(|t| key(t) <= key(&entry)));
        list.insert(at, TraceIx(self.trace_count() as u32));
        let mut overlay = Overlay::clone(&self.overlay);
        overlay.traces.push(entry);
        overlay.lists.insert(ix, list);
        Corpus {
            base: Arc::clone(&self.base),
            methods,
            overlay: Arc::new(overlay),
            marks: Arc::clone(&self.marks),
        }
    }
}

/// Share of pairs that differ.
fn disagreement(letters: impl Iterator<Item = Letter>) -> f32 {
    let mut counts = [0u32; 26];
    let mut total = 0u32;
    for letter in letters {
        counts[letter.index()] += 1;
        total += 1;
    }
    let pairs = |n: u32| n * n.saturating_sub(1) / 2;
    match pairs(total) {
        0 => 0.0,
        all => 1.0 - counts.iter().map(|n| pairs(*n)).sum::<u32>() as f32 / all as f32,
    }
}

/// The traces of one item.
#[derive(Clone, Debug)]
pub enum Traces<'a> {
    /// All of them lie side by side in the index.
    Run(Range<u32>),
    /// Some were added later.
    List(std::slice::Iter<'a, TraceIx>),
}

impl Iterator for Traces<'_> {
    type Item = TraceIx;
    fn next(&mut self) -> Option<TraceIx> {
        match self {
            Traces::Run(range) => range.next().map(TraceIx),
            Traces::List(list) => list.next().copied(),
        }
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Traces::Run(range) => range.size_hint(),
            Traces::List(list) => list.size_hint(),
        }
    }
}

impl ExactSizeIterator for Traces<'_> {}

/// The index alone, for a saved file; live traces are folded in.
impl Serialize for Corpus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.overlay.traces.is_empty() {
            self.base.serialize(serializer)
        } else {
            CorpusBuilder::from(self).finish().base.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Corpus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let base = Base::deserialize(deserializer)?;
        if !base.sound() {
            return Err(serde::de::Error::custom("the index points outside of itself"));
        }
        Ok(Corpus {
            methods: Arc::new(base.tables.methods.clone()),
            base: Arc::new(base),
            ..Corpus::default()
        })
    }
}

#[cfg(test)]
mod tests;
