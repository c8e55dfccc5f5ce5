//! Run folders: what `pluriscope train` wrote, and plain TensorBoard logs of others.

use super::event_log;
use crate::core::run::{Point, Rollout, RunLog};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Rollouts that are kept, the newest.
const ROLLOUTS: usize = 50;
/// Settings that are no single word or number are left out.
const PLAIN: usize = 60;

/// Reads the run in `folder`. What cannot be read is said in [`RunLog::problem`]; the rest is there.
pub fn read(folder: &Path) -> RunLog {
    let name =
        folder.file_name().map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into_owned());
    let mut run = RunLog { name, ..RunLog::default() };
    let mut logs = event_files(folder);
    logs.sort();
    for path in logs {
        match event_log::read(&path) {
            Ok(scalars) => {
                for s in scalars {
                    let point = Point { step: s.step, wall: s.wall_time, value: f64::from(s.value) };
                    run.series.entry(s.tag).or_default().push(point);
                }
            }
            Err(error) => run.problem = Some(error.to_string()),
        }
    }
    // A resumed run has several files; a step that was made twice counts as it was made last.
    for points in run.series.values_mut() {
        let mut kept: Vec<Point> = Vec::with_capacity(points.len());
        for point in points.drain(..) {
            while kept.last().is_some_and(|last| last.step >= point.step) {
                kept.pop();
            }
            kept.push(point);
        }
        *points = kept;
    }
    settings(folder, &mut run);
    if run.share_per_step.is_none()
        && let Some(last) = run.series.get("training/epoch").and_then(|p| p.last())
        && last.value > 0.0
        && last.step > 0
    {
        run.share_per_step = Some(last.value / last.step as f64);
    }
    rollouts(folder, &mut run);
    if run.series.is_empty() && run.problem.is_none() {
        run.problem = Some("no TensorBoard log in it yet".to_owned());
    }
    run
}

/// Run folders under `folder`: itself, or those directly in it.
pub fn find(folder: &Path) -> Vec<PathBuf> {
    if !event_files(folder).is_empty() {
        return vec![folder.to_owned()];
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && !event_files(path).is_empty())
        .collect();
    found.sort();
    found
}

/// Bytes of the logs in `folder`: they only grow, so a change of it is news.
pub fn size(folder: &Path) -> u64 {
    let files = event_files(folder).into_iter().chain([folder.join("rollouts.jsonl")]);
    files.filter_map(|path| path.metadata().ok()).map(|m| m.len()).sum()
}

fn event_files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().contains("tfevents")))
        .collect()
}

fn settings(folder: &Path, run: &mut RunLog) {
    let Ok(text) = std::fs::read_to_string(folder.join("run.json")) else { return };
    let Ok(Value::Object(all)) = serde_json::from_str::<Value>(&text) else { return };
    let number = |name: &str| all.get(name).and_then(Value::as_f64);
    run.method = match all.get("method").and_then(Value::as_str) {
        Some(method) => method.to_owned(),
        None if all.contains_key("group") => "rlvr".to_owned(),
        None => String::new(),
    };
    let rows = all.get("rows").and_then(|r| r.as_f64().or_else(|| r.get(0).and_then(Value::as_f64)));
    if let (Some(epochs), Some(batch), Some(rows)) = (number("epochs"), number("batch"), rows) {
        run.steps = Some((epochs * (rows / batch).ceil()) as i64);
        run.share_per_step = Some(batch / rows.max(1.0));
    } else if let Some(steps) = number("steps") {
        run.steps = Some(steps as i64);
        run.share_per_step = number("prompts").zip(rows).map(|(prompts, rows)| prompts / rows.max(1.0));
    }
    let mut flat = Vec::new();
    flatten("", &Value::Object(all), &mut flat);
    run.settings = flat;
}

fn flatten(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, inner, out);
            }
        }
        Value::Null => {}
        Value::String(text) => out.push((prefix.to_owned(), text.clone())),
        other => {
            let text = other.to_string();
            if text.len() <= PLAIN {
                out.push((prefix.to_owned(), text));
            }
        }
    }
}

fn rollouts(folder: &Path, run: &mut RunLog) {
    let Ok(text) = std::fs::read_to_string(folder.join("rollouts.jsonl")) else { return };
    // The last line may be half written.
    run.rollouts = text.lines().filter_map(|line| serde_json::from_str::<Rollout>(line).ok()).collect();
    let surplus = run.rollouts.len().saturating_sub(ROLLOUTS);
    run.rollouts.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::event_log::EventLog;

    #[test]
    fn a_resumed_run_is_read_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sft");
        let mut first = EventLog::create(&folder, 100.0).unwrap();
        for step in 1..=4 {
            first.write(step, 100.0 + step as f64, &[("train/loss", step as f32)]).unwrap();
        }
        drop(first);
        let mut second = EventLog::create(&folder, 200.0).unwrap();
        second.write(3, 203.0, &[("train/loss", 30.0)]).unwrap();
        drop(second);
        std::fs::write(
            folder.join("run.json"),
            r#"{"method":"sft","epochs":2,"batch":20,"rows":[100,10],"lora":{"rank":8}}"#,
        )
        .unwrap();
        std::fs::write(folder.join("rollouts.jsonl"), "{\"step\":1,\"reward\":0.5,\"text\":\"a\"}\n{\"st")
            .unwrap();
        assert_eq!(find(dir.path()), std::slice::from_ref(&folder));
        let run = read(&folder);
        let values: Vec<f64> = run.series["train/loss"].iter().map(|p| p.value).collect();
        assert_eq!(values, [1.0, 2.0, 30.0]);
        assert_eq!((run.method.as_str(), run.steps, run.share_per_step), ("sft", Some(10), Some(0.2)));
        assert!(run.settings.contains(&("lora.rank".to_owned(), "8".to_owned())));
        assert_eq!(run.rollouts.len(), 1);
        assert!(read(dir.path()).problem.is_some());
    }
}
