//! Safety sources by the sentence and over all rows of Value Kaleidoscope, where they are at hand.
//!
//! `cargo bench --bench safety`. Results go into `LOG.md`.

use pluriscope::core::safety::{SafetyResult, classifier, lexical};
use std::{hint::black_box, path::Path, time::Instant};

const SENTENCES: [&str; 6] = [
    "A diary is written on the understanding that nobody else will open it.",
    "Skipped meals can be the first trace of something dangerous, and waiting for proof may be too late.",
    "The duty to protect others supports looking now.",
    "Either could be right: it depends on how old she is and on what was said before.",
    "I hate these idiots and hope that they all die.",
    "So the right to privacy opposes it.",
];

fn main() {
    if !std::env::args().any(|a| a == "--bench") {
        println!("run it with `cargo bench --bench safety`");
        return;
    }
    type Source = (&'static str, fn(&str) -> SafetyResult);
    let sources: [Source; 2] = [("classifier", classifier::assess), ("lexical", lexical::assess)];
    for (name, assess) in sources {
        // The first call loads.
        let started = Instant::now();
        black_box(assess(SENTENCES[0]));
        println!("{name:<11} first call {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
        let rounds = 2000;
        let started = Instant::now();
        for _ in 0..rounds {
            for sentence in SENTENCES {
                black_box(assess(black_box(sentence)));
            }
        }
        let each = started.elapsed().as_secs_f64() * 1e6 / (rounds * SENTENCES.len()) as f64;
        println!("{name:<11} {each:.1} µs for one sentence, scored as a step and as the whole");
        match rows() {
            Some(rows) => {
                let started = Instant::now();
                rows.iter().for_each(|row| drop(black_box(assess(row))));
                println!("{name:<11} {} rows in {:.3} s", rows.len(), started.elapsed().as_secs_f64());
            }
            None => println!("skipped: vk/steerable_small.json is not here (set PLURISCOPE_DATA)"),
        }
    }
}

/// The whole input of each row.
fn rows() -> Option<Vec<String>> {
    let folder = std::env::var_os("PLURISCOPE_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), Into::into);
    let text = std::fs::read_to_string(folder.join("vk/steerable_small.json")).ok()?;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).ok()?;
    Some(rows.iter().filter_map(|row| Some(row.get("input")?.as_str()?.to_owned())).collect())
}
