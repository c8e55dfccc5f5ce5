//! What the tests of several files need.

use super::{TaskId, Value, ratings::Rated};
use crate::core::{ItemId, check::TraceKey};

/// A saved label of the default rubric.
pub fn rated(task: i64, method: &str, annotator: &str, answers: &[(&str, Value)]) -> Rated {
    let trace = TraceKey {
        item_id: ItemId(task as u128),
        method: method.into(),
        sample: 0,
        seed: None,
        text: "0".to_owned(),
    };
    Rated {
        task: TaskId(task),
        trace,
        annotator: annotator.to_owned(),
        adjudicated: false,
        answers: answers.iter().map(|(q, v)| ((*q).to_owned(), v.clone())).collect(),
        unblinded: false,
        note: String::new(),
    }
}
