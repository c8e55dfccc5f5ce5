//! `pluriscope demo`: scenes for an audience, played from recorded traces or written live; recorded and replayed.

use super::{common::misuse, snapshot, theme::ThemeArg};
use crate::{
    app::{
        Effect, Event, State,
        demo::{Demo, Playlist, SHIPPED, parse},
        update,
    },
    config::Config,
    runtime::{
        self, Session,
        open::{OpenOptions, depth, open},
    },
    setup,
    store::models::ModelRef,
    ui::{
        Depth, Theme,
        export::cast::{Cast, parse as parse_cast, playable},
    },
};
use clap::Args;
use color_eyre::eyre::{Result, WrapErr};
use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// Frames of a recording.
const STEP: Duration = Duration::from_millis(50);
/// The longest recording.
const LONGEST: Duration = Duration::from_secs(3600);
/// Pauses of a replay are cut to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Show scenes to an audience: recorded traces with their own timing, or live with a model
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  pluriscope demo                           the study's story; works with no network and no model
  pluriscope demo mine.toml --large         scenes of your own, for the back of the room
  pluriscope demo --record demo.cast        the whole demo as a recording (asciicast v2), without a terminal
  pluriscope demo --replay demo.cast        a recording, in this terminal

In the demo: → next scene, ← back, ↓ next method, space holds the time, + large text, b hides flagged steps, L unlocks
the explorer's keys, q leaves. What cannot be written live is shown as it was recorded. A scene is a [[scene]] table:
title, caption, situation, perspective, methods, play, live, checks, blur, seconds, stay; --print shows the shipped
playlist to start from.

Exit status: 0 done, 1 the recording could not be written, 2 misuse.")]
pub struct DemoArgs {
    /// Playlist (TOML); the study's story without one
    #[arg(value_name = "PLAYLIST")]
    pub playlist: Option<PathBuf>,
    /// Items, traces and check results, instead of the bundled corpus
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub corpus: Vec<PathBuf>,
    /// Begin with scene N
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub scene: usize,
    /// Scenes follow each other by themselves
    #[arg(long)]
    pub auto: bool,
    /// Begin in large text
    #[arg(long)]
    pub large: bool,
    /// Recorded traces only, even where a model is here
    #[arg(long)]
    pub no_live: bool,
    /// Write the whole demo into a file as asciicast v2, without a terminal
    #[arg(long, value_name = "FILE", conflicts_with_all = ["auto", "replay"])]
    pub record: Option<PathBuf>,
    /// Columns x rows of the recording
    #[arg(long, default_value = "120x36", value_parser = snapshot::parse_size, value_name = "WxH")]
    pub size: (u16, u16),
    /// Play a recording in this terminal
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Print the playlist
    #[arg(long)]
    pub print: bool,
    #[command(flatten)]
    pub theme: ThemeArg,
}

/// Runs the command.
pub fn run(args: DemoArgs, config: Config) -> Result<ExitCode> {
    if let Some(path) = &args.replay {
        return replay(path);
    }
    let (name, text) = match &args.playlist {
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => (path.display().to_string(), text),
            Err(error) => return misuse(format!("{}: {error}", path.display())),
        },
        None => ("the shipped playlist".to_owned(), SHIPPED.to_owned()),
    };
    if args.print {
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    let playlist = match parse(&text) {
        Ok(playlist) => Arc::new(playlist),
        Err(error) => return misuse(format!("{name}: {error}")),
    };
    if args.scene == 0 || args.scene > playlist.scenes.len() {
        return misuse(format!("--scene {}: {name} has {} scenes", args.scene, playlist.scenes.len()));
    }
    match &args.record {
        Some(path) => record(&args, &playlist, path, config),
        None => play(&args, &playlist, config),
    }
}

fn session(
    args: &DemoArgs,
    playlist: &Arc<Playlist>,
    config: Config,
    depth: Depth,
    live: bool,
) -> Result<Session> {
    let model_here = live && !args.no_live && model_is_here(&config);
    let options = OpenOptions {
        paths: args.corpus.clone(),
        theme: args.theme.theme.clone(),
        size: args.size,
        // Nothing of a demo is kept.
        keep: false,
        seed: Some(0),
        ..OpenOptions::default()
    };
    let mut session = open(config, options, depth)?;
    let mut demo = Demo::new(Arc::clone(playlist), model_here, args.auto || args.record.is_some());
    demo.at = args.scene - 1;
    demo.large = args.large;
    session.state.demo = Some(demo);
    Ok(session)
}

/// Whether live writing can be tried; what fails then gives way to its recording.
fn model_is_here(config: &Config) -> bool {
    let Ok(assets) = setup::assets(config) else { return false };
    match ModelRef::parse(&config.model, &assets.models) {
        Ok(ModelRef::Server { .. }) => true,
        Ok(reference) => setup::model_dirs(config).locate(&reference).is_some(),
        Err(_) => false,
    }
}

fn play(args: &DemoArgs, playlist: &Arc<Playlist>, config: Config) -> Result<ExitCode> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return misuse("a demo needs a terminal; --record writes it into a file without one");
    }
    let depth = depth();
    let mut args = args.clone();
    args.size = (0, 0);
    args.theme.theme = match args.theme.chosen(&config, depth) {
        Ok(theme) => Some(theme),
        Err(problem) => return misuse(problem),
    };
    runtime::run(session(&args, playlist, config, depth, true)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The whole demo on a clock of its own: the same recording each time.
fn record(args: &DemoArgs, playlist: &Arc<Playlist>, path: &Path, config: Config) -> Result<ExitCode> {
    let mut session = session(args, playlist, config, Depth::True, false)?;
    let mut file = std::fs::File::create(path).wrap_err_with(|| path.display().to_string())?;
    let deadline = Instant::now() + Duration::from_secs(600);
    let opening = session.outside.start_opening();
    snapshot::execute(&mut session, opening);
    snapshot::settle(&mut session, deadline);
    let mut cast = Cast::default();
    let mut text = Cast::header(args.size, &playlist.title, None);
    let mut at = Duration::ZERO;
    while at < LONGEST && !over(&session.state) {
        let effects: Vec<Effect> = update(&mut session.state, Event::Tick(at));
        snapshot::execute(&mut session, effects);
        snapshot::settle(&mut session, deadline);
        let theme = Theme::named(&session.state.theme, Depth::True);
        text.push_str(&cast.frame(at, &snapshot::draw(&session.state, &theme)?));
        at += STEP;
    }
    session.outside.leave();
    file.write_all(text.as_bytes()).wrap_err_with(|| path.display().to_string())?;
    eprintln!(
        "{}: {} scenes, {} s, {} kB",
        path.display(),
        playlist.scenes.len(),
        at.as_secs(),
        text.len().div_ceil(1000)
    );
    Ok(ExitCode::SUCCESS)
}

fn over(state: &State) -> bool {
    state.demo.as_ref().is_none_or(|demo| demo.over)
}

/// Plays a recording; only drawing is let through, whoever wrote the file.
fn replay(path: &Path) -> Result<ExitCode> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return misuse(format!("{}: {error}", path.display())),
    };
    let recording = match parse_cast(&text) {
        Ok(recording) => recording,
        Err(error) => return misuse(format!("{}: {error}", path.display())),
    };
    let cancel = super::common::interrupt_flag()?;
    let mut out = std::io::stdout();
    let shown = out.is_terminal();
    let mut last = Duration::ZERO;
    for (at, data) in &recording.events {
        if shown {
            let mut left = at.saturating_sub(last).min(LONGEST_PAUSE);
            while !left.is_zero() && !cancel.load(std::sync::atomic::Ordering::Relaxed) {
                let part = left.min(Duration::from_millis(50));
                std::thread::sleep(part);
                left -= part;
            }
        }
        if cancel.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        last = *at;
        out.write_all(playable(data).as_bytes())?;
        out.flush()?;
    }
    // The cursor comes back below what was drawn.
    write!(out, "\x1b[0m\x1b[{};1H\x1b[?25h\r\n", recording.size.1)?;
    Ok(ExitCode::SUCCESS)
}
