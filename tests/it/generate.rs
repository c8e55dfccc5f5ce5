//! `generate` and `replay` with a real model: batches, a killed run, a changed token.

use super::models;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

struct Place {
    folder: tempfile::TempDir,
    models: PathBuf,
}

impl Place {
    /// A home of its own with a few items; `None`, with a word, where SmolLM2 cannot be had.
    fn new() -> Option<Place> {
        let models = match models::smollm2() {
            Ok(models) => models,
            Err(reason) => {
                println!("skipped: {reason}");
                return None;
            }
        };
        let place = Place { folder: tempfile::tempdir().unwrap(), models };
        let texts = ["Reading a partner's diary", "Keeping a promise to a rival", "Feeding a stray dog"];
        let items: Vec<String> = texts
            .iter()
            .flat_map(|text| {
                ["Right to privacy", "Honesty"]
                    .map(|p| format!("{{\"situation\": \"{text}\", \"vrd\": \"{p}\", \"label\": \"A\"}}"))
            })
            .collect();
        fs::write(place.path("items.json"), format!("[{}]", items.join(","))).unwrap();
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pluriscope"));
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .env("PLURISCOPE_MODELS", &self.models)
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn generate(&self, out: &str, more: &[&str]) -> Vec<String> {
        let mut all =
            vec!["generate", "--items", "items.json", "--methods", "zero-shot-cot", "--seed", "7", "-o", out];
        all.extend(["--max-tokens", "12"]);
        all.extend(more);
        all.into_iter().map(str::to_owned).collect()
    }
}

fn strs(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

/// What the lines of a file say, whatever their order and their times.
fn lines(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            fields.shift_remove("timing");
            serde_json::to_string(&fields).unwrap()
        })
        .collect();
    let set: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(set.len(), lines.len(), "a line is there twice");
    set
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn four_rows_together_equal_four_alone_and_replay_proves_it() {
    let Some(place) = Place::new() else { return };
    let together = place.run(&strs(&place.generate("together.jsonl", &["--limit", "4", "--json"])));
    assert!(together.status.success(), "{}", text(&together));
    let report: serde_json::Value = serde_json::from_slice(&together.stdout).unwrap();
    assert_eq!((report["written"].as_u64(), report["failed"].as_u64()), (Some(4), Some(0)));
    let alone = place.run(&strs(&place.generate("alone.jsonl", &["--limit", "4", "--batch", "1"])));
    assert!(alone.status.success(), "{}", text(&alone));
    assert_eq!(lines(&place.path("together.jsonl")), lines(&place.path("alone.jsonl")));
    let replayed = place.run(&["replay", "together.jsonl"]);
    assert!(replayed.status.success(), "{}", text(&replayed));
    assert!(text(&replayed).contains("4 of 4 traces are the same"), "{}", text(&replayed));
    let mut changed: serde_json::Value =
        serde_json::from_str(fs::read_to_string(place.path("alone.jsonl")).unwrap().lines().next().unwrap())
            .unwrap();
    changed["tokens"][3] = 1000.into();
    fs::write(place.path("changed.jsonl"), changed.to_string()).unwrap();
    let replayed = place.run(&["replay", "changed.jsonl"]);
    assert_eq!(replayed.status.code(), Some(1));
    assert!(text(&replayed).contains("token 3 differs: stored \""), "{}", text(&replayed));
}

#[test]
fn a_killed_run_goes_on_without_duplicates() {
    let Some(place) = Place::new() else { return };
    let arguments = place.generate("killed.jsonl", &["--batch", "2", "--samples", "2"]);
    let mut child = place.command(&strs(&arguments)).spawn().unwrap();
    let whole = |path: &Path| fs::read_to_string(path).unwrap_or_default().matches('\n').count();
    let begun = Instant::now();
    while whole(&place.path("killed.jsonl")) < 3 && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(300), "no line is written");
        std::thread::sleep(Duration::from_millis(5));
    }
    // SIGKILL: nothing is tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = place.run(&strs(&arguments));
    assert!(resumed.status.success(), "{}", text(&resumed));
    assert!(text(&resumed).contains("are in the file already"), "{}", text(&resumed));
    assert_eq!(lines(&place.path("killed.jsonl")).len(), 12);
}

#[test]
fn misuse_is_exit_code_2_and_says_what_would_do() {
    let place = Place { folder: tempfile::tempdir().unwrap(), models: PathBuf::from("none") };
    fs::write(place.path("items.json"), "[{\"situation\": \"a\", \"vrd\": \"Honesty\", \"label\": \"A\"}]")
        .unwrap();
    for (more, words) in [
        (&["--methods", "nope"][..], "known are zero-shot-direct"),
        (
            &["--methods", "rlvr", "--model", "smollm2-135m-full"],
            "train it, or name one with --adapter rlvr=FOLDER",
        ),
        (&["--methods", "zero-shot-cot", "--top-p", "2"], "top_p 2"),
        (&["--methods", "zero-shot-cot", "--split", "test"], "no items of split `test`"),
    ] {
        let output = place.run(&[&["generate", "--items", "items.json", "-o", "out.jsonl"], more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(words), "{}", text(&output));
    }
    let missing =
        place.run(&["generate", "--items", "items.json", "--methods", "zero-shot-cot", "-o", "out.jsonl"]);
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing));
    assert!(text(&missing).contains("pluriscope models fetch smollm2-135m"), "{}", text(&missing));
    assert_eq!(place.run(&["replay", "items.json"]).status.code(), Some(2));
}

/// Half a dozen lines of the bundled corpus: one item, every method, every shipped adapter.
#[test]
fn what_the_shipped_adapters_wrote_is_written_again() {
    let Some(place) = Place::new() else { return };
    // Other instruction sets add in another order: there a token may differ, and no test can tell why.
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx512vnni") {
        println!("skipped: the bundled traces were written with AVX-512");
        return;
    }
    let bundled =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/traces.jsonl")).unwrap();
    let first: Vec<&str> = bundled.lines().take(6).collect();
    for method in ["sft", "human-cot", "synthetic-cot", "rlvr"] {
        assert!(
            first.iter().any(|l| l.contains(&format!("\"adapter\":\"{method}\""))),
            "{method} among them"
        );
    }
    fs::write(place.path("bundled.jsonl"), first.join("\n")).unwrap();
    let replayed = place.run(&["replay", "bundled.jsonl"]);
    assert!(text(&replayed).contains("6 of 6 traces are the same"), "{}", text(&replayed));
}

/// The lines of a file as JSON.
fn json_lines(path: &Path) -> Vec<serde_json::Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn option_probabilities_are_those_of_the_probability_trace_and_reach_the_report() {
    let Some(place) = Place::new() else { return };
    let survey = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/survey.jsonl");
    let lines: Vec<String> =
        fs::read_to_string(survey).unwrap().lines().step_by(80).take(5).map(str::to_owned).collect();
    fs::write(place.path("survey.jsonl"), lines.join("\n")).unwrap();
    let words = ["generate", "--items", "survey.jsonl", "--methods", "zero-shot-cot", "--seed", "7"];
    let more = ["--max-tokens", "40", "--option-probabilities=words", "-o", "traces.jsonl"];
    let written = place.run(&[&words[..], &more[..]].concat());
    assert!(written.status.success(), "{}", text(&written));
    let traces = json_lines(&place.path("traces.jsonl"));
    assert_eq!(traces.len(), 5);
    for trace in &traces {
        let options = trace["options"].as_array().unwrap();
        let found = trace["option_probabilities"].as_object().unwrap();
        let sum: f64 = found.values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-9 && found.len() == options.len(), "{found:?}");
        assert_eq!(trace["option_scoring"]["by"], "words");
    }
    // Early answering scores the same position again, after its last step, and needs no recorded answer.
    let words_asked = ["check", "traces.jsonl", "--checks", "early-answering", "--score", "words"];
    let checked = place.run(&[&words_asked[..], &["-o", "checks.jsonl"]].concat());
    assert!(checked.status.success(), "{}", text(&checked));
    let mut compared = 0;
    for record in json_lines(&place.path("checks.jsonl")) {
        let Some(last) = record["verdict"]["curve"].as_array().and_then(|c| c.last()?.as_f64()) else {
            continue;
        };
        let trace = traces.iter().find(|t| t["item_id"] == record["item_id"]).unwrap();
        let own = trace["option_probabilities"].as_object().unwrap();
        let best = own.values().map(|p| p.as_f64().unwrap()).fold(0.0, f64::max);
        assert!((best - last).abs() < 1e-4, "{own:?} against {last}");
        compared += 1;
    }
    assert_eq!(compared, 5);
    let measured = place.run(&["eval", "traces.jsonl", "--json", "--bootstrap", "50"]);
    assert!(measured.status.success(), "{}", text(&measured));
    let report: serde_json::Value = serde_json::from_slice(&measured.stdout).unwrap();
    let score = &report["report"]["sets"][0]["distributions"][0];
    assert_eq!(score["n"].as_u64(), Some(5));
    let distance = score["distance"]["value"].as_f64().unwrap();
    assert!(distance > 0.0 && distance < 2f64.ln().sqrt(), "{distance}");
    assert!(!score["groups"].as_array().unwrap().is_empty());
    // The sampled traces are those that come without being asked.
    let more = ["--max-tokens", "40", "-o", "plain.jsonl"];
    assert!(place.run(&[&words[..], &more[..]].concat()).status.success());
    let outputs = |name: &str| -> BTreeSet<(String, String)> {
        let of = |line: &serde_json::Value, field: &str| line[field].as_str().unwrap().to_owned();
        json_lines(&place.path(name)).iter().map(|l| (of(l, "item_id"), of(l, "llm_output"))).collect()
    };
    assert_eq!(outputs("traces.jsonl"), outputs("plain.jsonl"));
}
