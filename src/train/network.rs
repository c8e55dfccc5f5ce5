//! The decoder, differentiable: log-probabilities of targets, and the gradient of an adapter.
//!
//! The same layers over the same weights as [`crate::model::decoder`], with a way back written out by hand.
//! Only what the way back cannot cheaply compute again is kept, about 24 kB per token and layer of
//! SmolLM2-135M; gradients exist for the adapter alone. Results do not depend on the number of threads,
//! because every kernel sums in a fixed order.

use super::{
    adapt::{Low, PackedLora},
    attention,
    batch::Batch,
    frozen::{Frozen, FrozenLayer},
    lora::Lora,
    pointwise::{add, rms_norm, rms_norm_backward, swiglu, swiglu_backward},
};
use crate::model::{
    kernels,
    kernels::{elementwise::exp_sum, parallel},
    lora::Projection,
};

/// Targets whose logits exist at once: the vocabulary is wide.
const CHUNK: usize = 96;

/// What the model says of one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Natural log-probability.
    pub logprob: f32,
    /// Whether it is the most probable token.
    pub best: bool,
}

/// The derivative of the loss by a target's log-probability, given its place in [`Batch::targets`] and that
/// log-probability.
pub type Slope<'a> = dyn Fn(usize, f32) -> f32 + 'a;

/// What a layer keeps for the way back.
struct Kept {
    input: Vec<f32>,
    /// After RoPE.
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    middle: Vec<f32>,
    gate_up: Vec<f32>,
    lows: [Low; 4],
}

/// Floats kept per token and layer.
pub fn kept_floats(config: &crate::model::config::Config) -> usize {
    let q = config.heads * config.head_dim;
    2 * config.hidden + 2 * q + 2 * config.kv_heads * config.head_dim + 2 * config.intermediate
}

/// Log-probabilities of all targets, at the batch's temperature; without `lora`, those of the base model.
pub fn score(frozen: &Frozen, lora: Option<&Lora>, batch: &Batch) -> Vec<Scored> {
    let packed = lora.map(PackedLora::new);
    let (hidden, _) = forward(frozen, packed.as_ref(), batch, None, false);
    head(frozen, &hidden, batch, None).0
}

/// As [`score`] under the dropout masks that `seed` draws: what [`learn`] sees with the same seed.
pub fn score_dropped(frozen: &Frozen, lora: &Lora, batch: &Batch, seed: u64) -> Vec<Scored> {
    let (hidden, _) = forward(frozen, Some(&PackedLora::new(lora)), batch, Some(seed), false);
    head(frozen, &hidden, batch, None).0
}

/// As [`score`], and adds to `gradient` (laid out as [`Lora::values`]) that of a loss with slope `slope`.
/// `seed` draws the dropout masks.
pub fn learn(
    frozen: &Frozen,
    lora: &Lora,
    batch: &Batch,
    seed: u64,
    slope: &Slope<'_>,
    gradient: &mut [f32],
) -> Vec<Scored> {
    let packed = PackedLora::new(lora);
    let (hidden, kept) = forward(frozen, Some(&packed), batch, Some(seed), true);
    let (scored, d_hidden) = head(frozen, &hidden, batch, Some(slope));
    let mut dx = d_hidden;
    let lowest = lora.sites.first().map_or(0, |s| s.layer);
    for (i, kept) in kept.into_iter().enumerate().rev() {
        if i < lowest {
            break;
        }
        dx = layer_backward(frozen, i, &packed, batch, &kept, dx, gradient, i == lowest);
    }
    scored
}

fn forward(
    frozen: &Frozen,
    lora: Option<&PackedLora>,
    batch: &Batch,
    seed: Option<u64>,
    keep: bool,
) -> (Vec<f32>, Vec<Kept>) {
    let mut x = frozen.embed(&batch.tokens);
    let mut all = Vec::new();
    for (i, layer) in frozen.layers.iter().enumerate() {
        let (out, kept) = layer_forward(frozen, layer, i, lora, batch, x, seed);
        x = out;
        if keep {
            all.push(kept);
        }
    }
    (x, all)
}

fn layer_forward(
    frozen: &Frozen,
    layer: &FrozenLayer,
    i: usize,
    lora: Option<&PackedLora>,
    batch: &Batch,
    input: Vec<f32>,
    seed: Option<u64>,
) -> (Vec<f32>, Kept) {
    let config = &frozen.config;
    let linear = |projection: Projection, x: &[f32]| {
        let matrix = layer.matrix(projection);
        let mut y = matrix.product(x);
        if let (Projection::Qkv, Some(bias)) = (projection, &layer.qkv_bias) {
            for row in y.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        }
        let low = match lora {
            Some(lora) => lora.forward((i, projection), x, &mut y, matrix.rows(), seed),
            None => Low::default(),
        };
        (y, low)
    };
    let normed = rms_norm(&input, &layer.attention_norm, config.norm_eps);
    let (mut qkv, low_qkv) = linear(Projection::Qkv, &normed);
    attention::rope(&mut qkv, &batch.positions, config, &frozen.frequencies, false);
    let mixed = attention::forward(&qkv, batch, config);
    let (mut middle, low_output) = linear(Projection::Output, &mixed);
    add(&mut middle, &input);
    let normed = rms_norm(&middle, &layer.mlp_norm, config.norm_eps);
    let (gate_up, low_gate_up) = linear(Projection::GateUp, &normed);
    let (mut out, low_down) = linear(Projection::Down, &swiglu(&gate_up, config.intermediate));
    add(&mut out, &middle);
    (out, Kept { input, qkv, mixed, middle, gate_up, lows: [low_qkv, low_output, low_gate_up, low_down] })
}

/// Given the gradient of a layer's output, that of its input; `last` saves the parts that nobody reads.
#[allow(clippy::too_many_arguments)]
fn layer_backward(
    frozen: &Frozen,
    i: usize,
    lora: &PackedLora,
    batch: &Batch,
    kept: &Kept,
    mut dx: Vec<f32>,
    gradient: &mut [f32],
    last: bool,
) -> Vec<f32> {
    let (config, layer) = (&frozen.config, &frozen.layers[i]);
    let eps = config.norm_eps;
    let [low_qkv, low_output, low_gate_up, low_down] = &kept.lows;
    let mut back = |projection: Projection, x: &[f32], low: &Low, dy: &[f32], through: bool| {
        let matrix = layer.matrix(projection);
        let mut d = if through { matrix.gradient(dy) } else { parallel::zeros(x.len()) };
        lora.backward((i, projection), x, low, dy, matrix.rows(), gradient, &mut d);
        d
    };
    let activated = swiglu(&kept.gate_up, config.intermediate);
    let d_activated = back(Projection::Down, &activated, low_down, &dx, true);
    let d_gate_up = swiglu_backward(&kept.gate_up, config.intermediate, &d_activated);
    let normed = rms_norm(&kept.middle, &layer.mlp_norm, eps);
    let d_normed = back(Projection::GateUp, &normed, low_gate_up, &d_gate_up, true);
    rms_norm_backward(&kept.middle, &layer.mlp_norm, eps, &d_normed, &mut dx);
    let d_mixed = back(Projection::Output, &kept.mixed, low_output, &dx, true);
    let mut d_qkv = attention::backward(&kept.qkv, &d_mixed, batch, config);
    attention::rope(&mut d_qkv, &batch.positions, config, &frozen.frequencies, true);
    let normed = rms_norm(&kept.input, &layer.attention_norm, eps);
    let d_normed = back(Projection::Qkv, &normed, low_qkv, &d_qkv, !last);
    if !last {
        rms_norm_backward(&kept.input, &layer.attention_norm, eps, &d_normed, &mut dx);
    }
    dx
}

/// Scores all targets from `hidden` `[m, hidden]`, before the last norm; with `slope`, also the gradient of
/// `hidden` (else empty).
fn head(
    frozen: &Frozen,
    hidden: &[f32],
    batch: &Batch,
    slope: Option<&Slope<'_>>,
) -> (Vec<Scored>, Vec<f32>) {
    let (width, vocabulary) = (frozen.config.hidden, frozen.config.vocabulary);
    let (isa, eps) = (kernels::isa(), frozen.config.norm_eps);
    let sharpness = 1.0 / batch.temperature;
    let mut scored = Vec::with_capacity(batch.targets.len());
    let mut d_hidden = if slope.is_some() { vec![0f32; hidden.len()] } else { Vec::new() };
    for (chunk, targets) in batch.targets.chunks(CHUNK).enumerate() {
        let rows: Vec<f32> = targets.iter().flat_map(|t| &hidden[t.at * width..][..width]).copied().collect();
        let mut logits = frozen.head.product(&rms_norm(&rows, &frozen.norm, eps));
        for (i, (target, row)) in targets.iter().zip(logits.chunks_exact_mut(vocabulary)).enumerate() {
            let max = row.iter().fold(f32::MIN, |m, v| m.max(*v));
            let own = row[target.token as usize];
            let values = row.to_vec();
            let sum = exp_sum(isa, &values, max, sharpness, row);
            let logprob = (own - max) * sharpness - sum.ln();
            scored.push(Scored { logprob, best: own >= max });
            if let Some(slope) = slope {
                // d logprob / d logits = (onehot - p) / temperature.
                let slope = slope(chunk * CHUNK + i, logprob) * sharpness;
                let scale = -slope / sum;
                row.iter_mut().for_each(|p| *p *= scale);
                row[target.token as usize] += slope;
            }
        }
        if slope.is_some() {
            let d_normed = frozen.head.gradient(&logits);
            let mut d_rows = vec![0f32; rows.len()];
            rms_norm_backward(&rows, &frozen.norm, eps, &d_normed, &mut d_rows);
            for (target, d) in targets.iter().zip(d_rows.chunks_exact(width)) {
                let to = &mut d_hidden[target.at * width..][..width];
                to.iter_mut().zip(d).for_each(|(to, d)| *to += d);
            }
        }
    }
    (scored, d_hidden)
}
