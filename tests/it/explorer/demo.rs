//! The demo: scenes, recorded timings, the lock, what is hidden, what it looks like.

use super::bench::{Bench, Fixture, fixture};
use pluriscope::{
    app::{
        Event,
        demo::{Demo, parse},
    },
    core::{Trace, trace::Timing},
    job::{Command, GenerateRow, JobEvent, JobFinish, JobId},
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
    playing(PLAYLIST, size, model_here, auto)
}

fn playing(playlist: &str, size: (u16, u16), model_here: bool, auto: bool) -> Bench {
    let mut bench = Bench::new(&timed(), size);
    bench.state.demo = Some(Demo::new(Arc::new(parse(playlist).unwrap()), model_here, auto));
    bench.feed(Event::Tick(Duration::ZERO));
    bench
}

/// One scene.
fn scene(rest: &str) -> String {
    format!("title = \"One\"\n[[scene]]\ntitle = \"Scene\"\n{rest}")
}

/// The scene on privacy, written live: zero-shot CoT is asked for, and human CoT, whose adapter is not here, plays.
fn live() -> (Bench, GenerateRow) {
    let bench = playing(
        &scene(
            "situation = \"Reading a partner's messages\"\nperspective = \"right to privacy\"
            methods = [\"zero-shot-cot\", \"human-cot\"]\nlive = true\nseconds = 4.0",
        ),
        (120, 40),
        true,
        false,
    );
    let row = bench.asked().remove(0);
    assert_eq!(bench.asked().len(), 1);
    assert!(bench.screen().contains("human CoT recorded · live, smollm2-135m"), "{}", bench.screen());
    (bench, row)
}

const JOB: JobId = JobId(1);

/// The model cannot be had, and everything that was asked of it fails.
fn lose_model(bench: &mut Bench, row: &GenerateRow) {
    let (model, problem) = (row.model.clone(), "the file is damaged".to_owned());
    bench.feed(Event::Job(JobEvent::ModelFailed { model, problem: problem.clone(), missing: false }));
    assert!(bench.state.overlay.is_none(), "nothing lies over a demo");
    fail(bench, row, &problem);
}

fn fail(bench: &mut Bench, row: &GenerateRow, problem: &str) {
    bench.feed(Event::Job(JobEvent::RowFailed { job: JOB, row: row.row, problem: problem.to_owned() }));
    bench.feed(Event::Job(JobEvent::JobDone { job: JOB, finish: JobFinish::Failed }));
}

/// The recording plays to its end, and nothing tells of the failure.
#[track_caller]
fn plays_instead(bench: &mut Bench) {
    assert!(bench.screen().contains("recorded…"), "{}", bench.screen());
    assert!(!bench.screen().contains("So the answer is clear"), "it plays, it does not jump");
    wait(bench, 6.0);
    let screen = bench.screen();
    assert!(screen.contains("So the answer is clear") && screen.contains(" recorded ×"), "{screen}");
    for word in ["fail", "live", "damaged"] {
        assert!(!screen.contains(word), "{word}: {screen}");
    }
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
fn a_model_that_cannot_be_had_gives_way_to_the_recording() {
    let (mut bench, row) = live();
    lose_model(&mut bench, &row);
    plays_instead(&mut bench);
    assert!(bench.state.notes.iter().any(|note| note.contains("the file is damaged")), "who asks is told");
    // Once is enough: the scene played again is recorded from its beginning.
    bench.press("r");
    assert!(bench.screen().contains(" recorded ×"), "{}", bench.screen());
    assert_eq!(bench.commands.iter().filter(|c| matches!(c, Command::Generate { .. })).count(), 1);
}

#[test]
fn a_row_that_fails_half_way_gives_way_to_the_recording() {
    let (mut bench, row) = live();
    wait(&mut bench, 10.0);
    let text = "Half a thought".to_owned();
    bench.feed(Event::Job(JobEvent::RowText { job: JOB, row: row.row, text, tokens: 3 }));
    assert!(bench.screen().contains("Half a thought"));
    fail(&mut bench, &row, "the server went away");
    assert!(!bench.screen().contains("Half a thought"), "{}", bench.screen());
    plays_instead(&mut bench);
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let (mut bench, row) = live();
    wait(&mut bench, 19.0);
    assert!(bench.screen().contains("live, smollm2-135m"), "{}", bench.screen());
    wait(&mut bench, 2.0);
    assert!(bench.commands.iter().any(|c| matches!(c, Command::CancelRow(id) if *id == row.row)));
    let trace = Arc::new(Trace::new(&row.item, row.method.clone(), String::new()));
    bench.feed(Event::Job(JobEvent::RowDone { job: JOB, row: row.row, trace }));
    bench.feed(Event::Job(JobEvent::JobDone { job: JOB, finish: JobFinish::Cancelled }));
    plays_instead(&mut bench);
}

#[test]
fn what_was_written_live_says_so_and_names_what_was_not() {
    let (mut bench, row) = live();
    let text = "Her words are hers.\nAnswer: B".to_owned();
    bench.feed(Event::Job(JobEvent::RowText { job: JOB, row: row.row, text: text.clone(), tokens: 6 }));
    let mut trace = Trace::new(&row.item, row.method.clone(), text);
    (trace.tokens, trace.sample) = (vec![1; 6], row.sample);
    bench.feed(Event::Job(JobEvent::RowDone { job: JOB, row: row.row, trace: Arc::new(trace) }));
    bench.feed(Event::Job(JobEvent::JobDone { job: JOB, finish: JobFinish::Done }));
    wait(&mut bench, 30.0);
    let screen = bench.screen();
    assert!(screen.contains("human CoT recorded · written live by smollm2-135m"), "{screen}");
    assert!(screen.contains("Her words are hers."), "{screen}");
}

#[test]
fn without_a_recording_the_column_says_so() {
    let text = "situation = \"Ringing the church bells\"\nperspective = \"Tradition\"\nlive = true
                methods = [\"zero-shot-cot\"]";
    let mut bench = playing(&scene(text), (120, 40), true, false);
    let row = bench.asked().remove(0);
    lose_model(&mut bench, &row);
    let screen = bench.screen();
    assert!(screen.contains("there is no recording of this method here"), "{screen}");
    assert!(screen.contains(" no recording ─"), "{screen}");
    bench.press("+");
    assert!(bench.screen().contains("there is no recording of this method"), "{}", bench.screen());
}

#[test]
fn every_method_of_a_scene_can_be_reached_and_is_counted() {
    let titles = ["direct", "zero-shot CoT", "SFT", "human CoT", "synthetic CoT"];
    let text =
        "situation = \"Reading a partner's messages\"\nperspective = \"right to privacy\"\nplay = false
        methods = [\"zero-shot-direct\", \"zero-shot-cot\", \"sft\", \"human-cot\", \"synthetic-cot\"]";
    for (size, first) in [((80, 24), "methods 1–2 of 5"), ((120, 36), "methods 1–3 of 5")] {
        let mut bench = playing(&scene(text), size, false, false);
        assert!(bench.screen().contains(first), "{}", bench.screen());
        assert!(!bench.screen().contains("hidden"), "{}", bench.screen());
        for title in titles {
            assert!(bench.screen().contains(title), "{title}: {}", bench.screen());
            bench.press("<down>");
        }
        assert!(bench.screen().contains(first), "after the last comes the first: {}", bench.screen());
        bench.press("+");
        for (i, title) in titles.iter().enumerate() {
            let place = format!("{title}   {} of 5", i + 1);
            assert!(bench.screen().contains(&place), "{place}: {}", bench.screen());
            bench.press("<down>");
        }
    }
}

#[test]
fn a_caption_is_whole_or_ends_with_an_ellipsis_and_the_keys_stay() {
    let with = |words: usize| {
        let words = "A word of it, and one more. ".repeat(words);
        let caption = format!("caption = \"{words}The end.\"");
        playing(&scene(&caption), (80, 24), false, false).screen()
    };
    assert!(with(9).contains("The end."), "{}", with(9));
    let screen = with(30);
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[22].ends_with('…'), "{screen}");
    for key in ["next scene", "scene back", "next method", "pause", "all keys"] {
        assert!(lines[23].contains(key), "{key}: {screen}");
    }
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
