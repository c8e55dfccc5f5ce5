//! Reports: numbers in each format, with how to make them again. `eval` prints them, the metrics screen saves them.

mod provenance;
mod render;

pub use provenance::{Provenance, command};
pub use render::render;

use crate::{
    app::metrics::report::{Saved, Wish},
    core::metric::Samples,
    store::Source,
};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// What a session has open, as its command line would name it.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    pub paths: Vec<PathBuf>,
    /// Files of check results.
    pub checks: Vec<PathBuf>,
}

/// Writes the report that was wished for. `shown` gets how many files are hashed, of how many.
///
/// The name stands for a whole file or for none: the text goes into a file beside it first.
pub fn save(
    wish: &Wish,
    source: Option<&Source>,
    opened: &Opened,
    shown: &mut dyn FnMut(usize, usize),
) -> Saved {
    let path = Path::new(&wish.name);
    if !wish.replace && path.exists() {
        return Saved::Exists;
    }
    let Some(source) = source else { return Saved::Failed("nothing is open".to_owned()) };
    let made = Provenance::of(again(wish, opened), source, &wish.report, shown).and_then(|provenance| {
        let provenance = Provenance { note: note(wish, source), ..provenance };
        render(&wish.report, &provenance, wish.format)
    });
    let text = match made {
        Ok(text) => text,
        Err(error) => return Saved::Failed(format!("{error:#}")),
    };
    match put(path, text.as_bytes(), wish.replace) {
        Ok(()) => {
            let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            Saved::Written { path: whole.display().to_string(), bytes: text.len() as u64 }
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Saved::Exists,
        Err(error) => Saved::Failed(format!("{}: {error}", wish.name)),
    }
}

fn put(path: &Path, text: &[u8], replace: bool) -> std::io::Result<()> {
    if !replace {
        // Nobody else's file is overwritten, not even one that came meanwhile.
        OpenOptions::new().write(true).create_new(true).open(path)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = fs::File::create(&part)
        .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // Best effort: what went wrong is told already.
        let _ = fs::remove_file(&part);
        if !replace {
            let _ = fs::remove_file(path);
        }
    }
    written
}

/// The command that makes the same report.
fn again(wish: &Wish, opened: &Opened) -> String {
    let mut words = vec!["eval".to_owned()];
    words.extend(opened.paths.iter().map(|p| p.display().to_string()));
    if !opened.checks.is_empty() {
        words.push("--checks".to_owned());
        words.extend(opened.checks.iter().map(|p| p.display().to_string()));
    }
    if !wish.report.filter.is_empty() {
        words.extend(["--where".to_owned(), wish.report.filter.clone()]);
    }
    if let Some(set) = wish.report.sets.first().filter(|set| set.samples != Samples::First) {
        words.extend(["--samples".to_owned(), set.samples.to_string()]);
    }
    words.extend(["--format".to_owned(), wish.format.to_string(), "-o".to_owned(), wish.name.clone()]);
    provenance::line(words)
}

/// What that command does not bring.
fn note(wish: &Wish, source: &Source) -> Option<String> {
    let mut notes = Vec::new();
    match source.live() {
        0 => {}
        1 => notes.push("One trace that was written in the explorer is in none of these files".to_owned()),
        n => notes.push(format!("{n} traces that were written in the explorer are in none of these files")),
    }
    if !wish.report.checks.is_empty() {
        notes.push("verdicts of checks are those that the explorer had".to_owned());
    }
    if !wish.report.curves.is_empty() {
        notes.push("training runs are those that the explorer watched".to_owned());
    }
    (!notes.is_empty()).then(|| format!("{}.", notes.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::metric::{Report, ReportFormat};

    const LINE: &str = "{\"dataset\": \"vk\", \"perspective\": \"Honesty\", \"text\": \"Lying\", \"gold\": \"A\", \
        \"method\": \"rlvr\", \"llm_output\": \"Answer: A\"}\n";

    fn wish(name: &Path, replace: bool) -> Wish {
        let report = Report { filter: "kind:right".to_owned(), bootstrap: 20, ..Report::default() };
        Wish { format: ReportFormat::Json, name: name.display().to_string(), replace, report: report.into() }
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (data, name) = (folder.path().join("traces.jsonl"), folder.path().join("out.json"));
        fs::write(&data, LINE).unwrap();
        let source = Source::open(std::slice::from_ref(&data), None).unwrap();
        let opened = Opened { paths: vec![data], checks: Vec::new() };
        let save = |replace| save(&wish(&name, replace), Some(&source), &opened, &mut |_, _| {});
        assert!(matches!(save(false), Saved::Written { .. }));
        let text = fs::read_to_string(&name).unwrap();
        assert!(text.contains("--where kind:right --format json -o"), "{text}");
        fs::write(&name, "mine").unwrap();
        assert_eq!(save(false), Saved::Exists);
        assert_eq!(fs::read_to_string(&name).unwrap(), "mine");
        assert!(matches!(save(true), Saved::Written { bytes, .. } if bytes == text.len() as u64));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("traces.jsonl");
        fs::write(&data, LINE).unwrap();
        let source = Source::open(&[data], None).unwrap();
        let name = folder.path().join("no/such/report.json");
        let saved = save(&wish(&name, false), Some(&source), &Opened::default(), &mut |_, _| {});
        assert!(matches!(saved, Saved::Failed(problem) if problem.contains("report.json")));
    }
}
