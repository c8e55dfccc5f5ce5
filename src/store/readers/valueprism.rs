//! ValuePrism's full table: `situation`, `vrd` (the kind), `text` (the name), `explanation`, `valence`.
//!
//! A table of the same shape that is somebody else's says so in a column `dataset`, and may have a `split`.

use super::{
    Context, Fields,
    fields::{optional_text, text, valence},
};
use crate::core::{Item, Kind, Perspective};

/// Reads a row. ValuePrism is what Value Kaleidoscope was trained on, so items without a `dataset` belong to `vk`.
pub fn item(mut fields: Fields, context: &Context) -> Result<Item, String> {
    let situation = text(&mut fields, "situation")?;
    let name = text(&mut fields, "text")?;
    let word = text(&mut fields, "vrd")?;
    let kind = Kind::from_word(&word)
        .ok_or_else(|| format!("`vrd` is `{word}`, and should be Value, Right or Duty"))?;
    let stance = text(&mut fields, "valence")?;
    let dataset = optional_text(&mut fields, "dataset")?.filter(|name| !name.trim().is_empty());
    let dataset = dataset.as_deref().unwrap_or("vk");
    let mut item = Item::value(dataset, Perspective { kind, ..Perspective::named(&name) }, &situation);
    item.gold = Some(
        valence(&stance)
            .ok_or_else(|| format!("`valence` is `{stance}`, and should be Supports, Opposes or Either"))?,
    );
    item.explanation = optional_text(&mut fields, "explanation")?.filter(|e| !e.trim().is_empty());
    item.source.clone_from(&context.source);
    item.split = optional_text(&mut fields, "split")?.or_else(|| context.split.clone());
    // pandas writes its row index as a column without a name.
    fields.retain(|name, _| !name.is_empty() && !name.starts_with("Unnamed:"));
    item.extra = fields;
    Ok(item)
}
