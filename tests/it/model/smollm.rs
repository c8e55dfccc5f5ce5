//! SmolLM2-135M-Instruct, where it is on this machine, against candle-transformers.

use super::tiny::difference;
use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor, gguf_file},
};
use candle_transformers::models::quantized_llama;
use pluriscope::{
    core::{Message, Prompt, Role},
    model::{ForwardRow, LanguageModel, LoadOptions, Model, Want, WeightChoice, sampler::argmax},
};
use std::{
    fs::File,
    ops::ControlFlow,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// The model file, fetched by the program itself where it is not here yet.
pub fn find() -> Option<PathBuf> {
    let folder = match crate::models::smollm2() {
        Ok(folder) => folder.join("smollm2-135m"),
        Err(reason) => {
            println!("skipped: {reason}");
            return None;
        }
    };
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .find(|path| path.extension().is_some_and(|e| e == "gguf"))
}

/// The same model with all matrices in `matrices`, as a file; values are those of Q8_0.
fn rewritten(path: &Path, matrices: GgmlDType) -> NamedTempFile {
    let mut file = File::open(path).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let convert =
        |tensor: &QTensor, to| QTensor::quantize(&tensor.dequantize(&Device::Cpu).unwrap(), to).unwrap();
    let tensors: Vec<(&str, QTensor)> = content
        .tensor_infos
        .keys()
        .map(|name| {
            let mut tensor = content.tensor(&mut file, name, &Device::Cpu).unwrap();
            if tensor.shape().rank() == 2 {
                tensor = convert(&convert(&tensor, GgmlDType::Q8_0), matrices);
            }
            (name.as_str(), tensor)
        })
        .collect();
    let metadata: Vec<_> = content.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    let mut out = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
    gguf_file::write(out.as_file_mut(), &metadata, &tensors).unwrap();
    out
}

fn load(path: &Path, weights: WeightChoice) -> Model {
    Model::load(path, &LoadOptions { weights, threads: None }, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn candle(path: &Path) -> quantized_llama::ModelWeights {
    let mut reader = File::open(path).unwrap();
    let content = gguf_file::Content::read(&mut reader).unwrap();
    quantized_llama::ModelWeights::from_gguf(content, &mut reader, &Device::Cpu).unwrap()
}

/// A model that keeps its own cache and goes on from where it was.
trait Step {
    fn step(&mut self, tokens: &[u32]) -> Vec<f32>;
}

struct Ours(Model, <Model as LanguageModel>::Sequence);

impl Step for Ours {
    fn step(&mut self, tokens: &[u32]) -> Vec<f32> {
        let row = ForwardRow { sequence: &mut self.1, tokens, adapter: None, want: Want::Last };
        self.0.forward(&mut [row]).unwrap().remove(0)
    }
}

struct Theirs(quantized_llama::ModelWeights, usize);

impl Step for Theirs {
    fn step(&mut self, tokens: &[u32]) -> Vec<f32> {
        let input = Tensor::new(tokens, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        self.1 += tokens.len();
        let logits = self.0.forward(&input, self.1 - tokens.len()).unwrap();
        logits.flatten_all().unwrap().to_vec1().unwrap()
    }
}

fn ours(path: &Path, weights: WeightChoice) -> Ours {
    let model = load(path, weights);
    let sequence = model.new_sequence();
    Ours(model, sequence)
}

fn mean_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32
}

pub fn question() -> Prompt {
    let content = "Is it fair to read a friend's diary? Explain in a few sentences.";
    let user = Message { role: Role::User, content: content.to_owned() };
    Prompt { messages: vec![user], prefill: String::new() }
}

/// With the weights of the Q8_0 file as 32-bit floats on both sides, the greedy continuation of 40 tokens is
/// candle's to the token, and no logit differs by more than 0.01.
///
/// With 8-bit weights both sides also round activations to 8 bits, each in its own way, which moves logits of
/// this model by 0.1 to 0.6 on average. So there the float logits are the reference: along the same 40 tokens
/// our mean distance from them is not larger than candle's, and our best token is theirs wherever the two
/// best float logits are more than 1 apart.
#[test]
fn greedy_continuation_equals_candle() {
    let Some(path) = find() else { return };
    let (q8, f32) = (rewritten(&path, GgmlDType::Q8_0), rewritten(&path, GgmlDType::F32));
    let mut exact = Theirs(candle(f32.path()), 0);
    let mut ours_exact = ours(q8.path(), WeightChoice::F32);
    let mut theirs_q8 = Theirs(candle(q8.path()), 0);
    let mut ours_q8 = ours(q8.path(), WeightChoice::Q8);
    let mut tokens = ours_q8.0.encode_prompt(&question()).unwrap();
    let (mut our_distance, mut their_distance) = (0.0, 0.0);
    for step in 0..40 {
        let want = exact.step(&tokens);
        let best = argmax(&want);
        let got = ours_exact.step(&tokens);
        assert!(difference(&got, &want) < 0.01, "off by {} at token {step}", difference(&got, &want));
        assert_eq!(argmax(&got), best, "at token {step}");

        let got = ours_q8.step(&tokens);
        our_distance += mean_difference(&got, &want) / 40.0;
        their_distance += mean_difference(&theirs_q8.step(&tokens), &want) / 40.0;
        let second =
            want.iter().enumerate().filter(|(i, _)| *i != best).map(|(_, v)| *v).fold(f32::MIN, f32::max);
        assert!(argmax(&got) == best || want[best] - second < 1.0, "sure of another token at {step}");
        tokens = vec![best as u32];
    }
    println!("mean distance from float logits: ours {our_distance}, candle's {their_distance}");
    assert!(our_distance <= their_distance, "ours {our_distance}, candle's {their_distance}");
}

#[test]
fn it_answers_in_words() {
    let Some(path) = find() else { return };
    let mut model = ours(&path, WeightChoice::Auto);
    assert_eq!(model.0.info().weights, "q8");
    let content = "Why is the sky blue?".to_owned();
    let prompt = Prompt { messages: vec![Message { role: Role::User, content }], prefill: String::new() };
    let (mut tokens, mut answer) = (model.0.encode_prompt(&prompt).unwrap(), Vec::new());
    while answer.len() < 40 {
        let next = argmax(&model.step(&tokens)) as u32;
        if model.0.is_end(next) {
            break;
        }
        answer.push(next);
        tokens = vec![next];
    }
    let text = model.0.decode(&answer).unwrap();
    assert!(text.contains("Rayleigh"), "{text}");
}
