//! Training: gradients, learning, checkpoints, goldens.

mod drafts;
mod gradients;
mod grpo;
mod logs;
#[cfg(unix)]
mod peft;
mod runs;
mod updates;
#[cfg(unix)]
mod verl;
mod word;

use crate::model::tiny;
use pluriscope::{
    model::{LoadOptions, Model, WeightChoice},
    train::{
        batch::Example,
        frozen::Frozen,
        lora::{Lora, LoraShape},
    },
};
use std::ops::ControlFlow;
use tempfile::TempDir;

/// A random model of `kind` in a folder, and its weights for training.
pub fn base(kind: tiny::Kind) -> (TempDir, Frozen) {
    let folder = tempfile::tempdir().unwrap();
    tiny::write(folder.path(), kind, &tiny::tensors(kind));
    let frozen = Frozen::load(folder.path()).unwrap();
    (folder, frozen)
}

pub fn model(folder: &TempDir) -> Model {
    let options = LoadOptions { weights: WeightChoice::F32, threads: Some(2) };
    Model::load(folder.path(), &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

pub fn shape() -> LoraShape {
    let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    LoraShape {
        rank: 4,
        alpha: 8.0,
        rslora: false,
        dropout: 0.0,
        targets: targets.map(str::to_owned).to_vec(),
    }
}

/// An adapter with both matrices filled.
pub fn filled(frozen: &Frozen) -> Lora {
    let mut lora = Lora::new(shape(), &frozen.config, 5).unwrap();
    let noise = tiny::random(9, lora.values.len(), 0.2);
    lora.values.iter_mut().zip(noise).for_each(|(v, n)| *v += n);
    lora
}

/// Rows of which the first `shared` tokens are the same.
pub fn examples(count: usize, shared: usize) -> Vec<Example> {
    let trunk = tiny::tokens(1, shared);
    (0..count)
        .map(|i| Example {
            prompt: [trunk.clone(), tiny::tokens(100 + i as u64, 3)].concat(),
            completion: tiny::tokens(200 + i as u64, 4 + i % 3),
            train_prompt: false,
        })
        .collect()
}

/// The study's data, where it is on this machine.
pub fn data(rest: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("PLURISCOPE_DATA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        std::path::PathBuf::from,
    );
    let path = folder.join(rest);
    if !path.exists() {
        println!("skipped: {rest} of the development data is not here");
        return None;
    }
    Some(path)
}
