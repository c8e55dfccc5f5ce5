//! Saved indexes. A file that does not fit in any way (other files, other version, damaged) is as good
//! as none: the index is built anew and written over it.

use super::{
    lines::read_full_at,
    source::{Source, SourceFile},
};
use crate::core::{
    Corpus,
    corpus::{BadLine, LoadProgress},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Raised with every change to the index's form or to what the readers make of a line.
const VERSION: u32 = 4;
const MAGIC: &[u8; 8] = b"plursidx";

/// Smaller corpora are indexed faster than a file is found.
const WORTHWHILE: u64 = 4 << 20;

/// Bytes hashed at each of several places of a file: an edit that keeps length and time is unlikely to
/// miss them all, and one that does is found when its record is read.
const SAMPLE: usize = 16 << 10;
const SAMPLES: u64 = 8;

/// A saved index and what was said when it was built.
pub struct Saved {
    pub corpus: Corpus,
    pub progress: LoadProgress,
    pub bad: Vec<BadLine>,
}

#[derive(Serialize, Deserialize)]
struct Payload<C> {
    rows: u64,
    bad_count: u64,
    bad: Vec<(u32, u64, String)>,
    corpus: C,
}

/// Whether a corpus is large enough to save its index.
pub fn worthwhile(source: &Source) -> bool {
    source.files.iter().filter(|f| f.on_disk()).map(|f| f.len).sum::<u64>() >= WORTHWHILE
}

/// The saved index of these very files, if there is one.
pub fn load(dir: &Path, source: &Source) -> Option<Saved> {
    let bytes = fs::read(file_name(dir, source)).ok()?;
    let (head, body) = bytes.split_at_checked(MAGIC.len() + 4 + 32 + 8)?;
    if head != header(source, body)?.as_slice() {
        return None;
    }
    let payload: Payload<Corpus> = postcard::from_bytes(body).ok()?;
    let name = |file: u32| source.files.get(file as usize).map(|f| Arc::clone(&f.shown));
    let bad =
        payload.bad.into_iter().map(|(file, line, reason)| Some(BadLine { file: name(file)?, line, reason }));
    Some(Saved {
        corpus: payload.corpus,
        progress: LoadProgress {
            bytes_done: source.len(),
            bytes_total: source.len(),
            rows: payload.rows,
            bad: payload.bad_count,
            done: true,
        },
        bad: bad.collect::<Option<_>>()?,
    })
}

/// Writes the index beside its place and moves it there, so that no reader ever sees half of it.
pub fn save(
    dir: &Path,
    source: &Source,
    corpus: &Corpus,
    progress: &LoadProgress,
    bad: &[BadLine],
) -> io::Result<()> {
    let number = |name: &str| source.files.iter().position(|f| *f.shown == *name).unwrap_or(0) as u32;
    let payload = Payload {
        rows: progress.rows,
        bad_count: progress.bad,
        bad: bad.iter().map(|b| (number(&b.file), b.line, b.reason.clone())).collect(),
        corpus,
    };
    let body = postcard::to_stdvec(&payload).map_err(io::Error::other)?;
    let Some(head) = header(source, &body) else { return Ok(()) };
    create_private_dir(dir)?;
    let target = file_name(dir, source);
    let draft = target.with_extension(format!("{}.tmp", std::process::id()));
    let written =
        fs::write(&draft, [head.as_slice(), &body].concat()).and_then(|()| fs::rename(&draft, &target));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// An index names situations of perhaps private data: nobody else may read it.
fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn file_name(dir: &Path, source: &Source) -> PathBuf {
    let mut hash = Sha256::new();
    for file in &source.files {
        let path = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let name: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    dir.join(format!("{name}.index"))
}

/// Magic, version, the files' stamp, and a checksum of the body. `None` where a file cannot be read.
fn header(source: &Source, body: &[u8]) -> Option<Vec<u8>> {
    let mut hash = Sha256::new();
    for file in &source.files {
        stamp(file, &mut hash).ok()?;
    }
    let mut head = Vec::with_capacity(52);
    head.extend(MAGIC);
    head.extend(VERSION.to_le_bytes());
    head.extend(hash.finalize());
    head.extend(checksum(body).to_le_bytes());
    Some(head)
}

fn stamp(file: &SourceFile, hash: &mut Sha256) -> io::Result<()> {
    hash.update(file.shown.as_bytes());
    hash.update(format!("\0{}\0{}\0{:?}", file.len, file.modified, file.layout));
    hash.update(format!("{:?}", file.context));
    let mut buffer = vec![0; SAMPLE];
    for sample in 0..SAMPLES {
        let at = file.len.saturating_sub(SAMPLE as u64) / (SAMPLES - 1) * sample;
        let got = read_full_at(&file.file, &mut buffer, at)?;
        hash.update(&buffer[..got]);
    }
    Ok(())
}

/// Against accidents, not against malice: eight bytes at a time, so that it costs nothing.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
}
