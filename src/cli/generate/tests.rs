//! Generate and replay with the tiny model: resuming, what a line holds, what a changed token says.

use super::*;
use crate::{
    cli::replay::{Outcome, collect, replay},
    config::{BaseDirs, ConfigArgs},
    core::{Perspective, Trace},
    engine::tiny::TinyProvider,
};
use std::{fs, path::Path, sync::atomic::AtomicBool};

struct Place {
    folder: tempfile::TempDir,
    config: Config,
    assets: Assets,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let dir = |name: &str| folder.path().join(name);
    let base = BaseDirs { config: dir("c"), data: dir("d"), cache: dir("k") };
    let args = ConfigArgs { model: Some("tiny".to_owned()), ..ConfigArgs::default() };
    let config = Config::from_parts(&args, |_| None, &base).unwrap();
    Place { config, assets: Assets::load(None, None).unwrap(), folder }
}

fn items() -> Vec<Arc<Item>> {
    ["Reading a diary", "Keeping a promise", "Telling a lie"]
        .iter()
        .flat_map(|text| {
            ["Right to privacy", "Honesty"].map(|p| Arc::new(Item::value("vk", Perspective::named(p), text)))
        })
        .collect()
}

fn args(out: &Path) -> GenerateArgs {
    GenerateArgs {
        items: Vec::new(),
        format: None,
        methods: vec!["zero-shot-cot".to_owned(), "zero-shot-direct".to_owned(), "human-cot".to_owned()],
        split: None,
        limit: None,
        samples: 2,
        seed: 7,
        batch: 4,
        option_probabilities: None,
        adapter: Vec::new(),
        out: Some(out.to_owned()),
        json: false,
        sampling: SamplingArgs { max_tokens: Some(20), ..SamplingArgs::default() },
    }
}

/// As `run`, with the tiny model.
fn generate(place: &Place, args: &GenerateArgs, interrupted: bool) -> Report {
    let mut report = Report::default();
    let methods = place.assets.choose(&args.methods).unwrap();
    let columns = columns(args, &place.config, &place.assets, &methods).unwrap();
    let mut output = Output::open(args.out.as_deref()).unwrap();
    let rows = plan(args, &items(), &columns, &output, &mut report).unwrap().unwrap();
    let options = EngineOptions { max_rows: usize::from(args.batch), ..EngineOptions::default() };
    let interrupted = Arc::new(AtomicBool::new(interrupted));
    let probabilities = args.option_probabilities;
    Run { provider: TinyProvider::default(), options, interrupted, probabilities, quiet: true }
        .write(rows, &mut output, &mut report)
        .unwrap();
    report
}

/// The lines of a file in an order of their own, without the times.
fn lines(path: &Path) -> Vec<String> {
    let mut lines: Vec<String> = fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| {
            let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            fields.shift_remove("timing").unwrap();
            serde_json::to_string(&fields).unwrap()
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn every_applicable_pair_is_written_once_and_the_batch_changes_nothing() {
    let place = place();
    let out = place.folder.path().join("traces.jsonl");
    let report = generate(&place, &args(&out), false);
    assert_eq!((report.rows, report.written, report.failed), (24, 24, 0));
    assert_eq!(report.without_adapter.get("human-cot"), Some(&12));
    let alone = place.folder.path().join("alone.jsonl");
    generate(&place, &GenerateArgs { batch: 1, ..args(&alone) }, false);
    assert_eq!(lines(&out), lines(&alone));
    // A line stands alone: item and trace fields side by side.
    let first: Trace =
        serde_json::from_str(fs::read_to_string(&out).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(first.extra["text"], "Reading a diary");
    assert_eq!((first.model.as_str(), first.tokens.len() <= 20), ("tiny", true));
}

#[test]
fn a_resumed_run_writes_no_row_twice_and_mends_the_last_line() {
    let place = place();
    let out = place.folder.path().join("traces.jsonl");
    generate(&place, &args(&out), false);
    let whole = lines(&out);
    let text = fs::read_to_string(&out).unwrap();
    let half = text.lines().take(9).map(str::len).sum::<usize>() + 9 + 40;
    for cut in [half, half - 40, half - 41, 0] {
        // Killed in the middle of a line, after one, between a line and its end, before any.
        fs::write(&out, &text[..cut]).unwrap();
        let report = generate(&place, &args(&out), false);
        assert_eq!(report.already + report.written, 24, "cut at {cut}");
        assert_eq!(lines(&out), whole, "cut at {cut}");
    }
    assert_eq!(generate(&place, &args(&out), false).already, 24);
}

#[test]
fn other_seeds_and_models_are_other_rows() {
    let place = place();
    let out = place.folder.path().join("traces.jsonl");
    generate(&place, &args(&out), false);
    assert_eq!(generate(&place, &GenerateArgs { seed: 8, ..args(&out) }, false).written, 24);
    assert_eq!(generate(&place, &GenerateArgs { samples: 3, ..args(&out) }, false).written, 12);
}

#[test]
fn an_interrupted_run_leaves_whole_lines_only() {
    let place = place();
    let out = place.folder.path().join("traces.jsonl");
    let report = generate(&place, &args(&out), true);
    assert_eq!(report.written, 0);
    assert_eq!(generate(&place, &args(&out), false).written, 24);
}

/// The fields of each line by item, method and sample.
fn by_row(path: &Path) -> BTreeMap<String, serde_json::Map<String, serde_json::Value>> {
    let text = fs::read_to_string(path).unwrap();
    let fields = text.lines().map(|l| serde_json::from_str::<serde_json::Map<_, _>>(l).unwrap());
    fields.map(|f| (format!("{} {} {}", f["item_id"], f["method"], f["sample"]), f)).collect()
}

#[test]
fn option_probabilities_stand_beside_the_same_traces() {
    let place = place();
    let (plain, scored) = (place.folder.path().join("plain.jsonl"), place.folder.path().join("scored.jsonl"));
    generate(&place, &args(&plain), false);
    let asked = GenerateArgs { option_probabilities: Some(Scoring::Letters), ..args(&scored) };
    let report = generate(&place, &asked, false);
    assert_eq!((report.written, report.unscored, report.failed), (24, 0, 0));
    let (plain, mut scored) = (by_row(&plain), by_row(&scored));
    for (row, fields) in &mut scored {
        let probabilities = fields.shift_remove("option_probabilities").unwrap();
        let how = fields.shift_remove("option_scoring").unwrap();
        let p: Vec<f64> = probabilities.as_object().unwrap().values().map(|p| p.as_f64().unwrap()).collect();
        assert_eq!(probabilities.as_object().unwrap().keys().collect::<Vec<_>>(), ["A", "B", "C"]);
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9 && p.iter().all(|p| *p > 0.0), "{row}: {p:?}");
        assert!(how["by"] == "letters" && (0.0..=1.0).contains(&how["off"].as_f64().unwrap()), "{how}");
        fields.shift_remove("timing");
        let mut same = plain[row].clone();
        same.shift_remove("timing");
        assert_eq!(*fields, same, "{row}: the sampled trace is another");
    }
    // Stopped before anything was scored, no half row is left, and the run goes on.
    let stopped = place.folder.path().join("stopped.jsonl");
    let asked = GenerateArgs { option_probabilities: Some(Scoring::Words), ..args(&stopped) };
    assert_eq!(generate(&place, &asked, true).written, 0);
    assert_eq!(generate(&place, &asked, false).written, 24);
    assert!(by_row(&stopped).values().all(|f| f["option_scoring"]["by"] == "words"));
}

#[test]
fn two_runs_do_not_write_to_one_file() {
    let place = place();
    let out = place.folder.path().join("traces.jsonl");
    let first = Output::open(Some(&out)).unwrap();
    let second = Output::open(Some(&out)).err().unwrap().to_string();
    assert!(second.contains("another run"), "{second}");
    drop(first);
}

#[test]
fn replay_proves_every_token_and_finds_a_changed_one() {
    let place = place();
    let out = place.folder.path().join("traces.jsonl");
    generate(&place, &args(&out), false);
    let collected =
        |path: &Path| collect(&[path.to_owned()], &place.assets, &place.config, None, usize::MAX).unwrap();
    let replayed = replay(collected(&out).stored, TinyProvider::default()).unwrap();
    assert_eq!(replayed.len(), 24);
    assert!(
        replayed.iter().all(|r| matches!(r.outcome, Outcome::Same { tokens } if tokens > 0)),
        "{replayed:?}"
    );
    // One token of the fifth line is changed, the template of the sixth is another.
    let changed: Vec<String> = fs::read_to_string(&out)
        .unwrap()
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            if i == 4 {
                fields["tokens"][2] = 1.into();
            }
            if i == 5 {
                fields["template"]["hash"] = "0".into();
            }
            serde_json::to_string(&fields).unwrap()
        })
        .collect();
    fs::write(&out, changed.join("\n")).unwrap();
    let collected = collected(&out);
    assert!(
        matches!(&collected.replayed[0].outcome, Outcome::Failed { problem } if problem.contains("has changed"))
    );
    let replayed = replay(collected.stored, TinyProvider::default()).unwrap();
    let differing: Vec<_> = replayed.iter().filter(|r| !matches!(r.outcome, Outcome::Same { .. })).collect();
    assert_eq!(differing.len(), 1);
    assert!(differing[0].place.ends_with("traces.jsonl:5"));
    assert!(matches!(differing[0].outcome, Outcome::Differs { index: 2, stored: Some(1), now: Some(_), .. }));
}
