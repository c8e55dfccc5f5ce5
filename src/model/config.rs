//! The dimensions and options of a decoder, from `config.json` or GGUF metadata.

use super::error::ModelError;
use serde::Deserialize;
use std::path::Path;

/// Which family the weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    Llama,
    Qwen2,
}

impl Architecture {
    pub fn word(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Qwen2 => "qwen2",
        }
    }

    pub(super) fn parse(word: &str, path: &Path) -> Result<Architecture, ModelError> {
        match word {
            "llama" => Ok(Architecture::Llama),
            "qwen2" => Ok(Architecture::Qwen2),
            other => Err(ModelError::unsupported(
                path,
                format!("architecture `{other}`"),
                "use a Llama or Qwen2 model, or serve it elsewhere and give its URL as openai:URL#model",
            )),
        }
    }
}

/// All that the decoder needs to know besides the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub architecture: Architecture,
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub vocabulary: usize,
    /// Longest sequence, in tokens.
    pub context: usize,
    pub norm_eps: f32,
    pub rope: Rope,
    /// Query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// The output layer is the embedding.
    pub tied: bool,
    /// Tokens that end a turn.
    pub end_tokens: Vec<u32>,
}

/// Rotary position embedding: base and scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    pub theta: f32,
    pub scaling: RopeScaling,
}

/// How rotary frequencies are stretched for longer contexts.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    None,
    /// All frequencies divided by one factor.
    Linear(f32),
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        factor: f32,
        low: f32,
        high: f32,
        original_context: f32,
    },
    /// One divisor per frequency, as in the GGUF tensor `rope_freqs` `[head_dim / 2]`.
    Divisors(Vec<f32>),
}

impl Rope {
    /// Angular frequencies `[head_dim / 2]`, in radians per position.
    pub fn frequencies(&self, head_dim: usize) -> Vec<f32> {
        (0..head_dim / 2)
            .map(|i| {
                let plain = 1.0 / self.theta.powf((2 * i) as f32 / head_dim as f32);
                match &self.scaling {
                    RopeScaling::None => plain,
                    RopeScaling::Linear(factor) => plain / factor,
                    RopeScaling::Divisors(divisors) => plain / divisors.get(i).copied().unwrap_or(1.0),
                    RopeScaling::Llama3 { factor, low, high, original_context } => {
                        let wavelength = std::f32::consts::TAU / plain;
                        if wavelength < original_context / high {
                            plain
                        } else if wavelength > original_context / low {
                            plain / factor
                        } else {
                            let keep = (original_context / wavelength - low) / (high - low);
                            (1.0 - keep) * plain / factor + keep * plain
                        }
                    }
                }
            })
            .collect()
    }
}

impl Config {
    /// Parameters of the decoder, biases left out.
    pub fn parameters(&self) -> u64 {
        let attention = self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads);
        let layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden;
        let embeddings = self.vocabulary * self.hidden * if self.tied { 1 } else { 2 };
        (layer * self.layers + embeddings + self.hidden) as u64
    }

    /// Refuses dimensions that cannot be right.
    pub(super) fn check(self, path: &Path) -> Result<Config, ModelError> {
        let positive =
            [self.hidden, self.intermediate, self.layers, self.heads, self.kv_heads, self.head_dim];
        if positive.contains(&0) || self.vocabulary == 0 {
            return Err(ModelError::format(path, "a dimension of the model is 0"));
        }
        // Far beyond any model, and small enough that no product of them overflows.
        let within = positive.iter().all(|n| *n <= 1 << 20) && self.layers <= 1 << 12;
        if !within || self.vocabulary > 1 << 24 {
            return Err(ModelError::format(path, "a dimension larger than any model's; the file is damaged"));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(ModelError::format(
                path,
                format!("{} heads cannot share {} key/value heads", self.heads, self.kv_heads),
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(ModelError::format(path, format!("head dimension {} is odd", self.head_dim)));
        }
        Ok(self)
    }

    /// Reads the text of a Hugging Face `config.json`; `path` is for messages.
    pub fn from_json(text: &str, path: &Path) -> Result<Config, ModelError> {
        let file: ConfigFile = serde_json::from_str(text).map_err(|e| ModelError::format(path, e))?;
        let architecture = Architecture::parse(&file.model_type, path)?;
        if let Some(act) = file.hidden_act.as_deref().filter(|act| *act != "silu") {
            return Err(ModelError::unsupported(path, format!("activation `{act}`"), "only silu is"));
        }
        if file.use_sliding_window == Some(true) {
            return Err(ModelError::unsupported(
                path,
                "sliding-window attention",
                "set `use_sliding_window` to false if the prompts are shorter than the window",
            ));
        }
        let parameters = file.rope_parameters.or(file.rope_scaling);
        let theta = file.rope_theta.or(parameters.as_ref().and_then(|p| p.rope_theta)).unwrap_or(10_000.0);
        Config {
            architecture,
            hidden: file.hidden_size,
            intermediate: file.intermediate_size,
            layers: file.num_hidden_layers,
            heads: file.num_attention_heads,
            kv_heads: file.num_key_value_heads.unwrap_or(file.num_attention_heads),
            head_dim: file
                .head_dim
                .unwrap_or(file.hidden_size.checked_div(file.num_attention_heads).unwrap_or(0)),
            vocabulary: file.vocab_size,
            context: file.max_position_embeddings.unwrap_or(2048),
            norm_eps: file.rms_norm_eps.unwrap_or(1e-6),
            rope: Rope { theta, scaling: rope_scaling(parameters, path)? },
            qkv_bias: file.attention_bias.unwrap_or(architecture == Architecture::Qwen2),
            tied: file.tie_word_embeddings.unwrap_or(false),
            end_tokens: file.eos_token_id.map_or(Vec::new(), OneOrMany::into_vec),
        }
        .check(path)
    }
}

fn rope_scaling(parameters: Option<RopeParameters>, path: &Path) -> Result<RopeScaling, ModelError> {
    let Some(p) = parameters else { return Ok(RopeScaling::None) };
    let need = |value: Option<f32>, name: &str| {
        value.ok_or_else(|| ModelError::format(path, format!("rope scaling lacks `{name}`")))
    };
    match p.rope_type.as_deref().unwrap_or("default") {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear(need(p.factor, "factor")?)),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: need(p.factor, "factor")?,
            low: need(p.low_freq_factor, "low_freq_factor")?,
            high: need(p.high_freq_factor, "high_freq_factor")?,
            original_context: need(p.original_max_position_embeddings, "original_max_position_embeddings")?,
        }),
        other => Err(ModelError::unsupported(
            path,
            format!("rope scaling `{other}`"),
            "default, linear and llama3 are; remove it if the prompts fit the original context",
        )),
    }
}

#[derive(Deserialize)]
struct ConfigFile {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f32>,
    rope_theta: Option<f32>,
    rope_scaling: Option<RopeParameters>,
    rope_parameters: Option<RopeParameters>,
    attention_bias: Option<bool>,
    tie_word_embeddings: Option<bool>,
    hidden_act: Option<String>,
    use_sliding_window: Option<bool>,
    eos_token_id: Option<OneOrMany>,
}

#[derive(Deserialize)]
struct RopeParameters {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f32>,
    factor: Option<f32>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    original_max_position_embeddings: Option<f32>,
}

/// `eos_token_id` is a number or a list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    pub(super) fn into_vec(self) -> Vec<u32> {
        match self {
            OneOrMany::One(token) => vec![token],
            OneOrMany::Many(tokens) => tokens,
        }
    }
}
