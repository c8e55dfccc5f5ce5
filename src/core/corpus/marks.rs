//! What checks found, by item and method, so that queries can ask for it. Kept beside the index: results come and
//! go while the index stays. A result counts where the corpus holds the very trace that it speaks of.

use super::{Corpus, ItemIx, MethodIx, TraceIx};
use crate::core::check::{CheckId, Flagged, Record, TraceKey, Verdict};
use std::collections::HashMap;

/// A verdict as queries see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CheckState {
    /// It speaks against the rationale.
    Flagged,
    Clear,
    /// There is a result, but no verdict.
    Unjudged,
}

impl CheckState {
    pub const ALL: [CheckState; 3] = [CheckState::Flagged, CheckState::Clear, CheckState::Unjudged];

    /// The word in queries.
    pub fn word(self) -> &'static str {
        match self {
            CheckState::Flagged => "flagged",
            CheckState::Clear => "clear",
            CheckState::Unjudged => "unjudged",
        }
    }

    pub fn of(verdict: &Verdict) -> CheckState {
        match verdict {
            Verdict::Judged(judged) if judged.flag => CheckState::Flagged,
            Verdict::Judged(_) => CheckState::Clear,
            Verdict::Unjudged(_) => CheckState::Unjudged,
        }
    }
}

/// What a query asks of a check's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckTest {
    /// That there is one.
    Any,
    Is(CheckState),
    /// That the check's rate counts it ([`CheckId::outcome_word`]).
    Counted,
    /// That a safety check flags this.
    Flags(Flagged),
}

impl CheckTest {
    /// The word in queries.
    pub fn word(self) -> &'static str {
        match self {
            CheckTest::Any => "any",
            CheckTest::Is(state) => state.word(),
            CheckTest::Counted => "counted",
            CheckTest::Flags(what) => what.word(),
        }
    }
}

/// One result.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    check: CheckId,
    state: CheckState,
    counted: bool,
}

/// Results of checks per item and method; several samples of one method lie together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    by: HashMap<(ItemIx, MethodIx), Vec<Mark>>,
    /// What safety checks flag: on few traces.
    flags: HashMap<(ItemIx, MethodIx), Vec<(CheckId, Flagged)>>,
}

impl Marks {
    /// Takes the records whose trace is in `corpus`.
    pub fn of<'a>(corpus: &Corpus, records: impl IntoIterator<Item = &'a Record>) -> Marks {
        let mut marks = Marks::default();
        for record in records {
            let found = corpus.named(&record.trace).next().and_then(|ix| corpus.trace(ix));
            let Some(place) = found.map(|trace| (trace.item(), trace.method())) else { continue };
            let judged = record.verdict.judged();
            marks.by.entry(place).or_default().push(Mark {
                check: record.check,
                state: CheckState::of(&record.verdict),
                counted: judged.is_some_and(|judged| judged.outcome),
            });
            let findings = judged.into_iter().flat_map(Flagged::findings);
            for (what, _) in findings.filter(|(_, finding)| finding.flagged) {
                marks.flags.entry(place).or_default().push((record.check, what));
            }
        }
        marks
    }

    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    /// Whether any sample of `method` on `item` has a result of `check` of which `test` holds.
    pub fn any(&self, item: ItemIx, method: MethodIx, check: CheckId, test: CheckTest) -> bool {
        let place = (item, method);
        if let CheckTest::Flags(what) = test {
            return self.flags.get(&place).is_some_and(|found| found.contains(&(check, what)));
        }
        let holds = |mark: &Mark| match test {
            CheckTest::Is(state) => mark.state == state,
            CheckTest::Counted => mark.counted,
            CheckTest::Any | CheckTest::Flags(_) => true,
        };
        self.by.get(&place).is_some_and(|found| found.iter().any(|m| m.check == check && holds(m)))
    }
}

impl Corpus {
    /// The traces that `key` names: item, method, sample, seed, rationale and answer agree. More than one where
    /// lines repeat each other word for word; none where the corpus holds another text of that sample.
    pub fn named(&self, key: &TraceKey) -> impl Iterator<Item = TraceIx> + '_ {
        let place = self.find(key.item_id).zip(self.method_ix(&key.method.0)).zip(key.fingerprint());
        let sample = key.sample;
        place.into_iter().flat_map(move |((item, method), fingerprint)| {
            self.samples(item, method).filter(move |ix| {
                self.trace(*ix).is_some_and(|t| t.sample() == sample && t.fingerprint() == fingerprint)
            })
        })
    }
}
