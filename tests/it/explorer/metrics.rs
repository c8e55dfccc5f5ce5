//! The metrics screen: what it shows, that it follows the filter, and that its cells open the traces behind them.

use super::bench::{Bench, Fixture, item, trace};
use pluriscope::app::state::Screen;

/// Twelve situations under four perspectives; three methods that are right now and then, one of them without a
/// rationale and not everywhere.
fn measured() -> Fixture {
    let perspectives = ["Right to privacy", "Honesty", "Duty to protect others", "Tradition"];
    let (mut items, mut traces) = (Vec::new(), Vec::new());
    for s in 0..12 {
        for (p, perspective) in perspectives.iter().enumerate() {
            let gold = ['A', 'B', 'C'][(s * 5 + p * p) % 3];
            let mut item = item(&format!("Situation number {s} of the test"), perspective, gold);
            item.extra.insert("domain".to_owned(), ["home", "work"][s % 2].into());
            for (m, method) in ["zero-shot-direct", "zero-shot-cot", "rlvr"].iter().enumerate() {
                let right = (s * 7 + p * 11 + m * 3) % 10 < 3 + 2 * m;
                if m == 0 && s > 8 {
                    continue;
                }
                let answer = match (right, (s + p) % 7) {
                    (true, _) => format!("Because of this.\nAnswer: {gold}"),
                    (false, 0) => "I would rather not say.".to_owned(),
                    (false, _) => {
                        format!("Because of that.\nAnswer: {}", if gold == 'A' { 'B' } else { 'A' })
                    }
                };
                traces.push(trace(&item, method, &answer));
            }
            items.push(item);
        }
    }
    Fixture { items, traces }
}

fn screen(size: (u16, u16), keys: &str) -> String {
    let mut bench = Bench::new(&measured(), size);
    bench.press(keys);
    bench.screen()
}

macro_rules! screens {
    ($($name:ident: $size:expr, $keys:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(screen($size, $keys));
            }
        )*
    };
}

screens! {
    metrics_scores_80x24: (80, 24), "t";
    metrics_scores_120x40: (120, 40), "t";
    metrics_scores_200x50: (200, 50), "t";
    metrics_pairs_120x40: (120, 40), "t<tab>";
    metrics_pairs_80x24: (80, 24), "t<tab><right><right><right><right><right>";
    metrics_groups_120x40: (120, 40), "t<tab><tab><down><right>";
    metrics_checks_120x40: (120, 40), "t<tab><tab><tab>";
    metrics_priorities_120x40: (120, 40), "/hon<enter><enter>t<tab><tab><tab><tab><right><right><right>";
    metrics_priorities_80x24: (80, 24), "/hon<enter><enter>t<tab><tab><tab><tab>";
    metrics_nothing_selected: (120, 40), "f\"no such words\"<enter>t";
    metrics_too_small: (50, 10), "t";
}

#[test]
fn a_cell_opens_the_traces_behind_it() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("t<right><right>");
    assert_eq!(bench.state.screen, Screen::Metrics);
    let wrong = {
        let score = &bench.state.metrics.measured.report.sets[0].methods[0];
        score.n - score.right - score.invalid
    };
    bench.press("<enter>");
    assert_eq!(bench.state.screen, Screen::Explorer);
    assert_eq!(bench.state.filter.query.to_string(), "method:zero-shot-direct=wrong");
    assert_eq!(bench.state.selection.items.len() as u64, wrong);
}

#[test]
fn a_heat_map_cell_opens_its_group_and_method() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("t<tab><tab><right><right><enter>");
    let query = bench.state.filter.query.to_string();
    assert!(query.starts_with("perspective=") && query.ends_with("method:zero-shot-cot=wrong"), "{query}");
    assert!(!bench.state.selection.items.is_empty());
}

#[test]
fn verdicts_stand_beside_accuracy() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("/hon<enter><enter><enter>C");
    bench.answer_checks();
    bench.press("t<tab><tab><tab>");
    let screen = bench.screen();
    assert!(screen.contains("accuracy × faithfulness × safety"), "{screen}");
    assert!(screen.contains("safety-lexical"), "{screen}");
}

#[test]
fn the_numbers_follow_the_filter() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("t");
    let items = |bench: &Bench| bench.state.metrics.measured.report.sets[0].items;
    assert_eq!(items(&bench), 48);
    bench.press("fperspective:honesty<enter>");
    assert_eq!((bench.state.screen, items(&bench)), (Screen::Metrics, 12));
    assert_eq!(bench.state.metrics.measured.report.filter, "perspective:honesty");
}

#[test]
fn an_answer_to_an_older_filter_is_dropped() {
    use pluriscope::app::{Event, metrics::Measured};
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("t");
    let before = bench.state.metrics.measured.clone();
    bench.feed(Event::Measured { generation: 0, measured: Measured::default().into(), running: None });
    assert_eq!(bench.state.metrics.measured, before);
}
