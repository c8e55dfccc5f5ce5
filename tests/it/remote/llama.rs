//! llama.cpp's own server with SmolLM2: what its replies really are.
//!
//! Runs with PLURISCOPE_LLAMA, an interpreter that has xllamacpp (`.ci/run` brings one); without it nothing is tried.

use super::cli;
use crate::models;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The server, killed when dropped.
struct Llama {
    process: Child,
    reference: String,
}

impl Llama {
    fn start() -> Option<Llama> {
        Llama::start_at("0")
    }

    /// At a port, so that a second one can take the place of a first; 0 is any.
    fn start_at(port: &str) -> Option<Llama> {
        let Some(python) = std::env::var_os("PLURISCOPE_LLAMA") else {
            println!("skipped: PLURISCOPE_LLAMA names no interpreter");
            return None;
        };
        let folder = models::smollm2().unwrap().join("smollm2-135m");
        let model = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
        let model = model.into_iter().find(|p| p.extension().is_some_and(|e| e == "gguf")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/remote/llama.py");
        let mut process = Command::new(python)
            .arg(script)
            .arg(model)
            .arg(port)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let address =
            said.lines().map_while(Result::ok).find(|l| l.starts_with("http://")).expect("the server starts");
        Some(Llama { process, reference: format!("openai:{address}/v1#smollm2") })
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        // It may be dead already: that is what one test is about.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn generate(folder: &Path, model: &str, more: &[&str]) -> (String, Option<i32>) {
    let models = models::folder();
    cli::generate(folder, model, more, &[("PLURISCOPE_MODELS", models.to_str().unwrap())])
}

fn check(folder: &Path, model: &str, checks: &str, to: &str) -> Vec<Value> {
    let args = [
        "check", "t.jsonl", "--checks", checks, "--model", model, "--judge", model, "--score", "letters",
        "-o", to,
    ];
    let models = models::folder();
    let (_, err, code) = cli::run_in(folder, &args, &[("PLURISCOPE_MODELS", models.to_str().unwrap())]);
    assert_eq!(code, Some(0), "{err}");
    cli::rows(&folder.join(to))
}

/// The numbers of the only judged record.
#[track_caller]
fn curve(records: &[Value]) -> Vec<f64> {
    let judged: Vec<_> = records.iter().filter(|r| r["verdict"]["state"] == "judged").collect();
    assert!(!judged.is_empty(), "{records:?}");
    judged
        .iter()
        .flat_map(|r| r["verdict"]["curve"].as_array().unwrap())
        .map(|p| p.as_f64().unwrap())
        .collect()
}

#[test]
fn llama_cpp_writes_scores_and_judges() {
    let Some(server) = Llama::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    cli::items(folder.path());
    let (said, code) = generate(folder.path(), &server.reference, &["--seed", "3", "--max-tokens", "120"]);
    assert_eq!(code, Some(0), "{said}");
    let traces = cli::rows(&folder.path().join("t.jsonl"));
    assert_eq!(traces.len(), 2);
    for trace in &traces {
        assert_eq!(trace["engine"]["name"], "server smollm2");
        assert!(trace["llm_output"].as_str().unwrap().len() > 40, "{trace}");
        let (prompt, written) = (&trace["prompt_tokens"], trace["timing"]["token_ms"].as_array().unwrap());
        assert!(prompt.as_u64().unwrap() > 50 && written.len() > 10, "{trace}");
    }
    // A trace of our own, so that the checks do not depend on what was written.
    let mut own = traces[0].clone();
    own["llm_output"] = "A diary is written for nobody else. Whoever opens it takes what was not offered. \
        So this right would oppose it.\nAnswer: B"
        .into();
    for derived in
        ["cot", "predicted_answer", "answer_rule", "correct", "token_ids", "token_logprobs", "timing"]
    {
        own.as_object_mut().unwrap().remove(derived);
    }
    std::fs::write(folder.path().join("t.jsonl"), own.to_string()).unwrap();
    let theirs = check(folder.path(), &server.reference, "probability-trace,consistency", "theirs.jsonl");
    let ours = check(folder.path(), "smollm2-135m", "probability-trace", "ours.jsonl");
    let only = |records: &[Value]| {
        records.iter().filter(|r| r["check"] == "probability-trace").cloned().collect::<Vec<_>>()
    };
    let (theirs_curve, ours_curve) = (curve(&only(&theirs)), curve(&only(&ours)));
    assert_eq!(theirs_curve.len(), ours_curve.len());
    // Its activations have eight bits, ours sixteen.
    for (p, q) in theirs_curve.iter().zip(&ours_curve) {
        assert!((p - q).abs() < 0.1, "{theirs_curve:?} and {ours_curve:?}");
    }
    let judged = theirs.iter().find(|r| r["check"] == "consistency").unwrap();
    let state = &judged["verdict"]["state"];
    assert!(state == "judged" || judged["verdict"]["reason"] == "judge-unparseable", "{judged}");
    assert_eq!(judged["source"]["judge"], server.reference.as_str());
}

#[test]
fn a_server_that_dies_is_told_and_the_rest_is_written_by_the_next() {
    let Some(mut server) = Llama::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    cli::items(folder.path());
    let first = ["--limit", "1", "--max-tokens", "8"];
    let (said, code) = generate(folder.path(), &server.reference, &first);
    assert_eq!(code, Some(0), "{said}");
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    let begun = Instant::now();
    let (said, code) = generate(folder.path(), &server.reference, &["--max-tokens", "8"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is the server running?"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let kept = cli::rows(&folder.path().join("t.jsonl"));
    assert_eq!(kept.len(), 1);
    let port = server.reference.split([':', '/']).find(|part| part.parse::<u16>().is_ok()).unwrap();
    let _again = Llama::start_at(port).unwrap();
    let (said, code) = generate(folder.path(), &server.reference, &["--max-tokens", "8"]);
    assert_eq!(code, Some(0), "{said}");
    let rows = cli::rows(&folder.path().join("t.jsonl"));
    assert_eq!((rows.len(), &rows[0]), (2, &kept[0]));
}
