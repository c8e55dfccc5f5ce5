//! The terminal: raw mode, alternate screen, mouse, paste; given back exactly once.

use super::mailbox::CAUGHT;
use crossterm::{
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute,
    terminal::{
        Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend, buffer::Buffer};
use std::{
    io::{self, Stdout, Write, stdout},
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether the terminal is ours now; whoever sets it to false gives the terminal back.
static HELD: AtomicBool = AtomicBool::new(false);

/// The screen. Dropping it gives the terminal back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Tty>>,
    mouse: bool,
}

/// Standard output while the terminal is ours; what is written afterwards goes nowhere. Where a `Terminal` is dropped
/// and its cursor cannot be shown, ratatui says so with `eprintln!`, which panics once the terminal is gone.
struct Tty(Stdout);

impl Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if HELD.load(Ordering::SeqCst) { self.0.write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if HELD.load(Ordering::SeqCst) { self.0.flush() } else { Ok(()) }
    }
}

fn terminal() -> io::Result<Terminal<CrosstermBackend<Tty>>> {
    Terminal::new(CrosstermBackend::new(Tty(stdout())))
}

impl Screen {
    /// Takes the terminal, and makes sure that a panic gives it back before it is reported.
    pub fn enter(mouse: bool) -> io::Result<Screen> {
        install_panic_hook();
        // Before the terminal is taken, so that a failure to take all of it gives back what was taken.
        let screen = Screen { terminal: terminal()?, mouse };
        take(mouse)?;
        Ok(screen)
    }

    /// Width and height in cells.
    pub fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((0, 0), |s| (s.width, s.height))
    }

    /// Draws a frame; `seen` gets what stands on the screen then.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>), seen: impl FnOnce(&Buffer)) -> io::Result<()> {
        self.terminal.draw(draw).map(|done| seen(done.buffer))
    }

    /// The next drawing writes every cell.
    pub fn clear(&mut self) {
        // A failure shows at the next drawing.
        let _ = self.start_anew();
    }

    pub fn set_mouse(&mut self, on: bool) {
        self.mouse = on;
        let _ =
            if on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) };
    }

    /// Gives the terminal back, stops the process, and takes it again when the shell continues us.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        #[cfg(unix)]
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        take(self.mouse)?;
        self.start_anew()
    }

    /// Forgets what was drawn. Not `Terminal::clear`: that asks the terminal for its cursor and waits for the answer.
    fn start_anew(&mut self) -> io::Result<()> {
        execute!(stdout(), Clear(ClearType::All))?;
        // A terminal that shows its cursor has nothing to complain of when it is dropped.
        self.terminal.show_cursor()?;
        self.terminal = terminal()?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    HELD.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)?;
    if mouse {
        execute!(stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

/// Restores the terminal, if it is ours. Errors cannot be told to anyone: the terminal may be gone.
pub fn give_back() {
    if HELD.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

fn install_panic_hook() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Panics of these threads are caught there and shown as a message; the explorer lives on.
            let caught = std::thread::current().name().is_some_and(|name| name.starts_with(CAUGHT));
            if caught && HELD.load(Ordering::SeqCst) {
                return;
            }
            give_back();
            // The command line's own hook, which never panics, not even where the terminal is gone.
            report(info);
        }));
    });
}
