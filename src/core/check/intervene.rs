//! One edit by hand: what the answer is before and after it. Causal, and the quickest of all.

use super::{Distribution, Query, Reason, Reply, Settings, Subject, edits, query, readout, subject::Case};
use crate::core::segment;
use serde::{Deserialize, Serialize};

/// What is done to a rationale; steps count from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "lowercase")]
pub enum Intervention {
    /// This step and all after it go.
    Cut {
        step: usize,
    },
    Delete {
        step: usize,
    },
    /// By rule.
    Negate {
        step: usize,
    },
    Replace {
        step: usize,
        text: String,
    },
    /// Before this step; at n, after the last.
    Insert {
        step: usize,
        text: String,
    },
}

/// The answer before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub before: Distribution,
    pub after: Distribution,
    /// The rationale after the edit.
    pub text: String,
    /// The edit was scored by another model than the one that wrote the trace.
    pub not_writer: bool,
}

impl Comparison {
    pub fn changed(&self) -> bool {
        self.before.best() != self.after.best()
    }
}

/// The rationale after the edit; `None` when there is no such step.
///
/// ```
/// use pluriscope::core::check::intervene::{Intervention, apply};
/// let text = "It is hers. So no.";
/// assert_eq!(apply(text, &Intervention::Delete { step: 0 }).as_deref(), Some("So no."));
/// assert_eq!(apply(text, &Intervention::Negate { step: 0 }).as_deref(), Some("It is not hers. So no."));
/// assert_eq!(apply(text, &Intervention::Cut { step: 2 }), None);
/// ```
pub fn apply(rationale: &str, edit: &Intervention) -> Option<String> {
    let steps = segment::steps(rationale);
    let splice = |from: usize, to: usize, text: &str| {
        Some(format!("{}{text}{}", rationale.get(..from)?, rationale.get(to..)?))
    };
    match edit {
        Intervention::Cut { step } => Some(rationale[..steps.get(*step)?.start].to_owned()),
        Intervention::Delete { step } => steps.get(*step).and_then(|r| splice(r.start, r.end, "")),
        Intervention::Negate { step } => {
            let range = steps.get(*step)?;
            splice(range.start, range.end, &edits::negate(&rationale[range.clone()]).text)
        }
        Intervention::Replace { step, text } => {
            let range = steps.get(*step)?;
            let old = &rationale[range.clone()];
            let tail = &old[old.trim_end().len()..];
            splice(range.start, range.end, &format!("{}{tail}", text.trim_end()))
        }
        Intervention::Insert { step, text } if *step < steps.len() => {
            let at = steps[*step].start;
            splice(at, at, &format!("{} ", text.trim_end()))
        }
        Intervention::Insert { step, text } if *step == steps.len() => {
            let gap = if rationale.is_empty() || rationale.ends_with(char::is_whitespace) { "" } else { " " };
            Some(format!("{rationale}{gap}{}", text.trim_end()))
        }
        Intervention::Insert { .. } => None,
    }
}

/// The question: the options after the rationale as it is, and after the edit.
///
/// # Errors
/// When there are no options, or no such step.
pub fn plan(subject: &Subject, settings: &Settings, edit: &Intervention) -> Result<Query, Reason> {
    let case = Case { subject, settings };
    if case.item().options.len() < 2 {
        return Err(Reason::NoOptions);
    }
    let rationale = &subject.trace.cot;
    let edited = apply(rationale, edit).ok_or_else(|| Reason::Undefined("there is no such step".into()))?;
    Ok(case.score([rationale.as_str(), &edited]))
}

/// What the reply says.
///
/// # Errors
/// When the model could not be asked.
pub fn judge(subject: &Subject, edit: &Intervention, reply: &Reply) -> Result<Comparison, Reason> {
    let scores = query::scores(std::slice::from_ref(reply), 0, 2)?;
    let mut read = readout::distributions(scores, subject.item.options.len())?.into_iter();
    match (read.next(), read.next(), apply(&subject.trace.cot, edit)) {
        (Some(before), Some(after), Some(text)) => {
            Ok(Comparison { before, after, text, not_writer: subject.not_writer() })
        }
        _ => Err(Reason::Undefined("there is no such step".into())),
    }
}
