//! OpinionQA's per-wave distributions: `question_raw`, `ordinal_refs`, `attribute`, `group`, `D_H`.

use super::{
    Context, Fields,
    fields::{demographic, survey_item, text},
    python::{self, Literal},
};
use crate::core::Item;
use serde_json::Value;

/// Reads a row. Lists are written as Python or numpy prints them.
pub fn item(mut fields: Fields, context: &Context) -> Result<Item, String> {
    let question = text(&mut fields, "question_raw")?;
    let attribute = text(&mut fields, "attribute")?;
    let group = super::fields::optional_text(&mut fields, "group")?.unwrap_or_default();
    let options = match literal(&mut fields, "ordinal_refs")? {
        Literal::List(list) => list.into_iter().map(Literal::into_text).collect::<Option<Vec<_>>>(),
        _ => None,
    }
    .ok_or("`ordinal_refs` should be a list of option texts")?;
    let shares = match literal(&mut fields, "D_H")? {
        Literal::List(list) => list.iter().map(Literal::number).collect::<Option<Vec<_>>>(),
        Literal::Dict(pairs) => by_option(&options, &pairs),
        _ => None,
    }
    .ok_or("`D_H` should give one share per option, as a list or by option")?;
    survey_item(demographic(&attribute, &group), &question, &options, &shares, context)
}

/// Shares keyed by option text, letter, or place from 0; where none of these fits, the order decides.
fn by_option(options: &[String], pairs: &[(Literal, Literal)]) -> Option<Vec<f64>> {
    let find = |key: &dyn Fn(usize, &str) -> String| -> Option<Vec<f64>> {
        options
            .iter()
            .enumerate()
            .map(|(i, option)| {
                let wanted = key(i, option);
                pairs.iter().find(|(k, _)| k.to_text() == wanted).and_then(|(_, v)| v.number())
            })
            .collect()
    };
    let letter = |i: usize| crate::core::Letter::from_index(i).map(|l| l.to_string()).unwrap_or_default();
    find(&|_, option| option.to_owned())
        .or_else(|| find(&|i, _| letter(i)))
        .or_else(|| find(&|i, _| i.to_string()))
        .or_else(|| {
            let numbers: Option<Vec<f64>> = pairs.iter().map(|(_, v)| v.number()).collect();
            numbers.filter(|n| n.len() == options.len() && pairs.iter().all(|(k, _)| k.number().is_some()))
        })
}

fn literal(fields: &mut Fields, name: &str) -> Result<Literal, String> {
    match fields.shift_remove(name) {
        Some(Value::String(text)) => python::parse(&text).map_err(|e| format!("`{name}`: {e}")),
        Some(value @ (Value::Array(_) | Value::Object(_))) => {
            python::parse(&value.to_string()).map_err(|e| format!("`{name}`: {e}"))
        }
        _ => Err(format!("`{name}` is missing")),
    }
}
