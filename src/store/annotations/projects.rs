//! Projects: a rubric, traces to label, and who labels which.

use super::{AnnotationError, acts::Refused};
use crate::{
    core::{
        Item, ItemId, Trace,
        annotation::{Author, Project, Rubric, Task, TaskId, order},
        check::TraceKey,
    },
    store::Library,
};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// A project to be made.
#[derive(Clone, Debug)]
pub struct NewProject<'a> {
    pub name: &'a str,
    pub rubric: &'a Rubric,
    pub query: &'a str,
}

/// A trace to be added, and who labels it; nobody named means everybody.
#[derive(Clone, Debug)]
pub struct NewTask<'a> {
    pub item: &'a Item,
    pub trace: &'a Trace,
    pub annotators: Vec<String>,
}

/// How far one author is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub annotator: String,
    pub adjudicator: bool,
    pub assigned: usize,
    pub saved: usize,
    pub skipped: usize,
    pub flagged: usize,
    pub unblinded: usize,
    /// Milliseconds since 1970 of the last change.
    pub last_ms: Option<i64>,
}

impl Library {
    /// Makes a project.
    pub fn new_project(&mut self, new: &NewProject<'_>, at_ms: i64) -> Result<i64, AnnotationError> {
        let make = |change: &Transaction<'_>| -> Result<Option<i64>, Refused> {
            let there: Option<i64> = change
                .query_row("SELECT id FROM project WHERE name = ?", [new.name], |row| row.get(0))
                .optional()?;
            if there.is_some() {
                return Ok(None);
            }
            keep_rubric(change, new.rubric, at_ms)?;
            change.execute(
                "INSERT INTO project (name, created_ms, rubric, query) VALUES (?, ?, ?, ?)",
                params![new.name, at_ms, new.rubric.version, new.query],
            )?;
            Ok(Some(change.last_insert_rowid()))
        };
        self.change(make)?.ok_or_else(|| AnnotationError::ProjectExists(new.name.to_owned()))
    }

    /// Gives a project another version of its rubric. Labels keep the one that they were made with.
    pub fn set_rubric(&mut self, project: i64, rubric: &Rubric, at_ms: i64) -> Result<(), AnnotationError> {
        self.change(|change| {
            keep_rubric(change, rubric, at_ms)?;
            change.execute("UPDATE project SET rubric = ? WHERE id = ?", params![rubric.version, project])?;
            Ok(())
        })
    }

    /// Adds traces; those that are there already only get the new annotators. Returns how many were new.
    pub fn add_tasks(&mut self, project: i64, tasks: &[NewTask<'_>]) -> Result<usize, AnnotationError> {
        self.change(|change| {
            let mut added = 0;
            for task in tasks {
                let key = serde_json::to_string(&TraceKey::of(task.trace))?;
                added += change.execute(
                    "INSERT INTO task (project, key, item, trace) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    params![
                        project,
                        key,
                        serde_json::to_string(task.item)?,
                        serde_json::to_string(task.trace)?
                    ],
                )?;
                for annotator in &task.annotators {
                    change.execute(
                        "INSERT INTO assignment (task, annotator)
                         SELECT id, ?3 FROM task WHERE project = ?1 AND key = ?2 ON CONFLICT DO NOTHING",
                        params![project, key, annotator],
                    )?;
                }
            }
            Ok(added)
        })
    }

    /// Puts traces of a project into queues.
    pub fn assign(&mut self, assigned: &[(TaskId, String)]) -> Result<usize, AnnotationError> {
        self.change(|change| {
            let mut added = 0;
            for (task, annotator) in assigned {
                added += change.execute(
                    "INSERT INTO assignment (task, annotator) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    params![task.0, annotator],
                )?;
            }
            Ok(added)
        })
    }

    /// One transaction over `work`.
    pub(super) fn change<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Refused>,
    ) -> Result<T, AnnotationError> {
        let result = (|| {
            let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&change)?;
            change.commit()?;
            Ok(value)
        })();
        result.map_err(|error| match error {
            Refused::Sqlite(error) => self.fault(error),
            Refused::Json(error) => AnnotationError::Library(error.into()),
            Refused::Stale => self.damaged("the library", "it changed meanwhile"),
        })
    }

    /// All projects, oldest first.
    pub fn projects(&self) -> Result<Vec<Project>, AnnotationError> {
        type Raw = (i64, String, i64, String, String, i64);
        let read = || -> rusqlite::Result<Vec<Raw>> {
            let mut query = self.connection.prepare(
                "SELECT project.id, project.name, created_ms, query, text, number
                 FROM project JOIN rubric ON rubric.version = project.rubric ORDER BY project.id",
            )?;
            let rows = query.query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.fault(e))?;
        rows.into_iter()
            .map(|(id, name, created_ms, query, text, rubric_number)| {
                let rubric = Arc::new(self.read_rubric(&text)?);
                Ok(Project { id, name, created_ms, rubric, rubric_number, query })
            })
            .collect()
    }

    /// The project of this name, or the only one.
    pub fn project(&self, name: Option<&str>) -> Result<Project, AnnotationError> {
        let mut projects = self.projects()?;
        let known = projects.iter().map(|p| p.name.clone()).collect::<Vec<_>>().join(", ");
        match name {
            _ if projects.is_empty() => Err(AnnotationError::NoProjects),
            Some(name) => match projects.iter().position(|p| p.name == name) {
                Some(at) => Ok(projects.swap_remove(at)),
                None => Err(AnnotationError::NoProject {
                    wanted: name.to_owned(),
                    known: format!("there are {known}"),
                }),
            },
            None if projects.len() > 1 => Err(AnnotationError::SeveralProjects { known }),
            None => Ok(projects.swap_remove(0)),
        }
    }

    pub(super) fn read_rubric(&self, text: &str) -> Result<Rubric, AnnotationError> {
        Rubric::parse(text).map_err(|problems| {
            let reason = problems.first().map_or_else(String::new, ToString::to_string);
            self.damaged("a kept rubric", reason)
        })
    }

    /// All rubrics by version.
    pub fn rubrics(&self) -> Result<BTreeMap<String, (Arc<Rubric>, i64)>, AnnotationError> {
        let read = || -> rusqlite::Result<Vec<(String, String, i64)>> {
            let mut query = self.connection.prepare("SELECT version, text, number FROM rubric")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.fault(e))?;
        rows.into_iter()
            .map(|(version, text, number)| Ok((version, (Arc::new(self.read_rubric(&text)?), number))))
            .collect()
    }

    /// Every trace of a project, in the order in which they were added.
    pub fn tasks(&self, project: i64) -> Result<Vec<Task>, AnnotationError> {
        self.read_tasks("WHERE project = ? ORDER BY id", params![project])
    }

    /// The queue of an annotator: shuffled for them, traces of one item together. Where nobody was assigned at all,
    /// everybody labels everything.
    pub fn queue(&self, project: &Project, annotator: &str) -> Result<Vec<Task>, AnnotationError> {
        let known = self.annotators(project.id)?;
        let mut tasks = if known.is_empty() {
            self.tasks(project.id)?
        } else {
            self.read_tasks(
                "WHERE project = ? AND id IN (SELECT task FROM assignment WHERE annotator = ?)",
                params![project.id, annotator],
            )?
        };
        if tasks.is_empty() && !known.is_empty() {
            return Err(AnnotationError::NoQueue {
                annotator: annotator.to_owned(),
                project: project.name.clone(),
                known: known.join(", "),
            });
        }
        in_order(&mut tasks, annotator);
        Ok(tasks)
    }

    /// Everybody who was assigned something.
    pub fn annotators(&self, project: i64) -> Result<Vec<String>, AnnotationError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut query = self.connection.prepare(
                "SELECT DISTINCT annotator FROM assignment JOIN task ON task.id = task
                 WHERE project = ? ORDER BY annotator",
            )?;
            query.query_map([project], |row| row.get(0))?.collect()
        };
        read().map_err(|e| self.fault(e))
    }

    /// Who has which traces in their queue.
    pub fn assignments(&self, project: i64) -> Result<Vec<(TaskId, String)>, AnnotationError> {
        let read = || -> rusqlite::Result<Vec<(TaskId, String)>> {
            let mut query = self.connection.prepare(
                "SELECT task, annotator FROM assignment WHERE task IN (SELECT id FROM task WHERE project = ?)",
            )?;
            query.query_map([project], |row| Ok((TaskId(row.get(0)?), row.get(1)?)))?.collect()
        };
        read().map_err(|e| self.fault(e))
    }

    fn read_tasks(&self, filter: &str, values: impl rusqlite::Params) -> Result<Vec<Task>, AnnotationError> {
        let read = || -> rusqlite::Result<Vec<(i64, String, String, String)>> {
            let mut query =
                self.connection.prepare(&format!("SELECT id, key, item, trace FROM task {filter}"))?;
            let rows =
                query.query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.fault(e))?;
        let mut items: BTreeMap<ItemId, Arc<Item>> = BTreeMap::new();
        rows.into_iter()
            .map(|(id, key, item, trace)| {
                let key: TraceKey = serde_json::from_str(&key).map_err(|e| self.damaged("a trace", e))?;
                let item = match items.get(&key.item_id) {
                    Some(item) => Arc::clone(item),
                    None => {
                        let item: Item =
                            serde_json::from_str(&item).map_err(|e| self.damaged("an item", e))?;
                        let item = Arc::new(item);
                        items.insert(key.item_id, Arc::clone(&item));
                        item
                    }
                };
                let trace = serde_json::from_str(&trace).map_err(|e| self.damaged("a trace", e))?;
                Ok(Task { id: TaskId(id), key, item, trace: Arc::new(trace) })
            })
            .collect()
    }

    /// How far everybody is: those with a queue, and those who labelled without one.
    pub fn status(&self, project: i64) -> Result<Vec<Status>, AnnotationError> {
        let mut by_author: BTreeMap<(bool, String), Status> = BTreeMap::new();
        let empty = |author: &Author| Status {
            annotator: author.name.clone(),
            adjudicator: author.adjudicator,
            assigned: 0,
            saved: 0,
            skipped: 0,
            flagged: 0,
            unblinded: 0,
            last_ms: None,
        };
        let key = |author: &Author| (author.adjudicator, author.name.clone());
        for (_, annotator) in self.assignments(project)? {
            let author = Author::annotator(&annotator);
            by_author.entry(key(&author)).or_insert_with(|| empty(&author)).assigned += 1;
        }
        for kept in self.labels(project)? {
            let status = by_author.entry(key(&kept.author)).or_insert_with(|| empty(&kept.author));
            status.saved += usize::from(kept.label.saved());
            status.skipped += usize::from(kept.label.skipped() && !kept.label.saved());
            status.flagged += usize::from(kept.label.flagged());
            status.unblinded += usize::from(kept.label.unblinded && kept.label.saved());
            status.last_ms = status.last_ms.max(Some(kept.changed_ms));
        }
        Ok(by_author.into_values().collect())
    }
}

/// Puts traces into the order of one person: items shuffled, the traces of an item together and shuffled.
pub fn in_order(tasks: &mut [Task], annotator: &str) {
    tasks.sort_by_cached_key(|task| {
        let item = task.key.item_id;
        (order::queue_rank(annotator, item), item, order::column_rank(annotator, &task.key))
    });
}

/// Keeps a rubric under the next number of its name, where this version is not there yet.
pub(super) fn keep_rubric(change: &Transaction<'_>, rubric: &Rubric, at_ms: i64) -> rusqlite::Result<()> {
    change.execute(
        "INSERT INTO rubric (version, name, number, text, added_ms)
         VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM rubric WHERE name = ?2), ?3, ?4)
         ON CONFLICT (version) DO NOTHING",
        params![rubric.version, rubric.id, rubric.source, at_ms],
    )?;
    Ok(())
}

/// Reads a rubric file.
pub fn rubric_file(path: &Path) -> Result<Rubric, AnnotationError> {
    let file = |reason: String| AnnotationError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| file(e.to_string()))?;
    Rubric::parse(&text).map_err(|problems| AnnotationError::Rubric { path: path.to_owned(), problems })
}
