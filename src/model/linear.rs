//! A linear layer: one packed matrix, an optional bias, and the adapters of the rows that have one.
//!
//! Projections that read the same input are stacked into one matrix (q, k, v; gate, up), so that the
//! input is quantised once and the weights stream through in one pass.

use super::{
    kernels::{
        self,
        dense::PackedF32,
        parallel::{self, Shared, written},
        q8,
    },
    lora::{AdapterRows, LowRank, Slot},
};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};
use std::sync::Arc;

/// How weights are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Q8,
    F32,
}

impl Precision {
    pub fn word(self) -> &'static str {
        match self {
            Precision::Q8 => "q8",
            Precision::F32 => "f32",
        }
    }
}

/// A packed matrix `[rows, cols]`, `y = W x`.
pub enum Matrix {
    Q8(q8::PackedQ8),
    F32(PackedF32),
}

impl Matrix {
    /// Packs `weights` `[rows, cols]`, row-major.
    pub fn pack(precision: Precision, weights: &[f32], rows: usize, cols: usize) -> Matrix {
        match precision {
            Precision::Q8 => Matrix::Q8(q8::PackedQ8::pack(weights, rows, cols)),
            Precision::F32 => Matrix::F32(PackedF32::pack(weights, rows, cols)),
        }
    }

    pub fn rows(&self) -> usize {
        match self {
            Matrix::Q8(m) => m.rows(),
            Matrix::F32(m) => m.rows(),
        }
    }

    pub fn cols(&self) -> usize {
        match self {
            Matrix::Q8(m) => m.cols(),
            Matrix::F32(m) => m.cols(),
        }
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Matrix::Q8(m) => m.bytes(),
            Matrix::F32(m) => m.bytes(),
        }
    }

    /// Row `row` as floats: the embedding of a token.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match self {
            Matrix::Q8(m) => m.row(row, out),
            Matrix::F32(m) => m.row(row, out),
        }
    }

    /// `x` `[m, cols]` to `[m, rows]`.
    pub fn product(&self, x: &[f32]) -> Vec<f32> {
        self.product_and(x, 0, |_| {})
    }

    /// [`Matrix::product`], and `other(0..tasks)` among the same threads at the same time.
    pub fn product_and(&self, x: &[f32], tasks: usize, other: impl Fn(usize) + Sync) -> Vec<f32> {
        let isa = kernels::isa();
        let len = x.len() / self.cols() * self.rows();
        match self {
            Matrix::Q8(m) => {
                let x = q8::Quantised::new(isa, x, m.cols());
                // SAFETY: `product` runs each grain once, and together they write all outputs.
                let grain = |at, out: &Shared<'_>| unsafe { m.grain(at, &x, out) };
                // SAFETY: as above.
                unsafe { product(len, m.grains(), grain, tasks, other) }
            }
            Matrix::F32(m) => {
                // SAFETY: as above.
                let grain = |at, out: &Shared<'_>| unsafe { m.grain(isa, at, x, out) };
                // SAFETY: as above.
                unsafe { product(len, m.grains(), grain, tasks, other) }
            }
        }
    }
}

/// `len` floats, written by `grain(0..grains)`, and `other(0..tasks)` first, all in one parallel section.
///
/// # Safety
/// The grains together write all floats, and read none.
unsafe fn product(
    len: usize,
    grains: usize,
    grain: impl Fn(usize, &Shared<'_>) + Sync,
    tasks: usize,
    other: impl Fn(usize) + Sync,
) -> Vec<f32> {
    let run = |out: &Shared<'_>| {
        parallel::for_each(tasks + grains, |task| match task.checked_sub(tasks) {
            Some(at) => grain(at, out),
            None => other(task),
        });
    };
    // SAFETY: by the caller.
    unsafe { written(len, run) }
}

/// A linear layer of the decoder.
pub struct Linear {
    pub weight: Arc<Matrix>,
    /// `[rows]`
    pub bias: Option<Vec<f32>>,
    /// Where adapters find this layer.
    pub slot: Slot,
}

impl Linear {
    /// `x` `[m, in]` to `[m, out]`; the rows named in `adapters` get theirs added, the others are untouched.
    pub fn forward(&self, x: &Tensor, adapters: &[AdapterRows<'_>]) -> Result<Tensor> {
        x.apply_op1_no_bwd(&Product { linear: self, adapters })
    }
}

struct Product<'a> {
    linear: &'a Linear,
    adapters: &'a [AdapterRows<'a>],
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "packed-product"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(storage, layout)?;
        let weight = &self.linear.weight;
        let m = x.len() / weight.cols();
        let mut low = LowRank::new(self.linear.slot, self.adapters, x, weight.cols());
        let mut out = low.down(|tasks, down| weight.product_and(x, tasks, down));
        if let Some(bias) = &self.linear.bias {
            for row in out.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        }
        low.up(&mut out, weight.rows());
        Ok((CpuStorage::F32(out), Shape::from((m, weight.rows()))))
    }
}

/// The contiguous floats of a tensor's storage.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else { bail!("expected f32, got {:?}", storage) };
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("expected a contiguous tensor") };
    Ok(&values[start..end])
}

/// Calls `read` with the contiguous floats of `tensor`.
pub(super) fn with_floats<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(read(floats(storage, layout)?)),
        _ => bail!("expected a tensor in main memory"),
    }
}
