//! Sampling parameters of one row: plain data; the arithmetic lives with the model.

use serde::{Deserialize, Serialize};

/// How the next token is drawn. The defaults are the study's evaluation settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampler {
    /// 0 is greedy: the most probable token, ties to the lower id.
    pub temperature: f32,
    /// Keep the smallest set of tokens whose mass reaches this; 1 keeps all.
    pub top_p: f32,
    /// Keep this many tokens; 0 keeps all.
    pub top_k: usize,
    /// Drop tokens less probable than this share of the best one's probability; 0 drops none.
    pub min_p: f32,
    /// The most tokens to write.
    pub max_tokens: usize,
    /// Text that ends the answer; it is cut off, and end-of-text is always a stop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler { temperature: 0.7, top_p: 0.95, top_k: 0, min_p: 0.0, max_tokens: 512, stop: Vec::new() }
    }
}

impl Sampler {
    /// The most probable token each time.
    pub fn greedy(max_tokens: usize) -> Sampler {
        Sampler { temperature: 0.0, top_p: 1.0, max_tokens, ..Sampler::default() }
    }

    /// The first thing wrong with the settings, in words for the user.
    pub fn problem(&self) -> Option<String> {
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            Some(format!("temperature {} must be 0 or more", self.temperature))
        } else if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            Some(format!("top_p {} must be above 0 and at most 1", self.top_p))
        } else if !(0.0..=1.0).contains(&self.min_p) {
            Some(format!("min_p {} must be between 0 and 1", self.min_p))
        } else if self.max_tokens == 0 {
            Some("max_tokens must be at least 1".to_owned())
        } else {
            None
        }
    }
}
