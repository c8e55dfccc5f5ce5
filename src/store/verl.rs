//! Items as verl's training files: Parquet with prompt and ground truth, and the reward function beside them.
//!
//! Columns: `data_source`, `prompt` (a list of `role` and `content`), `ability`, `reward_model` (`style`,
//! `ground_truth`), `extra_info` (`split`, `index`, `id`).

use crate::core::{Item, Prompt};
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter, writer::SerializedRowGroupWriter},
    schema::parser::parse_message_type,
};
use std::{io::Write, sync::Arc};

const SCHEMA: &str = "
    message verl {
        required binary data_source (UTF8);
        required group prompt (LIST) {
            repeated group list {
                required group element {
                    required binary role (UTF8);
                    required binary content (UTF8);
                }
            }
        }
        required binary ability (UTF8);
        required group reward_model {
            required binary style (UTF8);
            required binary ground_truth (UTF8);
        }
        required group extra_info {
            required binary split (UTF8);
            required int64 index;
            required binary id (UTF8);
        }
    }";

/// verl's reward function for these files: 1 for the right letter after the last `Answer:`, else 0.
pub const REWARD: &str = r#""""Reward for Pluriscope's verl export: 1.0 where the last "Answer: X" names the right option, else 0.0."""
import re

ANSWER = re.compile(r"Answer:\s*\(?([A-Za-z])\b")


def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    found = ANSWER.findall(solution_str)
    return 1.0 if found and found[-1].upper() == ground_truth else 0.0
"#;

/// Writes one row an item that has a gold answer; returns how many.
///
/// # Errors
/// When the file cannot be written.
pub fn write<W: Write + Send>(out: W, rows: &[(Arc<Item>, Prompt)]) -> Result<usize, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(format!("pluriscope {}", env!("CARGO_PKG_VERSION")))
        .build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    let rows: Vec<_> = rows.iter().filter_map(|(item, prompt)| Some((item, prompt, item.gold?))).collect();
    let mut group = file.next_row_group()?;
    let texts = |of: &dyn Fn(usize) -> String| -> Vec<ByteArray> {
        (0..rows.len()).map(|i| ByteArray::from(of(i).into_bytes())).collect()
    };
    let split = |i: usize| rows[i].0.split.clone().unwrap_or_else(|| "train".to_owned());
    column::<ByteArrayType>(&mut group, &texts(&|i| rows[i].0.dataset.clone()), None)?;
    let (mut roles, mut contents, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for (_, prompt, _) in &rows {
        for (n, message) in prompt.messages.iter().enumerate() {
            roles.push(ByteArray::from(message.role.word().as_bytes().to_vec()));
            contents.push(ByteArray::from(message.content.as_bytes().to_vec()));
            repeated.push(i16::from(n > 0));
        }
    }
    column::<ByteArrayType>(&mut group, &roles, Some(&repeated))?;
    column::<ByteArrayType>(&mut group, &contents, Some(&repeated))?;
    column::<ByteArrayType>(&mut group, &texts(&|_| "steerable-pluralism".to_owned()), None)?;
    column::<ByteArrayType>(&mut group, &texts(&|_| "rule".to_owned()), None)?;
    column::<ByteArrayType>(&mut group, &texts(&|i| rows[i].2.to_string()), None)?;
    column::<ByteArrayType>(&mut group, &texts(&split), None)?;
    column::<Int64Type>(&mut group, &(0..rows.len() as i64).collect::<Vec<_>>(), None)?;
    column::<ByteArrayType>(&mut group, &texts(&|i| rows[i].0.id.to_string()), None)?;
    group.close()?;
    file.close()?;
    Ok(rows.len())
}

/// Writes the next column; `repeated` holds the repetition levels of a list's column.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    values: &[T::T],
    repeated: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns than are written".to_owned()));
    };
    let defined = repeated.map(|levels| vec![1i16; levels.len()]);
    writer.typed::<T>().write_batch(values, defined.as_deref(), repeated)?;
    writer.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        Letter, Perspective,
        prompt::{Message, Role},
    };
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn rows_come_back_and_those_without_gold_are_left_out() {
        let item = |text: &str, gold| {
            let mut item = Item::value("ours", Perspective::named("Care"), text);
            item.gold = gold;
            item.split = Some("val".to_owned());
            Arc::new(item)
        };
        let prompt = |text: &str| Prompt {
            messages: vec![
                Message { role: Role::System, content: "Say.".to_owned() },
                Message { role: Role::User, content: text.to_owned() },
            ],
            prefill: String::new(),
        };
        let rows = [
            (item("A walk", Some(Letter::B)), prompt("A walk, é?")),
            (item("A run", None), prompt("A run?")),
            (item("A rest", Some(Letter::A)), prompt("A rest?")),
        ];
        let path = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(write(path.reopen().unwrap(), &rows).unwrap(), 2);
        let reader = SerializedFileReader::new(path.reopen().unwrap()).unwrap();
        let back: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(back.len(), 2);
        assert!(back[0].contains("A walk, é?") && back[0].contains("ground_truth: \"B\""), "{}", back[0]);
        assert!(back[0].contains("role: \"system\"") && back[0].contains("split: \"val\""), "{}", back[0]);
        assert!(back[1].contains("A rest?") && back[1].contains("index: 1"), "{}", back[1]);
    }
}
