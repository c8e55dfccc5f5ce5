//! Option probabilities of a trace that was just written: what is asked after its rationale, and what is kept.
//!
//! The same readout as that of the probability trace check after the last step. The answer that was sampled stays.

use crate::{
    core::{
        AdapterRef, Item, Prompt, Trace,
        check::{Distribution, Scoring, readout::readout},
        metric::distribution::{FIELD, SCORING},
    },
    job::{Continuation, ContinuationScore, GenerateRow, RowId, ScoreRow},
};
use std::sync::Arc;

/// Whom to ask about a row, once it is written: its writer.
#[derive(Clone, Debug)]
pub struct Writer {
    model: String,
    adapter: Option<AdapterRef>,
    prompt: Prompt,
}

impl Writer {
    pub fn of(row: &GenerateRow) -> Writer {
        Writer { model: row.model.clone(), adapter: row.adapter.clone(), prompt: row.prompt.clone() }
    }

    /// The question after the rationale; `None` where the item offers no choice.
    pub fn ask(self, row: RowId, item: &Item, trace: &Trace, scoring: Scoring) -> Option<ScoreRow> {
        if item.options.len() < 2 {
            return None;
        }
        let after = readout(item, scoring, &trace.cot);
        let continuations = vec![Continuation { context: after.context, candidates: after.candidates }];
        let Writer { model, adapter, prompt } = self;
        Some(ScoreRow { row, model, adapter, prompt, continuations })
    }
}

/// The trace with the probability of each option letter, the mass off the options, and how it was scored.
/// `None` where no option has any mass.
pub fn with_probabilities(
    item: &Item,
    trace: &Arc<Trace>,
    scores: &[ContinuationScore],
    scoring: Scoring,
) -> Option<Arc<Trace>> {
    let found = Distribution::of(&scores.first()?.logprobs).filter(|d| d.p.len() == item.options.len())?;
    let by_letter =
        item.options.iter().zip(&found.p).map(|(choice, p)| (choice.letter.to_string(), (*p).into()));
    let mut trace = Trace::clone(trace);
    trace.extra.insert(FIELD.to_owned(), serde_json::Value::Object(by_letter.collect()));
    let how = serde_json::json!({ "by": scoring.word(), "off": found.off });
    trace.extra.insert(SCORING.to_owned(), how);
    Some(Arc::new(trace))
}
