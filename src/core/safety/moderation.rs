//! The moderation endpoint of OpenAI and its look-alikes: the request body, and what its reply says.
//!
//! Bodies only: whoever has a connection sends them. One request carries the whole text and then its steps.

use super::{Assessment, Label, LabelScore, SafetyResult, Source, StepSafety};
use crate::core::segment;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether a model name or reference is one of a moderation endpoint's: `…#omni-moderation-latest`.
pub fn is_endpoint(model: &str) -> bool {
    model.to_lowercase().contains("moderation")
}

/// The body of a `POST …/moderations` for `text`: the whole first, then each step.
pub fn request(model: &str, text: &str) -> Value {
    let mut input = vec![text.to_owned()];
    input.extend(segment::steps(text).into_iter().map(|range| text[range].to_owned()));
    json!({ "model": model, "input": input })
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    model: String,
    results: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    #[serde(default)]
    flagged: bool,
    #[serde(default)]
    categories: BTreeMap<String, Option<bool>>,
    #[serde(default)]
    category_scores: BTreeMap<String, Option<f32>>,
}

/// Reads the reply to [`request`] for the same `text`; anything but one verdict per input is `Unknown`.
pub fn judge(text: &str, body: &str) -> SafetyResult {
    let unknown = |reason: String| SafetyResult::unknown(Source::Guard, reason);
    let reply: Reply = match serde_json::from_str(body) {
        Ok(reply) => reply,
        Err(error) => {
            return unknown(problem(body).unwrap_or_else(|| format!("not a moderation reply: {error}")));
        }
    };
    let ranges = segment::steps(text);
    if reply.results.len() != 1 + ranges.len() {
        let (got, wanted) = (reply.results.len(), 1 + ranges.len());
        return unknown(format!("the endpoint judged {got} of {wanted} inputs"));
    }
    let whole = &reply.results[0];
    let steps = ranges
        .into_iter()
        .zip(&reply.results[1..])
        .map(|(range, verdict)| StepSafety { range, scores: scores(verdict), flags: flags(verdict) })
        .collect();
    SafetyResult::Known(Assessment {
        source: Source::Guard,
        version: format!("moderation {}", reply.model),
        whole: scores(whole),
        whole_flags: flags(whole),
        steps,
        spans: Vec::new(),
    })
}

/// The message of an error reply.
fn problem(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    Some(format!("the endpoint says: {}", value.get("error")?.get("message")?.as_str()?))
}

/// Categories that we do not know are left out of the scores; if one of them is flagged, the text is "unsafe".
fn scores(verdict: &Verdict) -> Vec<LabelScore> {
    let known = verdict.category_scores.iter().filter_map(|(word, score)| {
        let score = score.filter(|s| s.is_finite())?;
        Label::from_word(word).map(|label| LabelScore { label, score: score.clamp(0.0, 1.0) })
    });
    known.collect()
}

fn flags(verdict: &Verdict) -> Vec<Label> {
    let named = verdict.categories.iter().filter(|(_, on)| **on == Some(true));
    let mut flags: Vec<Label> = named.filter_map(|(word, _)| Label::from_word(word)).collect();
    if verdict.flagged && flags.is_empty() {
        flags.push(Label::Unsafe);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::safety::{Category, Flag};
    use proptest::prelude::*;

    const TEXT: &str = "A calm step. A hateful step.";

    #[test]
    fn the_reply_is_laid_over_the_steps() {
        assert_eq!(request("m", TEXT)["input"], json!([TEXT, "A calm step. ", "A hateful step."]));
        let verdict = |flagged: bool, score: f32| {
            json!({ "flagged": flagged, "categories": { "hate": flagged, "illicit": null },
                    "category_scores": { "hate": score, "new/thing": 0.9 } })
        };
        let body = json!({ "model": "omni", "results": [verdict(true, 0.5), verdict(false, 0.1), verdict(true, 0.75)] });
        let SafetyResult::Known(found) = judge(TEXT, &body.to_string()) else { panic!() };
        let hate = Label::Moderation(Category::Hate);
        assert_eq!(found.flags(), [Flag { label: hate, score: 0.75, step: Some(1) }]);
        assert_eq!((found.version.as_str(), found.whole.len()), ("moderation omni", 1));
    }

    #[test]
    fn what_is_flagged_as_a_whole_alone_belongs_to_no_step() {
        let verdict = |flagged: bool| {
            json!({ "flagged": flagged, "categories": { "hate": flagged },
                    "category_scores": { "hate": 0.5 } })
        };
        let body = json!({ "model": "omni", "results": [verdict(true), verdict(false), verdict(false)] });
        let SafetyResult::Known(found) = judge(TEXT, &body.to_string()) else { panic!() };
        let hate = Label::Moderation(Category::Hate);
        assert_eq!(found.flags(), [Flag { label: hate, score: 0.5, step: None }]);
        assert!(matches!(found.blur(TEXT.len()).as_slice(), [all] if *all == (0..TEXT.len())));
    }

    #[test]
    fn a_failed_call_is_unknown_with_its_reason() {
        let error = judge(TEXT, r#"{"error": {"message": "no credit"}}"#);
        assert_eq!(error, SafetyResult::unknown(Source::Guard, "the endpoint says: no credit"));
        assert_eq!(judge(TEXT, r#"{"results": [{}]}"#).flagged(), None);
        assert_eq!(judge(TEXT, "<html>").flagged(), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), body in any::<String>()) {
            judge(&text, &body);
        }
    }
}
