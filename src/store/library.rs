//! The library: what people make, in one SQLite file that survives `kill -9` and serves several users.
//!
//! Write-ahead logging lets readers and one writer work at once; every change is its own transaction.
//! The schema is a list of steps; a new table is a new step at the end.

use crate::core::{Item, Trace};
use rusqlite::{Connection, params};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Marks our databases: "Plur".
const APPLICATION_ID: i32 = 0x506c_7572;

/// Step `n` makes schema version `n + 1`. Steps are never edited, only added.
const STEPS: [&str; 3] = [
    "
    CREATE TABLE generation (
        id INTEGER PRIMARY KEY,
        created_ms INTEGER NOT NULL,
        item_id TEXT NOT NULL,
        method TEXT NOT NULL,
        item TEXT NOT NULL,
        trace TEXT NOT NULL
    ) STRICT;
    CREATE INDEX generation_item ON generation (item_id, method);
",
    // One verdict per trace, check and everything that could change the result.
    "
    CREATE TABLE check_result (
        id INTEGER PRIMARY KEY,
        created_ms INTEGER NOT NULL,
        trace TEXT NOT NULL,
        item_id TEXT NOT NULL,
        check_id TEXT NOT NULL,
        parameters TEXT NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (trace, check_id, parameters)
    ) STRICT;
    CREATE INDEX check_result_item ON check_result (item_id);
",
    super::annotations::SCHEMA,
];

/// The schema version that this program writes.
pub(super) const VERSION: u32 = STEPS.len() as u32;

/// Why the library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    #[error("{}: cannot make its folder: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error(
        "{}: written by a newer Pluriscope (schema {found}, this one knows {known}); update, or name another file with --db",
        path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{}: not a Pluriscope library; name another file with --db", path.display())]
    Foreign { path: PathBuf },
    #[error("a trace cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The opened library.
#[derive(Debug)]
pub struct Library {
    pub(super) connection: Connection,
    path: PathBuf,
}

/// A live generation as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    pub id: i64,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    pub item: Item,
    pub trace: Trace,
}

impl Library {
    /// Opens or creates the library at `path`, and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Library, LibraryError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|source| LibraryError::Folder { path: path.to_owned(), source })?;
        }
        let connection = Connection::open(path)
            .map_err(|source| LibraryError::Sqlite { path: path.to_owned(), source })?;
        Library { connection, path: path.to_owned() }.prepare()
    }

    /// A library that is gone with the process.
    pub fn in_memory() -> Result<Library, LibraryError> {
        let path = PathBuf::from(":memory:");
        match Connection::open_in_memory() {
            Ok(connection) => Library { connection, path }.prepare(),
            Err(source) => Err(LibraryError::Sqlite { path, source }),
        }
    }

    /// How long to wait for others who hold the file, before that is an error.
    pub fn set_patience(&self, patience: Duration) -> Result<(), LibraryError> {
        self.connection.busy_timeout(patience).map_err(|e| self.explain(e))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn prepare(mut self) -> Result<Library, LibraryError> {
        let found = self.migrate().map_err(|source| self.explain(source))?;
        match found {
            Found::Ready => Ok(self),
            Found::Newer(found) => {
                Err(LibraryError::Newer { path: self.path, found, known: STEPS.len() as u32 })
            }
            Found::Foreign => Err(LibraryError::Foreign { path: self.path }),
        }
    }

    fn migrate(&mut self) -> rusqlite::Result<Found> {
        let db = &mut self.connection;
        db.busy_timeout(Duration::from_secs(10))?;
        let number = |db: &Connection, name: &str| db.pragma_query_value(None, name, |row| row.get(0));
        let application: i32 = number(db, "application_id")?;
        let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if application != APPLICATION_ID && (application != 0 || tables > 0) {
            return Ok(Found::Foreign);
        }
        let version = u32::try_from(number(db, "user_version")?).unwrap_or(0);
        if version as usize > STEPS.len() {
            return Ok(Found::Newer(version));
        }
        // The answer to this pragma is the mode that was set.
        db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "foreign_keys", true)?;
        let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        let version = u32::try_from(number(&change, "user_version")?).unwrap_or(0) as usize;
        for step in STEPS.iter().skip(version) {
            change.execute_batch(step)?;
        }
        if version < STEPS.len() {
            change.pragma_update(None, "user_version", STEPS.len() as u32)?;
            change.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        change.commit()?;
        Ok(Found::Ready)
    }

    pub(super) fn explain(&self, source: rusqlite::Error) -> LibraryError {
        let path = self.path.clone();
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => LibraryError::Foreign { path },
            _ => LibraryError::Sqlite { path, source },
        }
    }

    /// Keeps a live generation; returns its number.
    pub fn add_generation(&self, item: &Item, trace: &Trace, created_ms: i64) -> Result<i64, LibraryError> {
        let (item_json, trace_json) = (serde_json::to_string(item)?, serde_json::to_string(trace)?);
        self.connection
            .execute(
                "INSERT INTO generation (created_ms, item_id, method, item, trace) VALUES (?, ?, ?, ?, ?)",
                params![created_ms, item.id.to_string(), trace.method.0, item_json, trace_json],
            )
            .map_err(|e| self.explain(e))?;
        Ok(self.connection.last_insert_rowid())
    }

    /// All live generations, oldest first. A row that cannot be read is left out and counted.
    pub fn generations(&self) -> Result<(Vec<Generation>, usize), LibraryError> {
        self.read_generations().map_err(|e| self.explain(e))
    }

    fn read_generations(&self) -> rusqlite::Result<(Vec<Generation>, usize)> {
        let mut query =
            self.connection.prepare("SELECT id, created_ms, item, trace FROM generation ORDER BY id")?;
        let mut rows = query.query([])?;
        let (mut found, mut damaged) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (item, trace): (String, String) = (row.get(2)?, row.get(3)?);
            match (serde_json::from_str(&item), serde_json::from_str(&trace)) {
                (Ok(item), Ok(trace)) => {
                    found.push(Generation { id: row.get(0)?, created_ms: row.get(1)?, item, trace });
                }
                _ => damaged += 1,
            }
        }
        Ok((found, damaged))
    }

    /// Forgets a live generation; whether there was one.
    pub fn remove_generation(&self, id: i64) -> Result<bool, LibraryError> {
        let removed = self.connection.execute("DELETE FROM generation WHERE id = ?", [id]);
        removed.map(|n| n > 0).map_err(|e| self.explain(e))
    }
}

enum Found {
    Ready,
    Newer(u32),
    Foreign,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Perspective;

    fn pair() -> (Item, Trace) {
        let item = Item::value("vk", Perspective::named("Care"), "Walking a friend home");
        let mut trace = Trace::new(&item, "sft".into(), "Answer: A".to_owned());
        trace.extra.insert("mine".to_owned(), serde_json::json!([1, 2]));
        (item, trace)
    }

    #[test]
    fn generations_come_back_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/library.db");
        let (item, trace) = pair();
        let id = Library::open(&path).unwrap().add_generation(&item, &trace, 7).unwrap();
        let library = Library::open(&path).unwrap();
        assert_eq!(library.generations().unwrap(), (vec![Generation { id, created_ms: 7, item, trace }], 0));
        assert!(library.remove_generation(id).unwrap());
        assert_eq!(library.generations().unwrap(), (vec![], 0));
    }

    #[test]
    fn two_users_write_to_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("library.db");
        let (one, two) = (Library::open(&path).unwrap(), Library::open(&path).unwrap());
        let (item, trace) = pair();
        one.add_generation(&item, &trace, 1).unwrap();
        two.add_generation(&item, &trace, 2).unwrap();
        assert_eq!(one.generations().unwrap().0.len(), 2);
    }

    #[test]
    fn newer_foreign_and_damaged_files_are_refused_with_words() {
        let dir = tempfile::tempdir().unwrap();
        let newer = dir.path().join("newer.db");
        drop(Library::open(&newer).unwrap());
        Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Library::open(&newer), Err(LibraryError::Newer { found: 99, .. })));
        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE other (a)").unwrap();
        assert!(matches!(Library::open(&foreign), Err(LibraryError::Foreign { .. })));
        let text = dir.path().join("text.db");
        std::fs::write(&text, "this is not a database, and long enough to be looked at".repeat(20)).unwrap();
        assert!(matches!(Library::open(&text), Err(LibraryError::Foreign { .. })));
    }

    #[test]
    fn a_damaged_row_is_counted_and_the_rest_comes() {
        let library = Library::in_memory().unwrap();
        let (item, trace) = pair();
        library.add_generation(&item, &trace, 1).unwrap();
        library.add_generation(&item, &trace, 2).unwrap();
        library.connection.execute("UPDATE generation SET trace = '{' WHERE id = 1", []).unwrap();
        let (found, damaged) = library.generations().unwrap();
        assert_eq!((found.len(), damaged), (1, 1));
    }
}
