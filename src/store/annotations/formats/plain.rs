//! A label per line: JSON Lines with nested answers, CSV with a column per question. The columns of Parquet are these.

use super::{Export, is_set};
use crate::{
    core::annotation::{Field, Value},
    store::annotations::ratings::KeptLabel,
};
use serde_json::{Map, Value as Json, json};
use std::{collections::BTreeSet, io::Write};

/// A column's name and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Number,
    Bool,
}

/// What a question's column is called.
pub fn answer_column(question: &str) -> String {
    format!("answer_{question}")
}

/// One JSON object per label.
pub fn json_lines(export: &Export, out: &mut dyn Write) -> std::io::Result<()> {
    for (at, kept) in &export.labels {
        let mut line = facts(export, *at, kept);
        let answers: Map<String, Json> =
            export.answers(kept).iter().map(|(q, value)| (q.clone(), value.plain())).collect();
        line.insert("answers".to_owned(), Json::Object(answers));
        if export.options.text {
            let task = &export.tasks[*at];
            line.insert("item".to_owned(), json!(&*task.item));
            line.insert("trace".to_owned(), json!(&*task.trace));
        }
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// What names the trace, who labelled it and how; for every format.
fn facts(export: &Export, at: usize, kept: &KeptLabel) -> Map<String, Json> {
    let (task, (rubric, number)) = (&export.tasks[at], export.rubric(kept));
    let mut line = Map::new();
    let mut put = |name: &str, value: Json| drop(line.insert(name.to_owned(), value));
    put("project", json!(export.project.name));
    put("rubric", json!(rubric.id));
    put("rubric_number", json!(number));
    put("rubric_version", json!(kept.rubric));
    put("item_id", json!(task.key.item_id));
    put("method", json!(task.key.method));
    put("sample", json!(task.key.sample));
    put("seed", json!(task.key.seed));
    put("trace_text", json!(task.key.text));
    put("annotator", json!(kept.author.name));
    put("adjudicated", json!(kept.author.adjudicator));
    put("saved", json!(kept.label.saved()));
    put("skipped", json!(is_set(kept, &Field::Skip)));
    put("flagged", json!(is_set(kept, &Field::Flag)));
    put("revealed", json!(is_set(kept, &Field::Revealed)));
    put("blind", json!(!kept.label.unblinded));
    put("changed_ms", json!(kept.changed_ms));
    put("saved_ms", json!(kept.saved_ms));
    put("note", json!(kept.label.note()));
    line
}

/// The columns of a table, with those of every question that any rubric version of these labels has.
pub fn columns(export: &Export) -> Vec<Column> {
    use ColumnKind::{Bool, Number, Text};
    let fixed = [
        ("project", Text),
        ("rubric", Text),
        ("rubric_number", Number),
        ("rubric_version", Text),
        ("item_id", Text),
        ("method", Text),
        ("sample", Number),
        ("seed", Number),
        ("trace_text", Text),
        ("annotator", Text),
        ("adjudicated", Bool),
        ("saved", Bool),
        ("skipped", Bool),
        ("flagged", Bool),
        ("revealed", Bool),
        ("blind", Bool),
        ("changed_ms", Number),
        ("saved_ms", Number),
        ("note", Text),
    ];
    let mut columns: Vec<Column> =
        fixed.into_iter().map(|(name, kind)| Column { name: name.to_owned(), kind }).collect();
    let mut seen = BTreeSet::new();
    let own = std::iter::once(&export.project.rubric).chain(export.rubrics.values().map(|(r, _)| r));
    let used: BTreeSet<String> =
        export.labels.iter().flat_map(|(_, k)| export.answers(k).into_keys()).collect();
    for question in own.flat_map(|rubric| rubric.questions.iter().map(|q| q.id.clone())) {
        let asked_now = export.project.rubric.question(&question).is_some();
        if (asked_now || used.contains(&question)) && seen.insert(question.clone()) {
            columns.push(Column { name: answer_column(&question), kind: Text });
        }
    }
    if export.options.text {
        for name in ["perspective", "question", "output", "item", "trace"] {
            columns.push(Column { name: name.to_owned(), kind: Text });
        }
    }
    columns
}

/// The cells of a label, as many as there are columns; `Null` where there is nothing.
pub fn cells(export: &Export, columns: &[Column], at: usize, kept: &KeptLabel) -> Vec<Json> {
    let mut line = facts(export, at, kept);
    for (question, value) in export.answers(kept) {
        line.insert(answer_column(&question), json!(cell(&value)));
    }
    if export.options.text {
        let task = &export.tasks[at];
        line.insert("perspective".to_owned(), json!(task.item.perspective.name));
        line.insert("question".to_owned(), json!(task.item.text));
        line.insert("output".to_owned(), json!(task.trace.llm_output));
        line.insert("item".to_owned(), json!(json!(&*task.item).to_string()));
        line.insert("trace".to_owned(), json!(json!(&*task.trace).to_string()));
    }
    columns.iter().map(|c| line.remove(&c.name).unwrap_or(Json::Null)).collect()
}

/// An answer in one cell: several as a JSON list, "none" as `none`, so that an empty cell is "not answered".
fn cell(value: &Value) -> String {
    match value {
        Value::Nothing => NOTHING.to_owned(),
        Value::Choice(text) | Value::Text(text) => text.clone(),
        other => match other.plain() {
            Json::Bool(yes) => if yes { "yes" } else { "no" }.to_owned(),
            json => json.to_string(),
        },
    }
}

/// The cell of [`Value::Nothing`].
pub const NOTHING: &str = "(none)";

/// A table with a head line.
pub fn csv(export: &Export, out: &mut dyn Write) -> Result<(), csv::Error> {
    let columns = columns(export);
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(|c| c.name.as_str()))?;
    for (at, kept) in &export.labels {
        writer.write_record(cells(export, &columns, *at, kept).iter().map(|cell| match cell {
            Json::String(text) => text.clone(),
            Json::Null => String::new(),
            other => other.to_string(),
        }))?;
    }
    writer.flush()?;
    Ok(())
}
