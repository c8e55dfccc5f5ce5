//! Argilla 2: the folder that `Dataset.to_disk` writes and `Dataset.from_disk` reads.
//!
//! `.argilla/settings.json` holds fields and questions, `.argilla/dataset.json` the data set's own description,
//! `records.json` the records with responses. Users are numbers (UUIDs) there: `annotators.json` says whose.

use super::{Export, is_set, options_text, trace_name};
use crate::{
    core::annotation::{Field, Kind, Question, Task, Value},
    store::annotations::ratings::KeptLabel,
};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, path::Path};

/// The option that says "nothing of this": Argilla wants at least one.
const NONE: &str = "(none)";

/// The field with the trace. A field may not be named like a question, hence the prefixes of all four.
const OUTPUT: &str = "trace_output";

/// Writes the folder. What was exported there before is replaced.
pub fn folder(export: &Export, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join(".argilla"))?;
    let write = |name: &str, json: &Json| fs::write(folder.join(name), json.to_string());
    write(".argilla/settings.json", &settings(export))?;
    write(
        ".argilla/dataset.json",
        &json!({
            "name": export.project.name,
            "guidelines": export.project.rubric.about,
            "allow_extra_metadata": true,
            "distribution": distribution(export),
        }),
    )?;
    write("records.json", &records(export))?;
    let people: BTreeMap<String, &str> =
        export.labels.iter().map(|(_, kept)| (user(&kept.author.name), kept.author.name.as_str())).collect();
    write("annotators.json", &json!(people))
}

/// As many answers as the traces with most people have.
fn distribution(export: &Export) -> Json {
    let most = (0..export.tasks.len()).map(|at| export.of_task(at).count()).max().unwrap_or(1);
    json!({ "strategy": "overlap", "min_submitted": most.max(1) })
}

fn settings(export: &Export) -> Json {
    let field = |name: &str, required: bool| {
        json!({
            "name": name,
            "title": name,
            "required": required,
            "settings": { "type": "text", "use_markdown": false },
        })
    };
    let mut questions: Vec<Json> = export.project.rubric.questions.iter().map(question).collect();
    questions.push(json!({
        "name": "annotator_note",
        "title": "note",
        "required": false,
        "settings": { "type": "text", "use_markdown": false },
    }));
    json!({
        "guidelines": export.project.rubric.about,
        "questions": questions,
        "fields": [
            field(OUTPUT, true), field("item_text", false), field("item_perspective", false),
            field("item_options", false)
        ],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": true,
        "distribution": distribution(export),
        "mapping": null,
    })
}

fn question(question: &Question) -> Json {
    let option = |value: &str, text: &str| json!({ "value": value, "text": text, "description": null });
    let none = || option(NONE, "none of these");
    let optional = !question.required || question.only_if.is_some();
    let settings = match &question.kind {
        Kind::Single(choices) => {
            let mut options: Vec<Json> = choices.iter().map(|c| option(&c.value, &c.text)).collect();
            options.extend(optional.then(none));
            json!({ "type": "label_selection", "options": options })
        }
        Kind::Several(choices) => {
            let mut options: Vec<Json> = choices.iter().map(|c| option(&c.value, &c.text)).collect();
            options.push(none());
            json!({ "type": "multi_label_selection", "options": options })
        }
        Kind::YesNo { .. } => {
            let mut options = vec![option("yes", "yes"), option("no", "no")];
            options.extend(optional.then(none));
            json!({ "type": "label_selection", "options": options })
        }
        Kind::Scale { low, high, .. } => {
            let options: Vec<Json> = (*low..=*high).map(|n| json!({ "value": n })).collect();
            json!({ "type": "rating", "options": options })
        }
        Kind::Span => json!({
            "type": "span",
            "field": OUTPUT,
            "allow_overlapping": true,
            "options": [option(&question.id, &question.text)],
        }),
        Kind::Step | Kind::Text => json!({ "type": "text", "use_markdown": false }),
    };
    json!({
        "name": question.id,
        "title": question.text,
        "description": Some(&question.help).filter(|h| !h.is_empty()),
        "required": !optional,
        "settings": settings,
    })
}

fn records(export: &Export) -> Json {
    let records = export.tasks.iter().enumerate().map(|(at, task)| {
        let mut responses: Map<String, Json> = Map::new();
        for kept in export.of_task(at).filter(|kept| !kept.author.adjudicator) {
            respond(export, kept, &mut responses);
        }
        json!({
            "id": trace_name(task),
            "fields": fields(export, task),
            "metadata": metadata(export, task, at),
            "suggestions": {},
            "responses": responses,
            "vectors": {},
            "status": if export.of_task(at).any(|k| k.label.saved()) { "completed" } else { "pending" },
            "_server_id": null,
        })
    });
    Json::Array(records.collect())
}

fn fields(export: &Export, task: &Task) -> Json {
    if export.options.text {
        json!({
            OUTPUT: task.trace.llm_output,
            "item_text": task.item.text,
            "item_perspective": task.item.perspective.name,
            "item_options": options_text(task),
        })
    } else {
        json!({ OUTPUT: trace_name(task) })
    }
}

/// What names the trace, and what responses have no place for: decisions of adjudicators, flags, how blind it was.
fn metadata(export: &Export, task: &Task, at: usize) -> Json {
    let labels: Vec<Json> = export
        .of_task(at)
        .map(|kept| {
            let answers: Map<String, Json> =
                export.answers(kept).iter().map(|(q, v)| (q.clone(), v.plain())).collect();
            json!({
                "annotator": kept.author.name,
                "adjudicated": kept.author.adjudicator,
                "rubric_version": kept.rubric,
                "saved": kept.label.saved(),
                "skipped": is_set(kept, &Field::Skip),
                "flagged": is_set(kept, &Field::Flag),
                "blind": !kept.label.unblinded,
                "saved_ms": kept.saved_ms,
                "answers": answers,
                "note": kept.label.note(),
            })
        })
        .collect();
    json!({
        "item_id": task.key.item_id.to_string(),
        "method": task.key.method.0,
        "sample": task.key.sample,
        "trace_text": task.key.text,
        "pluriscope_labels": Json::Array(labels).to_string(),
    })
}

fn respond(export: &Export, kept: &KeptLabel, responses: &mut Map<String, Json>) {
    let status = match (kept.label.saved(), kept.label.skipped()) {
        (true, _) => "submitted",
        (false, true) => "discarded",
        (false, false) => "draft",
    };
    let mut put = |question: &str, value: Json| {
        let response = json!({ "value": value, "user_id": user(&kept.author.name), "status": status });
        let list = responses.entry(question.to_owned()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(response);
        }
    };
    for (id, value) in export.answers(kept) {
        let Some(question) = export.project.rubric.question(&id) else { continue };
        let value = match (&question.kind, &value) {
            (Kind::Span, Value::Spans(spans)) => Json::Array(
                spans.iter().map(|s| json!({ "start": s.start, "end": s.end, "label": id })).collect(),
            ),
            (Kind::Span, _) => json!([]),
            (Kind::Step, Value::Step(step)) => json!((step + 1).to_string()),
            (Kind::Step, _) => json!("none"),
            (Kind::Several(_), Value::Several(set)) if !set.is_empty() => json!(set),
            (Kind::Several(_), _) => json!([NONE]),
            (_, Value::Nothing) => json!(NONE),
            (_, Value::YesNo(_)) => json!(value.words()),
            (_, value) => value.plain(),
        };
        put(&id, value);
    }
    if !kept.label.note().is_empty() {
        put("annotator_note", json!(kept.label.note()));
    }
}

/// A number for a person: the same for the same name.
fn user(name: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"pluriscope annotator ");
    hash.update(name.as_bytes());
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    // Version 8: "custom", variant 1.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
