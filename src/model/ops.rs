//! The decoder's small operations as candle operations over our kernels.

use super::{kernels, linear::floats};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// RMS norm over the last dimension of `[m, d]`.
pub struct RmsNorm {
    /// `[d]`
    pub weight: Vec<f32>,
    pub eps: f32,
}

impl RmsNorm {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply_op1_no_bwd(self)
    }
}

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(storage, layout)?;
        let mut out = vec![0f32; x.len()];
        kernels::elementwise::rms_norm(kernels::isa(), x, &self.weight, self.eps, &mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// `silu(gate) * up` of `[m, 2 d]` (gate first) to `[m, d]`.
pub fn swiglu(x: &Tensor) -> Result<Tensor> {
    x.apply_op1_no_bwd(&SwiGlu)
}

struct SwiGlu;

impl CustomOp1 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(storage, layout)?;
        let &[m, width] = layout.dims() else { bail!("expected two dimensions, got {:?}", layout.dims()) };
        let out = kernels::elementwise::swiglu(kernels::isa(), x, width / 2);
        Ok((CpuStorage::F32(out), Shape::from((m, width / 2))))
    }
}
