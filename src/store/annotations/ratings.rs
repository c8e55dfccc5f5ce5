//! Labels of everybody: for agreement, adjudication and export.

use super::{AnnotationError, read_label};
use crate::{
    core::{
        annotation::{Author, Label, TaskId, ratings::Rated},
        check::TraceKey,
    },
    store::Library,
};

/// A label with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptLabel {
    pub task: TaskId,
    pub key: TraceKey,
    pub author: Author,
    pub label: Label,
    /// Version of the rubric of its last change.
    pub rubric: String,
    pub changed_ms: i64,
    pub saved_ms: Option<i64>,
}

impl Library {
    /// Every label of a project, by trace and author.
    pub fn labels(&self, project: i64) -> Result<Vec<KeptLabel>, AnnotationError> {
        type Raw = (i64, String, Author, String, bool, String, i64, Option<i64>);
        let read = || -> rusqlite::Result<Vec<Raw>> {
            let mut query = self.connection.prepare(
                "SELECT task, key, annotator, role, fields, unblinded, rubric, changed_ms, saved_ms
                 FROM label JOIN task ON task.id = task WHERE project = ? ORDER BY task, role, annotator",
            )?;
            let rows = query.query_map([project], |row| {
                let author = Author { name: row.get(2)?, adjudicator: row.get(3)? };
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    author,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                    row.get(8)?,
                ))
            })?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.fault(e))?;
        rows.into_iter()
            .map(|(task, key, author, fields, unblinded, rubric, changed_ms, saved_ms)| {
                let key = serde_json::from_str(&key).map_err(|e| self.damaged("a trace", e))?;
                let label = read_label(&fields, unblinded).map_err(|e| self.damaged("a label", e))?;
                Ok(KeptLabel { task: TaskId(task), key, author, label, rubric, changed_ms, saved_ms })
            })
            .collect()
    }

    /// The saved labels as ratings: answers that count under the rubric that each was made with.
    pub fn rated(&self, project: i64) -> Result<Vec<Rated>, AnnotationError> {
        let rubrics = self.rubrics()?;
        let saved = self.labels(project)?.into_iter().filter(|l| l.label.saved());
        Ok(saved
            .map(|kept| {
                let answers = kept.label.answers();
                let answers = match rubrics.get(&kept.rubric) {
                    Some((rubric, _)) => rubric.counted(&answers),
                    None => answers,
                };
                Rated {
                    task: kept.task,
                    trace: kept.key,
                    annotator: kept.author.name,
                    adjudicated: kept.author.adjudicator,
                    answers,
                    unblinded: kept.label.unblinded,
                    note: kept.label.note().to_owned(),
                }
            })
            .collect())
    }
}
