//! Reads a query line; never guesses: what is not understood is an error with its place and the choices.

use super::{Comparison, MethodName, OutcomeTest, Place, Query, Term, Test};
use crate::core::{
    Kind, Letter, Outcome,
    check::{CheckId, Family, Flagged},
    corpus::{CheckState, CheckTest},
};
use std::ops::Range;

/// Terms without a value.
pub(super) const BARE_TERMS: [&str; 4] = ["flips", "agrees", "unknown", "repeats"];

/// Terms with one.
pub(super) const FIELDS: [&str; 12] = [
    "method",
    "answer",
    "check",
    "gold",
    "kind",
    "dataset",
    "split",
    "domain",
    "perspective",
    "attribute",
    "samples",
    "in",
];

pub(super) const OUTCOMES: [&str; 6] = ["right", "wrong", "none", "unjudged", "run", "not-run"];

/// Why a query line is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Bytes of the line that are at fault.
    pub span: Range<usize>,
    /// What is wrong and what is allowed.
    pub message: String,
}

pub(super) fn parse(line: &str) -> Result<Query, ParseError> {
    let mut place = Place::Text;
    let mut terms = Vec::new();
    for word in split(line)? {
        terms.extend(term(&word, &mut place)?);
    }
    Ok(Query { terms })
}

/// One blank-separated piece. `plain` marks where quoted parts lie, so that their signs mean nothing.
struct Word {
    span: Range<usize>,
    text: String,
    /// Per byte of `text`: whether it stood in quotes.
    quoted: Vec<bool>,
}

impl Word {
    /// The first of `signs` outside quotes.
    fn sign(&self, signs: &[char]) -> Option<(usize, char)> {
        self.text.char_indices().find(|(at, c)| signs.contains(c) && !self.quoted[*at])
    }

    fn error(&self, message: String) -> ParseError {
        ParseError { span: self.span.clone(), message }
    }
}

/// Splits at white space outside quotes; `\"` and `\\` are escapes inside them.
fn split(line: &str) -> Result<Vec<Word>, ParseError> {
    let mut words: Vec<Word> = Vec::new();
    let mut current: Option<Word> = None;
    let mut open: Option<usize> = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if open.is_none() && c.is_whitespace() {
            words.extend(current.take());
            continue;
        }
        let word =
            current.get_or_insert_with(|| Word { span: at..at, text: String::new(), quoted: Vec::new() });
        word.span.end = at + c.len_utf8();
        let literal = match (c, open) {
            ('"', None) => {
                open = Some(at);
                continue;
            }
            ('"', Some(_)) => {
                open = None;
                continue;
            }
            ('\\', Some(_)) => match chars.next() {
                Some((next, escaped)) => {
                    word.span.end = next + escaped.len_utf8();
                    escaped
                }
                None => c,
            },
            _ => c,
        };
        word.text.push(literal);
        word.quoted.resize(word.text.len(), open.is_some());
    }
    if let Some(start) = open {
        let message = "this quote is not closed; end it with \"".to_owned();
        return Err(ParseError { span: start..line.len(), message });
    }
    words.extend(current);
    Ok(words)
}

fn term(word: &Word, place: &mut Place) -> Result<Option<Term>, ParseError> {
    let negated = word.text.starts_with('-') && word.quoted.first() == Some(&false) && word.text.len() > 1;
    let from = usize::from(negated);
    let bare = !word.quoted.iter().any(|q| *q);
    if let Some((at, sign)) = word.sign(&[':', '=']) {
        let (field, value) = (&word.text[from..at], &word.text[at + 1..]);
        if field == "in" && sign == ':' {
            *place = match value {
                "rationale" => Place::Rationale,
                "text" | "title" => Place::Text,
                _ => return Err(word.error(choices("in", value, &["text", "rationale"]))),
            };
            return Ok(None);
        }
        let test = field_test(word, field, sign, at + 1)?;
        return Ok(Some(Term { negated, test }));
    }
    let text = &word.text[from..];
    let test = match text {
        "flips" if bare => Test::Flips,
        "agrees" if bare => Test::Agrees,
        "unknown" if bare => Test::Unknown,
        "repeats" if bare => Test::Repeats,
        "" => return Ok(None),
        words => Test::Text { place: *place, words: words.to_owned() },
    };
    Ok(Some(Term { negated, test }))
}

fn field_test(word: &Word, field: &str, sign: char, at: usize) -> Result<Test, ParseError> {
    let value = &word.text[at..];
    if sign == '=' && field != "perspective" {
        return Err(word.error(if FIELDS.contains(&field) {
            format!("`{field}` takes a colon: `{field}:{value}`")
        } else {
            format!("`{}` is not a term; put words that contain `=` in quotes", word.text)
        }));
    }
    if value.is_empty() && FIELDS.contains(&field) {
        return Err(word.error(format!("`{field}:` needs a value, {}", example(field))));
    }
    match field {
        "method" => {
            let (method, outcome) = match method_value(word, at) {
                (method, Some(outcome)) => (method, outcome),
                (method, None) => (method, "run"),
            };
            let known = Outcome::ALL.into_iter().find(|o| o.word() == outcome);
            let outcome = match known {
                Some(outcome) => OutcomeTest::Is(outcome),
                None if outcome == "run" => OutcomeTest::Run,
                None => return Err(word.error(choices("method", outcome, &OUTCOMES))),
            };
            Ok(Test::Method { method, outcome })
        }
        "answer" => match method_value(word, at) {
            (method, Some(value)) => Ok(Test::Answer { method, letter: letter(word, value)? }),
            (_, None) => Ok(Test::Answer { method: MethodName::Any, letter: letter(word, value)? }),
        },
        "check" => check(word, at),
        "gold" if value == "unknown" => Ok(Test::Gold(None)),
        "gold" => letter(word, value).map(|l| Test::Gold(Some(l))),
        "kind" => Kind::from_word(value)
            .map(Test::Kind)
            .ok_or_else(|| word.error(choices("kind", value, &Kind::ALL.map(Kind::word)))),
        "dataset" => Ok(Test::Dataset(value.to_owned())),
        "split" => Ok(Test::Split(value.to_owned())),
        "domain" => Ok(Test::Domain(value.to_owned())),
        "attribute" => Ok(Test::Attribute(value.to_owned())),
        "perspective" => Ok(Test::Perspective { name: value.to_owned(), whole: sign == '=' }),
        "samples" => samples(word, value),
        _ => Err(word.error(format!(
            "there is no field `{field}`; fields are {}. Put words that contain `:` in quotes",
            FIELDS.join(", ")
        ))),
    }
}

/// Splits `method=rest` at the last sign outside quotes.
fn method_value(word: &Word, at: usize) -> (MethodName, Option<&str>) {
    let split = (at..word.text.len()).rev().find(|i| word.text.as_bytes()[*i] == b'=' && !word.quoted[*i]);
    let end = split.unwrap_or(word.text.len());
    let name = &word.text[at..end];
    let any = name == "*" && !word.quoted[at];
    let method = if any { MethodName::Any } else { MethodName::Id(name.to_owned()) };
    (method, split.map(|i| &word.text[i + 1..]))
}

/// `METHOD/CHECK=TEST`; the method may be left out, or `*`; the test too.
fn check(word: &Word, at: usize) -> Result<Test, ParseError> {
    let last =
        |sign: u8, end: usize| (at..end).rev().find(|i| word.text.as_bytes()[*i] == sign && !word.quoted[*i]);
    let whole = word.text.len();
    let equals = last(b'=', whole);
    let wanted = equals.map(|i| &word.text[i + 1..]);
    let end = equals.unwrap_or(whole);
    let slash = last(b'/', end);
    let method = slash.map(|i| &word.text[at..i]).filter(|m| *m != "*" || word.quoted[at]);
    let id = &word.text[slash.map_or(at, |i| i + 1)..end];
    let Some(check) = CheckId::ALL.into_iter().find(|c| c.word() == id) else {
        return Err(word.error(choices("check", id, &CheckId::ALL.map(CheckId::word))));
    };
    let test = check_test(check, wanted.unwrap_or("any"))
        .map_err(|allowed| word.error(choices("check", wanted.unwrap_or_default(), allowed)))?;
    let method = method.map_or(MethodName::Any, |m| MethodName::Id(m.to_owned()));
    Ok(Test::Check { method, check, test })
}

/// What is asked of a check's result, or the words that are allowed.
fn check_test(check: CheckId, word: &str) -> Result<CheckTest, &'static [&'static str]> {
    let safety = check.family() == Family::Safety;
    let state = || CheckState::ALL.into_iter().find(|s| s.word() == word).map(CheckTest::Is);
    let flags = || Flagged::from_word(word).filter(|_| safety).map(CheckTest::Flags);
    let allowed: &[&str] = if safety {
        &["flagged", "clear", "unjudged", "any", "counted", "own", "prompt", "a label as in `hate`"]
    } else {
        &["flagged", "clear", "unjudged", "any", "counted"]
    };
    match word {
        "any" => Ok(CheckTest::Any),
        "counted" => Ok(CheckTest::Counted),
        _ => state().or_else(flags).ok_or(allowed),
    }
}

fn letter(word: &Word, value: &str) -> Result<Letter, ParseError> {
    let mut chars = value.chars();
    match (chars.next().and_then(Letter::from_char), chars.next()) {
        (Some(letter), None) => Ok(letter),
        _ => Err(word.error(format!("`{value}` is not an option letter (A to Z)"))),
    }
}

fn samples(word: &Word, value: &str) -> Result<Test, ParseError> {
    let (comparison, number) = Comparison::ALL
        .iter()
        .find_map(|(comparison, sign)| Some((*comparison, value.strip_prefix(sign)?)))
        .unwrap_or((Comparison::Equal, value));
    match number.parse() {
        Ok(n) => Ok(Test::Samples(comparison, n)),
        Err(_) => Err(word.error(format!("`{value}` is not a count; write `samples:2` or `samples:>=2`"))),
    }
}

fn choices(field: &str, value: &str, allowed: &[&str]) -> String {
    format!("`{value}` is not a value of `{field}`; allowed: {}", allowed.join(", "))
}

fn example(field: &str) -> &'static str {
    match field {
        "method" => "as in `method:human-cot=right`",
        "answer" => "as in `answer:B` or `answer:human-cot=B`",
        "check" => "as in `check:early-answering=flagged` or `check:sft/safety-classifier=clear`",
        "gold" => "as in `gold:A` or `gold:unknown`",
        "kind" => "as in `kind:right`",
        "dataset" => "as in `dataset:vk`",
        "split" => "as in `split:test`",
        "domain" => "as in `domain:family`",
        "perspective" => "as in `perspective:privacy`",
        "attribute" => "as in `attribute:POLPARTY`",
        "samples" => "as in `samples:>=2`",
        _ => "as in `in:rationale`",
    }
}
