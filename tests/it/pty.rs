//! The binary in a real pseudo-terminal: starts, explores, writes live, cancels, is suspended, leaves.

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Far longer than anything takes: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(90);

struct Session {
    parser: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
    _home: tempfile::TempDir,
}

impl Session {
    fn start(args: &[&str]) -> Session {
        let home = tempfile::tempdir().unwrap();
        let pair = native_pty_system()
            .openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 })
            .unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pluriscope"));
        command.args(args);
        for (name, folder) in
            [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_CACHE_HOME", "cache")]
        {
            command.env(name, home.path().join(folder));
        }
        command.env("PLURISCOPE_MODELS", crate::models::folder());
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command).unwrap();
        let parser = Arc::new(Mutex::new(vt100::Parser::new(40, 120, 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sink, bytes) = (Arc::clone(&parser), Arc::clone(&raw));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 {
                    break;
                }
                bytes.lock().unwrap().extend_from_slice(&buffer[..n]);
                sink.lock().unwrap().process(&buffer[..n]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Session { parser, raw, writer, child, _master: pair.master, _home: home }
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
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "still running on\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status:?}");
        std::thread::sleep(Duration::from_millis(50));
        assert!(!self.parser.lock().unwrap().screen().alternate_screen(), "the alternate screen was left");
        let raw = self.raw.lock().unwrap().clone();
        String::from_utf8_lossy(&raw).into_owned()
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
fn it_can_be_suspended_and_continued() {
    let mut session = Session::start(&["--theme", "dark", "--forget"]);
    session.wait_for("values");
    session.press("\u{1a}");
    let start = Instant::now();
    while leaves(&String::from_utf8_lossy(&session.raw.lock().unwrap())) == 0 {
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
