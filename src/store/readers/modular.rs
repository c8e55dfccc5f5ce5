//! Modular Pluralism's steerable files: Value Kaleidoscope rows and OpinionQA rows.

use super::{
    Context, Fields,
    fields::{demographic, gold, gold_is_offered, survey_item as build, text, valence},
};
use crate::core::{Item, Perspective};
use serde_json::Value;

/// `situation`, `vrd` (the name; the file states no kind), `label` A/B/C.
pub fn value_item(mut fields: Fields, context: &Context) -> Result<Item, String> {
    let situation = text(&mut fields, "situation")?;
    let name = text(&mut fields, "vrd")?;
    let mut item = Item::value("vk", Perspective::named(&name), &situation);
    item.gold = gold(&mut fields, "label")?;
    if let Some(word) = super::fields::optional_text(&mut fields, "label_text")?
        && let (Some(meant), Some(gold)) = (valence(&word), item.gold)
        && meant != gold
    {
        return Err(format!("`label_text` says {word}, but `label` says {gold}"));
    }
    gold_is_offered(&item)?;
    finish(item, fields, context)
}

/// `question` (a whole prompt), `options`, `attribute` ("RELIG_Atheist"), `gold_distribution`.
pub fn survey_item(mut fields: Fields, context: &Context) -> Result<Item, String> {
    let prompt = text(&mut fields, "question")?;
    let options: Vec<String> = list(&mut fields, "options")?;
    let probabilities: Vec<f64> = list(&mut fields, "gold_distribution")?;
    let code = text(&mut fields, "attribute")?;
    // "Overall" has no group; group names may hold underscores of their own.
    let (attribute, group) = code.split_once('_').unwrap_or((&code, ""));
    let perspective = demographic(attribute, group);
    let item = build(perspective, raw_question(&prompt), &options, &probabilities, context)?;
    finish(item, fields, context)
}

/// The question without "Question:" before and the options and "Answer:" after it.
fn raw_question(prompt: &str) -> &str {
    let from = prompt.trim_start().strip_prefix("Question:").unwrap_or(prompt);
    let to = from.rfind("\nOptions:").or_else(|| from.rfind("\nAnswer:")).unwrap_or(from.len());
    from[..to].trim()
}

fn list<T: serde::de::DeserializeOwned>(fields: &mut Fields, name: &str) -> Result<Vec<T>, String> {
    match fields.shift_remove(name) {
        Some(value @ Value::Array(_)) => serde_json::from_value(value).map_err(|e| format!("`{name}`: {e}")),
        _ => Err(format!("`{name}` is missing or not a list")),
    }
}

/// Keeps the row's number and drops what only its own prompts need.
fn finish(mut item: Item, mut fields: Fields, context: &Context) -> Result<Item, String> {
    item.source.clone_from(&context.source);
    for name in ["input", "output", "pred_distribution"] {
        fields.shift_remove(name);
    }
    if let Some(id) = fields.shift_remove("id") {
        fields.insert("source_id".to_owned(), id);
    }
    item.extra = fields;
    Ok(item)
}
