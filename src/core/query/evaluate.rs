//! Runs a query over a corpus: one pass over the items, traces side by side in memory.

use super::{MethodName, OutcomeTest, Place, Query, Test};
use crate::core::{
    Corpus, ItemIx, Kind, Letter, MethodIx, Outcome, PerspectiveIx, TraceIx,
    check::CheckId,
    corpus::{CheckTest, ItemEntry},
};
use std::{
    borrow::Cow,
    cmp::{Ordering, Reverse},
    sync::atomic::{AtomicBool, Ordering as Memory},
};

/// How often a long evaluation looks whether it is still wanted.
const CANCEL_STRIDE: usize = 1024;

/// Gives the rationale of a trace, or `None` where it cannot be read. Only asked for `in:rationale`.
pub type RationaleOf<'a> = dyn Fn(TraceIx) -> Option<Cow<'a, str>> + 'a;

/// How the items of a selection are ordered. Ties keep file order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ItemOrder {
    #[default]
    File,
    /// Most disagreement first.
    Disagreement,
    /// By situation or question, ignoring case.
    Name,
    /// A, B, C…; not known last.
    Gold,
}

/// How perspectives are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PerspectiveOrder {
    /// Most selected items first.
    #[default]
    Count,
    Name,
    /// Highest mean disagreement of the selected items first.
    Disagreement,
}

/// Both orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    pub items: ItemOrder,
    pub perspectives: PerspectiveOrder,
}

/// What a query selects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    pub items: Vec<ItemIx>,
    /// Perspectives with at least one selected item.
    pub perspectives: Vec<PerspectiveCount>,
    /// Selected items per kind, in the order of [`Kind::ALL`].
    pub kinds: [usize; 4],
    /// Selected items per demographic attribute, by name.
    pub attributes: Vec<(String, usize)>,
    /// Selected items that are known only by id, and so have no perspective.
    pub unknown: usize,
    /// Selected traces, all samples counted.
    pub traces: usize,
}

/// A perspective's share of a selection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerspectiveCount {
    pub perspective: PerspectiveIx,
    pub items: usize,
    /// Selected items on which methods answer differently.
    pub flips: usize,
    /// Mean disagreement of the selected items, 0 to 1.
    pub disagreement: f32,
}

/// Evaluates `query`; `None` when `cancel` was set meanwhile.
pub fn evaluate(
    corpus: &Corpus,
    query: &Query,
    order: Order,
    rationale: &RationaleOf<'_>,
    cancel: &AtomicBool,
) -> Option<Selection> {
    let plan = Plan::new(corpus, query);
    let mut items = Vec::new();
    for (at, ix) in corpus.items().enumerate() {
        // Reading rationales is slow: look at every item then.
        if (at % CANCEL_STRIDE == 0 || plan.slow()) && cancel.load(Memory::Relaxed) {
            return None;
        }
        if plan.holds(ix, rationale) {
            items.push(ix);
        }
    }
    let mut selection = count(corpus, items);
    sort_items(corpus, &mut selection.items, order.items);
    sort_perspectives(corpus, &mut selection.perspectives, order.perspectives);
    Some(selection)
}

/// The query with its names looked up once: per-perspective and per-text answers are tables.
struct Plan<'a> {
    corpus: &'a Corpus,
    /// Cheap tests first, rationales last.
    tests: Vec<(bool, Step)>,
}

enum Step {
    Nothing,
    Outcome(Option<MethodIx>, OutcomeTest),
    Answer(Option<MethodIx>, Letter),
    Check(Option<MethodIx>, CheckId, CheckTest),
    Gold(Option<Letter>),
    /// Per perspective.
    Perspectives(Vec<bool>),
    /// Per text group.
    Texts(Vec<bool>),
    Dataset(Option<u16>),
    Domain(Option<u16>),
    Split(String),
    Flips,
    Agrees,
    Samples(super::Comparison, u32),
    Unknown,
    Repeats,
    Rationale(Option<regex::Regex>),
}

impl<'a> Plan<'a> {
    fn new(corpus: &'a Corpus, query: &Query) -> Plan<'a> {
        let mut tests: Vec<_> =
            query.terms.iter().map(|term| (term.negated, step(corpus, &term.test))).collect();
        tests.sort_by_key(|(_, step)| match step {
            Step::Rationale(_) => 2,
            Step::Outcome(..)
            | Step::Answer(..)
            | Step::Check(..)
            | Step::Samples(..)
            | Step::Repeats
            | Step::Agrees => 1,
            _ => 0,
        });
        Plan { corpus, tests }
    }

    fn slow(&self) -> bool {
        self.tests.iter().any(|(_, step)| matches!(step, Step::Rationale(_)))
    }

    fn holds(&self, ix: ItemIx, rationale: &RationaleOf<'_>) -> bool {
        let Some(item) = self.corpus.item(ix) else { return false };
        self.tests.iter().all(|(negated, step)| self.test(ix, item, step, rationale) != *negated)
    }

    fn test(&self, ix: ItemIx, item: &ItemEntry, step: &Step, rationale: &RationaleOf<'_>) -> bool {
        let corpus = self.corpus;
        match step {
            Step::Nothing => false,
            Step::Outcome(Some(method), wanted) => outcome_is(corpus.outcome(ix, *method), *wanted),
            Step::Outcome(None, OutcomeTest::Is(Outcome::NotRun)) => {
                corpus.firsts(ix).count() < corpus.methods().len()
            }
            Step::Outcome(None, wanted) => corpus
                .firsts(ix)
                .filter_map(|(_, trace)| corpus.trace(trace))
                .any(|trace| outcome_is(trace.outcome(), *wanted)),
            Step::Answer(method, letter) => corpus
                .firsts(ix)
                .filter(|(m, _)| method.is_none_or(|wanted| wanted == *m))
                .any(|(_, trace)| corpus.trace(trace).and_then(|t| t.answer()) == Some(*letter)),
            Step::Check(method, check, test) => corpus
                .firsts(ix)
                .filter(|(m, _)| method.is_none_or(|wanted| wanted == *m))
                .any(|(m, _)| corpus.marks().any(ix, m, *check, *test)),
            Step::Gold(gold) => item.gold() == *gold && (gold.is_some() || item.known()),
            Step::Perspectives(table) => item.perspective().is_some_and(|p| table[p.0 as usize]),
            Step::Texts(table) => item.text().is_some_and(|t| table[t.0 as usize]),
            Step::Dataset(dataset) => dataset.is_some() && item.dataset().map(|d| d.0) == *dataset,
            Step::Domain(domain) => domain.is_some() && item.domain().map(|d| d.0) == *domain,
            Step::Split(name) => corpus.split(ix).is_some_and(|s| s.eq_ignore_ascii_case(name)),
            Step::Flips => corpus.flips(ix),
            Step::Agrees => {
                !corpus.flips(ix)
                    && corpus.firsts(ix).filter_map(|(_, t)| corpus.trace(t)?.answer()).nth(1).is_some()
            }
            Step::Samples(comparison, n) => most_samples(corpus, ix).is_some_and(|m| comparison.holds(m, *n)),
            Step::Unknown => !item.known(),
            Step::Repeats => corpus.traces(ix).any(|t| corpus.trace(t).is_some_and(|t| t.repeated())),
            Step::Rationale(pattern) => pattern.as_ref().is_some_and(|pattern| {
                corpus.traces(ix).any(|t| rationale(t).is_some_and(|text| pattern.is_match(&text)))
            }),
        }
    }
}

fn outcome_is(outcome: Outcome, wanted: OutcomeTest) -> bool {
    match wanted {
        OutcomeTest::Run => outcome != Outcome::NotRun,
        OutcomeTest::Is(wanted) => outcome == wanted,
    }
}

/// The largest number of samples that one method has here; `None` where no method was run.
fn most_samples(corpus: &Corpus, item: ItemIx) -> Option<u32> {
    let mut most = 0;
    let mut run: (Option<MethodIx>, u32) = (None, 0);
    for trace in corpus.traces(item).filter_map(|t| corpus.trace(t)) {
        run = if run.0 == Some(trace.method()) { (run.0, run.1 + 1) } else { (Some(trace.method()), 1) };
        most = most.max(run.1);
    }
    (most > 0).then_some(most)
}

fn step(corpus: &Corpus, test: &Test) -> Step {
    // A method without any trace is "not run" everywhere; all else about it is false.
    let method = |name: &MethodName| match name {
        MethodName::Any => Some(None),
        MethodName::Id(id) => corpus.method_ix(id).map(Some),
    };
    let perspectives = |holds: &dyn Fn(&crate::core::Perspective) -> bool| {
        Step::Perspectives(corpus.perspectives().iter().map(|p| holds(p)).collect())
    };
    match test {
        Test::Method { method: name, outcome } => match method(name) {
            Some(method) => Step::Outcome(method, *outcome),
            None if *outcome == OutcomeTest::Is(Outcome::NotRun) => {
                Step::Outcome(Some(MethodIx(u16::MAX)), *outcome)
            }
            None => Step::Nothing,
        },
        Test::Answer { method: name, letter } => match method(name) {
            Some(method) => Step::Answer(method, *letter),
            None => Step::Nothing,
        },
        Test::Check { method: name, check, test } => match method(name) {
            Some(method) => Step::Check(method, *check, *test),
            None => Step::Nothing,
        },
        Test::Gold(gold) => Step::Gold(*gold),
        Test::Kind(kind) => perspectives(&|p| p.kind == *kind),
        Test::Attribute(name) => {
            perspectives(&|p| p.attribute.as_deref().is_some_and(|a| a.eq_ignore_ascii_case(name)))
        }
        Test::Perspective { name, whole: true } => {
            perspectives(&|p| p.name.to_lowercase() == name.to_lowercase())
        }
        Test::Perspective { name, whole: false } => match pattern(name) {
            Some(pattern) => perspectives(&|p| pattern.is_match(&p.name)),
            None => Step::Nothing,
        },
        Test::Dataset(name) => Step::Dataset(
            corpus.datasets().iter().position(|d| d.eq_ignore_ascii_case(name)).map(|ix| ix as u16),
        ),
        Test::Domain(name) => Step::Domain(
            corpus.domains().iter().position(|d| d.eq_ignore_ascii_case(name)).map(|ix| ix as u16),
        ),
        Test::Split(name) => Step::Split(name.clone()),
        Test::Flips => Step::Flips,
        Test::Agrees => Step::Agrees,
        Test::Samples(comparison, n) => Step::Samples(*comparison, *n),
        Test::Unknown => Step::Unknown,
        Test::Repeats => Step::Repeats,
        Test::Text { place: Place::Rationale, words } => Step::Rationale(pattern(words)),
        Test::Text { place: Place::Text, words } => Step::Texts(texts(corpus, words)),
    }
}

/// The words as a literal, case ignored.
fn pattern(words: &str) -> Option<regex::Regex> {
    regex::RegexBuilder::new(&regex::escape(words)).case_insensitive(true).build().ok()
}

/// Which text groups contain the words: one search over the title arena.
fn texts(corpus: &Corpus, words: &str) -> Vec<bool> {
    let mut table = vec![false; corpus.text_count()];
    let (titles, text_at) = corpus.titles();
    if let Some(pattern) = pattern(words) {
        for found in pattern.find_iter(titles) {
            if let Some(slot) = text_at(found.start()).and_then(|text| table.get_mut(text.0 as usize)) {
                *slot = true;
            }
        }
    }
    table
}

fn count(corpus: &Corpus, items: Vec<ItemIx>) -> Selection {
    let mut per: Vec<(usize, usize, f32)> = vec![(0, 0, 0.0); corpus.perspectives().len()];
    let mut selection = Selection::default();
    for ix in &items {
        selection.traces += corpus.traces(*ix).len();
        let Some(at) = corpus.item(*ix).and_then(ItemEntry::perspective) else {
            selection.unknown += 1;
            continue;
        };
        let disagreement = corpus.disagreement(*ix);
        let slot = &mut per[at.0 as usize];
        *slot = (slot.0 + 1, slot.1 + usize::from(disagreement > 0.0), slot.2 + disagreement);
    }
    let mut attributes = std::collections::BTreeMap::new();
    for (at, (items, flips, sum)) in per.into_iter().enumerate().filter(|(_, (items, ..))| *items > 0) {
        let perspective = &corpus.perspectives()[at];
        selection.kinds[perspective.kind as usize] += items;
        if let Some(attribute) = &perspective.attribute {
            *attributes.entry(attribute.clone()).or_insert(0) += items;
        }
        selection.perspectives.push(PerspectiveCount {
            perspective: PerspectiveIx(at as u32),
            items,
            flips,
            disagreement: sum / items as f32,
        });
    }
    selection.attributes = attributes.into_iter().collect();
    selection.items = items;
    selection
}

fn sort_items(corpus: &Corpus, items: &mut [ItemIx], order: ItemOrder) {
    match order {
        ItemOrder::File => {}
        ItemOrder::Disagreement => items.sort_by(|a, b| {
            corpus.disagreement(*b).partial_cmp(&corpus.disagreement(*a)).unwrap_or(Ordering::Equal)
        }),
        ItemOrder::Name => {
            let ranks = corpus.text_ranks();
            let rank = |ix: &ItemIx| {
                corpus
                    .item(*ix)
                    .and_then(ItemEntry::text)
                    .and_then(|t| ranks.get(t.0 as usize))
                    .map_or(u32::MAX, |r| *r)
            };
            items.sort_by_key(rank);
        }
        ItemOrder::Gold => items
            .sort_by_key(|ix| corpus.item(*ix).and_then(ItemEntry::gold).map_or(usize::MAX, Letter::index)),
    }
}

fn sort_perspectives(corpus: &Corpus, counts: &mut [PerspectiveCount], order: PerspectiveOrder) {
    match order {
        PerspectiveOrder::Count => counts.sort_by_key(|c| Reverse(c.items)),
        PerspectiveOrder::Name => {
            counts.sort_by_cached_key(|c| corpus.perspective(c.perspective).map(|p| p.name.to_lowercase()))
        }
        PerspectiveOrder::Disagreement => {
            counts.sort_by(|a, b| b.disagreement.partial_cmp(&a.disagreement).unwrap_or(Ordering::Equal));
        }
    }
}

/// The order of [`Selection::kinds`].
const _: () = assert!(Kind::Value as usize == 0 && Kind::Demographic as usize == 3);
