//! The way there against the inference model, the way back against finite differences.

use super::{base, examples, filled, model};
use crate::model::tiny;
use pluriscope::{
    model::{ForwardRow, LanguageModel, Want, sampler::log_probabilities},
    train::{
        batch::{Batch, Example},
        network::{learn, score},
    },
};

const QWEN: tiny::Kind = tiny::Kind { architecture: "qwen2", tied: true, llama3_rope: false };

/// Log-probabilities of the completion's tokens by the model that writes traces.
fn by_inference(model: &mut pluriscope::model::Model, example: &Example, adapted: bool) -> Vec<f32> {
    let tokens = [example.prompt.clone(), example.completion.clone()].concat();
    let adapter = adapted.then_some(pluriscope::model::AdapterIx(0));
    let mut sequence = model.new_sequence();
    let row = ForwardRow { sequence: &mut sequence, tokens: &tokens, adapter, want: Want::All };
    let logits = model.forward(&mut [row]).unwrap().remove(0);
    (example.prompt.len()..tokens.len())
        .map(|at| {
            let row = &logits[(at - 1) * tiny::VOCABULARY..at * tiny::VOCABULARY];
            log_probabilities(row, &tokens[at..at + 1])[0]
        })
        .collect()
}

#[test]
fn scores_equal_those_of_inference_with_and_without_an_adapter() {
    for kind in [tiny::LLAMA, QWEN] {
        let (folder, frozen) = base(kind);
        let mut model = model(&folder);
        let lora = filled(&frozen);
        let saved = tempfile::tempdir().unwrap();
        lora.save(saved.path(), "tiny").unwrap();
        model.load_adapter(saved.path()).unwrap();
        // What was saved are half floats.
        let lora = pluriscope::train::lora::Lora::load(saved.path(), &frozen.config, 0.0).unwrap();
        let rows = examples(5, 10);
        let refs: Vec<&Example> = rows.iter().collect();
        let batch = Batch::new(&refs);
        assert_eq!(batch.families.len(), 1, "all rows share their beginning");
        for adapted in [false, true] {
            let want: Vec<f32> = rows.iter().flat_map(|e| by_inference(&mut model, e, adapted)).collect();
            let got = score(&frozen, adapted.then_some(&lora), &batch);
            let got: Vec<f32> = got.iter().map(|s| s.logprob).collect();
            assert!(tiny::difference(&got, &want) < 2e-4, "{}", tiny::difference(&got, &want));
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    for (kind, temperature) in [(tiny::LLAMA, 1.0), (QWEN, 1.0), (tiny::LLAMA, 0.6)] {
        let (_folder, frozen) = base(kind);
        let mut lora = filled(&frozen);
        let rows = [examples(3, 10), examples(2, 0)].concat();
        let refs: Vec<&Example> = rows.iter().collect();
        let mut batch = Batch::new(&refs);
        batch.temperature = temperature;
        // A loss with another weight for each target, so that no error hides in a symmetry.
        let weight = |i: usize| 0.1 + 0.07 * (i % 5) as f32;
        let mut gradient = vec![0f32; lora.values.len()];
        learn(&frozen, &lora, &batch, 0, &|i, _| weight(i), &mut gradient);
        let loss = |lora: &_| -> f64 {
            let scored = score(&frozen, Some(lora), &batch);
            scored.iter().enumerate().map(|(i, s)| f64::from(weight(i)) * f64::from(s.logprob)).sum()
        };
        let (mut worst, mut largest) = (0f64, 0f64);
        for site in lora.sites.clone() {
            for at in [site.a.start + 1, site.a.end - 2, site.b.start + 2, site.b.end - 1] {
                let (kept, step) = (lora.values[at], 4e-3f32);
                lora.values[at] = kept + step;
                let above = loss(&lora);
                lora.values[at] = kept - step;
                let below = loss(&lora);
                lora.values[at] = kept;
                let want = (above - below) / (2.0 * f64::from(step));
                worst = worst.max((want - f64::from(gradient[at])).abs());
                largest = largest.max(want.abs());
            }
        }
        assert!(worst < 0.01 * largest, "off by {worst} where the largest is {largest}");
    }
}

#[test]
fn a_temperature_sharpens_a_whole_distribution() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let lora = filled(&frozen);
    let every: Vec<Example> = (0..frozen.config.vocabulary as u32)
        .map(|token| Example { prompt: (1..9).collect(), completion: vec![token], train_prompt: false })
        .collect();
    let at = |temperature: f32| -> Vec<f32> {
        let mut batch = Batch::new(&every.iter().collect::<Vec<_>>());
        batch.temperature = temperature;
        score(&frozen, Some(&lora), &batch).iter().map(|s| s.logprob).collect()
    };
    let (plain, sharp) = (at(1.0), at(0.5));
    assert!((sharp.iter().map(|l| l.exp()).sum::<f32>() - 1.0).abs() < 1e-3);
    for (p, s) in plain.iter().zip(&sharp) {
        assert!(
            ((s - sharp[0]) - 2.0 * (p - plain[0])).abs() < 1e-3,
            "odds are squared at half the temperature"
        );
    }
}

#[test]
fn after_one_update_every_matrix_has_a_gradient() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let mut lora = pluriscope::train::lora::Lora::new(super::shape(), &frozen.config, 5).unwrap();
    let rows = examples(4, 10);
    let refs: Vec<&Example> = rows.iter().collect();
    let batch = Batch::new(&refs);
    for round in 0..2 {
        let mut gradient = vec![0f32; lora.values.len()];
        learn(&frozen, &lora, &batch, 0, &|_, _| -1.0, &mut gradient);
        for site in &lora.sites {
            let some = |range: &std::ops::Range<usize>| gradient[range.clone()].iter().any(|g| *g != 0.0);
            assert!(some(&site.b), "{} of layer {}", site.target, site.layer);
            assert_eq!(some(&site.a), round == 1, "A learns only once B is not zero");
        }
        lora.values.iter_mut().zip(&gradient).for_each(|(v, g)| *v -= 0.01 * g);
    }
}

#[test]
fn dropout_changes_learning_and_not_scoring() {
    let (_folder, frozen) = base(tiny::LLAMA);
    let mut lora = filled(&frozen);
    let rows = examples(4, 10);
    let refs: Vec<&Example> = rows.iter().collect();
    let batch = Batch::new(&refs);
    let plain = score(&frozen, Some(&lora), &batch);
    lora.shape.dropout = 0.3;
    assert_eq!(score(&frozen, Some(&lora), &batch), plain);
    let pass = |seed| {
        let mut gradient = vec![0f32; lora.values.len()];
        (learn(&frozen, &lora, &batch, seed, &|_, _| -1.0, &mut gradient), gradient)
    };
    assert_eq!(pass(1), pass(1));
    assert_ne!(pass(1).0, pass(2).0);
    assert_ne!(pass(1).0, plain);
}
