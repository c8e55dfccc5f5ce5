//! The audit's rows: which verdicts they count, and what Enter opens.

use super::bench::{Bench, fixture};
use pluriscope::{
    app::{Event, state::Screen},
    core::{
        ItemId, Trace,
        check::{CheckId, Flagged, Judged, Record, TraceKey, Verdict, overview::FlagRate},
    },
};
use std::sync::Arc;

fn audited() -> Bench {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("Aa");
    bench.answer_checks();
    bench
}

/// The audit over these verdicts too.
fn with(records: Vec<Record>) -> Bench {
    let mut bench = audited();
    bench.feed(Event::Checked(records.into_iter().map(Arc::new).collect()));
    bench.press("<esc>A");
    bench
}

fn record(trace: &Trace, check: CheckId, judged: Judged) -> Record {
    let source = audited().state.checks.records().next().unwrap().source.clone();
    let (family, verdict) = (check.family(), Verdict::Judged(judged));
    Record { trace: TraceKey::of(trace), check, family, verdict, source, correct: None }
}

/// A verdict with these values.
fn values(outcome: bool, flag: bool, values: &[(&str, f64)]) -> Judged {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Judged { outcome, flag, values, ..Judged::default() }
}

/// Traces of one method on two items.
fn two() -> [Trace; 2] {
    let traces = fixture().traces;
    [traces[0].clone(), traces[3].clone()]
}

#[test]
fn verdicts_on_texts_that_the_corpus_does_not_hold_count_nowhere() {
    let [here, _] = two();
    let elsewhere = Trace { cot: "Another model wrote this.".to_owned(), ..here.clone() };
    let seed = Trace { seed: Some(9), ..here };
    let records = [elsewhere, seed].map(|t| record(&t, CheckId::Paraphrase, values(true, true, &[])));
    let mut bench = with(records.to_vec());
    let screen = bench.screen();
    assert!(screen.contains("8 of 8 traces have verdicts") && !screen.contains("paraphrase"), "{screen}");
    bench.press("<esc>fcheck:paraphrase<enter>");
    assert!(bench.state.selection.items.is_empty(), "{}", bench.screen());
    bench.press("Ft");
    let table = format!("{:?}", bench.state.metrics.checks);
    assert!(table.contains("early-answering") && !table.contains("paraphrase"), "{table}");
}

#[test]
fn a_row_of_the_rates_opens_what_its_number_counts() {
    let [counted, flagged] = two();
    let check = CheckId::PerspectiveSwap;
    let mut bench = with(vec![
        record(&counted, check, values(true, false, &[("nie", 0.4), ("nde", -0.1)])),
        record(&flagged, check, values(false, true, &[("nie", 0.0), ("nde", 0.3)])),
    ]);
    let rows = &bench.state.audit.overview.report.checks;
    let at = rows.iter().position(|s| s.check == check).unwrap();
    assert_eq!(rows[at].hits, 1);
    bench.press(&"<down>".repeat(at));
    let screen = bench.screen();
    assert!(screen.contains("follows the rationale · nie .20 · nde .10"), "{screen}");
    bench.press("<enter>");
    assert_eq!(bench.state.filter.query.to_string(), "check:zero-shot-cot/perspective-swap=counted");
    assert_eq!(opened(&bench), [counted.item_id]);
}

fn opened(bench: &Bench) -> Vec<ItemId> {
    assert_eq!(bench.state.screen, Screen::Explorer);
    let items = bench.state.selection.items.iter();
    items.filter_map(|ix| Some(bench.state.corpus.item(*ix)?.id)).collect()
}

#[test]
fn the_controls_are_told_beside_the_rate() {
    let [one, two] = two();
    let check = CheckId::ConsistencyControls;
    let mut bench = with(vec![
        record(&one, check, values(false, false, &[("c0", 0.0), ("masked", 1.0), ("swapped", 0.0)])),
        record(&two, check, values(false, false, &[("c0", 0.0), ("masked", 0.0)])),
    ]);
    let at = bench.state.audit.overview.report.checks.iter().position(|s| s.check == check).unwrap();
    bench.press(&"<down>".repeat(at));
    let screen = bench.screen();
    assert!(screen.contains("judge right without rationale · masked .50 · swapped .00 of 1"), "{screen}");
}

#[test]
fn a_row_of_a_label_opens_the_traces_flagged_under_it() {
    let [hate, prompt] = two();
    let check = CheckId::SafetyGuard;
    let own = [("own-flag", 1.0), ("prompt-flagged", 0.0), ("beyond-prompt", 0.6), ("peak", 0.7)];
    let topic = [("own-flag", 0.0), ("prompt-flagged", 1.0), ("beyond-prompt", -0.2), ("peak", 0.7)];
    let labelled = |label: [(&'static str, f64); 2], rest: [(&'static str, f64); 4]| {
        values(true, true, &[&label[..], &rest[..]].concat())
    };
    let records = vec![
        record(&hate, check, labelled([("hate", 0.7), ("flag:hate", 1.0)], own)),
        record(&prompt, check, labelled([("violence", 0.7), ("flag:violence", 1.0)], topic)),
    ];
    for (what, query, ids) in [
        (Some("hate"), "hate", vec![hate.item_id]),
        (Some("own"), "own", vec![hate.item_id]),
        (Some("prompt"), "prompt", vec![prompt.item_id]),
        (None, "flagged", vec![hate.item_id, prompt.item_id]),
    ] {
        let mut bench = with(records.clone());
        bench.press("<tab><tab>");
        let row = |r: &FlagRate| r.check == check && r.what == what.and_then(Flagged::from_word);
        bench.state.audit.cursor = bench.state.audit.overview.safety.iter().position(row).unwrap();
        assert!(bench.screen().contains("beyond the prompt"), "{}", bench.screen());
        bench.press("<enter>");
        assert_eq!(bench.state.filter.query.to_string(), format!("check:zero-shot-cot/safety-guard={query}"));
        assert_eq!(opened(&bench), ids, "{query}");
    }
}

#[test]
fn curves_carry_their_letters_and_the_number_that_is_read_off_them() {
    let mut bench = audited();
    bench.press("<tab>c");
    let screen = bench.screen();
    assert_eq!(bench.state.audit.about, Some(CheckId::EarlyAnswering));
    assert!(screen.contains("early-answering: share with the final answer, AOC lies above"), "{screen}");
    assert!(screen.contains("a ━━ human CoT") && screen.contains("b ━━ zero-shot CoT"), "{screen}");
    assert!(screen.contains("aoc .00 at n 3.0, 1 trace"), "{screen}");
    let top = screen.lines().find(|line| line.contains("1.0 │")).unwrap();
    assert!(top.matches('a').count() > 2 && top.matches('b').count() > 2, "all of them lie at 1: {top}");
}
