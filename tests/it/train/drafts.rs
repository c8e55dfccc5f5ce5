//! Synthetic rationales by the whole command: a server writes and judges, a tiny model learns.

use crate::{
    model::tiny,
    remote::server::{Reply, Request, Server, bytes, delta, event, status, stream, stream_head},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const KEY: &str = "sk-never-on-disk";
/// Passes every gate but the judge's, and does not name the perspective.
const GOOD: &str = "The pages were written for nobody else, and a lock was turned on them. A claim to be left alone opposes reading on.";

/// Text of an item, how the server writes about it, and what it judges.
const SITUATIONS: [(&str, &str); 6] = [
    ("Reading a diary", "Quote: \"a lock\"\nAnswer: B"),
    ("Opening a letter", "Quote: \"a lock\"\nAnswer: A"),
    ("Selling a secret", "I cannot tell."),
    ("Leaving a note", ""),
    ("Locking a gate", ""),
    ("Hiding a card", "Answer: B"),
];

fn asked(request: &Request) -> String {
    let all = request.body["messages"].as_array().unwrap().iter();
    all.map(|m| m["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
}

fn judges(request: &Request) -> bool {
    asked(request).contains("Which option does this reasoning lead to?")
}

/// Writes and judges; breaks its first stream off, refuses to write of one item, and misses the answer of another.
fn answer(request: &Request, before: usize) -> Reply {
    let asked = asked(request);
    if before == 0 {
        return vec![stream_head(), delta("The pages were")];
    }
    let (situation, verdict) = SITUATIONS.iter().find(|(s, _)| asked.contains(s)).unwrap();
    if judges(request) {
        return stream(&[verdict]);
    }
    match *situation {
        "Leaving a note" => {
            let part =
                json!({ "model": "m", "choices": [{ "delta": {}, "finish_reason": "content_filter" }] });
            vec![stream_head(), event(&part), bytes("0\r\n\r\n")]
        }
        "Locking a gate" => stream(&[&GOOD.replace("opposes", "supports")]),
        _ => stream(&[GOOD]),
    }
}

pub(super) struct Place(tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        let base = place.path("base");
        fs::create_dir(&base).unwrap();
        tiny::write(&base, tiny::LLAMA, &tiny::tensors(tiny::LLAMA));
        let line = |(i, (text, _)): (usize, &(&str, &str))| {
            json!({ "dataset": "vk", "perspective": { "kind": "right", "name": "Right to privacy" }, "text": text,
                    "split": if i == 5 { "val" } else { "train" }, "gold": "B",
                    "options": [{ "letter": "A", "text": "support" }, { "letter": "B", "text": "oppose" }] })
            .to_string()
        };
        let lines: Vec<String> = SITUATIONS.iter().enumerate().map(line).collect();
        fs::write(place.path("items.jsonl"), lines.join("\n")).unwrap();
        place
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn train(&self, more: &[&str]) -> Output {
        self.run("synthetic-cot", &[&["-o", "run", "--drafts", "2"], more].concat())
    }

    pub(super) fn run(&self, method: &str, more: &[&str]) -> Output {
        let settings = ["--model", "base", "--epochs", "1", "--rank", "2"];
        self.command(method).args(settings).args(more).output().unwrap()
    }

    /// `train verl` into `folder`.
    #[cfg(unix)]
    pub(super) fn export(&self, folder: &str) -> Output {
        self.command("verl").args(["-o", folder]).output().unwrap()
    }

    /// `train` with the items, in this place.
    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pluriscope"));
        command
            .args(["train", what, "--items", "items.jsonl"])
            .current_dir(self.0.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("PLURISCOPE_API_KEY", KEY);
        command
    }

    pub(super) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }
}

#[track_caller]
pub(super) fn words(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains(KEY));
    said
}

/// No file of the run holds the key.
fn keyless(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            keyless(&path);
        } else {
            assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(KEY), "{}", path.display());
        }
    }
}

#[test]
fn a_server_writes_and_judges_each_gate_counts_and_nobody_is_asked_twice() {
    let place = Place::new();
    let server = Server::of("vllm", answer);
    let reference = server.reference();
    let by = ["--writer", &reference, "--judge", &reference];
    words(&place.train(&by), 0);

    let gates = place.json("run/drafts/train/gates.json");
    let want = json!({ "items": 5, "drafts": 10, "passed": 2, "kept": 1,
        "removed": { "unwritten": 2, "wrong-end": 2, "inconsistent": 2, "unjudged": 2 } });
    assert_eq!(gates, want);
    assert_eq!(place.json("run/drafts/val/gates.json")["kept"], json!(1));
    let rationales = fs::read_to_string(place.path("run/drafts/train/synthetic.jsonl")).unwrap();
    assert!(rationales.contains("Reading a diary") && rationales.contains(GOOD));
    let drafts = place.json("run/run.json")["drafts"].clone();
    assert_eq!((&drafts["writer"], &drafts["judge"]), (&json!(reference), &json!(reference)));
    assert_eq!(place.json("run/drafts/train/run.json"), drafts);
    keyless(&place.path("run"));
    assert!(place.path("run/best/adapter_model.safetensors").is_file());

    // The writer is told the perspective; the judge is not, and sees only what passed the gates before it.
    let seen = server.seen();
    let (judged, written): (Vec<_>, Vec<_>) = seen.iter().partition(|r| judges(r));
    assert!(judged.iter().all(|r| !asked(r).contains("Right to privacy") && asked(r).contains(GOOD)));
    assert!(written.iter().all(|r| asked(r).contains("Right to privacy")));
    assert_eq!((judged.len(), written.len()), (8, 13), "12 drafts and the stream that broke off");

    // An unscored draft of the right kind got its score from the model that learns.
    let lines = fs::read_to_string(place.path("run/drafts/train/drafts.jsonl")).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(first["drafts"][0]["logprob"].as_f64().unwrap() < 0.0, "{first}");
    assert_eq!(first["drafts"][0]["judged"], json!({ "leads-to": "B" }));

    // What was lost is written again, the rest is not, and the result is the same.
    let whole = lines.lines().take(3).map(|l| format!("{l}\n")).collect::<String>();
    let torn = format!("{whole}{}", &lines.lines().nth(3).unwrap()[..20]);
    fs::write(place.path("run/drafts/train/drafts.jsonl"), torn).unwrap();
    fs::remove_file(place.path("run/drafts/train/synthetic.jsonl")).unwrap();
    words(&place.train(&by), 0);
    assert_eq!(
        server.seen().len(),
        seen.len() + 4,
        "two items of two drafts each, none of which reaches the judge"
    );
    assert_eq!(place.json("run/drafts/train/gates.json"), want);
    assert_eq!(fs::read_to_string(place.path("run/drafts/train/synthetic.jsonl")).unwrap(), rationales);

    let other = format!("openai:{}#lora", server.url);
    let said = words(&place.train(&["--writer", &other, "--judge", &reference]), 1);
    assert!(said.contains("belongs to another run"), "{said}");
    assert_eq!(server.seen().len(), seen.len() + 4);
}

#[test]
fn without_a_judge_its_gate_is_open() {
    let place = Place::new();
    let server = Server::of("vllm", answer);
    words(&place.train(&["--writer", &server.reference()]), 0);
    let gates = place.json("run/drafts/train/gates.json");
    assert_eq!(gates["removed"], json!({ "unwritten": 2, "wrong-end": 2 }));
    assert_eq!(gates["kept"], json!(3));
    assert_eq!(place.json("run/run.json")["drafts"]["judge"], json!(null));
    assert!(server.seen().iter().all(|r| !judges(r)));
}

#[test]
fn a_server_that_refuses_everything_ends_the_run_in_words() {
    let place = Place::new();
    let server = Server::of("vllm", |_, _| status(401, "", r#"{"error":{"message":"who are you?"}}"#));
    let said = words(&place.train(&["--writer", &server.reference()]), 1);
    assert!(said.contains(&server.reference()) && said.contains("who are you?"), "{said}");
    assert!(!place.path("run/drafts/train/synthetic.jsonl").exists());
    let said = words(&place.train(&["--judge", "base+nobody"]), 2);
    assert!(said.contains("there is no adapter `nobody` for base"), "{said}");
}
