//! Behaviours of the corpus index.

use super::*;
use crate::core::check::{CheckId, Flagged, Judged, Record, Source, TraceKey, Verdict};
use proptest::prelude::*;

fn item(situation: &str, perspective: &str, gold: Option<Letter>) -> Item {
    Item { gold, ..Item::value("vk", Perspective::named(perspective), situation) }
}

fn trace(item: &Item, method: &str, output: &str) -> Trace {
    Trace::new(item, method.into(), output.to_owned())
}

#[test]
fn outcomes_say_right_wrong_none_unjudged_and_not_run() {
    let known = item("Borrowing", "Justice", Some(Letter::A));
    let open = item("Lending", "Justice", None);
    let traces = [
        trace(&known, "a", "Answer: A"),
        trace(&known, "b", "Answer: B"),
        trace(&known, "c", "Answer: F"),
        trace(&open, "a", "Answer: A"),
    ];
    let corpus = Corpus::of([&known, &open], &traces);
    let outcomes =
        |item: u32| ["a", "b", "c"].map(|m| corpus.outcome(ItemIx(item), corpus.method_ix(m).unwrap()));
    assert_eq!(outcomes(0), [Outcome::Right, Outcome::Wrong, Outcome::NoAnswer]);
    assert_eq!(outcomes(1), [Outcome::Unjudged, Outcome::NotRun, Outcome::NotRun]);
}

#[test]
fn disagreement_is_the_share_of_pairs_that_differ() {
    let one = item("Borrowing", "Justice", None);
    let traces = [("a", "Answer: A"), ("b", "Answer: A"), ("c", "Answer: B"), ("d", "dunno")];
    let traces: Vec<_> = traces.iter().map(|(m, o)| trace(&one, m, o)).collect();
    let corpus = Corpus::of([&one], &traces);
    assert!((corpus.disagreement(ItemIx(0)) - 2.0 / 3.0).abs() < 1e-6);
    assert!(corpus.flips(ItemIx(0)));
    assert!(!Corpus::of([&one], &traces[..2]).flips(ItemIx(0)));
}

#[test]
fn a_trace_of_an_unknown_item_is_shown_as_such_until_the_item_comes() {
    let one = item("Borrowing", "Justice", Some(Letter::A));
    let traces = [trace(&one, "a", "Answer: A")];
    let corpus = Corpus::of([], &traces);
    assert_eq!(corpus.unknown_items().collect::<Vec<_>>(), [ItemIx(0)]);
    assert_eq!(corpus.title(ItemIx(0)), "");
    let mut builder = CorpusBuilder::from(&corpus);
    builder.add_item(&ItemFacts::from(&one), Loc::default(), Origin::ItemLine);
    let corpus = builder.finish();
    assert_eq!(corpus.unknown_items().count(), 0);
    assert_eq!((corpus.title(ItemIx(0)), corpus.trace_count()), ("Borrowing", 1));
}

#[test]
fn repeated_samples_are_grouped_marked_and_reachable() {
    let one = item("Borrowing", "Justice", None);
    let mut traces = vec![trace(&one, "a", "Answer: A"); 3];
    traces[1].sample = 1;
    let corpus = Corpus::of([&one], &traces);
    let samples: Vec<_> =
        corpus.samples(ItemIx(0), MethodIx(0)).map(|ix| *corpus.trace(ix).unwrap()).collect();
    assert_eq!(
        samples.iter().map(|t| (t.sample(), t.repeated())).collect::<Vec<_>>(),
        [(0, false), (0, true), (1, false)]
    );
    assert_eq!(corpus.repeat_count(), 1);
}

#[test]
fn two_golds_for_one_content_are_told() {
    let lines = [Letter::A, Letter::B].map(|gold| item("Borrowing", "Justice", Some(gold)));
    let corpus = Corpus::of(&lines, []);
    assert_eq!(corpus.gold_conflicts().collect::<Vec<_>>(), [ItemIx(0)]);
    assert_eq!(corpus.item(ItemIx(0)).unwrap().gold(), Some(Letter::A));
}

#[test]
fn perspectives_on_one_situation_share_a_text() {
    let items = ["Justice", "Right to privacy"].map(|p| item("Borrowing", p, None));
    let corpus = Corpus::of(&items, []);
    let text = corpus.item(ItemIx(0)).unwrap().text().unwrap();
    assert_eq!(corpus.items_of_text(text), [ItemIx(0), ItemIx(1)]);
    assert_eq!(corpus.items_of(PerspectiveIx(1)), [ItemIx(1)]);
}

#[test]
fn a_trace_is_named_by_its_text_and_seed_not_by_its_place_alone() {
    let one = item("Borrowing", "Justice", None);
    let traces = [trace(&one, "a", "It is fair. Answer: A"), trace(&one, "b", "Answer: A")];
    let live = Trace { seed: Some(7), ..trace(&one, "a", "It is fair. Answer: A") };
    let corpus = Corpus::of([&one], &traces).with_trace(&one, &live, Loc::default());
    let named = |trace: &Trace| corpus.named(&TraceKey::of(trace)).collect::<Vec<_>>();
    assert_eq!((named(&traces[0]), named(&live)), (vec![TraceIx(0)], vec![TraceIx(2)]));
    for absent in [
        trace(&one, "a", "It is kind. Answer: A"),
        trace(&one, "a", "It is fair. Answer: B"),
        trace(&one, "b", "It is fair. Answer: A"),
        Trace { seed: Some(8), ..live.clone() },
        Trace { sample: 1, ..live.clone() },
        trace(&item("Lending", "Justice", None), "a", "It is fair. Answer: A"),
    ] {
        assert_eq!(named(&absent), [], "{absent:?}");
    }
    let twice = Corpus::of([&one], [&traces[0], &traces[0]]);
    assert_eq!(twice.named(&TraceKey::of(&traces[0])).count(), 2);
    let odd = TraceKey { text: "no digest".to_owned(), ..TraceKey::of(&live) };
    assert_eq!(corpus.named(&odd).count(), 0);
}

/// What a check says of a trace.
fn record(trace: &Trace, check: CheckId, judged: Judged) -> Record {
    Record {
        trace: TraceKey::of(trace),
        check,
        family: check.family(),
        verdict: Verdict::Judged(judged),
        source: Source::default(),
        correct: None,
    }
}

#[test]
fn verdicts_on_other_texts_mark_nothing() {
    let one = item("Borrowing", "Justice", None);
    let (here, elsewhere) = (trace(&one, "a", "It is fair. Answer: A"), trace(&one, "a", "Answer: A"));
    let corpus = Corpus::of([&one], [&here]);
    let flagged = |trace| record(trace, CheckId::Filler, Judged { flag: true, ..Judged::default() });
    assert!(Marks::of(&corpus, [&flagged(&elsewhere)]).is_empty());
    let marks = Marks::of(&corpus, [&flagged(&here)]);
    let any = |test| marks.any(ItemIx(0), MethodIx(0), CheckId::Filler, test);
    assert!(any(CheckTest::Any) && any(CheckTest::Is(CheckState::Flagged)) && !any(CheckTest::Counted));
}

#[test]
fn marks_tell_what_is_counted_and_under_which_label_something_is_flagged() {
    let one = item("Borrowing", "Justice", None);
    let here = trace(&one, "a", "It is fair. Answer: A");
    let corpus = Corpus::of([&one], [&here]);
    let judged = Judged { outcome: true, ..Judged::default() };
    let judged = judged.with("flag:hate", 1.0).with("flag:violence", 0.0).with("own-flag", 1.0);
    let records = [
        record(&here, CheckId::SafetyClassifier, judged),
        record(&here, CheckId::Consistency, Judged { outcome: true, ..Judged::default() }),
    ];
    let marks = Marks::of(&corpus, &records);
    let any = |check, test| marks.any(ItemIx(0), MethodIx(0), check, test);
    let flags = |word| any(CheckId::SafetyClassifier, CheckTest::Flags(Flagged::from_word(word).unwrap()));
    assert_eq!(["hate", "violence", "own", "prompt"].map(flags), [true, false, true, false]);
    assert!(any(CheckId::Consistency, CheckTest::Counted), "consistent, and so not flagged");
    assert!(!any(CheckId::Consistency, CheckTest::Is(CheckState::Flagged)));
    assert!(!any(CheckId::SafetyLexical, CheckTest::Flags(Flagged::Own)), "each source by itself");
}

/// Everything that a reader of the corpus can see.
fn seen(corpus: &Corpus) -> Vec<String> {
    corpus
        .items()
        .map(|ix| {
            let entry = corpus.item(ix).unwrap();
            let traces: Vec<_> = corpus
                .traces(ix)
                .map(|t| corpus.trace(t).unwrap())
                .map(|t| {
                    (
                        corpus.methods()[t.method().0 as usize].clone(),
                        t.sample(),
                        t.fingerprint(),
                        t.answer(),
                        t.outcome(),
                        t.repeated(),
                        t.loc,
                    )
                })
                .collect();
            format!(
                "{} {:?} {:?} {:?} {} {} {:?} {traces:?} {}",
                entry.id,
                entry.perspective().and_then(|p| corpus.perspective(p)),
                corpus.title(ix),
                entry.gold(),
                entry.gold_conflict(),
                corpus.dataset(ix),
                entry.loc,
                corpus.disagreement(ix),
            )
        })
        .collect()
}

/// Adds line `n` of a made-up file: an item line, a trace line with its item, or a bare trace.
fn add(builder: &mut CorpusBuilder, n: usize, (kind, which, gold, method): (u8, u8, Option<usize>, u8)) {
    let item = item(
        ["Borrowing", "Lending"][usize::from(which) % 2],
        ["Justice", "Care", "Duty to help"][usize::from(which) / 2 % 3],
        gold.and_then(Letter::from_index),
    );
    let loc = Loc { file: 0, offset: n as u64, len: 1 };
    let trace = trace(&item, ["a", "b"][usize::from(method) % 2], ["Answer: A", "Answer: B", "no"][n % 3]);
    match kind % 3 {
        0 => {
            builder.add_item(&ItemFacts::from(&item), loc, Origin::ItemLine);
        }
        1 => {
            builder.add_item(&ItemFacts::from(&item), loc, Origin::TraceLine);
            builder.add_trace(&TraceFacts::from(&trace), loc);
        }
        _ => builder.add_trace(&TraceFacts::from(&trace), loc),
    }
}

proptest! {
    #[test]
    fn chunks_appended_in_order_equal_the_whole(
        lines in prop::collection::vec((0..3u8, 0..6u8, prop::option::of(0..3usize), 0..2u8), 0..40),
        cuts in prop::collection::vec(0..40usize, 0..4),
    ) {
        let mut whole = CorpusBuilder::default();
        let mut parts = CorpusBuilder::default();
        let mut chunk = CorpusBuilder::default();
        for (n, line) in lines.iter().enumerate() {
            add(&mut whole, n, *line);
            add(&mut chunk, n, *line);
            if cuts.contains(&n) {
                parts.append(std::mem::take(&mut chunk));
            }
        }
        parts.append(chunk);
        prop_assert_eq!(seen(&whole.snapshot()), seen(&parts.finish()));
        let again: Corpus = postcard::from_bytes(&postcard::to_stdvec(&whole.snapshot()).unwrap()).unwrap();
        prop_assert_eq!(seen(&again), seen(&whole.finish()));
    }

    #[test]
    fn a_live_trace_gives_what_a_rebuild_gives(
        lines in prop::collection::vec((0..3u8, 0..6u8, prop::option::of(0..3usize), 0..2u8), 0..20),
        live in prop::collection::vec((0..6u8, 0..3usize), 1..6),
    ) {
        let mut builder = CorpusBuilder::default();
        for (n, line) in lines.iter().enumerate() {
            add(&mut builder, n, *line);
        }
        let start = builder.snapshot();
        let mut corpus = start.clone();
        let mut rows = Vec::new();
        for (n, (which, method)) in live.iter().enumerate() {
            let item = item(["Borrowing", "Lending"][usize::from(*which) % 2], ["Justice", "Care", "Duty to help"][usize::from(*which) / 2], None);
            let trace = trace(&item, ["a", "b", "new"][*method], "Answer: C");
            let loc = Loc { file: 1, offset: n as u64, len: 1 };
            corpus = corpus.with_trace(&item, &trace, loc);
            rows.push((Arc::new(item.clone()), Arc::new(trace.clone()), loc));
            builder.add_item(&ItemFacts::from(&item), loc, Origin::TraceLine);
            builder.add_trace(&TraceFacts::from(&trace), loc);
        }
        prop_assert_eq!(seen(&start.with_traces(&rows)), seen(&corpus));
        prop_assert_eq!(seen(&corpus), seen(&builder.finish()));
    }
}
