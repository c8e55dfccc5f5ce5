//! The decoder, once for Llama and Qwen2, generation and training.
//!
//! Rows of all sequences are one flat list of tokens `[m, hidden]`; only attention knows which token
//! belongs to which sequence, and it is a trait: [`CachedAttention`](super::attention::CachedAttention)
//! reads and writes the paged cache. Training brings its own implementation over padded batches, out of
//! differentiable operations, and a backward pass for the operations here; nothing else changes.

use super::{
    config::Config,
    error::ModelError,
    linear::{Linear, Matrix, Precision},
    lora::{AdapterRows, Projection, Slot},
    ops::{self, RmsNorm},
    weights::WeightSource,
};
use candle_core::{Device, Result, Tensor};
use std::{ops::ControlFlow, sync::Arc};

/// Weights and structure of a model.
pub struct Decoder {
    pub config: Config,
    embedding: Arc<Matrix>,
    layers: Vec<Layer>,
    norm: RmsNorm,
    head: Arc<Matrix>,
}

struct Layer {
    attention_norm: RmsNorm,
    qkv: Linear,
    output: Linear,
    mlp_norm: RmsNorm,
    gate_up: Linear,
    down: Linear,
}

/// Mixes tokens of the same sequence.
pub trait Attention {
    /// `qkv` `[m, (heads + 2 kv_heads) * head_dim]`, before RoPE, to `[m, heads * head_dim]`.
    fn attend(&mut self, layer: usize, qkv: &Tensor) -> Result<Tensor>;
}

impl Decoder {
    /// Reads and packs all weights; `progress` hears the fraction done and may stop it.
    pub fn load(
        source: &mut dyn WeightSource,
        config: Config,
        precision: Precision,
        progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> std::result::Result<Decoder, ModelError> {
        let (hidden, vocabulary) = (config.hidden, config.vocabulary);
        let (q, kv) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        let mut report = |done: usize| match progress(done as f32 / (config.layers + 1) as f32) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ModelError::Cancelled),
        };
        report(0)?;
        let matrix = |source: &mut dyn WeightSource, name: &str| {
            let values = source.tensor(name, &[vocabulary, hidden])?;
            Ok::<_, ModelError>(Arc::new(Matrix::pack(precision, &values, vocabulary, hidden)))
        };
        let embedding = matrix(source, "model.embed_tokens.weight")?;
        let head = if config.tied { embedding.clone() } else { matrix(source, "lm_head.weight")? };
        let mut layers = Vec::with_capacity(config.layers);
        for i in 0..config.layers {
            report(i + 1)?;
            let mut stack = |names: &[(&str, usize)], cols: usize, projection: Projection| {
                let rows = names.iter().map(|(_, rows)| rows).sum();
                let (mut weights, mut bias) = (Vec::with_capacity(rows * cols), Vec::new());
                for (name, rows) in names {
                    let name = format!("model.layers.{i}.{name}");
                    weights.extend(source.tensor(&format!("{name}.weight"), &[*rows, cols])?);
                    let biased = config.qkv_bias && projection == Projection::Qkv;
                    match source.read(&format!("{name}.bias"))? {
                        Some(values) => bias.extend(values.values),
                        None if biased => {
                            return Err(ModelError::MissingTensor {
                                path: source.path().to_owned(),
                                name: format!("{name}.bias"),
                            });
                        }
                        None => {}
                    }
                }
                Ok::<_, ModelError>(Linear {
                    weight: Arc::new(Matrix::pack(precision, &weights, rows, cols)),
                    bias: Some(bias).filter(|b| b.len() == rows),
                    slot: Slot { layer: i, projection },
                })
            };
            let qkv = stack(
                &[("self_attn.q_proj", q), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)],
                hidden,
                Projection::Qkv,
            )?;
            let output = stack(&[("self_attn.o_proj", hidden)], q, Projection::Output)?;
            let gate_up = stack(
                &[("mlp.gate_proj", config.intermediate), ("mlp.up_proj", config.intermediate)],
                hidden,
                Projection::GateUp,
            )?;
            let down = stack(&[("mlp.down_proj", hidden)], config.intermediate, Projection::Down)?;
            let mut norm = |name: &str| {
                Ok::<_, ModelError>(RmsNorm {
                    weight: source.tensor(&format!("model.layers.{i}.{name}.weight"), &[hidden])?,
                    eps: config.norm_eps,
                })
            };
            layers.push(Layer {
                attention_norm: norm("input_layernorm")?,
                qkv,
                output,
                mlp_norm: norm("post_attention_layernorm")?,
                gate_up,
                down,
            });
        }
        let norm = RmsNorm { weight: source.tensor("model.norm.weight", &[hidden])?, eps: config.norm_eps };
        Ok(Decoder { config, embedding, layers, norm, head })
    }

    /// Memory of the weights, in bytes.
    pub fn bytes(&self) -> u64 {
        let head = if Arc::ptr_eq(&self.embedding, &self.head) { 0 } else { self.head.bytes() };
        let layers = self.layers.iter().flat_map(|l| [&l.qkv, &l.output, &l.gate_up, &l.down]);
        self.embedding.bytes() + head + layers.map(|linear| linear.weight.bytes()).sum::<u64>()
    }

    /// Tokens to `[m, hidden]`; every token is within the vocabulary.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        let hidden = self.config.hidden;
        let mut out = vec![0f32; tokens.len() * hidden];
        for (token, out) in tokens.iter().zip(out.chunks_exact_mut(hidden)) {
            self.embedding.row(*token as usize, out);
        }
        Tensor::from_vec(out, (tokens.len(), hidden), &Device::Cpu)
    }

    /// All layers: `x` `[m, hidden]` to `[m, hidden]`, before the last norm.
    pub fn forward(
        &self,
        mut x: Tensor,
        attention: &mut dyn Attention,
        adapters: &[AdapterRows<'_>],
    ) -> Result<Tensor> {
        for (i, layer) in self.layers.iter().enumerate() {
            let qkv = layer.qkv.forward(&layer.attention_norm.forward(&x)?, adapters)?;
            let mixed = attention.attend(i, &qkv)?;
            x = (x + layer.output.forward(&mixed, adapters)?)?;
            let gate_up = layer.gate_up.forward(&layer.mlp_norm.forward(&x)?, adapters)?;
            x = (x + layer.down.forward(&ops::swiglu(&gate_up)?, adapters)?)?;
        }
        Ok(x)
    }

    /// `x` `[m, hidden]`, from [`Decoder::forward`], to logits `[m, vocabulary]`.
    pub fn logits(&self, x: &Tensor) -> Result<Vec<f32>> {
        super::linear::with_floats(&self.norm.forward(x)?, |x| self.head.product(x))
    }
}
