//! Opens a corpus of a million traces: first rows, whole index, saved index, queries, memory.
//!
//! `cargo bench --bench corpus -- [--traces N] [--file PATH]`; a file that is there already is used, a
//! new one is written first. Without `--file` it is a temporary file. Results go into `LOG.md`.

mod generate;

use pluriscope::{
    core::{
        Corpus,
        query::{ItemOrder, Order, Query, evaluate},
    },
    store::{LoadOptions, Source, load},
};
use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Instant,
};

const QUERIES: [&str; 6] = [
    "",
    "flips",
    "method:rlvr=right method:zero-shot-cot=wrong",
    "answer:human-cot=B kind:right split:test",
    "piano storm",
    "method:*=none -agrees samples:>=1",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|a| a == "--bench") {
        println!("run it with `cargo bench --bench corpus`");
        return Ok(());
    }
    let value = |name: &str| {
        arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1)).map(String::as_str)
    };
    let traces: usize = value("--traces").unwrap_or("1000000").parse()?;
    let folder = tempfile::tempdir()?;
    let path = value("--file").map_or_else(|| folder.path().join("corpus.jsonl"), PathBuf::from);
    if !path.exists() {
        let started = Instant::now();
        let mut out = BufWriter::new(File::create(&path)?);
        let bytes = generate::write(traces, &mut out)?;
        out.flush()?;
        println!("written       {} MB in {:.1} s", bytes / 1_000_000, started.elapsed().as_secs_f64());
    }
    let cache = value("--cache").map_or_else(|| folder.path().join("cache"), PathBuf::from);
    let options = LoadOptions { cache_dir: Some(cache.clone()), threads: 0 };
    if value("--cache").is_none() {
        println!("fresh index");
        drop(open(&path, &options)?);
        // The rest runs in a process of its own, so that its memory is its own too.
        let again = std::process::Command::new(std::env::current_exe()?)
            .args(["--bench", "--file"])
            .arg(&path)
            .arg("--cache")
            .arg(&cache)
            .status()?;
        return if again.success() { Ok(()) } else { Err("the second process failed".into()) };
    }
    println!("saved index");
    let (source, corpus) = open(&path, &options)?;
    query(&corpus)?;
    let step = (corpus.trace_count() / 1000).max(1);
    let reads = (0..corpus.trace_count()).step_by(step);
    let count = reads.len();
    let started = Instant::now();
    for ix in reads {
        source.trace(&corpus, pluriscope::core::TraceIx(ix as u32))?;
    }
    println!("one trace     {:.0} µs", started.elapsed().as_secs_f64() * 1e6 / count as f64);
    println!("peak memory   {} MB", memory("VmHWM"));
    Ok(())
}

fn open(path: &Path, options: &LoadOptions) -> Result<(Source, Corpus), Box<dyn Error>> {
    let started = Instant::now();
    let source = Source::open(&[path.to_owned()], None)?;
    let mut first = None;
    let mut updates = 0;
    let corpus = load(&source, options, &AtomicBool::new(false), &mut |update| {
        updates += 1;
        if update.corpus.is_some() {
            first.get_or_insert_with(|| started.elapsed());
        }
    })
    .ok_or("cancelled")?;
    let whole = started.elapsed().as_secs_f64();
    println!("  first rows  {:.1} ms", first.unwrap_or_default().as_secs_f64() * 1e3);
    println!(
        "  whole       {whole:.2} s, {:.0} MB/s, {updates} updates, {} items, {} traces",
        source.len() as f64 / 1e6 / whole,
        corpus.item_count(),
        corpus.trace_count(),
    );
    println!("  memory      {} MB now, {} MB at most", memory("VmRSS"), memory("VmHWM"));
    Ok((source, corpus))
}

fn query(corpus: &Corpus) -> Result<(), Box<dyn Error>> {
    for line in QUERIES {
        let query = Query::parse(line)?;
        for items in [ItemOrder::File, ItemOrder::Disagreement, ItemOrder::Name] {
            let started = Instant::now();
            let order = Order { items, ..Order::default() };
            let found = evaluate(corpus, &query, order, &|_| None, &AtomicBool::new(false));
            let count = found.map_or(0, |selection| selection.items.len());
            let ms = started.elapsed().as_secs_f64() * 1e3;
            println!("query         {ms:.1} ms, {count} items, by {items:?}: {line}");
        }
    }
    Ok(())
}

/// A line of this process's status, in MB; 0 where the system does not tell.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(field));
    let kb = line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kb.unwrap_or(0) / 1000
}
