//! A labelling session in a real pseudo-terminal, from start to export, with a kill in the middle.

use super::commands::Home;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Far longer than anything takes: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(90);

struct Desk {
    parser: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Desk {
    fn sit(home: &Home) -> Desk {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pluriscope"));
        command.args(["annotate", "--project", "pilot", "--as", "ada", "--theme", "dark", "--db"]);
        command.arg(home.path("labels.db"));
        for (name, folder) in
            [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_CACHE_HOME", "cache")]
        {
            command.env(name, home.folder.path().join(folder));
        }
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
        Desk { parser, raw, writer, child, _master: pair.master }
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
        let start = Instant::now();
        while !self.screen().contains(what) {
            assert!(start.elapsed() < PATIENCE, "waited for {what:?} on\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn ends(mut self) -> String {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "still running on\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
        let raw = self.raw.lock().unwrap().clone();
        String::from_utf8_lossy(&raw).into_owned()
    }
}

#[test]
fn from_the_first_key_over_a_kill_to_the_export() {
    let home = Home::new();
    home.ok(&["annotations", "init", "pilot", "traces.jsonl", "--annotators", "ada"]);
    let mut desk = Desk::sit(&home);
    desk.wait_for("trace A of 3");
    desk.press("11203\r");
    desk.wait_for("✓ saved · 6 acts");
    desk.press("2");
    desk.wait_for("✓ saved · 7 acts");
    // What the screen has acknowledged is on the disk.
    desk.child.kill().unwrap();
    let raw = desk.ends();
    for secret in ["quux", "zork", "frob", "snarf"] {
        assert!(!raw.contains(secret), "{secret} was sent to the terminal");
    }
    assert!(!raw.contains("\u{1b}]0;") && !raw.contains("\u{1b}]2;"), "no title is set that could leak");
    assert_eq!(home.ok(&["annotations", "history"]).lines().count(), 7);
    let mut desk = Desk::sit(&home);
    desk.wait_for("1 of 6 saved");
    desk.wait_for("▸ The stated value or group");
    // Undo reaches behind the kill.
    desk.press("u");
    desk.wait_for("▸ The rationale implies");
    for saved in 2..=6 {
        desk.press("11203\r");
        desk.wait_for(&format!("{saved} of 6 saved"));
    }
    desk.wait_for("✓ saved");
    desk.press("q");
    let raw = desk.ends();
    assert_eq!(raw.matches("\u{1b}[?1049l").count(), 1, "the terminal was given back");
    home.ok(&["annotations", "export", "--format", "csv", "-o", "labels.csv"]);
    let csv = std::fs::read_to_string(home.path("labels.csv")).unwrap();
    assert_eq!(csv.matches(",ada,false,true,").count(), 6, "{csv}");
}
