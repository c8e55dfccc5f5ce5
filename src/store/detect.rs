//! Which format a file has, from its content alone; its name does not matter.

use super::{
    StoreError,
    container::{self, Container},
    readers::Format,
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// So much of a file decides what it is.
const HEAD: usize = 64 << 10;

/// Bad records at the start of a file before it counts as unknown.
const TRIES: usize = 50;

/// A file's container, and what its records mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    pub container: Container,
    pub format: Format,
}

/// Looks at a file. An empty one is a corpus without rows yet. `format` overrules what the records look like, never how they are laid out.
pub fn detect(path: &Path, format: Option<Format>) -> Result<Layout, StoreError> {
    let container = container_of(path)?;
    if let Some(format) = format {
        return Ok(Layout { container, format });
    }
    let names: Vec<String> = match container {
        Container::Parquet => container::parquet_columns(path)?,
        Container::Csv => container::csv_columns(path)?,
        Container::Lines | Container::Array => match container::first_record(container, path, TRIES)? {
            Ok(fields) => fields.keys().cloned().collect(),
            Err(None) => return Ok(Layout { container, format: Format::Pluriscope }),
            Err(Some(reason)) => return Err(unknown(path, reason)),
        },
    };
    match Format::of_fields(&|name| names.iter().any(|n| n == name)) {
        Some(format) => Ok(Layout { container, format }),
        None => {
            let mut shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            if names.len() > shown.len() {
                shown.push("…");
            }
            Err(unknown(path, format!("its records have {}", shown.join(", "))))
        }
    }
}

fn unknown(path: &Path, found: String) -> StoreError {
    StoreError::UnknownFormat { path: path.to_owned(), found }
}

fn container_of(path: &Path) -> Result<Container, StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        let source = std::io::Error::from(std::io::ErrorKind::IsADirectory);
        return Err(StoreError::io(path, source));
    }
    let mut head = vec![0; HEAD];
    let got = super::lines::read_full_at(&file, &mut head, 0).map_err(|e| StoreError::io(path, e))?;
    head.truncate(got);
    let compressed = |with, remedy| Err(StoreError::Compressed { path: path.to_owned(), with, remedy });
    match head.as_slice() {
        [b'P', b'A', b'R', b'1', ..] => return Ok(Container::Parquet),
        [0x1f, 0x8b, ..] => return compressed("gzip", "gunzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return compressed("zstd", "unzstd"),
        [b'P', b'K', 3, 4, ..] => return compressed("zip", "unzip"),
        [b'B', b'Z', b'h', ..] => return compressed("bzip2", "bunzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => return compressed("xz", "unxz"),
        head if head.starts_with(b"version https://git-lfs") => {
            return Err(StoreError::LfsPointer { path: path.to_owned() });
        }
        _ => {}
    }
    if let Some(at) = not_text(&head) {
        return Err(StoreError::NotText { path: path.to_owned(), at: at as u64 });
    }
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    Ok(match start.first() {
        Some(b'[') => Container::Array,
        Some(b'{') | None => Container::Lines,
        // A table has a header of several names; anything else may be lines with a bad start.
        Some(_) => match start.split(|b| *b == b'\n').next() {
            Some(header) if header.contains(&b',') && !header.contains(&b'{') => Container::Csv,
            _ => Container::Lines,
        },
    })
}

/// Where the head stops looking like text: a NUL byte, or mostly bytes that are not UTF-8. A single bad
/// byte is for the line that holds it.
fn not_text(head: &[u8]) -> Option<usize> {
    if let Some(at) = memchr::memchr(0, head) {
        return Some(at);
    }
    let text = String::from_utf8_lossy(head);
    let bad = text.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    if bad * 20 <= head.len() {
        return None;
    }
    std::str::from_utf8(head).err().map(|e| e.valid_up_to())
}

/// The files behind a path: itself, or the known files of a folder (one level, by name). Files of other
/// kinds in a folder are left out; `skipped` gets them with the reason.
pub fn expand(
    path: &Path,
    format: Option<Format>,
    skipped: &mut Vec<StoreError>,
) -> Result<Vec<(PathBuf, Layout)>, StoreError> {
    if !path.is_dir() {
        return Ok(vec![(path.to_owned(), detect(path, format)?)]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| StoreError::io(path, e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|p| p.is_file() && !p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')))
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        match detect(&file, format) {
            Ok(layout) => found.push((file, layout)),
            Err(error) => skipped.push(error),
        }
    }
    if found.is_empty() {
        return Err(StoreError::NothingInFolder { path: path.to_owned() });
    }
    Ok(found)
}
