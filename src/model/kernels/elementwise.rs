//! The small operations between matrix products: RMS norm, SwiGLU, exponentials for sampling.

use super::{Isa, lanes::Lanes, parallel, parallel::Shared, per_isa};

/// `out[m] = x[m] / rms(x[m]) * weight`: `x` and `out` are `[m, weight.len()]`.
pub fn rms_norm(isa: Isa, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let d = weight.len();
    let rows = x.len() / d;
    let out = Shared::new(out);
    const ROWS: usize = 16;
    parallel::for_each(rows.div_ceil(ROWS), |task| {
        for m in task * ROWS..((task + 1) * ROWS).min(rows) {
            // SAFETY: row `m` belongs to one task.
            let out = unsafe { out.part(m * d..(m + 1) * d) };
            rms_norm_row(isa, &x[m * d..(m + 1) * d], weight, eps, out);
        }
    });
}

#[inline(always)]
fn rms_norm_body<L: Lanes>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let (lanes, rest) = x.as_chunks::<16>();
    let mut squares = L::splat(0.0);
    for x in lanes {
        let x = L::load(x);
        squares = x.fma(x, squares);
    }
    let mut sum = [0f32; 16];
    squares.store(&mut sum);
    let sum = rest.iter().fold(sum.iter().sum::<f32>(), |s, x| s + x * x);
    let scale = 1.0 / (sum / x.len() as f32 + eps).sqrt();
    for ((x, w), out) in lanes.iter().zip(weight.as_chunks::<16>().0).zip(out.as_chunks_mut::<16>().0) {
        L::load(x).mul(L::splat(scale)).mul(L::load(w)).store(out);
    }
    for i in lanes.len() * 16..x.len() {
        out[i] = x[i] * scale * weight[i];
    }
}
per_isa!(fn rms_norm_row(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_norm_body);

/// `silu(x[m, ..d]) * x[m, d..]`: `x` is `[m, 2 d]`, what comes back `[m, d]`.
pub fn swiglu(isa: Isa, x: &[f32], d: usize) -> Vec<f32> {
    let rows = x.len() / (2 * d);
    const ROWS: usize = 8;
    let run = |out: &Shared<'_>| {
        parallel::for_each(rows.div_ceil(ROWS), |task| {
            for m in task * ROWS..((task + 1) * ROWS).min(rows) {
                let (gate, up) = x[m * 2 * d..(m + 1) * 2 * d].split_at(d);
                // SAFETY: row `m` belongs to one task.
                swiglu_row(isa, gate, up, unsafe { out.part(m * d..(m + 1) * d) });
            }
        });
    };
    // SAFETY: every row is written.
    unsafe { parallel::written(rows * d, run) }
}

#[inline(always)]
fn swiglu_lanes<L: Lanes>(gate: &[f32; 16], up: &[f32; 16], out: &mut [f32; 16]) {
    let gate = L::load(gate);
    let one = L::splat(1.0);
    let sigmoid = one.div(one.add(gate.mul(L::splat(-1.0)).exp()));
    gate.mul(sigmoid).mul(L::load(up)).store(out);
}

#[inline(always)]
fn swiglu_body<L: Lanes>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    let (gates, gate_rest) = gate.as_chunks::<16>();
    let (ups, up_rest) = up.as_chunks::<16>();
    let (outs, out_rest) = out.as_chunks_mut::<16>();
    for ((gate, up), out) in gates.iter().zip(ups).zip(outs) {
        swiglu_lanes::<L>(gate, up, out);
    }
    let n = gate_rest.len();
    if n > 0 {
        let (mut gate, mut up, mut out) = ([0f32; 16], [0f32; 16], [0f32; 16]);
        gate[..n].copy_from_slice(gate_rest);
        up[..n].copy_from_slice(up_rest);
        swiglu_lanes::<L>(&gate, &up, &mut out);
        out_rest.copy_from_slice(&out[..n]);
    }
}
per_isa!(fn swiglu_row(gate: &[f32], up: &[f32], out: &mut [f32]) = swiglu_body);

/// `out[i] = exp((x[i] - shift) * scale)`; returns their sum.
pub fn exp_sum(isa: Isa, x: &[f32], shift: f32, scale: f32, out: &mut [f32]) -> f32 {
    exp_sum_on(isa, x, shift, scale, out)
}

#[inline(always)]
fn exp_sum_body<L: Lanes>(x: &[f32], shift: f32, scale: f32, out: &mut [f32]) -> f32 {
    let (shift, scale) = (L::splat(shift), L::splat(scale));
    let mut sum = L::splat(0.0);
    let (lanes, rest) = x.as_chunks::<16>();
    let (outs, out_rest) = out.as_chunks_mut::<16>();
    for (x, out) in lanes.iter().zip(outs) {
        let e = L::load(x).sub(shift).mul(scale).exp();
        sum = sum.add(e);
        e.store(out);
    }
    let mut total = [0f32; 16];
    sum.store(&mut total);
    let mut total: f32 = total.iter().sum();
    if !rest.is_empty() {
        let mut last = [f32::MIN; 16];
        last[..rest.len()].copy_from_slice(rest);
        let mut e = [0f32; 16];
        L::load(&last).sub(shift).mul(scale).exp().store(&mut e);
        out_rest.copy_from_slice(&e[..rest.len()]);
        total += e[..rest.len()].iter().sum::<f32>();
    }
    total
}
per_isa!(fn exp_sum_on(x: &[f32], shift: f32, scale: f32, out: &mut [f32]) -> f32 = exp_sum_body);
