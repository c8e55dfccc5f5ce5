//! Where tensors come from: one trait over GGUF and safetensors, in Hugging Face names and layout.

use super::error::ModelError;
use std::path::Path;

/// A tensor as read: row-major 32-bit floats.
pub struct RawTensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// A file or folder of weights.
pub trait WeightSource {
    fn path(&self) -> &Path;

    /// Tensor `name`, as in Hugging Face checkpoints (`model.layers.0.self_attn.q_proj.weight`), `None`
    /// if there is none.
    fn read(&mut self, name: &str) -> Result<Option<RawTensor>, ModelError>;

    /// Tensor `name`, which must have shape `expected`.
    fn tensor(&mut self, name: &str, expected: &[usize]) -> Result<Vec<f32>, ModelError> {
        let found = self.read(name)?.ok_or_else(|| ModelError::MissingTensor {
            path: self.path().to_owned(),
            name: name.to_owned(),
        })?;
        if found.shape != expected {
            return Err(ModelError::Shape {
                path: self.path().to_owned(),
                name: name.to_owned(),
                found: found.shape,
                expected: expected.to_vec(),
            });
        }
        Ok(found.values)
    }
}
