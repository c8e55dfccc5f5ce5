//! Verdicts of checks in the library, by trace, check and parameters: nothing is computed twice.

use super::library::{Library, LibraryError};
use crate::core::check::Record;
use rusqlite::params;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

impl Library {
    /// Keeps verdicts in one transaction; one with the same trace, check and parameters is replaced.
    pub fn keep_checks<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Record>,
        created_ms: i64,
    ) -> Result<usize, LibraryError> {
        let mut rows = Vec::new();
        for record in records {
            rows.push((record, serde_json::to_string(&record.trace)?, serde_json::to_string(record)?));
        }
        let mut keep = || -> rusqlite::Result<usize> {
            let change = self.connection.transaction()?;
            {
                let mut insert = change.prepare_cached(
                    "INSERT INTO check_result (created_ms, trace, item_id, check_id, parameters, record)
                     VALUES (?, ?, ?, ?, ?, ?)
                     ON CONFLICT (trace, check_id, parameters)
                     DO UPDATE SET record = excluded.record, created_ms = excluded.created_ms",
                )?;
                for (record, key, json) in &rows {
                    let item = record.trace.item_id.to_string();
                    insert.execute(params![
                        created_ms,
                        key,
                        item,
                        record.check.word(),
                        record.source.parameters,
                        json
                    ])?;
                }
            }
            change.commit()?;
            Ok(rows.len())
        };
        let kept = keep();
        kept.map_err(|e| self.explain(e))
    }

    /// All verdicts, newest first; those that cannot be read are left out and counted.
    pub fn checks(&self) -> Result<(Vec<Record>, usize), LibraryError> {
        let read = || -> rusqlite::Result<(Vec<Record>, usize)> {
            let mut query = self
                .connection
                .prepare("SELECT record FROM check_result ORDER BY created_ms DESC, id DESC")?;
            let mut rows = query.query([])?;
            let (mut found, mut damaged) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                match serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default()) {
                    Ok(record) => found.push(record),
                    Err(_) => damaged += 1,
                }
            }
            Ok((found, damaged))
        };
        read().map_err(|e| self.explain(e))
    }
}

/// Whether a file starts with a line of `pluriscope check`.
pub fn holds_records(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut line = Vec::new();
    let read = BufReader::new(file.take(1 << 20)).read_until(b'\n', &mut line);
    read.is_ok() && serde_json::from_slice::<Record>(&line).is_ok()
}

/// The results in a file of `pluriscope check`, later lines first, and how many lines are none.
pub fn read_records(path: &Path) -> std::io::Result<(Vec<Record>, usize)> {
    let (mut found, mut bad) = (Vec::new(), 0);
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let line = line?;
        match serde_json::from_slice(&line) {
            Ok(record) => found.push(record),
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Err(_) => bad += 1,
        }
    }
    found.reverse();
    Ok((found, bad))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        Item, Perspective, Trace,
        check::{CheckId, Family, Reason, Source, TraceKey, Verdict},
    };

    fn record(text: &str, parameters: &str) -> Record {
        let item = Item::value("vk", Perspective::named("Care"), "Walking a friend home");
        let trace = Trace::new(&item, "sft".into(), text.to_owned());
        Record {
            trace: TraceKey::of(&trace),
            check: CheckId::EarlyAnswering,
            family: Family::Causal,
            verdict: Verdict::Unjudged(Reason::NoAnswer),
            source: Source { model: "m".into(), parameters: parameters.to_owned(), ..Source::default() },
            correct: Some(true),
        }
    }

    #[test]
    fn a_verdict_is_kept_once_per_parameters_and_comes_back() {
        let mut library = Library::in_memory().unwrap();
        let (a, b) = (record("It helps. Answer: A", "one"), record("It helps. Answer: A", "two"));
        assert_eq!(library.keep_checks([&a, &b], 1).unwrap(), 2);
        assert_eq!(library.keep_checks([&a], 2).unwrap(), 1);
        assert_eq!(library.checks().unwrap(), (vec![a, b], 0));
        library.connection.execute("UPDATE check_result SET record = '{' WHERE id = 1", []).unwrap();
        assert_eq!(library.checks().unwrap().1, 1);
    }
}
