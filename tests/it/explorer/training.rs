//! The training screen over runs that come as events.

use super::bench::{Bench, fixture};
use pluriscope::{
    app::{Event, state::Screen},
    core::run::{Point, Rollout, RunLog},
};
use std::sync::Arc;

fn runs() -> Vec<Arc<RunLog>> {
    let points = |values: &dyn Fn(f64) -> f64| {
        (1..=40).map(|s| Point { step: s, wall: s as f64 * 3.0, value: values(s as f64) }).collect::<Vec<_>>()
    };
    let mut rlvr = RunLog {
        name: "rlvr".into(),
        method: "rlvr".into(),
        steps: Some(80),
        settings: vec![("group".into(), "8".into()), ("lora.rank".into(), "8".into())],
        rollouts: vec![
            Rollout { step: 1, reward: 0.25, text: "Answer: C".into() },
            Rollout { step: 2, reward: 0.5, text: "Honesty opposes it.\nAnswer: B".into() },
        ],
        ..RunLog::default()
    };
    rlvr.series.insert("critic/rewards/mean".into(), points(&|s| 0.3 + s / 100.0));
    rlvr.series.insert("response_length/mean".into(), points(&|s| 40.0 - s / 4.0));
    let looks = [(0, 0.31), (20, 0.42), (40, 0.52)];
    rlvr.series.insert(
        "val/test_score".into(),
        looks.map(|(step, value)| Point { step, wall: 0.0, value }).to_vec(),
    );
    vec![Arc::new(rlvr), Arc::new(RunLog::level("SFT", 0.44))]
}

fn watching(size: (u16, u16)) -> Bench {
    let mut bench = Bench::new(&fixture(), size);
    bench.press("R");
    bench.feed(Event::Runs { places: "runs".into(), runs: runs() });
    bench
}

#[test]
fn runs_are_watched_until_the_screen_is_left() {
    let mut bench = Bench::new(&fixture(), (100, 30));
    bench.press("R");
    assert!(bench.state.training.watched);
    assert!(bench.screen().contains("looking for runs"), "{}", bench.screen());
    bench.feed(Event::Runs { places: "runs".into(), runs: Vec::new() });
    assert!(bench.screen().contains("no run here"), "{}", bench.screen());
    bench.feed(Event::Runs { places: "runs".into(), runs: runs() });
    bench.press("<down>");
    assert_eq!(bench.state.training.current().unwrap().name, "SFT");
    // A run that comes before does not take the cursor away.
    let mut more = vec![Arc::new(RunLog::level("A", 0.3))];
    more.extend(runs());
    bench.feed(Event::Runs { places: "runs".into(), runs: more });
    assert_eq!(bench.state.training.current().unwrap().name, "SFT");
    bench.press("<esc>");
    assert_eq!(bench.state.screen, Screen::Explorer);
    assert!(!bench.state.training.watched);
}

#[test]
fn the_metrics_page_of_training_watches_too_and_going_on_to_the_runs_keeps_it_up() {
    let mut bench = Bench::new(&fixture(), (100, 30));
    bench.press("t<backtab>");
    assert!(bench.state.training.watched);
    bench.state.screen = Screen::Training;
    bench.press("<down>");
    assert!(bench.state.training.watched);
    bench.press("<esc>t");
    // The metrics come back to their page of training.
    assert!(bench.state.training.watched);
    bench.press("<tab>");
    assert!(!bench.state.training.watched);
}

macro_rules! screens {
    ($($name:ident: $size:expr, $keys:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let mut bench = watching($size);
                bench.press($keys);
                insta::assert_snapshot!(bench.screen());
            }
        )*
    };
}

screens! {
    training_curves: (120, 30), "";
    training_80x24: (80, 24), "";
    training_efficiency: (120, 26), "<tab>";
    training_rollouts: (100, 24), "<tab><tab>";
    training_settings: (100, 24), "<tab><tab><tab>";
}
