//! Hostile files: seeded mutations of small good ones through the parsers of `hostile`, under a limit on memory.

mod samples;

use pluriscope::{
    core::{
        Item, Perspective, Trace,
        annotation::{DEFAULT_RUBRIC, rubric::Rubric},
    },
    hostile::TARGETS,
    store::{
        Library,
        annotations::{NewProject, NewTask, formats::import::ImportOptions},
    },
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::process::Command;

/// Mutations of each sample.
const ROUNDS: usize = 60;
/// Kilobytes that the parsers may have, the program and its threads included.
const MEMORY: u64 = 4_000_000;

/// One to four changes, of the kinds that break parsers.
fn mutated(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..=out.len());
        let len = random.random_range(0..=(out.len() - at).min(40));
        match random.random_range(0..9) {
            0 if at < out.len() => out[at] ^= 1 << random.random_range(0..8),
            1 if at < out.len() => {
                out[at] = [0, 0xff, 0x7f, 0x80, b'"', b'{', b'\n'][random.random_range(0..7)]
            }
            2 => drop(out.drain(at..at + len)),
            3 => {
                let piece = out[at..at + len].to_vec();
                out.splice(at..at, piece.iter().copied().cycle().take(len * random.random_range(1..30)));
            }
            4 => out.truncate(at),
            // Lengths and counts.
            5 if at + 8 <= out.len() => {
                let value = [u64::MAX, 1 << 62, 1 << 40, 1 << 31, 0][random.random_range(0..5)];
                out[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            6 if at + 4 <= out.len() => out[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes()),
            // Depth.
            7 => drop(out.splice(at..at, [b'[', b'{', b'('][random.random_range(0..3)..][..1].repeat(3000))),
            _ => drop(out.splice(at..at, "\u{1b}]52;c;\u{202e}\u{0}../../é".bytes())),
        }
    }
    out
}

/// The run itself, in a process of its own: see the next test.
#[test]
#[ignore = "run by `no_parser_crashes_or_asks_for_too_much`"]
fn the_short_run() {
    let wanted = std::env::var("PLURISCOPE_HOSTILE").unwrap_or_default();
    for (name, target) in TARGETS.iter().filter(|(name, _)| wanted.is_empty() || *name == wanted) {
        for (number, sample) in samples::of(name).into_iter().enumerate() {
            target(&sample);
            for round in 0..ROUNDS {
                let seed = (number * ROUNDS + round) as u64;
                let bytes = mutated(&sample, &mut ChaCha8Rng::seed_from_u64(seed));
                eprintln!("{name} {number} {round}");
                target(&bytes);
            }
        }
    }
}

/// The good files, for the fuzzers to begin with: one folder for each target in the folder that is named.
#[test]
#[ignore = "writes files: PLURISCOPE_CORPUS=fuzz/corpus, see fuzz/run"]
fn samples_for_the_fuzzers() {
    let folder = std::path::PathBuf::from(std::env::var_os("PLURISCOPE_CORPUS").expect("PLURISCOPE_CORPUS"));
    for (name, _) in TARGETS {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        for (number, sample) in samples::of(name).into_iter().enumerate() {
            std::fs::write(folder.join(name).join(format!("sample-{number}")), sample).unwrap();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_parser_crashes_or_asks_for_too_much() {
    let program = std::env::current_exe().unwrap();
    let script =
        format!("ulimit -v {MEMORY}; exec \"$0\" --ignored --exact hostile::the_short_run --nocapture");
    let out = Command::new("sh")
        .args(["-c", &script])
        .arg(&program)
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    let last: Vec<&str> = said.lines().rev().take(12).collect();
    assert!(out.status.success(), "{:?} after (last first)\n{}", out.status, last.join("\n"));
}

#[test]
fn every_target_has_samples_and_a_fuzzer() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let manifest = std::fs::read_to_string(folder.parent().unwrap().join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(!samples::of(name).is_empty(), "{name}");
        let text = std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        assert!(text.contains("pluriscope::hostile::"), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

#[test]
fn model_text_with_escapes_does_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a\u{1b}[31mb.jsonl");
    std::fs::write(&file, samples::escapes()).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_pluriscope"))
        .arg("snapshot")
        .arg(&file)
        .args(["--keys", "<tab><tab>"])
        .env("XDG_CACHE_HOME", folder.path())
        .env("XDG_DATA_HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .output()
        .unwrap();
    let screen = String::from_utf8(out.stdout).unwrap();
    assert!(screen.contains("privacy"), "{screen}");
    assert!(!screen.chars().any(|c| c.is_control() && c != '\n'), "{screen:?}");
}

#[test]
fn the_labels_among_the_samples_are_taken_in() {
    let item = Item::value("x", Perspective::named("Honesty"), "Keeping a found coin");
    let trace = Trace::new(&item, "sft".into(), "It is theirs.\nAnswer: B".to_owned());
    let rubric = Rubric::parse(DEFAULT_RUBRIC).unwrap();
    for (sample, name) in samples::labels().iter().zip(["l.jsonl", "l.csv", "l.json"]) {
        let mut library = Library::in_memory().unwrap();
        let id = library.new_project(&NewProject { name: "x", rubric: &rubric, query: "" }, 1).unwrap();
        library.add_tasks(id, &[NewTask { item: &item, trace: &trace, annotators: Vec::new() }]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), sample).unwrap();
        let options = ImportOptions { annotator: Some("ada".to_owned()), replace: false };
        let project = library.project(None).unwrap();
        let report = library.import_labels(&project, &folder.path().join(name), &options, 2).unwrap();
        assert_eq!((report.labels, report.changed, report.bad.len()), (1, 1, 0), "{name}: {report:?}");
    }
}
