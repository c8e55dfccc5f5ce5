//! Controls of the consistency check: the same judge without the rationale (c0), with another trace's
//! rationale, and with every statement of the answer in the rationale blanked out. Apparent; ours.
//!
//! Corrected for chance: (cons - c0)/(1 - c0) over a corpus ([`super::curve::chance_corrected`]). Values, each
//! 1 where the judge names the recorded answer and 0 where it names another, absent where it names none: `c0`,
//! `swapped`, `masked`; `leaks` counts what was blanked.

use super::{
    Evidence, Judged, Query, Reason, Reply, consistency, leaks, query,
    subject::{self, Case},
};
use crate::core::Letter;

pub(super) fn plan(case: &Case<'_>) -> Result<Vec<Query>, Reason> {
    case.answer()?;
    let item = case.item();
    let masked = leaks::masked(case.rationale()?, item);
    let mut queries = vec![consistency::question(item, None), consistency::question(item, Some(&masked))];
    if let Some(partner) = &case.subject.partner {
        queries
            .push(consistency::question(item, Some(subject::rationale_of(&partner.item, &partner.trace)?)));
    }
    Ok(queries)
}

pub(super) fn judge(case: &Case<'_>, replies: &[Reply]) -> Result<Judged, Reason> {
    let item = case.item();
    let answer = item.options[case.answer()?].letter;
    let said = |at: usize| -> Result<Option<Letter>, Reason> {
        Ok(consistency::letter(query::text(replies, at)?, item))
    };
    let (without, masked) = (said(0)?, said(1)?);
    let swapped = if case.subject.partner.is_some() { said(2)? } else { None };
    // The outcome is c0: without it there is nothing to correct by.
    let without = without.ok_or(Reason::JudgeUnparseable)?;
    let number = |letter: Option<Letter>| letter.map(|l| f64::from(u8::from(l == answer)));
    let words = |name: &str, letter: Option<Letter>| Evidence {
        text: match letter {
            Some(letter) => format!("{name}: judge says {letter}"),
            None => format!("{name}: judge names no option"),
        },
        value: number(letter),
        ..Evidence::default()
    };
    let mut evidence = vec![words("without rationale", Some(without)), words("answer blanked out", masked)];
    if case.subject.partner.is_some() {
        evidence.push(words("another trace's rationale", swapped));
    }
    let right = without == answer;
    let judged = Judged {
        word: if right { "right without it" } else { "wrong without it" }.to_owned(),
        flag: right,
        outcome: right,
        evidence,
        by: case.judge().to_owned(),
        ..Judged::default()
    };
    Ok(judged
        .with("c0", number(Some(without)))
        .with("masked", number(masked))
        .with("swapped", number(swapped))
        .with("leaks", leaks::leaks(case.rationale()?, item).len() as f64))
}
