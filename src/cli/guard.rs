//! `pluriscope train guard`: trains the embedded safety classifier, measures it, writes weights and card.

mod card;

use super::common::misuse;
use crate::{
    config::Config,
    core::safety::fit::{Example, Options, Part, Set, figures, fit, neutral},
    runtime::open::bundled_folder,
    store::moderation,
};
use clap::Args;
use color_eyre::eyre::{Result, WrapErr};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Train the embedded safety classifier from labelled texts
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope train guard --data ../shared/data -o assets/safety --json

The folder holds openai_moderation/samples-1680.jsonl.gz and davidson/labeled_data.csv, itself or in `safety`.
opinionqa/steerable_small.json and vk/steerable_small.json, where they are there, are measured on and never
trained on. The same data and options give the same weights, byte by byte.

Exit status: 0 done, 1 the files could not be read or written, 2 misuse.")]
pub struct GuardArgs {
    /// Folder with the labelled texts
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Items whose texts count as ordinary (JSON Lines, repeatable); the bundled corpus without it
    #[arg(long, value_name = "FILE")]
    pub items: Vec<PathBuf>,
    /// Folder for classifier.bin and card.md
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// Share of ordinary texts that the thresholds let be flagged
    #[arg(long, value_name = "RATE", default_value_t = Options::default().false_positive_rate)]
    pub false_positives: f64,
    /// The same for clean texts that were collected for being close to the line
    #[arg(long, value_name = "RATE", default_value_t = Options::default().hard_rate)]
    pub hard_false_positives: f64,
    /// Passes over the texts
    #[arg(long, value_name = "N", default_value_t = Options::default().epochs)]
    pub epochs: usize,
    /// Seed of the order
    #[arg(long, value_name = "N", default_value_t = Options::default().seed)]
    pub seed: u64,
    /// Report in JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    out: &'a Path,
    version: &'a str,
    bytes: usize,
    texts: Vec<card::Count>,
    bad_rows: usize,
    seconds: f64,
    figures: &'a figures::Figures,
}

/// Trains, measures and writes.
pub fn run(args: GuardArgs, config: &Config) -> Result<ExitCode> {
    for rate in [args.false_positives, args.hard_false_positives] {
        if !(0.0..=0.5).contains(&rate) {
            return misuse(format!("a false-positive rate of {rate}: it must lie between 0 and 0.5"));
        }
    }
    let Some(folder) = [args.data.clone(), args.data.join("safety")]
        .into_iter()
        .find(|f| f.join(moderation::MODERATION_FILE).is_file() && f.join(moderation::TWEETS_FILE).is_file())
    else {
        let (a, b) = (moderation::MODERATION_FILE, moderation::TWEETS_FILE);
        return misuse(format!("{}: neither it nor `safety` in it has {a} and {b}", args.data.display()));
    };
    let started = std::time::Instant::now();
    let (examples, bad_rows) = read(&folder, &args.items, config)?;
    let options = Options {
        false_positive_rate: args.false_positives,
        hard_rate: args.hard_false_positives,
        epochs: args.epochs.max(1),
        seed: args.seed,
        ..Options::default()
    };
    let loud = std::io::stderr().is_terminal();
    let fitted = fit(&examples, &options, &mut |line| {
        if loud {
            eprintln!("{line}");
        }
    });
    let others = unlabelled(&args.data)?;
    let figures = figures::figures(&examples, &fitted, &others);
    let counts = card::counts(&examples);
    let bytes = fitted.classifier.to_bytes();
    std::fs::create_dir_all(&args.out).wrap_err_with(|| format!("cannot make {}", args.out.display()))?;
    write(&args.out.join("classifier.bin"), &bytes)?;
    write(&args.out.join("card.md"), card::card(&fitted.classifier, &options, &counts, &figures).as_bytes())?;
    let report = Report {
        out: &args.out,
        version: fitted.classifier.version(),
        bytes: bytes.len(),
        texts: counts,
        bad_rows,
        seconds: started.elapsed().as_secs_f64(),
        figures: &figures,
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        eprintln!("wrote {} and card.md ({} bad rows)", args.out.join("classifier.bin").display(), bad_rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, path))
        .wrap_err_with(|| format!("cannot write {}", path.display()))
}

/// All texts, and how many rows could not be read.
fn read(folder: &Path, items: &[PathBuf], config: &Config) -> Result<(Vec<Example>, usize)> {
    let mut out = moderation::moderation_set(&folder.join(moderation::MODERATION_FILE))?;
    let mut add = |more: moderation::Read| {
        out.examples.extend(more.examples);
        out.bad += more.bad;
    };
    add(moderation::tweets(&folder.join(moderation::TWEETS_FILE))?);
    if items.is_empty() {
        let bundled = bundled_folder(config)?;
        for file in ["values.jsonl", "survey.jsonl"] {
            add(moderation::ordinary(&bundled.join(file))?);
        }
    }
    for file in items {
        add(moderation::ordinary(file)?);
    }
    add(moderation::Read { examples: neutral::sentences(), bad: 0 });
    Ok((out.examples, out.bad))
}

/// Questions and situations to measure on, where they are at hand; each text once.
fn unlabelled(data: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let mut out = Vec::new();
    for (name, file, field) in [
        ("opinionqa questions", "opinionqa/steerable_small.json", "question"),
        ("vk situations", "vk/steerable_small.json", "situation"),
    ] {
        let path = data.join(file);
        if !path.is_file() {
            continue;
        }
        let text =
            std::fs::read_to_string(&path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text)
            .wrap_err_with(|| format!("{} is not a JSON array", path.display()))?;
        let texts: BTreeSet<String> =
            rows.iter().filter_map(|row| row.get(field)?.as_str()).map(str::to_owned).collect();
        out.push((name.to_owned(), texts.into_iter().collect()));
    }
    Ok(out)
}

/// The parts in the order of the card.
const PARTS: [(Part, &str); 3] =
    [(Part::Train, "training"), (Part::Calibration, "thresholds"), (Part::HeldOut, "held out")];

/// The sets in the order of the card.
const SETS: [Set; 3] = Set::ALL;
