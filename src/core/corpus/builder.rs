//! Builds a [`Corpus`] step by step; parts built apart are appended in order and give the same whole.

use super::{
    Base, Corpus, ItemEntry, ItemIx, Loc, MethodIx, Overlay, Rows, Tables, TextEntry, TraceEntry,
    disagreement,
};
use crate::core::{Item, ItemId, Letter, MethodId, Perspective, Trace};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, OnceLock},
};

/// Titles longer than this are cut, at a character boundary.
const TITLE_BYTES: usize = 400;

/// What the index keeps of an item.
#[derive(Clone, Copy, Debug)]
pub struct ItemFacts<'a> {
    pub id: ItemId,
    pub dataset: &'a str,
    pub perspective: &'a Perspective,
    pub text: &'a str,
    pub options: usize,
    /// [`options_key`] of the options: the same question with other options is another question.
    pub options_key: u64,
    pub gold: Option<Letter>,
    pub split: Option<&'a str>,
    /// The field of life it belongs to, where the line states one.
    pub domain: Option<&'a str>,
}

/// A hash of option texts, in order, white space ignored.
pub fn options_key<'a>(options: impl IntoIterator<Item = &'a str>) -> u64 {
    options.into_iter().fold(0, |key, option| {
        let words = option.split_whitespace().fold(key, |key, word| fnv(word.as_bytes(), key));
        fnv(b"\n", words)
    })
}

impl<'a> From<&'a Item> for ItemFacts<'a> {
    fn from(item: &'a Item) -> Self {
        ItemFacts {
            id: item.id,
            dataset: &item.dataset,
            perspective: &item.perspective,
            text: &item.text,
            options: item.options.len(),
            options_key: options_key(item.options.iter().map(|c| c.text.as_str())),
            gold: item.gold,
            split: item.split.as_deref(),
            domain: item.domain(),
        }
    }
}

/// What the index keeps of a trace; of seed and rationale only a fingerprint.
#[derive(Clone, Copy, Debug)]
pub struct TraceFacts<'a> {
    pub item: ItemId,
    pub method: &'a str,
    pub sample: u32,
    pub seed: Option<u64>,
    pub cot: &'a str,
    pub answer: Option<Letter>,
    /// What the line itself says, used where gold is not known.
    pub correct: Option<bool>,
    /// Tokens written; 0 is "not known".
    pub tokens: u32,
}

impl<'a> From<&'a Trace> for TraceFacts<'a> {
    fn from(trace: &'a Trace) -> Self {
        TraceFacts {
            item: trace.item_id,
            method: &trace.method.0,
            sample: trace.sample,
            seed: trace.seed,
            cot: &trace.cot,
            answer: trace.predicted_answer,
            correct: trace.correct,
            tokens: trace.tokens.len() as u32,
        }
    }
}

/// Which kind of line an item was read from. An item line beats a trace line; else the first wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    TraceLine = 1,
    ItemLine = 2,
}

/// Ids are hashes already: their low bits are as good as any.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = fnv(bytes, self.0);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// A corpus in the making.
#[derive(Default)]
pub struct CorpusBuilder {
    tables: Tables,
    items: Vec<ItemEntry>,
    traces: Vec<TraceEntry>,
    item_ix: IdMap<u128, u32>,
    text_ix: IdMap<u64, u32>,
    perspective_ix: HashMap<String, u32>,
}

impl CorpusBuilder {
    /// Names the files that [`Loc::file`] counts.
    pub fn set_files(&mut self, files: Vec<Arc<str>>) {
        self.tables.files = files;
    }

    /// How many items and traces there are so far.
    pub fn len(&self) -> (usize, usize) {
        (self.items.len(), self.traces.len())
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// Adds an item, or completes one that was known less well.
    pub fn add_item(&mut self, facts: &ItemFacts<'_>, loc: Loc, origin: Origin) -> ItemIx {
        let ix = self.slot(facts.id);
        let rank = origin as u8;
        self.items[ix.0 as usize].offer_gold(facts.gold, rank);
        let old = self.items[ix.0 as usize];
        if old.rank >= rank {
            return ix;
        }
        let perspective = self.perspective(facts.perspective);
        let dataset = intern(&mut self.tables.datasets, facts.dataset);
        let hash = fnv(facts.text.as_bytes(), fnv(facts.dataset.as_bytes(), facts.options_key));
        let text = self.text(hash, facts.text);
        let domain = facts.domain.map(|name| intern(&mut self.tables.domains, name));
        let split = facts.split.map(|name| intern(&mut self.tables.splits, name));
        self.items[ix.0 as usize] = ItemEntry {
            id: facts.id,
            loc,
            perspective,
            text,
            disagreement: 0.0,
            dataset: dataset.min(usize::from(u16::MAX - 1)) as u16,
            domain: domain.map_or(u16::MAX, |ix| ix.min(usize::from(u16::MAX - 1)) as u16),
            gold: old.gold,
            gold_rank: old.gold_rank,
            gold_conflict: old.gold_conflict,
            options: facts.options.min(26) as u8,
            split: split.map_or(u8::MAX, |ix| ix.min(254) as u8),
            rank,
        };
        ix
    }

    /// Adds a trace; its item may come later, or never.
    pub fn add_trace(&mut self, facts: &TraceFacts<'_>, loc: Loc) {
        let item = self.slot(facts.item);
        let method = self.method(facts.method);
        self.traces.push(TraceEntry::new(item, method, facts, loc));
    }

    /// Adds all of `other` after what is here.
    pub fn append(&mut self, other: CorpusBuilder) {
        if self.is_empty() {
            let files = std::mem::take(&mut self.tables.files);
            *self = other;
            if !files.is_empty() {
                self.tables.files = files;
            }
            return;
        }
        let methods: Vec<MethodIx> = other.tables.methods.iter().map(|m| self.method(&m.0)).collect();
        let datasets: Vec<usize> =
            other.tables.datasets.iter().map(|d| intern(&mut self.tables.datasets, d)).collect();
        let splits: Vec<usize> =
            other.tables.splits.iter().map(|s| intern(&mut self.tables.splits, s)).collect();
        let domains: Vec<usize> =
            other.tables.domains.iter().map(|d| intern(&mut self.tables.domains, d)).collect();
        let perspectives: Vec<u32> = other.tables.perspectives.iter().map(|p| self.perspective(p)).collect();
        let texts: Vec<u32> = other
            .tables
            .texts
            .iter()
            .map(|t| {
                let title = other.tables.titles.get(t.start as usize..(t.start + t.len) as usize);
                self.text(t.hash, title.unwrap_or(""))
            })
            .collect();
        let items: Vec<ItemIx> = other
            .items
            .into_iter()
            .map(|item| {
                let ix = self.slot(item.id);
                let old = &mut self.items[ix.0 as usize];
                old.offer_gold(item.gold(), item.gold_rank);
                old.gold_conflict |= item.gold_conflict;
                if old.rank < item.rank {
                    *old = ItemEntry {
                        perspective: map(&perspectives, item.perspective),
                        text: map(&texts, item.text),
                        dataset: datasets.get(usize::from(item.dataset)).map_or(u16::MAX, |d| *d as u16),
                        domain: domains.get(usize::from(item.domain)).map_or(u16::MAX, |d| *d as u16),
                        split: splits.get(usize::from(item.split)).map_or(u8::MAX, |s| *s as u8),
                        gold: old.gold,
                        gold_rank: old.gold_rank,
                        gold_conflict: old.gold_conflict,
                        ..item
                    };
                }
                ix
            })
            .collect();
        self.traces.extend(other.traces.into_iter().map(|trace| TraceEntry {
            item: items.get(trace.item.0 as usize).copied().unwrap_or_default(),
            method: methods.get(usize::from(trace.method.0)).copied().unwrap_or_default(),
            ..trace
        }));
    }

    /// The corpus so far; building goes on.
    pub fn snapshot(&self) -> Corpus {
        finish(self.tables.clone(), self.items.clone(), &self.traces)
    }

    /// The corpus.
    pub fn finish(self) -> Corpus {
        let CorpusBuilder { tables, items, traces, item_ix, text_ix, .. } = self;
        drop((item_ix, text_ix));
        finish(tables, items, &traces)
    }

    fn slot(&mut self, id: ItemId) -> ItemIx {
        let next = self.items.len() as u32;
        let ix = *self.item_ix.entry(id.0).or_insert(next);
        if ix == next {
            self.items.push(ItemEntry::unknown(id));
        }
        ItemIx(ix)
    }

    fn method(&mut self, id: &str) -> MethodIx {
        let methods = &mut self.tables.methods;
        let ix = methods.iter().position(|m| m.0 == id).unwrap_or_else(|| {
            methods.push(MethodId::from(id));
            methods.len() - 1
        });
        MethodIx(ix.min(usize::from(u16::MAX)) as u16)
    }

    fn perspective(&mut self, perspective: &Perspective) -> u32 {
        let key = perspective.key();
        if let Some(ix) = self.perspective_ix.get(&key) {
            return *ix;
        }
        let ix = self.tables.perspectives.len() as u32;
        self.tables.perspectives.push(Arc::new(perspective.clone()));
        self.perspective_ix.insert(key, ix);
        ix
    }

    fn text(&mut self, hash: u64, text: &str) -> u32 {
        let next = self.tables.texts.len() as u32;
        let ix = *self.text_ix.entry(hash).or_insert(next);
        if ix == next {
            let cut = (0..=TITLE_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            let title = &text[..cut.unwrap_or(0)];
            let start = self.tables.titles.len() as u32;
            self.tables.titles.push_str(title);
            self.tables.titles.push('\n');
            self.tables.texts.push(TextEntry { hash, start, len: title.len() as u32 });
        }
        ix
    }
}

/// Goes on from a finished corpus, its live traces included.
impl From<&Corpus> for CorpusBuilder {
    fn from(corpus: &Corpus) -> Self {
        let base = &corpus.base;
        let mut tables = base.tables.clone();
        tables.methods.clone_from(&corpus.methods);
        CorpusBuilder {
            item_ix: base.items.iter().enumerate().map(|(i, item)| (item.id.0, i as u32)).collect(),
            text_ix: tables.texts.iter().enumerate().map(|(i, t)| (t.hash, i as u32)).collect(),
            perspective_ix: tables
                .perspectives
                .iter()
                .enumerate()
                .map(|(i, p)| (p.key(), i as u32))
                .collect(),
            items: base.items.clone(),
            traces: base.traces.iter().chain(&corpus.overlay.traces).copied().collect(),
            tables,
        }
    }
}

/// Sorts the traces under their items and judges them: linear in both.
fn finish(tables: Tables, mut items: Vec<ItemEntry>, added: &[TraceEntry]) -> Corpus {
    let mut starts = vec![0u32; items.len() + 1];
    for trace in added {
        starts[trace.item.0 as usize + 1] += 1;
    }
    for item in 0..items.len() {
        starts[item + 1] += starts[item];
    }
    let mut next = starts.clone();
    let blank = TraceEntry::new(ItemIx(0), MethodIx(0), &NO_FACTS, Loc::default());
    let mut traces = vec![blank; added.len()];
    for trace in added {
        let at = &mut next[trace.item.0 as usize];
        traces[*at as usize] = *trace;
        *at += 1;
    }
    drop(next);
    for (ix, item) in items.iter_mut().enumerate() {
        let group = &mut traces[starts[ix] as usize..starts[ix + 1] as usize];
        group.sort_by_key(|t| (t.method(), t.sample()));
        let mut last = None;
        for trace in group.iter_mut() {
            trace.judge(item);
            trace.set_repeated(
                last.replace((trace.method(), trace.sample())) == Some((trace.method(), trace.sample())),
            );
        }
        let mut method = None;
        item.disagreement = disagreement(
            group
                .iter()
                .filter(|t| method.replace(t.method()) != Some(t.method()))
                .filter_map(TraceEntry::answer),
        );
    }
    let mut by_id: Vec<ItemIx> = (0..items.len() as u32).map(ItemIx).collect();
    by_id.sort_unstable_by_key(|ix| items[ix.0 as usize].id);
    let perspective_items =
        Rows::group(tables.perspectives.len(), items.iter().map(|i| i.perspective().map(|p| p.0 as usize)));
    let text_items = Rows::group(tables.texts.len(), items.iter().map(|i| i.text().map(|t| t.0 as usize)));
    Corpus {
        marks: Arc::default(),
        methods: Arc::new(tables.methods.clone()),
        base: Arc::new(Base {
            tables,
            items,
            traces,
            trace_starts: starts,
            perspective_items,
            text_items,
            by_id,
            text_ranks: OnceLock::new(),
        }),
        overlay: Arc::new(Overlay::default()),
    }
}

const NO_FACTS: TraceFacts<'static> = TraceFacts {
    item: ItemId(0),
    method: "",
    sample: 0,
    seed: None,
    cot: "",
    answer: None,
    correct: None,
    tokens: 0,
};

fn map(to: &[u32], ix: u32) -> u32 {
    to.get(ix as usize).copied().unwrap_or(u32::MAX)
}

fn intern(names: &mut Vec<Arc<str>>, name: &str) -> usize {
    names.iter().position(|n| **n == *name).unwrap_or_else(|| {
        names.push(Arc::from(name));
        names.len() - 1
    })
}

/// FNV-1a, 64 bits, going on from `seed`.
fn fnv(bytes: &[u8], seed: u64) -> u64 {
    bytes.iter().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
