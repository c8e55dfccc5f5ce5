//! Opened corpus files, and reading one record again in full.
//!
//! Our own and the study's JSON Lines stay on disk and are read by position. Everything else (arrays,
//! tables) is turned into our lines once and held in memory; both are addressed by [`Loc`].

use super::{
    StoreError,
    container::Container,
    detect::{self, Layout},
    readers::{self, Context, Format, Row},
};
use crate::core::{Corpus, Item, ItemIx, Loc, MethodId, Trace, TraceIx};
use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, RwLock},
    time::UNIX_EPOCH,
};

/// [`Loc::file`] of traces that were generated live.
const LIVE: u32 = u32::MAX;

/// All files of one session. Share it as an `Arc`.
#[derive(Debug)]
pub struct Source {
    pub(super) files: Vec<SourceFile>,
    /// Files in opened folders that were left out, and why.
    pub skipped: Vec<StoreError>,
    live: RwLock<Vec<Arc<Row>>>,
}

/// One opened file.
#[derive(Debug)]
pub struct SourceFile {
    pub path: PathBuf,
    /// The path as it was given: what messages show.
    pub shown: Arc<str>,
    pub layout: Layout,
    pub len: u64,
    /// Nanoseconds since 1970; 0 where the system does not say.
    pub(super) modified: u128,
    pub(super) context: Context,
    pub(super) file: File,
    /// Our lines, for files that do not stay on disk.
    pub(super) held: OnceLock<Vec<u8>>,
}

impl SourceFile {
    fn open(path: PathBuf, layout: Layout) -> Result<SourceFile, StoreError> {
        let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
        let meta = file.metadata().map_err(|e| StoreError::io(&path, e))?;
        let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        Ok(SourceFile {
            shown: path.to_string_lossy().into(),
            context: Context::of(&path),
            layout,
            len: meta.len(),
            modified: modified.map_or(0, |d| d.as_nanos()),
            file,
            held: OnceLock::new(),
            path,
        })
    }

    /// Whether records are read from the file itself.
    pub fn on_disk(&self) -> bool {
        self.layout.container == Container::Lines
            && matches!(self.layout.format, Format::Pluriscope | Format::Study)
    }
}

impl Source {
    /// Opens files, and the known files of folders. Reads only their beginnings.
    pub fn open(paths: &[PathBuf], format: Option<Format>) -> Result<Source, StoreError> {
        let mut skipped = Vec::new();
        let mut files = Vec::new();
        for path in paths {
            for (path, layout) in detect::expand(path, format, &mut skipped)? {
                files.push(SourceFile::open(path, layout)?);
            }
        }
        tell_models_apart(&mut files);
        Ok(Source { files, skipped, live: RwLock::default() })
    }

    /// The opened files, in the order that [`Loc::file`] counts.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Bytes of all files.
    pub fn len(&self) -> u64 {
        self.files.iter().map(|f| f.len).sum()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a live trace and its item readable; the place goes to [`Corpus::with_trace`].
    pub fn hold(&self, item: Arc<Item>, trace: Arc<Trace>) -> Loc {
        let row = Row { item: Some(Item::clone(&item)), trace: Some(Trace::clone(&trace)) };
        let mut live = self.live.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        live.push(Arc::new(row));
        Loc { file: LIVE, offset: live.len() as u64 - 1, len: 0 }
    }

    /// How many traces are held that stand in none of the files.
    pub fn live(&self) -> usize {
        self.live.read().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }

    /// The whole item. Fails where the file was changed meanwhile, and where the item is unknown.
    pub fn item(&self, corpus: &Corpus, ix: ItemIx) -> Result<Item, StoreError> {
        let entry = corpus.item(ix).filter(|item| item.known()).ok_or(StoreError::Unknown)?;
        let row = self.read(entry.loc)?;
        let item = row.item.filter(|item| item.id == entry.id);
        item.ok_or_else(|| self.changed(entry.loc, "another item stands there now".to_owned()))
    }

    /// The whole trace. Fails where the file was changed meanwhile.
    pub fn trace(&self, corpus: &Corpus, ix: TraceIx) -> Result<Trace, StoreError> {
        let entry = corpus.trace(ix).ok_or(StoreError::Unknown)?;
        let id = corpus.item(entry.item()).map(|item| item.id).ok_or(StoreError::Unknown)?;
        let row = self.read(entry.loc)?;
        let trace = row.trace.filter(|trace| trace.item_id == id);
        trace.ok_or_else(|| self.changed(entry.loc, "another trace stands there now".to_owned()))
    }

    /// The row at a place: one positional read, parsed anew.
    pub fn read(&self, loc: Loc) -> Result<Row, StoreError> {
        if loc.file == LIVE {
            let live = self.live.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let row = usize::try_from(loc.offset).ok().and_then(|at| live.get(at));
            return row.map(|row| Row::clone(row)).ok_or(StoreError::Unknown);
        }
        let file = self.files.get(loc.file as usize).ok_or(StoreError::Unknown)?;
        let (bytes, format) = if file.on_disk() {
            let mut bytes = vec![0; (loc.len as usize).min(super::MAX_LINE)];
            let got = super::lines::read_full_at(&file.file, &mut bytes, loc.offset)
                .map_err(|e| StoreError::io(&file.path, e))?;
            bytes.truncate(got);
            (std::borrow::Cow::Owned(bytes), file.layout.format)
        } else {
            let held = file.held.get().ok_or_else(|| StoreError::NotYet { file: file.shown.to_string() })?;
            let from = usize::try_from(loc.offset).unwrap_or(usize::MAX);
            let slice = held.get(from..from.saturating_add(loc.len as usize));
            (std::borrow::Cow::Borrowed(slice.ok_or(StoreError::Unknown)?), Format::Pluriscope)
        };
        let text = std::str::from_utf8(&bytes).map_err(|e| self.changed(loc, e.to_string()))?;
        let rows = readers::line(format, text, &file.context).map_err(|reason| self.changed(loc, reason))?;
        rows.into_iter().next().ok_or(StoreError::Unknown)
    }

    fn changed(&self, loc: Loc, reason: String) -> StoreError {
        let file = self.files.get(loc.file as usize).map_or("live", |f| &f.shown).to_owned();
        StoreError::Changed { file, offset: loc.offset, reason }
    }
}

/// Result files of several models would give the same method several times over. All but the first
/// model then carry the model in the method's name: `rlvr`, `rlvr-qwen2p5`.
fn tell_models_apart(files: &mut [SourceFile]) {
    let mut first: HashMap<MethodId, String> = HashMap::new();
    for file in files.iter_mut().filter(|f| f.layout.format == Format::Study) {
        let context = &mut file.context;
        let model = first.entry(context.method.clone()).or_insert_with(|| context.model.clone());
        if *model != context.model && !context.model.is_empty() {
            context.method = MethodId(format!("{}-{}", context.method, context.model));
        }
    }
}

/// Reads a whole file at once, for import: every row, and every bad record.
pub fn read_all(
    path: &Path,
    layout: Layout,
    context: &Context,
    sink: &mut dyn FnMut(u64, Result<Row, String>),
) -> Result<(), StoreError> {
    super::container::records(layout.container, path, &mut |number, fields| {
        match fields.and_then(|fields| readers::rows(layout.format, fields, context)) {
            Ok(rows) => rows.into_iter().for_each(|row| sink(number, Ok(row))),
            Err(reason) => sink(number, Err(reason)),
        }
        std::ops::ControlFlow::Continue(())
    })
}
