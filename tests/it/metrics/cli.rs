//! `pluriscope eval` as a program: every format, the filter, published scoring, exit codes.

use super::data::real;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

fn eval(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pluriscope"))
        .arg("eval")
        .args(words)
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .output()
        .unwrap()
}

/// Twenty situations under two perspectives, in the study's own result format.
fn results(folder: &Path) {
    let mut lines = String::new();
    for s in 0..20 {
        for (p, name) in ["Right to privacy", "Honesty"].iter().enumerate() {
            let gold = ["A", "B", "C"][(s + p) % 3];
            let output = match (s * 3 + p) % 5 {
                0 => "I cannot say.".to_owned(),
                1 => "Because.\nAnswer: A".to_owned(),
                _ => format!("Because.\nAnswer: {gold}"),
            };
            let row = serde_json::json!({
                "dataset": "vk", "perspective": name, "text": format!("situation {s} <&>"), "gold": gold,
                "method": "rlvr", "llm_output": output,
            });
            lines.push_str(&format!("{row}\n"));
        }
    }
    std::fs::write(folder.join("traces.jsonl"), lines).unwrap();
}

#[test]
fn every_format_holds_the_numbers_and_how_to_make_them_again() {
    let folder = tempfile::tempdir().unwrap();
    results(folder.path());
    let output = eval(folder.path(), &["traces.jsonl", "--json", "--seed", "7", "--bootstrap", "100"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let score = &json["report"]["sets"][0]["methods"][0];
    assert_eq!((score["n"].as_u64(), score["invalid"].as_u64()), (Some(40), Some(8)));
    assert!(score["accuracy"]["interval"]["low"].is_number());
    assert_eq!(json["provenance"]["files"][0]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(json["provenance"]["command"], "pluriscope eval traces.jsonl --json --seed 7 --bootstrap 100");
    for (format, sign) in [
        ("text", "perspective-blind oracle"),
        ("csv", "table,row,column"),
        ("md", "| method |"),
        ("latex", r"\begin{tabular}"),
        ("html", "<svg"),
    ] {
        let output = eval(folder.path(), &["traces.jsonl", "--format", format, "--bootstrap", "100"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(sign), "{format}: {text}");
        assert!(output.status.success());
        if format == "html" {
            assert!(
                !text.contains("http://")
                    || text.matches("http://").count() == text.matches("http://www.w3.org/2000/svg").count()
            );
            assert!(!text.contains("<script") && !text.contains("src="));
        }
    }
}

#[test]
fn the_filter_and_published_scoring_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    results(folder.path());
    let words = [
        "traces.jsonl",
        "--json",
        "--where",
        "perspective:honesty",
        "--compat",
        "study",
        "--bootstrap",
        "20",
    ];
    let output = eval(folder.path(), &words);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let set = &json["report"]["sets"][0];
    assert_eq!(
        (json["report"]["filter"].as_str(), set["items"].as_u64()),
        (Some("perspective:honesty"), Some(20))
    );
    // Unreadable answers count as A there, and as wrong here.
    let (ours, theirs) = (&set["methods"][0]["accuracy"]["value"], &set["compat"][0]["scores"]["accuracy"]);
    assert!(theirs.as_f64().unwrap() >= ours.as_f64().unwrap());
}

#[test]
fn repeated_samples_are_counted_as_asked_and_the_report_says_how() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for s in 0..10 {
        for (sample, answer) in ["B", "A", "A", "C"].iter().enumerate() {
            let row = serde_json::json!({
                "dataset": "vk", "perspective": "Honesty", "text": format!("situation {s}"), "gold": "A",
                "method": "rlvr", "llm_output": format!("Because.\nAnswer: {answer}"), "sample": sample,
            });
            lines.push_str(&format!("{row}\n"));
        }
    }
    std::fs::write(folder.path().join("traces.jsonl"), lines).unwrap();
    for (samples, accuracy, says) in [
        ("first", 0.0, "the first of each method on an item counts"),
        ("majority", 1.0, "the answer that most samples"),
        ("mean", 0.5, "every sample counts, averaged within its item"),
    ] {
        let words = ["traces.jsonl", "--bootstrap", "20", "--samples", samples];
        let output = eval(folder.path(), &[&words[..], &["--json"]].concat());
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let set = &json["report"]["sets"][0];
        assert_eq!(set["methods"][0]["accuracy"]["value"].as_f64(), Some(accuracy), "{samples}");
        assert_eq!((set["samples"].as_str(), set["further_samples"].as_u64()), (Some(samples), Some(30)));
        assert_eq!(set["methods"][0]["n"].as_u64(), Some(10));
        let text = String::from_utf8(eval(folder.path(), &words).stdout).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(says) && text.contains("30 samples are past the first"), "{text}");
    }
}

#[test]
fn mistakes_have_their_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    results(folder.path());
    for (words, code, sign) in [
        (vec!["traces.jsonl", "--where", "colour:red"], 2, "there is no field"),
        (vec!["traces.jsonl", "--samples", "100"], 2, "no way to count repeated samples"),
        (vec!["traces.jsonl", "--format", "pdf"], 2, "there are text, html"),
        (vec!["no-such-file.jsonl"], 2, "no-such-file.jsonl"),
        (vec!["traces.jsonl", "--methods", "sft"], 2, "no trace is of `sft`"),
        (vec!["traces.jsonl", "--where", "kind:duty"], 1, "nothing to measure"),
    ] {
        let output = eval(folder.path(), &words);
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(sign), "{words:?}");
    }
}

#[test]
fn the_study_s_logs_give_its_known_numbers() {
    let Some(logs) = real("tfevents") else { return };
    let folder = tempfile::tempdir().unwrap();
    results(folder.path());
    let output = eval(
        folder.path(),
        &["traces.jsonl", "--json", "--bootstrap", "20", "--logs", &logs.to_string_lossy()],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let curves = json["report"]["curves"].as_array().unwrap();
    for (run, first, released, best) in [
        ("llama3_vk", 0.5659, (650, 0.8242), 0.8262),
        ("qwen2p5_vk", 0.6738, (660, 0.8135), 0.8218),
        ("llama3_opinionqa", 0.5249, (300, 0.7261), 0.7261),
        ("qwen2p5_opinionqa", 0.4985, (300, 0.6909), 0.6982),
    ] {
        let curve = curves.iter().find(|c| c["run"] == run).unwrap_or_else(|| panic!("{run}: {curves:?}"));
        let points: Vec<(i64, f64)> = serde_json::from_value(curve["points"].clone()).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 5e-5;
        assert!(near(points[0].1, first), "{run}: {points:?}");
        assert!(points.iter().any(|p| p.0 == released.0 && near(p.1, released.1)), "{run}: {points:?}");
        assert!(near(points.iter().map(|p| p.1).fold(0.0, f64::max), best), "{run}: {points:?}");
    }
}
