//! The commands around labelling: init, status, agreement, export, import, merge, snapshot.

use super::bench::traces;
use pluriscope::store::export::trace_line;
use std::{
    path::Path,
    process::{Command, Output},
};

pub struct Home {
    pub folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<String> =
            traces().iter().map(|(item, trace)| trace_line(Some(item), trace).unwrap()).collect();
        std::fs::write(folder.path().join("traces.jsonl"), lines.join("\n")).unwrap();
        Home { folder }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pluriscope"));
        command.current_dir(self.folder.path()).args(args).args(["--db", &self.path("labels.db")]);
        for (name, folder) in
            [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_CACHE_HOME", "cache")]
        {
            command.env(name, self.folder.path().join(folder));
        }
        command.output().unwrap()
    }

    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }
}

#[test]
fn from_traces_to_files_and_back() {
    let home = Home::new();
    let init: serde_json::Value = serde_json::from_str(&home.ok(&[
        "annotations",
        "init",
        "pilot",
        "traces.jsonl",
        "--annotators",
        "ada,bo",
        "--overlap",
        "2",
        "--shared",
        "1",
        "--json",
    ]))
    .unwrap();
    assert_eq!((init["traces"].as_i64(), init["shared_items"].as_i64()), (Some(6), Some(1)));
    let status = home.ok(&["annotations", "status"]);
    assert!(status.contains("ada: 0 of") && status.contains("faithfulness 1"), "{status}");
    // A label made elsewhere: by reference, so that the project's own trace is found.
    let (item, trace) = &traces()[0];
    let key = pluriscope::core::check::TraceKey::of(trace);
    let label = |who: &str, supports: &str| {
        serde_json::json!({
            "item_id": item.id, "method": "quux-cot", "sample": 0, "trace_text": key.text, "annotator": who,
            "saved": true, "answers": {
                "supports": supports, "perspective": "used", "post_hoc": false, "signals": [], "confidence": 3,
            },
        })
        .to_string()
    };
    let lines = [label("ada", "recorded"), label("bo", "another")].join("\n");
    std::fs::write(home.folder.path().join("labels.jsonl"), lines).unwrap();
    home.ok(&["annotations", "import", "labels.jsonl"]);
    let agreement: serde_json::Value =
        serde_json::from_str(&home.ok(&["annotations", "agreement", "--json"])).unwrap();
    let row = agreement["agreement"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["aspect"] == "post_hoc")
        .unwrap();
    assert_eq!(row["percent"]["value"], 1.0);
    assert!(row["cohen"]["undefined"].as_str().unwrap().contains("one category"), "{row}");
    let text = home.ok(&["annotations", "agreement"]);
    assert!(text.contains("undefined: only one category was used"), "{text}");
    assert!(!text.contains("NaN") && !agreement.to_string().contains("NaN"));
    let queue = home.run(&["annotations", "adjudicate"]);
    assert_eq!(queue.status.code(), Some(1), "something is left to decide");
    assert!(String::from_utf8_lossy(&queue.stdout).contains("ada, bo: supports"));
    for format in ["jsonl", "csv", "parquet", "label-studio", "argilla", "potato"] {
        home.ok(&["annotations", "export", "--format", format, "-o", &format!("out.{format}")]);
    }
    assert!(Path::new(&home.path("out.xml")).exists(), "Label Studio's interface stands beside the tasks");
    // The same labels again, from each file: nothing changes, nothing differs.
    for format in ["jsonl", "csv", "parquet", "label-studio"] {
        let report: serde_json::Value =
            serde_json::from_str(&home.ok(&["annotations", "import", &format!("out.{format}"), "--json"]))
                .unwrap();
        assert_eq!(
            (report["labels"].as_i64(), report["changed"].as_i64()),
            (Some(2), Some(0)),
            "{format}: {report}"
        );
    }
    let history = home.ok(&["annotations", "history", "--json"]);
    assert_eq!(history.lines().count(), 12);
}

#[test]
fn queries_and_balances_choose_what_is_labelled() {
    let home = Home::new();
    let init = |name: &str, more: &[&str]| -> serde_json::Value {
        let mut args = vec!["annotations", "init", name, "traces.jsonl", "--json"];
        args.extend(more);
        serde_json::from_str(&home.ok(&args)).unwrap()
    };
    assert_eq!(init("all", &[])["traces"], 6);
    assert_eq!(init("privacy", &["--query", "perspective:privacy"])["traces"], 3);
    assert_eq!(init("wrong", &["--outcomes", "wrong"])["traces"], 4);
    assert_eq!(init("one", &["--methods", "frob-sft", "--limit", "1"])["traces"], 1);
    assert_eq!(init("balanced", &["--single", "--balance", "method", "--limit", "3"])["traces"], 3);
    for (args, code, words) in [
        (vec!["annotations", "init", "all", "traces.jsonl"], 1, "is here already"),
        (vec!["annotations", "init", "x", "traces.jsonl", "--query", "flips:maybe"], 2, "--query"),
        (vec!["annotations", "init", "x", "traces.jsonl", "--query", "gold:unknown"], 2, "no trace passes"),
        (vec!["annotations", "init", "x", "traces.jsonl", "--balance", "check"], 2, "--check"),
        (vec!["annotations", "status", "--project", "nope"], 1, "there is no project `nope`"),
        (vec!["annotations", "export"], 1, "several projects"),
        (vec!["annotate"], 2, "needs a terminal"),
    ] {
        let output = home.run(&args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
}

#[test]
fn a_broken_rubric_says_which_line_and_what_to_do() {
    let home = Home::new();
    let rubric = home.ok(&["annotations", "rubric"]);
    let broken = rubric.replace("kind = \"scale\"", "kind = \"scales\"");
    let line = broken.lines().position(|l| l.contains("scales")).unwrap() + 1;
    std::fs::write(home.folder.path().join("mine.toml"), broken).unwrap();
    let output = home.run(&["annotations", "rubric", "--check", "mine.toml"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains(&format!("mine.toml: line {line}: there is no kind `scales`; write single")),
        "{text}"
    );
    home.ok(&["annotations", "init", "pilot", "traces.jsonl"]);
    std::fs::write(home.folder.path().join("mine.toml"), rubric.replace("guessing", "a guess")).unwrap();
    let set = home.ok(&["annotations", "rubric", "--project", "pilot", "--set", "mine.toml"]);
    assert!(set.contains("faithfulness 2"), "{set}");
}

#[test]
fn a_snapshot_of_the_desk_keeps_nothing_and_hides_what_is_hidden() {
    let home = Home::new();
    home.ok(&["annotations", "init", "pilot", "traces.jsonl", "--annotators", "ada"]);
    let output =
        home.run(&["snapshot", "--annotate", "pilot", "--as", "ada", "--keys", "11z", "--size", "120x40"]);
    let all =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(all.contains("trace A of 3") && all.contains("is used"), "{all}");
    for secret in ["quux", "zork", "frob", "snarf", "gold"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    let history = home.ok(&["annotations", "history"]);
    assert_eq!(history, "", "a snapshot is no labelling");
}

#[test]
fn machines_are_merged_with_conflicts_listed() {
    let home = Home::new();
    home.ok(&["annotations", "init", "pilot", "traces.jsonl"]);
    std::fs::copy(home.path("labels.db"), home.path("laptop.db")).unwrap();
    let (item, trace) = &traces()[0];
    let key = pluriscope::core::check::TraceKey::of(trace);
    for (database, supports) in [("labels.db", "recorded"), ("laptop.db", "another")] {
        let line = serde_json::json!({
            "item_id": item.id, "method": "quux-cot", "sample": 0, "trace_text": key.text, "annotator": "ada",
            "answers": { "supports": supports },
        });
        std::fs::write(home.folder.path().join("one.jsonl"), line.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pluriscope"));
        let args = ["annotations", "import", "one.jsonl", "--db", database];
        assert!(command.current_dir(home.folder.path()).args(args).status().unwrap().success());
    }
    let merged = home.run(&["annotations", "merge", "laptop.db"]);
    let text = String::from_utf8_lossy(&merged.stdout).into_owned();
    assert_eq!(merged.status.code(), Some(1), "{text}");
    assert!(text.contains("ada, supports: here recorded, there another; kept theirs"), "{text}");
    assert_eq!(home.run(&["annotations", "conflicts"]).status.code(), Some(1));
    assert_eq!(home.run(&["annotations", "merge", "labels.db"]).status.code(), Some(2), "itself");
    let again = home.ok(&["annotations", "merge", "laptop.db"]);
    assert!(again.contains("0 acts, 0 labels changed, 0 conflicts"), "{again}");
}
