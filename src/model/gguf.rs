//! GGUF files: metadata, and tensors under Hugging Face names.
//!
//! Files of the `llama` architecture store the rows of q and k permuted, so that rotary pairs lie next
//! to each other; they are put back into the half-split order of Hugging Face checkpoints, so that one
//! RoPE and one LoRA layout serve all. Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use super::{
    config::{Architecture, Config, Rope, RopeScaling},
    error::ModelError,
    gguf_check,
    weights::{RawTensor, WeightSource},
};
use candle_core::{
    Device,
    quantized::{GgmlDType, gguf_file},
};
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

/// An open GGUF file.
pub struct Gguf {
    path: PathBuf,
    file: BufReader<File>,
    content: gguf_file::Content,
    config: Config,
}

impl Gguf {
    /// Reads the header.
    pub fn open(path: &Path) -> Result<Gguf, ModelError> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(ModelError::io(path))?);
        let length = file.get_ref().metadata().map_err(ModelError::io(path))?.len();
        gguf_check::check(&mut file, length).map_err(|problem| ModelError::format(path, problem))?;
        let content = gguf_file::Content::read(&mut file).map_err(|e| ModelError::format(path, e))?;
        let mut config = read_config(&content, path)?;
        if let Some(info) = content.tensor_infos.get("rope_freqs.weight") {
            let divisors = info
                .read(&mut file, content.tensor_data_offset, &Device::Cpu)
                .and_then(|t| t.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>())
                .map_err(|e| ModelError::format(path, e))?;
            config.rope.scaling = RopeScaling::Divisors(divisors);
        }
        Ok(Gguf { path: path.to_owned(), file, content, config })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the embedding or any projection is stored quantised.
    pub fn is_quantised(&self) -> bool {
        self.content
            .tensor_infos
            .values()
            .any(|t| !matches!(t.ggml_dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16))
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&gguf_file::Value> {
        self.content.metadata.get(key)
    }

    /// A metadata string.
    pub fn string(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            gguf_file::Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A metadata token id.
    pub fn token(&self, key: &str) -> Option<u32> {
        integer(self.get(key)?).and_then(|v| u32::try_from(v).ok())
    }

    /// A metadata flag.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            gguf_file::Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A metadata list.
    pub fn list(&self, key: &str) -> Option<&[gguf_file::Value]> {
        match self.get(key)? {
            gguf_file::Value::Array(values) => Some(values),
            _ => None,
        }
    }
}

impl WeightSource for Gguf {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read(&mut self, name: &str) -> Result<Option<RawTensor>, ModelError> {
        let Some(info) = gguf_name(name).and_then(|name| self.content.tensor_infos.get(&name)) else {
            return Ok(None);
        };
        let tensor = info
            .read(&mut self.file, self.content.tensor_data_offset, &Device::Cpu)
            .and_then(|t| t.dequantize(&Device::Cpu))
            .map_err(|e| ModelError::format(&self.path, format!("tensor `{name}`: {e}")))?;
        let shape = tensor.dims().to_vec();
        let mut values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if self.config.architecture == Architecture::Llama {
            let heads = match name {
                _ if name.contains("q_proj") => Some(self.config.heads),
                _ if name.contains("k_proj") => Some(self.config.kv_heads),
                _ => None,
            };
            // Any other shape is refused by whoever asked for the tensor.
            if let Some(heads) = heads.filter(|h| shape.first() == Some(&(h * self.config.head_dim))) {
                values = unpermute(&values, heads, shape.first().copied().unwrap_or(0));
            }
        }
        Ok(Some(RawTensor { shape, values }))
    }
}

/// From rotary pairs side by side (`2 i`, `2 i + 1`) to halves (`i`, `i + head_dim / 2`), per head.
///
/// `values` is `[rows, …]`.
pub fn unpermute(values: &[f32], heads: usize, rows: usize) -> Vec<f32> {
    let (width, head_dim) = (values.len() / rows.max(1), rows / heads.max(1));
    let mut out = Vec::with_capacity(values.len());
    for row in 0..rows {
        let (head, d) = (row / head_dim, row % head_dim);
        let (half, i) = (d / (head_dim / 2), d % (head_dim / 2));
        let from = head * head_dim + 2 * i + half;
        out.extend_from_slice(&values[from * width..(from + 1) * width]);
    }
    out
}

/// The GGUF name of a Hugging Face tensor.
fn gguf_name(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".to_owned()),
        "model.norm.weight" => return Some("output_norm.weight".to_owned()),
        "lm_head.weight" => return Some("output.weight".to_owned()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, kind) = rest.rsplit_once('.')?;
    let module = match module {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{module}.{kind}"))
}

fn integer(value: &gguf_file::Value) -> Option<u64> {
    value
        .to_u64()
        .ok()
        .or_else(|| value.to_i64().ok().and_then(|v| u64::try_from(v).ok()))
        .or_else(|| value.to_i32().ok().and_then(|v| u64::try_from(v).ok()))
}

fn read_config(content: &gguf_file::Content, path: &Path) -> Result<Config, ModelError> {
    let metadata = &content.metadata;
    let Some(gguf_file::Value::String(word)) = metadata.get("general.architecture") else {
        return Err(ModelError::format(path, "no `general.architecture` in the file"));
    };
    let architecture = Architecture::parse(word, path)?;
    let optional = |key: &str| {
        metadata.get(&format!("{word}.{key}")).and_then(integer).and_then(|v| usize::try_from(v).ok())
    };
    let number = |key: &str| {
        optional(key).ok_or_else(|| ModelError::format(path, format!("no `{word}.{key}` in the file")))
    };
    let float = |key: &str| metadata.get(&format!("{word}.{key}")).and_then(|v| v.to_f32().ok());
    if optional("expert_count").is_some_and(|n| n > 0) {
        return Err(ModelError::unsupported(path, "a mixture of experts", "use a dense model"));
    }
    let scaling = match metadata.get(&format!("{word}.rope.scaling.type")) {
        Some(gguf_file::Value::String(kind)) if kind == "linear" => {
            RopeScaling::Linear(float("rope.scaling.factor").unwrap_or(1.0))
        }
        Some(gguf_file::Value::String(kind)) if kind == "yarn" => {
            return Err(ModelError::unsupported(path, "rope scaling `yarn`", "use the original model"));
        }
        _ => RopeScaling::None,
    };
    let heads = number("attention.head_count")?;
    let hidden = number("embedding_length")?;
    let vocabulary = content
        .tensor_infos
        .get("token_embd.weight")
        .and_then(|t| t.shape.dims().first().copied())
        .ok_or_else(|| ModelError::MissingTensor {
            path: path.to_owned(),
            name: "token_embd.weight".to_owned(),
        })?;
    let end_tokens = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"]
        .iter()
        .filter_map(|key| metadata.get(*key).and_then(integer).and_then(|v| u32::try_from(v).ok()))
        .collect();
    Config {
        architecture,
        hidden,
        intermediate: number("feed_forward_length")?,
        layers: number("block_count")?,
        heads,
        kv_heads: optional("attention.head_count_kv").unwrap_or(heads),
        head_dim: optional("attention.key_length").unwrap_or(hidden.checked_div(heads).unwrap_or(0)),
        vocabulary,
        context: number("context_length")?,
        norm_eps: float("attention.layer_norm_rms_epsilon").unwrap_or(1e-5),
        rope: Rope { theta: float("rope.freq_base").unwrap_or(10_000.0), scaling },
        qkv_bias: content.tensor_infos.contains_key("blk.0.attn_q.bias"),
        tied: !content.tensor_infos.contains_key("output.weight"),
        end_tokens,
    }
    .check(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpermuting_undoes_the_permutation_of_the_converter() {
        // llama.cpp: reshape(heads, 2, head_dim / 2, width).swapaxes(1, 2).
        let (heads, head_dim, width) = (3, 8, 5);
        let original: Vec<f32> = (0..heads * head_dim * width).map(|v| v as f32).collect();
        let mut stored = Vec::new();
        for head in 0..heads {
            for i in 0..head_dim / 2 {
                for half in 0..2 {
                    let row = head * head_dim + half * head_dim / 2 + i;
                    stored.extend_from_slice(&original[row * width..(row + 1) * width]);
                }
            }
        }
        assert_ne!(stored, original);
        assert_eq!(unpermute(&stored, heads, heads * head_dim), original);
    }
}
