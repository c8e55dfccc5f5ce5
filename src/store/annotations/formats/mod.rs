//! Labels in files: our own lines and tables, and the formats of other annotation tools.
//!
//! | file | what |
//! | --- | --- |
//! | [`plain`] | JSON Lines and CSV, a label per line |
//! | [`parquet`] | the same columns as Parquet |
//! | [`label_studio`] | tasks with annotations, and the labelling interface; read back too |
//! | [`argilla`] | a data set folder as `Dataset.from_disk` reads it |
//! | [`potato`] | a project folder: configuration, data, output per annotator |
//! | [`import`] | labels of a file into a project, conflicts listed |

pub mod argilla;
pub mod import;
pub mod label_studio;
pub mod parquet;
pub mod plain;
pub mod potato;

use super::{AnnotationError, ratings::KeptLabel};
use crate::{
    core::{
        annotation::{Field, Project, Rubric, Task, rubric::Answers},
        text::squeeze,
    },
    store::Library,
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    str::FromStr,
    sync::Arc,
};

/// The formats that labels are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    Jsonl,
    Csv,
    Parquet,
    LabelStudio,
    /// A folder.
    Argilla,
    /// A folder.
    Potato,
}

impl LabelFormat {
    pub const ALL: [LabelFormat; 6] = [
        LabelFormat::Jsonl,
        LabelFormat::Csv,
        LabelFormat::Parquet,
        LabelFormat::LabelStudio,
        LabelFormat::Argilla,
        LabelFormat::Potato,
    ];

    pub fn word(self) -> &'static str {
        match self {
            LabelFormat::Jsonl => "jsonl",
            LabelFormat::Csv => "csv",
            LabelFormat::Parquet => "parquet",
            LabelFormat::LabelStudio => "label-studio",
            LabelFormat::Argilla => "argilla",
            LabelFormat::Potato => "potato",
        }
    }
}

impl fmt::Display for LabelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for LabelFormat {
    type Err = String;
    fn from_str(word: &str) -> Result<LabelFormat, String> {
        let known = LabelFormat::ALL.map(LabelFormat::word).join(", ");
        let found = LabelFormat::ALL.into_iter().find(|f| f.word() == word);
        found.ok_or_else(|| format!("`{word}` is no format of labels; there are {known}"))
    }
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// The trace's text and the whole item and trace; without it, only what names them.
    pub text: bool,
    /// Labels that are not saved yet, too.
    pub unsaved: bool,
}

/// A project with everything that exports need.
#[derive(Clone, Debug)]
pub struct Export {
    pub project: Project,
    pub tasks: Vec<Task>,
    /// Labels by their trace's place in `tasks`.
    pub labels: Vec<(usize, KeptLabel)>,
    pub rubrics: BTreeMap<String, (Arc<Rubric>, i64)>,
    /// Who has what in their queue.
    pub queues: BTreeMap<String, Vec<usize>>,
    pub options: ExportOptions,
}

impl Export {
    pub fn of(
        library: &Library,
        project: Project,
        options: ExportOptions,
    ) -> Result<Export, AnnotationError> {
        let tasks = library.tasks(project.id)?;
        let at: HashMap<_, usize> = tasks.iter().enumerate().map(|(i, t)| (t.id, i)).collect();
        let labels = library
            .labels(project.id)?
            .into_iter()
            .filter(|kept| options.unsaved || kept.label.saved())
            .filter_map(|kept| Some((*at.get(&kept.task)?, kept)))
            .collect();
        let mut queues: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (task, annotator) in library.assignments(project.id)? {
            queues.entry(annotator).or_default().extend(at.get(&task));
        }
        Ok(Export { rubrics: library.rubrics()?, project, tasks, labels, queues, options })
    }

    /// The rubric that a label was made with, and its number.
    pub fn rubric(&self, kept: &KeptLabel) -> (Arc<Rubric>, i64) {
        let known = self.rubrics.get(&kept.rubric).cloned();
        known.unwrap_or_else(|| (Arc::clone(&self.project.rubric), self.project.rubric_number))
    }

    /// The labels of one trace.
    pub fn of_task(&self, task: usize) -> impl Iterator<Item = &KeptLabel> {
        self.labels.iter().filter(move |(at, _)| *at == task).map(|(_, kept)| kept)
    }

    /// A label's answers: all of them, so that nothing is lost; those that are not asked now included.
    pub fn answers(&self, kept: &KeptLabel) -> Answers {
        kept.label.answers()
    }
}

/// A trace in one line, for tools that want a name.
pub fn trace_name(task: &Task) -> String {
    format!("{}/{}/{}", task.key.item_id, task.key.method, task.key.sample)
}

/// The options of an item as a reader sees them.
pub fn options_text(task: &Task) -> String {
    let options: Vec<String> =
        task.item.options.iter().map(|c| format!("{}. {}", c.letter, squeeze(&c.text))).collect();
    options.join("  ")
}

/// Whether a field of a label is set.
fn is_set(kept: &KeptLabel, field: &Field) -> bool {
    kept.label.get(field) == Some(&crate::core::annotation::Value::YesNo(true))
}

#[cfg(test)]
mod tests;
