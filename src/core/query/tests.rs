//! Behaviours of the query language and its evaluation.

use super::*;
use crate::core::{
    Corpus, Item, Perspective, Trace,
    check::{CheckId, Family, Flagged},
    corpus::CheckState,
    safety::Label,
};
use proptest::prelude::*;
use std::{borrow::Cow, sync::atomic::AtomicBool};

fn corpus() -> Corpus {
    let privacy = Item {
        gold: Some(Letter::B),
        split: Some("test".to_owned()),
        ..Item::value("vk", Perspective::named("Right to privacy"), "Reading a partner's messages")
    };
    let care = Item {
        gold: Some(Letter::A),
        ..Item::value("vk", Perspective::named("Care"), "Walking a Friend home")
    };
    let survey = Item::new(
        "opinionqa",
        Perspective::demographic("POLPARTY", "Democrat"),
        "How much do you worry?",
        &["A lot", "Not at all"],
    );
    let traces = [
        Trace::new(&privacy, "human-cot".into(), "Theirs alone. Answer: B".to_owned()),
        Trace::new(&privacy, "sft".into(), "Answer: A".to_owned()),
        Trace::new(&care, "sft".into(), "It protects. Answer: A".to_owned()),
        Trace { sample: 1, ..Trace::new(&care, "sft".into(), "I do not know.".to_owned()) },
        Trace::new(&survey, "sft".into(), "I am not sure.".to_owned()),
    ];
    Corpus::of([&privacy, &care, &survey], &traces)
}

fn check(line: &str, want: &[u32]) {
    let query = Query::parse(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    let rationale = |ix: crate::core::TraceIx| {
        Some(Cow::Borrowed(["Theirs alone.", "", "It protects.", "", ""][ix.0 as usize]))
    };
    let got = evaluate(&corpus(), &query, Order::default(), &rationale, &AtomicBool::new(false)).unwrap();
    assert_eq!(got.items.iter().map(|i| i.0).collect::<Vec<_>>(), want, "{line}");
}

#[test]
fn each_term_selects_what_it_says() {
    check("", &[0, 1, 2]);
    check("method:human-cot=right", &[0]);
    check("method:sft=wrong", &[0]);
    check("method:sft=none", &[2]);
    check("method:human-cot=not-run", &[1, 2]);
    check("method:rlvr=not-run", &[0, 1, 2]);
    check("method:human-cot", &[0]);
    check("method:*=wrong", &[0]);
    check("answer:A", &[0, 1]);
    check("answer:human-cot=B method:sft=wrong", &[0]);
    check("gold:a", &[1]);
    check("gold:unknown", &[2]);
    check("kind:right", &[0]);
    check("dataset:opinionqa", &[2]);
    check("split:test", &[0]);
    check("attribute:polparty", &[2]);
    check("perspective:PRIVACY", &[0]);
    check("perspective=\"right to privacy\"", &[0]);
    check("perspective=privacy", &[]);
    check("flips", &[0]);
    check("agrees", &[]);
    check("samples:>=2", &[1]);
    check("friend HOME", &[1]);
    check("\"home friend\"", &[]);
    check("-flips -dataset:opinionqa", &[1]);
    check("in:rationale protects", &[1]);
    check("unknown", &[]);
}

#[test]
fn errors_say_where_and_what_is_allowed() {
    for (line, at, says) in [
        ("flips kind:nation", 6, "allowed: value, right, duty, demographic"),
        ("method:sft=good", 0, "allowed: right, wrong, none, unjudged, run, not-run"),
        ("gold:AB", 0, "option letter"),
        ("colour:red", 0, "fields are method, answer"),
        ("a \"b", 2, "not closed"),
        ("samples:many", 0, "samples:>=2"),
        ("kind:", 0, "needs a value"),
        ("check:filler=hate", 0, "allowed: flagged, clear, unjudged, any, counted"),
        ("check:safety-guard=hat", 0, "own, prompt, a label"),
    ] {
        let error = Query::parse(line).unwrap_err();
        assert_eq!(error.span.start, at, "{line}");
        assert!(error.message.contains(says), "{line}: {}", error.message);
    }
}

#[test]
fn counts_and_orders_follow_the_selection() {
    let corpus = corpus();
    let order = Order { items: ItemOrder::Name, perspectives: PerspectiveOrder::Disagreement };
    let all = evaluate(&corpus, &Query::default(), order, &|_| None, &AtomicBool::new(false)).unwrap();
    assert_eq!(all.items.iter().map(|i| i.0).collect::<Vec<_>>(), [2, 0, 1]);
    assert_eq!((all.kinds, all.traces), ([1, 1, 0, 1], 5));
    assert_eq!(all.attributes, [("POLPARTY".to_owned(), 1)]);
    assert_eq!((all.perspectives[0].perspective.0, all.perspectives[0].flips), (0, 1));
    assert!(evaluate(&corpus, &Query::default(), order, &|_| None, &AtomicBool::new(true)).is_none());
}

#[test]
fn completions_come_from_the_corpus() {
    let texts =
        |line: &str| suggest(line, line.len(), &corpus()).into_iter().map(|s| s.text).collect::<Vec<_>>();
    assert_eq!(texts("flips me"), ["method:"]);
    assert_eq!(texts("method:h"), ["human-cot="]);
    assert_eq!(texts("method:sft=w"), ["wrong"]);
    assert_eq!(texts("perspective:priv"), ["\"Right to privacy\""]);
    assert_eq!(texts("-kind:d"), ["duty", "demographic"]);
    assert_eq!(texts("check:sft/filler=c"), ["clear", "counted"]);
    assert_eq!(texts("check:safety-lexical=prof"), ["\"profane language\""]);
}

/// All that may be asked of a check.
fn check_tests(check: CheckId) -> Vec<CheckTest> {
    let mut all = vec![CheckTest::Any, CheckTest::Counted];
    all.extend(CheckState::ALL.map(CheckTest::Is));
    if check.family() == Family::Safety {
        let flags = [Flagged::Own, Flagged::Prompt].into_iter().chain(Label::all().map(Flagged::Label));
        all.extend(flags.map(CheckTest::Flags));
    }
    all
}

fn test() -> impl Strategy<Value = Test> {
    let name = "[ -~é]{1,12}";
    let method = prop_oneof![Just(MethodName::Any), name.prop_map(MethodName::Id)];
    let letter = (0..26usize).prop_map(|i| Letter::from_index(i).unwrap());
    let outcome =
        (0..6usize).prop_map(|i| Outcome::ALL.get(i).map_or(OutcomeTest::Run, |o| OutcomeTest::Is(*o)));
    let comparison = (0..5usize).prop_map(|i| Comparison::ALL[i].0);
    prop_oneof![
        (method.clone(), outcome).prop_map(|(method, outcome)| Test::Method { method, outcome }),
        (method.clone(), letter.clone()).prop_map(|(method, letter)| Test::Answer { method, letter }),
        (method, 0..15usize, 0..50usize).prop_map(|(method, check, at)| {
            let check = CheckId::ALL[check];
            let tests = check_tests(check);
            Test::Check { method, check, test: tests[at % tests.len()] }
        }),
        prop::option::of(letter).prop_map(Test::Gold),
        (0..4usize).prop_map(|i| Test::Kind(Kind::ALL[i])),
        name.prop_map(Test::Dataset),
        name.prop_map(Test::Split),
        (name, any::<bool>()).prop_map(|(name, whole)| Test::Perspective { name, whole }),
        name.prop_map(Test::Attribute),
        Just(Test::Flips),
        Just(Test::Agrees),
        (comparison, any::<u32>()).prop_map(|(c, n)| Test::Samples(c, n)),
        Just(Test::Unknown),
        Just(Test::Repeats),
        (prop::bool::ANY, name).prop_map(|(rationale, words)| Test::Text {
            place: if rationale { Place::Rationale } else { Place::Text },
            words
        }),
    ]
}

proptest! {
    #[test]
    fn any_query_survives_being_shown_and_read(
        terms in prop::collection::vec((any::<bool>(), test()).prop_map(|(negated, test)| Term { negated, test }), 0..6)
    ) {
        let query = Query { terms };
        let line = query.to_string();
        prop_assert_eq!(Query::parse(&line).map_err(|e| TestCaseError::fail(format!("{line}: {e}")))?, query);
    }

    #[test]
    fn any_line_is_read_or_refused(line in any::<String>()) {
        if let Err(error) = Query::parse(&line) {
            prop_assert!(line.get(error.span).is_some());
        }
    }
}

#[test]
fn a_domain_is_asked_for_by_name() {
    let mut item = Item::value("commonplace", Perspective::named("Care"), "Walking a friend home");
    item.extra.insert("domain".to_owned(), "Friends".into());
    let other = Item::value("commonplace", Perspective::named("Care"), "Lending a tool");
    let corpus = Corpus::of([&item, &other], []);
    let select = |line: &str| {
        let query = Query::parse(line).unwrap();
        assert_eq!(query.to_string(), line);
        evaluate(&corpus, &query, Order::default(), &|_| None, &AtomicBool::new(false)).unwrap().items.len()
    };
    assert_eq!((select("domain:friends"), select("domain:money"), select("-domain:Friends")), (1, 0, 1));
}
