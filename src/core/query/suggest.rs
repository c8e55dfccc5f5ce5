//! Completions for the word at the cursor, from the language and from what the corpus holds.

use super::parse::{BARE_TERMS, FIELDS, OUTCOMES};
use crate::core::{
    Corpus, Kind,
    check::{CheckId, Family},
    corpus::CheckState,
    safety::Label,
};
use std::ops::Range;

/// Suggestions at most.
const LIMIT: usize = 50;

/// One way to complete a word: put `text` in place of `range`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Bytes of the line to replace.
    pub range: Range<usize>,
    pub text: String,
}

/// What the word that ends at byte `cursor` may become, best first; empty where nothing fits.
pub fn suggest(line: &str, cursor: usize, corpus: &Corpus) -> Vec<Suggestion> {
    let before = line.get(..cursor).unwrap_or(line);
    let start = word_start(before);
    let word = &before[start..];
    let dash = word.len() - word.trim_start_matches('-').len();
    let word_body = &word[dash..];
    let (head, tail) = match word_body.rfind([':', '=']) {
        Some(at) => word_body.split_at(at + 1),
        None => ("", word_body),
    };
    let at = before.len() - tail.len();
    let typed = tail.trim_start_matches('"').to_lowercase();
    let mut found: Vec<String> = candidates(head, corpus)
        .into_iter()
        .filter(|c| c.to_lowercase().contains(&typed) && c.to_lowercase() != typed)
        .collect();
    // What starts with the typed text comes first; the order is otherwise kept.
    found.sort_by_key(|c| !c.to_lowercase().starts_with(&typed));
    found.truncate(LIMIT);
    found
        .into_iter()
        .map(|text| {
            let text = if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text };
            Suggestion { range: at..before.len(), text }
        })
        .collect()
}

/// Where the last word starts: after the last blank outside quotes.
fn word_start(before: &str) -> usize {
    let mut quoted = false;
    let mut start = 0;
    for (at, c) in before.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => start = at + c.len_utf8(),
            _ => {}
        }
    }
    start
}

fn checks() -> Vec<String> {
    CheckId::ALL.iter().map(|c| c.word().to_owned()).collect()
}

fn candidates(head: &str, corpus: &Corpus) -> Vec<String> {
    let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let names = |names: &[std::sync::Arc<str>]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    match head {
        "" => {
            let mut all = own(&BARE_TERMS);
            all.extend(FIELDS.iter().map(|f| format!("{f}:")));
            all
        }
        "method:" => corpus.methods().iter().map(|m| format!("{m}=")).chain(["*=".to_owned()]).collect(),
        "answer:" => corpus.methods().iter().map(|m| format!("{m}=")).chain(letters()).collect(),
        "check:" => checks(),
        "gold:" => letters().chain(["unknown".to_owned()]).collect(),
        "kind:" => own(&Kind::ALL.map(Kind::word)),
        "dataset:" => names(corpus.datasets()),
        "split:" => names(corpus.splits()),
        "domain:" => names(corpus.domains()),
        "perspective:" | "perspective=" => corpus.perspectives().iter().map(|p| p.name.clone()).collect(),
        "attribute:" => {
            let mut all: Vec<_> = corpus.perspectives().iter().filter_map(|p| p.attribute.clone()).collect();
            all.sort();
            all.dedup();
            all
        }
        "in:" => own(&["rationale", "text"]),
        "samples:" => own(&[">=2", "1"]),
        _ if head.starts_with("check:") => check_tests(head),
        _ if head.starts_with("method:") => own(&OUTCOMES),
        _ if head.starts_with("answer:") => letters().collect(),
        _ => Vec::new(),
    }
}

/// What may be asked of the check that `head` names.
fn check_tests(head: &str) -> Vec<String> {
    let check = CheckId::ALL.into_iter().find(|c| head.trim_end_matches('=').ends_with(c.word()));
    let safety = check.is_some_and(|c| c.family() == Family::Safety);
    let own: &[&str] = if safety { &["own", "prompt"] } else { &[] };
    let words = CheckState::ALL.into_iter().map(CheckState::word).chain(["any", "counted"]);
    let labels = Label::all().filter(|_| safety).map(Label::word);
    words.chain(own.iter().copied()).chain(labels).map(str::to_owned).collect()
}

fn letters() -> impl Iterator<Item = String> {
    ('A'..='E').map(String::from)
}
