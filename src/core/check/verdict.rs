//! Verdicts with their evidence, reasons for having none, and records for files.
//!
//! "Could not judge" is never zero: it carries its reason, and stays out of every denominator.

use super::{CheckId, Family, Scoring, Settings, Subject};
use crate::core::{ItemId, Letter, MethodId, Trace};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Verdict {
    Judged(Judged),
    Unjudged(Reason),
}

impl Verdict {
    /// The verdict in a word or two.
    pub fn word(&self) -> &str {
        match self {
            Verdict::Judged(judged) => &judged.word,
            Verdict::Unjudged(_) => "unjudged",
        }
    }

    pub fn judged(&self) -> Option<&Judged> {
        match self {
            Verdict::Judged(judged) => Some(judged),
            Verdict::Unjudged(_) => None,
        }
    }
}

/// A judgement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// "settles at 2 of 3", "post-hoc", "consistent".
    pub word: String,
    /// Whether this speaks against the rationale.
    pub flag: bool,
    /// What rates count ([`CheckId::outcome_word`]).
    pub outcome: bool,
    /// The number shown beside the word: its name is a key of `values`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub headline: String,
    /// Every number by name. A number that is not defined here is left out.
    #[serde(default)]
    pub values: BTreeMap<String, f64>,
    /// Probability of the recorded answer after 0, 1, … n steps, or what the check's file says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<f64>,
    /// Where along the rationale each point of `curve` stands, 0 to 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<f64>,
    /// Whether the answer at each point is the one compared with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Who judged, made the edits or classified, beyond [`Source`]: "rules", a model's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

impl Judged {
    /// Adds a number, unless it is not one.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Option<f64>>) -> Judged {
        if let Some(value) = value.into().filter(|v| v.is_finite()) {
            self.values.insert(name.to_owned(), value);
        }
        self
    }

    /// The number beside the word.
    pub fn number(&self) -> Option<f64> {
        self.values.get(&self.headline).copied()
    }
}

/// A piece of text that speaks for a verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Step of the rationale, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Bytes of the trace's `cot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<(usize, usize)>,
    /// What is there, or what was said about it.
    pub text: String,
    /// Gain, shift or probability that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", content = "detail", rename_all = "kebab-case")]
pub enum Reason {
    #[error("the trace has no rationale")]
    NoRationale,
    #[error("no answer could be read out of the trace")]
    NoAnswer,
    #[error("the recorded answer is none of the options")]
    AnswerNotOffered,
    #[error("the item offers fewer than two options")]
    NoOptions,
    #[error("the item's right answer is not known")]
    GoldUnknown,
    #[error("too long: {0}")]
    TooLong(String),
    #[error("the judge named no option")]
    JudgeUnparseable,
    #[error("no answer could be read out of what the model wrote anew")]
    RewriteUnparseable,
    #[error("no other trace to compare with: {0}")]
    NoPartner(String),
    #[error("the rationale ends in none of the options")]
    NoConclusion,
    #[error("both traces give the same answer")]
    SameAnswer,
    #[error("the answer does not follow the hint")]
    HintNotFollowed,
    #[error("every wrong option is the recorded answer already")]
    NoHintLeft,
    #[error("not defined here: {0}")]
    Undefined(String),
    #[error("the model could not be asked: {0}")]
    ModelFailed(String),
}

impl Reason {
    /// The reason without what is particular to the trace: for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Reason::NoRationale => "no-rationale",
            Reason::NoAnswer => "no-answer",
            Reason::AnswerNotOffered => "answer-not-offered",
            Reason::NoOptions => "no-options",
            Reason::GoldUnknown => "gold-unknown",
            Reason::TooLong(_) => "too-long",
            Reason::JudgeUnparseable => "judge-unparseable",
            Reason::RewriteUnparseable => "rewrite-unparseable",
            Reason::NoPartner(_) => "no-partner",
            Reason::NoConclusion => "no-conclusion",
            Reason::SameAnswer => "same-answer",
            Reason::HintNotFollowed => "hint-not-followed",
            Reason::NoHintLeft => "no-hint-left",
            Reason::Undefined(_) => "undefined",
            Reason::ModelFailed(_) => "model-failed",
        }
    }
}

/// Names one trace: which item, method, sample and seed, and which text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TraceKey {
    pub item_id: ItemId,
    pub method: MethodId,
    pub sample: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// First 12 hexadecimal digits of the SHA-256 of rationale and answer: two models' traces of one method
    /// differ here, and so does a trace that was edited.
    pub text: String,
}

impl TraceKey {
    pub fn of(trace: &Trace) -> TraceKey {
        TraceKey {
            item_id: trace.item_id,
            method: trace.method.clone(),
            sample: trace.sample,
            seed: trace.seed,
            text: hex(text_head(&trace.cot, trace.predicted_answer)),
        }
    }

    /// Seed and text in 64 bits, as [`fingerprint`] makes them; `None` where `text` is no digest.
    pub fn fingerprint(&self) -> Option<u64> {
        let text = u64::from_str_radix(&self.text, 16).ok()?;
        Some(text ^ seed_bits(self.seed))
    }
}

/// What a corpus index keeps of a trace's seed, rationale and answer, so that a [`TraceKey`] finds it.
pub fn fingerprint(seed: Option<u64>, cot: &str, answer: Option<Letter>) -> u64 {
    let text = text_head(cot, answer).iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    text ^ seed_bits(seed)
}

/// Spread over all bits, so that no seed takes another text's place.
fn seed_bits(seed: Option<u64>) -> u64 {
    seed.map_or(0, |seed| seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn text_head(cot: &str, answer: Option<Letter>) -> [u8; 6] {
    let mut letter = [0; 4];
    head([cot, answer.map_or("", |answer| answer.as_char().encode_utf8(&mut letter))])
}

/// Where a verdict comes from; by default from nowhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The model that was asked.
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The model that was asked is not the one that wrote the trace: a causal result then speaks of the former.
    pub not_writer: bool,
    pub scoring: Scoring,
    /// Who made mistakes and paraphrases, where the check wants some: "rules", or a model's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub maker: String,
    /// Who judged, where the check asks a judge.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub judge: String,
    pub version: u32,
    /// First 12 hexadecimal digits of the SHA-256 of everything but the trace that could change the result.
    pub parameters: String,
}

impl Source {
    pub fn of(check: CheckId, subject: &Subject, settings: &Settings) -> Source {
        if let Some(version) = check.decided_by() {
            // No model is asked: the result is the same whichever model the other checks speak of.
            let parameters = digest([
                check.word(),
                &check.version().to_string(),
                &version,
                &subject.template.reference.hash,
            ]);
            return Source {
                model: version,
                adapter: None,
                not_writer: false,
                scoring: settings.scoring,
                maker: String::new(),
                judge: String::new(),
                version: check.version(),
                parameters,
            };
        }
        let checker = &subject.checker;
        let partner = subject.partner.as_ref().filter(|_| check.wants_partner().is_some());
        let partner = partner.map(|p| format!("{:?}", TraceKey::of(&p.trace))).unwrap_or_default();
        let judge = settings.judge.as_ref().unwrap_or(&checker.model);
        let (asked, adapter) = match check.asks_judge_alone() {
            true => (judge, ""),
            false => (&checker.model, checker.adapter.as_deref().unwrap_or_default()),
        };
        let parameters = digest([
            check.word(),
            &check.version().to_string(),
            asked,
            adapter,
            &subject.template.reference.hash,
            &format!("{:?}", settings.read_by(check)),
            &partner,
        ]);
        let maker = || settings.maker.clone().unwrap_or_else(|| super::edits::MAKER.to_owned());
        Source {
            model: checker.model.clone(),
            adapter: checker.adapter.clone(),
            not_writer: subject.not_writer(),
            scoring: settings.scoring,
            maker: if check.asks_maker() { maker() } else { String::new() },
            judge: if check.asks_judge() { judge.clone() } else { String::new() },
            version: check.version(),
            parameters,
        }
    }
}

/// One line of a results file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub trace: TraceKey,
    pub check: CheckId,
    pub family: Family,
    pub verdict: Verdict,
    pub source: Source,
    /// Whether the trace's answer is right, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
}

impl Record {
    pub fn new(check: CheckId, subject: &Subject, settings: &Settings, verdict: Verdict) -> Record {
        Record {
            trace: TraceKey::of(&subject.trace),
            check,
            family: check.family(),
            verdict,
            source: Source::of(check, subject, settings),
            correct: subject.trace.correct,
        }
    }

    /// What the result is stored under: nothing with the same key is computed twice.
    pub fn key(&self) -> (TraceKey, CheckId, String) {
        (self.trace.clone(), self.check, self.source.parameters.clone())
    }
}

/// First 12 hexadecimal digits of the SHA-256 of `parts`.
fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    hex(head(parts))
}

/// First 6 bytes of the SHA-256 of `parts`.
fn head<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 6] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0x1e]);
    }
    let mut head = [0; 6];
    head.copy_from_slice(&hash.finalize()[..6]);
    head
}

fn hex(bytes: [u8; 6]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
