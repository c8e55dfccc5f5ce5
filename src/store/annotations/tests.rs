//! The store: acts, faults, queues, versions, merging.

use super::*;
use crate::core::{
    Item, Perspective, Trace,
    annotation::{
        Act, ActKind, Author, DEFAULT_RUBRIC, Field, Project, Rubric, Standing, TaskId, Value, Write,
    },
};
use rusqlite::Connection;
use std::path::Path;

fn rubric() -> Rubric {
    Rubric::parse(DEFAULT_RUBRIC).unwrap()
}

fn traces() -> Vec<(Item, Trace)> {
    let mut out = Vec::new();
    for situation in ["Reading a diary", "Ringing the bells"] {
        let item = Item::value("tests", Perspective::named("Right to privacy"), situation);
        for method in ["sft", "rlvr"] {
            let trace = Trace::new(&item, method.into(), format!("It is theirs. {method}.\nAnswer: B"));
            out.push((item.clone(), trace));
        }
    }
    out
}

fn fill(library: &mut Library, annotators: &[&str]) -> Project {
    let rubric = rubric();
    let id = library.new_project(&NewProject { name: "pilot", rubric: &rubric, query: "flips" }, 1).unwrap();
    let traces = traces();
    let people: Vec<String> = annotators.iter().map(|a| (*a).to_owned()).collect();
    let tasks: Vec<NewTask<'_>> =
        traces.iter().map(|(item, trace)| NewTask { item, trace, annotators: people.clone() }).collect();
    assert_eq!(library.add_tasks(id, &tasks).unwrap(), 4);
    assert_eq!(library.add_tasks(id, &tasks).unwrap(), 0, "nothing twice");
    library.project(None).unwrap()
}

fn write(project: &Project, who: &str, uid: &str, act: Act<TaskId>) -> Write {
    Write {
        project: project.id,
        author: Author::annotator(who),
        rubric: project.rubric.version.clone(),
        uid: uid.to_owned(),
        standing: Some(Standing { task: act.task, question: "perspective".to_owned() }),
        act: Some(act),
    }
}

fn answer(task: TaskId, before: Option<&str>, after: &str) -> Act<TaskId> {
    let choice = |v: &str| Value::Choice(v.to_owned());
    Act {
        task,
        kind: ActKind::Do,
        field: Field::Answer("supports".to_owned()),
        before: before.map(choice),
        after: Some(choice(after)),
        blind: true,
    }
}

fn save(task: TaskId) -> Act<TaskId> {
    Act {
        task,
        kind: ActKind::Do,
        field: Field::Saved,
        before: None,
        after: Some(Value::YesNo(true)),
        blind: true,
    }
}

fn open(path: &Path) -> Library {
    Library::open(path).unwrap()
}

#[test]
fn an_act_is_kept_once_with_label_history_and_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l.db");
    let mut library = open(&path);
    let project = fill(&mut library, &[]);
    let task = library.queue(&project, "ada").unwrap()[0].id;
    let first = write(&project, "ada", "u1", answer(task, None, "recorded"));
    library.keep(&first, 10).unwrap();
    library.keep(&first, 11).unwrap();
    let library = open(&path);
    let ada = Author::annotator("ada");
    let history = library.history(project.id, &ada).unwrap();
    assert_eq!(history.len(), 1, "tried again, kept once");
    assert_eq!((history[0].at_ms, history[0].rubric.as_str()), (10, project.rubric.version.as_str()));
    let label = library.label(task, &ada).unwrap().unwrap();
    assert_eq!(label.answer("supports"), Some(&Value::Choice("recorded".into())));
    let standing = library.standing(project.id, &ada).unwrap().unwrap();
    assert_eq!((standing.task, standing.question.as_str()), (task, "perspective"));
}

#[test]
fn the_history_cannot_be_changed() {
    let mut library = Library::in_memory().unwrap();
    let project = fill(&mut library, &[]);
    let task = library.tasks(project.id).unwrap()[0].id;
    library.keep(&write(&project, "ada", "u1", answer(task, None, "recorded")), 1).unwrap();
    for sql in ["UPDATE act SET after = NULL", "DELETE FROM act"] {
        let error = library.connection.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
    let orphan = library.connection.execute("INSERT INTO assignment VALUES (999, 'ada')", []);
    assert!(orphan.is_err(), "foreign keys hold");
}

#[test]
fn an_act_on_a_label_that_changed_meanwhile_is_refused() {
    let mut library = Library::in_memory().unwrap();
    let project = fill(&mut library, &[]);
    let task = library.tasks(project.id).unwrap()[0].id;
    library.keep(&write(&project, "ada", "u1", answer(task, None, "recorded")), 1).unwrap();
    let stale = library.keep(&write(&project, "ada", "u2", answer(task, None, "another")), 2).unwrap_err();
    assert!(matches!(stale, AnnotationError::Stale { .. }) && !stale.passes());
    // Another person's label of the same trace is another label.
    library.keep(&write(&project, "bo", "u3", answer(task, None, "another")), 3).unwrap();
}

#[test]
fn queues_are_personal_and_stable() {
    let mut library = Library::in_memory().unwrap();
    let project = fill(&mut library, &["ada", "bo"]);
    let queue = |library: &Library, who: &str| -> Vec<TaskId> {
        library.queue(&project, who).unwrap().iter().map(|t| t.id).collect()
    };
    assert_eq!(queue(&library, "ada").len(), 4);
    assert_eq!(queue(&library, "ada"), queue(&library, "ada"));
    let missing = library.queue(&project, "cy").unwrap_err().to_string();
    assert!(missing.contains("annotations assign pilot --annotators cy"), "{missing}");
    let items: Vec<_> = library.queue(&project, "ada").unwrap().iter().map(|t| t.key.item_id).collect();
    assert!(items[0] == items[1] && items[2] == items[3], "traces of one item stand together");
}

#[test]
fn a_changed_rubric_is_a_new_version_and_old_labels_keep_theirs() {
    let mut library = Library::in_memory().unwrap();
    let project = fill(&mut library, &[]);
    let task = library.tasks(project.id).unwrap()[0].id;
    library.keep(&write(&project, "ada", "u1", answer(task, None, "recorded")), 1).unwrap();
    let changed = Rubric::parse(&DEFAULT_RUBRIC.replace("no option", "none of them")).unwrap();
    library.set_rubric(project.id, &changed, 2).unwrap();
    let now = library.project(Some("pilot")).unwrap();
    assert_eq!((project.rubric_number, now.rubric_number), (1, 2));
    assert_eq!(library.labels(project.id).unwrap()[0].rubric, project.rubric.version);
    assert_eq!(library.rubrics().unwrap().len(), 2);
}

#[test]
fn faults_have_words_and_pass() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("l.db");
    let mut library = open(&path);
    let project = fill(&mut library, &[]);
    let task = library.tasks(project.id).unwrap()[0].id;
    let act = write(&project, "ada", "u1", answer(task, None, "recorded"));
    // Another program holds the file.
    library.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = library.keep(&act, 1).unwrap_err();
    assert!(matches!(locked, AnnotationError::Locked { .. }) && locked.passes(), "{locked}");
    other.execute_batch("ROLLBACK").unwrap();
    // The file may not be written.
    library.connection.pragma_update(None, "query_only", true).unwrap();
    let read_only = library.keep(&act, 1).unwrap_err();
    assert!(matches!(read_only, AnnotationError::ReadOnly { .. }) && read_only.passes(), "{read_only}");
    library.connection.pragma_update(None, "query_only", false).unwrap();
    // No page is left. (The size cannot go below what is there.)
    let mut long = act.clone();
    let note = Value::Text("n".repeat(100_000));
    long.act = Some(Act { field: Field::Note, after: Some(note), ..answer(task, None, "x") });
    library.connection.pragma_update_and_check(None, "max_page_count", 1, |_| Ok(())).unwrap();
    let full = library.keep(&long, 1).unwrap_err();
    assert!(matches!(full, AnnotationError::Full { .. }) && full.passes(), "{full}");
    library.connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(())).unwrap();
    // And when the trouble is over, it is kept.
    library.keep(&long, 1).unwrap();
    library.keep(&write(&project, "ada", "u2", answer(task, None, "recorded")), 2).unwrap();
    assert_eq!(library.history(project.id, &Author::annotator("ada")).unwrap().len(), 2);
}

#[test]
fn machines_merge_both_ways_and_list_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one.db"), dir.path().join("two.db"));
    let mut a = open(&one);
    let project = fill(&mut a, &["ada", "bo"]);
    drop(a);
    std::fs::copy(&one, &two).unwrap();
    let (mut a, mut b) = (open(&one), open(&two));
    let tasks: Vec<TaskId> = a.tasks(project.id).unwrap().iter().map(|t| t.id).collect();
    // Ada labels the first trace on both machines, differently; Bo the second on the other one only.
    a.keep(&write(&project, "ada", "a1", answer(tasks[0], None, "recorded")), 10).unwrap();
    a.keep(&write(&project, "ada", "a2", save(tasks[0])), 11).unwrap();
    b.keep(&write(&project, "ada", "b1", answer(tasks[0], None, "another")), 20).unwrap();
    b.keep(&write(&project, "ada", "b2", save(tasks[0])), 21).unwrap();
    b.keep(&write(&project, "bo", "b3", answer(tasks[1], None, "none")), 22).unwrap();
    let report = a.merge(&two, 100).unwrap();
    assert_eq!((report.acts, report.labels, report.conflicts.len()), (3, 2, 1), "{report:?}");
    let conflict = &report.conflicts[0];
    assert_eq!((conflict.field.as_str(), conflict.kept.as_str()), ("supports", "theirs"), "the later one");
    let again = a.merge(&two, 101).unwrap();
    assert_eq!((again.acts, again.conflicts.len()), (0, 0), "a second time changes nothing");
    assert_eq!(a.conflicts().unwrap(), report.conflicts);
    let back = b.merge(&one, 102).unwrap();
    assert!(back.conflicts.is_empty(), "{back:?}");
    let labels = |l: &Library| -> Vec<_> {
        l.labels(project.id).unwrap().into_iter().map(|k| (k.task, k.author, k.label)).collect()
    };
    assert_eq!(labels(&a), labels(&b));
    // The whole history of both is on both, and what led to the label replays to it.
    assert_eq!(a.whole_history(project.id).unwrap().len(), b.whole_history(project.id).unwrap().len());
    for library in [&a, &b] {
        let ada = Author::annotator("ada");
        let mut sum = Label::default();
        let history = library.history(project.id, &ada).unwrap();
        history.iter().filter(|k| k.act.task == tasks[0]).for_each(|k| sum.apply(&k.act));
        assert_eq!(Some(sum), library.label(tasks[0], &ada).unwrap());
    }
}

#[test]
fn files_that_cannot_be_merged_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut library = Library::in_memory().unwrap();
    let gone = library.merge(&dir.path().join("gone.db"), 1).unwrap_err().to_string();
    assert!(gone.contains("no such file"), "{gone}");
    let newer = dir.path().join("newer.db");
    drop(open(&newer));
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(library.merge(&newer, 1).unwrap_err().to_string().contains("newer Pluriscope"));
    let text = dir.path().join("text.db");
    std::fs::write(&text, "not a database, and long enough to be looked at".repeat(20)).unwrap();
    assert!(library.merge(&text, 1).is_err());
}
