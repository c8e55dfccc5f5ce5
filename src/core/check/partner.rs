//! Which other trace serves a check that needs one: the same choice for the same traces, whatever their order.

use super::{Partner, Subject, subject::rationale_of};
use crate::core::{Item, Trace};
use std::{collections::BTreeMap, sync::Arc};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The same text and options under another perspective, best with another answer.
    OtherPerspective,
    /// Another text with the same options, of the same method.
    OtherItem,
}

/// Whether `other` can serve `trace`.
fn serves(want: Want, item: &Item, trace: &Trace, other: &Partner) -> bool {
    let same_options = || item.options.iter().map(|c| &c.text).eq(other.item.options.iter().map(|c| &c.text));
    let same_text = item.text == other.item.text;
    let right_text = match want {
        Want::OtherPerspective => same_text && item.perspective.key() != other.item.perspective.key(),
        Want::OtherItem => !same_text,
    };
    right_text
        && trace.method == other.trace.method
        && trace.model == other.trace.model
        && other.trace.predicted_answer.is_some()
        && rationale_of(&other.item, &other.trace).is_ok()
        && same_options()
}

/// The partner for `subject` among `pool`: with another answer where there is one, the same repetition, and the
/// next item id after the subject's own.
pub fn find(want: Want, subject: &Subject, pool: &[Partner]) -> Option<Partner> {
    pick(want, subject, pool.iter())
}

fn pick<'p>(want: Want, subject: &Subject, pool: impl Iterator<Item = &'p Partner>) -> Option<Partner> {
    let (item, trace) = (&subject.item, &subject.trace);
    pool.filter(|other| serves(want, item, trace, other))
        .min_by_key(|other| {
            (
                other.trace.predicted_answer == trace.predicted_answer,
                other.trace.sample != trace.sample,
                other.item.id.0.wrapping_sub(item.id.0),
                other.trace.sample,
            )
        })
        .cloned()
}

/// Traces by what partners must share, for many subjects.
#[derive(Debug, Default)]
pub struct Pool {
    by_text: BTreeMap<String, Vec<Partner>>,
    by_options: BTreeMap<String, Vec<Partner>>,
}

/// How many traces with the same options are looked at, from the subject's place on.
const NEIGHBOURS: usize = 64;

impl Pool {
    pub fn new(traces: impl IntoIterator<Item = (Arc<Item>, Arc<Trace>)>) -> Pool {
        let mut pool = Pool::default();
        for (item, trace) in traces {
            let partner = Partner { item, trace };
            pool.by_text.entry(partner.item.text.clone()).or_default().push(partner.clone());
            pool.by_options.entry(options_key(&partner)).or_default().push(partner);
        }
        for list in pool.by_options.values_mut() {
            list.sort_by_key(|p| (p.item.id, p.trace.sample));
        }
        pool
    }

    /// As [`find`], looking only where a partner can be.
    pub fn find(&self, want: Want, subject: &Subject) -> Option<Partner> {
        match want {
            Want::OtherPerspective => pick(want, subject, self.by_text.get(&subject.item.text)?.iter()),
            Want::OtherItem => {
                let own = Partner { item: Arc::clone(&subject.item), trace: Arc::clone(&subject.trace) };
                let list = self.by_options.get(&options_key(&own))?;
                let at = list.partition_point(|p| p.item.id <= subject.item.id);
                let (before, after) = list.split_at(at);
                pick(want, subject, after.iter().chain(before).take(NEIGHBOURS))
            }
        }
    }
}

fn options_key(partner: &Partner) -> String {
    let mut key = format!("{}\u{1f}{}", partner.trace.method, partner.trace.model);
    for choice in &partner.item.options {
        key.push('\u{1f}');
        key.push_str(&choice.text);
    }
    key
}
