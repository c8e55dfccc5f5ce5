//! Logistic regression with Adagrad over bags: a text is its whole and its sentences.
//!
//! Each text pulls twice: as a whole, and by its highest sentence, per label. So a text that is known to be
//! clean teaches that all its sentences are, and a text that is not leaves open which sentence makes it so.

use super::{LABELS, Options};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Sparse features of one piece of text.
pub type Instance = Vec<(u32, f32)>;

/// One text for training.
#[derive(Clone, Debug)]
pub struct Bag {
    /// The whole text, then its sentences where it has several.
    pub instances: Vec<Instance>,
    /// `None` is masked: it neither pulls nor counts.
    pub labels: [Option<bool>; LABELS],
    pub weight: f32,
}

/// Unquantised weights.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `[1 << bits, LABELS]`
    pub values: Vec<f32>,
    pub bias: [f32; LABELS],
}

impl Weights {
    fn row(&self, bucket: u32) -> &[f32] {
        &self.values[bucket as usize * LABELS..][..LABELS]
    }

    /// Log-odds of one piece of text.
    pub fn score(&self, instance: &Instance) -> [f32; LABELS] {
        let mut sums = self.bias;
        for &(bucket, value) in instance {
            for (sum, weight) in sums.iter_mut().zip(self.row(bucket)) {
                *sum += value * weight;
            }
        }
        sums
    }

    /// The highest log-odds over the sentences of a bag.
    pub fn peak(&self, bag: &Bag) -> [f32; LABELS] {
        let mut out = [f32::NEG_INFINITY; LABELS];
        for instance in bag.sentences() {
            for (peak, score) in out.iter_mut().zip(self.score(instance)) {
                *peak = peak.max(score);
            }
        }
        out
    }

    /// The largest weight of a head, in size.
    pub fn largest(&self, head: usize) -> f32 {
        self.values.iter().skip(head).step_by(LABELS).fold(0.0, |a, w| a.max(w.abs()))
    }
}

impl Bag {
    /// The sentences; the whole where it is one sentence.
    pub fn sentences(&self) -> &[Instance] {
        &self.instances[usize::from(self.instances.len() > 1)..]
    }
}

/// Trains on `bags`; the same bags and options give the same weights.
pub fn fit(bags: &[&Bag], options: &Options) -> Weights {
    let size = LABELS << options.bits;
    let mut weights = Weights { values: vec![0.0; size], bias: [0.0; LABELS] };
    let mut squares = vec![1e-3f32; size];
    let mut bias_squares = [1e-3f32; LABELS];
    let counts = label_counts(bags);
    let [negative, positive] = class_weights(&counts);
    let decay = decays(&counts, options.decay);
    let mut order: Vec<usize> = (0..bags.len()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut scores = Vec::new();
    for _ in 0..options.epochs {
        order.shuffle(&mut rng);
        for &i in &order {
            let bag = bags[i];
            scores.clear();
            scores.extend(bag.instances.iter().map(|x| weights.score(x)));
            // Gradient by instance and head.
            let mut gradient = vec![[0.0f32; LABELS]; bag.instances.len()];
            for head in 0..LABELS {
                let Some(label) = bag.labels[head] else { continue };
                let weight = bag.weight * if label { positive[head] } else { negative[head] };
                let error = |score: f32| 1.0 / (1.0 + (-score).exp()) - f32::from(u8::from(label));
                gradient[0][head] += weight * error(scores[0][head]);
                if bag.instances.len() > 1 {
                    let top = (1..scores.len()).max_by(|&a, &b| scores[a][head].total_cmp(&scores[b][head]));
                    let top = top.unwrap_or(0);
                    gradient[top][head] += options.sentence_weight * weight * error(scores[top][head]);
                }
            }
            for (instance, gradient) in bag.instances.iter().zip(&gradient) {
                if gradient.iter().all(|g| *g == 0.0) {
                    continue;
                }
                step(&mut weights, &mut squares, instance, gradient, options.rate, &decay);
                for head in 0..LABELS {
                    bias_squares[head] += gradient[head] * gradient[head];
                    weights.bias[head] -= 0.1 * options.rate * gradient[head] / bias_squares[head].sqrt();
                }
            }
        }
    }
    weights
}

/// One Adagrad step on the features of one instance.
fn step(
    weights: &mut Weights,
    squares: &mut [f32],
    instance: &Instance,
    gradient: &[f32; LABELS],
    rate: f32,
    decay: &[f32; LABELS],
) {
    for &(bucket, value) in instance {
        let at = bucket as usize * LABELS;
        let rows = weights.values[at..at + LABELS].iter_mut().zip(&mut squares[at..at + LABELS]);
        for (((weight, square), &g), decay) in rows.zip(gradient).zip(decay) {
            if g != 0.0 {
                let g = g * value + decay * *weight;
                *square += g * g;
                *weight -= rate * g / square.sqrt();
            }
        }
    }
}

/// Texts that are known not to have, and to have, each label.
fn label_counts(bags: &[&Bag]) -> [[f32; 2]; LABELS] {
    let mut counts = [[0.0f32; 2]; LABELS];
    for bag in bags {
        for (count, label) in counts.iter_mut().zip(bag.labels) {
            if let Some(label) = label {
                count[usize::from(label)] += 1.0;
            }
        }
    }
    counts
}

/// How much negatives and positives count: the rarer side by the square root of how much rarer it is, at most
/// 8 times.
fn class_weights(counts: &[[f32; 2]; LABELS]) -> [[f32; LABELS]; 2] {
    let weight = |side: usize| counts.map(|c| (c[1 - side] / c[side].max(1e-3)).sqrt().clamp(1.0, 8.0));
    [weight(0), weight(1)]
}

/// Labels with few positives are held closer to 0.
fn decays(counts: &[[f32; 2]; LABELS], decay: f32) -> [f32; LABELS] {
    counts.map(|[_, yes]| decay * (150.0 / yes.max(1.0)).sqrt().clamp(0.01, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::safety::features::features;

    fn bag(text: &str, first: Option<bool>, second: Option<bool>) -> Bag {
        let mut labels = [None; LABELS];
        (labels[0], labels[1]) = (first, second);
        Bag { instances: vec![features(text, 12)], labels, weight: 1.0 }
    }

    fn options() -> Options {
        Options { bits: 12, epochs: 20, ..Options::default() }
    }

    #[test]
    fn a_planted_word_is_learned_and_training_repeats_itself() {
        let mut bags = Vec::new();
        for word in ["apple", "river", "stone", "window", "garden", "letter"] {
            bags.push(bag(&format!("the {word} is blorping today"), Some(true), Some(false)));
            bags.push(bag(&format!("the {word} is quiet today"), Some(false), Some(false)));
        }
        let all: Vec<&Bag> = bags.iter().collect();
        let weights = fit(&all, &options());
        let score = |text: &str| weights.score(&features(text, 12))[0];
        assert!(score("a blorping cat") > 0.0 && score("a quiet cat") < 0.0);
        assert_eq!(weights.values, fit(&all, &options()).values);
    }

    #[test]
    fn an_unknown_label_does_not_pull() {
        let bags = [bag("one thing", Some(true), None), bag("other matter", Some(false), None)];
        let weights = fit(&bags.iter().collect::<Vec<_>>(), &options());
        assert_eq!(weights.largest(1), 0.0);
        assert_eq!(weights.bias[1], 0.0);
        assert!(weights.largest(0) > 0.0);
    }

    #[test]
    fn the_guilty_sentence_of_a_text_is_found() {
        let sentence = |s: &str| features(s, 12);
        let mut bags = Vec::new();
        for word in ["apple", "river", "stone", "window", "garden", "letter"] {
            let (clean, bad) = (format!("we like the {word}"), format!("{word} blorping"));
            for (second, label) in [(&bad, true), (&clean, false)] {
                let mut b = bag(&format!("{clean} {second}"), Some(label), None);
                b.instances.extend([sentence(&clean), sentence(second)]);
                bags.push(b);
            }
        }
        let weights = fit(&bags.iter().collect::<Vec<_>>(), &options());
        let score = |text: &str| weights.score(&sentence(text))[0];
        assert!(score("apple blorping") > score("we like the apple") + 1.0);
    }
}
