//! The same weights here and in candle-transformers.

use super::tiny::{self, Kind, LLAMA, all_logits, difference};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{llama, qwen2};
use pluriscope::model::WeightChoice;

/// Largest difference of any logit allowed in 32-bit floats.
const TOLERANCE: f32 = 1e-4;

fn builder(tensors: &tiny::Tensors) -> VarBuilder<'static> {
    let map = tensors
        .iter()
        .map(|(name, (shape, values))| {
            (name.clone(), Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap())
        })
        .collect();
    VarBuilder::from_tensors(map, DType::F32, &Device::Cpu)
}

fn ours(kind: Kind, tensors: &tiny::Tensors, tokens: &[u32]) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    tiny::write(folder.path(), kind, tensors);
    all_logits(&mut tiny::load(folder.path(), WeightChoice::F32), tokens)
}

fn check_llama(kind: Kind) {
    let (tensors, tokens) = (tiny::tensors(kind), tiny::tokens(1, 70));
    let config: llama::LlamaConfig = serde_json::from_value(tiny::config(kind)).unwrap();
    let config = config.into_config(false);
    let model = llama::Llama::load(builder(&tensors), &config).unwrap();
    let mut want = Vec::new();
    let mut cache = llama::Cache::new(true, DType::F32, &config, &Device::Cpu).unwrap();
    for (position, token) in tokens.iter().enumerate() {
        let input = Tensor::new(&[[*token]], &Device::Cpu).unwrap();
        let logits = model.forward(&input, position, &mut cache).unwrap();
        want.extend(logits.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }
    let off = difference(&ours(kind, &tensors, &tokens), &want);
    assert!(off < TOLERANCE, "off by {off}");
}

#[test]
fn llama_equals_candle() {
    check_llama(LLAMA);
}

#[test]
fn llama_with_tied_embeddings_equals_candle() {
    check_llama(Kind { tied: true, ..LLAMA });
}

#[test]
fn llama3_rope_scaling_equals_candle() {
    let kind = Kind { llama3_rope: true, ..LLAMA };
    check_llama(kind);
    let tokens = tiny::tokens(1, 70);
    let plain = ours(LLAMA, &tiny::tensors(LLAMA), &tokens);
    assert!(difference(&plain, &ours(kind, &tiny::tensors(kind), &tokens)) > 0.01, "scaling changes nothing");
}

#[test]
fn qwen2_equals_candle() {
    for tied in [false, true] {
        let kind = Kind { architecture: "qwen2", tied, llama3_rope: false };
        let (tensors, tokens) = (tiny::tensors(kind), tiny::tokens(2, 50));
        assert!(tensors.contains_key("model.layers.1.self_attn.k_proj.bias"));
        let config: qwen2::Config = serde_json::from_value(tiny::config(kind)).unwrap();
        let mut model = qwen2::ModelForCausalLM::new(&config, builder(&tensors)).unwrap();
        let mut want = Vec::new();
        for (position, token) in tokens.iter().enumerate() {
            let input = Tensor::new(&[[*token]], &Device::Cpu).unwrap();
            let logits = model.forward(&input, position).unwrap();
            want.extend(logits.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }
        let off = difference(&ours(kind, &tensors, &tokens), &want);
        assert!(off < TOLERANCE, "tied {tied}: off by {off}");
    }
}
