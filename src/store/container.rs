//! How records are laid out in a file. Each is given out as its fields; what they mean is for the readers.

use super::{
    StoreError,
    lines::{self, Block, Blocks, MAX_LINE},
    readers::{self, Fields},
};
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::{Value, json, value::RawValue};
use std::{
    fs::File,
    io::BufReader,
    ops::ControlFlow::{self, Break, Continue},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// The layouts that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// JSON Lines.
    Lines,
    /// One JSON array of objects.
    Array,
    Csv,
    Parquet,
}

/// Takes a record's number (line, or row from 1) and its fields, or why it has none.
pub type Sink<'a> = dyn FnMut(u64, Result<Fields, String>) -> ControlFlow<()> + 'a;

/// Gives all records to `sink`, in order, until it breaks. Errors are about the file as a whole.
pub fn records(container: Container, path: &Path, sink: &mut Sink<'_>) -> Result<(), StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    match container {
        Container::Lines => json_lines(&file, sink).map_err(|e| StoreError::io(path, e)),
        Container::Array => {
            array(file, sink);
            Ok(())
        }
        Container::Csv => table(file, sink).map_err(|e| StoreError::io(path, e.into())),
        Container::Parquet => parquet_rows(path, file, sink),
    }
}

fn json_lines(file: &File, sink: &mut Sink<'_>) -> std::io::Result<()> {
    let mut blocks = Blocks::new(file, file.metadata()?.len());
    while let Some(block) = blocks.next_block(1 << 20)? {
        match block {
            Block::TooLong { line, len } => {
                if sink(line, Err(lines::too_long(len))).is_break() {
                    return Ok(());
                }
            }
            Block::Lines { offset, first_line, bytes } => {
                for line in lines::lines(offset, first_line, &bytes) {
                    let fields = lines::text(&line)
                        .and_then(|text| serde_json::from_str(text).map_err(|e| readers::json_reason(&e)));
                    if sink(line.number, fields).is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

/// Elements are read one after the other, so that a truncated array still gives its beginning.
fn array(file: File, sink: &mut Sink<'_>) {
    struct Elements<'a, 'b> {
        sink: &'a mut Sink<'b>,
        row: &'a mut u64,
    }
    impl<'de> Visitor<'de> for Elements<'_, '_> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of objects")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while let Some(raw) = seq.next_element::<Box<RawValue>>()? {
                *self.row += 1;
                let fields = match raw.get().len() {
                    len if len > MAX_LINE => Err(lines::too_long(len as u64)),
                    _ => serde_json::from_str(raw.get()).map_err(|e| readers::json_reason(&e)),
                };
                if (self.sink)(*self.row, fields).is_break() {
                    return Err(A::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }
    impl<'de> DeserializeSeed<'de> for Elements<'_, '_> {
        type Value = ();
        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_seq(self)
        }
    }
    let mut row = 0;
    let mut stopped = false;
    let mut watched = |number, fields: Result<Fields, String>| {
        let flow = sink(number, fields);
        stopped = flow.is_break();
        flow
    };
    let mut json = serde_json::Deserializer::from_reader(SkipBom::new(BufReader::new(file)));
    let result = Elements { sink: &mut watched, row: &mut row }.deserialize(&mut json);
    if let Err(error) = result.and_then(|()| json.end())
        && !stopped
    {
        let place = format!("line {}, after {row} whole rows", error.line());
        // Nothing can follow a broken element, so its flow does not matter.
        let _ = sink(row + 1, Err(format!("{} ({place})", readers::json_reason(&error))));
    }
}

/// Leaves out a byte order mark.
struct SkipBom<R> {
    reader: R,
    started: bool,
}

impl<R: std::io::BufRead> SkipBom<R> {
    fn new(reader: R) -> Self {
        SkipBom { reader, started: false }
    }
}

impl<R: std::io::BufRead> std::io::Read for SkipBom<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if !self.started {
            self.started = true;
            if self.reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
                self.reader.consume(3);
            }
        }
        self.reader.read(out)
    }
}

fn table(file: File, sink: &mut Sink<'_>) -> Result<(), csv::Error> {
    let mut reader = csv_reader(file);
    let names = column_names(&mut reader)?;
    let mut record = csv::ByteRecord::new();
    loop {
        let line = reader.position().line();
        let fields = match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => csv_fields(&names, &record),
            Err(error) if error.is_io_error() => return Err(error),
            Err(error) => Err(error.to_string()),
        };
        let line = record.position().map_or(line, csv::Position::line);
        if sink(line, fields).is_break() {
            return Ok(());
        }
    }
}

fn csv_reader(file: File) -> csv::Reader<BufReader<File>> {
    csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(file))
}

fn column_names(reader: &mut csv::Reader<BufReader<File>>) -> Result<Vec<String>, csv::Error> {
    let clean = |name: &[u8]| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned();
    Ok(reader.byte_headers()?.iter().map(clean).collect())
}

/// The names in a table's first line.
pub fn csv_columns(path: &Path) -> Result<Vec<String>, StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    column_names(&mut csv_reader(file)).map_err(|e| StoreError::io(path, e.into()))
}

fn csv_fields(names: &[String], record: &csv::ByteRecord) -> Result<Fields, String> {
    if record.as_slice().len() > MAX_LINE {
        return Err(lines::too_long(record.as_slice().len() as u64));
    }
    if record.len() != names.len() {
        return Err(format!(
            "{} columns instead of {}; is a quotation mark missing?",
            record.len(),
            names.len()
        ));
    }
    let mut fields = Fields::new();
    for (name, value) in names.iter().zip(record) {
        let text = std::str::from_utf8(value).map_err(|_| format!("column `{name}` is not UTF-8 text"))?;
        fields.insert(name.clone(), json!(text));
    }
    Ok(fields)
}

fn parquet_rows(path: &Path, file: File, sink: &mut Sink<'_>) -> Result<(), StoreError> {
    let error = |reason: String| StoreError::Parquet {
        path: path.to_owned(),
        reason: format!("the Parquet file cannot be read ({reason}); was it cut off or copied wrongly?"),
    };
    // A damaged file may make the Parquet library panic; that is no reason to end the program.
    let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<(), parquet::errors::ParquetError> {
        let reader = SerializedFileReader::new(file)?;
        for (number, row) in (1..).zip(reader.get_row_iter(None)?) {
            if sink(number, Ok(parquet_fields(&row?))).is_break() {
                break;
            }
        }
        Ok(())
    }));
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(error(e.to_string())),
        Err(_) => Err(error("damaged data".to_owned())),
    }
}

/// The names of a Parquet file's columns.
pub fn parquet_columns(path: &Path) -> Result<Vec<String>, StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io(path, e))?;
    let mut names = Vec::new();
    let read = catch_unwind(AssertUnwindSafe(|| {
        SerializedFileReader::new(file).map(|reader| {
            let schema = reader.metadata().file_metadata().schema().get_fields();
            names.extend(schema.iter().map(|f| f.name().to_owned()));
        })
    }));
    let reason = match read {
        Ok(Ok(())) => return Ok(names),
        Ok(Err(e)) => e.to_string(),
        Err(_) => "damaged data".to_owned(),
    };
    let reason = format!("the Parquet file cannot be read ({reason}); was it cut off or copied wrongly?");
    Err(StoreError::Parquet { path: path.to_owned(), reason })
}

fn parquet_fields(row: &Row) -> Fields {
    row.get_column_iter().map(|(name, field)| (name.clone(), parquet_value(field))).collect()
}

fn parquet_value(field: &Field) -> Value {
    match field {
        Field::Bool(b) => json!(b),
        Field::Byte(n) => json!(n),
        Field::Short(n) => json!(n),
        Field::Int(n) | Field::Date(n) | Field::TimeMillis(n) => json!(n),
        Field::Long(n) | Field::TimeMicros(n) | Field::TimestampMillis(n) | Field::TimestampMicros(n) => {
            json!(n)
        }
        Field::UByte(n) => json!(n),
        Field::UShort(n) => json!(n),
        Field::UInt(n) => json!(n),
        Field::ULong(n) => json!(n),
        Field::Float(n) => json!(n),
        Field::Double(n) => json!(n),
        Field::Str(text) => json!(text),
        Field::Bytes(bytes) => json!(String::from_utf8_lossy(bytes.data())),
        Field::Group(row) => Value::Object(parquet_fields(row)),
        Field::ListInternal(list) => list.elements().iter().map(parquet_value).collect(),
        Field::MapInternal(map) => Value::Object(
            map.entries()
                .iter()
                .map(|(k, v)| match k {
                    Field::Str(name) => (name.clone(), parquet_value(v)),
                    other => (other.to_string(), parquet_value(v)),
                })
                .collect(),
        ),
        Field::Null | Field::Float16(_) | Field::Decimal(_) => Value::Null,
    }
}

/// The first record that can be read, among the first `most`; else why the very first one cannot, or
/// `None` where there is no record at all.
pub fn first_record(
    container: Container,
    path: &Path,
    most: usize,
) -> Result<Result<Fields, Option<String>>, StoreError> {
    let mut found = Err(None);
    let mut seen = 0;
    records(container, path, &mut |number, fields| {
        seen += 1;
        match (fields, &mut found) {
            (Ok(fields), found) => {
                *found = Ok(fields);
                return Break(());
            }
            (Err(reason), Err(first @ None)) => *first = Some(format!("record {number}: {reason}")),
            _ => {}
        }
        if seen < most { Continue(()) } else { Break(()) }
    })?;
    Ok(found)
}
