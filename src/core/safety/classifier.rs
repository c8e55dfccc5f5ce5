//! The embedded classifier: hashed features into one logistic unit per label, weights held as bytes.
//!
//! Trained by [`super::fit`] (`pluriscope train guard`); what it was trained on, its figures and what it cannot
//! do stand in `assets/safety/card.md`. It reads English, and only knows the labels it had data for.

use super::{
    Assessment, Category, Label, LabelScore, Language, SafetyResult, Source, StepSafety,
    features::{FEATURES_VERSION, features, pair, token_features, tokens},
    score::Span,
};
use crate::core::segment;
use sha2::{Digest, Sha256};
use std::{ops::Range, sync::LazyLock};

/// The labels that there is training data for, in the order of the weights file.
pub const HEADS: [Label; 9] = [
    Label::Moderation(Category::Sexual),
    Label::Moderation(Category::Hate),
    Label::Moderation(Category::Violence),
    Label::Moderation(Category::Harassment),
    Label::Moderation(Category::SelfHarm),
    Label::Moderation(Category::SexualMinors),
    Label::Moderation(Category::HateThreatening),
    Label::Moderation(Category::ViolenceGraphic),
    Label::Language(Language::Offensive),
];

const MAGIC: &[u8; 8] = b"PLSAFE01";
const SHIPPED: &[u8] = include_bytes!("../../../assets/safety/classifier.bin");

/// One logistic unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub label: Label,
    /// What one step of a weight byte is worth, calibration included.
    pub scale: f32,
    /// Calibrated log-odds of a text without features.
    pub bias: f32,
    /// Probability from which a sentence is flagged.
    pub threshold: f32,
}

/// A trained classifier. Immutable; share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    bits: u32,
    heads: Vec<Head>,
    /// The share of ordinary texts that the thresholds let be flagged.
    false_positive_rate: f32,
    /// `[1 << bits, heads]`
    weights: Vec<i8>,
    version: String,
}

/// Why a weights file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassifierError {
    #[error("not a safety classifier (it does not start with PLSAFE01); train one with `train guard`")]
    Magic,
    #[error("made for features version {0}, this program has {FEATURES_VERSION}; train it again")]
    Version(u32),
    #[error("damaged: {0}; train it again")]
    Damaged(&'static str),
}

/// The classifier that is shipped.
pub fn shipped() -> Result<&'static Classifier, ClassifierError> {
    static LOADED: LazyLock<Result<Classifier, ClassifierError>> =
        LazyLock::new(|| Classifier::from_bytes(SHIPPED));
    LOADED.as_ref().map_err(Clone::clone)
}

/// What the shipped classifier says of `text`, sentence by sentence and as a whole.
pub fn assess(text: &str) -> SafetyResult {
    match shipped() {
        Ok(classifier) => classifier.assess(text),
        Err(error) => SafetyResult::unknown(Source::Classifier, format!("the shipped classifier is {error}")),
    }
}

impl Classifier {
    /// From its parts; `weights` is `[1 << bits, heads]`.
    pub fn new(bits: u32, heads: Vec<Head>, false_positive_rate: f32, weights: Vec<i8>) -> Classifier {
        let mut classifier = Classifier { bits, heads, false_positive_rate, weights, version: String::new() };
        classifier.version = version(&classifier.to_bytes());
        classifier
    }

    /// Reads what [`Classifier::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Classifier, ClassifierError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(ClassifierError::Magic)?;
        let features_version = u32::from_le_bytes(take(&mut rest)?);
        if features_version != FEATURES_VERSION {
            return Err(ClassifierError::Version(features_version));
        }
        let bits = u32::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?);
        if !(8..=22).contains(&bits) || !(1..=64).contains(&count) {
            return Err(ClassifierError::Damaged("impossible size"));
        }
        let false_positive_rate = number(&mut rest)?;
        let mut heads = Vec::new();
        for _ in 0..count {
            let [len] = take(&mut rest)?;
            let (word, tail) =
                rest.split_at_checked(len.into()).ok_or(ClassifierError::Damaged("too short"))?;
            rest = tail;
            let label = std::str::from_utf8(word)
                .ok()
                .and_then(Label::from_word)
                .ok_or(ClassifierError::Damaged("unknown label"))?;
            heads.push(Head {
                label,
                scale: number(&mut rest)?,
                bias: number(&mut rest)?,
                threshold: number(&mut rest)?,
            });
        }
        if rest.len() != heads.len() << bits {
            return Err(ClassifierError::Damaged("wrong length"));
        }
        let weights = rest.iter().map(|&b| b as i8).collect();
        Ok(Classifier { bits, heads, false_positive_rate, weights, version: version(bytes) })
    }

    /// The weights file: magic, features version, bits, head count (u32 each), false-positive rate (f32), per
    /// head its word (length byte, UTF-8), scale, bias, threshold (f32), then the weights. Little end first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(FEATURES_VERSION.to_le_bytes());
        out.extend(self.bits.to_le_bytes());
        out.extend((self.heads.len() as u32).to_le_bytes());
        out.extend(self.false_positive_rate.to_le_bytes());
        for head in &self.heads {
            out.push(head.label.word().len() as u8);
            out.extend(head.label.word().as_bytes());
            for number in [head.scale, head.bias, head.threshold] {
                out.extend(number.to_le_bytes());
            }
        }
        out.extend(self.weights.iter().map(|&w| w as u8));
        out
    }

    /// Bits, heads and weights, for [`Classifier::new`].
    pub fn into_parts(self) -> (u32, Vec<Head>, Vec<i8>) {
        (self.bits, self.heads, self.weights)
    }

    /// First 12 hexadecimal digits of the weights file's SHA-256.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The share of ordinary texts that the default thresholds were set to flag.
    pub fn false_positive_rate(&self) -> f32 {
        self.false_positive_rate
    }

    /// Probability of each head for one piece of text, in the order of [`Classifier::heads`].
    pub fn probabilities(&self, text: &str) -> Vec<f32> {
        let mut sums = vec![0.0f32; self.heads.len()];
        for (bucket, value) in features(text, self.bits) {
            for (sum, &weight) in sums.iter_mut().zip(self.row(bucket)) {
                *sum += value * f32::from(weight);
            }
        }
        self.heads.iter().zip(sums).map(|(head, sum)| sigmoid(head.bias + head.scale * sum)).collect()
    }

    fn row(&self, bucket: u32) -> &[i8] {
        let at = bucket as usize * self.heads.len();
        &self.weights[at..at + self.heads.len()]
    }

    /// Scores every step of `text` and the whole; `Unknown` for an empty text and for one in another script.
    pub fn assess(&self, text: &str) -> SafetyResult {
        if let Some(reason) = unreadable(text) {
            return SafetyResult::unknown(Source::Classifier, reason);
        }
        let mut spans = Vec::new();
        let steps: Vec<StepSafety> = segment::steps(text)
            .into_iter()
            .map(|range| {
                let probabilities = self.probabilities(&text[range.clone()]);
                let flags = self.flags(&probabilities);
                for &label in &flags {
                    let words = self.evidence(&text[range.clone()], label);
                    spans.extend(
                        words
                            .into_iter()
                            .map(|w| Span { range: range.start + w.start..range.start + w.end, label }),
                    );
                }
                StepSafety { scores: self.scores(&probabilities), flags, range }
            })
            .collect();
        let whole = self.probabilities(text);
        spans.sort_by_key(|s| (s.range.start, s.range.end));
        SafetyResult::Known(Assessment {
            source: Source::Classifier,
            version: format!("classifier {}", self.version),
            whole: self.scores(&whole),
            whole_flags: self.flags(&whole),
            steps,
            spans,
        })
    }

    fn scores(&self, probabilities: &[f32]) -> Vec<LabelScore> {
        self.heads.iter().zip(probabilities).map(|(h, &score)| LabelScore { label: h.label, score }).collect()
    }

    fn flags(&self, probabilities: &[f32]) -> Vec<Label> {
        let over = self.heads.iter().zip(probabilities).filter(|(h, p)| **p >= h.threshold);
        over.map(|(h, _)| h.label).collect()
    }

    /// The words that speak most for `label`, at most four: bytes of `text`, in order.
    pub fn evidence(&self, text: &str, label: Label) -> Vec<Range<usize>> {
        let Some(head) = self.heads.iter().position(|h| h.label == label) else { return Vec::new() };
        let tokens = tokens(text);
        let weight = |bucket: u32| f32::from(self.row(bucket)[head]);
        let mut own: Vec<f32> = Vec::with_capacity(tokens.len());
        let mut pieces = Vec::new();
        for token in &tokens {
            pieces.clear();
            token_features(&token.word, self.bits, &mut pieces);
            own.push(pieces.iter().map(|&(bucket, value)| value * weight(bucket)).sum());
        }
        for i in 1..tokens.len() {
            let shared = weight(pair(&tokens[i - 1].word, &tokens[i].word, self.bits)) / 2.0;
            own[i - 1] += shared;
            own[i] += shared;
        }
        let mut order: Vec<usize> = (0..tokens.len()).filter(|&i| own[i] > 0.0).collect();
        order.sort_by(|&a, &b| own[b].total_cmp(&own[a]));
        let total: f32 = order.iter().map(|&i| own[i]).sum();
        let mut sum = 0.0;
        order.truncate(4);
        order.retain(|&i| {
            let wanted = sum < 0.6 * total;
            sum += own[i];
            wanted
        });
        order.sort_unstable();
        order.into_iter().map(|i| tokens[i].range.clone()).collect()
    }
}

/// Why the classifier cannot read a text, in words; `None` if it can.
fn unreadable(text: &str) -> Option<&'static str> {
    let (mut letters, mut latin) = (0usize, 0usize);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        latin += usize::from(c.is_ascii_alphabetic() || ('\u{c0}'..='\u{24f}').contains(&c));
    }
    if letters == 0 {
        Some("there is no text")
    } else if 2 * latin < letters {
        Some("not in Latin letters: the classifier reads English")
    } else {
        None
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn version(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).map(|b| format!("{b:02x}")).collect()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ClassifierError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(ClassifierError::Damaged("too short"))?;
    *rest = tail;
    Ok(*head)
}

fn number(rest: &mut &[u8]) -> Result<f32, ClassifierError> {
    let number = f32::from_le_bytes(take(rest)?);
    if number.is_finite() { Ok(number) } else { Err(ClassifierError::Damaged("a number is not finite")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::safety::features::features;
    use proptest::prelude::*;

    /// Knows one word for each of two labels.
    fn tiny() -> Classifier {
        let heads: Vec<Head> = [HEADS[0], HEADS[1]]
            .into_iter()
            .map(|label| Head { label, scale: 0.1, bias: -2.0, threshold: 0.5 })
            .collect();
        // Wide enough that the two words share no bucket with ordinary ones.
        let mut weights = vec![0; 2 << 16];
        for (head, word) in ["zzyqx", "hateword"].into_iter().enumerate() {
            for (bucket, _) in features(word, 16) {
                weights[bucket as usize * 2 + head] = 100;
            }
        }
        Classifier::new(16, heads, 0.01, weights)
    }

    #[test]
    fn the_file_gives_the_same_classifier_back() {
        let classifier = tiny();
        assert_eq!(Classifier::from_bytes(&classifier.to_bytes()), Ok(classifier));
    }

    #[test]
    fn damage_is_named() {
        let bytes = tiny().to_bytes();
        assert_eq!(Classifier::from_bytes(b"PK"), Err(ClassifierError::Magic));
        let short = Classifier::from_bytes(&bytes[..bytes.len() - 1]);
        assert_eq!(short, Err(ClassifierError::Damaged("wrong length")));
        let mut old = bytes.clone();
        old[8] = 99;
        assert_eq!(Classifier::from_bytes(&old), Err(ClassifierError::Version(99)));
    }

    #[test]
    fn the_shipped_file_is_whole() {
        let shipped = shipped().unwrap();
        assert_eq!(shipped.heads().iter().map(|h| h.label).collect::<Vec<_>>(), HEADS);
        assert!(shipped.heads().iter().all(|h| (0.05..1.0).contains(&h.threshold)));
        assert!(SHIPPED.len() < 4 << 20);
    }

    #[test]
    fn the_step_with_the_word_is_flagged_and_its_word_is_the_span() {
        let text = "A calm step is here. Then hateword came up.";
        let SafetyResult::Known(found) = tiny().assess(text) else { panic!() };
        assert_eq!(found.steps.iter().map(|s| s.flags.len()).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(found.steps[1].flags, [HEADS[1]]);
        assert_eq!(&text[found.spans[0].range.clone()], "hateword");
        assert_eq!(found.blur(text.len()), [found.spans[0].range.clone()]);
    }

    proptest! {
        #[test]
        fn never_panics_and_scores_are_probabilities(text in any::<String>()) {
            if let SafetyResult::Known(found) = tiny().assess(&text) {
                let scores = found.steps.iter().flat_map(|s| &s.scores).chain(&found.whole);
                prop_assert!(scores.into_iter().all(|s| (0.0..=1.0).contains(&s.score)));
                prop_assert!(found.spans.iter().all(|s| text.get(s.range.clone()).is_some()));
                prop_assert!(found.blur(text.len()).windows(2).all(|w| w[0].end < w[1].start));
            }
        }

        #[test]
        fn a_damaged_file_is_an_error_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = MAGIC.to_vec();
            file.extend(FEATURES_VERSION.to_le_bytes());
            file.extend(bytes);
            let _ = Classifier::from_bytes(&file);
        }
    }
}
