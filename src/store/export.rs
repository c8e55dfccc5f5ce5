//! Rows as our own JSON Lines: an item per line, or a trace with its item's fields beside it.

use super::readers::{Fields, Row};
use crate::core::{Item, Trace};
use serde_json::Value;

/// One line without its line end. What a row held and Pluriscope does not know is in it.
pub fn line(row: &Row) -> Result<String, serde_json::Error> {
    match (&row.item, &row.trace) {
        (item, Some(trace)) => trace_line(item.as_ref(), trace),
        (Some(item), None) => item_line(item),
        (None, None) => Ok("{}".to_owned()),
    }
}

/// An item's line.
pub fn item_line(item: &Item) -> Result<String, serde_json::Error> {
    serde_json::to_string(item)
}

/// A trace's line. The item's fields, where it is known, come first, so that the line stands alone;
/// its `id` is the trace's `item_id`.
pub fn trace_line(item: Option<&Item>, trace: &Trace) -> Result<String, serde_json::Error> {
    let mut line = match item {
        Some(item) => fields(serde_json::to_value(item)?),
        None => Fields::new(),
    };
    line.shift_remove("id");
    let trace = fields(serde_json::to_value(trace)?);
    for (name, value) in trace {
        line.insert(name, value);
    }
    serde_json::to_string(&line)
}

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}
