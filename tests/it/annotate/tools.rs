//! The exported files against the other tools' own packages: `label-studio-sdk`, `argilla`, `pyarrow`.
//!
//! Optional: `PLURISCOPE_PYTHON` names a Python that has them. Without it the test says that it was skipped.

use super::commands::Home;
use std::process::Command;

#[test]
fn other_tools_accept_what_is_exported() {
    let Ok(python) = std::env::var("PLURISCOPE_PYTHON") else {
        eprintln!("skipped: PLURISCOPE_PYTHON names no Python with label-studio-sdk, argilla and pyarrow");
        return;
    };
    let home = Home::new();
    home.ok(&["annotations", "init", "pilot", "traces.jsonl", "--annotators", "ada,bo", "--shared", "2"]);
    let lines: Vec<String> = super::bench::traces()
        .iter()
        .enumerate()
        .flat_map(|(i, (item, trace))| {
            let key = pluriscope::core::check::TraceKey::of(trace);
            let supports = ["recorded", "another", "none", "unclear"][i % 4];
            let safety = (i == 0).then_some("hate");
            let signals = if i % 2 == 0 { vec![] } else { vec!["weak-justification", "invalid-chain"] };
            let start: String = trace.llm_output.chars().take(2).collect();
            let label = |who: &str, adjudicated: bool| {
                serde_json::json!({
                    "item_id": item.id, "method": trace.method, "sample": 0, "trace_text": key.text,
                    "annotator": who, "adjudicated": adjudicated, "saved": true, "note": "a \"note\"", "answers": {
                        "supports": supports,
                        "perspective": "generic", "post_hoc": i % 2 == 0,
                        "signals": signals,
                        "confidence": 1 + i % 3, "first_bad_step": 1, "safety": safety,
                        "evidence": [{ "start": 0, "end": 2, "text": start }],
                    },
                })
                .to_string()
            };
            vec![label("ada", false), label("bo", false), label("cy", true)]
        })
        .collect();
    std::fs::write(home.folder.path().join("labels.jsonl"), lines.join("\n")).unwrap();
    home.ok(&["annotations", "import", "labels.jsonl"]);
    home.ok(&["annotations", "export", "--format", "label-studio", "-o", "tasks.json"]);
    home.ok(&["annotations", "export", "--format", "argilla", "-o", "argilla"]);
    home.ok(&["annotations", "export", "--format", "parquet", "-o", "labels.parquet"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/annotation/validate.py");
    let output = Command::new(python).arg(script).arg(home.folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("18 annotations, 6 records, 18 rows"), "{text}");
}
