//! Rows, votes of samples, empty selections.

use super::*;
use crate::core::{Item, Perspective, Trace};

fn item(perspective: &str, text: &str, gold: Option<Letter>) -> Item {
    let mut item = Item::value("vk", Perspective::named(perspective), text);
    item.gold = gold;
    item
}

#[test]
fn rows_of_one_situation_lie_together_and_unknown_gold_is_counted() {
    let items = [
        item("Fairness", "stealing", Some(Letter::B)),
        item("Fairness", "lying", Some(Letter::A)),
        item("Care", "stealing", Some(Letter::C)),
        item("Care", "lying", None),
        item("Order", "stealing", Some(Letter::B)),
    ];
    let traces = [
        Trace::new(&items[0], "sft".into(), "Answer: B".to_owned()),
        Trace::new(&items[0], "sft".into(), "Answer: A".to_owned()),
        Trace::new(&items[1], "sft".into(), "hm".to_owned()),
    ];
    let corpus = Corpus::of(&items, &traces);
    let all: Vec<ItemIx> = corpus.items().collect();
    let columns = Columns::of(&corpus, &all, DatasetIx(0), Samples::First);
    assert_eq!(columns.gold, [1, 2, 1, 0]);
    assert_eq!(columns.starts, [0, 3, 4]);
    assert_eq!(columns.blind, [1, 0]);
    assert_eq!(columns.methods[0].codes, [1, NOT_RUN, NOT_RUN, NO_ANSWER]);
    assert_eq!((columns.without_gold, columns.further_samples), (1, 1));
    assert!(columns.values);
    let reversed: Vec<ItemIx> = all.into_iter().rev().collect();
    assert_eq!(Columns::of(&corpus, &reversed, DatasetIx(0), Samples::First), columns);
}

#[test]
fn every_sample_votes_or_is_kept() {
    let items = [item("Care", "lying", Some(Letter::A)), item("Order", "lying", Some(Letter::B))];
    let say = |item: usize, method: &str, sample, text: &str| {
        let mut trace = Trace::new(&items[item], method.into(), text.to_owned());
        trace.sample = sample;
        trace
    };
    let traces = [
        say(0, "sft", 0, "Answer: B"),
        say(0, "rlvr", 0, "Answer: A"),
        say(0, "sft", 1, "Answer: A"),
        say(0, "sft", 2, "Answer: A"),
        say(1, "rlvr", 0, "hm"),
    ];
    let corpus = Corpus::of(&items, &traces);
    let all: Vec<ItemIx> = corpus.items().collect();
    let columns = |samples| Columns::of(&corpus, &all, DatasetIx(0), samples);
    let named =
        |columns: &Columns, name: &str| columns.methods.iter().find(|m| m.name() == name).cloned().unwrap();
    assert_eq!(named(&columns(Samples::First), "sft").codes, [1, NOT_RUN]);
    assert_eq!(named(&columns(Samples::Majority), "sft").codes, [0, NOT_RUN]);
    assert_eq!(named(&columns(Samples::Majority), "rlvr").codes, [0, NO_ANSWER]);
    let mean = columns(Samples::Mean);
    let (sft, rlvr) = (named(&mean, "sft"), named(&mean, "rlvr"));
    assert_eq!((sft.samples(0), sft.samples(1)), (&[1, 0, 0][..], &[][..]));
    assert_eq!((rlvr.samples(0), rlvr.samples(1)), (&[0][..], &[NO_ANSWER][..]));
    assert!((sft.share(0, 0) - 2.0 / 3.0).abs() < 1e-12 && sft.share(1, 0) == 0.0);
    assert_eq!(mean.further_samples, 2);
}

#[test]
fn an_empty_selection_gives_no_rows() {
    let corpus = Corpus::of(&[item("Care", "lying", Some(Letter::A))], &[]);
    let columns = Columns::of(&corpus, &[], DatasetIx(0), Samples::First);
    assert!(columns.is_empty() && columns.methods.is_empty());
    assert_eq!(columns.cluster_count(), 0);
    assert_eq!(data_sets(&corpus, &[], Samples::First), []);
}
