//! Modular Pluralism's Overton file: situations with values, rights, duties and one explanation each.
//! It has no gold; it gives items for pluralistic comparison, and explanations to join to other files.

use super::{Context, Fields, Row, fields::text};
use crate::core::{Item, Perspective, text::squeeze};
use serde_json::Value;
use std::collections::HashMap;

/// Explanations by situation and perspective.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Join(HashMap<(String, String), String>);

impl Join {
    /// Collects the explanations of items.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Join {
        let entries = items.into_iter().filter_map(|item| {
            Some(((squeeze(&item.text), squeeze(&item.perspective.name)), item.explanation.clone()?))
        });
        Join(entries.collect())
    }

    /// The explanation for a pair, white space ignored.
    pub fn explanation(&self, situation: &str, perspective: &str) -> Option<String> {
        self.0.get(&(squeeze(situation), squeeze(perspective))).cloned()
    }

    /// How many explanations there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One row per value, right or duty. A list that is too short leaves the rest without explanation.
pub fn rows(mut fields: Fields, context: &Context) -> Result<Vec<Row>, String> {
    let situation = text(&mut fields, "situation")?;
    let texts = |value: Option<Value>| match value {
        Some(Value::Array(list)) => {
            list.into_iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        }
        Some(Value::String(one)) => Some(vec![one]),
        _ => None,
    };
    let names = texts(fields.shift_remove("vrd")).ok_or("`vrd` should be a list of texts")?;
    let explanations =
        texts(fields.shift_remove("explanation")).ok_or("`explanation` should be a list of texts")?;
    if explanations.len() > names.len() {
        return Err(format!("{} explanations for {} perspectives", explanations.len(), names.len()));
    }
    let mut explanations = explanations.into_iter();
    Ok(names
        .into_iter()
        .map(|name| {
            let mut item = Item::value("vk", Perspective::named(&name), &situation);
            item.explanation = explanations.next().filter(|e| !e.trim().is_empty());
            item.source.clone_from(&context.source);
            Row { item: Some(item), trace: None }
        })
        .collect())
}
