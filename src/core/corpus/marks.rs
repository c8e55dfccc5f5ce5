//! What checks found, by item and method, so that queries can ask for it. Kept beside the index: results come and
//! go while the index stays.

use super::{Corpus, ItemIx, MethodIx};
use crate::core::check::{CheckId, Record, Verdict};
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

/// States of checks per item and method; several samples of one method lie together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    by: HashMap<(ItemIx, MethodIx), Vec<(CheckId, CheckState)>>,
}

impl Marks {
    /// Takes the records whose item and method are in `corpus`.
    pub fn of<'a>(corpus: &Corpus, records: impl IntoIterator<Item = &'a Record>) -> Marks {
        let mut marks = Marks::default();
        for record in records {
            let item = corpus.find(record.trace.item_id);
            let method = corpus.method_ix(&record.trace.method.0);
            if let (Some(item), Some(method)) = (item, method) {
                let state = CheckState::of(&record.verdict);
                marks.by.entry((item, method)).or_default().push((record.check, state));
            }
        }
        marks
    }

    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    /// Whether any sample of `method` on `item` has a result of `check`, in this state where one is named.
    pub fn any(&self, item: ItemIx, method: MethodIx, check: CheckId, state: Option<CheckState>) -> bool {
        self.by.get(&(item, method)).is_some_and(|found| {
            found.iter().any(|(c, s)| *c == check && state.is_none_or(|wanted| wanted == *s))
        })
    }
}
