//! The base model's weights as training needs them: never changed, read in both directions.
//!
//! A frozen matrix costs two products per step, `y = W x` and `dx = dy W`; its own gradient is never
//! computed. Each direction streams through a packing of its own, which doubles the memory of the weights
//! and lets both run at the full speed of the kernels.

use super::error::TrainError;
use crate::model::{
    config::Config,
    gguf::Gguf,
    kernels::{self, dense::PackedF32, parallel},
    lora::Projection,
    safetensors::SafetensorsFolder,
    weights::WeightSource,
};
use std::{fs, path::Path};

/// A weight matrix `[rows, cols]` that only passes values and gradients through.
pub struct FrozenMatrix {
    forward: PackedF32,
    backward: PackedF32,
}

impl FrozenMatrix {
    /// From `weights` `[rows, cols]`, row-major.
    pub fn new(weights: &[f32], rows: usize, cols: usize) -> FrozenMatrix {
        FrozenMatrix {
            forward: PackedF32::pack(weights, rows, cols),
            backward: PackedF32::pack_columns(weights, cols, rows),
        }
    }

    /// `x` `[m, cols]` to `W x` `[m, rows]`.
    pub fn product(&self, x: &[f32]) -> Vec<f32> {
        product(&self.forward, x)
    }

    /// `dy` `[m, rows]` to `dy W` `[m, cols]`.
    pub fn gradient(&self, dy: &[f32]) -> Vec<f32> {
        product(&self.backward, dy)
    }

    pub fn rows(&self) -> usize {
        self.forward.rows()
    }

    pub fn bytes(&self) -> u64 {
        self.forward.bytes() + self.backward.bytes()
    }
}

/// `x` `[m, cols]` to `[m, rows]`.
pub(super) fn product(matrix: &PackedF32, x: &[f32]) -> Vec<f32> {
    let mut out = parallel::zeros(x.len() / matrix.cols() * matrix.rows());
    matrix.matmul(kernels::isa(), x, &mut out);
    out
}

/// One layer of the decoder.
pub struct FrozenLayer {
    pub attention_norm: Vec<f32>,
    /// Query, key and value, stacked.
    pub qkv: FrozenMatrix,
    pub qkv_bias: Option<Vec<f32>>,
    pub output: FrozenMatrix,
    pub mlp_norm: Vec<f32>,
    /// Gate, then up, stacked.
    pub gate_up: FrozenMatrix,
    pub down: FrozenMatrix,
}

impl FrozenLayer {
    /// The matrix that `projection` names.
    pub fn matrix(&self, projection: Projection) -> &FrozenMatrix {
        match projection {
            Projection::Qkv => &self.qkv,
            Projection::Output => &self.output,
            Projection::GateUp => &self.gate_up,
            Projection::Down => &self.down,
        }
    }
}

/// All weights of a base model.
pub struct Frozen {
    pub config: Config,
    /// `[vocabulary, hidden]`
    embedding: Vec<f32>,
    pub layers: Vec<FrozenLayer>,
    pub norm: Vec<f32>,
    pub head: FrozenMatrix,
    /// Angular frequencies of RoPE `[head_dim / 2]`.
    pub frequencies: Vec<f32>,
}

impl Frozen {
    /// Reads a `.gguf` file (weights are dequantised) or a folder of safetensors.
    pub fn load(path: &Path) -> Result<Frozen, TrainError> {
        if path.is_dir() {
            return Frozen::read(&mut SafetensorsFolder::open(path)?, Frozen::config(path)?);
        }
        let mut gguf = Gguf::open(path)?;
        let config = gguf.config().clone();
        Frozen::read(&mut gguf, config)
    }

    /// The dimensions of a model file or folder, without its weights.
    pub fn config(path: &Path) -> Result<Config, TrainError> {
        if !path.is_dir() {
            return Ok(Gguf::open(path)?.config().clone());
        }
        let file = path.join("config.json");
        let text = fs::read_to_string(&file).map_err(TrainError::io(&file))?;
        Ok(Config::from_json(&text, &file)?)
    }

    /// Reads all tensors of `source`.
    pub fn read(source: &mut dyn WeightSource, config: Config) -> Result<Frozen, TrainError> {
        let (hidden, vocabulary) = (config.hidden, config.vocabulary);
        let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        let embedding = source.tensor("model.embed_tokens.weight", &[vocabulary, hidden])?;
        let head = if config.tied {
            FrozenMatrix::new(&embedding, vocabulary, hidden)
        } else {
            FrozenMatrix::new(&source.tensor("lm_head.weight", &[vocabulary, hidden])?, vocabulary, hidden)
        };
        let mut layers = Vec::with_capacity(config.layers);
        for i in 0..config.layers {
            let mut stack = |names: &[(&str, usize)], cols: usize| {
                let rows = names.iter().map(|(_, rows)| rows).sum();
                let (mut weights, mut bias) = (Vec::with_capacity(rows * cols), Vec::new());
                for (name, rows) in names {
                    let name = format!("model.layers.{i}.{name}");
                    weights.extend(source.tensor(&format!("{name}.weight"), &[*rows, cols])?);
                    if let Some(values) = source.read(&format!("{name}.bias"))? {
                        bias.extend(values.values);
                    }
                }
                let bias = Some(bias).filter(|b| b.len() == rows);
                Ok::<_, TrainError>((FrozenMatrix::new(&weights, rows, cols), bias))
            };
            let (qkv, qkv_bias) = stack(
                &[("self_attn.q_proj", q), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)],
                hidden,
            )?;
            let (output, _) = stack(&[("self_attn.o_proj", hidden)], q)?;
            let (gate_up, _) = stack(
                &[("mlp.gate_proj", config.intermediate), ("mlp.up_proj", config.intermediate)],
                hidden,
            )?;
            let (down, _) = stack(&[("mlp.down_proj", hidden)], config.intermediate)?;
            let mut norm = |name: &str| source.tensor(&format!("model.layers.{i}.{name}.weight"), &[hidden]);
            let attention_norm = norm("input_layernorm")?;
            let mlp_norm = norm("post_attention_layernorm")?;
            layers.push(FrozenLayer { attention_norm, qkv, qkv_bias, output, mlp_norm, gate_up, down });
        }
        let norm = source.tensor("model.norm.weight", &[hidden])?;
        let frequencies = config.rope.frequencies(config.head_dim);
        Ok(Frozen { config, embedding, layers, norm, head, frequencies })
    }

    /// Tokens to `[m, hidden]`.
    pub fn embed(&self, tokens: &[u32]) -> Vec<f32> {
        let hidden = self.config.hidden;
        tokens.iter().flat_map(|t| &self.embedding[*t as usize * hidden..][..hidden]).copied().collect()
    }

    /// Memory of the weights, in bytes.
    pub fn bytes(&self) -> u64 {
        let layers = self
            .layers
            .iter()
            .flat_map(|l| [&l.qkv, &l.output, &l.gate_up, &l.down])
            .map(FrozenMatrix::bytes);
        layers.sum::<u64>() + self.head.bytes() + (self.embedding.len() * 4) as u64
    }
}
