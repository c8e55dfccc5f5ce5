//! LoRA adapters: per row, equal to merged weights, and refused where we cannot compute them.

use super::tiny::{self, HEAD_DIM, HEADS, HIDDEN, INTERMEDIATE, KV_HEADS, LLAMA, Tensors, difference};
use pluriscope::model::{ForwardRow, LanguageModel, Model, Want, WeightChoice};
use serde_json::{Value, json};
use std::{fs, path::Path};

fn settings() -> Value {
    json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "bias": "none",
        "target_modules": ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"],
        "rank_pattern": { "v_proj": 6 }, "alpha_pattern": { "layers.1.mlp.down_proj": 20 },
    })
}

/// Random adapter tensors that fit `settings()`, and the base weights with the adapter merged in.
fn adapter(seed: u64, base: &Tensors, rslora: bool) -> (Tensors, Tensors) {
    let (mut lora, mut merged) = (Tensors::new(), base.clone());
    for layer in 0..tiny::LAYERS {
        for (i, (module, inputs, outputs)) in [
            ("self_attn.q_proj", HIDDEN, HEADS * HEAD_DIM),
            ("self_attn.v_proj", HIDDEN, KV_HEADS * HEAD_DIM),
            ("self_attn.o_proj", HEADS * HEAD_DIM, HIDDEN),
            ("mlp.gate_proj", HIDDEN, INTERMEDIATE),
            ("mlp.down_proj", INTERMEDIATE, HIDDEN),
        ]
        .into_iter()
        .enumerate()
        {
            let rank = if module.ends_with("v_proj") { 6 } else { 4 };
            let alpha = if module == "mlp.down_proj" && layer == 1 { 20.0 } else { 8.0 };
            let scale = if rslora { alpha / (rank as f32).sqrt() } else { alpha / rank as f32 };
            let seed = seed * 1000 + (layer * 10 + i) as u64;
            let a = tiny::random(seed, rank * inputs, 0.2);
            let b = tiny::random(seed + 500, outputs * rank, 0.2);
            let name = format!("model.layers.{layer}.{module}");
            let weight = &mut merged.get_mut(&format!("{name}.weight")).unwrap().1;
            for o in 0..outputs {
                for k in 0..inputs {
                    let delta: f32 = (0..rank).map(|r| b[o * rank + r] * a[r * inputs + k]).sum();
                    weight[o * inputs + k] += scale * delta;
                }
            }
            lora.insert(format!("base_model.model.{name}.lora_A.weight"), (vec![rank, inputs], a));
            lora.insert(format!("base_model.model.{name}.lora_B.weight"), (vec![outputs, rank], b));
        }
    }
    (lora, merged)
}

fn write(folder: &Path, settings: &Value, tensors: &Tensors) {
    fs::write(folder.join("adapter_config.json"), settings.to_string()).unwrap();
    tiny::write_tensors(folder, "adapter_model.safetensors", tensors);
}

fn merged_model(tensors: &Tensors) -> Model {
    let folder = tempfile::tempdir().unwrap();
    tiny::write(folder.path(), LLAMA, tensors);
    tiny::load(folder.path(), WeightChoice::F32)
}

#[test]
fn adapters_per_row_equal_merged_weights() {
    let base = tiny::tensors(LLAMA);
    let mut model = merged_model(&base);
    let (first, first_merged) = adapter(1, &base, false);
    let (second, second_merged) = adapter(2, &base, true);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &settings(), &first);
    let one = model.load_adapter(folder.path()).unwrap();
    let mut rslora = settings();
    rslora["use_rslora"] = json!(true);
    write(folder.path(), &rslora, &second);
    let two = model.load_adapter(folder.path()).unwrap();

    let inputs = [tiny::tokens(1, 40), tiny::tokens(2, 3), tiny::tokens(3, 17), tiny::tokens(4, 9)];
    let choice = [Some(one), None, Some(two), Some(one)];
    let mut sequences: Vec<_> = inputs.iter().map(|_| model.new_sequence()).collect();
    let mut rows: Vec<_> = sequences
        .iter_mut()
        .zip(&inputs)
        .zip(choice)
        .map(|((sequence, tokens), adapter)| ForwardRow { sequence, tokens, adapter, want: Want::All })
        .collect();
    let got = model.forward(&mut rows).unwrap();
    let mut oracles = [merged_model(&first_merged), merged_model(&base), merged_model(&second_merged)];
    for (row, oracle) in [0, 1, 2, 0].into_iter().enumerate() {
        let want = tiny::all_logits(&mut oracles[oracle], &inputs[row]);
        let off = difference(&got[row], &want);
        assert!(off < 1e-4, "row {row}: off by {off}");
        if oracle == 1 {
            assert_eq!(off, 0.0, "a row without adapter is touched");
        } else {
            let plain = tiny::all_logits(&mut oracles[1], &inputs[row]);
            assert!(difference(&got[row], &plain) > 0.1, "row {row}: the adapter does nothing");
        }
    }
}

#[test]
fn what_we_cannot_compute_is_refused() {
    let base = tiny::tensors(LLAMA);
    let mut model = merged_model(&base);
    let (tensors, _) = adapter(1, &base, false);
    for (key, value, word) in [
        ("use_dora", json!(true), "DoRA"),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save"),
        ("lora_bias", json!(true), "lora_bias"),
        ("layer_replication", json!([[0, 2]]), "layer_replication"),
        ("r", json!(8), "shape"),
        ("peft_type", json!("IA3"), "PEFT"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings();
        settings[key] = value;
        write(folder.path(), &settings, &tensors);
        let error = model.load_adapter(folder.path()).unwrap_err().to_string();
        assert!(error.contains(word), "{key}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut foreign = tensors.clone();
    foreign.insert("base_model.model.model.layers.0.other.lora_A.weight".into(), (vec![1], vec![0.0]));
    write(folder.path(), &settings(), &foreign);
    let error = model.load_adapter(folder.path()).unwrap_err().to_string();
    assert!(error.contains("1 of its 21 tensors"), "{error}");
}
