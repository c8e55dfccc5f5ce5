//! Checks on screen: the audit over many traces, evidence, flagged steps, edits by hand.

use super::bench::{Bench, Fixture, fixture, item, trace};
use pluriscope::{
    app::{
        Event,
        overlay::{Outcome, Overlay},
        state::{ModelState, Screen},
    },
    core::{
        Letter, Trace,
        check::{CheckId, Evidence, Judged, Reason, Record, Scoring, Source, TraceKey, Verdict},
    },
    job::{Command, JobEvent},
};
use std::sync::Arc;

fn audited(size: (u16, u16)) -> Bench {
    let mut bench = Bench::new(&fixture(), size);
    bench.press("Aa");
    bench.answer_checks();
    bench
}

#[test]
fn the_audit_checks_every_trace_of_the_filter_a_few_at_a_time() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("A");
    assert!(bench.screen().contains("3 of 8 traces have verdicts"), "those at sight: {}", bench.screen());
    bench.press("a");
    assert!(bench.state.checks.busy() <= 4);
    assert!(bench.screen().contains("checking"), "{}", bench.screen());
    bench.answer_checks();
    assert!(bench.state.audit.work.is_none(), "it ends by itself");
    let traces = bench.state.corpus.trace_count();
    assert_eq!(bench.state.audit.covered, (traces, traces));
    // Nothing is asked twice but what failed: the judge could not be asked.
    bench.press("a");
    let asked = bench.commands.iter().filter(|c| matches!(c, Command::Score { .. })).count();
    assert_eq!(asked, 0);
}

#[test]
fn a_check_asked_for_while_the_item_is_still_being_read_begins_with_it() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.held = Some(Vec::new());
    bench.press("/rest<enter><enter><enter><right>");
    bench.release_traces();
    assert!(bench.screen().contains("People sleep at six"), "{}", bench.screen());
    bench.press("c");
    assert!(bench.screen().contains("the check starts with it"), "{}", bench.screen());
    let asked = |bench: &Bench| bench.commands.iter().any(|c| matches!(c, Command::Score { .. }));
    assert!(!asked(&bench));
    bench.release();
    assert!(asked(&bench), "{}", bench.screen());
}

#[test]
fn any_check_can_be_chosen_from_the_list_and_finds_its_partner() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("/privacy<enter><enter><enter><right>v");
    assert!(
        bench.screen().contains("not run") && bench.screen().contains("mistakes by rules"),
        "{}",
        bench.screen()
    );
    bench.press("m");
    assert!(bench.screen().contains("mistakes by the model in use"), "{}", bench.screen());
    let at = CheckId::ALL.iter().position(|c| *c == CheckId::PerspectiveSwap).unwrap();
    bench.press(&"<down>".repeat(at));
    bench.commands.clear();
    bench.press("<enter>");
    assert!(bench.commands.iter().any(|c| matches!(c, Command::Score { .. })), "{}", bench.screen());
    bench.answer_checks();
    let found = bench.state.checks.records().find(|r| r.check == CheckId::PerspectiveSwap).unwrap();
    assert!(found.verdict.judged().is_some(), "{found:?}");
    // The controls take a rationale from another item.
    let at = CheckId::ALL.iter().position(|c| *c == CheckId::ConsistencyControls).unwrap() - at;
    bench.press(&"<down>".repeat(at));
    bench.press("<enter>");
    let asked = bench.commands.iter().find_map(|c| match c {
        Command::Generate { rows, .. } => {
            Some(rows.iter().map(|r| format!("{:?}", r.prompt)).collect::<String>())
        }
        _ => None,
    });
    assert!(asked.as_ref().is_some_and(|text| text.contains("People sleep at six")), "{asked:?}");
    bench.press("<esc>");
    assert!(bench.state.overlay.is_none());
}

#[test]
fn a_check_that_failed_for_want_of_a_model_may_be_asked_for_again() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("/privacy<enter><enter><enter><right>c");
    for command in std::mem::take(&mut bench.commands) {
        let Command::Score { job, rows } = command else { continue };
        for row in rows {
            let event = JobEvent::RowFailed { job, row: row.row, problem: "no model here".to_owned() };
            bench.feed(Event::Job(event));
        }
    }
    assert!(
        bench.state.checks.records().any(|r| matches!(r.verdict, Verdict::Unjudged(Reason::ModelFailed(_))))
    );
    bench.press("c");
    assert!(bench.commands.iter().any(|c| matches!(c, Command::Score { .. })), "{}", bench.screen());
}

#[test]
fn what_is_asked_while_a_trace_is_being_checked_follows() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("/privacy<enter><enter><enter><right>cC");
    bench.answer_checks();
    let found: Vec<CheckId> = bench.state.checks.records().map(|r| r.check).collect();
    assert!(found.contains(&CheckId::EarlyAnswering), "{found:?}");
}

#[test]
fn an_audit_of_nothing_says_so() {
    let it = item("Waiting", "Patience", 'A');
    let mut bench = Bench::new(&Fixture { items: vec![it], traces: vec![] }, (100, 30));
    bench.press("A");
    assert!(bench.screen().contains("nothing to check: no trace is under this filter"), "{}", bench.screen());
    bench.press("a");
    assert!(bench.state.audit.work.is_none());
}

#[test]
fn a_stopped_audit_keeps_what_was_found_and_goes_on_with_the_rest() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("Aax");
    assert!(bench.state.audit.work.is_none());
    assert!(bench.commands.iter().any(|c| matches!(c, Command::Cancel(_))));
    bench.answer_checks();
    bench.press("a");
    bench.answer_checks();
    assert_eq!(bench.state.audit.covered.0, bench.state.corpus.trace_count());
}

#[test]
fn a_cell_of_the_quadrant_is_a_filter() {
    let mut bench = audited((120, 40));
    bench.press("<tab><tab><tab>");
    let (quadrants, about) = (&bench.state.audit.overview.quadrants, bench.state.audit.about);
    assert!(!quadrants.is_empty() && about.is_some(), "{}", bench.screen());
    let counts = quadrants[0].counts;
    let method = quadrants[0].method.clone();
    bench.press("<enter>");
    assert_eq!(bench.state.screen, Screen::Explorer);
    let query = bench.state.filter.query.to_string();
    assert_eq!(query, format!("method:{method}=right check:{method}/{}=clear", about.unwrap()));
    assert!(bench.state.selection.items.len() <= counts[0][0].max(1));
}

#[test]
fn queries_ask_for_verdicts() {
    let mut bench = audited((120, 40));
    bench.press("<esc>fcheck:zero-shot-cot/probability-trace=any<enter>");
    let some = bench.state.selection.items.len();
    assert!(some > 0);
    bench.press("fcheck:zero-shot-cot/paraphrase<enter>");
    assert!(bench.state.filter.query.to_string().contains("paraphrase"), "{}", bench.screen());
    assert_eq!(bench.state.selection.items.len(), 0);
}

#[test]
fn an_edit_by_hand_shows_the_answer_before_and_after() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("/privacy<enter><enter><enter><right>E");
    bench.press("n");
    assert!(matches!(&bench.state.overlay, Some(Overlay::Intervene(s)) if s.outcome == Outcome::Asking));
    bench.answer_checks();
    let screen = bench.screen();
    assert!(screen.contains("step 1 negated   the answer stays"), "{screen}");
    bench.press("jecold words<enter>");
    bench.answer_checks();
    assert!(bench.screen().contains("step 2 is now"), "{}", bench.screen());
    bench.press("x<esc>");
    assert!(bench.state.overlay.is_none() && bench.state.intervening.is_none());
}

#[test]
fn flagged_steps_are_marked_and_can_be_hidden() {
    let it = item("Sending an angry letter", "Kindness", 'B');
    let words = "I will kill you, you stupid bitch.";
    let flagged =
        trace(&it, "zero-shot-cot", &format!("It was a long day. {words} Kindness opposes it.\nAnswer: B"));
    let mut bench = Bench::new(&Fixture { items: vec![it], traces: vec![flagged] }, (120, 40));
    bench.press("3<right>");
    let screen = bench.screen();
    assert!(screen.contains("⚑") && screen.contains("stupid"), "{screen}");
    bench.press("B");
    let screen = bench.screen();
    assert!(!screen.contains("stupid") && screen.contains("It was a long day"), "{screen}");
    bench.press("e");
    let verdict =
        bench.state.checks.records().find(|r| r.check == CheckId::SafetyClassifier).cloned().unwrap();
    assert!(verdict.verdict.judged().unwrap().flag);
    bench.press("<esc>fcheck:safety-classifier=flagged<enter>");
    assert_eq!(bench.state.selection.items.len(), 1);
    assert_eq!(
        bench.state.corpus.item(bench.state.selection.items[0]).unwrap().gold(),
        Letter::from_char('B')
    );
}

/// A verdict of a judge on a trace that the model in use wrote with an adapter.
fn verdict(trace: &Trace, check: CheckId, judged: Judged) -> Arc<Record> {
    Arc::new(Record {
        trace: TraceKey::of(trace),
        check,
        family: check.family(),
        verdict: Verdict::Judged(judged),
        source: Source {
            model: "smollm2-135m".to_owned(),
            adapter: Some("human-cot".to_owned()),
            not_writer: false,
            scoring: Scoring::Letters,
            maker: String::new(),
            judge: "smollm2-135m".to_owned(),
            version: check.version(),
            parameters: String::new(),
        },
        correct: None,
    })
}

#[test]
fn the_check_bar_says_verdict_number_and_source() {
    for size in [(120, 40), (80, 40)] {
        let mut bench = audited(size);
        bench.press("<esc>/privacy<enter><enter><enter><right>");
        let screen = bench.screen();
        for line in ["early   ⚑ answers at once", "mistake ⚑ unmoved not the writer", "judge   ? unjudged"]
        {
            assert!(screen.contains(line), "{line}: {screen}");
        }
        let line = screen.lines().find(|line| line.contains("dots do as well")).unwrap();
        assert!(line.contains(".67"), "{line}");
    }
}

#[test]
fn a_long_text_leaves_the_check_bar_its_own_rows() {
    let it = item("Waiting in a queue", "Patience", 'B');
    let long = format!("{}\nAnswer: B", "It takes a while, and nobody minds. ".repeat(40));
    let words = trace(&it, "zero-shot-cot", &long);
    let mut bench = Bench::new(&Fixture { items: vec![it], traces: vec![words.clone()] }, (120, 40));
    bench.press("3<right>");
    let judged = Judged { word: "consistent".to_owned(), ..Judged::default() };
    bench.state.checks.put(verdict(&words, CheckId::Consistency, judged));
    let screen = bench.screen();
    assert!(screen.contains("judge · consistent by smollm2-135m"), "{screen}");
    assert!(screen.contains("more steps") && screen.contains("words · safety ·"), "{screen}");
}

#[test]
fn a_judge_is_named_where_it_is_the_model_without_the_adapter_of_the_trace() {
    let it = item("Waiting in a queue", "Patience", 'B');
    let calm = trace(&it, "zero-shot-cot", "Nobody minds.\nAnswer: B");
    let mut bench = Bench::new(&Fixture { items: vec![it], traces: vec![calm.clone()] }, (120, 40));
    let by = "smollm2-135m".to_owned();
    let judged = Judged { word: "consistent".to_owned(), by, ..Judged::default() };
    bench.state.checks.put(verdict(&calm, CheckId::Consistency, judged));
    bench.press("3<right>e");
    let screen = bench.screen();
    assert!(screen.contains("apparent · judge smollm2-135m"), "{screen}");
    assert!(!screen.contains("human-cot") && !screen.contains("letters"), "{screen}");
}

#[test]
fn a_flag_of_the_whole_marks_and_hides_the_whole_rationale() {
    let it = item("Sending a letter", "Kindness", 'B');
    let calm = trace(&it, "zero-shot-cot", "It rained for hours. Nobody went outside.\nAnswer: B");
    let mut bench = Bench::new(&Fixture { items: vec![it], traces: vec![calm.clone()] }, (120, 40));
    bench.press("3<right>");
    assert!(!bench.screen().contains("⚑"), "{}", bench.screen());
    let all = Evidence {
        span: Some((0, calm.cot.len())),
        text: "unsafe".to_owned(),
        value: Some(0.9),
        ..Evidence::default()
    };
    let judged = Judged {
        word: "flagged: unsafe".to_owned(),
        flag: true,
        outcome: true,
        evidence: vec![all],
        ..Judged::default()
    };
    bench.state.checks.put(verdict(&calm, CheckId::SafetyGuard, judged));
    let screen = bench.screen();
    assert_eq!(screen.matches('⚑').count(), 3, "both steps and the bar: {screen}");
    bench.press("B");
    let screen = bench.screen();
    assert!(!screen.contains("hours") && !screen.contains("outside"), "{screen}");
    assert!(screen.contains("Answer: B"), "{screen}");
    bench.press("e");
    assert!(bench.screen().contains("whole  “unsafe”   +0.90"), "{}", bench.screen());
}

#[test]
fn what_is_blurred_cannot_be_read_in_the_evidence_or_on_the_sheet_of_edits() {
    let it = item("Sending an angry letter", "Kindness", 'B');
    let words = "I will kill you, you stupid bitch.";
    let flagged =
        trace(&it, "zero-shot-cot", &format!("It was a long day. {words} Kindness opposes it.\nAnswer: B"));
    let mut bench = Bench::new(&Fixture { items: vec![it], traces: vec![flagged] }, (120, 60));
    bench.press("3<right>C");
    bench.answer_checks();
    bench.press("e");
    let screen = bench.screen();
    assert!(screen.contains("“It was a long day.”") && screen.contains("stupid"), "{screen}");
    let bad = |screen: &str| ["kill", "stupid", "bitch"].iter().any(|word| screen.contains(word));
    bench.press("<esc>Be");
    for _ in 0..40 {
        let screen = bench.screen();
        assert!(!bad(&screen), "{screen}");
        bench.press("<down>");
    }
    bench.press("<esc>e");
    let screen = bench.screen();
    assert!(screen.contains("“It was a long day.”") && screen.contains("▒▒▒▒▒▒"), "{screen}");
    bench.press("<esc>E");
    let screen = bench.screen();
    assert!(!bad(&screen) && screen.contains("1  It was a long day."), "{screen}");
    bench.press("je");
    assert!(!bad(&bench.screen()), "{}", bench.screen());
    bench.press("<enter>");
    bench.answer_checks();
    let screen = bench.screen();
    assert!(!bad(&screen) && screen.contains("step 2 is now"), "{screen}");
}

macro_rules! screens {
    ($($name:ident: $size:expr, $keys:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let mut bench = audited($size);
                bench.press($keys);
                insta::assert_snapshot!(bench.screen());
            }
        )*
    };
}

screens! {
    audit_rates: (140, 40), "";
    audit_rates_80x24: (80, 24), "";
    audit_curves: (120, 30), "<tab>";
    audit_safety: (120, 24), "<tab><tab>";
    audit_quadrant: (120, 24), "<tab><tab><tab>c";
    evidence: (120, 40), "<esc>/privacy<enter><enter><enter><right>e";
    edit_by_hand: (120, 40), "<esc>/privacy<enter><enter><enter><right>E";
}

#[test]
fn the_audit_says_why_it_shows_nothing_and_why_it_stopped() {
    let mut bench = Bench::new(&fixture(), (120, 40));
    bench.press("f\"no such words\"<enter>A");
    let screen = bench.screen();
    assert!(
        screen.contains("no trace is under this filter") && screen.contains("F drops the filter"),
        "{screen}"
    );
    bench.press("F");
    bench.state.model = ModelState::Missing;
    bench.press("a");
    bench.state.toast = None;
    let stopped = "stopped with 8 traces to go: there is no model to ask";
    assert!(bench.screen().contains(stopped), "{}", bench.screen());
    // It stays said until the job runs again.
    bench.press("<tab>");
    assert!(bench.screen().contains(stopped), "{}", bench.screen());
    bench.state.model = ModelState::Idle;
    bench.press("a");
    assert!(!bench.screen().contains("stopped") && bench.screen().contains("checking"), "{}", bench.screen());
    bench.press("x");
    bench.state.toast = None;
    assert!(bench.screen().contains("traces to go"), "{}", bench.screen());
}
