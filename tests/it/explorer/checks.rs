//! Checks on screen: the audit over many traces, evidence, flagged steps, edits by hand.

use super::bench::{Bench, Fixture, fixture, item, trace};
use pluriscope::{
    app::{
        overlay::{Outcome, Overlay},
        state::{ModelState, Screen},
    },
    core::{Letter, check::CheckId},
    job::Command,
};

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
