//! The binary in a real pseudo-terminal: starts, explores, writes live, cancels, is suspended, leaves.

use pluriscope::{core::annotation::Author, store::Library};
use portable_pty::{CommandBuilder, ExitStatus, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Far longer than anything takes: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(90);

struct Session {
    parser: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Box<dyn portable_pty::MasterPty + Send>,
    reader: JoinHandle<()>,
    /// The reader lets go of the terminal after the next thing that it reads.
    closing: Arc<AtomicBool>,
    home: tempfile::TempDir,
}

impl Session {
    fn start(args: &[&str]) -> Session {
        Session::on(args, (120, 40), "xterm-256color")
    }

    fn on(args: &[&str], size: (u16, u16), term: &str) -> Session {
        Session::with(args, size, term, &[])
    }

    fn with(args: &[&str], (cols, rows): (u16, u16), term: &str, envs: &[(&str, &str)]) -> Session {
        let home = tempfile::tempdir().unwrap();
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pluriscope"));
        command.args(args);
        for (name, folder) in
            [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_CACHE_HOME", "cache")]
        {
            command.env(name, home.path().join(folder));
        }
        command.env("PLURISCOPE_MODELS", crate::models::folder());
        command.env("PLURISCOPE_ANNOTATOR", "ada");
        command.env("TERM", term);
        envs.iter().for_each(|(name, value)| command.env(name, value));
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command).unwrap();
        let parser = Arc::new(Mutex::new(vt100::Parser::new(rows, cols, 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sink, bytes) = (Arc::clone(&parser), Arc::clone(&raw));
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || closed.load(Ordering::SeqCst) {
                    break;
                }
                bytes.lock().unwrap().extend_from_slice(&buffer[..n]);
                sink.lock().unwrap().process(&buffer[..n]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Session { parser, raw, writer, child, master: pair.master, reader, closing, home }
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().unwrap()).into_owned()
    }

    fn screen(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    #[track_caller]
    fn wait_for(&self, what: &str) {
        self.wait_until(what, |screen| screen.contains(what));
    }

    #[track_caller]
    fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !holds(&self.screen()) {
            assert!(start.elapsed() < PATIENCE, "waited for {what:?} on\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end; the terminal must have been given back.
    #[track_caller]
    fn ends(mut self) -> String {
        let status = wait(&mut *self.child);
        assert!(status.success(), "{status:?} on\n{}", self.screen());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!self.parser.lock().unwrap().screen().alternate_screen(), "the alternate screen was left");
        self.raw()
    }

    /// Closes the terminal as a window is closed: nobody holds its other side any more. How the program ended then,
    /// and its home.
    #[track_caller]
    fn close(mut self) -> (ExitStatus, tempfile::TempDir) {
        self.closing.store(true, Ordering::SeqCst);
        // What this key draws wakes the reader up.
        self.press("?");
        let Session { writer, master, reader, mut child, home, .. } = self;
        reader.join().unwrap();
        drop((writer, master));
        (wait(&mut *child), home)
    }
}

#[track_caller]
fn wait(child: &mut (dyn portable_pty::Child + Send + Sync)) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "still running");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn leaves(raw: &str) -> usize {
    raw.matches("\u{1b}[?1049l").count()
}

#[test]
fn explores_the_bundled_corpus_and_restores_the_terminal() {
    let mut session = Session::start(&["--theme", "dark", "--forget"]);
    session.wait_for("PERSPECTIVES");
    session.wait_for("values");
    session.press("/right to priv");
    session.wait_for("Right to privacy");
    session.press("\r");
    session.press("\r");
    session.press("\r");
    session.wait_for("zero-shot CoT");
    session.press("?");
    session.wait_for("keys · comparison");
    session.press("\u{1b}");
    session.wait_until("help closed", |s| !s.contains("keys · comparison"));
    session.press("q");
    let raw = session.ends();
    assert_eq!(leaves(&raw), 1, "given back exactly once");
    assert!(raw.contains("\u{1b}[?25h"), "the cursor is shown again");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_with_the_terminal_restored() {
    for signal in ["TERM", "HUP", "INT"] {
        let session = Session::start(&["--theme", "dark", "--forget"]);
        session.wait_for("values");
        let pid = session.child.process_id().unwrap();
        Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap();
        assert_eq!(leaves(&session.ends()), 1, "SIG{signal}");
    }
}

#[cfg(unix)]
#[test]
fn a_terminal_that_is_closed_ends_it_without_a_crash() {
    let explorer = ["--theme", "dark", "--forget"];
    let demo = ["demo", "--no-live", "--theme", "dark"];
    for (args, shown) in [(&explorer[..], "values"), (&demo[..], "The question")] {
        let session = Session::start(args);
        session.wait_for(shown);
        let (status, _home) = session.close();
        assert!(status.success(), "{args:?}: {status:?}");
    }
}

#[cfg(unix)]
#[test]
fn what_was_labelled_is_kept_when_the_terminal_is_closed() {
    let mut session = Session::start(&["--theme", "dark"]);
    session.wait_for(" tokens");
    session.press("3a");
    session.wait_for("every answer is saved at once");
    session.press("1");
    session.wait_for("saved · 1 acts");
    let (status, home) = session.close();
    assert!(status.success(), "{status:?}");
    let library = Library::open(&home.path().join("data/pluriscope/library.db")).unwrap();
    let project = library.project(Some("explorer")).unwrap();
    assert_eq!(library.history(project.id, &Author::annotator("ada")).unwrap().len(), 1);
}

#[test]
fn doctor_names_a_terminal_that_cannot_show_the_explorer() {
    for (size, term, words) in [
        ((50, 10), "xterm-256color", "50x10: too small, needs 60x12"),
        ((120, 40), "dumb", "set TERM to what the terminal is"),
        ((120, 40), "xterm-256color", "120x40, colours"),
    ] {
        let mut session = Session::on(&["doctor"], size, term);
        wait(&mut *session.child);
        session.reader.join().unwrap();
        let said = String::from_utf8_lossy(&session.raw.lock().unwrap()).into_owned();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_theme_that_is_configured_and_does_not_exist_is_named() {
    for (args, status) in [(&[][..], 2), (&["demo"], 2), (&["doctor"], 1)] {
        let mut session = Session::with(args, (120, 40), "xterm-256color", &[("PLURISCOPE_THEME", "mauve")]);
        assert_eq!(wait(&mut *session.child).exit_code(), status, "{args:?}");
        session.reader.join().unwrap();
        let said = String::from_utf8_lossy(&session.raw.lock().unwrap()).into_owned();
        assert!(said.contains("there is no theme `mauve`") && said.contains("known: dark, "), "{said}");
        assert_eq!(leaves(&said), 0, "the screen was not taken yet");
    }
}

#[cfg(unix)]
#[test]
fn it_can_be_suspended_and_continued() {
    let mut session = Session::start(&["--theme", "dark", "--forget"]);
    session.wait_for("values");
    session.press("\u{1a}");
    let start = Instant::now();
    while leaves(&session.raw()) == 0 {
        assert!(start.elapsed() < PATIENCE, "not suspended");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = session.child.process_id().unwrap().to_string();
    // The stop takes effect a moment after the screen was given back.
    let stopped = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| s.contains(") T "));
    while std::path::Path::new("/proc/self/stat").exists() && !stopped() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    Command::new("kill").args(["-CONT", &pid]).status().unwrap();
    session.wait_for("PERSPECTIVES");
    session.press("q");
    assert_eq!(leaves(&session.ends()), 2, "once for the suspension, once for the end");
}

#[test]
fn writes_live_and_cancels_with_the_real_model() {
    if let Err(reason) = crate::models::smollm2() {
        eprintln!("skipped: {reason}");
        return;
    }
    let mut session = Session::start(&["--theme", "dark", "--forget", "--seed", "7"]);
    // The item can be written about once it has been read: then its traces show their lengths.
    session.wait_for(" tokens");
    session.press("3");
    session.press("\u{1b}[C");
    // Another sample of zero-shot CoT on the first item.
    session.press("w");
    session.wait_until("the first tokens", |s| s.contains("writing…") || s.contains("tok/s"));
    session.press("x");
    session.wait_until("the cancelled text is kept", |s| {
        s.contains("cancelled") || s.contains("1 of 1 written")
    });
    session.press("q");
    assert_eq!(leaves(&session.ends()), 1);
}
