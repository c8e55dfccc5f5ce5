//! Draws the next token of one row: seeded, deterministic, without sorting the vocabulary.

use super::kernels::{self, elementwise::exp_sum};
use crate::core::Sampler;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{cell::RefCell, cmp::Ordering};

/// A drawn token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampled {
    pub token: u32,
    /// Natural log-probability at temperature 1, before any filter.
    pub logprob: f32,
}

/// The sampler of one row, with its own random stream.
#[derive(Clone, Debug)]
pub struct RowSampler {
    settings: Sampler,
    random: ChaCha8Rng,
}

/// Room to draw in, which holds nothing from one draw to the next: a thread's own, since a vocabulary's worth of it for
/// each row would not stay in the cache.
#[derive(Default)]
struct Scratch {
    weights: Vec<f32>,
    candidates: Vec<(f32, u32)>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl RowSampler {
    pub fn new(settings: &Sampler, seed: u64) -> RowSampler {
        RowSampler { settings: settings.clone(), random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Draws from `logits` `[vocabulary]`, not empty. Filters apply in this order, as in `transformers`:
    /// temperature, top-k, top-p, min-p.
    pub fn sample(&mut self, logits: &[f32]) -> Sampled {
        SCRATCH.with_borrow_mut(|scratch| self.sample_in(scratch, logits))
    }

    fn sample_in(&mut self, scratch: &mut Scratch, logits: &[f32]) -> Sampled {
        let best = argmax(logits);
        let largest = logits[best];
        scratch.weights.resize(logits.len(), 0.0);
        let sum = exp_sum(kernels::isa(), logits, largest, 1.0, &mut scratch.weights);
        let warm = self.settings.temperature > 0.0;
        let token = if warm { self.draw(logits, largest, sum, scratch) } else { best };
        Sampled { token: token as u32, logprob: logits[token] - largest - sum.ln() }
    }

    /// `weights` holds `exp(logit - largest)`, which sum to `sum`.
    fn draw(&mut self, logits: &[f32], largest: f32, sum: f32, scratch: &mut Scratch) -> usize {
        let Scratch { weights, candidates } = scratch;
        let Sampler { temperature, top_p, top_k, min_p, .. } = self.settings;
        let total = if temperature == 1.0 {
            sum
        } else {
            exp_sum(kernels::isa(), logits, largest, 1.0 / temperature, weights)
        };
        // One number per token whatever the settings, so that the stream does not depend on them.
        let point: f64 = self.random.random();
        if top_k == 0 && top_p >= 1.0 && min_p <= 0.0 {
            return pick(weights.iter().copied().enumerate(), f64::from(total) * point);
        }
        // Whatever the filters keep has at least this weight. Top-p: all tokens lighter than
        // (1 - p) / vocabulary of the mass hold less than 1 - p together, so none of them is needed.
        let floor_p = if top_p < 1.0 { (1.0 - top_p) * total / logits.len() as f32 } else { 0.0 };
        // The heaviest weight is 1.
        let floor = floor_p.max(min_p);
        candidates.clear();
        let kept = weights.iter().zip(0u32..).filter(|(w, _)| **w >= floor);
        candidates.extend(kept.map(|(w, token)| (*w, token)));
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k - 1, heavier);
            candidates.truncate(top_k);
        }
        if top_p < 1.0 {
            let mass = if top_k > 0 {
                candidates.sort_unstable_by(heavier);
                candidates.iter().map(|(w, _)| f64::from(*w)).sum::<f64>()
            } else {
                f64::from(total)
            };
            let count = nucleus(candidates, f64::from(top_p) * mass);
            candidates.truncate(count);
        }
        if min_p > 0.0 {
            candidates.retain(|(w, _)| *w >= min_p);
        }
        candidates.sort_unstable_by_key(|(_, token)| *token);
        let mass: f64 = candidates.iter().map(|(w, _)| f64::from(*w)).sum();
        pick(candidates.iter().map(|(w, token)| (*token as usize, *w)), mass * point)
    }
}

/// Sorts just enough of `candidates` (heaviest first, ties by id) that the first `n` reach `mass`; returns
/// the smallest such `n`.
fn nucleus(candidates: &mut [(f32, u32)], mass: f64) -> usize {
    let (mut sorted, mut reached) = (0, 0f64);
    let mut step = 64;
    while sorted < candidates.len() {
        let rest = &mut candidates[sorted..];
        let n = step.min(rest.len());
        if n < rest.len() {
            rest.select_nth_unstable_by(n - 1, heavier);
        }
        rest[..n].sort_unstable_by(heavier);
        for (i, (weight, _)) in rest[..n].iter().enumerate() {
            reached += f64::from(*weight);
            if reached >= mass {
                return sorted + i + 1;
            }
        }
        sorted += n;
        step *= 4;
    }
    candidates.len()
}

/// Heaviest first, ties to the lower id.
fn heavier(a: &(f32, u32), b: &(f32, u32)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// The first token at which the running sum exceeds `point`; the last one with any weight if none does.
fn pick(weights: impl Iterator<Item = (usize, f32)>, point: f64) -> usize {
    let (mut sum, mut last) = (0f64, 0);
    for (token, weight) in weights {
        if weight > 0.0 {
            sum += f64::from(weight);
            last = token;
            if sum > point {
                break;
            }
        }
    }
    last
}

/// Position of the largest value, ties to the lower one.
pub fn argmax(values: &[f32]) -> usize {
    // The largest first, sixteen at a time, then where it is: no value waits for the one before.
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<16>();
    let mut largest = [f32::NEG_INFINITY; 16];
    for chunk in chunks {
        largest.iter_mut().zip(chunk).for_each(|(l, v)| *l = larger(*l, *v));
    }
    let largest = largest.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| larger(a, *b));
    values.iter().position(|v| *v == largest).unwrap_or(0)
}

/// Natural log-probability of each of `tokens` under `logits` at temperature 1.
pub fn log_probabilities(logits: &[f32], tokens: &[u32]) -> Vec<f32> {
    let largest = logits[argmax(logits)];
    let mut weights = vec![0f32; logits.len()];
    let sum = exp_sum(kernels::isa(), logits, largest, 1.0, &mut weights);
    tokens.iter().map(|t| logits[*t as usize] - largest - sum.ln()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::tests::noise;
    use proptest::prelude::*;

    fn settings(temperature: f32, top_p: f32, top_k: usize, min_p: f32) -> Sampler {
        Sampler { temperature, top_p, top_k, min_p, ..Sampler::default() }
    }

    fn logits(seed: u64) -> Vec<f32> {
        noise(seed, 1000).iter().map(|v| v * 6.0).collect()
    }

    /// The tokens that the filters keep, by sorting everything.
    fn allowed(logits: &[f32], s: &Sampler) -> Vec<u32> {
        let mut all: Vec<(f64, u32)> =
            logits.iter().zip(0..).map(|(l, i)| (f64::from(l / s.temperature).exp(), i)).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        if s.top_k > 0 {
            all.truncate(s.top_k);
        }
        let mass: f64 = all.iter().map(|a| a.0).sum();
        let mut sum = 0.0;
        let best = all[0].0;
        all.into_iter()
            .take_while(|(w, _)| {
                let before = sum;
                sum += w;
                // A hair of slack: the sampler works in single precision.
                before < f64::from(s.top_p) * mass * (1.0 + 1e-5)
            })
            .filter(|(w, _)| *w >= f64::from(s.min_p) * best * (1.0 - 1e-5))
            .map(|a| a.1)
            .collect()
    }

    #[test]
    fn greedy_takes_the_best_and_ties_go_to_the_lower_id() {
        let got = RowSampler::new(&Sampler::greedy(1), 0).sample(&[0.0, 2.0, 2.0, 1.0]);
        let total = 1.0 + 2.0 * 2f32.exp() + 1f32.exp();
        assert_eq!(got.token, 1);
        assert!((got.logprob - (2.0 - total.ln())).abs() < 1e-6);
    }

    #[test]
    fn frequencies_follow_the_distribution() {
        let mut sampler = RowSampler::new(&settings(1.0, 1.0, 0, 0.0), 5);
        let logits = [0f32, 1.0, 2.0];
        let mut counts = [0f64; 3];
        for _ in 0..20_000 {
            counts[sampler.sample(&logits).token as usize] += 1.0 / 20_000.0;
        }
        for (count, want) in counts.iter().zip([0.0900, 0.2447, 0.6652]) {
            assert!((count - want).abs() < 0.01, "{counts:?}");
        }
    }

    proptest! {
        #[test]
        fn the_largest_is_found_where_it_comes_first(values in proptest::collection::vec(-3i8..4, 1..70)) {
            let values: Vec<f32> = values.into_iter().map(f32::from).collect();
            let best = argmax(&values);
            prop_assert!(values[..best].iter().all(|v| *v < values[best]), "{values:?}");
            prop_assert!(values[best..].iter().all(|v| *v <= values[best]), "{values:?}");
        }

        #[test]
        fn draws_are_allowed_and_repeatable(seed in 0u64..1000, t in 0.1f32..2.0, p in 0.05f32..1.0, k in 0usize..50, m in 0.0f32..0.5) {
            let s = settings(t, p, k, m);
            let logits = logits(seed);
            let allowed = allowed(&logits, &s);
            let draw = || {
                let mut sampler = RowSampler::new(&s, seed);
                (0..20).map(|_| sampler.sample(&logits)).collect::<Vec<_>>()
            };
            let first = draw();
            prop_assert!(first.iter().all(|d| allowed.contains(&d.token)), "{first:?} {allowed:?}");
            prop_assert_eq!(&first, &draw());
            let exact = log_probabilities(&logits, &[first[0].token])[0];
            prop_assert_eq!(exact, first[0].logprob);
        }
    }
}
