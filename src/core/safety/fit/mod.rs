//! Trains the embedded classifier: labelled texts in, weights, calibration and held-out figures out.
//!
//! Pure and deterministic: the split follows from each text's content, the order from a seed. Reads no file
//! (`store::moderation` does) and never sees the held-out part while it fits.
//!
//! | file | what |
//! | --- | --- |
//! | [`sgd`] | logistic regression over bags of sentences, missing labels masked |
//! | [`calibrate`] | scores to probabilities, thresholds at a false-positive rate |
//! | [`neutral`] | ordinary sentences on touchy subjects |
//! | [`figures`] | what it is worth, against the word list |
//! | [`measure`] | AUROC, average precision, F1, balanced accuracy |

pub mod calibrate;
pub mod figures;
pub mod measure;
pub mod neutral;
pub mod sgd;

use super::{
    Classifier, Label,
    classifier::{HEADS, Head},
    features::features,
};
use crate::core::{segment, text::squeeze};
use calibrate::Platt;
use sgd::{Bag, Weights};
use sha2::{Digest, Sha256};

/// How many labels there are.
pub const LABELS: usize = HEADS.len();

/// Where a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// `OpenAI`'s moderation evaluation set.
    Moderation,
    /// Davidson's tweets.
    Tweets,
    /// The project's own situations, rationales and questions.
    Ordinary,
}

impl Set {
    pub const ALL: [Set; 3] = [Set::Moderation, Set::Tweets, Set::Ordinary];

    pub fn word(self) -> &'static str {
        match self {
            Set::Moderation => "moderation set",
            Set::Tweets => "tweets",
            Set::Ordinary => "ordinary text",
        }
    }
}

/// Which part of the data a text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Train,
    /// Ordinary text that only the thresholds see.
    Calibration,
    HeldOut,
}

/// A text and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    pub text: String,
    /// One per head of the classifier, in its order; `None` is not known, never 0.
    pub labels: [Option<bool>; LABELS],
    pub set: Set,
    pub part: Part,
}

impl Example {
    /// A labelled text, put into its part by its content: about a fifth is held out.
    pub fn labelled(text: String, labels: [Option<bool>; LABELS], set: Set) -> Example {
        let part = if share_of(&text) < HELD_OUT { Part::HeldOut } else { Part::Train };
        Example { text, labels, set, part }
    }

    /// Whether any label holds; `None` where none is known to hold and one is not known.
    pub fn any(&self, heads: &[Label]) -> Option<bool> {
        let known = HEADS.iter().zip(self.labels).filter(|(h, _)| heads.contains(h)).map(|(_, l)| l);
        let (mut all_known, mut any) = (true, false);
        for label in known {
            all_known &= label.is_some();
            any |= label == Some(true);
        }
        if any { Some(true) } else { all_known.then_some(false) }
    }
}

const HELD_OUT: f64 = 0.2;

/// A number from 0 to 1 that follows from the words of a text: retweets, spacing, case and punctuation do not
/// change it, so copies of a text never stand on both sides of a split.
pub fn share_of(text: &str) -> f64 {
    let words: Vec<String> = super::features::tokens(text).into_iter().map(|t| t.word).collect();
    let words = words.strip_prefix(&["rt".to_owned()]).unwrap_or(&words);
    let mut head = [0u8; 4];
    head.copy_from_slice(&Sha256::digest(words.join(" "))[..4]);
    f64::from(u32::from_be_bytes(head)) / 2f64.powi(32)
}

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The model has `1 << bits` buckets.
    pub bits: u32,
    pub epochs: usize,
    pub rate: f32,
    /// Pull of the weights towards 0.
    pub decay: f32,
    /// How much the texts of each set count, in the order of [`Set::ALL`].
    pub set_weight: [f32; 3],
    /// How much the highest sentence of a text counts beside the whole.
    pub sentence_weight: f32,
    /// Share of ordinary texts that the thresholds let be flagged.
    pub false_positive_rate: f64,
    /// The same for clean texts that were collected for being close to the line.
    pub hard_rate: f64,
    pub folds: usize,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            bits: 17,
            epochs: 10,
            rate: 0.3,
            decay: 3e-2,
            set_weight: [1.0, 0.3, 0.5],
            sentence_weight: 1.0,
            false_positive_rate: 0.01,
            hard_rate: 0.1,
            folds: 5,
            seed: 7,
        }
    }
}

/// What training gives.
#[derive(Clone, Debug)]
pub struct Fitted {
    pub classifier: Classifier,
    /// For each training text (its place among the examples) what a model says that had not seen it.
    pub unseen: Vec<(usize, [f32; LABELS])>,
}

/// Fits, calibrates and packs. Log-odds for calibration come from models that had not seen the text
/// (`folds`-fold over the training part); `progress` gets a line per stage.
pub fn fit(examples: &[Example], options: &Options, progress: &mut dyn FnMut(&str)) -> Fitted {
    let train: Vec<&Example> = examples.iter().filter(|e| e.part == Part::Train).collect();
    let bags: Vec<Bag> = train.iter().map(|e| bag(e, options)).collect();
    progress(&format!("{} texts for training", bags.len()));
    let unseen = out_of_fold(&train, &bags, options, progress);
    progress("fitting on the whole training part");
    let weights = sgd::fit(&bags.iter().collect::<Vec<_>>(), options);
    let platt: Vec<Platt> = (0..LABELS)
        .map(|head| {
            let known = train.iter().zip(&unseen).filter_map(|(e, s)| e.labels[head].map(|l| (s[head], l)));
            calibrate::platt(&known.collect::<Vec<_>>())
        })
        .collect();
    let mut classifier = pack(&weights, &platt, options);
    let clean = clean_texts(examples, &classifier, &train, &unseen, &platt);
    let positive: Vec<Vec<f32>> = (0..LABELS)
        .map(|head| {
            let hits = train.iter().zip(&unseen).filter(|(e, _)| e.labels[head] == Some(true));
            hits.map(|(_, s)| platt[head].probability(s[head])).collect()
        })
        .collect();
    let mut thresholds = vec![0.0f32; LABELS];
    for (group, rate) in clean.iter().zip([options.false_positive_rate, options.hard_rate, options.hard_rate])
    {
        for (t, own) in thresholds.iter_mut().zip(calibrate::thresholds(group, &positive, rate)) {
            *t = t.max(own);
        }
    }
    classifier = with_thresholds(classifier, &thresholds, options);
    progress("calibrated");
    let unseen = examples
        .iter()
        .enumerate()
        .filter(|(_, e)| e.part == Part::Train)
        .zip(unseen)
        .map(|((i, _), scores)| (i, std::array::from_fn(|h| platt[h].probability(scores[h]))))
        .collect();
    Fitted { classifier, unseen }
}

/// What is said of texts that are clean, by models that had not seen them: ordinary text; moderation texts with
/// no category; tweets that are neither hateful nor offensive. `[groups][texts][heads]`; a head that is not
/// known for a text is 0 there.
fn clean_texts(
    examples: &[Example],
    classifier: &Classifier,
    train: &[&Example],
    unseen: &[[f32; LABELS]],
    platt: &[Platt],
) -> [Vec<Vec<f32>>; 3] {
    let calibration = examples.iter().filter(|e| e.part == Part::Calibration);
    let mut out = [calibration.map(|e| peaks(classifier, &e.text)).collect(), Vec::new(), Vec::new()];
    for (example, scores) in train.iter().zip(unseen) {
        let unknown = example.labels.iter().filter(|l| l.is_none()).count();
        let group = match example.set {
            Set::Moderation if unknown <= 1 => 1,
            Set::Tweets => 2,
            _ => continue,
        };
        // Of a tweet only hate and offence are asked; a tweet that is one of them is not clean.
        if example.labels.contains(&Some(true)) {
            continue;
        }
        let known = |h: usize| example.labels[h] == Some(false);
        out[group].push(
            (0..LABELS).map(|h| if known(h) { platt[h].probability(scores[h]) } else { 0.0 }).collect(),
        );
    }
    out
}

/// The bag of one text: the whole first, then its sentences, if it has more than one.
fn bag(example: &Example, options: &Options) -> Bag {
    let text = squeeze(&example.text);
    let mut instances = vec![features(&text, options.bits)];
    let steps = segment::steps(&text);
    if steps.len() > 1 {
        instances.extend(steps.into_iter().map(|range| features(&text[range], options.bits)));
    }
    Bag { instances, labels: example.labels, weight: options.set_weight[example.set as usize] }
}

/// For each training text, its log-odds from the model of the folds it is not in: the highest sentence.
fn out_of_fold(
    train: &[&Example],
    bags: &[Bag],
    options: &Options,
    progress: &mut dyn FnMut(&str),
) -> Vec<[f32; LABELS]> {
    let folds = options.folds.max(2);
    let fold_of: Vec<usize> = train
        .iter()
        .map(|e| {
            let share = share_of(&format!("fold {}", e.text));
            ((share * folds as f64) as usize).min(folds - 1)
        })
        .collect();
    let mut out = vec![[0.0; LABELS]; bags.len()];
    for fold in 0..folds {
        progress(&format!("fold {} of {folds}", fold + 1));
        let seen: Vec<&Bag> =
            bags.iter().zip(&fold_of).filter(|(_, f)| **f != fold).map(|(b, _)| b).collect();
        let weights = sgd::fit(&seen, options);
        for ((bag, f), scores) in bags.iter().zip(&fold_of).zip(&mut out) {
            if *f == fold {
                *scores = weights.peak(bag);
            }
        }
    }
    out
}

/// The highest probability of each head over the sentences of `text`.
pub fn peaks(classifier: &Classifier, text: &str) -> Vec<f32> {
    let mut out = vec![0.0f32; classifier.heads().len()];
    for range in segment::steps(text) {
        for (peak, p) in out.iter_mut().zip(classifier.probabilities(&text[range])) {
            *peak = peak.max(p);
        }
    }
    out
}

/// Weights to bytes, one scale per head; the calibration goes into scale and bias.
fn pack(weights: &Weights, platt: &[Platt], options: &Options) -> Classifier {
    let largest: Vec<f32> = (0..LABELS).map(|h| weights.largest(h).max(1e-6)).collect();
    let bytes = weights
        .values
        .iter()
        .enumerate()
        .map(|(i, w)| (w / largest[i % LABELS] * 127.0).round() as i8)
        .collect();
    let heads = HEADS
        .iter()
        .enumerate()
        .map(|(i, &label)| Head {
            label,
            scale: platt[i].slope * largest[i] / 127.0,
            bias: platt[i].slope * weights.bias[i] + platt[i].offset,
            threshold: 0.5,
        })
        .collect();
    Classifier::new(options.bits, heads, options.false_positive_rate as f32, bytes)
}

fn with_thresholds(classifier: Classifier, thresholds: &[f32], options: &Options) -> Classifier {
    let (bits, mut heads, weights) = classifier.into_parts();
    for (head, &threshold) in heads.iter_mut().zip(thresholds) {
        head.threshold = threshold;
    }
    Classifier::new(bits, heads, options.false_positive_rate as f32, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, first: Option<bool>) -> Example {
        let mut labels = [Some(false); LABELS];
        labels[0] = first;
        Example { text: text.to_owned(), labels, set: Set::Moderation, part: Part::Train }
    }

    #[test]
    fn training_finds_a_planted_word_and_keeps_ordinary_text_below_the_threshold() {
        let nouns =
            ["apple", "river", "stone", "window", "garden", "letter", "paper", "engine", "carpet", "kettle"];
        let mut examples = Vec::new();
        for (i, a) in nouns.iter().enumerate() {
            for b in &nouns[i + 1..] {
                examples.push(example(&format!("The {a} is blorping. We like the {b}."), Some(true)));
                examples.push(example(&format!("The {a} is resting. We like the {b}."), Some(false)));
                let mut ordinary = example(&format!("A {b} and a {a} stood there."), Some(false));
                (ordinary.set, ordinary.part) = (Set::Ordinary, Part::Calibration);
                examples.push(ordinary);
            }
        }
        let options = Options { bits: 12, epochs: 5, folds: 3, decay: 1e-3, ..Options::default() };
        let fitted = fit(&examples, &options, &mut |_| {});
        assert_eq!(fitted.unseen.len(), 90);
        let flags = |text: &str| {
            let peaks = peaks(&fitted.classifier, text);
            peaks.iter().zip(fitted.classifier.heads()).filter(|(p, h)| **p >= h.threshold).count()
        };
        assert_eq!((flags("A calm one. The cat is blorping."), flags("The cat is asleep.")), (1, 0));
        assert_eq!(fit(&examples, &options, &mut |_| {}).classifier, fitted.classifier);
    }

    #[test]
    fn clean_needs_every_label_and_unclean_only_one() {
        let all = &HEADS[..];
        assert_eq!(example("a", Some(true)).any(all), Some(true));
        assert_eq!(example("a", None).any(all), None);
        assert_eq!(example("a", Some(false)).any(all), Some(false));
    }

    #[test]
    fn copies_of_a_text_stay_on_one_side() {
        assert_eq!(share_of("RT @a: Some Words here!"), share_of("some words, here http://t.co/x"));
        let shares: Vec<f64> =
            (0..1000).map(|i| share_of(&format!("text {}", "a".repeat(i % 7) + &"b c ".repeat(i)))).collect();
        assert!(shares.iter().all(|s| (0.0..1.0).contains(s)));
    }
}
