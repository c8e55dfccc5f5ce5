//! The metrics screen: what it shows, that it follows the filter, and that its cells open the traces behind them.

use super::bench::{Bench, Fixture, item, trace};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use pluriscope::{
    app::{Event, metrics::report::Saved, state::Screen},
    core::{
        Trace,
        metric::ReportFormat,
        run::{Point, RunLog},
    },
};
use std::sync::Arc;

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
    use pluriscope::app::metrics::Measured;
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("t");
    let before = bench.state.metrics.measured.clone();
    bench.feed(Event::Measured { generation: 0, measured: Measured::default().into(), running: None });
    assert_eq!(bench.state.metrics.measured, before);
}

fn mouse(bench: &mut Bench, kind: MouseEventKind, x: u16, y: u16) {
    let event = MouseEvent { kind, column: x, row: y, modifiers: KeyModifiers::NONE };
    bench.feed(Event::Mouse(event));
}

#[test]
fn a_weight_is_dragged_with_the_mouse() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("/hon<enter><enter>t<tab><tab><tab><tab>");
    let screen = bench.screen();
    // Where the second perspective's bar begins, as it is drawn.
    let (y, line) = screen.lines().enumerate().filter(|(_, l)| l.contains('━')).nth(1).unwrap();
    let (y, x) = (y as u16, line.chars().position(|c| c == '━').unwrap() as u16);
    let weight = |bench: &Bench| {
        let priorities = &bench.state.metrics.priorities;
        (priorities.cursor, priorities.rows[1].1)
    };
    mouse(&mut bench, MouseEventKind::Drag(MouseButton::Left), x + 9, y);
    assert_eq!(weight(&bench).1, 1.0, "nothing is held yet");
    mouse(&mut bench, MouseEventKind::Down(MouseButton::Left), x + 9, y);
    assert_eq!(weight(&bench), (1, 2.5));
    assert!(bench.screen().lines().nth(usize::from(y)).unwrap().contains(" 2.50"));
    mouse(&mut bench, MouseEventKind::Drag(MouseButton::Left), 119, y + 7);
    assert_eq!(weight(&bench), (1, 5.0));
    mouse(&mut bench, MouseEventKind::Drag(MouseButton::Left), 0, y);
    assert_eq!(weight(&bench), (1, 0.0));
    mouse(&mut bench, MouseEventKind::Up(MouseButton::Left), 0, y);
    mouse(&mut bench, MouseEventKind::Drag(MouseButton::Left), x + 9, y);
    assert_eq!(weight(&bench), (1, 0.0), "it was let go");
    mouse(&mut bench, MouseEventKind::Down(MouseButton::Left), 4, y - 1);
    assert_eq!((weight(&bench), bench.state.metrics.priorities.rows[0].1), ((0, 0.0), 1.0));
}

#[test]
fn a_report_is_asked_for_by_format_and_name() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("tfperspective:honesty<enter>r<down><down>");
    assert!(bench.screen().contains("pluriscope-report.csv"), "{}", bench.screen());
    bench.press("<ctrl-u>numbers.csv<enter>");
    let wish = bench.wished.pop().unwrap();
    assert_eq!((wish.format, wish.name.as_str(), wish.replace), (ReportFormat::Csv, "numbers.csv", false));
    assert_eq!((wish.report.filter.as_str(), wish.report.sets[0].items), ("perspective:honesty", 12));
    bench.feed(Event::Report(Saved::Progress(1, 3)));
    assert!(bench.screen().contains("1 of 3 files"), "{}", bench.screen());
    bench.press("<enter>x");
    assert!(bench.wished.is_empty(), "one at a time");
    bench.feed(Event::Report(Saved::Exists));
    assert!(bench.screen().contains("numbers.csv is there already"), "{}", bench.screen());
    bench.press("<enter>");
    assert!(bench.wished.pop().unwrap().replace);
    let written = Saved::Written { path: "/home/ada/numbers.csv".to_owned(), bytes: 2048 };
    bench.feed(Event::Report(written.clone()));
    assert!(bench.screen().contains("written to /home/ada/numbers.csv"), "{}", bench.screen());
    bench.press("<enter>");
    assert_eq!(bench.state.overlay, None);
    // Closed meanwhile, the end is told below; a failure is told in words.
    bench.press("r<enter><esc>");
    bench.feed(Event::Report(written));
    assert!(bench.screen().contains("written to /home/ada/numbers.csv"), "{}", bench.screen());
    bench.press("r<enter>");
    bench.feed(Event::Report(Saved::Failed("no space left".to_owned())));
    assert!(bench.screen().contains("not written: no space left"), "{}", bench.screen());
}

#[test]
fn another_name_is_not_replaced_because_the_first_was_there() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("tr<enter>");
    bench.feed(Event::Report(Saved::Exists));
    bench.press("2<enter>");
    assert!(!bench.wished.pop().unwrap().replace);
}

#[test]
fn training_runs_stand_beside_the_rest() {
    let mut bench = Bench::new(&measured(), (120, 40));
    bench.press("t<tab><tab><tab><tab><tab>");
    assert!(bench.screen().contains("looking for training runs"), "{}", bench.screen());
    let none = Event::Runs { places: "runs".to_owned(), runs: Vec::new() };
    bench.feed(none);
    assert!(bench.screen().contains("there is no training run"), "{}", bench.screen());
    let mut run = RunLog { name: "rlvr".to_owned(), share_per_step: Some(0.01), ..RunLog::default() };
    let points = [(0, 0.41), (20, 0.55), (40, 0.62), (60, 0.66), (80, 0.65)];
    let points = points.map(|(step, value)| Point { step, wall: 0.0, value }).to_vec();
    run.series.insert("val/test_score".to_owned(), points);
    let runs = vec![Arc::new(run), Arc::new(RunLog::level("SFT", 0.6))];
    bench.feed(Event::Runs { places: "runs".to_owned(), runs });
    let screen = bench.screen();
    for said in [
        "rows seen at 90 % of the gain",
        ".410 @0",
        ".660 @60",
        "60 %",
        "SFT (level)",
        "against training rows seen, %",
    ] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    bench.press("r<enter>");
    let curves = &bench.wished[0].report.curves;
    assert_eq!((curves.len(), curves[0].reached(0.9)), (2, Some(60)));
}

/// Two methods on ten situations, each sampled three times: the first sample is wrong, the others are right.
fn sampled() -> Fixture {
    let (mut items, mut traces) = (Vec::new(), Vec::new());
    for s in 0..10 {
        let item = item(&format!("Situation number {s} of the test"), "Honesty", 'A');
        for sample in 0..3 {
            let answer = if sample == 0 { "Answer: B" } else { "Answer: A" };
            traces.push(Trace { sample, ..trace(&item, "rlvr", answer) });
        }
        items.push(item);
    }
    Fixture { items, traces }
}

#[test]
fn repeated_samples_count_as_the_user_wants() {
    let mut bench = Bench::new(&sampled(), (120, 40));
    let accuracy = |bench: &Bench| bench.state.metrics.measured.report.sets[0].methods[0].accuracy.value;
    bench.press("t");
    assert_eq!(accuracy(&bench), Some(0.0));
    assert!(bench.screen().contains("first samples"), "{}", bench.screen());
    bench.press("s");
    assert_eq!(accuracy(&bench), Some(1.0));
    bench.press("s");
    assert!((accuracy(&bench).unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert!(bench.screen().contains("mean of samples"), "{}", bench.screen());
    // What was measured before counts no longer.
    let mean = bench.state.metrics.measured.clone();
    bench.press("s");
    let generation = bench.state.filter.generation;
    bench.feed(Event::Measured { generation, measured: mean, running: None });
    assert_eq!(accuracy(&bench), Some(0.0));
}
