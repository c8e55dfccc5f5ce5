//! `cargo bench --bench screen`: the binary in a pseudo-terminal, over a million traces and with the real model.
//!
//! Prints first frame, usable rows, key-to-frame times while indexing and while writing live, idle CPU, peak memory.

#[path = "generate.rs"]
mod generate;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

struct Run {
    start: Instant,
    first_byte: Arc<Mutex<Option<Duration>>>,
    bytes: Arc<AtomicUsize>,
    parser: Arc<Mutex<vt100::Parser>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Run {
    fn start(args: &[&str], home: &Path) -> Run {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pluriscope"));
        command.args(args);
        command.env("XDG_CACHE_HOME", home);
        command.env("XDG_CONFIG_HOME", home);
        command.env("TERM", "xterm-256color");
        let start = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        let parser = Arc::new(Mutex::new(vt100::Parser::new(40, 120, 0)));
        let first_byte = Arc::new(Mutex::new(None));
        let bytes = Arc::new(AtomicUsize::new(0));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sink, first, count) = (Arc::clone(&parser), Arc::clone(&first_byte), Arc::clone(&bytes));
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                let mut sink = sink.lock().unwrap();
                sink.process(&buffer[..n]);
                let drawn = sink.screen().contents().contains("pluriscope");
                let mut first = first.lock().unwrap();
                if drawn && first.is_none() {
                    *first = Some(start.elapsed());
                }
                count.fetch_add(n, Ordering::SeqCst);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Run { start, first_byte, bytes, parser, writer, child, _master: pair.master }
    }

    fn until(&self, what: &str) -> Duration {
        while !self.parser.lock().unwrap().screen().contents().contains(what) {
            assert!(self.start.elapsed() < Duration::from_secs(180), "waited for {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.start.elapsed()
    }

    /// Milliseconds from a key to the first byte of the frame that answers it.
    fn key(&mut self, keys: &str) -> f64 {
        let before = self.bytes.load(Ordering::SeqCst);
        let at = Instant::now();
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
        while self.bytes.load(Ordering::SeqCst) == before && at.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_micros(100));
        }
        at.elapsed().as_secs_f64() * 1e3
    }

    fn stat(&self, key: &str) -> Option<u64> {
        let pid = self.child.process_id()?;
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = text.lines().find(|l| l.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Processor time so far, in clock ticks (1/100 s).
    fn ticks(&self) -> Option<u64> {
        let pid = self.child.process_id()?;
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after = text.rsplit(") ").next()?;
        let fields: Vec<&str> = after.split(' ').collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    }

    fn quit(mut self) {
        let _ = self.writer.write_all(b"q");
        let _ = self.child.wait();
    }
}

fn percentiles(name: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |p: f64| times[((times.len() - 1) as f64 * p) as usize];
    println!(
        "{name}: median {:.1} ms, p99 {:.1} ms, most {:.1} ms (n = {})",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    );
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("million.jsonl");
    let traces =
        std::env::var("PLURISCOPE_BENCH_TRACES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let mut out = std::io::BufWriter::new(std::fs::File::create(&corpus).unwrap());
    let bytes = generate::write(traces, &mut out).unwrap();
    drop(out);
    println!("corpus: {traces} traces, {:.0} MB", bytes as f64 / 1e6);
    let path = corpus.to_string_lossy().into_owned();
    for name in ["fresh", "saved index"] {
        let mut run = Run::start(&[&path, "--theme", "dark", "--forget"], folder.path());
        let rows = run.until("ITEMS");
        let first = run.first_byte.lock().unwrap().unwrap_or_default();
        println!("{name}: first frame {} ms, first rows {} ms", first.as_millis(), rows.as_millis());
        let keys = (0..200).map(|i| run.key(if i % 20 < 10 { "j" } else { "k" })).collect();
        percentiles(&format!("{name}: key to frame"), keys);
        let start = Instant::now();
        while run.parser.lock().unwrap().screen().contents().contains("indexing") {
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("{name}: indexed {:.1} s after that", start.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_secs(2));
        let before = run.ticks().unwrap_or(0);
        std::thread::sleep(Duration::from_secs(5));
        let used = run.ticks().unwrap_or(0) - before;
        println!(
            "{name}: idle CPU {:.1} %, peak memory {} MB",
            used as f64 / 5.0,
            run.stat("VmHWM").unwrap_or(0) / 1024
        );
        run.quit();
    }
    let mut run = Run::start(&["--theme", "dark", "--forget", "--seed", "7"], folder.path());
    run.until("values");
    run.key("3");
    run.key("\u{1b}[C");
    run.key("w");
    run.until("writing…");
    let keys = (0..150).map(|i| run.key(if i % 20 < 10 { "2j" } else { "2k" })).collect();
    percentiles("while writing live: key to frame", keys);
    println!("while writing live: peak memory {} MB", run.stat("VmHWM").unwrap_or(0) / 1024);
    run.key("x");
    run.quit();
}
