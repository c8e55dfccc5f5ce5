//! Tokens of SmolLM2, from the metadata of its GGUF file.

use super::smollm;
use pluriscope::model::{LanguageModel, LoadOptions, Model};
use proptest::prelude::*;
use std::ops::ControlFlow;

#[test]
fn smollm_tokens_are_right() {
    let Some(path) = smollm::find() else { return };
    let model = Model::load(&path, &LoadOptions::default(), &mut |_| ControlFlow::Continue(())).unwrap();
    // Digits stand alone; a space belongs to the word after it.
    let words = |text: &str| -> Vec<String> {
        model.encode(text).unwrap().iter().map(|t| model.decode(&[*t]).unwrap()).collect()
    };
    assert_eq!(words("in 2024, we"), ["in", " ", "2", "0", "2", "4", ",", " we"]);
    assert_eq!(words(" supports").len(), 1);
    assert_eq!(words(" violates").len(), 1);
    // The turn's frame is special tokens; the same text from a user is not.
    let prompt = model.encode_prompt(&smollm::question()).unwrap();
    assert_eq!(prompt[0], 1);
    assert_eq!(prompt.iter().filter(|t| **t == 2).count(), 2);
    assert!(!model.encode("<|im_end|>").unwrap().contains(&2));
    assert!(model.is_end(2) && model.is_end(0) && !model.is_end(100));
    let text = model.decode(&prompt).unwrap();
    assert!(text.contains("Is it fair") && !text.contains("<|im_start|>"), "{text}");

    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    runner
        .run(&"\\PC{0,40}", |text| {
            prop_assert_eq!(&model.decode(&model.encode(&text).unwrap()).unwrap(), &text);
            Ok(())
        })
        .unwrap();
}
