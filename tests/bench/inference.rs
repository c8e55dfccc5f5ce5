//! Speed of our decoder against candle-transformers `quantized_llama`, on the same Q8_0 weights of
//! SmolLM2-135M-Instruct, and of five rows with five adapters against the same rows without.
//!
//! One run prints everything, so that ratios mean something on a busy machine:
//! `cargo bench --bench inference`. Results and what did not help are kept in `LOG.md` beside this file.

mod model;

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor, gguf_file},
};
use candle_transformers::models::quantized_llama::ModelWeights;
use pluriscope::model::{AdapterIx, ForwardRow, LanguageModel, LoadOptions, Model, Want, WeightChoice};
use std::{
    error::Error,
    fs::{self, File},
    ops::ControlFlow,
    path::Path,
    time::Instant,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PROMPT: usize = 180;
const STEPS: usize = 32;
const ROUNDS: usize = 5;
const RANK: usize = 16;

fn main() -> Result<()> {
    let Some(path) = model::smollm2() else {
        println!("skipped: SmolLM2-135M-Instruct is not here; run `pluriscope models fetch smollm2-135m`");
        return Ok(());
    };
    let q8 = requantise(&path)?;
    let mut model = load(q8.path(), WeightChoice::Q8)?;
    let prompt: Vec<u32> = (0..PROMPT as u32).map(|i| 1000 + i * 37 % 20_000).collect();

    let mut theirs = candle(q8.path())?;
    let adapters = (0..5).map(|seed| adapter(&mut model, seed)).collect::<Result<Vec<_>>>()?;
    let mut best = [0f64; 8];
    for round in 0..ROUNDS {
        let none = [None; 32];
        let results = [
            candle_prefill(&mut theirs, &prompt)?,
            candle_decode(&mut theirs, PROMPT)?,
            prefill(&mut model, &prompt)?,
            decode(&mut model, &prompt, &none[..1])?,
            decode(&mut model, &prompt, &none[..5])?,
            decode(&mut model, &prompt, &adapters.iter().map(|a| Some(*a)).collect::<Vec<_>>())?,
            decode(&mut model, &prompt, &none[..32])?,
            prefill_rows(&mut model, &prompt)?,
        ];
        best.iter_mut().zip(results).for_each(|(b, r)| *b = b.max(r));
        eprintln!("round {} of {ROUNDS}", round + 1);
    }
    let [their_prefill, their_decode, our_prefill, one, five, adapted, many, letters] = best;
    println!("tokens per second, best of {ROUNDS} rounds; {} threads", rayon::current_num_threads());
    println!(
        "prefill, {PROMPT} tokens        candle {their_prefill:7.0}   ours {our_prefill:7.0}   {:5.2}×",
        our_prefill / their_prefill
    );
    println!(
        "decode, batch 1            candle {their_decode:7.0}   ours {one:7.0}   {:5.2}×",
        one / their_decode
    );
    println!("decode, batch 5                             ours {five:7.0}   {:5.2}× our batch 1", five / one);
    println!(
        "decode, batch 5, 5 adapters                 ours {adapted:7.0}   {:5.2}× our batch 1, {:.2} of batch 5",
        adapted / one,
        adapted / five
    );
    println!("decode, batch 32                            ours {many:7.0}   {:5.2}× our batch 1", many / one);
    println!("5 forks × 36 tokens                         ours {letters:7.0}");
    drop(model);

    let mut dense = load(q8.path(), WeightChoice::F32)?;
    let (mut p, mut d1, mut d5) = (0f64, 0f64, 0f64);
    for _ in 0..3 {
        p = p.max(prefill(&mut dense, &prompt)?);
        d1 = d1.max(decode(&mut dense, &prompt, &[None])?);
        d5 = d5.max(decode(&mut dense, &prompt, &[None; 5])?);
    }
    println!("the same weights as f32: prefill {p:.0}, batch 1 {d1:.0}, batch 5 {d5:.0}");
    Ok(())
}

/// Tokens per second of reading the prompt, last logits wanted.
fn prefill(model: &mut Model, prompt: &[u32]) -> Result<f64> {
    let start = Instant::now();
    let mut sequence = model.new_sequence();
    model.forward(&mut [ForwardRow {
        sequence: &mut sequence,
        tokens: prompt,
        adapter: None,
        want: Want::Last,
    }])?;
    Ok(prompt.len() as f64 / start.elapsed().as_secs_f64())
}

/// Tokens per second of reading 36 further tokens in each of five forks, no logits.
fn prefill_rows(model: &mut Model, prompt: &[u32]) -> Result<f64> {
    let mut origin = model.new_sequence();
    let rows = &mut [ForwardRow { sequence: &mut origin, tokens: prompt, adapter: None, want: Want::None }];
    model.forward(rows)?;
    let mut forks: Vec<_> = (0..5).map(|_| model.fork(&origin, PROMPT - 3)).collect();
    let start = Instant::now();
    let mut rows: Vec<_> = forks
        .iter_mut()
        .map(|sequence| ForwardRow { sequence, tokens: &prompt[..36], adapter: None, want: Want::None })
        .collect();
    model.forward(&mut rows)?;
    Ok(5.0 * 36.0 / start.elapsed().as_secs_f64())
}

/// Tokens per second of `STEPS` steps after the prompt, one row for each of `adapters`.
fn decode(model: &mut Model, prompt: &[u32], adapters: &[Option<AdapterIx>]) -> Result<f64> {
    let mut sequences = Vec::new();
    for adapter in adapters {
        let mut sequence = model.new_sequence();
        model.forward(&mut [ForwardRow {
            sequence: &mut sequence,
            tokens: prompt,
            adapter: *adapter,
            want: Want::None,
        }])?;
        sequences.push(sequence);
    }
    let start = Instant::now();
    for step in 0..STEPS {
        let token = [1000 + step as u32];
        let mut rows: Vec<_> = sequences
            .iter_mut()
            .zip(adapters)
            .map(|(sequence, adapter)| ForwardRow {
                sequence,
                tokens: &token,
                adapter: *adapter,
                want: Want::Last,
            })
            .collect();
        model.forward(&mut rows)?;
    }
    Ok((STEPS * adapters.len()) as f64 / start.elapsed().as_secs_f64())
}

fn candle_prefill(model: &mut ModelWeights, prompt: &[u32]) -> Result<f64> {
    model.clear_kv_cache();
    let input = Tensor::new(prompt, &Device::Cpu)?.unsqueeze(0)?;
    let start = Instant::now();
    model.forward(&input, 0)?;
    Ok(prompt.len() as f64 / start.elapsed().as_secs_f64())
}

/// Goes on after [`candle_prefill`], at `position`.
fn candle_decode(model: &mut ModelWeights, position: usize) -> Result<f64> {
    let start = Instant::now();
    for step in 0..STEPS {
        let input = Tensor::new(&[[1000 + step as u32]], &Device::Cpu)?;
        model.forward(&input, position + step)?;
    }
    Ok(STEPS as f64 / start.elapsed().as_secs_f64())
}

fn load(path: &Path, weights: WeightChoice) -> Result<Model> {
    Ok(Model::load(path, &LoadOptions { weights, threads: None }, &mut |_| ControlFlow::Continue(()))?)
}

fn candle(path: &Path) -> Result<ModelWeights> {
    let mut reader = File::open(path)?;
    let content = gguf_file::Content::read(&mut reader)?;
    Ok(ModelWeights::from_gguf(content, &mut reader, &Device::Cpu)?)
}

/// A rank-16 adapter on all linear layers, with weights that depend on `seed`.
fn adapter(model: &mut Model, seed: usize) -> Result<AdapterIx> {
    use pluriscope::model::peft::{self, LoraConfig, TARGETS};
    let config = model.config().clone();
    let folder = tempfile::tempdir()?;
    let names: Vec<&str> = TARGETS.iter().filter_map(|(t, _)| t.rsplit('.').next()).collect();
    let settings = LoraConfig::new("smollm2-135m", RANK, 32.0, false, &names);
    fs::write(folder.path().join("adapter_config.json"), serde_json::to_string(&settings)?)?;
    let mut tensors = Vec::new();
    for layer in 0..config.layers {
        for (target, _) in TARGETS {
            let (inputs, outputs) = peft::dimensions(&config, target);
            for (part, shape) in [("A", [RANK, inputs]), ("B", [outputs, RANK])] {
                let name = format!("base_model.model.model.layers.{layer}.{target}.lora_{part}.weight");
                let values = (0..shape[0] * shape[1]).flat_map(|i| {
                    (((i * 7919 + seed * 31 + layer) % 201) as f32 * 1e-4 - 1e-2).to_le_bytes()
                });
                tensors.push((name, shape.to_vec(), values.collect::<Vec<u8>>()));
            }
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, data)| {
            Ok((name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), data)?))
        })
        .collect::<Result<Vec<_>>>()?;
    fs::write(folder.path().join("adapter_model.safetensors"), safetensors::serialize(views, None)?)?;
    Ok(model.load_adapter(folder.path())?)
}

/// The same model with all matrices in Q8_0, as a temporary file.
fn requantise(path: &Path) -> Result<tempfile::NamedTempFile> {
    let mut file = File::open(path)?;
    let content = gguf_file::Content::read(&mut file)?;
    let mut tensors = Vec::new();
    for name in content.tensor_infos.keys() {
        let mut tensor = content.tensor(&mut file, name, &Device::Cpu)?;
        if tensor.shape().rank() == 2 {
            tensor = QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, GgmlDType::Q8_0)?;
        }
        tensors.push((name.as_str(), tensor));
    }
    let metadata: Vec<_> = content.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    let mut out = tempfile::Builder::new().suffix(".gguf").tempfile()?;
    gguf_file::write(out.as_file_mut(), &metadata, &tensors)?;
    Ok(out)
}
