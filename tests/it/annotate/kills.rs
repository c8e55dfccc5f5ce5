//! `kill -9` in the middle of it: two processes label one file, are killed again and again, and every answer that was
//! acknowledged is there afterwards.
//!
//! The labelling process is this test binary, started again with the database in its environment. It reports each act
//! after the library has acknowledged it. The parent kills it after a number of reports that a seed decides, while it
//! is on its way to the next act. `PLURISCOPE_KILLS` sets how often (24 by default).

use super::bench::library;
use pluriscope::{
    core::annotation::{Act, ActKind, Author, Field, Value, Write},
    store::Library,
};
use rand::{Rng, SeedableRng};
use std::{
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

const DATABASE: &str = "PLURISCOPE_TEST_LABEL_DATABASE";
const NAME: &str = "PLURISCOPE_TEST_LABEL_NAME";
const RUN: &str = "PLURISCOPE_TEST_LABEL_RUN";

/// The labelling process. Does nothing as a test of its own.
#[test]
fn labeller() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let (name, run) = (std::env::var(NAME).unwrap(), std::env::var(RUN).unwrap());
    let mut library = Library::open(Path::new(&database)).unwrap();
    let project = library.project(None).unwrap();
    let author = Author::annotator(&name);
    let tasks: Vec<_> = library.queue(&project, &name).unwrap().iter().map(|t| t.id).collect();
    for number in 0.. {
        let task = tasks[number % tasks.len()];
        let field = Field::Answer(["supports", "perspective", "post_hoc"][number % 3].to_owned());
        let before = library.label(task, &author).unwrap().and_then(|l| l.get(&field).cloned());
        let uid = format!("{name}-{run}-{number}");
        let act = Act {
            task,
            kind: ActKind::Do,
            field,
            before,
            after: Some(Value::Text(uid.clone())),
            blind: true,
        };
        let write = Write {
            project: project.id,
            author: author.clone(),
            rubric: project.rubric.version.clone(),
            uid: uid.clone(),
            act: Some(act),
            standing: None,
        };
        library.keep(&write, number as i64).unwrap();
        println!("acknowledged {uid}");
        std::io::stdout().flush().unwrap();
    }
}

fn start(database: &Path, name: &str, run: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "annotate::kills::labeller", "--nocapture", "--test-threads=1"])
        .env(DATABASE, database)
        .env(NAME, name)
        .env(RUN, run.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets somebody label and be killed, over and over; returns what was acknowledged.
fn label_and_kill(database: &Path, name: &str, kills: usize, seed: u64) -> Vec<String> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut acknowledged = Vec::new();
    for run in 0..kills {
        let mut child = start(database, name, run);
        let wanted = rng.random_range(1..25);
        let mut seen = 0;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines {
            let Ok(line) = line else { break };
            // The first line may follow the harness's own words.
            if let Some((_, uid)) = line.split_once("acknowledged ") {
                acknowledged.push(uid.to_owned());
                seen += 1;
                if seen == wanted {
                    // SIGKILL on Unix.
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(seen >= wanted, "{name} ended by itself after {seen} of {wanted}");
    }
    acknowledged
}

#[test]
fn every_acknowledged_answer_survives_kills() {
    let kills = std::env::var("PLURISCOPE_KILLS").ok().and_then(|k| k.parse().ok()).unwrap_or(24);
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("labels.db");
    drop(library(&database));
    let people = ["ada", "bo"];
    let acknowledged: Vec<(&str, Vec<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let database = &database;
                (*name, scope.spawn(move || label_and_kill(database, name, kills / 2, 7 + i as u64)))
            })
            .collect();
        threads.into_iter().map(|(name, thread)| (name, thread.join().unwrap())).collect()
    });
    let library = Library::open(&database).unwrap();
    let project = library.project(None).unwrap();
    let mut total = 0;
    for (name, uids) in &acknowledged {
        let author = Author::annotator(name);
        let history = library.history(project.id, &author).unwrap();
        let kept: std::collections::HashSet<&str> = history.iter().map(|k| k.uid.as_str()).collect();
        let lost: Vec<&String> = uids.iter().filter(|uid| !kept.contains(uid.as_str())).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?} of {}", uids.len());
        total += uids.len();
        // Labels are the sum of their history, and the history is unbroken.
        let mut sums = std::collections::HashMap::new();
        for kept in &history {
            let label: &mut pluriscope::core::annotation::Label = sums.entry(kept.act.task).or_default();
            assert_eq!(label.get(&kept.act.field), kept.act.before.as_ref());
            label.apply(&kept.act);
        }
        for (task, label) in sums {
            assert_eq!(library.label(task, &author).unwrap().unwrap(), label);
        }
    }
    let whole: String = rusqlite::Connection::open(&database)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
    eprintln!("{total} acknowledged answers of {} people survived {kills} kills", people.len());
}
