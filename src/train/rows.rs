//! From items to rows to learn from: which prompt, and which completion for each method.
//!
//! A small model learns the task through words, not letters: every completion ends in a plain-word verdict,
//! and the letter follows from it.

use super::{batch::Example, error::TrainError};
use crate::{
    core::{Item, Prompt, segment},
    model::{LanguageModel, Model},
};
use serde::{Deserialize, Serialize};

/// What a completion holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// The right option's text alone.
    Word,
    /// The right option's text, then its letter.
    Direct,
    /// The explanation, then the letter.
    Reason,
}

/// The completion of `item` in this style; `None` where the item lacks what it takes.
///
/// ```
/// use pluriscope::{core::{Item, Letter, Perspective}, train::rows::{Style, completion}};
/// let mut item = Item::value("vk", Perspective::named("Privacy"), "Reading a diary");
/// item.gold = Some(Letter::B);
/// assert_eq!(completion(&item, Style::Direct).as_deref(), Some("Oppose.\nAnswer: B"));
/// assert_eq!(completion(&item, Style::Word).as_deref(), Some("Oppose"));
/// ```
pub fn completion(item: &Item, style: Style) -> Option<String> {
    let gold = item.gold?;
    let option = || item.option_text(gold).map(|text| text.trim_end_matches('.'));
    let text = match style {
        Style::Word => return option().map(str::to_owned),
        Style::Direct => format!("{}.", option()?),
        Style::Reason => item.explanation.clone()?.trim().to_owned(),
    };
    Some(format!("{text}\nAnswer: {gold}"))
}

/// The token that ends a turn of this model.
pub fn end_token(model: &Model) -> Option<u32> {
    ["<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "</s>"]
        .iter()
        .filter_map(|token| model.tokenizer().id(token))
        .find(|token| model.is_end(*token))
}

/// A judge's completion: the last sentence of the rationale as the quote, then the letter it leads to.
pub fn verdict(rationale: &str, item: &Item) -> Option<String> {
    let last = segment::steps(rationale).pop()?;
    let quote = rationale[last].trim().replace('"', "'");
    Some(format!("Quote: \"{quote}\"\nAnswer: {}", item.gold?))
}

/// A row: `prompt`, and `completion` with the end of the turn.
pub fn example(
    model: &Model,
    prompt: &Prompt,
    completion: &str,
    train_prompt: bool,
) -> Result<Example, TrainError> {
    let mut tokens = model.encode(completion)?;
    tokens.extend(end_token(model));
    Ok(Example { prompt: model.encode_prompt(prompt)?, completion: tokens, train_prompt })
}
