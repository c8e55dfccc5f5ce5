//! Takes typed values out of a record, with reasons that name the field.

use super::{Context, Fields};
use crate::core::{Choice, Item, Letter, Perspective, text::squeeze};
use serde_json::Value;

/// More options than this have no letters.
pub const MAX_OPTIONS: usize = 26;

/// A text that must be there and not be blank.
pub fn text(fields: &mut Fields, name: &str) -> Result<String, String> {
    match optional_text(fields, name)? {
        Some(text) if !text.trim().is_empty() => Ok(text),
        Some(_) => Err(format!("`{name}` is empty")),
        None => Err(format!("`{name}` is missing")),
    }
}

/// A text that may be missing or null.
pub fn optional_text(fields: &mut Fields, name: &str) -> Result<Option<String>, String> {
    match fields.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("`{name}` should be text, and is {}", sort(&other))),
    }
}

/// What a JSON value is, in words.
pub fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A gold letter: "" and null are "not known".
pub fn gold(fields: &mut Fields, name: &str) -> Result<Option<Letter>, String> {
    match optional_text(fields, name)?.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => one_letter(text)
            .map(Some)
            .ok_or_else(|| format!("`{name}` is `{text}`, which is not an option letter (A to Z)")),
    }
}

/// The letter that `text` is, if it is nothing else.
pub fn one_letter(text: &str) -> Option<Letter> {
    let mut chars = text.trim().chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Letter::from_char(c),
        _ => None,
    }
}

/// "Supports", "Oppose", "Either"… as the letter of [`Item::VALUE_OPTIONS`].
pub fn valence(word: &str) -> Option<Letter> {
    let word = word.trim().to_lowercase();
    let word = word.strip_suffix('s').unwrap_or(&word);
    Item::VALUE_OPTIONS.iter().position(|o| o.eq_ignore_ascii_case(word)).and_then(Letter::from_index)
}

/// Whether the gold letter is one that the item offers.
pub fn gold_is_offered(item: &Item) -> Result<(), String> {
    match item.gold {
        Some(gold) if item.option_text(gold).is_none() => {
            Err(format!("gold is {gold}, but there are only {} options", item.options.len()))
        }
        _ => Ok(()),
    }
}

/// A survey item: options with their human distribution; gold is the most popular, the first on a tie.
pub fn survey_item(
    perspective: Perspective,
    question: &str,
    options: &[String],
    probabilities: &[f64],
    context: &Context,
) -> Result<Item, String> {
    option_count(options.len())?;
    if options.len() != probabilities.len() {
        return Err(format!("{} options, but {} probabilities", options.len(), probabilities.len()));
    }
    distribution(probabilities)?;
    let texts: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut item = Item::new("opinionqa", perspective, question, &texts);
    for (choice, p) in item.options.iter_mut().zip(probabilities) {
        choice.human_probability = Some(*p);
    }
    item.gold = most_popular(&item.options);
    item.source.clone_from(&context.source);
    item.split.clone_from(&context.split);
    Ok(item)
}

/// The first option with the highest probability.
pub fn most_popular(options: &[Choice]) -> Option<Letter> {
    let mut best: Option<(f64, Letter)> = None;
    for choice in options {
        let p = choice.human_probability?;
        if best.is_none_or(|(most, _)| p > most) {
            best = Some((p, choice.letter));
        }
    }
    best.map(|(_, letter)| letter)
}

/// Whether these are shares of one whole. Rounded tables may miss 1 by a little.
pub fn distribution(probabilities: &[f64]) -> Result<(), String> {
    if let Some(bad) = probabilities.iter().find(|p| !p.is_finite() || **p < 0.0) {
        return Err(format!("`{bad}` is not a probability"));
    }
    let sum: f64 = probabilities.iter().sum();
    if (sum - 1.0).abs() > 0.05 {
        return Err(format!("the probabilities sum to {sum:.3} instead of 1"));
    }
    Ok(())
}

/// Whether every option can have a letter.
pub fn option_count(count: usize) -> Result<(), String> {
    match count {
        0 => Err("there are no options".to_owned()),
        1..=MAX_OPTIONS => Ok(()),
        _ => Err(format!("{count} options, but there are only {MAX_OPTIONS} letters")),
    }
}

/// A demographic perspective. OpinionQA writes everybody as an empty or "Overall" group.
pub fn demographic(attribute: &str, group: &str) -> Perspective {
    let group = if squeeze(group).is_empty() { "Overall" } else { group };
    Perspective::demographic(attribute, group)
}
