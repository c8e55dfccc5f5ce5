//! RMS norm and SwiGLU with their ways back, on all threads.

use crate::model::kernels::{
    self, elementwise,
    lanes::Lanes,
    parallel::{self, Shared},
    per_isa,
};

/// Rows that a thread takes at a time.
const GRAIN: usize = 16;

/// `to += from`.
pub(super) fn add(to: &mut [f32], from: &[f32]) {
    assert_eq!(to.len(), from.len());
    let shared = Shared::new(to);
    parallel::for_each_range(from.len(), 1 << 14, |range| {
        // SAFETY: each range belongs to the thread that took it.
        let to = unsafe { shared.part(range.clone()) };
        to.iter_mut().zip(&from[range]).for_each(|(to, v)| *to += v);
    });
}

/// RMS norm of each row of `x` `[m, d]`.
pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let d = weight.len();
    let mut out = parallel::zeros(x.len());
    let shared = Shared::new(&mut out);
    parallel::for_each_range(x.len() / d, GRAIN, |range| {
        let at = range.start * d..range.end * d;
        // SAFETY: these rows belong to the thread that took them.
        elementwise::rms_norm(kernels::isa(), &x[at.clone()], weight, eps, unsafe { shared.part(at) });
    });
    out
}

/// Adds to `dx` `[m, d]` the gradient of [`rms_norm`] at `x`, given `dy`.
///
/// With r = 1 / rms(x): dx = r (w dy) - x r³ mean(x w dy).
pub(super) fn rms_norm_backward(x: &[f32], weight: &[f32], eps: f32, dy: &[f32], dx: &mut [f32]) {
    let d = weight.len();
    let shared = Shared::new(dx);
    parallel::for_each_range(x.len() / d, GRAIN, |range| {
        for m in range {
            let at = m * d..(m + 1) * d;
            // SAFETY: row `m` belongs to the thread that took it.
            let dx = unsafe { shared.part(at.clone()) };
            let (x, dy) = (&x[at.clone()], &dy[at]);
            let squares: f32 = x.iter().map(|x| x * x).sum();
            let r = 1.0 / (squares / d as f32 + eps).sqrt();
            let dot: f32 = x.iter().zip(weight).zip(dy).map(|((x, w), dy)| x * w * dy).sum();
            let pull = dot * r * r * r / d as f32;
            for i in 0..d {
                dx[i] += r * weight[i] * dy[i] - x[i] * pull;
            }
        }
    });
}

/// `silu(gate) * up` of `[m, 2 d]` to `[m, d]`.
pub(super) fn swiglu(gate_up: &[f32], d: usize) -> Vec<f32> {
    elementwise::swiglu(kernels::isa(), gate_up, d)
}

/// The gradient of [`swiglu`] `[m, 2 d]`, given `dy` `[m, d]`.
pub(super) fn swiglu_backward(gate_up: &[f32], d: usize, dy: &[f32]) -> Vec<f32> {
    let mut out = parallel::zeros(gate_up.len());
    let shared = Shared::new(&mut out);
    parallel::for_each_range(dy.len() / d, GRAIN, |range| {
        for m in range {
            let at = m * 2 * d..(m + 1) * 2 * d;
            // SAFETY: row `m` belongs to the thread that took it.
            let out = unsafe { shared.part(at.clone()) };
            swiglu_backward_row(kernels::isa(), &gate_up[at], &dy[m * d..(m + 1) * d], out);
        }
    });
    out
}

#[inline(always)]
fn swiglu_backward_lanes<L: Lanes>(gate: &[f32; 16], up: &[f32; 16], dy: &[f32; 16]) -> [[f32; 16]; 2] {
    let (gate, up, dy) = (L::load(gate), L::load(up), L::load(dy));
    let one = L::splat(1.0);
    let sigmoid = one.div(one.add(gate.mul(L::splat(-1.0)).exp()));
    let slope = sigmoid.mul(one.add(gate.mul(one.sub(sigmoid))));
    let mut out = [[0f32; 16]; 2];
    dy.mul(up).mul(slope).store(&mut out[0]);
    dy.mul(gate).mul(sigmoid).store(&mut out[1]);
    out
}

#[inline(always)]
fn swiglu_backward_body<L: Lanes>(gate_up: &[f32], dy: &[f32], out: &mut [f32]) {
    let d = dy.len();
    let (gate, up) = gate_up.split_at(d);
    let (d_gate, d_up) = out.split_at_mut(d);
    for start in (0..d).step_by(16) {
        let n = 16.min(d - start);
        let lane = |from: &[f32]| {
            let mut lane = [0f32; 16];
            lane[..n].copy_from_slice(&from[start..start + n]);
            lane
        };
        let [g, u] = swiglu_backward_lanes::<L>(&lane(gate), &lane(up), &lane(dy));
        d_gate[start..start + n].copy_from_slice(&g[..n]);
        d_up[start..start + n].copy_from_slice(&u[..n]);
    }
}
per_isa!(fn swiglu_backward_row(gate_up: &[f32], dy: &[f32], out: &mut [f32]) = swiglu_backward_body);
