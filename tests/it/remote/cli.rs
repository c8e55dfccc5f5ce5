//! The command line against a server: generate and check, with the key in the environment.

use super::{KEY, server::*};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

fn run(folder: &Path, args: &[&str]) -> (String, String, Option<i32>) {
    run_in(folder, args, &[("HTTP_PROXY", "http://127.0.0.1:9")])
}

/// The program with a key in its environment and nothing of the user's; standard output and error, exit code.
pub fn run_in(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pluriscope"));
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let out = command
        .args(args)
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("PLURISCOPE_API_KEY", KEY)
        .env("OPENAI_API_KEY", "sk-for-another-host")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr), out.status.code())
}

/// The items of [`items`] answered by `model` into `t.jsonl`: what was said, and the exit code.
pub fn generate(
    folder: &Path,
    model: &str,
    more: &[&str],
    environment: &[(&str, &str)],
) -> (String, Option<i32>) {
    let asked = ["generate", "--items", "items.jsonl", "--methods", "zero-shot-cot", "--model", model];
    let args = [&asked[..], &["-o", "t.jsonl"], more].concat();
    let (out, err, code) = run_in(folder, &args, environment);
    (format!("{out}{err}"), code)
}

pub fn items(folder: &Path) {
    let line = |text: &str| {
        json!({ "dataset": "vk", "perspective": { "kind": "right", "name": "Right to privacy" }, "text": text,
                "options": [{ "letter": "A", "text": "support" }, { "letter": "B", "text": "oppose" }], "gold": "B" })
    };
    let lines: Vec<String> = ["Reading a diary", "Opening a letter"].map(|t| line(t).to_string()).to_vec();
    std::fs::write(folder.join("items.jsonl"), lines.join("\n")).unwrap();
}

pub fn rows(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn generate_and_moderate_by_server() {
    let folder = tempfile::tempdir().unwrap();
    items(folder.path());
    let server = Server::of("vllm", |request, _| {
        if request.path == "/v1/moderations" {
            let count = request.body["input"].as_array().unwrap().len();
            let verdict = json!({ "flagged": false, "categories": { "hate": false }, "category_scores": { "hate": 0.125 } });
            return json_reply(&json!({ "model": "omni-moderation", "results": vec![verdict; count] }));
        }
        let model = request.body["model"].as_str().unwrap();
        let part = json!({ "model": model, "choices": [{ "delta": { "content": "It is hers.\nAnswer: B" }, "finish_reason": "stop" }] });
        vec![stream_head(), event(&part), bytes("0\r\n\r\n")]
    });
    let reference = server.reference();
    let generate = [
        "generate",
        "--items",
        "items.jsonl",
        "--methods",
        "zero-shot-cot,human-cot",
        "--model",
        &reference,
        "--seed",
        "3",
        "-o",
        "traces.jsonl",
        "--json",
    ];
    let (out, err, code) = run(folder.path(), &generate);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("\"written\":4"), "{out}");
    // One LoRA name a method, as a server with adapters has them.
    let asked: Vec<_> = server.seen().iter().map(|r| r.body["model"].as_str().unwrap().to_owned()).collect();
    assert_eq!(asked.iter().filter(|m| *m == "human-cot").count(), 2, "{asked:?}");
    assert!(server.seen().iter().all(|r| r.authorization == Some(format!("Bearer {KEY}"))));
    let traces = std::fs::read_to_string(folder.path().join("traces.jsonl")).unwrap();
    assert!(!traces.contains("sk-") && !err.contains("sk-"));
    let judge = format!("openai:{}#omni-moderation-latest", server.url);
    let check =
        ["check", "traces.jsonl", "--checks", "safety-guard", "--judge", &judge, "-o", "checks.jsonl"];
    let (_, err, code) = run(folder.path(), &check);
    assert_eq!(code, Some(0), "{err}");
    let records = rows(&folder.path().join("checks.jsonl"));
    assert_eq!(records.len(), 4);
    assert_eq!(records[0]["verdict"]["word"], json!("not flagged"));
    assert_eq!(records[0]["verdict"]["by"], json!("moderation omni-moderation"));
}

#[test]
fn a_server_that_only_a_file_names_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    items(folder.path());
    let server = Server::of("vllm", |_, _| stream(&["It is hers.\nAnswer: B"]));
    let reference = server.reference();
    let (said, code) = generate(folder.path(), &reference, &[], &[]);
    assert_eq!(code, Some(0), "{said}");
    let before = server.seen().len();
    let args = ["check", "t.jsonl", "--checks", "consistency", "-o", "c.jsonl", "--model", "missing.gguf"];
    run(folder.path(), &args);
    let (_, err, _) =
        run(folder.path(), &["check", "t.jsonl", "--checks", "safety-lexical", "-o", "c.jsonl"]);
    assert!(err.contains("name a server that neither"), "{err}");
    assert_eq!(server.seen().len(), before);
}
