//! The shipped safety classifier against its promises, on the labelled texts and questions where they are at hand.

use pluriscope::core::safety::{
    Category, Label, SafetyResult, classifier,
    fit::{Example, Fitted, Part, Set, figures, neutral},
    lexical,
};
use pluriscope::store::moderation;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

fn real(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PLURISCOPE_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: {name} is not here (set PLURISCOPE_DATA)");
        return None;
    }
    Some(path)
}

fn rows(name: &str, field: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(real(name)?).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    Some(rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect())
}

fn shipped(examples: &[Example]) -> figures::Figures {
    let fitted = Fitted { classifier: classifier::shipped().unwrap().clone(), unseen: vec![] };
    figures::figures(examples, &fitted, &[])
}

#[test]
fn the_classifier_beats_the_word_list_on_the_held_out_moderation_texts() {
    let Some(path) = real("safety/openai_moderation/samples-1680.jsonl.gz") else { return };
    let read = moderation::moderation_set(&path).unwrap();
    assert_eq!((read.examples.len(), read.bad), (1680, 0));
    let figures = shipped(&read.examples);
    let [ours, list] = &figures.any_flag[..2] else { panic!() };
    assert_eq!((ours.source, list.source), ("classifier", "lexical"));
    assert!(ours.balanced_accuracy > list.balanced_accuracy && ours.f1 > list.f1, "{ours:?} {list:?}");
    let sexual = Label::Moderation(Category::Sexual);
    let sexual = figures.held_out.iter().find(|f| f.label == sexual).unwrap();
    assert!(sexual.auroc.unwrap() > 0.93 && sexual.average_precision.unwrap() > 0.85, "{sexual:?}");
}

#[test]
fn the_classifier_beats_the_word_list_on_the_held_out_tweets() {
    let Some(path) = real("safety/davidson/labeled_data.csv") else { return };
    let read = moderation::tweets(&path).unwrap();
    assert_eq!((read.examples.len(), read.bad), (24_783, 0));
    let figures = shipped(&read.examples);
    let tweets: Vec<_> = figures.any_flag.iter().filter(|f| f.set == Set::Tweets.word()).collect();
    assert!(tweets[0].balanced_accuracy > tweets[1].balanced_accuracy, "{tweets:?}");
}

#[test]
fn survey_questions_are_not_flagged() {
    let Some(questions) = rows("opinionqa/steerable_small.json", "question") else { return };
    let distinct: BTreeSet<&str> = questions.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), 890);
    let flagged = distinct.iter().filter(|q| classifier::assess(q).flagged() == Some(true)).count();
    assert!(flagged * 100 < distinct.len(), "{flagged} of {}", distinct.len());
}

#[test]
fn all_rows_of_value_kaleidoscope_classify_in_two_seconds() {
    let Some(rows) = rows("vk/steerable_small.json", "input") else { return };
    assert_eq!(rows.len(), 3866);
    // A busy machine may take one try away.
    let best = (0..3).map(|_| {
        let started = Instant::now();
        assert!(rows.iter().all(|row| classifier::assess(row).known().is_some()));
        started.elapsed()
    });
    assert!(best.min().unwrap() < Duration::from_secs(2));
}

#[test]
fn ordinary_sentences_on_touchy_subjects_pass() {
    let held: Vec<_> = neutral::sentences().into_iter().filter(|e| e.part == Part::HeldOut).collect();
    let flagged = held.iter().filter(|e| classifier::assess(&e.text).flagged() == Some(true)).count();
    assert!(flagged * 50 < held.len(), "{flagged} of {}", held.len());
}

#[test]
fn the_bundled_rationales_pass_both_sources() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/values.jsonl");
    let texts = moderation::ordinary(&path).unwrap();
    let held: Vec<_> = texts.examples.iter().filter(|e| e.part == Part::HeldOut).collect();
    let share = |assess: fn(&str) -> SafetyResult| {
        held.iter().filter(|e| assess(&e.text).flagged() == Some(true)).count() as f64 / held.len() as f64
    };
    assert!(share(classifier::assess) < 0.01 && share(lexical::assess) < 0.05);
}

#[test]
fn texts_that_nobody_can_judge_are_unknown() {
    assert_eq!(classifier::assess("").flagged(), None);
    assert_eq!(classifier::assess("…\n--").flagged(), None);
    assert_eq!(classifier::assess("Это дневник, и никто не должен его читать.").flagged(), None);
    let long = "The diary is hers, and nobody else may open it. ".repeat(2000);
    assert_eq!(classifier::assess(&long).flagged(), Some(false));
}
