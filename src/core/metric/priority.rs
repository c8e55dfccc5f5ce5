//! Value priorities: several perspectives on one situation, each with a weight, and what each method's answers then
//! decide. The weights of one letter add up; the heaviest letter wins.
//!
//! As one weight grows and the others stay, only its own letter gains. So per perspective there is at most one
//! *tipping point*: the weight above which the decision is that perspective's own answer.

use serde::Serialize;

/// A perspective's say: its weight, and the answer (a code) that a method gave from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Say {
    pub weight: f64,
    /// `None` where there is no usable answer; its weight then counts for nothing.
    pub answer: Option<u8>,
}

/// What the weights decide.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub enum Decision {
    /// One letter is heaviest; `lead` is its weight minus the next one's.
    Letter { code: u8, lead: f64 },
    /// Several are equally heavy.
    Tie { codes: Vec<u8> },
    /// No usable answer has a weight.
    Nothing,
}

/// Weights this close are equal.
const EPSILON: f64 = 1e-9;

/// Total weight of each letter, by code.
pub fn totals(says: &[Say]) -> [f64; 26] {
    let mut totals = [0.0; 26];
    for say in says {
        if let Some(slot) = say.answer.and_then(|a| totals.get_mut(usize::from(a))) {
            *slot += say.weight.max(0.0);
        }
    }
    totals
}

/// The decision of one method.
pub fn decide(says: &[Say]) -> Decision {
    let totals = totals(says);
    let most = totals.iter().copied().fold(0.0, f64::max);
    if most <= EPSILON {
        return Decision::Nothing;
    }
    let winners: Vec<u8> = (0..26u8).filter(|k| totals[usize::from(*k)] >= most - EPSILON).collect();
    match winners.as_slice() {
        [code] => {
            let next = (0..26u8).filter(|k| k != code).map(|k| totals[usize::from(k)]).fold(0.0, f64::max);
            Decision::Letter { code: *code, lead: most - next }
        }
        _ => Decision::Tie { codes: winners },
    }
}

/// Where a perspective tips the decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "tipping", content = "weight", rename_all = "kebab-case")]
pub enum Tipping {
    /// Above this weight its answer is the decision; below, it is not.
    At(f64),
    /// Its answer is the decision whatever its weight: the others agree with it, or say nothing.
    Always,
    /// It has no usable answer.
    Never,
}

/// The tipping point of the perspective at `of`, the other weights held.
pub fn tipping(says: &[Say], of: usize) -> Tipping {
    let Some(answer) = says.get(of).and_then(|s| s.answer).filter(|a| *a < 26) else { return Tipping::Never };
    let others: Vec<Say> = says.iter().enumerate().filter(|(i, _)| *i != of).map(|(_, say)| *say).collect();
    let totals = totals(&others);
    let own = totals[usize::from(answer)];
    let rival = (0..26).filter(|k| *k != usize::from(answer)).map(|k| totals[k]).fold(0.0, f64::max);
    if rival <= own { Tipping::Always } else { Tipping::At(rival - own) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn says(pairs: &[(f64, char)]) -> Vec<Say> {
        pairs
            .iter()
            .map(|(weight, c)| Say {
                weight: *weight,
                answer: c.is_ascii_uppercase().then(|| *c as u8 - b'A'),
            })
            .collect()
    }

    #[test]
    fn the_heaviest_letter_decides() {
        assert_eq!(
            decide(&says(&[(2.0, 'A'), (1.0, 'B'), (0.5, 'B')])),
            Decision::Letter { code: 0, lead: 0.5 }
        );
        assert_eq!(decide(&says(&[(1.0, 'A'), (1.0, 'B')])), Decision::Tie { codes: vec![0, 1] });
        assert_eq!(decide(&says(&[(1.0, '-')])), Decision::Nothing);
        assert_eq!(decide(&[]), Decision::Nothing);
    }

    #[test]
    fn a_weight_tips_the_decision_where_its_letter_overtakes() {
        let s = says(&[(1.0, 'A'), (1.0, 'B'), (2.0, 'B'), (0.5, 'A'), (1.0, '-')]);
        assert_eq!(tipping(&s, 0), Tipping::At(2.5));
        assert_eq!(tipping(&s, 1), Tipping::Always);
        assert_eq!(tipping(&s, 4), Tipping::Never);
        assert_eq!(tipping(&s, 9), Tipping::Never);
    }

    proptest! {
        #[test]
        fn just_above_the_tipping_point_the_decision_is_its_own(
            pairs in proptest::collection::vec((0.0f64..5.0, 0u8..4), 1..8), at in 0usize..8,
        ) {
            let mut says: Vec<Say> = pairs.iter().map(|(w, a)| Say { weight: *w, answer: Some(*a) }).collect();
            let at = at % says.len();
            let own = says[at].answer.unwrap();
            let point = match tipping(&says, at) { Tipping::At(x) => x, _ => 0.0 };
            says[at].weight = point + 0.01;
            let above = decide(&says);
            prop_assert!(matches!(above, Decision::Letter { code, .. } if code == own), "{above:?}");
            if point > 0.01 {
                says[at].weight = point - 0.01;
                let below = decide(&says);
                prop_assert!(!matches!(below, Decision::Letter { code, .. } if code == own), "{below:?}");
            }
        }
    }
}
