//! A row's result never depends on its company, nor on what was cached.

use super::tiny::{self, LLAMA, all_logits};
use pluriscope::model::{ForwardRow, LanguageModel, Model, ModelError, Want, WeightChoice};

const BOTH: [WeightChoice; 2] = [WeightChoice::F32, WeightChoice::Q8];

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn feed(
    model: &mut Model,
    sequence: &mut <Model as LanguageModel>::Sequence,
    tokens: &[u32],
    want: Want,
) -> Vec<f32> {
    model.forward(&mut [ForwardRow { sequence, tokens, adapter: None, want }]).unwrap().remove(0)
}

#[test]
fn a_batch_of_mixed_lengths_equals_row_by_row_bit_for_bit() {
    for weights in BOTH {
        let mut model = tiny::model(LLAMA, weights);
        let inputs: Vec<Vec<u32>> =
            [1, 7, 33, 64, 2, 90].iter().enumerate().map(|(i, n)| tiny::tokens(i as u64, *n)).collect();
        let mut sequences: Vec<_> = inputs.iter().map(|_| model.new_sequence()).collect();
        let mut rows: Vec<_> = sequences
            .iter_mut()
            .zip(&inputs)
            .map(|(sequence, tokens)| ForwardRow { sequence, tokens, adapter: None, want: Want::All })
            .collect();
        let together = model.forward(&mut rows).unwrap();
        // And one more step, each row at its own position.
        let mut rows: Vec<_> = sequences
            .iter_mut()
            .map(|sequence| ForwardRow { sequence, tokens: &[5], adapter: None, want: Want::Last })
            .collect();
        let next = model.forward(&mut rows).unwrap();
        for ((tokens, together), next) in inputs.iter().zip(&together).zip(&next) {
            let mut alone = model.new_sequence();
            assert_eq!(bits(&feed(&mut model, &mut alone, tokens, Want::All)), bits(together));
            assert_eq!(bits(&feed(&mut model, &mut alone, &[5], Want::Last)), bits(next));
        }
    }
}

#[test]
fn token_by_token_equals_the_whole_prompt_bit_for_bit() {
    for weights in BOTH {
        let mut model = tiny::model(LLAMA, weights);
        let tokens = tiny::tokens(3, 100);
        let whole = all_logits(&mut model, &tokens);
        let mut sequence = model.new_sequence();
        let single: Vec<f32> =
            tokens.iter().flat_map(|t| feed(&mut model, &mut sequence, &[*t], Want::Last)).collect();
        assert_eq!(bits(&single), bits(&whole));
    }
}

#[test]
fn a_fork_equals_a_fresh_sequence_and_leaves_its_origin_alone() {
    for weights in BOTH {
        let mut model = tiny::model(LLAMA, weights);
        let tokens = tiny::tokens(4, 80);
        let mut origin = model.new_sequence();
        feed(&mut model, &mut origin, &tokens, Want::None);
        for len in [1, 31, 32, 45, 80] {
            let mut fork = model.fork(&origin, len);
            assert_eq!(model.len(&fork), len);
            let forked = feed(&mut model, &mut fork, &[7, 8, 9], Want::All);
            let mut fresh = model.new_sequence();
            feed(&mut model, &mut fresh, &tokens[..len], Want::None);
            assert_eq!(bits(&forked), bits(&feed(&mut model, &mut fresh, &[7, 8, 9], Want::All)), "at {len}");
        }
        let mut all = tokens.clone();
        all.push(3);
        let whole = all_logits(&mut model, &all);
        let last = feed(&mut model, &mut origin, &[3], Want::Last);
        assert_eq!(bits(&last), bits(&whole[80 * tiny::VOCABULARY..]));
    }
}

#[test]
fn what_is_wanted_is_what_comes_back() {
    let mut model = tiny::model(LLAMA, WeightChoice::F32);
    let tokens = tiny::tokens(5, 9);
    let all = all_logits(&mut model, &tokens);
    assert_eq!(all.len(), 9 * tiny::VOCABULARY);
    let mut sequence = model.new_sequence();
    let last = feed(&mut model, &mut sequence, &tokens, Want::Last);
    assert_eq!(bits(&last), bits(&all[8 * tiny::VOCABULARY..]));
    assert!(feed(&mut model, &mut sequence, &[1], Want::None).is_empty());
    assert_eq!(model.len(&sequence), 10);
}

#[test]
fn impossible_requests_are_refused() {
    let mut model = tiny::model(LLAMA, WeightChoice::F32);
    let mut sequence = model.new_sequence();
    let mut try_it = |tokens: &[u32], adapter| {
        let row = ForwardRow { sequence: &mut sequence, tokens, adapter, want: Want::None };
        model.forward(&mut [row]).unwrap_err()
    };
    assert!(matches!(try_it(&[1; 300], None), ModelError::Context { wanted: 300, context: 256 }));
    assert!(matches!(try_it(&[999], None), ModelError::Token(999)));
    assert!(matches!(try_it(&[1], Some(pluriscope::model::AdapterIx(2))), ModelError::AdapterSlot(2)));
}
