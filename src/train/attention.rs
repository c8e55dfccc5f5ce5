//! Causal attention over families, forwards and backwards: a branch sees its trunk and itself.
//!
//! Probabilities are not kept; the way back computes them again, which is cheap at these lengths.

use super::batch::{Batch, Family};
use crate::model::{
    config::Config,
    kernels::{
        self,
        lanes::Lanes,
        parallel::{self, Shared},
        per_isa,
    },
};
use std::ops::Range;

type Lane = [f32; 16];

/// The dimensions of a model's attention.
#[derive(Clone, Copy)]
struct Heads {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Heads {
    fn of(config: &Config) -> Heads {
        Heads { heads: config.heads, kv_heads: config.kv_heads, head_dim: config.head_dim }
    }

    /// Width of a row of q, k and v.
    fn width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    fn lanes(&self) -> usize {
        self.head_dim.div_ceil(16)
    }
}

/// Turns q and k of `qkv` `[m, width]` by their positions; `back` turns gradients the other way.
pub(super) fn rope(qkv: &mut [f32], positions: &[u32], config: &Config, frequencies: &[f32], back: bool) {
    let shape = Heads::of(config);
    let (width, half) = (shape.width(), shape.head_dim / 2);
    let sign = if back { -1.0 } else { 1.0 };
    let out = Shared::new(qkv);
    parallel::for_each_range(positions.len(), 32, |range| {
        for m in range {
            let angles = frequencies.iter().map(|f| positions[m] as f32 * f);
            let (cos, sin): (Vec<f32>, Vec<f32>) = angles.map(|a| (a.cos(), sign * a.sin())).unzip();
            // SAFETY: row `m` belongs to the thread that took it.
            let row = unsafe { out.part(m * width..(m + 1) * width) };
            let turned = (shape.heads + shape.kv_heads) * shape.head_dim;
            for head in row[..turned].chunks_exact_mut(shape.head_dim) {
                let (a, b) = head.split_at_mut(half);
                for i in 0..half {
                    (a[i], b[i]) = (a[i] * cos[i] - b[i] * sin[i], b[i] * cos[i] + a[i] * sin[i]);
                }
            }
        }
    });
}

/// `qkv` `[m, width]`, turned, to `[m, heads * head_dim]`.
pub(super) fn forward(qkv: &[f32], batch: &Batch, config: &Config) -> Vec<f32> {
    let shape = Heads::of(config);
    let mut out = parallel::zeros(batch.tokens.len() * shape.heads * shape.head_dim);
    let shared = Shared::new(&mut out);
    let tasks = batch.families.len() * shape.kv_heads;
    parallel::for_each_range(tasks, 1, |range| {
        for task in range {
            let family = &batch.families[task / shape.kv_heads];
            forward_task(kernels::isa(), qkv, &shared, family, task % shape.kv_heads, shape);
        }
    });
    out
}

/// The gradient of `qkv`, given that of the output `d_out` `[m, heads * head_dim]`.
pub(super) fn backward(qkv: &[f32], d_out: &[f32], batch: &Batch, config: &Config) -> Vec<f32> {
    let shape = Heads::of(config);
    let mut d_qkv = parallel::zeros(qkv.len());
    let shared = Shared::new(&mut d_qkv);
    let tasks = batch.families.len() * shape.kv_heads;
    parallel::for_each_range(tasks, 1, |range| {
        for task in range {
            let family = &batch.families[task / shape.kv_heads];
            backward_task(kernels::isa(), qkv, d_out, &shared, family, task % shape.kv_heads, shape);
        }
    });
    d_qkv
}

/// Keys and values of one family and head, row by row, in lanes.
struct Family16 {
    start: usize,
    /// `[token][lane]`
    keys: Vec<Lane>,
    values: Vec<Lane>,
}

impl Family16 {
    fn new(qkv: &[f32], family: &Family, kv_head: usize, shape: Heads) -> Family16 {
        let start = family.trunk.start;
        let end = family.branches.last().map_or(family.trunk.end, |b| b.end);
        let rows = |at: usize| {
            let mut out = Vec::with_capacity((end - start) * shape.lanes());
            for m in start..end {
                push_lanes(&mut out, &qkv[m * shape.width() + at * shape.head_dim..][..shape.head_dim]);
            }
            out
        };
        Family16 {
            start,
            keys: rows(shape.heads + kv_head),
            values: rows(shape.heads + shape.kv_heads + kv_head),
        }
    }
}

fn push_lanes(out: &mut Vec<Lane>, values: &[f32]) {
    let (lanes, rest) = values.as_chunks::<16>();
    out.extend_from_slice(lanes);
    if !rest.is_empty() {
        let mut lane = [0f32; 16];
        lane[..rest.len()].copy_from_slice(rest);
        out.push(lane);
    }
}

/// The trunk as a row of its own, then each branch with the trunk before it.
fn sequences(family: &Family) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    let nothing = family.trunk.start..family.trunk.start;
    let trunk = (nothing, family.trunk.clone());
    std::iter::once(trunk)
        .chain(family.branches.iter().map(|b| (family.trunk.clone(), b.clone())))
        .filter(|(_, own)| !own.is_empty())
}

/// The rows `before` and `own` of `from` `[token][lanes]`, turned to `[dimension][keys / 16]`.
fn turned(from: &[Lane], start: usize, before: &Range<usize>, own: &Range<usize>, lanes: usize) -> Vec<Lane> {
    let blocks = (before.len() + own.len()).div_ceil(16);
    let mut out = vec![[0f32; 16]; lanes * 16 * blocks];
    for (key, m) in before.clone().chain(own.clone()).enumerate() {
        for (l, lane) in from[(m - start) * lanes..][..lanes].iter().enumerate() {
            for (i, v) in lane.iter().enumerate() {
                out[(l * 16 + i) * blocks + key / 16][key % 16] = *v;
            }
        }
    }
    out
}

/// `out[key] = sum over d of row[d] * turned[d][key]`, for the first `used` blocks of 16 keys.
#[inline(always)]
fn dots<L: Lanes>(row: &[f32], turned: &[Lane], blocks: usize, used: usize, out: &mut [Lane]) {
    let mut block = 0;
    while block < used {
        if used - block >= 4 {
            let mut acc = [L::splat(0.0); 4];
            for (d, q) in row.iter().enumerate() {
                let keys = &turned[d * blocks + block..][..4];
                let q = L::splat(*q);
                for (acc, keys) in acc.iter_mut().zip(keys) {
                    *acc = q.fma(L::load(keys), *acc);
                }
            }
            for (acc, out) in acc.iter().zip(&mut out[block..]) {
                acc.store(out);
            }
            block += 4;
        } else {
            let mut acc = L::splat(0.0);
            for (d, q) in row.iter().enumerate() {
                acc = L::splat(*q).fma(L::load(&turned[d * blocks + block]), acc);
            }
            acc.store(&mut out[block]);
            block += 1;
        }
    }
}

/// Scores to probabilities over the first `visible` keys; the others get 0.
#[inline(always)]
fn softmax<L: Lanes>(scores: &mut [Lane], visible: usize) {
    let flat = scores.as_flattened_mut();
    let max = flat[..visible].iter().fold(f32::MIN, |m, v| m.max(*v));
    flat[visible..].fill(f32::MIN);
    let shift = L::splat(max);
    let mut sum = L::splat(0.0);
    for lane in scores.iter_mut() {
        let e = L::load(lane).sub(shift).exp();
        e.store(lane);
        sum = sum.add(e);
    }
    let mut total = [0f32; 16];
    sum.store(&mut total);
    let scale = L::splat(1.0 / total.iter().sum::<f32>());
    for lane in scores.iter_mut() {
        L::load(lane).mul(scale).store(lane);
    }
    scores.as_flattened_mut()[visible..].fill(0.0);
}

/// `out += sum over j of weights[j] * rows[j]`, rows of `out.len()` lanes.
#[inline(always)]
fn gather<L: Lanes>(weights: &[f32], rows: &[Lane], out: &mut [Lane]) {
    let lanes = out.len();
    for (l, out) in out.iter_mut().enumerate() {
        let mut acc = L::load(out);
        for (w, row) in weights.iter().zip(rows.chunks_exact(lanes)) {
            acc = L::splat(*w).fma(L::load(&row[l]), acc);
        }
        acc.store(out);
    }
}

/// `rows[j] += weights[j] * row`.
#[inline(always)]
fn scatter<L: Lanes>(weights: &[f32], row: &[Lane], rows: &mut [Lane]) {
    for (w, to) in weights.iter().zip(rows.chunks_exact_mut(row.len())) {
        let w = L::splat(*w);
        for (to, row) in to.iter_mut().zip(row) {
            w.fma(L::load(row), L::load(to)).store(to);
        }
    }
}

#[inline(always)]
fn forward_body<L: Lanes>(qkv: &[f32], out: &Shared<'_>, family: &Family, kv_head: usize, shape: Heads) {
    let (d, lanes, group) = (shape.head_dim, shape.lanes(), shape.heads / shape.kv_heads);
    let scale = 1.0 / (d as f32).sqrt();
    let all = Family16::new(qkv, family, kv_head, shape);
    for (before, own) in sequences(family) {
        let keys = turned(&all.keys, all.start, &before, &own, lanes);
        let blocks = (before.len() + own.len()).div_ceil(16);
        let mut p = vec![[0f32; 16]; blocks];
        for (i, m) in own.clone().enumerate() {
            let visible = before.len() + i + 1;
            let used = visible.div_ceil(16);
            for head in kv_head * group..(kv_head + 1) * group {
                let q: Vec<f32> =
                    qkv[m * shape.width() + head * d..][..d].iter().map(|q| q * scale).collect();
                dots::<L>(&q, &keys, blocks, used, &mut p);
                softmax::<L>(&mut p[..used], visible);
                let weights = p.as_flattened();
                let (first, rest) = weights[..visible].split_at(before.len());
                let mut mixed = vec![[0f32; 16]; lanes];
                gather::<L>(first, &all.values[(before.start - all.start) * lanes..], &mut mixed);
                gather::<L>(rest, &all.values[(own.start - all.start) * lanes..], &mut mixed);
                let at = (m * shape.heads + head) * d;
                // SAFETY: each (token, head) belongs to one task.
                unsafe { out.part(at..at + d) }.copy_from_slice(&mixed.as_flattened()[..d]);
            }
        }
    }
}
per_isa!(fn forward_task(qkv: &[f32], out: &Shared<'_>, family: &Family, kv_head: usize, shape: Heads) = forward_body);

#[inline(always)]
fn backward_body<L: Lanes>(
    qkv: &[f32],
    d_out: &[f32],
    d_qkv: &Shared<'_>,
    family: &Family,
    kv_head: usize,
    shape: Heads,
) {
    let (d, lanes, group) = (shape.head_dim, shape.lanes(), shape.heads / shape.kv_heads);
    let scale = 1.0 / (d as f32).sqrt();
    let all = Family16::new(qkv, family, kv_head, shape);
    let mut d_keys = vec![[0f32; 16]; all.keys.len()];
    let mut d_values = vec![[0f32; 16]; all.values.len()];
    for (before, own) in sequences(family) {
        let keys = turned(&all.keys, all.start, &before, &own, lanes);
        let values = turned(&all.values, all.start, &before, &own, lanes);
        let blocks = (before.len() + own.len()).div_ceil(16);
        let (mut p, mut dp) = (vec![[0f32; 16]; blocks], vec![[0f32; 16]; blocks]);
        let (at_before, at_own) = ((before.start - all.start) * lanes, (own.start - all.start) * lanes);
        for (i, m) in own.clone().enumerate() {
            let visible = before.len() + i + 1;
            let used = visible.div_ceil(16);
            for head in kv_head * group..(kv_head + 1) * group {
                let q: Vec<f32> =
                    qkv[m * shape.width() + head * d..][..d].iter().map(|q| q * scale).collect();
                let dy = &d_out[(m * shape.heads + head) * d..][..d];
                dots::<L>(&q, &keys, blocks, used, &mut p);
                softmax::<L>(&mut p[..used], visible);
                dots::<L>(dy, &values, blocks, used, &mut dp);
                let (p, ds) = (p.as_flattened(), dp.as_flattened_mut());
                let mean: f32 = p[..visible].iter().zip(&*ds).map(|(p, dp)| p * dp).sum();
                p[..visible].iter().zip(&mut *ds).for_each(|(p, ds)| *ds = p * (*ds - mean));
                let (mut q16, mut dy16) = (Vec::with_capacity(lanes), Vec::with_capacity(lanes));
                push_lanes(&mut q16, &q);
                push_lanes(&mut dy16, dy);
                let cut = before.len();
                scatter::<L>(&p[..cut], &dy16, &mut d_values[at_before..]);
                scatter::<L>(&p[cut..visible], &dy16, &mut d_values[at_own..]);
                scatter::<L>(&ds[..cut], &q16, &mut d_keys[at_before..]);
                scatter::<L>(&ds[cut..visible], &q16, &mut d_keys[at_own..]);
                let mut dq = vec![[0f32; 16]; lanes];
                gather::<L>(&ds[..cut], &all.keys[at_before..], &mut dq);
                gather::<L>(&ds[cut..visible], &all.keys[at_own..], &mut dq);
                let at = m * shape.width() + head * d;
                // SAFETY: each (token, head) belongs to one task.
                let to = unsafe { d_qkv.part(at..at + d) };
                to.iter_mut().zip(dq.as_flattened()).for_each(|(to, dq)| *to = dq * scale);
            }
        }
    }
    for (from, part) in
        [(&d_keys, shape.heads + kv_head), (&d_values, shape.heads + shape.kv_heads + kv_head)]
    {
        for (row, from) in from.chunks_exact(lanes).enumerate() {
            let at = (all.start + row) * shape.width() + part * d;
            // SAFETY: each (token, kv head) belongs to one task.
            unsafe { d_qkv.part(at..at + d) }.copy_from_slice(&from.as_flattened()[..d]);
        }
    }
}
per_isa!(fn backward_task(qkv: &[f32], d_out: &[f32], d_qkv: &Shared<'_>, family: &Family, kv_head: usize, shape: Heads) = backward_body);
