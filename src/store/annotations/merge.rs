//! Another machine's database: everything that is not here comes over, and what was labelled differently on both is
//! listed. Merging the same file twice changes nothing the second time; merging both ways gives both the same labels.

use super::{
    AnnotationError, Kept,
    acts::{Refused, columns, insert, label_in, put_label, read_act},
    read_label,
};
use crate::{
    core::annotation::{Act, ActKind, Author, Field, Label, TaskId, Value},
    store::{
        Library,
        library::{LibraryError, VERSION},
    },
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

/// What one field of one label was on both machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflict {
    pub project: String,
    pub item_id: String,
    pub method: String,
    pub annotator: String,
    pub adjudicator: bool,
    pub field: String,
    pub ours: Option<Value>,
    pub theirs: Option<Value>,
    /// `ours` or `theirs`: the label that was changed last.
    pub kept: String,
}

/// What came over.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MergeReport {
    pub projects: usize,
    pub traces: usize,
    pub acts: usize,
    /// Labels that changed here.
    pub labels: usize,
    pub conflicts: Vec<Conflict>,
    /// Projects of one name with different rubrics: the rubric here stays.
    pub rubrics_differ: Vec<String>,
}

impl Library {
    /// Takes over what `other` has and this library has not. `other` is only read.
    pub fn merge(&mut self, other: &Path, at_ms: i64) -> Result<MergeReport, AnnotationError> {
        let theirs = open_other(other)?;
        let source = other.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let read = read(&theirs).map_err(|e| match e {
            Refused::Sqlite(source) => LibraryError::Sqlite { path: other.to_owned(), source }.into(),
            other_error => AnnotationError::File { path: other.to_owned(), reason: other_error.to_string() },
        })?;
        self.change(|change| take_over(change, &read, &source, at_ms))
    }

    /// The conflicts of all merges so far, oldest first.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, AnnotationError> {
        let read = || -> rusqlite::Result<Vec<(String, String, Conflict)>> {
            let mut query = self.connection.prepare(
                "SELECT project.name, key, annotator, role, field, ours, theirs, kept, source FROM merge_conflict
                 JOIN task ON task.id = task JOIN project ON project.id = project ORDER BY merge_conflict.id",
            )?;
            let rows = query.query_map([], |row| {
                let value = |column| -> rusqlite::Result<Option<Value>> {
                    Ok(row.get::<_, Option<String>>(column)?.and_then(|t| serde_json::from_str(&t).ok()))
                };
                let conflict = Conflict {
                    project: row.get(0)?,
                    item_id: String::new(),
                    method: String::new(),
                    annotator: row.get(2)?,
                    adjudicator: row.get(3)?,
                    field: row.get(4)?,
                    ours: value(5)?,
                    theirs: value(6)?,
                    kept: row.get(7)?,
                };
                Ok((row.get(1)?, row.get(8)?, conflict))
            })?;
            rows.collect()
        };
        let rows = read().map_err(|e| self.fault(e))?;
        Ok(rows.into_iter().map(|(key, _, conflict)| named(&key, conflict)).collect())
    }
}

/// Puts item and method of a kept key into a conflict.
fn named(key: &str, conflict: Conflict) -> Conflict {
    match serde_json::from_str::<crate::core::check::TraceKey>(key) {
        Ok(key) => Conflict { item_id: key.item_id.to_string(), method: key.method.0, ..conflict },
        Err(_) => conflict,
    }
}

fn open_other(path: &Path) -> Result<Connection, AnnotationError> {
    if !path.exists() {
        return Err(AnnotationError::File {
            path: path.to_owned(),
            reason: "there is no such file".to_owned(),
        });
    }
    let sqlite = |source| AnnotationError::from(LibraryError::Sqlite { path: path.to_owned(), source });
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
    let version: Result<u32, _> = db.pragma_query_value(None, "user_version", |row| row.get(0));
    match version {
        Ok(found) if found == VERSION => Ok(db),
        Ok(found) if found > VERSION => {
            Err(LibraryError::Newer { path: path.to_owned(), found, known: VERSION }.into())
        }
        Ok(0) => Err(LibraryError::Foreign { path: path.to_owned() }.into()),
        Ok(_) => Err(AnnotationError::File {
            path: path.to_owned(),
            reason: "written by an older Pluriscope; run `pluriscope annotations status --db` on it once, which brings it up to date"
                .to_owned(),
        }),
        Err(source) if source.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(LibraryError::Foreign { path: path.to_owned() }.into())
        }
        Err(source) => Err(sqlite(source)),
    }
}

/// All of the other database that matters.
struct Theirs {
    rubrics: Vec<(String, String, String, i64)>,
    projects: Vec<(i64, String, i64, String, String)>,
    tasks: Vec<(i64, i64, String, String, String)>,
    assignments: Vec<(i64, String)>,
    acts: Vec<Kept>,
    labels: HashMap<(i64, Author), (Label, String, i64)>,
}

fn read(db: &Connection) -> Result<Theirs, Refused> {
    let mut labels = HashMap::new();
    let mut query =
        db.prepare("SELECT task, annotator, role, fields, unblinded, rubric, changed_ms FROM label")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let author = Author { name: row.get(1)?, adjudicator: row.get(2)? };
        let label = read_label(&row.get::<_, String>(3)?, row.get(4)?)?;
        labels.insert((row.get(0)?, author), (label, row.get(5)?, row.get(6)?));
    }
    let all = |sql: &str| db.prepare(sql);
    Ok(Theirs {
        rubrics: all("SELECT version, name, text, added_ms FROM rubric ORDER BY added_ms, number")?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?
            .collect::<Result<_, _>>()?,
        projects: all("SELECT id, name, created_ms, rubric, query FROM project ORDER BY id")?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))?
            .collect::<Result<_, _>>()?,
        tasks: all("SELECT id, project, key, item, trace FROM task ORDER BY id")?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))?
            .collect::<Result<_, _>>()?,
        assignments: all("SELECT task, annotator FROM assignment")?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<Result<_, _>>()?,
        acts: all(&format!("SELECT {} FROM act ORDER BY id", columns()))?
            .query_map([], read_act)?
            .collect::<Result<_, _>>()?,
        labels,
    })
}

fn take_over(
    change: &Transaction<'_>,
    theirs: &Theirs,
    source: &str,
    at_ms: i64,
) -> Result<MergeReport, Refused> {
    let mut report = MergeReport::default();
    for (version, name, text, added_ms) in &theirs.rubrics {
        change.execute(
            "INSERT INTO rubric (version, name, number, text, added_ms)
             VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM rubric WHERE name = ?2), ?3, ?4)
             ON CONFLICT (version) DO NOTHING",
            params![version, name, text, added_ms],
        )?;
    }
    let mut projects: HashMap<i64, (i64, String)> = HashMap::new();
    for (id, name, created_ms, rubric, query) in &theirs.projects {
        report.projects += change.execute(
            "INSERT INTO project (name, created_ms, rubric, query) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![name, created_ms, rubric, query],
        )?;
        let (here, own): (i64, String) =
            change.query_row("SELECT id, rubric FROM project WHERE name = ?", [name], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })?;
        if own != *rubric {
            report.rubrics_differ.push(name.clone());
        }
        projects.insert(*id, (here, name.clone()));
    }
    // Their number to ours, the project's name and the trace's key.
    let mut tasks: HashMap<i64, (TaskId, String, String)> = HashMap::new();
    for (id, project, key, item, trace) in &theirs.tasks {
        let Some((here, name)) = projects.get(project) else { continue };
        report.traces += change.execute(
            "INSERT INTO task (project, key, item, trace) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![here, key, item, trace],
        )?;
        let number = change.query_row(
            "SELECT id FROM task WHERE project = ? AND key = ?",
            params![here, key],
            |row| row.get(0),
        )?;
        tasks.insert(*id, (TaskId(number), name.clone(), key.clone()));
    }
    for (task, annotator) in &theirs.assignments {
        if let Some((here, ..)) = tasks.get(task) {
            change.execute(
                "INSERT INTO assignment (task, annotator) VALUES (?, ?) ON CONFLICT DO NOTHING",
                params![here.0, annotator],
            )?;
        }
    }
    // Acts by label, in the order in which they were made.
    let mut groups: BTreeMap<(i64, Author), Vec<&Kept>> = BTreeMap::new();
    for kept in &theirs.acts {
        groups.entry((kept.act.task.0, kept.author.clone())).or_default().push(kept);
    }
    // Their acts come in the order of time, over all labels: the steps to undo keep their order.
    let mut fresh: Vec<(&Kept, Kept)> = Vec::new();
    let mut touched = Vec::new();
    for ((task, author), acts) in &groups {
        let Some((here, project, key)) = tasks.get(task) else { continue };
        let own: BTreeSet<String> = change
            .prepare_cached("SELECT uid FROM act WHERE task = ? AND annotator = ? AND role = ?")?
            .query_map(params![here.0, author.name, author.adjudicator], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let new: Vec<&&Kept> = acts.iter().filter(|k| !own.contains(&k.uid)).collect();
        if new.is_empty() {
            continue;
        }
        let known: BTreeSet<&String> = acts.iter().map(|k| &k.uid).collect();
        let diverged = own.iter().any(|uid| !known.contains(uid));
        for kept in new {
            let mut copy = (**kept).clone();
            copy.act.task = *here;
            copy.chain &= !diverged;
            fresh.push((kept, copy));
        }
        touched.push((*task, *here, author, diverged, project, key));
    }
    fresh.sort_by_key(|(kept, _)| kept.at_ms);
    report.acts = fresh.len();
    for (_, copy) in &fresh {
        insert(change, copy)?;
    }
    for (task, here, author, diverged, project, key) in touched {
        let Some((label, rubric, changed_ms)) = theirs.labels.get(&(task, author.clone())) else { continue };
        let before = label_in(change, here, author)?;
        let own_changed: Option<i64> = change
            .query_row(
                "SELECT changed_ms FROM label WHERE task = ? AND annotator = ? AND role = ?",
                params![here.0, author.name, author.adjudicator],
                |row| row.get(0),
            )
            .optional()?;
        // The label that was changed last stays whole; at the same millisecond, the same one on both machines.
        let later = own_changed.is_none_or(|own| (*changed_ms, text_of(label)) > (own, text_of(&before)));
        let theirs_win = !diverged || later;
        let target = if theirs_win { label } else { &before };
        if diverged {
            for field in differing(&before, label) {
                let (ours, theirs) = (before.get(&field).cloned(), label.get(&field).cloned());
                let kept = if theirs_win { "theirs" } else { "ours" };
                change.execute(
                    "INSERT INTO merge_conflict (at_ms, source, task, annotator, role, field, ours, theirs, kept)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    params![
                        at_ms,
                        source,
                        here.0,
                        author.name,
                        author.adjudicator,
                        field.to_string(),
                        json(&ours)?,
                        json(&theirs)?,
                        kept
                    ],
                )?;
                let conflict = Conflict {
                    project: project.clone(),
                    item_id: String::new(),
                    method: String::new(),
                    annotator: author.name.clone(),
                    adjudicator: author.adjudicator,
                    field: field.to_string(),
                    ours,
                    theirs,
                    kept: kept.to_owned(),
                };
                report.conflicts.push(named(key, conflict));
            }
        }
        let mut target = target.clone();
        target.unblinded = before.unblinded || label.unblinded;
        close_chain(change, here, author, &target, rubric, *changed_ms)?;
        if target != before {
            let when = if theirs_win { *changed_ms } else { own_changed.unwrap_or(*changed_ms) };
            put_label(change, here, author, &target, rubric, when)?;
            report.labels += 1;
        }
    }
    Ok(report)
}

/// Adds what makes the history here end at the label: replayed, it gives exactly that.
fn close_chain(
    change: &Transaction<'_>,
    task: TaskId,
    author: &Author,
    target: &Label,
    rubric: &str,
    at_ms: i64,
) -> Result<(), Refused> {
    let mut sum = Label::default();
    let acts: Vec<Kept> = change
        .prepare_cached(&format!(
            "SELECT {} FROM act WHERE task = ? AND annotator = ? AND role = ? AND chain = 1 ORDER BY id",
            columns()
        ))?
        .query_map(params![task.0, author.name, author.adjudicator], read_act)?
        .collect::<Result<_, _>>()?;
    let last = acts.last().map_or_else(String::new, |k| k.uid.clone());
    acts.iter().for_each(|kept| sum.apply(&kept.act));
    for field in differing(&sum, target) {
        let mut hash = Sha256::new();
        for part in [last.as_str(), &field.to_string(), &author.name, &task.0.to_string(), &at_ms.to_string()]
        {
            hash.update(part.as_bytes());
            hash.update([0x1e]);
        }
        let uid: String = hash.finalize().iter().take(12).map(|b| format!("{b:02x}")).collect();
        let act = Act {
            task,
            kind: ActKind::Merge,
            before: sum.get(&field).cloned(),
            after: target.get(&field).cloned(),
            field,
            blind: true,
        };
        let kept = Kept {
            uid: format!("merge-{uid}"),
            at_ms,
            author: author.clone(),
            act,
            rubric: rubric.to_owned(),
            chain: true,
        };
        insert(change, &kept)?;
    }
    Ok(())
}

fn differing(one: &Label, other: &Label) -> Vec<Field> {
    let fields: BTreeSet<&Field> = one.fields().keys().chain(other.fields().keys()).collect();
    fields.into_iter().filter(|f| one.get(f) != other.get(f)).cloned().collect()
}

fn text_of(label: &Label) -> String {
    serde_json::to_string(label.fields()).unwrap_or_default()
}

fn json(value: &Option<Value>) -> Result<Option<String>, serde_json::Error> {
    value.as_ref().map(serde_json::to_string).transpose()
}
