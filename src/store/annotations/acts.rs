//! Acts: one transaction each, checked against what the label holds, and read back as history.

use super::{AnnotationError, fields_json, read_label};
use crate::{
    core::annotation::{Act, ActKind, Author, Field, Label, Standing, TaskId, Value, Write},
    store::Library,
};
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

/// An act as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub uid: String,
    pub at_ms: i64,
    pub author: Author,
    pub act: Act<TaskId>,
    pub rubric: String,
    /// Whether it led to the label here, or was only recorded elsewhere.
    pub chain: bool,
}

impl Library {
    /// Keeps an act and the place in one transaction. Returns when it is on the disk.
    pub fn keep(&mut self, write: &Write, at_ms: i64) -> Result<(), AnnotationError> {
        let result = self.write(write, at_ms);
        result.map_err(|error| match error {
            Refused::Stale => AnnotationError::Stale { annotator: write.author.name.clone() },
            Refused::Json(error) => AnnotationError::Library(error.into()),
            Refused::Sqlite(error) => self.fault(error),
        })
    }

    fn write(&mut self, write: &Write, at_ms: i64) -> Result<(), Refused> {
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(act) = &write.act
            && !knows(&change, &write.uid)?
        {
            let mut label = label_in(&change, act.task, &write.author)?;
            if label.get(&act.field) != act.before.as_ref() {
                return Err(Refused::Stale);
            }
            let kept = Kept {
                uid: write.uid.clone(),
                at_ms,
                author: write.author.clone(),
                act: act.clone(),
                rubric: write.rubric.clone(),
                chain: true,
            };
            insert(&change, &kept)?;
            label.apply(act);
            put_label(&change, act.task, &write.author, &label, &write.rubric, at_ms)?;
        }
        if let Some(standing) = &write.standing {
            change.execute(
                "INSERT INTO place (project, annotator, role, task, question) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET task = excluded.task, question = excluded.question",
                params![
                    write.project,
                    write.author.name,
                    write.author.adjudicator,
                    standing.task.0,
                    standing.question
                ],
            )?;
        }
        change.commit()?;
        Ok(())
    }

    /// The label of one author on one trace.
    pub fn label(&self, task: TaskId, author: &Author) -> Result<Option<Label>, AnnotationError> {
        let row = self
            .connection
            .query_row(
                "SELECT fields, unblinded FROM label WHERE task = ? AND annotator = ? AND role = ?",
                params![task.0, author.name, author.adjudicator],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
            )
            .optional()
            .map_err(|e| self.fault(e))?;
        row.map(|(fields, unblinded)| read_label(&fields, unblinded))
            .transpose()
            .map_err(|e| self.damaged("a label", e))
    }

    /// The acts of one author in a project that led to their labels, oldest first.
    pub fn history(&self, project: i64, author: &Author) -> Result<Vec<Kept>, AnnotationError> {
        self.acts(
            "WHERE chain = 1 AND annotator = ?2 AND role = ?3 AND task IN (SELECT id FROM task WHERE project = ?1)
             ORDER BY id",
            params![project, author.name, author.adjudicator],
        )
    }

    /// Every act of a project, of everybody, oldest first.
    pub fn whole_history(&self, project: i64) -> Result<Vec<Kept>, AnnotationError> {
        self.acts("WHERE task IN (SELECT id FROM task WHERE project = ?1) ORDER BY id", params![project])
    }

    fn acts(&self, filter: &str, values: impl rusqlite::Params) -> Result<Vec<Kept>, AnnotationError> {
        let read = || -> rusqlite::Result<Vec<Kept>> {
            let mut query = self.connection.prepare(&format!("SELECT {COLUMNS} FROM act {filter}"))?;
            let rows = query.query_map(values, read_act)?;
            rows.collect()
        };
        read().map_err(|e| match e {
            rusqlite::Error::FromSqlConversionFailure(_, _, reason) => self.damaged("an act", reason),
            other => self.fault(other),
        })
    }

    /// Where an author stopped in a project.
    pub fn standing(&self, project: i64, author: &Author) -> Result<Option<Standing>, AnnotationError> {
        self.connection
            .query_row(
                "SELECT task, question FROM place WHERE project = ? AND annotator = ? AND role = ?",
                params![project, author.name, author.adjudicator],
                |row| Ok(Standing { task: TaskId(row.get(0)?), question: row.get(1)? }),
            )
            .optional()
            .map_err(|e| self.fault(e))
    }
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the label changed meanwhile")]
    Stale,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

const COLUMNS: &str = "uid, at_ms, task, annotator, role, kind, field, before, after, rubric, blind, chain";

/// A row of [`COLUMNS`].
pub(super) fn read_act(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let wrong = |column: usize, reason: String| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, reason.into())
    };
    let value = |column: usize| -> rusqlite::Result<Option<Value>> {
        let text: Option<String> = row.get(column)?;
        text.map(|t| serde_json::from_str(&t)).transpose().map_err(|e| wrong(column, e.to_string()))
    };
    let kind: String = row.get(5)?;
    let field: String = row.get(6)?;
    Ok(Kept {
        uid: row.get(0)?,
        at_ms: row.get(1)?,
        author: Author { name: row.get(3)?, adjudicator: row.get(4)? },
        act: Act {
            task: TaskId(row.get(2)?),
            kind: ActKind::from_word(&kind).ok_or_else(|| wrong(5, format!("`{kind}` is no kind of act")))?,
            field: field.parse::<Field>().map_err(|e| wrong(6, e))?,
            before: value(7)?,
            after: value(8)?,
            blind: row.get(10)?,
        },
        rubric: row.get(9)?,
        chain: row.get(11)?,
    })
}

/// The columns that [`read_act`] reads.
pub(super) fn columns() -> &'static str {
    COLUMNS
}

fn knows(change: &Transaction<'_>, uid: &str) -> rusqlite::Result<bool> {
    let found = change.query_row("SELECT 1 FROM act WHERE uid = ?", [uid], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

pub(super) fn insert(change: &Transaction<'_>, kept: &Kept) -> Result<(), Refused> {
    let json = |value: &Option<Value>| value.as_ref().map(serde_json::to_string).transpose();
    let act = &kept.act;
    change.execute(
        &format!("INSERT INTO act ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        params![
            kept.uid,
            kept.at_ms,
            act.task.0,
            kept.author.name,
            kept.author.adjudicator,
            act.kind.word(),
            act.field.to_string(),
            json(&act.before)?,
            json(&act.after)?,
            kept.rubric,
            act.blind,
            kept.chain
        ],
    )?;
    Ok(())
}

pub(super) fn label_in(change: &Transaction<'_>, task: TaskId, author: &Author) -> Result<Label, Refused> {
    let row = change
        .query_row(
            "SELECT fields, unblinded FROM label WHERE task = ? AND annotator = ? AND role = ?",
            params![task.0, author.name, author.adjudicator],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
        )
        .optional()?;
    Ok(row.map(|(fields, unblinded)| read_label(&fields, unblinded)).transpose()?.unwrap_or_default())
}

pub(super) fn put_label(
    change: &Transaction<'_>,
    task: TaskId,
    author: &Author,
    label: &Label,
    rubric: &str,
    at_ms: i64,
) -> Result<(), Refused> {
    let fields = fields_json(label).map_err(|error| match error {
        crate::store::library::LibraryError::Json(error) => Refused::Json(error),
        _ => Refused::Stale,
    })?;
    change.execute(
        "INSERT INTO label (task, annotator, role, fields, rubric, unblinded, changed_ms, saved_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, CASE WHEN ?8 THEN ?7 END)
         ON CONFLICT DO UPDATE SET fields = ?4, rubric = ?5, unblinded = ?6, changed_ms = ?7,
            saved_ms = CASE WHEN ?8 THEN coalesce(saved_ms, ?7) END",
        params![
            task.0,
            author.name,
            author.adjudicator,
            fields,
            rubric,
            label.unblinded,
            at_ms,
            label.saved()
        ],
    )?;
    Ok(())
}
