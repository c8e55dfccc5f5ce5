//! The demo: scenes, recorded timings, the lock, what is hidden, what it looks like.

use super::bench::{Bench, Fixture, fixture};
use pluriscope::{
    app::{
        Event,
        demo::{Demo, parse},
    },
    core::trace::Timing,
    job::Command,
};
use std::{sync::Arc, time::Duration};

const PLAYLIST: &str = r#"
title = "Two values"

[[scene]]
title = "A word before"
caption = "Nothing but a caption."
seconds = 0.0
stay = 2.0

[[scene]]
title = "Privacy looks"
caption = "Two methods on one situation."
situation = "Reading a partner's messages"
perspective = "right to privacy"
methods = ["zero-shot-cot", "human-cot"]
seconds = 4.0
stay = 1.0

[[scene]]
title = "Elsewhere"
situation = "A situation that nobody wrote"
perspective = "Honesty"
"#;

/// Each token of every trace comes a second after the one before.
fn timed() -> Fixture {
    let mut fixture = fixture();
    for trace in &mut fixture.traces {
        let token_ms = (1..=trace.tokens.len() as u32).map(|i| i * 1000).collect();
        trace.timing = Some(Timing { token_ms, ..Timing::default() });
    }
    fixture
}

fn bench(size: (u16, u16), model_here: bool, auto: bool) -> Bench {
    let mut bench = Bench::new(&timed(), size);
    bench.state.demo = Some(Demo::new(Arc::new(parse(PLAYLIST).unwrap()), model_here, auto));
    bench.feed(Event::Tick(Duration::ZERO));
    bench
}

fn wait(bench: &mut Bench, seconds: f64) {
    let until = bench.state.now + Duration::from_secs_f64(seconds);
    while bench.state.now < until {
        let next = (bench.state.now + Duration::from_millis(250)).min(until);
        bench.feed(Event::Tick(next));
    }
}

fn at(bench: &Bench) -> usize {
    bench.state.demo.as_ref().unwrap().at
}

#[test]
fn recorded_text_grows_at_its_own_pace_and_says_that_it_is_recorded() {
    let mut bench = bench((120, 40), false, false);
    assert!(bench.screen().contains("Nothing but a caption."));
    bench.press("n");
    let first = bench.screen();
    assert!(first.contains("Privacy looks") && first.contains("recorded"), "{first}");
    assert!(!first.contains("It could bring"), "{first}");
    wait(&mut bench, 2.0);
    let half = bench.screen();
    assert!(half.contains("It could bring") && !half.contains("So the answer is clear"), "{half}");
    assert!(half.contains("×"), "a recording of more than four seconds is played faster: {half}");
    wait(&mut bench, 3.0);
    let whole = bench.screen();
    assert!(whole.contains("So the answer is clear") && whole.contains("A support"), "{whole}");
    insta::assert_snapshot!("demo_scene", whole);
}

#[test]
fn next_shows_the_whole_text_first_and_then_the_next_scene() {
    let mut bench = bench((120, 40), false, false);
    bench.press("n").press("n");
    assert_eq!(at(&bench), 1);
    assert!(bench.screen().contains("So the answer is clear"));
    bench.press("n");
    assert_eq!(at(&bench), 2);
    assert!(bench.screen().contains("is not in this corpus"), "{}", bench.screen());
    bench.press("p");
    assert_eq!(at(&bench), 1);
}

#[test]
fn a_pause_holds_the_time() {
    let mut bench = bench((120, 40), false, false);
    bench.press("n<space>");
    wait(&mut bench, 5.0);
    assert!(!bench.screen().contains("It could bring"));
    assert!(bench.screen().contains("paused"));
    bench.press("<space>");
    wait(&mut bench, 5.0);
    assert!(bench.screen().contains("So the answer is clear"));
}

#[test]
fn the_lock_keeps_the_explorers_keys_away_and_shows_every_key() {
    let mut bench = bench((120, 40), true, false);
    bench.press("n");
    bench.press("wWcCs:f/");
    assert!(bench.commands.iter().all(|c| !matches!(c, Command::Generate { .. })));
    assert!(bench.state.overlay.is_none() && bench.state.search.is_none());
    bench.press("r");
    assert!(bench.screen().contains("r  play again"), "{}", bench.screen());
    bench.press("L:");
    assert!(bench.state.overlay.is_some(), "unlocked, the palette opens");
    bench.press("<esc>L");
    assert!(bench.state.demo.as_ref().unwrap().locked);
    bench.press("q");
    assert!(bench.state.quitting);
}

#[test]
fn an_unattended_demo_goes_through_its_scenes_and_ends() {
    let mut bench = bench((120, 40), false, true);
    wait(&mut bench, 2.5);
    assert_eq!(at(&bench), 1);
    wait(&mut bench, 5.5);
    assert_eq!(at(&bench), 2);
    wait(&mut bench, 60.0);
    let demo = bench.state.demo.as_ref().unwrap();
    assert!(demo.over && !demo.moving());
}

#[test]
fn a_live_scene_asks_the_worker_where_a_model_is_here() {
    let live = PLAYLIST.replace("seconds = 4.0", "live = true");
    let start = |model_here| {
        let mut bench = Bench::new(&timed(), (120, 40));
        bench.state.demo = Some(Demo::new(Arc::new(parse(&live).unwrap()), model_here, false));
        bench.feed(Event::Tick(Duration::ZERO));
        bench.press("n");
        bench
    };
    let bench = start(true);
    // human CoT is a trained method, and its adapter is not here: its recording plays beside.
    assert_eq!(bench.asked().len(), 1);
    assert!(bench.screen().contains("live, smollm2-135m"), "{}", bench.screen());
    let bench = start(false);
    assert!(bench.asked().is_empty());
    assert!(bench.screen().contains("recorded"));
}

#[test]
fn large_text_shows_one_method_with_room() {
    let mut bench = bench((100, 36), false, false);
    bench.press("nn+");
    let large = bench.screen();
    assert!(large.contains("R i g h t   t o   p r i v a c y"), "{large}");
    assert!(large.contains("zero-shot CoT") && !large.contains("human CoT"));
    insta::assert_snapshot!("demo_large", large);
    bench.press("<tab>");
    assert!(bench.screen().contains("human CoT"));
}

#[test]
fn every_size_is_survived() {
    let mut bench = bench((120, 40), false, false);
    bench.press("n");
    for (width, height) in [(0, 0), (1, 1), (40, 10), (41, 13), (60, 16), (200, 50), (24, 8)] {
        bench.feed(Event::Resize(width, height));
        bench.screen();
        bench.press("+");
        bench.screen();
        bench.press("+");
    }
}
