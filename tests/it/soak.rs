//! The explorer under random keys, resizes, pastes, mouse and generations, all from a seed: no panic, every frame
//! drawn, memory flat after the warm-up.

use crate::explorer::bench::{Bench, fixture};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use pluriscope::{
    app::{Event, State, demo, keymap::Key},
    core::{Finish, Trace},
    job::{Command, JobEvent, JobFinish, Progress},
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::{sync::Arc, time::Duration};

/// Keys that mean something somewhere, and some that mean nothing.
const KEYS: &str = "qjkhlgGnNfFDoswWcCxypmiTMBeEAaRt[],.=d-+JKz?:/123 LrbZé日\\";
const NAMED: [&str; 17] = [
    "<up>",
    "<down>",
    "<left>",
    "<right>",
    "<tab>",
    "<backtab>",
    "<enter>",
    "<esc>",
    "<home>",
    "<end>",
    "<pageup>",
    "<pagedown>",
    "<backspace>",
    "<delete>",
    "<ctrl-d>",
    "<ctrl-u>",
    "<f1>",
];
/// A demo whose situations are those of the corpus, so that its scenes play, are written live, and fail.
const SCENES: &str = r#"
title = "Scenes of the soak"
[[scene]]
title = "Played"
caption = "Recorded, at its own pace."
situation = "Reading a partner's messages"
perspective = "right to privacy"
checks = true
[[scene]]
title = "Live"
caption = "Written now, or played where that fails."
situation = "Reading a partner's messages"
perspective = "Honesty"
live = true
blur = true
seconds = 2.0
stay = 1.0
[[scene]]
title = "Live, and never recorded"
situation = "Ringing the church bells"
perspective = "Tradition"
live = true
stay = 1.0
"#;
/// Generations that may end well; the corpus grows with each.
const KEPT: usize = 200;

struct Soak {
    bench: Bench,
    random: ChaCha8Rng,
    now: Duration,
    kept: usize,
}

impl Soak {
    fn new(seed: u64) -> Soak {
        Soak {
            bench: Bench::new(&fixture(), (120, 40)),
            random: ChaCha8Rng::seed_from_u64(seed),
            now: Duration::ZERO,
            kept: 0,
        }
    }

    /// One event, what follows from it, and a frame.
    fn step(&mut self) {
        match self.random.random_range(0..20) {
            0 => {
                let size = (self.random.random_range(0..260), self.random.random_range(0..90));
                self.bench.feed(Event::Resize(size.0, size.1));
            }
            1 => self.bench.feed(Event::Paste("a\u{1b}[2J\nb".repeat(self.random.random_range(0..20)))),
            2 => {
                let kinds = [
                    MouseEventKind::Down(MouseButton::Left),
                    MouseEventKind::ScrollUp,
                    MouseEventKind::ScrollDown,
                    MouseEventKind::Drag(MouseButton::Right),
                ];
                let (column, row) = (self.random.random_range(0..260), self.random.random_range(0..90));
                let kind = *kinds.choose(&mut self.random).unwrap();
                self.bench.feed(Event::Mouse(MouseEvent {
                    kind,
                    column,
                    row,
                    modifiers: KeyModifiers::NONE,
                }));
            }
            3 => self.tick(),
            4 => self.bench.feed(Event::Note("a note".to_owned())),
            5 => self.answer(),
            6 if self.random.random_range(0..6) == 0 => {
                let study = self.random.random_range(0..3) == 0;
                let playlist = if study { include_str!("../../assets/demo/study.toml") } else { SCENES };
                self.toggle_demo(playlist);
            }
            7..10 => {
                let name = *NAMED.choose(&mut self.random).unwrap();
                self.bench.press(name);
            }
            _ => {
                let keys: Vec<char> = KEYS.chars().collect();
                let key =
                    Key::plain(crossterm::event::KeyCode::Char(*keys.choose(&mut self.random).unwrap()));
                self.bench.feed(Event::Key(key));
            }
        }
        self.bench.state.quitting = false;
        // What the bench writes down of what left the program is not the program's memory.
        self.bench.copied.clear();
        self.bench.wished.clear();
        self.bench.screen();
    }

    /// The clock goes on, sometimes by a night, sometimes back.
    fn tick(&mut self) {
        match self.random.random_range(0..40) {
            0 => self.now += Duration::from_secs(30_000),
            1 => self.bench.feed(Event::Tick(Duration::ZERO)),
            _ => self.now += Duration::from_millis(self.random.random_range(0..900)),
        }
        self.bench.feed(Event::Tick(self.now));
    }

    /// The worker's side: text, ends, failures, in an order of its own.
    fn answer(&mut self) {
        for command in std::mem::take(&mut self.bench.commands) {
            let (job, rows) = match command {
                Command::Generate { job, rows } => (job, rows),
                Command::Score { job, rows } => {
                    for row in rows {
                        let problem = "nobody scores here".to_owned();
                        self.bench.feed(Event::Job(JobEvent::RowFailed { job, row: row.row, problem }));
                    }
                    continue;
                }
                _ => continue,
            };
            for row in rows {
                let id = row.row;
                self.bench.feed(Event::Job(JobEvent::RowStarted {
                    job,
                    row: id,
                    prompt_tokens: 9,
                    cached_tokens: 3,
                }));
                let text = "It is hers, so no.\nAnswer: B".to_owned();
                self.bench.feed(Event::Job(JobEvent::RowText {
                    job,
                    row: id,
                    text: text.clone(),
                    tokens: 8,
                }));
                self.bench.screen();
                self.bench
                    .feed(Event::Job(JobEvent::Progress(Progress { rows_live: 1, ..Progress::default() })));
                if self.kept >= KEPT || self.random.random_range(0..4) == 0 {
                    let problem = "out of luck".to_owned();
                    self.bench.feed(Event::Job(JobEvent::RowFailed { job, row: id, problem }));
                } else {
                    self.kept += 1;
                    let mut trace = Trace::new(&row.item, row.method.clone(), text);
                    (trace.sample, trace.finish, trace.tokens) = (row.sample, Some(Finish::Stop), vec![1; 8]);
                    self.bench.feed(Event::Job(JobEvent::RowDone { job, row: id, trace: Arc::new(trace) }));
                }
            }
            self.bench.feed(Event::Job(JobEvent::JobDone { job, finish: JobFinish::Done }));
        }
    }

    fn toggle_demo(&mut self, playlist: &str) {
        let state: &mut State = &mut self.bench.state;
        state.demo = match state.demo.take() {
            Some(_) => None,
            None => Some(demo::Demo::new(Arc::new(demo::parse(playlist).unwrap()), true, true)),
        };
    }
}

#[test]
fn random_use_never_panics() {
    for seed in 0..3 {
        let mut soak = Soak::new(seed);
        (0..700).for_each(|_| soak.step());
    }
}

#[test]
fn a_clock_that_jumps_does_no_harm() {
    let mut soak = Soak::new(1);
    soak.toggle_demo(include_str!("../../assets/demo/study.toml"));
    for seconds in [5, 90_000, 0, 3, 1_000_000] {
        soak.bench.feed(Event::Tick(Duration::from_secs(seconds)));
        soak.bench.screen();
    }
    assert_eq!(soak.bench.state.now, Duration::from_secs(1_000_000), "time never goes back");
    assert!(
        soak.bench.state.demo.as_ref().unwrap().clock < Duration::from_secs(20),
        "a scene is not slept through"
    );
}

/// Resident memory of this process in kB.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// `PLURISCOPE_SOAK=3600 cargo test --test it soak::for_long -- --ignored --exact`: an hour; ten minutes without it.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes ten minutes, or as many seconds as PLURISCOPE_SOAK says"]
fn for_long() {
    let seconds = std::env::var("PLURISCOPE_SOAK").ok().and_then(|s| s.parse().ok()).unwrap_or(600);
    let (begun, length) = (std::time::Instant::now(), Duration::from_secs(seconds));
    let mut soak = Soak::new(7);
    let (mut steps, mut warm) = (0u64, None);
    while begun.elapsed() < length {
        (0..500).for_each(|_| soak.step());
        steps += 500;
        if warm.is_none() && begun.elapsed() > length / 3 {
            warm = Some(resident());
        }
    }
    let (before, after) = (warm.unwrap(), resident());
    eprintln!("{steps} steps in {seconds} s; {before} kB after a third of it, {after} kB at the end");
    assert!(after < before + before / 10 + 4096, "memory grows: {before} kB, then {after} kB");
}
