//! Potato: a project folder with `config.yaml` (YAML reads JSON), `data.jsonl`, and the output of each annotator as
//! Potato writes it.

use super::{Export, options_text, trace_name};
use crate::core::annotation::{Kind, Question, Task, Value};
use serde_json::{Map, Value as Json, json};
use std::{collections::BTreeMap, fs, path::Path};

/// The choice that says "nothing of this".
const NONE: &str = "(none)";

/// Writes the folder.
pub fn folder(export: &Export, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut config = serde_json::to_string_pretty(&config(export))?;
    config.push('\n');
    fs::write(folder.join("config.yaml"), config)?;
    let mut data = String::new();
    for task in &export.tasks {
        let text = text(export, task);
        let line = json!({
            "id": trace_name(task),
            "text": text,
            "item_id": task.key.item_id,
            "method": task.key.method,
            "sample": task.key.sample,
            "trace_text": task.key.text,
        });
        data.push_str(&line.to_string());
        data.push('\n');
    }
    fs::write(folder.join("data.jsonl"), data)?;
    let mut output: BTreeMap<&str, String> = BTreeMap::new();
    for (at, kept) in &export.labels {
        let lines = output.entry(kept.author.name.as_str()).or_default();
        lines.push_str(&instance(export, *at, kept).to_string());
        lines.push('\n');
    }
    for (annotator, lines) in output {
        let folder = folder.join("annotation_output").join(file_name(annotator));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("annotated_instances.jsonl"), lines)?;
    }
    Ok(())
}

/// A name that is safe as a folder's.
fn file_name(name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_alphanumeric() || "-_.@".contains(c) { c } else { '_' }).collect();
    if safe.trim_matches('.').is_empty() { "_".to_owned() } else { safe }
}

/// The shown text. Marks count characters of the output, which comes first.
fn text(export: &Export, task: &Task) -> String {
    if !export.options.text {
        return trace_name(task);
    }
    let (item, output) = (&task.item, &task.trace.llm_output);
    format!("{output}\n\n[{}] {}\n{}", item.perspective.name, item.text, options_text(task))
}

fn config(export: &Export) -> Json {
    let mut schemes: Vec<Json> = export.project.rubric.questions.iter().map(scheme).collect();
    schemes.push(json!({ "annotation_type": "text", "name": "annotator_note", "description": "note" }));
    json!({
        "annotation_task_name": export.project.name,
        "task_dir": ".",
        "output_annotation_dir": "annotation_output/",
        "output_annotation_format": "jsonl",
        "data_files": ["data.jsonl"],
        "item_properties": { "id_key": "id", "text_key": "text" },
        "user_config": { "allow_all_users": true, "users": [] },
        "annotation_schemes": schemes,
    })
}

fn scheme(question: &Question) -> Json {
    let mut scheme = Map::new();
    let mut put = |name: &str, value: Json| drop(scheme.insert(name.to_owned(), value));
    let kind = match question.kind {
        Kind::Single(_) | Kind::YesNo { .. } => "radio",
        Kind::Several(_) => "multiselect",
        Kind::Step => "number",
        Kind::Span => "span",
        Kind::Scale { .. } => "likert",
        Kind::Text => "text",
    };
    put("annotation_type", json!(kind));
    put("name", json!(question.id));
    put("description", json!(question.text));
    match &question.kind {
        Kind::Scale { low, high, labels } => {
            put("size", json!(high - low + 1));
            put("min_label", json!(labels.first().cloned().unwrap_or_else(|| low.to_string())));
            put("max_label", json!(labels.last().cloned().unwrap_or_else(|| high.to_string())));
        }
        Kind::Span => put("labels", json!([question.id])),
        Kind::Step | Kind::Text => {}
        _ => put("labels", json!(labels(question))),
    }
    put("sequential_key_binding", json!(true));
    put("label_requirement", json!({ "required": question.required && question.only_if.is_none() }));
    Json::Object(scheme)
}

fn labels(question: &Question) -> Vec<String> {
    let mut labels: Vec<String> = match &question.kind {
        Kind::YesNo { .. } => vec!["yes".to_owned(), "no".to_owned()],
        kind => kind.choices().iter().map(|c| c.value.clone()).collect(),
    };
    if matches!(question.kind, Kind::Several(_)) || !question.required {
        labels.push(NONE.to_owned());
    }
    labels
}

fn instance(export: &Export, at: usize, kept: &crate::store::annotations::ratings::KeptLabel) -> Json {
    let task = &export.tasks[at];
    let (mut chosen, mut spans) = (Map::new(), Vec::new());
    for (id, value) in export.answers(kept) {
        let Some(question) = export.project.rubric.question(&id) else { continue };
        // Potato keeps the label's name and its number on the form.
        let number = |label: &str| {
            let at = labels(question).iter().position(|l| l == label).map_or(0, |i| i + 1);
            json!(at.to_string())
        };
        let one = |label: &str| json!({ label: number(label) });
        let form = match (&question.kind, &value) {
            (Kind::Span, Value::Spans(marks)) => {
                spans.extend(marks.iter().map(|s| {
                    json!({ "schema": id, "name": id, "title": id, "start": s.start, "end": s.end, "text": s.text })
                }));
                continue;
            }
            (Kind::Span, _) => continue,
            (Kind::Several(_), Value::Several(set)) if !set.is_empty() => {
                Json::Object(set.iter().map(|v| (v.clone(), number(v))).collect())
            }
            (Kind::Scale { low, .. }, Value::Scale(n)) => {
                json!({ format!("scale_{}", n - low + 1): (n - low + 1).to_string() })
            }
            (Kind::Step, value) => {
                json!({ "value": if value.is_empty() { json!("0") } else { json!(value.plain().to_string()) } })
            }
            (Kind::Text, value) => json!({ "text_box": value.words() }),
            (_, value) if value.is_empty() => one(NONE),
            (_, value) => one(&value.words()),
        };
        chosen.insert(id, form);
    }
    if !kept.label.note().is_empty() {
        chosen.insert("annotator_note".to_owned(), json!({ "text_box": kept.label.note() }));
    }
    json!({
        "id": trace_name(task),
        "displayed_text": text(export, task),
        "label_annotations": chosen,
        "span_annotations": spans,
        "behavioral_data": {},
        "pluriscope": {
            "annotator": kept.author.name,
            "adjudicated": kept.author.adjudicator,
            "rubric_version": kept.rubric,
            "saved": kept.label.saved(),
            "skipped": kept.label.skipped(),
            "flagged": kept.label.flagged(),
            "blind": !kept.label.unblinded,
            "saved_ms": kept.saved_ms,
        },
    })
}
