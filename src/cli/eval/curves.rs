//! Validation accuracy out of training logs.

use crate::{
    core::metric::report::Curve,
    train::{event_log, runs},
};
use color_eyre::eyre::{Result, WrapErr, eyre};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// One curve per run: an event file, a folder of event files, or a folder of such folders.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Curve>> {
    let mut curves = Vec::new();
    for path in paths {
        let before = curves.len();
        let mut runs = vec![path.clone()];
        if path.is_dir() {
            runs.extend(folders(path)?);
        }
        for run in runs {
            curves.extend(curve(&run)?);
        }
        if curves.len() == before {
            return Err(eyre!("{}: no event file with validation scores is there", path.display()));
        }
    }
    Ok(curves)
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).wrap_err_with(|| path.display().to_string())?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    found.sort();
    Ok(found)
}

/// Event files of one run, in the order of their names: of a step written twice, the later one counts.
fn curve(run: &Path) -> Result<Option<Curve>> {
    let is_log = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().contains("tfevents"));
    let mut files = vec![run.to_owned()];
    if run.is_dir() {
        let entries = std::fs::read_dir(run).wrap_err_with(|| run.display().to_string())?;
        files = entries.flatten().map(|e| e.path()).filter(|p| is_log(p)).collect();
        files.sort();
    }
    let mut tag = String::new();
    let mut points = BTreeMap::new();
    for file in files {
        for scalar in event_log::read(&file).map_err(|e| eyre!("{e}"))? {
            if is_validation(&scalar.tag) {
                points.insert(scalar.step, f64::from(scalar.value));
                tag = scalar.tag;
            }
        }
    }
    let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
    let folder = if run.is_dir() { name(run) } else { run.parent().and_then(name) };
    let share_per_step = if run.is_dir() { runs::read(run).share_per_step } else { None };
    let run = folder.unwrap_or_else(|| run.display().to_string());
    Ok((!points.is_empty()).then(|| Curve { run, tag, points: points.into_iter().collect(), share_per_step }))
}

/// verl writes `val-core/DATA/reward/mean@1` (older ones `val/test_score/DATA`), our GRPO `val/test_score`, our
/// supervised training `val/accuracy`.
fn is_validation(tag: &str) -> bool {
    tag == "val/accuracy"
        || tag.starts_with("val/test_score")
        || (tag.starts_with("val-core/") && tag.ends_with("/mean@1") && !tag.contains("best"))
}
