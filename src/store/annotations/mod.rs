//! Annotations in the library: projects, queues, labels, and the history that they come from.
//!
//! The history is append-only (the database itself refuses to change it); labels are its sum, kept beside it for
//! speed. Every act is one transaction, so an acknowledged answer survives `kill -9`. Nothing is retried here: a
//! failure says what is wrong, and the caller keeps the answer and tries again.
//!
//! | file | what |
//! | --- | --- |
//! | [`acts`] | one act in, one author's history and labels out |
//! | [`projects`] | projects, their traces, who labels what |
//! | [`ratings`] | saved labels of everybody, for agreement and export |
//! | [`merge`] | another machine's database |
//! | [`formats`] | JSON Lines, CSV, Parquet, Label Studio, Argilla, Potato |

pub mod acts;
pub mod formats;
pub mod merge;
pub mod projects;
pub mod ratings;

pub use acts::Kept;
pub use merge::{Conflict, MergeReport};
pub use projects::{NewProject, NewTask, Status};

use super::{Library, library::LibraryError};
use crate::core::annotation::{Label, RubricProblem};
use std::path::PathBuf;

/// The tables, as a step of the library's schema.
pub(super) const SCHEMA: &str = "
    CREATE TABLE rubric (
        version TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,
        text TEXT NOT NULL,
        added_ms INTEGER NOT NULL,
        UNIQUE (name, number)
    ) STRICT;
    CREATE TABLE project (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        created_ms INTEGER NOT NULL,
        rubric TEXT NOT NULL REFERENCES rubric (version),
        query TEXT NOT NULL
    ) STRICT;
    CREATE TABLE task (
        id INTEGER PRIMARY KEY,
        project INTEGER NOT NULL REFERENCES project (id),
        key TEXT NOT NULL,
        item TEXT NOT NULL,
        trace TEXT NOT NULL,
        UNIQUE (project, key)
    ) STRICT;
    CREATE TABLE assignment (
        task INTEGER NOT NULL REFERENCES task (id),
        annotator TEXT NOT NULL,
        PRIMARY KEY (task, annotator)
    ) STRICT, WITHOUT ROWID;
    -- Who, when, before, after, rubric, blind or not. `role` is 1 for an adjudicator; `chain` is 0 for what another
    -- machine recorded while this one went on: history, but not part of what led to the label here.
    CREATE TABLE act (
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL UNIQUE,
        at_ms INTEGER NOT NULL,
        task INTEGER NOT NULL REFERENCES task (id),
        annotator TEXT NOT NULL,
        role INTEGER NOT NULL,
        kind TEXT NOT NULL,
        field TEXT NOT NULL,
        before TEXT,
        after TEXT,
        rubric TEXT NOT NULL REFERENCES rubric (version),
        blind INTEGER NOT NULL,
        chain INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX act_task ON act (task, annotator, role);
    CREATE TRIGGER act_is_never_changed BEFORE UPDATE ON act
        BEGIN SELECT RAISE (ABORT, 'the history of labels is append-only'); END;
    CREATE TRIGGER act_is_never_removed BEFORE DELETE ON act
        BEGIN SELECT RAISE (ABORT, 'the history of labels is append-only'); END;
    CREATE TABLE label (
        task INTEGER NOT NULL REFERENCES task (id),
        annotator TEXT NOT NULL,
        role INTEGER NOT NULL,
        fields TEXT NOT NULL,
        rubric TEXT NOT NULL REFERENCES rubric (version),
        unblinded INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,
        saved_ms INTEGER,
        PRIMARY KEY (task, annotator, role)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE place (
        project INTEGER NOT NULL REFERENCES project (id),
        annotator TEXT NOT NULL,
        role INTEGER NOT NULL,
        task INTEGER NOT NULL REFERENCES task (id),
        question TEXT NOT NULL,
        PRIMARY KEY (project, annotator, role)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE merge_conflict (
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        source TEXT NOT NULL,
        task INTEGER NOT NULL REFERENCES task (id),
        annotator TEXT NOT NULL,
        role INTEGER NOT NULL,
        field TEXT NOT NULL,
        ours TEXT,
        theirs TEXT,
        kept TEXT NOT NULL
    ) STRICT;
";

/// Why annotations cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum AnnotationError {
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error("{}: the disk is full; free some space and the answer is written", path.display())]
    Full { path: PathBuf },
    #[error("{}: the file cannot be written (read-only); change its permissions, or name another with --db", path.display())]
    ReadOnly { path: PathBuf },
    #[error("{}: locked by another program for too long; end what holds it and the answer is written", path.display())]
    Locked { path: PathBuf },
    /// The label is not what it was when the act was made.
    #[error("somebody else with the name {annotator} changed this label meanwhile; it was read again")]
    Stale { annotator: String },
    #[error("there is no project `{wanted}`; {known}")]
    NoProject { wanted: String, known: String },
    #[error("there is no annotation project yet; `pluriscope annotations init NAME traces.jsonl` makes one")]
    NoProjects,
    #[error("several projects are here ({known}); name one with --project")]
    SeveralProjects { known: String },
    #[error("a project `{0}` is here already; choose another name, or add to it with `annotations assign`")]
    ProjectExists(String),
    #[error(
        "`{annotator}` has no queue in `{project}`, which is for {known}; `pluriscope annotations assign {project} --annotators {annotator}` makes one"
    )]
    NoQueue { annotator: String, project: String, known: String },
    #[error("{}: {}", path.display(), problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Rubric { path: PathBuf, problems: Vec<RubricProblem> },
    #[error("{}: {what} cannot be read: {reason}", path.display())]
    Damaged { path: PathBuf, what: &'static str, reason: String },
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
}

impl AnnotationError {
    /// Whether trying again can help.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            AnnotationError::Full { .. } | AnnotationError::ReadOnly { .. } | AnnotationError::Locked { .. }
        ) || matches!(
            self,
            AnnotationError::Library(LibraryError::Sqlite { .. } | LibraryError::Folder { .. })
        )
    }
}

impl Library {
    /// A database error in words that say what to do.
    fn fault(&self, source: rusqlite::Error) -> AnnotationError {
        use rusqlite::ErrorCode;
        let path = self.path().to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => AnnotationError::Full { path },
            Some(ErrorCode::ReadOnly) => AnnotationError::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => AnnotationError::Locked { path },
            _ => AnnotationError::Library(self.explain(source)),
        }
    }

    fn damaged(&self, what: &'static str, reason: impl ToString) -> AnnotationError {
        AnnotationError::Damaged { path: self.path().to_owned(), what, reason: reason.to_string() }
    }
}

/// A label's fields as they are kept: JSON by field name.
fn fields_json(label: &Label) -> Result<String, LibraryError> {
    Ok(serde_json::to_string(label.fields())?)
}

fn read_label(fields: &str, unblinded: bool) -> Result<Label, serde_json::Error> {
    Ok(Label::from_fields(serde_json::from_str(fields)?, unblinded))
}

#[cfg(test)]
mod tests;
