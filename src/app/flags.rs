//! Steps that safety checks flag: marked wherever a trace is read, and their words hidden while they are blurred.

use super::{checks::Checks, state::State};
use crate::core::{Trace, check::Family};

/// Steps of a rationale of `steps` steps that a safety check flags, in order. A flag that points at no step is one of
/// the whole rationale.
pub fn flagged(checks: &Checks, trace: &Trace, steps: usize) -> Vec<usize> {
    let known = checks.of(trace).into_iter().flatten();
    let mut out: Vec<usize> = known
        .filter(|(check, _)| check.family() == Family::Safety)
        .filter_map(|(_, record)| record.verdict.judged())
        .flat_map(|judged| {
            let own: Vec<usize> = judged.evidence.iter().filter_map(|e| e.step).collect();
            if judged.flag && own.is_empty() { (0..steps).collect() } else { own }
        })
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// Those of them whose words may not be read now: none unless steps are blurred.
pub fn hidden(state: &State, trace: &Trace, steps: usize) -> Vec<usize> {
    if state.blur { flagged(&state.checks, trace, steps) } else { Vec::new() }
}

/// A veil over words, as wide as they are: white space stays, so that lines break where they did.
pub fn veil(text: &str, ascii: bool) -> String {
    let glyph = if ascii { '#' } else { '▒' };
    text.chars().map(|c| if c.is_whitespace() { ' ' } else { glyph }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::check::{
        CheckId, Evidence, Judged, Record, Settings, Verdict, tests::fixtures::subject,
    };
    use std::sync::Arc;

    /// A check, whether it flags, and where its evidence stands.
    type Found = (CheckId, bool, &'static [Option<usize>]);

    fn steps(found: &[Found]) -> Vec<usize> {
        let subject = subject("It is hers. Nobody asked. No.\nAnswer: B");
        let mut checks = Checks::default();
        for (check, flag, steps) in found {
            let evidence = steps.iter().map(|step| Evidence { step: *step, ..Evidence::default() }).collect();
            let judged = Judged { flag: *flag, evidence, ..Judged::default() };
            let record = Record::new(*check, &subject, &Settings::default(), Verdict::Judged(judged));
            checks.put(Arc::new(record));
        }
        flagged(&checks, &subject.trace, 3)
    }

    #[test]
    fn a_flag_marks_its_steps_and_one_without_steps_all_of_them() {
        let lexical: Found = (CheckId::SafetyLexical, true, &[Some(1), Some(1)]);
        let causal: Found = (CheckId::ProbabilityTrace, true, &[Some(0)]);
        let guard: Found = (CheckId::SafetyGuard, true, &[None]);
        let calm: Found = (CheckId::SafetyGuard, false, &[]);
        assert_eq!(steps(&[lexical, causal]), [1]);
        assert_eq!(steps(&[lexical, guard]), [0, 1, 2]);
        assert_eq!(steps(&[lexical, calm]), [1]);
        assert!(steps(&[]).is_empty());
    }

    #[test]
    fn a_veil_is_as_wide_as_its_words() {
        assert_eq!(veil("It is\nhérs.", false), "▒▒ ▒▒ ▒▒▒▒▒");
        assert_eq!(veil("a b", true), "# #");
    }
}
