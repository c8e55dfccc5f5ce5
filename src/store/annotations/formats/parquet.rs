//! The columns of a label table as Parquet: text as UTF-8, numbers as INT64, all of them optional.

use super::{
    Export,
    plain::{Column, ColumnKind, cells, columns},
};
use parquet::{
    basic::{Compression, ConvertedType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use serde_json::Value as Json;
use std::{io::Write, sync::Arc};

/// Writes the table in one row group.
pub fn parquet(export: &Export, out: impl Write + Send) -> Result<(), ParquetError> {
    let columns = columns(export);
    let fields = columns.iter().map(|c| field(c).map(Arc::new)).collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("labels").with_fields(fields).build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
    let rows: Vec<Vec<Json>> =
        export.labels.iter().map(|(at, kept)| cells(export, &columns, *at, kept)).collect();
    let mut group = writer.next_row_group()?;
    for (i, column) in columns.iter().enumerate() {
        let Some(mut open) = group.next_column()? else { break };
        let cells: Vec<Option<&Json>> = rows.iter().map(|row| row.get(i).filter(|c| !c.is_null())).collect();
        let there: Vec<i16> = cells.iter().map(|c| i16::from(c.is_some())).collect();
        let present = cells.into_iter().flatten();
        match column.kind {
            ColumnKind::Text => {
                let values: Vec<ByteArray> = present.map(|c| ByteArray::from(text(c).into_bytes())).collect();
                open.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
            }
            ColumnKind::Number => {
                let values: Vec<i64> = present.map(|c| c.as_i64().unwrap_or_default()).collect();
                open.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
            }
            ColumnKind::Bool => {
                let values: Vec<bool> = present.map(|c| c.as_bool().unwrap_or_default()).collect();
                open.typed::<BoolType>().write_batch(&values, Some(&there), None)?;
            }
        }
        open.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

fn text(cell: &Json) -> String {
    cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, converted) = match column.kind {
        ColumnKind::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
        ColumnKind::Number => (Physical::INT64, ConvertedType::NONE),
        ColumnKind::Bool => (Physical::BOOLEAN, ConvertedType::NONE),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_converted_type(converted)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}
