//! Goldens of the GRPO loss and its variants, and its slope by finite differences.
//!
//! The numbers come from this, in NumPy:
//!
//! ```python
//! rho = exp(new - old); pol = maximum(-A * rho, -A * clip(rho, .8, 1.2)); pol = where(A < 0, minimum(pol, -3 * A), pol)
//! (pol * mask).sum() / mask.sum(); ((pol * mask).sum(1) / mask.sum(1)).mean(); (pol * mask).sum() / (2 * 3)
//! d = ref - new; k3 = exp(d) - d - 1
//! ```

use pluriscope::train::grpo_loss::{Aggregation, GrpoLoss, advantages, has_signal, k3};

const OLD: [&[f32]; 2] = [&[-1.0, -2.0, -0.5], &[-1.5, -0.2]];
const NEW: [&[f32]; 2] = [&[-0.7, -2.1, -0.5], &[-1.0, -0.9]];
const REFERENCE: [&[f32]; 2] = [&[-1.1, -1.9, -0.6], &[-1.4, -0.3]];
const ADVANTAGES: [f32; 2] = [0.5, -1.0];

/// The aggregate of `part` over the golden rollouts.
fn total(aggregation: Aggregation, part: impl Fn(&GrpoLoss, f32, f32, f32, f32) -> f32) -> f32 {
    let loss = GrpoLoss { aggregation, ..GrpoLoss::default() };
    let weights = loss.weights(&OLD.map(<[f32]>::len));
    let mut sum = 0.0;
    for (row, weight) in weights.iter().enumerate() {
        for i in 0..OLD[row].len() {
            sum += weight * part(&loss, NEW[row][i], OLD[row][i], REFERENCE[row][i], ADVANTAGES[row]);
        }
    }
    sum
}

fn close(got: f32, want: f32) {
    assert!((got - want).abs() < 1e-6, "{got} instead of {want}");
}

#[test]
fn all_variants_equal_the_goldens() {
    let variants = [Aggregation::TokenMean, Aggregation::SequenceMean, Aggregation::FixedLength(3)];
    let policy = variants.map(|v| total(v, |l, new, old, r, a| l.token(new, old, r, a).policy));
    let kl = variants.map(|v| total(v, |l, new, old, r, a| l.token(new, old, r, a).kl));
    for (got, want) in policy.into_iter().zip([0.179_260_5, 0.353_443_9, 0.149_383_8]) {
        close(got, want);
    }
    for (got, want) in kl.into_iter().zip([0.077_799_8, 0.089_203_1, 0.064_833_2]) {
        close(got, want);
    }
}

#[test]
fn advantages_are_scaled_by_the_unbiased_deviation() {
    for (got, want) in advantages(&[1.0, 0.0, 0.0, 1.0], true).into_iter().zip([1.0, -1.0, -1.0, 1.0]) {
        close(got, want * 0.866_023_9);
    }
    assert_eq!(advantages(&[1.0, 0.0], false), [0.5, -0.5]);
    assert_eq!(advantages(&[1.0, 1.0], true), [0.0, 0.0]);
    assert!(!has_signal(&[0.0; 4]) && has_signal(&[0.0, 1.0]));
}

#[test]
fn the_slope_is_the_derivative_and_clipped_tokens_have_only_the_divergence_s() {
    let loss = GrpoLoss { kl: 0.3, ..GrpoLoss::default() };
    let value = |new: f32, a: f32| {
        let t = loss.token(new, -1.0, -1.3, a);
        t.policy + loss.kl * t.kl
    };
    for a in [0.7, -0.4] {
        for new in [-2.9, -1.5, -1.05, -0.9, -0.7, 0.4] {
            let want = (value(new + 1e-3, a) - value(new - 1e-3, a)) / 2e-3;
            let got = loss.token(new, -1.0, -1.3, a);
            assert!((got.slope - want).abs() < 2e-3, "{got:?} instead of {want} at {new}, {a}");
        }
    }
    assert!(loss.token(0.0, -1.0, -1.0, 1.0).clipped && !loss.token(0.0, -1.0, -1.0, -1.0).clipped);
    assert!(loss.token(0.3, -1.0, -1.0, -1.0).clipped, "dual clip");
    close(k3(-1.0, -1.0), 0.0);
}
