//! Why a file cannot be used, with what to do about it.

use std::path::PathBuf;

/// An error about a whole file; bad rows are [`crate::core::corpus::BadLine`]s instead.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: not a text file (byte {at} is not UTF-8 text); corpora are JSON Lines, JSON, CSV or Parquet", path.display())]
    NotText { path: PathBuf, at: u64 },
    #[error("{}: compressed with {with}; unpack it first, with `{remedy}`", path.display())]
    Compressed { path: PathBuf, with: &'static str, remedy: &'static str },
    #[error("{}: a Git LFS pointer and not the file itself; fetch it with `git lfs pull`", path.display())]
    LfsPointer { path: PathBuf },
    #[error("{}: the format is not known: {found}; `--format` can name it ({known})", path.display(), known = known_formats())]
    UnknownFormat { path: PathBuf, found: String },
    #[error("{}: {reason}", path.display())]
    Parquet { path: PathBuf, reason: String },
    #[error("{}: there is no file of a known format in this folder", path.display())]
    NothingInFolder { path: PathBuf },
    #[error("{file}, byte {offset}: the file was changed since it was indexed ({reason}); open it again")]
    Changed { file: String, offset: u64, reason: String },
    #[error("{file}: still being read")]
    NotYet { file: String },
    #[error("this entry belongs to another corpus, or its item is in no opened file")]
    Unknown,
}

impl StoreError {
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> StoreError {
        StoreError::Io { path: path.to_owned(), source }
    }
}

fn known_formats() -> String {
    let words: Vec<_> = super::Format::ALL.iter().map(|f| f.word()).collect();
    words.join(", ")
}
