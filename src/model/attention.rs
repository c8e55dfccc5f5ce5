//! Attention over the paged cache: each row at its own position, in its own sequence.

use super::{
    cache::Sequence,
    config::Config,
    decoder::Attention,
    kernels::{
        self,
        attention::{Page, QUERIES, Query},
        parallel::{self, Shared},
    },
    linear::with_floats,
};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// As many rows at least have their keys and values stored by one thread.
const ROWS: usize = 8;

/// New tokens of one sequence within a batch.
pub struct CachedRow<'a> {
    pub sequence: &'a mut Sequence,
    pub tokens: usize,
}

/// Attention of a batch; sequences have room reserved for their new tokens.
pub struct CachedAttention<'a, 'b> {
    rows: &'a mut [CachedRow<'b>],
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Cosines, then sines, of each token's angles `[m, head_dim]`.
    angles: Vec<f32>,
    /// The first token of each row.
    starts: Vec<usize>,
    tasks: Vec<Task>,
}

/// Queries that are computed together: neighbouring tokens of a row, and some heads of a group.
struct Task {
    row: usize,
    kv_head: usize,
    /// First token in the batch, and its position in the sequence.
    token: usize,
    position: usize,
    tokens: usize,
    head: usize,
    heads: usize,
}

impl<'a, 'b> CachedAttention<'a, 'b> {
    pub fn new(config: &Config, frequencies: &[f32], rows: &'a mut [CachedRow<'b>]) -> Self {
        let (heads, kv_heads, head_dim) = (config.heads, config.kv_heads, config.head_dim);
        let group = heads / kv_heads;
        let (mut angles, mut starts, mut tasks, mut first) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (index, row) in rows.iter().enumerate() {
            let start = row.sequence.len();
            for position in start..start + row.tokens {
                let turns = || frequencies.iter().map(|f| position as f32 * f);
                angles.extend(turns().map(f32::cos));
                angles.extend(turns().map(f32::sin));
            }
            let together = group.min(QUERIES);
            let span = (QUERIES / together).max(1);
            for at in (0..row.tokens).step_by(span) {
                for kv_head in 0..kv_heads {
                    for head in (0..group).step_by(together) {
                        tasks.push(Task {
                            row: index,
                            kv_head,
                            token: first + at,
                            position: start + at,
                            tokens: span.min(row.tokens - at),
                            head: kv_head * group + head,
                            heads: together.min(group - head),
                        });
                    }
                }
            }
            starts.push(first);
            first += row.tokens;
        }
        CachedAttention { rows, heads, kv_heads, head_dim, angles, starts, tasks }
    }

    fn store(&mut self, layer: usize, qkv: &[f32]) {
        let (heads, kv_heads, d) = (self.heads, self.kv_heads, self.head_dim);
        let width = (heads + 2 * kv_heads) * d;
        let angles = &self.angles;
        self.rows.par_iter_mut().zip(&self.starts).with_min_len(ROWS).for_each(|(row, &first)| {
            let mut key = vec![0f32; d];
            let start = row.sequence.len();
            for t in 0..row.tokens {
                let values = &qkv[(first + t) * width..][..width];
                let angles = &angles[(first + t) * d..][..d];
                for head in 0..kv_heads {
                    rotate(angles, &values[(heads + head) * d..][..d], 1.0, &mut key);
                    let value = &values[(heads + kv_heads + head) * d..][..d];
                    row.sequence.write(layer, head, start + t, &key, value);
                }
            }
        });
    }

    fn mix(&self, layer: usize, qkv: &[f32]) -> Vec<f32> {
        let (d, lanes) = (self.head_dim, self.head_dim.div_ceil(16));
        let (width, out_width) = ((self.heads + 2 * self.kv_heads) * d, self.heads * d);
        let scale = 1.0 / (d as f32).sqrt();
        let mut out = vec![0f32; qkv.len() / width * out_width];
        let shared = Shared::new(&mut out);
        let isa = kernels::isa();
        parallel::for_each(self.tasks.len(), |task| {
            let (task, mut scratch) = (&self.tasks[task], Vec::new());
            let pages: Vec<Page<'_>> = self.rows[task.row].sequence.pages(layer, task.kv_head);
            let mut vectors = vec![0f32; task.tokens * task.heads * d];
            for (i, vector) in vectors.chunks_exact_mut(d).enumerate() {
                let (token, head) = (task.token + i / task.heads, task.head + i % task.heads);
                let angles = &self.angles[token * d..][..d];
                rotate(angles, &qkv[token * width + head * d..][..d], scale, vector);
            }
            let queries: Vec<Query<'_>> = vectors
                .chunks_exact(d)
                .enumerate()
                .map(|(i, vector)| Query { vector, visible: task.position + i / task.heads + 1 })
                .collect();
            let mut mixed = vec![[0f32; 16]; queries.len() * lanes];
            kernels::attention::attend(isa, &queries, &pages, &mut scratch, &mut mixed);
            for (i, mixed) in mixed.chunks_exact(lanes).enumerate() {
                let (token, head) = (task.token + i / task.heads, task.head + i % task.heads);
                let at = token * out_width + head * d;
                // SAFETY: each (token, head) belongs to one task.
                unsafe { shared.part(at..at + d) }.copy_from_slice(&mixed.as_flattened()[..d]);
            }
        });
        out
    }
}

/// Rotates `vector` `[head_dim]` by `angles`, cosines then sines (half-split pairs), into `out`, times `scale`.
fn rotate(angles: &[f32], vector: &[f32], scale: f32, out: &mut [f32]) {
    let half = vector.len() / 2;
    let (cos, sin) = angles.split_at(half);
    let (low, high) = vector.split_at(half);
    let (out_low, out_high) = out.split_at_mut(half);
    for i in 0..half {
        out_low[i] = (low[i] * cos[i] - high[i] * sin[i]) * scale;
        out_high[i] = (high[i] * cos[i] + low[i] * sin[i]) * scale;
    }
}

impl Attention for CachedAttention<'_, '_> {
    fn attend(&mut self, layer: usize, qkv: &Tensor) -> Result<Tensor> {
        let m = qkv.dim(0)?;
        let out = with_floats(qkv, |qkv| {
            self.store(layer, qkv);
            self.mix(layer, qkv)
        })?;
        Tensor::from_vec(out, (m, self.heads * self.head_dim), &Device::Cpu)
    }
}
