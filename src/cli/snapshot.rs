//! `pluriscope snapshot`: a screen without a terminal, from the same `update` and `view`.

use crate::{
    app::{
        Effect, Event, State,
        annotate::OpenDesk,
        demo::{self, Demo, playback::Playing},
        keymap::parse_keys,
        update,
    },
    config::Config,
    runtime::{
        Session,
        open::{OpenOptions, open},
    },
    ui::{Depth, Theme, export, view},
};
use clap::{Args, ValueEnum};
use color_eyre::eyre::{Result, WrapErr};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// How a screen is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScreenFormat {
    Text,
    Ansi,
    Svg,
}

/// Print a screen of the explorer after some key presses, without a terminal
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope snapshot traces.jsonl --keys \"<down><enter>\" --size 120x40 --format svg -o main.svg

Keys stand for themselves; <enter>, <esc>, <tab>, <down>, <ctrl-d> … name the others, <lt> is `<`.")]
pub struct SnapshotArgs {
    /// Files and folders; none opens the bundled corpus
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Keys to press, once everything is read
    #[arg(long, default_value = "", value_name = "KEYS")]
    pub keys: String,
    /// Columns x rows
    #[arg(long, default_value = "120x40", value_parser = parse_size, value_name = "WxH")]
    pub size: (u16, u16),
    #[arg(long, value_enum, default_value_t = ScreenFormat::Text)]
    pub format: ScreenFormat,
    /// Colour theme
    #[arg(long, default_value = "dark", value_name = "NAME", value_parser = super::theme::names())]
    pub theme: String,
    /// Where the screen goes; standard output without it
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Longest wait for reading, filtering and live writing, in seconds
    #[arg(long, default_value_t = 120, value_name = "N")]
    pub wait: u64,
    /// Folders of training runs: the screen is that of `watch`
    #[arg(long, num_args = 1.., value_name = "FOLDER")]
    pub runs: Vec<PathBuf>,
    /// With --runs, a level to draw beside them, as in `--line SFT=0.759`
    #[arg(long = "line", value_name = "NAME=ACCURACY", value_parser = super::explore::parse_line)]
    pub lines: Vec<(String, f64)>,
    /// Show scene N of the shipped demo, its texts whole, before the keys are pressed
    #[arg(long, value_name = "N")]
    pub demo: Option<usize>,
    /// Base of the seeds of live generations
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// The desk of this annotation project instead of the explorer; answers are shown and not kept
    #[arg(long, value_name = "PROJECT", conflicts_with = "paths")]
    pub annotate: Option<String>,
    /// Whose desk
    #[arg(long = "as", value_name = "NAME", requires = "annotate")]
    pub annotator: Option<String>,
}

/// `120x40`.
pub fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text.split_once(['x', '×']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match parsed {
        Some((w, h)) if w <= 1000 && h <= 1000 => Ok((w, h)),
        _ => Err(format!("`{text}` is not a size like 120x40 (1000x1000 at most)")),
    }
}

/// Puts a scene of the shipped demo on, its texts whole.
fn show_scene(session: &mut Session, scene: usize, deadline: Instant) -> Result<()> {
    let playlist = demo::parse(demo::SHIPPED).map_err(super::common::failure)?;
    let mut shown = Demo::new(Arc::new(playlist), false, false);
    shown.at = scene.saturating_sub(1).min(shown.playlist.scenes.len().saturating_sub(1));
    session.state.demo = Some(shown);
    for seconds in 0..2 {
        let effects = update(&mut session.state, Event::Tick(Duration::from_secs(seconds)));
        execute(session, effects);
        settle(session, deadline);
    }
    if let Some(demo) = &mut session.state.demo {
        demo.playing.iter_mut().for_each(Playing::finish);
    }
    Ok(())
}

pub fn run(args: SnapshotArgs, config: Config) -> Result<ExitCode> {
    let keys = match parse_keys(&args.keys) {
        Ok(keys) => keys,
        Err(key) => {
            return super::common::misuse(format!("--keys: `<{key}>` names no key; `<lt>` is the sign `<`"));
        }
    };
    let options = OpenOptions {
        paths: args.paths.clone(),
        theme: Some(args.theme.clone()),
        size: args.size,
        keep: false,
        seed: Some(args.seed),
        runs: args.runs.clone(),
        lines: args.lines.clone(),
        desk: args.annotate.clone().map(|project| OpenDesk {
            project: Some(project),
            annotator: args.annotator.clone(),
            blind: true,
            ..OpenDesk::default()
        }),
    };
    let mut session = open(config, options, Depth::True)?;
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let opening = session.outside.start_opening();
    execute(&mut session, opening);
    settle(&mut session, deadline);
    if let Some(scene) = args.demo {
        show_scene(&mut session, scene, deadline)?;
    }
    for key in keys {
        let effects = update(&mut session.state, Event::Key(key));
        execute(&mut session, effects);
        settle(&mut session, deadline);
    }
    let theme = Theme::named(&session.state.theme, Depth::True);
    let buffer = draw(&session.state, &theme)?;
    session.outside.leave();
    let text = match args.format {
        ScreenFormat::Text => export::text(&buffer),
        ScreenFormat::Ansi => export::ansi::ansi(&buffer),
        ScreenFormat::Svg => export::svg::svg(&buffer, theme.name == "light"),
    };
    match &args.out {
        Some(path) => std::fs::write(path, text).wrap_err_with(|| path.display().to_string())?,
        None => std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Draws a state into a buffer of its own size.
pub fn draw(state: &State, theme: &Theme) -> Result<Buffer> {
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1))?;
    terminal.draw(|frame| view(state, theme, frame))?;
    Ok(terminal.backend().buffer().clone())
}

/// Executes effects, those of the terminal left out.
pub fn execute(session: &mut Session, effects: Vec<Effect>) {
    for effect in effects {
        session.outside.execute(effect);
    }
}

/// Takes in events until nothing is owed and nothing is written, or until the deadline.
pub fn settle(session: &mut Session, deadline: Instant) {
    loop {
        while let Ok(event) = session.events.try_recv() {
            let effects = update(&mut session.state, event);
            execute(session, effects);
        }
        let checking = session.state.checks.jobs().next().is_some();
        let busy = session.outside.mailbox.owed() > 0 || session.state.live.busy() || checking;
        if (!busy && session.events.is_empty()) || Instant::now() > deadline {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
