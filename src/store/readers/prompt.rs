//! verl's training prompts: perspective, question and options are read back out of the prompt's text.
//!
//! What a row claims about its source (`data_source`) is not believed: the study's file says
//! `steerable_vk` and holds OpinionQA. The prompt itself decides.

use super::{
    Context, Fields,
    fields::{demographic, gold_is_offered, one_letter, option_count},
};
use crate::core::{Item, Letter, Perspective, perspective::attribute_code};
use serde_json::Value;

/// The study's label for everybody, which has no group.
const EVERYBODY: &str = "General US Population";

/// Reads a row.
pub fn item(mut fields: Fields, context: &Context) -> Result<Item, String> {
    let prompt = match fields.shift_remove("prompt") {
        Some(Value::String(text)) => text,
        Some(Value::Array(messages)) => messages
            .iter()
            .rev()
            .find(|m| m.get("role").and_then(Value::as_str) == Some("user"))
            .and_then(|m| m.get("content").and_then(Value::as_str))
            .ok_or("`prompt` has no message of the user")?
            .to_owned(),
        _ => return Err("`prompt` is missing".to_owned()),
    };
    let gold = fields
        .get("reward_model")
        .and_then(|r| r.get("ground_truth"))
        .and_then(Value::as_str)
        .map(str::to_owned);
    let mut item = survey(&prompt).or_else(|| value(&prompt)).ok_or(
        "no perspective, question and lettered options can be found in the prompt; \
         is it written from another template?",
    )?;
    option_count(item.options.len())?;
    item.gold = match gold.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(text) => Some(one_letter(text).ok_or_else(|| format!("`ground_truth` `{text}` is no letter"))?),
    };
    gold_is_offered(&item)?;
    item.source.clone_from(&context.source);
    let split = fields.get("extra_info").and_then(|e| e.get("split")).and_then(Value::as_str);
    item.split = match split {
        None | Some("default" | "") => context.split.clone(),
        Some(split) => Some(split.to_owned()),
    };
    if let Some(index) = fields.get("extra_info").and_then(|e| e.get("index")) {
        item.extra.insert("index".to_owned(), index.clone());
    }
    Ok(item)
}

/// "- Marital Status: Separated", then paragraphs, of which the last before "Options:" is the question.
fn survey(prompt: &str) -> Option<Item> {
    let mut lines = prompt.lines();
    let mark = lines.by_ref().find_map(|line| line.trim().strip_prefix("- "))?.trim();
    let perspective = match mark.split_once(':') {
        _ if mark.trim_end_matches(':').eq_ignore_ascii_case(EVERYBODY) => demographic("Overall", ""),
        Some((label, group)) => demographic(&attribute_code(label), group),
        None => return None,
    };
    let (before, after) = prompt.rsplit_once("\nOptions:")?;
    let question = before.rsplit("\n\n").map(str::trim).find(|part| !part.is_empty())?;
    // A second "- " line would be a second attribute: no single group then.
    if lines.take_while(|l| !l.trim().is_empty()).any(|l| l.trim().starts_with("- ")) {
        return None;
    }
    let options = lettered(after);
    let texts: Vec<&str> = options.iter().map(String::as_str).collect();
    (!texts.is_empty()).then(|| Item::new("opinionqa", perspective, question, &texts))
}

/// "Situation: …" and "Value: …" (or Right, Duty), each on a line of its own.
fn value(prompt: &str) -> Option<Item> {
    let after = |labels: &[&str]| {
        prompt.lines().map(str::trim).find_map(|line| {
            let (label, rest) = line.trim_start_matches("- ").split_once(':')?;
            labels.iter().any(|l| l.eq_ignore_ascii_case(label.trim())).then(|| rest.trim().to_owned())
        })
    };
    let situation = after(&["situation"]).filter(|s| !s.is_empty())?;
    let name = after(&["value", "right", "duty", "value/right/duty", "value, right, or duty", "perspective"])
        .filter(|s| !s.is_empty())?;
    Some(Item::value("vk", Perspective::named(&name), &situation))
}

/// "(A) …" lines, letters in order; a line without a letter goes on with the option before it.
fn lettered(text: &str) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).skip_while(|l| l.is_empty()) {
        let next = Letter::from_index(options.len()).map(|l| format!("({l})"));
        match next.and_then(|mark| line.strip_prefix(&mark)) {
            Some(option) => options.push(option.trim().to_owned()),
            None if line.is_empty() => break,
            None => match options.last_mut() {
                Some(option) => {
                    option.push(' ');
                    option.push_str(line);
                }
                None => break,
            },
        }
    }
    options
}
