//! How to make the numbers again: the command, the data by hash, seed and versions.

use crate::{core::metric::Report, store::Source};
use color_eyre::eyre::{Result, WrapErr};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{fs::File, io::Read};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance {
    /// As it was typed, or as it would be.
    pub command: String,
    /// What the command alone does not bring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub version: String,
    pub seed: u64,
    /// Bootstrap samples.
    pub bootstrap: usize,
    pub files: Vec<DataFile>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataFile {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Provenance {
    /// Hashes every file; `shown` gets how many are done, of how many.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(
        command: String,
        source: &Source,
        report: &Report,
        shown: &mut dyn FnMut(usize, usize),
    ) -> Result<Provenance> {
        let all = source.files().len();
        let files = source.files().iter().enumerate().map(|(at, file)| {
            shown(at, all);
            let sha256 = hash(&file.path).wrap_err_with(|| file.path.display().to_string())?;
            let name = file
                .path
                .file_name()
                .map_or_else(|| file.shown.to_string(), |n| n.to_string_lossy().into_owned());
            Ok(DataFile { name, bytes: file.len, sha256 })
        });
        Ok(Provenance {
            command,
            note: None,
            version: format!("pluriscope {}", env!("CARGO_PKG_VERSION")),
            seed: report.seed,
            bootstrap: report.bootstrap,
            files: files.collect::<Result<_>>()?,
        })
    }
}

fn hash(path: &std::path::Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// The command line of this process, quoted where a shell would split it.
pub fn command() -> String {
    line(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()))
}

/// A command line of these words.
pub fn line(words: impl IntoIterator<Item = String>) -> String {
    let quoted = words.into_iter().map(|word| quoted(&word));
    std::iter::once("pluriscope".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(
            [quoted("a.jsonl"), quoted("kind:right flips"), quoted("it's"), quoted("")],
            ["a.jsonl", "'kind:right flips'", r"'it'\''s'", "''"]
        );
    }
}
