//! Adapter folders in the PEFT format: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Format: <https://huggingface.co/docs/peft/developer_guides/checkpoint>.

use super::{
    config::Config,
    error::ModelError,
    linear::Precision,
    lora::{Adapter, AdapterLinear, AdapterPart, LowMatrix, Projection, Slot},
    safetensors::SafetensorsFolder,
    weights::WeightSource,
};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// The projections that may have an adapter: PEFT name, stacked layer, and part within it.
pub const TARGETS: [(&str, Projection); 7] = [
    ("self_attn.q_proj", Projection::Qkv),
    ("self_attn.k_proj", Projection::Qkv),
    ("self_attn.v_proj", Projection::Qkv),
    ("self_attn.o_proj", Projection::Output),
    ("mlp.gate_proj", Projection::GateUp),
    ("mlp.up_proj", Projection::GateUp),
    ("mlp.down_proj", Projection::Down),
];

/// Beyond any rank that makes sense; what is computed with it stays in range.
const HIGHEST_RANK: usize = 1 << 16;

/// What `adapter_config.json` says, as far as we use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoraConfig {
    pub peft_type: String,
    #[serde(default)]
    pub task_type: Option<String>,
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    pub r: usize,
    pub lora_alpha: f32,
    #[serde(default)]
    pub lora_dropout: f32,
    #[serde(default)]
    pub target_modules: Value,
    #[serde(default)]
    pub bias: Option<String>,
    #[serde(default)]
    pub fan_in_fan_out: bool,
    #[serde(default)]
    pub use_rslora: bool,
    #[serde(default)]
    pub use_dora: bool,
    #[serde(default)]
    pub lora_bias: bool,
    #[serde(default)]
    pub modules_to_save: Option<Value>,
    #[serde(default)]
    pub layer_replication: Option<Value>,
    #[serde(default)]
    pub rank_pattern: BTreeMap<String, usize>,
    #[serde(default)]
    pub alpha_pattern: BTreeMap<String, f32>,
}

impl LoraConfig {
    /// The setting of a new adapter of rank `r` on `targets` (`q_proj`, …).
    pub fn new(base: &str, r: usize, lora_alpha: f32, use_rslora: bool, targets: &[&str]) -> LoraConfig {
        LoraConfig {
            peft_type: "LORA".to_owned(),
            task_type: Some("CAUSAL_LM".to_owned()),
            base_model_name_or_path: Some(base.to_owned()),
            r,
            lora_alpha,
            lora_dropout: 0.0,
            target_modules: Value::from(targets.to_vec()),
            bias: Some("none".to_owned()),
            fan_in_fan_out: false,
            use_rslora,
            use_dora: false,
            lora_bias: false,
            modules_to_save: None,
            layer_replication: None,
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
        }
    }

    /// Reads `adapter_config.json` of `folder`, and refuses what we cannot compute.
    pub fn read(folder: &Path) -> Result<LoraConfig, ModelError> {
        let path = folder.join("adapter_config.json");
        let text = fs::read_to_string(&path).map_err(ModelError::io(&path))?;
        let config: LoraConfig = serde_json::from_str(&text)
            .map_err(|e| adapter_error(folder, format!("adapter_config.json: {e}")))?;
        let refused = [
            (config.peft_type != "LORA", "a PEFT type other than LORA"),
            (config.use_dora, "DoRA (use_dora)"),
            (config.lora_bias, "lora_bias"),
            (config.bias.as_deref().is_some_and(|b| b != "none"), "trained biases (bias)"),
            (config.fan_in_fan_out, "fan_in_fan_out"),
            (given(&config.modules_to_save), "fully trained modules (modules_to_save)"),
            (given(&config.layer_replication), "layer_replication"),
        ];
        match refused.iter().find(|(present, _)| *present) {
            Some((_, what)) => Err(adapter_error(
                folder,
                format!("{what} is not supported; merge it into the model instead"),
            )),
            None if config.r == 0 => Err(adapter_error(folder, "rank r is 0")),
            None if config.r > HIGHEST_RANK => Err(adapter_error(
                folder,
                format!("rank r is {}: no layer is as wide (at most {HIGHEST_RANK})", config.r),
            )),
            None => Ok(config),
        }
    }

    /// The factor of `B A x` in module `name` (`model.layers.0.self_attn.q_proj`), given its rank.
    fn scale(&self, name: &str, rank: usize) -> f32 {
        let alpha = lookup(&self.alpha_pattern, name).copied().unwrap_or(self.lora_alpha);
        if self.use_rslora { alpha / (rank as f32).sqrt() } else { alpha / rank as f32 }
    }

    fn rank(&self, name: &str) -> usize {
        lookup(&self.rank_pattern, name).copied().unwrap_or(self.r)
    }
}

fn given(value: &Option<Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    }
}

/// PEFT's rule: the first pattern that, as a regular expression, matches the end of the name after a dot.
fn lookup<'a, T>(patterns: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    patterns.iter().find_map(|(pattern, value)| {
        let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$")).ok()?;
        regex.is_match(name).then_some(value)
    })
}

fn adapter_error(folder: &Path, problem: impl Into<String>) -> ModelError {
    ModelError::Adapter { path: folder.to_owned(), problem: problem.into() }
}

/// Inputs and outputs of a projection.
pub fn dimensions(config: &Config, target: &str) -> (usize, usize) {
    let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    match target {
        "self_attn.q_proj" => (config.hidden, q),
        "self_attn.k_proj" | "self_attn.v_proj" => (config.hidden, kv),
        "self_attn.o_proj" => (q, config.hidden),
        "mlp.down_proj" => (config.intermediate, config.hidden),
        _ => (config.hidden, config.intermediate),
    }
}

/// Loads an adapter for a model of these dimensions.
pub fn load(folder: &Path, config: &Config, precision: Precision) -> Result<Adapter, ModelError> {
    let settings = LoraConfig::read(folder)?;
    let mut source = SafetensorsFolder::open(folder)?;
    let mut adapter = Adapter::default();
    let mut used = 0;
    for layer in 0..config.layers {
        for projection in [Projection::Qkv, Projection::Output, Projection::GateUp, Projection::Down] {
            let (mut stacked, mut parts) = (Vec::new(), Vec::new());
            let (mut width, mut rank_start, mut out_start) = (0, 0, 0);
            for (target, _) in TARGETS.iter().filter(|(_, p)| *p == projection) {
                let (inputs, outputs) = dimensions(config, target);
                width = inputs;
                let module = format!("model.layers.{layer}.{target}");
                let name = |part: &str| format!("base_model.model.{module}.lora_{part}.weight");
                let rank = settings.rank(&module);
                if let Some(a) = source.read(&name("A"))? {
                    let scale = settings.scale(&module, rank);
                    if a.shape != [rank, inputs] {
                        return Err(adapter_error(
                            folder,
                            format!(
                                "`{}` has shape {:?}, expected [{rank}, {inputs}]; was it trained on another model?",
                                name("A"),
                                a.shape
                            ),
                        ));
                    }
                    let mut b = source.tensor(&name("B"), &[outputs, rank])?;
                    b.iter_mut().for_each(|v| *v *= scale);
                    stacked.extend(a.values);
                    parts.push(AdapterPart {
                        rank_start,
                        up: LowMatrix::pack(precision, &b, outputs, rank),
                        out_start,
                    });
                    rank_start += rank;
                    used += 2;
                }
                out_start += outputs;
            }
            if !parts.is_empty() {
                let down = LowMatrix::pack(precision, &stacked, rank_start, width);
                adapter.linears.insert(Slot { layer, projection }, AdapterLinear { down, parts });
            }
        }
    }
    let total = source.names().count();
    if used == 0 || used != total {
        return Err(adapter_error(
            folder,
            format!(
                "{} of its {total} tensors belong to no linear layer of this model; was it trained on another \
                 model?",
                total - used
            ),
        ));
    }
    Ok(adapter)
}
