//! The study's own JSON Lines: its data sets, and result files with a model's output on every row.
//!
//! Value rows have `situation`, `vrd` (the kind), `vrd_text`, `valence`, `explanation`; survey rows have
//! `question_raw`, `attribute`, `group`, `options` with probabilities. Results add `llm_output`, `cot`,
//! `predicted_answer`, `correct`. The recorded answer is kept as it is, so published numbers come out.

use super::{
    Context, Fields, Row,
    fields::{demographic, distribution, gold, gold_is_offered, one_letter, option_count, text, valence},
    ours::Text,
};
use crate::core::{
    AnswerRule, CorpusBuilder, Item, ItemId, Kind, Letter, Loc, Perspective, Trace,
    corpus::{ItemFacts, Origin, TraceFacts, options_key},
    text::squeeze,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// Reads a row.
pub fn row(mut fields: Fields, context: &Context) -> Result<Row, String> {
    let mut item =
        if fields.contains_key("question_raw") { survey(&mut fields)? } else { value(&mut fields)? };
    gold_is_offered(&item)?;
    let wave = super::fields::optional_text(&mut fields, "source")?;
    item.source = wave.unwrap_or_else(|| context.source.clone());
    item.split = super::fields::optional_text(&mut fields, "split")?.or_else(|| context.split.clone());
    let Some(output) = super::fields::optional_text(&mut fields, "llm_output")? else {
        item.extra = fields;
        return Ok(Row { item: Some(item), trace: None });
    };
    let method = super::fields::optional_text(&mut fields, "method")?;
    let method = method.map_or_else(|| context.method.clone(), |m| m.as_str().into());
    let mut trace = Trace::new(&item, method, output);
    if let Some(answer) = super::fields::optional_text(&mut fields, "predicted_answer")? {
        let letter = one_letter(&answer).filter(|l| item.option_text(*l).is_some());
        trace.predicted_answer = letter;
        trace.answer_rule = letter.map(|_| AnswerRule::AnswerLine);
        trace.correct = item.gold.map(|gold| letter == Some(gold));
    }
    if let Some(cot) = super::fields::optional_text(&mut fields, "cot")? {
        trace.cot = cot;
    }
    let said = fields.shift_remove("correct").and_then(|v| v.as_bool());
    trace.correct = trace.correct.or(said);
    trace.model =
        super::fields::optional_text(&mut fields, "model")?.unwrap_or_else(|| context.model.clone());
    trace.extra = fields;
    Ok(Row { item: Some(item), trace: Some(trace) })
}

fn value(fields: &mut Fields) -> Result<Item, String> {
    let situation = text(fields, "situation")?;
    let name = text(fields, "vrd_text")?;
    let kind = match super::fields::optional_text(fields, "vrd")? {
        Some(word) => kind_of(&word)?,
        None => Kind::infer(&name),
    };
    let mut item = Item::value("vk", Perspective { kind, ..Perspective::named(&name) }, &situation);
    let letter = gold(fields, "correct_valence_option")?;
    let word = super::fields::optional_text(fields, "valence")?;
    item.gold = agreed(letter, word.as_deref())?;
    item.explanation = super::fields::optional_text(fields, "explanation")?.filter(|e| !e.trim().is_empty());
    Ok(item)
}

fn kind_of(word: &str) -> Result<Kind, String> {
    Kind::from_word(word).ok_or_else(|| format!("`vrd` is `{word}`, and should be Value, Right or Duty"))
}

/// The letter and the valence word must say the same.
fn agreed(letter: Option<Letter>, word: Option<&str>) -> Result<Option<Letter>, String> {
    let Some(word) = word.filter(|w| !w.trim().is_empty()) else { return Ok(letter) };
    let meant = valence(word)
        .ok_or_else(|| format!("`valence` is `{word}`, and should be Supports, Opposes or Either"))?;
    match letter {
        Some(letter) if letter != meant => {
            Err(format!("`valence` says {word}, but `correct_valence_option` says {letter}"))
        }
        _ => Ok(Some(meant)),
    }
}

#[derive(Deserialize)]
struct StudyOption {
    option: String,
    option_text: String,
    #[serde(default)]
    probability: Option<f64>,
}

fn survey(fields: &mut Fields) -> Result<Item, String> {
    let question = text(fields, "question_raw")?;
    let attribute = text(fields, "attribute")?;
    let group = super::fields::optional_text(fields, "group")?.unwrap_or_default();
    let options = match fields.shift_remove("options") {
        Some(value @ Value::Array(_)) => {
            serde_json::from_value::<Vec<StudyOption>>(value).map_err(|e| format!("`options`: {e}"))?
        }
        _ => return Err("`options` is missing".to_owned()),
    };
    option_count(options.len())?;
    if options.iter().enumerate().any(|(i, o)| one_letter(&o.option) != Letter::from_index(i)) {
        return Err("the options' letters do not run A, B, C…".to_owned());
    }
    let texts: Vec<&str> = options.iter().map(|o| o.option_text.as_str()).collect();
    let mut item = Item::new("opinionqa", demographic(&attribute, &group), &question, &texts);
    let probabilities: Option<Vec<f64>> = options.iter().map(|o| o.probability).collect();
    if let Some(probabilities) = probabilities {
        distribution(&probabilities)?;
        for (choice, p) in item.options.iter_mut().zip(probabilities) {
            choice.human_probability = Some(p);
        }
    }
    let stated = gold(fields, "correct_valence_option")?;
    item.gold = stated.or_else(|| super::fields::most_popular(&item.options));
    // These repeat what the options and the attribute say.
    for name in ["ordinal_refs", "human_opinion_distribution", "attribute_natural_language"] {
        fields.shift_remove(name);
    }
    Ok(item)
}

#[derive(Deserialize)]
struct Quick<'a> {
    #[serde(borrow)]
    situation: Option<Text<'a>>,
    #[serde(borrow)]
    vrd: Option<Text<'a>>,
    #[serde(borrow)]
    vrd_text: Option<Text<'a>>,
    #[serde(borrow)]
    valence: Option<Text<'a>>,
    #[serde(borrow)]
    question_raw: Option<&'a RawValue>,
    #[serde(borrow)]
    correct_valence_option: Option<Text<'a>>,
    #[serde(borrow)]
    split: Option<Text<'a>>,
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(borrow)]
    llm_output: Option<&'a RawValue>,
    #[serde(borrow)]
    cot: Option<Text<'a>>,
    #[serde(borrow)]
    predicted_answer: Option<Text<'a>>,
    correct: Option<bool>,
}

/// Indexes a value row of the usual shape; `None` leaves it to the full reader.
pub fn index(line: &str, context: &Context, builder: &mut CorpusBuilder, loc: Loc) -> Option<()> {
    let quick: Quick<'_> = serde_json::from_str(line).ok()?;
    if quick.question_raw.is_some() {
        return None;
    }
    let (situation, name) = (squeeze(&quick.situation?.0), quick.vrd_text?.0);
    if situation.is_empty() || name.trim().is_empty() {
        return None;
    }
    let kind = Kind::from_word(&quick.vrd?.0)?;
    let perspective = Perspective { kind, ..Perspective::named(&name) };
    let letter = quick.correct_valence_option.and_then(|l| one_letter(&l.0));
    let gold = agreed(letter, quick.valence.as_ref().map(|v| &*v.0)).ok()?.filter(|g| g.index() < 3)?;
    let has_trace = quick.llm_output.is_some();
    if quick.llm_output.is_some_and(|raw| !raw.get().starts_with('"')) {
        return None;
    }
    let facts = ItemFacts {
        id: ItemId::of("vk", &perspective, &situation, Item::VALUE_OPTIONS),
        dataset: "vk",
        perspective: &perspective,
        text: &situation,
        options: 3,
        options_key: options_key(Item::VALUE_OPTIONS),
        gold: Some(gold),
        split: quick.split.as_ref().map(|s| &*s.0).or(context.split.as_deref()),
        domain: None,
    };
    let answer = match (&quick.predicted_answer, has_trace) {
        (None, true) => return None,
        (answer, _) => answer.as_ref().and_then(|a| one_letter(&a.0)).filter(|l| l.index() < 3),
    };
    if has_trace && quick.cot.is_none() {
        return None;
    }
    builder.add_item(&facts, loc, if has_trace { Origin::TraceLine } else { Origin::ItemLine });
    if has_trace {
        builder.add_trace(
            &TraceFacts {
                item: facts.id,
                method: quick.method.as_ref().map_or(&context.method.0, |m| &*m.0),
                sample: 0,
                seed: None,
                cot: quick.cot.as_ref().map_or("", |cot| &*cot.0),
                answer,
                correct: quick.correct,
                tokens: 0,
            },
            loc,
        );
    }
    Some(())
}
