//! Traces: what one method wrote about one item, with everything needed to write it again.

use super::{AnswerRule, Item, ItemId, Letter, MethodId, Sampler, TemplateRef};
use serde::{Deserialize, Deserializer, Serialize};

/// Why the writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// The model ended its turn.
    Stop,
    /// `max_tokens` was reached, or the context was full.
    Length,
    /// A stop string was met.
    StopString,
    /// The user cancelled; what was written is kept.
    Cancelled,
    /// The engine failed; what was written is kept.
    Failed,
}

/// Wall-clock facts of one generation, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// From request to the first written token.
    pub first_token_ms: f64,
    /// From request to the last token.
    pub total_ms: f64,
    /// When each token came, counted from the request; empty where nobody recorded it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_ms: Vec<u32>,
}

/// What wrote the trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineInfo {
    /// `pluriscope 0.1.0`, or the server's name.
    pub name: String,
    /// How the weights were held: `q8`, `f32`, or what a server says.
    pub weights: String,
    /// SHA-256 of the model file(s), first 16 digits, where known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model_hash: String,
}

/// One trace. The first block is the study's own result fields; the rest is ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    pub item_id: ItemId,
    pub method: MethodId,
    /// All that the model wrote, unaltered.
    pub llm_output: String,
    /// The rationale: the output up to the answer.
    pub cot: String,
    /// `None` is "no answer", never an A. Written as "" in files, as the study does.
    #[serde(default, with = "letter_or_empty")]
    pub predicted_answer: Option<Letter>,
    /// Which parser rule found the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_rule: Option<AnswerRule>,
    /// Whether the answer equals gold; `None` when gold is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
    /// Counts repeated samples of one method on one item, from 0.
    #[serde(default)]
    pub sample: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<Sampler>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How many tokens the prompt had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u32>,
    /// The written tokens, in order, without the end-of-text token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// Natural log-probability of each written token at temperature 1, as long as `tokens`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineInfo>,
    /// Fields that Pluriscope does not know; they survive a round trip.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Trace {
    /// A trace with the answer read out of `llm_output` and judged against the item's gold.
    pub fn new(item: &Item, method: MethodId, llm_output: String) -> Trace {
        let answer = super::parse_answer(&llm_output, item);
        let predicted_answer = answer.as_ref().map(|a| a.letter);
        let cot = super::answer::rationale(&llm_output, answer.as_ref()).to_owned();
        Trace {
            item_id: item.id,
            method,
            cot,
            predicted_answer,
            answer_rule: answer.map(|a| a.rule),
            correct: item.gold.map(|gold| predicted_answer == Some(gold)),
            llm_output,
            sample: 0,
            model: String::new(),
            adapter: None,
            template: None,
            sampler: None,
            seed: None,
            prompt_tokens: None,
            tokens: Vec::new(),
            logprobs: Vec::new(),
            finish: None,
            timing: None,
            engine: None,
            extra: serde_json::Map::new(),
        }
    }

    /// How many tokens were written, where that is known.
    pub fn token_count(&self) -> Option<usize> {
        if !self.tokens.is_empty() {
            return Some(self.tokens.len());
        }
        // Servers tell how many, not which.
        self.extra.get("server")?.get("completion_tokens")?.as_u64().map(|n| n as usize)
    }
}

/// The study writes an unparseable answer as an empty string; `null` and a missing field mean the same.
mod letter_or_empty {
    use super::{Deserialize, Deserializer, Letter};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(letter: &Option<Letter>, serializer: S) -> Result<S::Ok, S::Error> {
        match letter {
            Some(letter) => serializer.collect_str(letter),
            None => serializer.serialize_str(""),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Letter>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        let mut chars = text.trim().chars();
        Ok(match (chars.next(), chars.next()) {
            (Some(c), None) => Letter::from_char(c),
            _ => None,
        })
    }
}
