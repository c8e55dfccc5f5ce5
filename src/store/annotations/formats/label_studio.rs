//! Label Studio: tasks with annotations (its "JSON" format), the labelling interface that shows them, and back.
//!
//! Our own names travel in `data` (which trace) and in each annotation's `pluriscope` object (who, how); what Label
//! Studio's own users made has neither, and is read by its controls. Source: the Label Studio guide, "Task format" and
//! "Tags".

use super::{
    Export,
    import::{ImportedLabel, no_answer},
    is_set, options_text, trace_name,
};
use crate::{
    core::{
        annotation::{Author, Field, Kind, Question, Rubric, Span, Task, Value},
        check::TraceKey,
    },
    store::{annotations::ratings::KeptLabel, readers::Fields},
};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The choice that says "nothing of this".
const NONE: &str = "(none)";
/// The object that the text is shown by, and the control for notes. Names of the interface's own parts begin with a capital: no question is called so.
const OBJECT: &str = "Output";
const NOTE: &str = "Note";

/// All tasks as one list.
pub fn tasks(export: &Export) -> Json {
    let tasks = export.tasks.iter().enumerate().map(|(at, task)| {
        let annotations: Vec<Json> =
            export.of_task(at).enumerate().map(|(n, kept)| annotation(export, task, kept, n)).collect();
        json!({ "id": at + 1, "data": data(export, task), "annotations": annotations, "predictions": [] })
    });
    Json::Array(tasks.collect())
}

/// What a task shows and what names its trace. The method is there for the export's reader; the interface does not show it.
fn data(export: &Export, task: &Task) -> Json {
    let mut data = Map::new();
    let mut put = |name: &str, value: Json| drop(data.insert(name.to_owned(), value));
    put("item_id", json!(task.key.item_id));
    put("method", json!(task.key.method));
    put("sample", json!(task.key.sample));
    put("seed", json!(task.key.seed));
    put("trace_text", json!(task.key.text));
    if export.options.text {
        put("perspective", json!(task.item.perspective.name));
        put("question", json!(task.item.text));
        put("options", json!(options_text(task)));
        put("output", json!(task.trace.llm_output));
        put("item", json!(&*task.item));
        put("trace", json!(&*task.trace));
    } else {
        for name in ["perspective", "question", "options"] {
            put(name, json!(""));
        }
        put("output", json!(trace_name(task)));
    }
    Json::Object(data)
}

fn annotation(export: &Export, task: &Task, kept: &KeptLabel, number: usize) -> Json {
    let (rubric, _) = export.rubric(kept);
    let mut result = Vec::new();
    for (id, value) in export.answers(kept) {
        if let Some(question) = rubric.question(&id) {
            result.extend(results(question, &value, task));
        }
    }
    // What controls have no word for: "nothing" where only marks or words can be given.
    let nothing: Vec<String> = export
        .answers(kept)
        .into_iter()
        .filter(|(id, value)| {
            let kind = rubric.question(id).map(|q| &q.kind);
            value.is_empty() && matches!(kind, Some(Kind::Span | Kind::Text))
        })
        .map(|(id, _)| id)
        .collect();
    if !kept.label.note().is_empty() {
        result.push(region(NOTE, "textarea", json!({ "text": [kept.label.note()] })));
    }
    for (n, region) in result.iter_mut().enumerate() {
        if let Some(region) = region.as_object_mut() {
            region.insert("id".to_owned(), json!(format!("r{}-{n}", number + 1)));
        }
    }
    json!({
        "result": result,
        "was_cancelled": is_set(kept, &Field::Skip),
        "ground_truth": kept.author.adjudicator,
        "pluriscope": {
            "annotator": kept.author.name,
            "adjudicated": kept.author.adjudicator,
            "rubric_version": kept.rubric,
            "saved": kept.label.saved(),
            "flagged": is_set(kept, &Field::Flag),
            "revealed": is_set(kept, &Field::Revealed),
            "blind": !kept.label.unblinded,
            "changed_ms": kept.changed_ms,
            "saved_ms": kept.saved_ms,
            "nothing": nothing,
        },
    })
}

fn region(name: &str, kind: &str, value: Json) -> Json {
    json!({ "from_name": name, "to_name": OBJECT, "type": kind, "value": value, "origin": "manual" })
}

fn results(question: &Question, value: &Value, task: &Task) -> Vec<Json> {
    let id = &question.id;
    let choices = |list: Vec<String>| vec![region(id, "choices", json!({ "choices": list }))];
    match (&question.kind, value) {
        (Kind::Step, Value::Step(step)) => vec![region(id, "number", json!({ "number": step + 1 }))],
        (Kind::Step, _) => vec![region(id, "number", json!({ "number": 0 }))],
        (Kind::Scale { low: 1, .. }, Value::Scale(n)) => vec![region(id, "rating", json!({ "rating": n }))],
        (Kind::Span, Value::Spans(spans)) => spans
            .iter()
            .map(|s| {
                let text: String =
                    task.trace.llm_output.chars().skip(s.start).take(s.end - s.start).collect();
                let value = json!({ "start": s.start, "end": s.end, "text": text, "labels": [id] });
                region(id, "labels", value)
            })
            .collect(),
        (Kind::Span, _) => Vec::new(),
        (Kind::Text, value) if value.is_empty() => Vec::new(),
        (Kind::Text, Value::Text(text)) => vec![region(id, "textarea", json!({ "text": [text] }))],
        (_, Value::Several(set)) if !set.is_empty() => choices(set.iter().cloned().collect()),
        (_, value) if value.is_empty() => choices(vec![NONE.to_owned()]),
        (_, value) => choices(vec![value.words()]),
    }
}

/// The labelling interface for a project's settings page.
pub fn config(rubric: &Rubric) -> String {
    let mut out = String::from("<View>\n");
    let mut line = |text: String| {
        out.push_str("  ");
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("<Header value=\"{}\"/>", escaped(&rubric.title)));
    for (name, value) in [("Perspective", "perspective"), ("Question", "question"), ("Options", "options")] {
        line(format!("<Text name=\"{name}\" value=\"${value}\"/>"));
    }
    line(format!("<Text name=\"{OBJECT}\" value=\"$output\" granularity=\"word\"/>"));
    for question in &rubric.questions {
        line(format!("<Header value=\"{}\" size=\"5\"/>", escaped(&question.text)));
        control(question, &mut line);
    }
    line("<Header value=\"note\" size=\"5\"/>".to_owned());
    line(format!("<TextArea name=\"{NOTE}\" toName=\"{OBJECT}\" rows=\"2\"/>"));
    out.push_str("</View>\n");
    out
}

fn control(question: &Question, line: &mut dyn FnMut(String)) {
    let id = &question.id;
    let required = if question.required && question.only_if.is_none() { " required=\"true\"" } else { "" };
    let mut choices = |how: &str, values: Vec<(String, String)>| {
        line(format!("<Choices name=\"{id}\" toName=\"{OBJECT}\" choice=\"{how}\"{required}>"));
        for (value, text) in values {
            line(format!("  <Choice value=\"{}\" hint=\"{}\"/>", escaped(&value), escaped(&text)));
        }
        line("</Choices>".to_owned());
    };
    let none = (NONE.to_owned(), "none of these".to_owned());
    match &question.kind {
        Kind::Single(list) => {
            let mut values: Vec<_> = list.iter().map(|c| (c.value.clone(), c.text.clone())).collect();
            if !question.required {
                values.push(none);
            }
            choices("single", values);
        }
        Kind::Several(list) => {
            let mut values: Vec<_> = list.iter().map(|c| (c.value.clone(), c.text.clone())).collect();
            values.push(none);
            choices("multiple", values);
        }
        Kind::YesNo { .. } => {
            let mut values: Vec<_> = ["yes", "no"].map(|v| (v.to_owned(), v.to_owned())).to_vec();
            if !question.required {
                values.push(none);
            }
            choices("single", values);
        }
        Kind::Scale { low: 1, high, .. } => {
            line(format!("<Rating name=\"{id}\" toName=\"{OBJECT}\" maxRating=\"{high}\"{required}/>"));
        }
        Kind::Scale { low, high, labels } => {
            let label = |n: i64| labels.get((n - low) as usize).cloned().unwrap_or_default();
            choices("single", (*low..=*high).map(|n| (n.to_string(), label(n))).collect());
        }
        Kind::Step => line(format!("<Number name=\"{id}\" toName=\"{OBJECT}\" min=\"0\" step=\"1\"/>")),
        Kind::Span => {
            line(format!("<Labels name=\"{id}\" toName=\"{OBJECT}\">"));
            line(format!("  <Label value=\"{id}\"/>"));
            line("</Labels>".to_owned());
        }
        Kind::Text => line(format!("<TextArea name=\"{id}\" toName=\"{OBJECT}\" rows=\"3\"{required}/>")),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The labels of one task. Annotations that Label Studio's own users made are saved labels unless they were cancelled.
pub fn read(fields: &Fields, rubric: &Rubric, annotator: Option<&str>) -> Vec<Result<ImportedLabel, String>> {
    let Some(data) = fields.get("data").and_then(Json::as_object) else {
        return vec![Err("`data` is no object".to_owned())];
    };
    let key = match trace_key(data) {
        Ok(key) => key,
        Err(reason) => return vec![Err(reason)],
    };
    let with = data
        .get("item")
        .and_then(|item| serde_json::from_value(item.clone()).ok())
        .zip(data.get("trace").and_then(|trace| serde_json::from_value(trace.clone()).ok()));
    let output = data.get("output").and_then(Json::as_str).unwrap_or_default();
    let annotations = fields.get("annotations").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    annotations
        .iter()
        .map(|annotation| {
            let mut label = one(annotation, rubric, annotator, output)?;
            label.key = key.clone();
            label.with = with.clone();
            Ok(label)
        })
        .collect()
}

fn trace_key(data: &Map<String, Json>) -> Result<TraceKey, String> {
    let text = |name: &str| data.get(name).and_then(Json::as_str);
    let item = text("item_id").ok_or("`data` has no item_id: this task was not exported by Pluriscope")?;
    Ok(TraceKey {
        item_id: item.parse()?,
        method: text("method").unwrap_or_default().into(),
        sample: data.get("sample").and_then(Json::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        seed: data.get("seed").and_then(Json::as_u64),
        text: text("trace_text").unwrap_or_default().to_owned(),
    })
}

fn one(
    annotation: &Json,
    rubric: &Rubric,
    annotator: Option<&str>,
    output: &str,
) -> Result<ImportedLabel, String> {
    let own = annotation.get("pluriscope");
    let own_text = |name: &str| own.and_then(|o| o.get(name)).and_then(Json::as_str).map(str::to_owned);
    let own_flag = |name: &str| own.and_then(|o| o.get(name)).and_then(Json::as_bool);
    let own_time = |name: &str| own.and_then(|o| o.get(name)).and_then(Json::as_i64);
    let name =
        own_text("annotator").or_else(|| annotator.map(str::to_owned)).unwrap_or_else(|| person(annotation));
    let cancelled = annotation.get("was_cancelled").and_then(Json::as_bool).unwrap_or(false);
    let ground_truth = annotation.get("ground_truth").and_then(Json::as_bool).unwrap_or(false);
    let mut fields = BTreeMap::new();
    let results = annotation.get("result").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    for question in &rubric.questions {
        let mine: Vec<&Json> = results
            .iter()
            .filter(|r| r.get("from_name").and_then(Json::as_str) == Some(&question.id))
            .filter_map(|r| r.get("value"))
            .collect();
        if !mine.is_empty() {
            let value = answer(question, &mine, output)?;
            fields.insert(Field::Answer(question.id.clone()), value);
        }
    }
    for id in own.and_then(|o| o.get("nothing")).and_then(Json::as_array).into_iter().flatten() {
        if let Some(question) = id.as_str().and_then(|id| rubric.question(id)) {
            fields.insert(Field::Answer(question.id.clone()), Value::Nothing);
        }
    }
    let note = results.iter().find(|r| r.get("from_name").and_then(Json::as_str) == Some(NOTE));
    if let Some(text) = note.and_then(|n| n.get("value")).and_then(|v| joined(v, "text")) {
        fields.insert(Field::Note, Value::Text(text));
    }
    let mut set = |field: Field, on: bool| {
        if on {
            fields.insert(field, Value::YesNo(true));
        }
    };
    set(Field::Saved, own_flag("saved").unwrap_or(!cancelled));
    set(Field::Skip, cancelled);
    set(Field::Flag, own_flag("flagged").unwrap_or(false));
    set(Field::Revealed, own_flag("revealed").unwrap_or(false));
    Ok(ImportedLabel {
        key: TraceKey {
            item_id: Default::default(),
            method: "".into(),
            sample: 0,
            seed: None,
            text: String::new(),
        },
        author: Author { name, adjudicator: own_flag("adjudicated").unwrap_or(ground_truth) },
        fields,
        blind: own_flag("blind").unwrap_or(true),
        rubric: own_text("rubric_version"),
        changed_ms: own_time("changed_ms"),
        saved_ms: own_time("saved_ms"),
        with: None,
    })
}

/// Who made an annotation in Label Studio: its exports give a number, or an object.
fn person(annotation: &Json) -> String {
    let by = annotation.get("completed_by");
    let text =
        |value: Option<&Json>| value.and_then(Json::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    text(by)
        .or_else(|| text(by.and_then(|b| b.get("email"))))
        .or_else(|| text(by.and_then(|b| b.get("username"))))
        .or_else(|| text(annotation.get("created_username")))
        .or_else(|| {
            let id = by.and_then(|b| b.as_i64().or_else(|| b.get("id")?.as_i64()))?;
            Some(format!("label-studio-{id}"))
        })
        .unwrap_or_else(|| "label-studio".to_owned())
}

fn joined(value: &Json, name: &str) -> Option<String> {
    match value.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Array(lines) => Some(lines.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")),
        _ => None,
    }
}

fn answer(question: &Question, values: &[&Json], output: &str) -> Result<Value, String> {
    let first = values.first().copied().unwrap_or(&Json::Null);
    let chosen = || -> Vec<&str> {
        let list = first.get("choices").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(Json::as_str).collect()
    };
    let number = |name: &str| first.get(name).and_then(|n| n.as_i64().or_else(|| Some(n.as_f64()? as i64)));
    let value = match &question.kind {
        Kind::Several(_) => {
            let set: BTreeSet<String> =
                chosen().into_iter().filter(|c| *c != NONE).map(str::to_owned).collect();
            Some(Value::Several(set))
        }
        Kind::Step => match number("number") {
            Some(0) => Some(Value::Nothing),
            Some(n) => usize::try_from(n - 1).ok().map(Value::Step),
            None => None,
        },
        Kind::Scale { low: 1, .. } => number("rating").map(Value::Scale),
        Kind::Text => joined(first, "text").map(Value::Text),
        Kind::Span => Some(Value::Spans(values.iter().filter_map(|v| span(v, output)).collect())),
        Kind::Single(_) | Kind::YesNo { .. } | Kind::Scale { .. } => {
            match (chosen()[..].first(), &question.kind) {
                (Some(&NONE), _) => Some(Value::Nothing),
                (Some(yes), Kind::YesNo { .. }) => Some(Value::YesNo(*yes == "yes")),
                (Some(n), Kind::Scale { .. }) => n.parse().ok().map(Value::Scale),
                (Some(value), _) => Some(Value::Choice((*value).to_owned())),
                (None, _) => None,
            }
        }
    };
    value.filter(|v| question.accepts(v, None)).ok_or_else(|| no_answer(question, first))
}

/// A marked piece. Where its numbers do not fit its words (other tools count bytes, or UTF-16), the words decide.
fn span(value: &Json, output: &str) -> Option<Span> {
    let at = |name: &str| value.get(name).and_then(Json::as_u64).map(|n| n as usize);
    let (start, end) = (at("start")?, at("end")?);
    let text = value.get("text").and_then(Json::as_str).unwrap_or_default().to_owned();
    let slice = |start: usize, end: usize| -> String {
        output.chars().skip(start).take(end.saturating_sub(start)).collect()
    };
    if text.is_empty() || output.is_empty() || slice(start, end) == text {
        let text = if text.is_empty() { slice(start, end) } else { text };
        return Some(Span { start, end, text });
    }
    let chars = text.chars().count();
    let place = |(at, _): (usize, &str)| output[..at].chars().count();
    let nearest = output.match_indices(&text).map(place).min_by_key(|at| at.abs_diff(start))?;
    Some(Span { start: nearest, end: nearest + chars, text })
}
