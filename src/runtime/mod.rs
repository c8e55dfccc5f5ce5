//! The explorer in a real terminal: events in, effects out, one drawing per burst of events.
//!
//! | file | what |
//! | --- | --- |
//! | `terminal` | raw mode and alternate screen, restored exactly once however the program ends |
//! | `outside` | effects: files, engine, library, clipboard, model fetch |
//! | `keeper` | a thread whose work is done before the program leaves |
//! | `mailbox` | events from threads, whose panics are events too |
//! | `reading` | the corpus being opened, lines read, traces kept |
//! | `measure` | the numbers over a selection, on a few threads |
//! | `report` | those numbers as a file, in every format |
//! | `open` | from configuration and paths to a first state |
//! | `annotations` | the thread that keeps labels |
//! | `clipboard` | OSC 52 |
//! | `recorder` | the session as a recording |

pub mod annotations;
mod clipboard;
mod keeper;
pub mod mailbox;
pub mod measure;
pub mod open;
pub mod outside;
mod reading;
pub mod recorder;
pub mod report;
pub mod terminal;

use crate::{
    app::{Effect, Event, State, annotate::Request, keymap::Key, update},
    ui::{Depth, Theme, view},
};
use color_eyre::eyre::Result;
use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use outside::Outside;
use recorder::Recorder;
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};
use terminal::Screen;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::StreamExt;

/// Between two drawings that no key asked for: at most 30 a second.
const FRAME: Duration = Duration::from_millis(33);
/// While something goes on, time passes in steps of this.
const TICK: Duration = Duration::from_millis(250);
/// How long after a hangup the program may still take to leave by itself.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(20);
/// After this long, a loop that could hear a hangup has left.
#[cfg(unix)]
const UNHEARD: Duration = Duration::from_millis(500);

/// A running session.
pub struct Session {
    pub state: State,
    pub outside: Outside,
    pub events: UnboundedReceiver<Event>,
    pub depth: Depth,
    /// Where what is drawn is recorded too.
    pub recorder: Option<Recorder>,
}

/// Runs the explorer until the user leaves or the terminal is gone. The screen is restored whatever happens.
pub fn run(mut session: Session) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    #[cfg(unix)]
    end_after_hangup()?;
    let mut screen = Screen::enter(session.state.mouse)?;
    let result = runtime.block_on(main_loop(&mut session, &mut screen));
    drop(screen);
    // What has come and was not taken in yet: a trace that was finished is kept.
    while let Ok(event) = session.events.try_recv() {
        let effects = update(&mut session.state, event);
        effects.into_iter().filter(keeps).for_each(|effect| session.outside.execute(effect));
    }
    // The worker's last step is not waited for: rows that are being written were not acknowledged yet.
    session.outside.leave();
    // A terminal that was closed is left, as by a key: there is nobody to tell.
    if std::io::stdout().is_terminal() { result } else { Ok(()) }
}

/// Whether an effect keeps something that is nowhere else.
fn keeps(effect: &Effect) -> bool {
    matches!(effect, Effect::Store { .. } | Effect::KeepChecks(_) | Effect::Annotate(Request::Keep(_)))
}

/// Lets the loop hear a hangup. A terminal that is gone reads as its end for ever, and crossterm tries again for ever:
/// where that happens on the loop's own thread, nothing there hears the signal. So a pipe into which nobody writes takes
/// the terminal's place as standard input; it has nothing to read *now*, and crossterm lets go. Should the loop not end
/// even so, the process does.
#[cfg(unix)]
fn end_after_hangup() -> std::io::Result<()> {
    let mut hangups = signal_hook::iterator::Signals::new([signal_hook::consts::SIGHUP])?;
    let (silence, held_open) = std::io::pipe()?;
    rustix::io::ioctl_fionbio(&silence, true)?;
    std::thread::Builder::new().name("hangup".to_owned()).spawn(move || {
        let _held_open = held_open;
        if hangups.forever().next().is_some() {
            // Where the terminal is still there, it is given back before; what cannot be done here, the end of the
            // grace does.
            std::thread::sleep(UNHEARD);
            let _ = rustix::stdio::dup2_stdin(&silence);
            std::thread::sleep(GRACE);
            std::process::exit(1);
        }
    })?;
    Ok(())
}

async fn main_loop(session: &mut Session, screen: &mut Screen) -> Result<()> {
    let start = Instant::now();
    let mut inputs = Some(EventStream::new());
    let mut signals = Signals::new()?;
    let mut theme = Theme::named(&session.state.theme, session.depth);
    let size = screen.size();
    feed(session, Event::Resize(size.0, size.1));
    draw(session, screen, &theme)?;
    let opening = session.outside.start_opening();
    run_effects(session, screen, opening);
    let mut last_draw = Instant::now();
    let mut dirty = false;
    while !session.state.quitting {
        let wait = next_wake(&session.state, dirty, last_draw);
        let mut urgent = false;
        let mut effects = Vec::new();
        tokio::select! {
            biased;
            input = next_input(&mut inputs) => match input {
                Some(Ok(input)) => {
                    urgent = true;
                    dirty = true;
                    effects.extend(take_input(session, input));
                }
                // The terminal is gone.
                Some(Err(_)) | None => break,
            },
            signal = signals.next() => match signal {
                Signal::End => break,
                Signal::Stop => effects.push(Effect::Suspend),
            },
            event = session.events.recv() => {
                if let Some(event) = event {
                    effects.extend(update(&mut session.state, event));
                    // Drain what has come meanwhile, then draw once.
                    for _ in 0..256 {
                        let Ok(event) = session.events.try_recv() else { break };
                        effects.extend(update(&mut session.state, event));
                    }
                    dirty = true;
                }
            }
            () = sleep(wait) => {}
        }
        effects.extend(update(&mut session.state, Event::Tick(start.elapsed())));
        if effects.iter().any(|e| matches!(e, Effect::Suspend)) {
            // The reader must not wait for keys while the shell has the terminal.
            drop(inputs.take());
            // The dropped stream leaves a wake-up behind, and a key that came with it would be seen only at the
            // next key (its source is edge-triggered): use the wake-up here, while no key can be lost.
            let _ = crossterm::event::poll(Duration::ZERO);
            screen.suspend()?;
            inputs = Some(EventStream::new());
            let size = screen.size();
            effects.extend(update(&mut session.state, Event::Resize(size.0, size.1)));
            urgent = true;
        }
        run_effects(session, screen, effects);
        if theme.name != Theme::named(&session.state.theme, session.depth).name {
            theme = Theme::named(&session.state.theme, session.depth);
        }
        if urgent || last_draw.elapsed() >= FRAME {
            draw(session, screen, &theme)?;
            last_draw = Instant::now();
            dirty = false;
        }
    }
    Ok(())
}

/// Draws, and records what was drawn.
fn draw(session: &mut Session, screen: &mut Screen, theme: &Theme) -> Result<()> {
    let Session { state, recorder, .. } = session;
    screen.draw(
        |frame| view(state, theme, frame),
        |buffer| {
            if let Some(recorder) = recorder {
                recorder.frame(buffer);
            }
        },
    )?;
    if let Some(problem) = session.recorder.as_mut().and_then(|r| r.problem.take()) {
        session.recorder = None;
        session.state.complain(problem);
    }
    Ok(())
}

async fn next_input(inputs: &mut Option<EventStream>) -> Option<std::io::Result<Input>> {
    match inputs {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// When the loop must wake without an event: to draw what has come, or to let time pass. Idle, never.
fn next_wake(state: &State, dirty: bool, last_draw: Instant) -> Option<Duration> {
    if dirty {
        return Some(FRAME.saturating_sub(last_draw.elapsed()));
    }
    if state.demo.as_ref().is_some_and(crate::app::demo::Demo::moving) {
        return Some(FRAME);
    }
    (state.toast.is_some() || state.live.busy() || state.annotate.waiting()).then_some(TICK)
}

fn take_input(session: &mut Session, input: Input) -> Vec<Effect> {
    let event = match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => Event::Key(Key::from(key)),
        Input::Mouse(mouse) => Event::Mouse(mouse),
        Input::Paste(text) => Event::Paste(text),
        Input::Resize(width, height) => Event::Resize(width, height),
        _ => return Vec::new(),
    };
    update(&mut session.state, event)
}

fn feed(session: &mut Session, event: Event) {
    let effects = update(&mut session.state, event);
    for effect in effects {
        session.outside.execute(effect);
    }
}

fn run_effects(session: &mut Session, screen: &mut Screen, effects: Vec<Effect>) {
    for effect in effects {
        match effect {
            Effect::SetMouse(on) => screen.set_mouse(on),
            Effect::Redraw => screen.clear(),
            Effect::Copy(text) => {
                let result = clipboard::copy(&text);
                feed(session, Event::Copied(result));
            }
            Effect::Suspend | Effect::Quit => {}
            other => session.outside.execute(other),
        }
    }
}

/// What a signal asks for.
enum Signal {
    End,
    Stop,
}

/// Signals of the process: those that end it, and the one that suspends it.
struct Signals {
    #[cfg(unix)]
    streams: [tokio::signal::unix::Signal; 4],
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let stop = SignalKind::from_raw(signal_hook::consts::SIGTSTP);
        let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt(), stop];
        let [a, b, c, d] = kinds.map(signal);
        Ok(Signals { streams: [a?, b?, c?, d?] })
    }

    async fn next(&mut self) -> Signal {
        let [terminate, hangup, interrupt, stop] = &mut self.streams;
        tokio::select! {
            _ = terminate.recv() => Signal::End,
            _ = hangup.recv() => Signal::End,
            _ = interrupt.recv() => Signal::End,
            _ = stop.recv() => Signal::Stop,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Signals> {
        Ok(Signals {})
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::End
    }
}
