//! Facts of the study's public data, where it is at hand (`PLURISCOPE_DATA`).

use pluriscope::{
    core::{
        Corpus,
        metric::{Samples, baseline, columns::data_sets},
    },
    store::{LoadOptions, Source, load},
};
use std::{path::PathBuf, sync::atomic::AtomicBool};

/// A file of the real data, or `None` with a word about it.
pub fn real(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PLURISCOPE_DATA").map(|folder| PathBuf::from(folder).join(name));
    let path = path.filter(|p| p.exists());
    if path.is_none() {
        eprintln!("skipped: PLURISCOPE_DATA holds no {name}");
    }
    path
}

fn corpus(path: PathBuf) -> Corpus {
    let source = Source::open(&[path], None).unwrap();
    let mut last = None;
    load(
        &std::sync::Arc::new(source),
        &LoadOptions { cache_dir: None, threads: 0 },
        &AtomicBool::new(false),
        &mut |update| {
            last = update.corpus.or(last.take());
        },
    );
    last.unwrap()
}

#[test]
fn answering_every_survey_question_without_looking_at_the_perspective_scores_859() {
    let Some(path) = real("opinionqa/train_prompts.parquet") else { return };
    let corpus = corpus(path);
    let items: Vec<_> = corpus.items().collect();
    let sets = data_sets(&corpus, &items, Samples::First);
    let columns = &sets[0].columns;
    assert_eq!(sets.len(), 1);
    let blind = baseline::blind_accuracy(columns, None).unwrap();
    let always_a = columns.gold.iter().filter(|g| **g == 0).count() as f64 / columns.len() as f64;
    assert_eq!((format!("{blind:.3}"), format!("{always_a:.3}")), ("0.859".to_owned(), "0.369".to_owned()));
}
