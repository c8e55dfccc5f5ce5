//! One reader per format of the field: a record's fields in, items and traces out. No file is opened here.
//!
//! How records are laid out in a file (lines, array, CSV, Parquet) is for [`super::container`]; what
//! their fields mean is for the reader. A record that makes no sense is an `Err` with the reason and a
//! remedy, and never stops the rest.

mod fields;
mod modular;
mod opinionqa;
mod ours;
mod overton;
mod prompt;
mod python;
mod study;
mod valueprism;

pub use overton::Join;

use crate::core::{
    CorpusBuilder, Item, Loc, MethodId, Trace,
    corpus::{ItemFacts, Origin, TraceFacts},
};
use serde::{Deserialize, Serialize};
use std::{fmt, path::Path, str::FromStr, sync::Arc};

/// One record's fields, in file order.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// What a record holds: an item, a trace, or a trace that carries its item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub item: Option<Item>,
    pub trace: Option<Trace>,
}

/// What the fields of a file's records mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Our own items and traces.
    Pluriscope,
    /// The study's data sets and results: `situation`/`vrd_text`… or `question_raw`/`group`….
    Study,
    /// Modular Pluralism, steerable task on Value Kaleidoscope.
    ModularVk,
    /// Modular Pluralism, steerable task on OpinionQA.
    ModularOpinionqa,
    /// Modular Pluralism, Overton task: situations with explanations and no gold.
    ModularOverton,
    /// ValuePrism's full table.
    Valueprism,
    /// OpinionQA's per-wave distributions.
    Opinionqa,
    /// verl's training prompts.
    Verl,
}

impl Format {
    pub const ALL: [Format; 8] = [
        Format::Pluriscope,
        Format::Study,
        Format::ModularVk,
        Format::ModularOpinionqa,
        Format::ModularOverton,
        Format::Valueprism,
        Format::Opinionqa,
        Format::Verl,
    ];

    /// The word that `--format` takes.
    pub fn word(self) -> &'static str {
        match self {
            Format::Pluriscope => "pluriscope",
            Format::Study => "study",
            Format::ModularVk => "modular-vk",
            Format::ModularOpinionqa => "modular-opinionqa",
            Format::ModularOverton => "modular-overton",
            Format::Valueprism => "valueprism",
            Format::Opinionqa => "opinionqa",
            Format::Verl => "verl",
        }
    }

    /// The format whose records have these fields.
    pub fn of_fields(has: &dyn Fn(&str) -> bool) -> Option<Format> {
        let all = |names: &[&str]| names.iter().all(|name| has(name));
        Some(match () {
            () if all(&["item_id", "method"]) || all(&["perspective", "text"]) => Format::Pluriscope,
            () if all(&["question_raw", "D_H"]) => Format::Opinionqa,
            () if has("question_raw") || all(&["situation", "vrd_text"]) => Format::Study,
            () if all(&["question", "gold_distribution"]) => Format::ModularOpinionqa,
            () if all(&["situation", "vrd", "label"]) => Format::ModularVk,
            () if all(&["situation", "vrd", "text", "valence"]) => Format::Valueprism,
            () if all(&["situation", "vrd", "explanation"]) => Format::ModularOverton,
            () if all(&["prompt", "reward_model"]) => Format::Verl,
            () => return None,
        })
    }

    /// Whether one record is at most one row, so that a line of a file can be read on its own.
    pub fn one_row(self) -> bool {
        self != Format::ModularOverton
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Format::ALL.into_iter().find(|f| f.word() == word).ok_or_else(|| {
            let all: Vec<_> = Format::ALL.iter().map(|f| f.word()).collect();
            format!("`{word}` is not a format; formats are {}", all.join(", "))
        })
    }
}

/// What a file's name says about its rows, for formats whose rows do not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The file's name, kept as the source of items.
    pub source: String,
    /// The method of a study result file.
    pub method: MethodId,
    /// The model of a study result file; empty where the name does not say.
    pub model: String,
    pub split: Option<String>,
    /// Explanations to be joined in.
    pub join: Option<Arc<Join>>,
}

impl Context {
    /// Reads the study's naming scheme, `llama3_steerable_vk_human_cot_test.jsonl`. Where it does not
    /// apply, the file's stem is the method.
    pub fn of(path: &Path) -> Context {
        let name = |part: Option<&std::ffi::OsStr>| {
            part.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let stem = name(path.file_stem());
        let words: Vec<String> = stem.to_lowercase().split(['_', '-', '.']).map(str::to_owned).collect();
        let has = |word: &str| words.iter().any(|w| w == word);
        let pair = |a: &str, b: &str| words.windows(2).any(|w| w[0] == a && w[1] == b);
        let method = match () {
            () if has("grpo") || has("rlvr") => "rlvr",
            () if pair("human", "cot") => "human-cot",
            () if has("star") || pair("synthetic", "cot") => "synthetic-cot",
            () if pair("no", "sft") || pair("zero", "shot") || has("zs") || has("gpt") => "zero-shot-cot",
            () if has("sft") => "sft",
            () => stem.as_str(),
        };
        let before: Vec<&str> = words.iter().map(String::as_str).take_while(|w| *w != "steerable").collect();
        let model = if before.len() < words.len() { before.join("-") } else { String::new() };
        let split = ["train", "val", "test"].into_iter().find(|s| has(s)).map(str::to_owned);
        Context { source: name(path.file_name()), method: method.into(), model, split, join: None }
    }
}

/// Reads a record; more than one row only where [`Format::one_row`] is false.
pub fn rows(format: Format, fields: Fields, context: &Context) -> Result<Vec<Row>, String> {
    let one = |row: Row| vec![row];
    let item = |item: Item| vec![Row { item: Some(item), trace: None }];
    let mut rows = match format {
        Format::Pluriscope => ours::row(fields).map(one),
        Format::Study => study::row(fields, context).map(one),
        Format::ModularVk => modular::value_item(fields, context).map(item),
        Format::ModularOpinionqa => modular::survey_item(fields, context).map(item),
        Format::ModularOverton => overton::rows(fields, context),
        Format::Valueprism => valueprism::item(fields, context).map(item),
        Format::Opinionqa => opinionqa::item(fields, context).map(item),
        Format::Verl => prompt::item(fields, context).map(item),
    }?;
    if let Some(join) = &context.join {
        for item in rows.iter_mut().filter_map(|row| row.item.as_mut()) {
            if item.explanation.is_none() && item.is_value() {
                item.explanation = join.explanation(&item.text, &item.perspective.name);
            }
        }
    }
    Ok(rows)
}

/// Reads one line of a file.
pub fn line(format: Format, line: &str, context: &Context) -> Result<Vec<Row>, String> {
    let fields: Fields = serde_json::from_str(line).map_err(|e| json_reason(&e))?;
    rows(format, fields, context)
}

/// Puts one line into an index: the same outcome as [`line()`], without keeping its texts.
pub fn index_line(
    format: Format,
    text: &str,
    context: &Context,
    builder: &mut CorpusBuilder,
    loc: Loc,
) -> Result<(), String> {
    let quick = match format {
        Format::Pluriscope => ours::index(text, builder, loc),
        Format::Study => study::index(text, context, builder, loc),
        _ => None,
    };
    if quick.is_some() {
        return Ok(());
    }
    for row in line(format, text, context)? {
        index_row(&row, builder, loc);
    }
    Ok(())
}

/// Puts a row into an index.
pub fn index_row(row: &Row, builder: &mut CorpusBuilder, loc: Loc) {
    if let Some(item) = &row.item {
        let origin = if row.trace.is_some() { Origin::TraceLine } else { Origin::ItemLine };
        builder.add_item(&ItemFacts::from(item), loc, origin);
    }
    if let Some(trace) = &row.trace {
        builder.add_trace(&TraceFacts::from(trace), loc);
    }
}

/// What serde_json says, without its place within the one line.
pub(super) fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    if error.is_eof() {
        return format!("the JSON ends too early ({text}); was the file cut off?");
    }
    format!("not valid JSON at byte {}: {text}", error.column())
}

#[cfg(test)]
mod tests;
