//! Tiny models with random weights, written as checkpoint folders.

use pluriscope::model::{ForwardRow, LanguageModel, LoadOptions, Model, Want, WeightChoice};
use rand::{Rng, SeedableRng};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path};

pub const VOCABULARY: usize = 60;
pub const HIDDEN: usize = 48;
pub const INTERMEDIATE: usize = 80;
pub const HEADS: usize = 6;
pub const KV_HEADS: usize = 2;
pub const HEAD_DIM: usize = 8;
pub const LAYERS: usize = 2;

/// Names, shapes and values of a checkpoint.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// What differs between tiny models.
#[derive(Clone, Copy)]
pub struct Kind {
    pub architecture: &'static str,
    pub tied: bool,
    pub llama3_rope: bool,
}

pub const LLAMA: Kind = Kind { architecture: "llama", tied: false, llama3_rope: false };

pub fn random(seed: u64, count: usize, scale: f32) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-scale..scale)).collect()
}

/// `config.json` of `kind`.
pub fn config(kind: Kind) -> Value {
    let mut config = json!({
        "model_type": kind.architecture,
        "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "vocab_size": VOCABULARY,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 256,
        "tie_word_embeddings": kind.tied, "hidden_act": "silu", "eos_token_id": 1,
        "sliding_window": 256, "max_window_layers": 2, "use_sliding_window": false,
    });
    if kind.llama3_rope {
        config["rope_scaling"] = json!({
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        });
    }
    config
}

/// Random weights of `kind`.
pub fn tensors(kind: Kind) -> Tensors {
    let mut all = Tensors::new();
    let mut seed = 0;
    let mut add = |name: String, shape: Vec<usize>, scale: f32, shift: f32| {
        seed += 1;
        let values = random(seed, shape.iter().product(), scale).iter().map(|v| v + shift).collect();
        all.insert(name, (shape, values));
    };
    add("model.embed_tokens.weight".into(), vec![VOCABULARY, HIDDEN], 1.0, 0.0);
    add("model.norm.weight".into(), vec![HIDDEN], 0.2, 1.0);
    if !kind.tied {
        add("lm_head.weight".into(), vec![VOCABULARY, HIDDEN], 0.3, 0.0);
    }
    for layer in 0..LAYERS {
        let name = |rest: &str| format!("model.layers.{layer}.{rest}");
        add(name("input_layernorm.weight"), vec![HIDDEN], 0.2, 1.0);
        add(name("post_attention_layernorm.weight"), vec![HIDDEN], 0.2, 1.0);
        let (q, kv) = (HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
        for (module, out, inputs) in [
            ("self_attn.q_proj", q, HIDDEN),
            ("self_attn.k_proj", kv, HIDDEN),
            ("self_attn.v_proj", kv, HIDDEN),
            ("self_attn.o_proj", HIDDEN, q),
            ("mlp.gate_proj", INTERMEDIATE, HIDDEN),
            ("mlp.up_proj", INTERMEDIATE, HIDDEN),
            ("mlp.down_proj", HIDDEN, INTERMEDIATE),
        ] {
            add(name(&format!("{module}.weight")), vec![out, inputs], 0.3, 0.0);
            if kind.architecture == "qwen2" && module.starts_with("self_attn") && !module.ends_with("o_proj")
            {
                add(name(&format!("{module}.bias")), vec![out], 0.5, 0.0);
            }
        }
    }
    all
}

/// Writes `tensors` as `name` in `folder`.
pub fn write_tensors(folder: &Path, name: &str, tensors: &Tensors) {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| (name, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, data)| (*name, TensorView::new(Dtype::F32, (*shape).clone(), data).unwrap()));
    fs::write(folder.join(name), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Writes a whole checkpoint folder.
pub fn write(folder: &Path, kind: Kind, tensors: &Tensors) {
    fs::write(folder.join("config.json"), config(kind).to_string()).unwrap();
    let vocabulary: serde_json::Map<String, Value> =
        (0..VOCABULARY).map(|i| (format!("w{i}"), json!(i))).collect();
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "w0" },
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    write_tensors(folder, "model.safetensors", tensors);
}

pub fn load(folder: &Path, weights: WeightChoice) -> Model {
    let options = LoadOptions { weights, threads: Some(2) };
    Model::load(folder, &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// A fresh random model of `kind` in `weights`.
pub fn model(kind: Kind, weights: WeightChoice) -> Model {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), kind, &tensors(kind));
    load(folder.path(), weights)
}

/// Some tokens, the same for the same seed.
pub fn tokens(seed: u64, count: usize) -> Vec<u32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(0..VOCABULARY as u32)).collect()
}

/// Logits of all positions of a fresh sequence, `[positions, vocabulary]`.
pub fn all_logits<M: LanguageModel>(model: &mut M, tokens: &[u32]) -> Vec<f32> {
    let mut sequence = model.new_sequence();
    let row = ForwardRow { sequence: &mut sequence, tokens, adapter: None, want: Want::All };
    model.forward(&mut [row]).unwrap().remove(0)
}

/// The largest difference between two lists.
pub fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
