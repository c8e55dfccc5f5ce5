//! Log-probabilities out of replies, in the three shapes that servers give them. Pure.
//!
//! * `prompt_logprobs` (vLLM): every token of the prompt with its id and log-probability;
//! * `echo` with `logprobs` (`/completions`): every token of the prompt as text, with its log-probability;
//! * `top_logprobs`: the most probable next tokens as text.
//!
//! A sum over a candidate's tokens means the same as with the engine on this machine: natural logarithms, all
//! candidates of a context from the last position up to which they all agree with it.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A token of a prompt: what tells it from others, and its log-probability; the first has none.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub id: String,
    pub logprob: Option<f64>,
}

/// Why a reply holds no such numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoScores(pub String);

fn no_scores(words: impl Into<String>) -> NoScores {
    NoScores(words.into())
}

fn finite(value: f64) -> Option<f64> {
    // JSON knows no infinity: servers write a very small number, or none.
    value.is_finite().then_some(value)
}

/// Reads vLLM's `prompt_logprobs`, asked for with 0 alternatives: one token a position.
pub fn prompt_tokens(body: &str) -> Result<Vec<Token>, NoScores> {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        logprob: Option<f64>,
    }
    #[derive(Deserialize)]
    struct Reply {
        #[serde(default)]
        prompt_logprobs: Option<Vec<Option<BTreeMap<String, Entry>>>>,
    }
    let reply: Reply = serde_json::from_str(body).map_err(|e| no_scores(format!("no scores came: {e}")))?;
    let all = reply.prompt_logprobs.ok_or_else(|| no_scores("the server gives no prompt_logprobs"))?;
    let mut out = Vec::with_capacity(all.len());
    for (at, position) in all.into_iter().enumerate() {
        match position {
            // The first token, which nothing predicts; its id is not told either, and it is the same in every
            // text of one prompt.
            None if at == 0 => out.push(Token { id: String::new(), logprob: None }),
            Some(entries) if entries.len() == 1 => {
                out.extend(
                    entries.into_iter().map(|(id, e)| Token { id, logprob: e.logprob.and_then(finite) }),
                );
            }
            _ => {
                return Err(no_scores(
                    "the server's prompt_logprobs do not tell which token is the prompt's",
                ));
            }
        }
    }
    Ok(out)
}

/// Reads a completion with `echo` and `logprobs`: the tokens of the prompt, `text`, without what was written after.
pub fn echoed_tokens(body: &str, text: &str) -> Result<Vec<Token>, NoScores> {
    #[derive(Deserialize)]
    struct Logprobs {
        #[serde(default)]
        tokens: Vec<String>,
        #[serde(default)]
        token_logprobs: Vec<Option<f64>>,
        #[serde(default)]
        text_offset: Vec<i64>,
    }
    #[derive(Deserialize)]
    struct Choice {
        #[serde(default)]
        logprobs: Option<Logprobs>,
    }
    #[derive(Deserialize)]
    struct Usage {
        #[serde(default)]
        completion_tokens: Option<usize>,
    }
    #[derive(Deserialize)]
    struct Reply {
        #[serde(default)]
        choices: Vec<Choice>,
        #[serde(default)]
        usage: Option<Usage>,
    }
    let reply: Reply = serde_json::from_str(body).map_err(|e| no_scores(format!("no scores came: {e}")))?;
    let found = reply.choices.into_iter().next().and_then(|c| c.logprobs);
    let found = found.ok_or_else(|| no_scores("the server gives no log-probabilities of the prompt"))?;
    if found.tokens.len() != found.token_logprobs.len() {
        return Err(no_scores("the server's tokens and log-probabilities are not equally many"));
    }
    let written = reply.usage.and_then(|u| u.completion_tokens);
    let count = match written {
        Some(written) => found.tokens.len().saturating_sub(written),
        // Offsets count characters.
        None if found.text_offset.len() == found.tokens.len() => {
            let end = text.chars().count() as i64;
            found.text_offset.iter().filter(|at| **at < end).count()
        }
        None => return Err(no_scores("the server does not tell where the prompt ends")),
    };
    if count < 2 {
        return Err(no_scores("the server does not echo the prompt's log-probabilities"));
    }
    let tokens = found.tokens.into_iter().zip(found.token_logprobs).take(count);
    Ok(tokens.map(|(id, logprob)| Token { id, logprob: logprob.and_then(finite) }).collect())
}

/// The most probable next tokens as text, the best first.
pub fn top_tokens(body: &str) -> Result<Vec<(String, f64)>, NoScores> {
    let reply: Value = serde_json::from_str(body).map_err(|e| no_scores(format!("no scores came: {e}")))?;
    let logprobs = &reply["choices"][0]["logprobs"];
    let mut top: Vec<(String, f64)> =
        match (&logprobs["content"][0]["top_logprobs"], &logprobs["top_logprobs"][0]) {
            (Value::Array(entries), _) => entries
                .iter()
                .filter_map(|e| Some((e["token"].as_str()?.to_owned(), finite(e["logprob"].as_f64()?)?)))
                .collect(),
            (_, Value::Object(entries)) => {
                entries.iter().filter_map(|(token, l)| Some((token.clone(), finite(l.as_f64()?)?))).collect()
            }
            _ => return Err(no_scores("the server gives no top_logprobs")),
        };
    if top.is_empty() {
        return Err(no_scores("the server's top_logprobs are empty"));
    }
    top.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(top)
}

/// Sums of each candidate's log-probabilities, and how many tokens each took, given the tokens of the context and of
/// context + candidate.
pub fn sums(context: &[Token], candidates: &[Vec<Token>]) -> Result<Vec<(f64, usize)>, NoScores> {
    let common = |whole: &Vec<Token>| whole.iter().zip(context).take_while(|(a, b)| a.id == b.id).count();
    let agreed = candidates.iter().map(common).min().unwrap_or(0).max(1);
    candidates
        .iter()
        .map(|whole| {
            let own = whole.get(agreed..).unwrap_or_default();
            let sum = own.iter().map(|t| t.logprob).sum::<Option<f64>>();
            sum.map(|sum| (sum, own.len())).ok_or_else(|| no_scores("the server left out a log-probability"))
        })
        .collect()
}

/// What the most probable next tokens say about text that should follow.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The longest token that the text starts with.
    Token { text: String, logprob: f64 },
    /// None of them; it has at most this log-probability, which is too little to matter.
    AtMost(f64),
    /// None of them, and it may matter.
    Unknown,
}

/// Below this probability it does not matter which token it is.
const NEGLIGIBLE: f64 = 1e-3;

/// Finds the token that `rest` starts with among `top`, the best first.
pub fn next(top: &[(String, f64)], rest: &str) -> Next {
    let fits = top.iter().filter(|(token, _)| !token.is_empty() && rest.starts_with(token.as_str()));
    if let Some((text, logprob)) = fits.max_by_key(|(token, _)| token.len()) {
        return Next::Token { text: text.clone(), logprob: *logprob };
    }
    let mass: f64 = top.iter().map(|(_, l)| l.exp()).sum();
    let least = top.last().map_or(0.0, |(_, l)| *l);
    // No more than the least of those named, and no more than what they leave.
    let most = least.exp().min((1.0 - mass).max(f64::MIN_POSITIVE));
    if most <= NEGLIGIBLE { Next::AtMost(most.ln()) } else { Next::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(id: &str, logprob: f64) -> Token {
        Token { id: id.to_owned(), logprob: Some(logprob) }
    }

    #[test]
    fn prompt_logprobs_of_vllm() {
        let body = r#"{"prompt_logprobs":[null,{"12":{"logprob":-0.5,"rank":1,"decoded_token":"a"}},{"7":{"logprob":-1.25,"rank":3,"decoded_token":"b"}}]}"#;
        let read = prompt_tokens(body).unwrap();
        assert_eq!(read[1..], [token("12", -0.5), token("7", -1.25)]);
        assert!(prompt_tokens(r#"{"choices":[]}"#).unwrap_err().to_string().contains("prompt_logprobs"));
        assert!(prompt_tokens(r#"{"prompt_logprobs":[null,{"1":{},"2":{}}]}"#).is_err());
    }

    #[test]
    fn echoes_end_where_the_prompt_ends() {
        let body = r#"{"choices":[{"logprobs":{"tokens":["a","b","c"],"token_logprobs":[null,-1,-2],"text_offset":[0,1,2]}}],"usage":{"completion_tokens":1}}"#;
        assert_eq!(echoed_tokens(body, "ab").unwrap().len(), 2);
        let without_usage = body.replace(r#""usage":{"completion_tokens":1}"#, r#""x":0"#);
        assert_eq!(echoed_tokens(&without_usage, "ab").unwrap()[1], token("b", -1.0));
        let only_written = r#"{"choices":[{"logprobs":{"tokens":["c"],"token_logprobs":[-2]}}],"usage":{"completion_tokens":1}}"#;
        assert!(echoed_tokens(only_written, "ab").is_err());
    }

    #[test]
    fn top_logprobs_of_both_apis() {
        let chat = r#"{"choices":[{"logprobs":{"content":[{"token":" A","logprob":-0.1,"top_logprobs":[{"token":" B","logprob":-2.5},{"token":" A","logprob":-0.1}]}]}}]}"#;
        assert_eq!(top_tokens(chat).unwrap(), [(" A".to_owned(), -0.1), (" B".to_owned(), -2.5)]);
        let text = r#"{"choices":[{"logprobs":{"top_logprobs":[{" B":-2.5," A":-0.1}]}}]}"#;
        assert_eq!(top_tokens(text).unwrap(), top_tokens(chat).unwrap());
        assert!(top_tokens(r#"{"choices":[{"logprobs":null}]}"#).is_err());
    }

    #[test]
    fn candidates_are_summed_from_where_all_agree() {
        let context = [token("", 0.0), token("x", -1.0), token(":", -2.0)];
        let whole = |own: &[Token]| [&context[..], own].concat();
        let found =
            sums(&context, &[whole(&[token(" A", -0.5)]), whole(&[token(" B", -1.5), token("c", -1.0)])]);
        assert_eq!(found.unwrap(), [(-0.5, 1), (-2.5, 2)]);
        // One that merges with the context's last token moves all back.
        let merged = vec![token("", 0.0), token("x", -1.0), token(": A", -0.25)];
        let found = sums(&context, &[merged, whole(&[token(" B", -1.5)])]).unwrap();
        assert_eq!(found, [(-0.25, 1), (-3.5, 2)]);
    }

    #[test]
    fn the_next_token_is_known_negligible_or_unknown() {
        let top = [(" support".to_owned(), -0.05), (" supports".to_owned(), -3.2)];
        assert_eq!(next(&top, " supports it"), Next::Token { text: " supports".to_owned(), logprob: -3.2 });
        assert_eq!(next(&top, " opposes"), Next::Unknown);
        let sure = [(" A".to_owned(), -1e-5), (" B".to_owned(), -12.0)];
        let Next::AtMost(most) = next(&sure, " C") else { panic!() };
        assert!(most <= -12.0 + 1e-9);
    }

    proptest! {
        #[test]
        fn never_panics(body in any::<String>(), text in any::<String>()) {
            let _ = (prompt_tokens(&body), echoed_tokens(&body, &text), top_tokens(&body));
        }
    }
}
