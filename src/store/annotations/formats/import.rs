//! Labels of a file into a project. What differs from a label that is here is listed; nothing is overwritten unless
//! asked for, and even then the history keeps what was there.

use super::{label_studio, plain};
use crate::{
    core::{
        Item, Trace,
        annotation::{Act, ActKind, Author, Field, Project, Question, Rubric, TaskId, Value},
        check::TraceKey,
    },
    store::{
        Library, StoreError,
        annotations::{
            AnnotationError, Kept, NewTask,
            acts::{insert, label_in, put_label},
        },
        container::{self, Container},
        readers::Fields,
    },
};
use rusqlite::params;
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    path::Path,
};

/// One label of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedLabel {
    pub key: TraceKey,
    pub author: Author,
    pub fields: BTreeMap<Field, Value>,
    pub blind: bool,
    /// Version of the rubric, where the file names one that is known.
    pub rubric: Option<String>,
    pub changed_ms: Option<i64>,
    pub saved_ms: Option<i64>,
    /// The item and trace, where the file carries them.
    pub with: Option<(Item, Trace)>,
}

/// How a file is taken in.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Who made the labels, where the file does not say.
    pub annotator: Option<String>,
    /// Answers of the file replace those here where they differ.
    pub replace: bool,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportReport {
    pub labels: usize,
    /// Labels that changed something here.
    pub changed: usize,
    /// Traces that came along.
    pub traces: usize,
    /// Rows that could not be used, with place and reason.
    pub bad: Vec<String>,
    /// Fields that differ from what is here.
    pub conflicts: Vec<String>,
}

impl Library {
    /// Takes in the labels of a file: our JSON Lines, CSV or Parquet, or an export of Label Studio.
    pub fn import_labels(
        &mut self,
        project: &Project,
        path: &Path,
        options: &ImportOptions,
        at_ms: i64,
    ) -> Result<ImportReport, AnnotationError> {
        let mut report = ImportReport::default();
        let rubrics = self.rubrics()?;
        let rubric_of = |version: &str| rubrics.get(version).map(|(r, _)| r.clone());
        let mut labels = Vec::new();
        let failed =
            |error: StoreError| AnnotationError::File { path: path.to_owned(), reason: error.to_string() };
        let container = container_of(path).map_err(failed)?;
        container::records(container, path, &mut |number, fields| {
            match fields {
                Err(reason) => report.bad.push(format!("{number}: {reason}")),
                Ok(fields) if fields.contains_key("data") => {
                    for label in label_studio::read(&fields, &project.rubric, options.annotator.as_deref()) {
                        match label {
                            Ok(label) => labels.push(label),
                            Err(reason) => report.bad.push(format!("task {number}: {reason}")),
                        }
                    }
                }
                Ok(fields) => {
                    let version = fields.get("rubric_version").and_then(Json::as_str).unwrap_or_default();
                    let rubric = rubric_of(version).unwrap_or_else(|| project.rubric.clone());
                    match read_line(&fields, &rubric, options.annotator.as_deref()) {
                        Ok(label) => labels.push(label),
                        Err(reason) => report.bad.push(format!("{number}: {reason}")),
                    }
                }
            }
            ControlFlow::Continue(())
        })
        .map_err(failed)?;
        let carried: Vec<NewTask<'_>> = labels
            .iter()
            .filter_map(|l| l.with.as_ref())
            .map(|(item, trace)| NewTask { item, trace, annotators: Vec::new() })
            .collect();
        report.traces = self.add_tasks(project.id, &carried)?;
        let tasks: HashMap<TraceKey, TaskId> =
            self.tasks(project.id)?.into_iter().map(|t| (t.key, t.id)).collect();
        let known: Vec<String> = rubrics.into_keys().collect();
        self.change(|change| {
            for label in &labels {
                let Some(task) = tasks.get(&label.key) else {
                    let name =
                        format!("{} {} sample {}", label.key.item_id, label.key.method, label.key.sample);
                    report.bad.push(format!("{name}: this trace is not in the project"));
                    continue;
                };
                report.labels += 1;
                let mut here = label_in(change, *task, &label.author)?;
                let version = label
                    .rubric
                    .clone()
                    .filter(|v| known.contains(v))
                    .unwrap_or(project.rubric.version.clone());
                let mut changed = false;
                for (field, value) in &label.fields {
                    let before = here.get(field).cloned();
                    if before.as_ref() == Some(value) {
                        continue;
                    }
                    if let Some(before) = before.as_ref() {
                        let kept = if options.replace { "the file's is taken" } else { "the one here stays" };
                        report.conflicts.push(format!(
                            "{} {}, {}, {field}: here {}, in the file {}; {kept}",
                            label.key.item_id,
                            label.key.method,
                            label.author.name,
                            before.words(),
                            value.words()
                        ));
                        if !options.replace {
                            continue;
                        }
                    }
                    let act = Act {
                        task: *task,
                        kind: ActKind::Merge,
                        field: field.clone(),
                        before,
                        after: Some(value.clone()),
                        blind: label.blind,
                    };
                    let when = label.changed_ms.unwrap_or(at_ms);
                    let kept = Kept {
                        uid: uid(&act, &label.author, at_ms),
                        at_ms: when,
                        author: label.author.clone(),
                        rubric: version.clone(),
                        chain: true,
                        act,
                    };
                    insert(change, &kept)?;
                    here.apply(&kept.act);
                    changed = true;
                }
                if changed {
                    put_label(
                        change,
                        *task,
                        &label.author,
                        &here,
                        &version,
                        label.changed_ms.unwrap_or(at_ms),
                    )?;
                    if let Some(saved_ms) = label.saved_ms {
                        change.execute(
                            "UPDATE label SET saved_ms = ? WHERE task = ? AND annotator = ? AND role = ?
                             AND saved_ms IS NOT NULL",
                            params![saved_ms, task.0, label.author.name, label.author.adjudicator],
                        )?;
                    }
                    report.changed += 1;
                }
            }
            Ok(())
        })?;
        Ok(report)
    }
}

/// A name for an act that came from a file at this moment.
fn uid(act: &Act<TaskId>, author: &Author, at_ms: i64) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{act:?} {author:?} {at_ms}").as_bytes());
    let digits: String = hash.finalize().iter().take(12).map(|b| format!("{b:02x}")).collect();
    format!("import-{digits}")
}

fn container_of(path: &Path) -> Result<Container, StoreError> {
    let head = std::fs::read(path).map_err(|e| StoreError::io(path, e))?;
    let text = head.iter().position(|b| !b.is_ascii_whitespace()).map_or(&head[..], |at| &head[at..]);
    Ok(match text {
        [b'P', b'A', b'R', b'1', ..] => Container::Parquet,
        [b'[', ..] => Container::Array,
        [b'{', ..] => Container::Lines,
        _ => Container::Csv,
    })
}

/// A label of our own line or row.
fn read_line(fields: &Fields, rubric: &Rubric, annotator: Option<&str>) -> Result<ImportedLabel, String> {
    let text = |name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default();
    let number = |name: &str| match fields.get(name) {
        Some(Json::Number(n)) => n.as_i64(),
        Some(Json::String(text)) => text.parse().ok(),
        _ => None,
    };
    let yes = |name: &str| match fields.get(name) {
        Some(Json::Bool(yes)) => *yes,
        Some(Json::String(text)) => text == "true",
        _ => false,
    };
    let key = TraceKey {
        item_id: text("item_id").parse()?,
        method: text("method").into(),
        sample: number("sample").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        seed: number("seed").and_then(|n| u64::try_from(n).ok()),
        text: text("trace_text").to_owned(),
    };
    let name = match (text("annotator"), annotator) {
        ("", Some(name)) => name.to_owned(),
        ("", None) => return Err("no annotator; name one with --annotator".to_owned()),
        (name, _) => name.to_owned(),
    };
    let mut values = BTreeMap::new();
    let nested = fields.get("answers").and_then(Json::as_object);
    for question in &rubric.questions {
        let column = plain::answer_column(&question.id);
        let value = match (nested.and_then(|a| a.get(&question.id)), fields.get(&column)) {
            (Some(json), _) => Some(question.read(json).ok_or_else(|| no_answer(question, json))?),
            (None, Some(Json::String(cell))) if !cell.is_empty() => Some(
                read_cell(question, cell).ok_or_else(|| no_answer(question, &Json::String(cell.clone())))?,
            ),
            _ => None,
        };
        if let Some(value) = value {
            values.insert(Field::Answer(question.id.clone()), value);
        }
    }
    for (name, field) in [
        ("saved", Field::Saved),
        ("skipped", Field::Skip),
        ("flagged", Field::Flag),
        ("revealed", Field::Revealed),
    ] {
        if yes(name) {
            values.insert(field, Value::YesNo(true));
        }
    }
    if !text("note").is_empty() {
        values.insert(Field::Note, Value::Text(text("note").to_owned()));
    }
    Ok(ImportedLabel {
        key,
        author: Author { name, adjudicator: yes("adjudicated") },
        fields: values,
        blind: yes("blind") || !fields.contains_key("blind"),
        rubric: Some(text("rubric_version").to_owned()).filter(|v| !v.is_empty()),
        changed_ms: number("changed_ms"),
        saved_ms: number("saved_ms"),
        with: carried(fields),
    })
}

/// The item and trace that a line carries, as objects or as JSON in a cell.
fn carried(fields: &Fields) -> Option<(Item, Trace)> {
    fn part<T: serde::de::DeserializeOwned>(json: &Json) -> Option<T> {
        match json {
            Json::String(text) => serde_json::from_str(text).ok(),
            other => serde_json::from_value(other.clone()).ok(),
        }
    }
    Some((part(fields.get("item")?)?, part(fields.get("trace")?)?))
}

pub(super) fn no_answer(question: &Question, json: &Json) -> String {
    format!("{json} does not answer `{}` ({})", question.id, question.kind.word())
}

/// Reads a cell of a table.
fn read_cell(question: &Question, cell: &str) -> Option<Value> {
    use crate::core::annotation::Kind;
    if cell == plain::NOTHING {
        return question.read(&Json::Null);
    }
    let json = match &question.kind {
        Kind::Single(_) | Kind::Text => Json::String(cell.to_owned()),
        Kind::YesNo { .. } => match cell.to_lowercase().as_str() {
            "yes" | "true" | "1" => Json::Bool(true),
            "no" | "false" | "0" => Json::Bool(false),
            _ => return None,
        },
        _ => serde_json::from_str(cell).ok()?,
    };
    question.read(&json)
}
