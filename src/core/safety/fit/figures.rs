//! What the classifier is worth, in figures: per label on texts that no part of it has seen, against the word
//! list, and on ordinary text. Pure; the model card and the report are made from it.

use super::{
    Example, Fitted, LABELS, Part, Set,
    measure::{Confusion, auroc, auroc_error, average_precision},
    peaks,
};
use crate::core::{
    metric::{Interval, wilson},
    safety::{Category, Classifier, Label, Language, classifier::HEADS, lexical},
};
use serde::Serialize;

/// One label on one set of texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelFigures {
    pub label: Label,
    pub set: &'static str,
    pub positives: usize,
    pub negatives: usize,
    pub auroc: Option<f64>,
    /// Standard error (Hanley and McNeil).
    pub auroc_error: Option<f64>,
    pub average_precision: Option<f64>,
    pub threshold: f32,
    /// At the threshold.
    pub recall: Option<f64>,
    pub false_positive_rate: Option<f64>,
}

/// "Is anything wrong with this text?", at the default thresholds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnyFlag {
    pub set: &'static str,
    pub source: &'static str,
    pub positives: usize,
    pub negatives: usize,
    pub f1: Option<f64>,
    pub balanced_accuracy: Option<f64>,
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub false_positive_rate: Option<f64>,
}

/// Texts without labels: how many are flagged, and for what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unlabelled {
    pub name: String,
    pub texts: usize,
    pub flagged: usize,
    pub interval: Option<Interval>,
    /// Flagged texts by label, those that occur.
    pub by_label: Vec<(Label, usize)>,
    /// Texts that the word list flags.
    pub lexical: usize,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// On the held-out part, with the shipped weights.
    pub held_out: Vec<LabelFigures>,
    /// On the training part, each text by a model that had not seen it: more texts, so firmer.
    pub cross_validated: Vec<LabelFigures>,
    pub any_flag: Vec<AnyFlag>,
    pub unlabelled: Vec<Unlabelled>,
}

/// Measures. `others` are named lists of texts that nothing was trained on and whose labels nobody knows.
pub fn figures(examples: &[Example], fitted: &Fitted, others: &[(String, Vec<String>)]) -> Figures {
    let held: Vec<&Example> = examples.iter().filter(|e| e.part == Part::HeldOut).collect();
    let scores: Vec<Vec<f32>> = held.iter().map(|e| peaks(&fitted.classifier, &e.text)).collect();
    let held_out: Vec<(&Example, &[f32])> =
        held.iter().copied().zip(scores.iter().map(Vec::as_slice)).collect();
    let unseen: Vec<(&Example, &[f32])> =
        fitted.unseen.iter().map(|(i, scores)| (&examples[*i], scores.as_slice())).collect();
    let ordinary: Vec<String> =
        held.iter().filter(|e| e.set == Set::Ordinary).map(|e| e.text.clone()).collect();
    let mut unlabelled = vec![on_texts("ordinary text, held out", &ordinary, &fitted.classifier)];
    unlabelled.extend(others.iter().map(|(name, texts)| on_texts(name, texts, &fitted.classifier)));
    Figures {
        cross_validated: by_label(&unseen, &fitted.classifier),
        any_flag: any_flag(&held_out, &fitted.classifier),
        held_out: by_label(&held_out, &fitted.classifier),
        unlabelled,
    }
}

fn by_label(scored: &[(&Example, &[f32])], classifier: &Classifier) -> Vec<LabelFigures> {
    let mut out = Vec::new();
    for (h, head) in classifier.heads().iter().enumerate().take(LABELS) {
        for set in [Set::Moderation, Set::Tweets] {
            let known: Vec<(f32, bool)> = scored
                .iter()
                .filter(|(e, _)| e.set == set)
                .filter_map(|(e, scores)| e.labels[h].map(|label| (scores[h], label)))
                .collect();
            let positives = known.iter().filter(|k| k.1).count();
            let negatives = known.len() - positives;
            let Some(auroc) = auroc(&known) else { continue };
            let at = Confusion::of(known.iter().map(|(score, label)| (*score >= head.threshold, *label)));
            out.push(LabelFigures {
                label: head.label,
                set: set.word(),
                positives,
                negatives,
                auroc: Some(auroc),
                auroc_error: Some(auroc_error(auroc, positives, negatives)),
                average_precision: average_precision(&known),
                threshold: head.threshold,
                recall: at.recall(),
                false_positive_rate: at.false_positive_rate(),
            });
        }
    }
    out
}

/// Whether a labelled text is unsafe at all: any category of the moderation set (all eight must be known to call
/// it clean), hate or offence for a tweet.
pub fn truth(example: &Example) -> Option<bool> {
    match example.set {
        Set::Moderation => example.any(&HEADS[..8]),
        Set::Tweets => {
            example.any(&[Label::Moderation(Category::Hate), Label::Language(Language::Offensive)])
        }
        Set::Ordinary => Some(false),
    }
}

fn any_flag(held_out: &[(&Example, &[f32])], classifier: &Classifier) -> Vec<AnyFlag> {
    let mut out = Vec::new();
    for set in [Set::Moderation, Set::Tweets] {
        let known: Vec<(&Example, &[f32], bool)> = held_out
            .iter()
            .filter(|(e, _)| e.set == set)
            .filter_map(|(e, scores)| truth(e).map(|truth| (*e, *scores, truth)))
            .collect();
        let ours = Confusion::of(known.iter().map(|(_, s, truth)| (any(classifier, s), *truth)));
        let lexical = Confusion::of(
            known.iter().map(|(e, _, truth)| (lexical::assess(&e.text).flagged() == Some(true), *truth)),
        );
        for (source, c) in [("classifier", ours), ("lexical", lexical)] {
            out.push(AnyFlag {
                set: set.word(),
                source,
                positives: c.hit + c.missed,
                negatives: c.false_flag + c.clean,
                f1: c.f1(),
                balanced_accuracy: c.balanced_accuracy(),
                precision: c.precision(),
                recall: c.recall(),
                false_positive_rate: c.false_positive_rate(),
            });
        }
    }
    out
}

fn any(classifier: &Classifier, scores: &[f32]) -> bool {
    classifier.heads().iter().zip(scores).any(|(head, score)| *score >= head.threshold)
}

fn on_texts(name: &str, texts: &[String], classifier: &Classifier) -> Unlabelled {
    let scores: Vec<Vec<f32>> = texts.iter().map(|t| peaks(classifier, t)).collect();
    let count = |h: usize, threshold: f32| scores.iter().filter(|s| s[h] >= threshold).count();
    let heads = classifier.heads().iter().enumerate();
    let by_label =
        heads.map(|(h, head)| (head.label, count(h, head.threshold))).filter(|(_, n)| *n > 0).collect();
    let flagged = scores.iter().filter(|s| any(classifier, s)).count();
    Unlabelled {
        name: name.to_owned(),
        texts: texts.len(),
        flagged,
        interval: wilson(flagged, texts.len()),
        by_label,
        lexical: texts.iter().filter(|t| lexical::assess(t).flagged() == Some(true)).count(),
    }
}
