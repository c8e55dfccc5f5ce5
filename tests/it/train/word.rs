//! A first course in the verdict's word alone, and the whole answer from there.

use super::drafts::{Place, words};

#[test]
fn a_first_course_in_one_word_is_what_the_whole_answer_goes_on_from() {
    let place = Place::new();
    words(&place.run("sft", &["--word", "--template", "bare", "-o", "word"]), 0);
    let settings = place.json("word/run.json");
    assert_eq!(settings["method"], "sft --word");
    assert!(settings["template"].as_str().unwrap().starts_with("bare "), "{settings}");
    let tokens = |folder: &str| -> u64 {
        let bytes = std::fs::read(place.path(folder).join("state.safetensors")).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let progress = &header.metadata().as_ref().unwrap()["progress"];
        serde_json::from_str::<serde_json::Value>(progress).unwrap()["tokens"].as_u64().unwrap()
    };
    words(&place.run("sft", &["--init", "word/last", "-o", "whole"]), 0);
    assert_eq!(place.json("whole/run.json")["init"], "word/last");
    assert!(tokens("word") < tokens("whole"), "{} {}", tokens("word"), tokens("whole"));
}

#[test]
fn a_run_in_one_word_is_not_gone_on_with_as_another() {
    let place = Place::new();
    words(&place.run("sft", &["--word", "-o", "word"]), 0);
    words(&place.run("sft", &["-o", "word"]), 1);
}

#[test]
fn what_cannot_be_learnt_so_is_misuse() {
    let place = Place::new();
    let said = words(&place.run("sft", &["--template", "nope", "-o", "run"]), 2);
    assert!(said.contains("no prompt template `nope`") && said.contains("bare, direct"), "{said}");
    words(&place.run("rlvr", &["--word", "-o", "run"]), 2);
    let said = words(&place.run("rlvr", &["--group", "1", "-o", "run"]), 2);
    assert!(said.contains("nothing to compare") && said.contains("--learn verdict"), "{said}");
    words(&place.run("judge", &["--template", "bare", "-o", "run"]), 2);
}
