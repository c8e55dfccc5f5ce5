//! Builds the corpus in the background: parallel chunks, growing snapshots, progress, and a saved index.

use super::{
    StoreError, cache, export,
    lines::{self, Block, Blocks},
    readers::{self, Context, Format, Join},
    source::{Source, SourceFile, read_all},
};
use crate::core::{
    Corpus, CorpusBuilder, Loc,
    corpus::{BadLine, LoadProgress},
};
use rayon::prelude::*;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The first block is small, so that the first rows come at once.
const FIRST_BLOCK: usize = 256 << 10;
const BLOCK: usize = 2 << 20;

/// Bad lines that are kept word for word; all are counted.
pub const MAX_BAD_LISTED: usize = 1000;

/// How loading behaves.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Where saved indexes lie; `None` neither reads nor writes one.
    pub cache_dir: Option<PathBuf>,
    /// Threads; 0 leaves one core free.
    pub threads: usize,
}

/// What loading reports, several times a second.
#[derive(Clone, Debug, Default)]
pub struct LoadUpdate {
    pub progress: LoadProgress,
    /// A snapshot, where a new one is ready. The last update has the whole corpus.
    pub corpus: Option<Corpus>,
    /// Bad lines since the last update.
    pub bad: Vec<BadLine>,
    /// Files that could not be read to their end.
    pub problems: Vec<String>,
}

/// Reads everything that `source` has opened, on this thread and a few more. Returns the whole corpus, or
/// `None` when cancelled. A file that fails part-way is reported in `problems`, and the rest is read.
pub fn load(
    source: &Source,
    options: &LoadOptions,
    cancel: &AtomicBool,
    report: &mut dyn FnMut(LoadUpdate),
) -> Option<Corpus> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1).max(1)),
        n => n,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("index-{i}"))
        .build()
        .ok();
    let mut loader = Loader {
        source,
        pool,
        threads,
        cancel,
        report,
        builder: CorpusBuilder::default(),
        progress: LoadProgress { bytes_total: source.len(), ..LoadProgress::default() },
        listed: Vec::new(),
        unsent: 0,
        problems: Vec::new(),
        next_snapshot: Instant::now(),
        snapshot_cost: Duration::ZERO,
    };
    loader.builder.set_files(source.files.iter().map(|f| Arc::clone(&f.shown)).collect());
    let saved = options.cache_dir.as_deref().filter(|_| cache::worthwhile(source));
    if let Some(hit) = saved.and_then(|dir| cache::load(dir, source)) {
        return loader.take_saved(hit);
    }
    for file in 0..source.files.len() {
        loader.file(file as u32)?;
    }
    let whole = loader.finish();
    if let Some(dir) = saved
        && loader.problems.is_empty()
    {
        // A full disk is no reason to refuse a corpus; the next start indexes again.
        let _ = cache::save(dir, source, &whole, &loader.progress, &loader.listed);
    }
    loader.send(Some(whole.clone()));
    Some(whole)
}

struct Loader<'a> {
    source: &'a Source,
    pool: Option<rayon::ThreadPool>,
    threads: usize,
    cancel: &'a AtomicBool,
    report: &'a mut dyn FnMut(LoadUpdate),
    builder: CorpusBuilder,
    progress: LoadProgress,
    listed: Vec<BadLine>,
    /// How many of `listed` were not reported yet, from the end.
    unsent: usize,
    problems: Vec<String>,
    next_snapshot: Instant,
    snapshot_cost: Duration,
}

/// What one block gave.
struct Chunk {
    builder: CorpusBuilder,
    rows: u64,
    bad: Vec<(u64, String)>,
}

impl Loader<'_> {
    /// Reads one file into the index; `None` when cancelled.
    fn file(&mut self, ix: u32) -> Option<()> {
        let source = self.source;
        let file = source.files.get(ix as usize)?;
        let before = self.progress.bytes_done;
        if file.on_disk() {
            self.lines(ix, file)?;
        } else {
            self.hold(ix, file, true)?;
        }
        self.progress.bytes_done = before + file.len;
        self.tick();
        Some(())
    }

    fn lines(&mut self, ix: u32, file: &SourceFile) -> Option<()> {
        let before = self.progress.bytes_done;
        let mut blocks = Blocks::new(&file.file, file.len);
        let mut size = if self.builder.is_empty() { FIRST_BLOCK } else { BLOCK };
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return None;
            }
            let mut batch = Vec::new();
            while batch.len() < if size == FIRST_BLOCK { 1 } else { self.threads } {
                match blocks.next_block(size) {
                    Ok(Some(block)) => batch.push(block),
                    Ok(None) => break,
                    Err(e) => {
                        self.problems.push(StoreError::io(&file.path, e).to_string());
                        return Some(());
                    }
                }
            }
            if batch.is_empty() {
                return Some(());
            }
            size = BLOCK;
            let (format, context) = (file.layout.format, &file.context);
            let work = || -> Vec<Chunk> {
                batch.into_par_iter().map(|block| index_block(format, context, ix, block)).collect()
            };
            let chunks = match &self.pool {
                Some(pool) => pool.install(work),
                None => work(),
            };
            for chunk in chunks {
                self.progress.rows += chunk.rows;
                for (line, reason) in chunk.bad {
                    self.bad(file, line, reason);
                }
                self.builder.append(chunk.builder);
            }
            self.progress.bytes_done = before + blocks.position();
            self.tick();
        }
    }

    /// Turns a file into our lines and keeps them; `index` is false where the index is there already.
    fn hold(&mut self, ix: u32, file: &SourceFile, index: bool) -> Option<()> {
        let mut context = file.context.clone();
        if file.layout.format != Format::ModularOverton {
            context.join = self.join();
        }
        let mut held = Vec::new();
        let mut bad = Vec::new();
        let mut rows = 0;
        let mut builder = CorpusBuilder::default();
        let read = read_all(&file.path, file.layout, &context, &mut |number, row| {
            let line = row.and_then(|row| match export::line(&row) {
                Ok(line) => Ok((row, line)),
                Err(e) => Err(e.to_string()),
            });
            match line {
                Ok((row, line)) => {
                    let loc = Loc { file: ix, offset: held.len() as u64, len: line.len() as u32 };
                    held.extend_from_slice(line.as_bytes());
                    held.push(b'\n');
                    if index {
                        readers::index_row(&row, &mut builder, loc);
                        rows += 1;
                    }
                }
                Err(reason) => bad.push((number, reason)),
            }
        });
        if let Err(error) = read {
            self.problems.push(error.to_string());
        }
        // Only this thread sets it, once.
        let _ = file.held.set(held);
        if index {
            self.builder.append(builder);
            self.progress.rows += rows;
            for (line, reason) in bad {
                self.bad(file, line, reason);
            }
        }
        (!self.cancel.load(Ordering::Relaxed)).then_some(())
    }

    /// Explanations of an Overton file beside this one.
    fn join(&self) -> Option<Arc<Join>> {
        let other = self.source.files.iter().find(|f| f.layout.format == Format::ModularOverton)?;
        read_join(&other.path).ok().map(Arc::new)
    }

    fn bad(&mut self, file: &SourceFile, line: u64, reason: String) {
        self.progress.bad += 1;
        if self.listed.len() < MAX_BAD_LISTED {
            self.listed.push(BadLine { file: Arc::clone(&file.shown), line, reason });
            self.unsent += 1;
        }
    }

    /// Reports; with a snapshot when one is due. Snapshots get rarer as they get dearer.
    fn tick(&mut self) {
        let now = Instant::now();
        if now < self.next_snapshot {
            return;
        }
        let snapshot = self.builder.snapshot();
        self.snapshot_cost = now.elapsed();
        self.next_snapshot = Instant::now() + (self.snapshot_cost * 8).max(Duration::from_millis(250));
        self.send(Some(snapshot));
    }

    fn send(&mut self, corpus: Option<Corpus>) {
        let from = self.listed.len() - self.unsent;
        self.unsent = 0;
        (self.report)(LoadUpdate {
            progress: self.progress,
            corpus,
            bad: self.listed[from..].to_vec(),
            problems: self.problems.clone(),
        });
    }

    fn finish(&mut self) -> Corpus {
        self.progress.done = true;
        self.progress.bytes_done = self.progress.bytes_total;
        std::mem::take(&mut self.builder).finish()
    }

    /// Shows a saved index at once, then reads what is not left on disk.
    fn take_saved(&mut self, saved: cache::Saved) -> Option<Corpus> {
        self.progress = LoadProgress { bytes_total: self.progress.bytes_total, ..saved.progress };
        self.unsent = saved.bad.len();
        self.listed = saved.bad;
        self.progress.done = false;
        let source = self.source;
        if source.files.iter().any(|f| !f.on_disk()) {
            self.send(Some(saved.corpus.clone()));
            for (ix, file) in source.files.iter().enumerate().filter(|(_, f)| !f.on_disk()) {
                self.hold(ix as u32, file, false)?;
            }
        }
        self.progress.done = true;
        self.progress.bytes_done = self.progress.bytes_total;
        self.send(Some(saved.corpus.clone()));
        Some(saved.corpus)
    }
}

/// The explanations of an Overton file.
pub fn read_join(path: &std::path::Path) -> Result<Join, StoreError> {
    let layout = super::detect::detect(path, Some(Format::ModularOverton))?;
    let mut items = Vec::new();
    read_all(path, layout, &Context::of(path), &mut |_, row| {
        items.extend(row.ok().and_then(|row| row.item));
    })?;
    Ok(Join::of(&items))
}

fn index_block(format: Format, context: &Context, file: u32, block: Block) -> Chunk {
    let mut chunk = Chunk { builder: CorpusBuilder::default(), rows: 0, bad: Vec::new() };
    match block {
        Block::TooLong { line, len } => chunk.bad.push((line, lines::too_long(len))),
        Block::Lines { offset, first_line, bytes } => {
            for line in lines::lines(offset, first_line, &bytes) {
                let loc = Loc { file, offset: line.offset, len: line.bytes.len() as u32 };
                let indexed = lines::text(&line)
                    .and_then(|text| readers::index_line(format, text, context, &mut chunk.builder, loc));
                match indexed {
                    Ok(()) => chunk.rows += 1,
                    Err(reason) => chunk.bad.push((line.number, reason)),
                }
            }
        }
    }
    chunk
}

#[cfg(test)]
mod tests;
