//! Our own JSON Lines: an item per line, or a trace per line with or without its item's fields.
//!
//! Hand-written items may leave out `id` (computed), `dataset` ("custom"), `options` (Support, Oppose,
//! Either), and give `perspective` and options as plain texts.

use super::{
    Fields, Row,
    fields::{gold_is_offered, option_count, sort},
};
use crate::core::{
    CorpusBuilder, Item, ItemId, Kind, Letter, Loc, Perspective, Trace,
    corpus::{ItemFacts, Origin, TraceFacts, options_key},
    parse_answer,
    text::squeeze,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::borrow::Cow;

/// Names of an item's fields, except `id`.
const ITEM_FIELDS: [&str; 8] =
    ["dataset", "perspective", "text", "options", "gold", "explanation", "source", "split"];

const EDITED: &str = "the id does not belong to this content, so the line was edited after it was written; \
                      delete the id to have it computed anew";

/// Reads a line.
pub fn row(mut fields: Fields) -> Result<Row, String> {
    let is_trace = fields.contains_key("item_id") || fields.contains_key("llm_output");
    if !is_trace {
        return item(fields).map(|item| Row { item: Some(item), trace: None });
    }
    let mut own = Fields::new();
    if fields.contains_key("text")
        && let Some(domain) = fields.shift_remove("domain")
    {
        own.insert("domain".to_owned(), domain);
    }
    for name in ITEM_FIELDS {
        if let Some(value) = fields.shift_remove(name) {
            own.insert(name.to_owned(), value);
        }
    }
    if let Some(id) = fields.get("item_id") {
        own.insert("id".to_owned(), id.clone());
    }
    let item = if own.contains_key("text") { Some(item(own)?) } else { None };
    let trace = trace(fields, item.as_ref())?;
    Ok(Row { item, trace: Some(trace) })
}

fn item(mut fields: Fields) -> Result<Item, String> {
    if !fields.contains_key("text") {
        return Err("`text` is missing".to_owned());
    }
    match fields.get("perspective") {
        Some(Value::String(name)) => {
            let whole = serde_json::to_value(Perspective::named(name)).map_err(|e| e.to_string())?;
            fields.insert("perspective".to_owned(), whole);
        }
        Some(Value::Object(_)) => {}
        Some(other) => return Err(format!("`perspective` should be an object, and is {}", sort(other))),
        None => return Err("`perspective` is missing".to_owned()),
    }
    fields.entry("dataset").or_insert_with(|| json!("custom"));
    if fields.get("source").is_some_and(Value::is_null) {
        fields.shift_remove("source");
    }
    if fields.get("gold").and_then(Value::as_str).is_some_and(|gold| gold.trim().is_empty()) {
        fields.insert("gold".to_owned(), Value::Null);
    }
    let options = fields.entry("options").or_insert_with(|| json!(Item::VALUE_OPTIONS));
    let Value::Array(options) = options else {
        return Err(format!("`options` should be a list, and is {}", sort(options)));
    };
    option_count(options.len())?;
    for (i, option) in options.iter_mut().enumerate() {
        if let (Value::String(text), Some(letter)) = (&*option, Letter::from_index(i)) {
            *option = json!({ "letter": letter, "text": text });
        }
    }
    let stated = fields.get("id").is_some_and(|id| !id.is_null());
    if !stated {
        fields.insert("id".to_owned(), json!(ItemId::default()));
    }
    let mut item: Item = serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())?;
    if item.options.iter().enumerate().any(|(i, c)| c.letter.index() != i) {
        return Err("the options' letters do not run A, B, C…".to_owned());
    }
    gold_is_offered(&item)?;
    let computed = item.computed_id();
    if stated && item.id != computed {
        return Err(EDITED.to_owned());
    }
    item.id = computed;
    Ok(item)
}

fn trace(mut fields: Fields, item: Option<&Item>) -> Result<Trace, String> {
    if !fields.contains_key("item_id") {
        let Some(item) = item else {
            return Err(
                "a trace needs `item_id`, or its item's `perspective`, `text` and `options`".to_owned()
            );
        };
        fields.insert("item_id".to_owned(), json!(item.id));
    }
    let Some(output) = fields.get("llm_output").and_then(Value::as_str).map(str::to_owned) else {
        return Err("`llm_output` is missing: a trace needs the model's text".to_owned());
    };
    // A line that does not say how it was answered is read as the engine would read it.
    let answered = fields.contains_key("predicted_answer");
    let answer = item.filter(|_| !answered).and_then(|item| parse_answer(&output, item));
    if let Some(answer) = &answer {
        fields.insert("predicted_answer".to_owned(), json!(answer.letter));
        fields.entry("answer_rule").or_insert_with(|| json!(answer.rule));
    }
    if !fields.contains_key("cot") {
        fields.insert("cot".to_owned(), json!(crate::core::answer::rationale(&output, answer.as_ref())));
    }
    serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())
}

/// A text that is borrowed from the line where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

#[derive(Deserialize)]
struct Quick<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    item_id: Option<Text<'a>>,
    #[serde(borrow)]
    dataset: Option<Text<'a>>,
    #[serde(borrow)]
    perspective: Option<QuickPerspective<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    options: Option<Vec<QuickOption<'a>>>,
    #[serde(borrow)]
    gold: Option<Text<'a>>,
    #[serde(borrow)]
    split: Option<Text<'a>>,
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(default)]
    sample: u32,
    seed: Option<u64>,
    #[serde(borrow)]
    cot: Option<Text<'a>>,
    #[serde(borrow)]
    predicted_answer: Option<Text<'a>>,
    correct: Option<bool>,
    #[serde(default)]
    tokens: Count,
    #[serde(borrow)]
    llm_output: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct QuickPerspective<'a> {
    kind: Kind,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    attribute: Option<Text<'a>>,
    #[serde(borrow)]
    group: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct QuickOption<'a> {
    #[serde(borrow)]
    letter: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
}

/// The length of a list that nobody needs in memory.
#[derive(Default)]
struct Count(u32);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Count;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of token numbers")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while seq.next_element::<u32>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

/// Indexes a line of the usual shape; `None` leaves it to the full reader, which also finds the words
/// for what is wrong.
pub fn index(line: &str, builder: &mut CorpusBuilder, loc: Loc) -> Option<()> {
    let quick: Quick<'_> = serde_json::from_str(line).ok()?;
    let is_trace = quick.item_id.is_some() || quick.llm_output.is_some();
    let trace = if is_trace {
        // Without its answer or its rationale the text must be parsed.
        let answer = super::fields::one_letter(&quick.predicted_answer?.0);
        quick.llm_output.filter(|raw| raw.get().starts_with('"'))?;
        Some(TraceFacts {
            item: quick.item_id.as_ref()?.0.parse().ok()?,
            method: &quick.method.as_ref()?.0,
            sample: quick.sample,
            seed: quick.seed,
            cot: &quick.cot.as_ref()?.0,
            answer,
            correct: quick.correct,
            tokens: quick.tokens.0,
        })
    } else {
        None
    };
    if let Some(text) = &quick.text {
        let perspective = quick.perspective?;
        let perspective = Perspective {
            kind: perspective.kind,
            name: perspective.name.0.into_owned(),
            attribute: perspective.attribute.map(|t| t.0.into_owned()),
            group: perspective.group.map(|t| t.0.into_owned()),
        };
        let options = quick.options?;
        option_count(options.len()).ok()?;
        let in_order = |(i, option): (usize, &QuickOption<'_>)| {
            super::fields::one_letter(&option.letter.0) == Letter::from_index(i)
        };
        let gold = match quick.gold {
            Some(gold) => Some(super::fields::one_letter(&gold.0)?),
            None => None,
        };
        if !options.iter().enumerate().all(in_order) || gold.is_some_and(|g| g.index() >= options.len()) {
            return None;
        }
        let dataset = &quick.dataset.as_ref()?.0;
        let stated: ItemId = match (&trace, &quick.id) {
            (Some(trace), _) => trace.item,
            (None, id) => id.as_ref()?.0.parse().ok()?,
        };
        let computed = ItemId::of(dataset, &perspective, &text.0, options.iter().map(|o| &*o.text.0));
        if stated != computed {
            return None;
        }
        let facts = ItemFacts {
            id: computed,
            dataset,
            perspective: &perspective,
            text: &squeeze(&text.0),
            options: options.len(),
            options_key: options_key(options.iter().map(|o| &*o.text.0)),
            gold,
            split: quick.split.as_ref().map(|s| &*s.0),
            domain: quick.domain.as_ref().map(|d| &*d.0).filter(|d| !d.is_empty()),
        };
        builder.add_item(&facts, loc, if is_trace { Origin::TraceLine } else { Origin::ItemLine });
    } else if !is_trace {
        return None;
    }
    if let Some(trace) = trace {
        builder.add_trace(&trace, loc);
    }
    Some(())
}
