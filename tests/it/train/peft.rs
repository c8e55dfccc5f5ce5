//! Adapters in and out of Hugging Face PEFT, and a whole training step against PyTorch.
//!
//! The numbers lie in tests/golden/train/step.json beside the script that made them. With PLURISCOPE_PYTHON (an
//! interpreter with torch, transformers and peft) the script runs again, and what PEFT writes is read back.

use super::{base, examples};
use crate::model::tiny;
use pluriscope::train::{
    batch::{Batch, Example},
    lora::Lora,
    network::{learn, score},
    optimiser::{AdamW, OptimiserSettings},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

const SETTINGS: OptimiserSettings = OptimiserSettings {
    lr: 0.01,
    final_share: 1.0,
    warmup: 0.0,
    weight_decay: 0.01,
    beta2: 0.999,
    clip: 1.0,
};

fn golden() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/train/step.json")
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

/// Runs the script over files that are written for it; `None` without an interpreter.
fn by_pytorch(work: &Path, rows: &[Example]) -> Option<Value> {
    let python = std::env::var_os("PLURISCOPE_PYTHON")?;
    let rows: Vec<_> = rows.iter().map(|r| json!([r.prompt, r.completion])).collect();
    fs::write(work.join("rows.json"), json!(rows).to_string()).unwrap();
    let settings = json!({"lr": SETTINGS.lr, "weight_decay": SETTINGS.weight_decay, "clip": SETTINGS.clip});
    fs::write(work.join("settings.json"), settings.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/train/exchange.py");
    let output = Command::new(python).arg(script).arg(work).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    if std::env::var_os("PLURISCOPE_WRITE_GOLDENS").is_some() {
        fs::write(golden(), serde_json::to_string_pretty(&value).unwrap()).unwrap();
    }
    Some(value)
}

#[test]
fn adapters_and_a_whole_step_equal_peft_and_pytorch() {
    let (folder, frozen) = base(tiny::LLAMA);
    let work = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path(), work.path().join("base")).unwrap();
    super::filled(&frozen).save(&work.path().join("ours"), "tiny").unwrap();
    // What was saved are half floats.
    let mut lora = Lora::load(&work.path().join("ours"), &frozen.config, 0.0).unwrap();
    let rows = examples(4, 6);
    let refs: Vec<&Example> = rows.iter().collect();
    let batch = Batch::new(&refs);
    let logprobs =
        |lora: &Lora| -> Vec<f32> { score(&frozen, Some(lora), &batch).iter().map(|s| s.logprob).collect() };
    let fresh = by_pytorch(work.path(), &rows);
    let want: Value = match &fresh {
        Some(value) => value.clone(),
        None => serde_json::from_str(&fs::read_to_string(golden()).unwrap()).unwrap(),
    };
    let close = |got: &[f32], name: &str| {
        let off = tiny::difference(got, &numbers(&want[name]));
        assert!(off < 2e-4, "{name}: off by {off}");
    };
    let before = logprobs(&lora);
    close(&before, "ours");
    let mut gradient = vec![0f32; lora.values.len()];
    let share = -1.0 / before.len() as f32;
    learn(&frozen, &lora, &batch, 0, &|_, _| share, &mut gradient);
    let mut optimiser = AdamW::new(lora.values.len());
    let norm = optimiser.update(&mut lora.values, &mut gradient, SETTINGS.lr, &SETTINGS);
    let wanted = want["norm"].as_f64().unwrap();
    assert!((f64::from(norm) / wanted - 1.0).abs() < 1e-3, "norm {norm}, PyTorch's {wanted}");
    let after = logprobs(&lora);
    assert!(tiny::difference(&after, &before) > 0.05, "a step moves something");
    close(&after, "after");
    if fresh.is_some() {
        let theirs = Lora::load(&work.path().join("theirs"), &frozen.config, 0.0).unwrap();
        assert!(theirs.shape.rslora);
        close(&logprobs(&theirs), "theirs");
    } else {
        println!("skipped: reading an adapter that PEFT wrote (PLURISCOPE_PYTHON names no interpreter)");
    }
}
