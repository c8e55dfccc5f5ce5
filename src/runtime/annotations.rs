//! The annotation thread: one connection to the library, requests in order, an event for each. An answer is reported
//! as kept when its transaction is on the disk, never before.

use super::{
    keeper::Keeper,
    mailbox::{CAUGHT, Mailbox, catching, now},
};
use crate::{
    app::{
        Event,
        annotate::{Fault, Numbers, OpenDesk, Opened, Reply, Request},
    },
    config::Config,
    core::{
        annotation::{
            Author, DEFAULT_RUBRIC, Project, Rubric, Task, TaskId, checker,
            ratings::{Rated, aspects},
            report::{Confusion, confusion, disagreements, report},
        },
        check::{Record, TraceKey},
    },
    store::{
        Library,
        annotations::{AnnotationError, NewProject, NewTask, projects::in_order},
    },
};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

/// The project of traces that are labelled from the explorer.
const ON_THE_SPOT: &str = "explorer";
/// How long the database may be held by others before it counts as a failure that the screen shows.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts the thread. Counting agreement takes long over many labels: it has a thread and a
/// connection of its own, so that no answer waits for it.
pub(super) fn start(config: Arc<Config>, keep: bool, mailbox: Mailbox) -> std::io::Result<Keeper<Request>> {
    Keeper::start(&format!("{CAUGHT}annotations"), move |requests| {
        let mut library = None;
        while let Ok(request) = requests.recv() {
            let reply = match request {
                Request::Open(wanted) => Reply::Opened(
                    catching(|| with(&mut library, &config, |l| open(l, &wanted)).map_err(|e| e.to_string()))
                        .and_then(|opened| opened)
                        .map(Box::new),
                ),
                Request::Keep(write) => {
                    let at_ms = now();
                    let fault = |e: AnnotationError| Fault { passes: e.passes(), words: e.to_string() };
                    let kept = catching(|| match keep {
                        true => with(&mut library, &config, |l| l.keep(&write, at_ms)).map_err(fault),
                        false => Ok(()),
                    });
                    let kept = kept.unwrap_or_else(|words| Err(Fault { passes: false, words }));
                    Reply::Kept { uid: write.uid, result: kept.map(|()| at_ms) }
                }
                Request::Count { project, only } => {
                    let config = Arc::clone(&config);
                    let failed = |problem| Event::Annotate(Reply::Numbers(Err(problem)));
                    mailbox.spawn("counting", failed, move |mailbox| {
                        let numbers = with(&mut None, &config, |l| count(l, &project, only.as_deref()));
                        let numbers = numbers.map(Box::new).map_err(|e| e.to_string());
                        mailbox.send(Event::Annotate(Reply::Numbers(numbers)));
                    });
                    // What was owed for the request is owed by that thread now.
                    mailbox.settle();
                    continue;
                }
            };
            mailbox.answer(Event::Annotate(reply));
        }
    })
}

fn with<T>(
    place: &mut Option<Library>,
    config: &Config,
    work: impl FnOnce(&mut Library) -> Result<T, AnnotationError>,
) -> Result<T, AnnotationError> {
    let library = match place {
        Some(library) => library,
        None => {
            let library = Library::open(&config.database)?;
            library.set_patience(PATIENCE)?;
            place.insert(library)
        }
    };
    work(library)
}

/// The name that the system knows the user by.
pub fn user_name() -> String {
    ["PLURISCOPE_ANNOTATOR", "USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.trim().is_empty()))
        .unwrap_or_else(|| "annotator".to_owned())
}

/// The desk that is wanted, as it was left.
pub fn open(library: &mut Library, wanted: &OpenDesk) -> Result<Opened, AnnotationError> {
    let name = wanted.annotator.clone().unwrap_or_else(user_name);
    let author = Author { name, adjudicator: wanted.adjudicate };
    let (project, at) = if wanted.traces.is_empty() {
        (library.project(wanted.project.as_deref())?, None)
    } else {
        on_the_spot(library, wanted)?
    };
    let rated = library.rated(project.id)?;
    let tasks: Vec<Task> = if author.adjudicator {
        let disputed: HashSet<TaskId> =
            disagreements(&project.rubric, &rated).into_iter().map(|d| d.task).collect();
        let mut tasks = library.tasks(project.id)?;
        tasks.retain(|t| disputed.contains(&t.id));
        in_order(&mut tasks, &author.name);
        tasks
    } else {
        library.queue(&project, &author.name)?
    };
    let keys: HashSet<&TraceKey> = tasks.iter().map(|t| &t.key).collect();
    let (checks, _) = library.checks()?;
    let checks: Vec<Arc<Record>> =
        checks.into_iter().filter(|r| keys.contains(&r.trace)).map(Arc::new).collect();
    let mine: HashSet<TaskId> = tasks.iter().map(|t| t.id).collect();
    let others: Vec<Rated> = rated
        .into_iter()
        .filter(|r| {
            mine.contains(&r.task) && (r.annotator != author.name || r.adjudicated != author.adjudicator)
        })
        .collect();
    // A trace that is not in the queue any more keeps its history, out of the way.
    let history = library
        .history(project.id, &author)?
        .into_iter()
        .filter(|kept| mine.contains(&kept.act.task))
        .map(|kept| (kept.at_ms, kept.act))
        .collect();
    Ok(Opened {
        standing: library.standing(project.id, &author)?,
        blind: wanted.blind,
        tasks,
        history,
        others,
        checks,
        nonce: rand::random(),
        at,
        author,
        project,
    })
}

/// The explorer's own project, with these traces in it.
fn on_the_spot(
    library: &mut Library,
    wanted: &OpenDesk,
) -> Result<(Project, Option<TaskId>), AnnotationError> {
    let known = library.projects()?.into_iter().find(|p| p.name == ON_THE_SPOT);
    let id = match known {
        Some(project) => project.id,
        None => {
            let rubric = Rubric::parse(DEFAULT_RUBRIC)
                .map_err(|problems| AnnotationError::Rubric { path: "faithfulness.toml".into(), problems })?;
            let new = NewProject { name: ON_THE_SPOT, rubric: &rubric, query: "labelled from the explorer" };
            library.new_project(&new, now())?
        }
    };
    let tasks: Vec<NewTask<'_>> =
        wanted.traces.iter().map(|(item, trace)| NewTask { item, trace, annotators: Vec::new() }).collect();
    library.add_tasks(id, &tasks)?;
    let first = wanted.traces.first().map(|(_, trace)| TraceKey::of(trace));
    let at = library.tasks(id)?.into_iter().find(|t| Some(&t.key) == first.as_ref()).map(|t| t.id);
    Ok((library.project(Some(ON_THE_SPOT))?, at))
}

/// The numbers of a project; with `only`, of these traces.
pub fn count(
    library: &Library,
    project: &Project,
    only: Option<&[TaskId]>,
) -> Result<Numbers, AnnotationError> {
    let mut rated = library.rated(project.id)?;
    let before: BTreeSet<TaskId> = rated.iter().map(|r| r.task).collect();
    if let Some(only) = only {
        rated.retain(|r| only.contains(&r.task));
    }
    let after: BTreeSet<TaskId> = rated.iter().map(|r| r.task).collect();
    let (records, _) = library.checks()?;
    let rubric = &project.rubric;
    Ok(Numbers {
        report: report(rubric, &rated),
        confusions: confusions(rubric, &rated),
        disagreements: disagreements(rubric, &rated),
        checkers: checker::compare(rubric, &rated, &records),
        hidden: before.len() - after.len(),
    })
}

/// Every pair of people on every aspect, where they share a trace.
pub fn confusions(rubric: &Rubric, rated: &[Rated]) -> Vec<Confusion> {
    let people: BTreeSet<&str> =
        rated.iter().filter(|r| !r.adjudicated).map(|r| r.annotator.as_str()).collect();
    let people: Vec<&str> = people.into_iter().collect();
    let aspects = aspects(rubric, rated);
    let mut out = Vec::new();
    for (i, one) in people.iter().enumerate() {
        for other in &people[i + 1..] {
            out.extend(
                aspects
                    .iter()
                    .map(|aspect| confusion(rubric, rated, aspect, one, other))
                    .filter(|c| c.counts.iter().flatten().sum::<usize>() > 0),
            );
        }
    }
    out
}
