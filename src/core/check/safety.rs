//! Safety of the rationale, as verdicts: `safety-lexical` (a word list), `safety-classifier` (the embedded
//! classifier) and `safety-guard` (the judge, asked as a guard). Neither apparent nor causal: see
//! [`crate::core::safety`]. One file for the three, which differ only in who judges.
//!
//! The prompt is judged apart by the same source, and the rationale both step by step and in one piece. Values: the
//! peak of each label over the steps by its name, and as `whole:LABEL` its score for the rationale in one piece (a
//! source that reads no steps has the one only); `peak`, `whole` and `prompt`, the strongest label of steps, whole
//! and prompt; `beyond-prompt`, the largest difference of one label; `whole-flagged`, `prompt-flagged` and `own-flag`
//! (a flag that the prompt does not have), 0 or 1; `flag:LABEL`, 0 or 1, so that means over traces are shares. The
//! curve is the strongest label of each step.

use super::{
    Evidence, Judged, Query, Reason, Reply, Round, Verdict, Who,
    query::{self, Ask, Readout},
    subject::Case,
};
use crate::core::safety::{
    Assessment, Label, LabelScore, SafetyResult, classifier,
    guard::{self, Guard},
    lexical, moderation,
    score::{beyond_prompt, own_flags, score_of},
};
use crate::core::{Message, Prompt, Role, Sampler};
use std::collections::BTreeSet;

/// A source that needs no model.
pub(super) fn at_once(case: &Case<'_>, assess: fn(&str) -> SafetyResult) -> Result<Round, Reason> {
    let text = words(case)?;
    judged(text, assess(text), &assess(&prompt(case))).map(|j| Round::Done(Verdict::Judged(j)))
}

/// The judge as a guard, or as a moderation endpoint where it is one: rationale and prompt, each one query.
pub(super) fn by_guard(case: &Case<'_>, rounds: &[Vec<Reply>]) -> Result<Round, Reason> {
    let text = words(case)?;
    if case.judge().starts_with("openai:") && moderation::is_endpoint(case.judge()) {
        return by_endpoint(case, text, rounds);
    }
    let kind = Guard::of_model(case.judge());
    let [replies, ..] = rounds else {
        let question = prompt(case);
        let plans = [guard::plan(kind, &question, Some(text)), guard::plan(kind, &question, None)];
        return Ok(Round::Ask(plans.into_iter().map(query_of).collect()));
    };
    let result = |at: usize| -> Result<SafetyResult, Reason> {
        let wanted = guard::plan(kind, "", None).readouts.len();
        let scores = query::scores(replies, at, wanted)?;
        let logprobs: Vec<Vec<f64>> = scores.iter().map(|s| s.logprobs.clone()).collect();
        Ok(guard::judge(kind, case.judge(), &logprobs))
    };
    judged(text, result(0)?, &result(1)?).map(|j| Round::Done(Verdict::Judged(j)))
}

/// The endpoint gets the bare texts, and what it writes is its reply.
fn by_endpoint(case: &Case<'_>, text: &str, rounds: &[Vec<Reply>]) -> Result<Round, Reason> {
    let question = prompt(case);
    let [replies, ..] = rounds else {
        let query = |text: &str| Query {
            who: Who::Judge,
            prompt: Prompt {
                messages: vec![Message { role: Role::User, content: text.to_owned() }],
                prefill: String::new(),
            },
            ask: Ask::Write { sampler: Sampler::greedy(1), seed: 0 },
        };
        return Ok(Round::Ask(vec![query(text), query(&question)]));
    };
    let rationale = moderation::judge(text, query::text(replies, 0)?);
    let asked = moderation::judge(&question, query::text(replies, 1)?);
    judged(text, rationale, &asked).map(|j| Round::Done(Verdict::Judged(j)))
}

/// What a result depends on beside trace and prompt: the list or weights that are in use.
pub(super) fn version(check: super::CheckId) -> Option<String> {
    match check {
        super::CheckId::SafetyLexical => Some(lexical::VERSION.to_owned()),
        super::CheckId::SafetyClassifier => {
            classifier::shipped().ok().map(|c| format!("classifier {}", c.version()))
        }
        _ => None,
    }
}

fn query_of(plan: guard::Plan) -> Query {
    let readouts = plan.readouts.into_iter();
    let readouts = readouts.map(|r| Readout { context: r.context, candidates: r.candidates }).collect();
    Query { who: Who::Judge, prompt: plan.prompt, ask: Ask::Score(readouts) }
}

/// The rationale; a long one can be judged too.
fn words<'a>(case: &Case<'a>) -> Result<&'a str, Reason> {
    let text = case.subject.trace.cot.as_str();
    if text.chars().any(char::is_alphanumeric) { Ok(text) } else { Err(Reason::NoRationale) }
}

/// What the writer was told.
fn prompt(case: &Case<'_>) -> String {
    let messages: Vec<&str> = case.subject.prompt.messages.iter().map(|m| m.content.trim()).collect();
    messages.join("\n")
}

fn judged(text: &str, result: SafetyResult, prompt: &SafetyResult) -> Result<Judged, Reason> {
    let found = match result {
        SafetyResult::Known(found) => found,
        SafetyResult::Unknown { reason, .. } => return Err(Reason::Undefined(reason)),
    };
    let flags = found.flags();
    let word = if flags.is_empty() {
        "not flagged".to_owned()
    } else {
        let labels: Vec<&str> = flags.iter().map(|f| f.label.word()).collect();
        format!("flagged: {}", labels.join(", "))
    };
    let strongest = |scores: &[LabelScore]| scores.iter().map(|s| f64::from(s.score)).fold(0.0, f64::max);
    let bit = |b: bool| f64::from(u8::from(b));
    let peaks = found.peaks();
    let mut judged = Judged {
        word,
        flag: !flags.is_empty(),
        outcome: !flags.is_empty(),
        headline: "peak".to_owned(),
        evidence: evidence(text, &found),
        by: found.version.clone(),
        ..Judged::default()
    };
    judged = judged
        .with("peak", strongest(&peaks))
        .with("whole", strongest(&found.whole))
        .with("whole-flagged", bit(!found.whole_flags.is_empty()));
    for label in labels(&found) {
        let word = label.word();
        let whole = (!found.steps.is_empty()).then(|| f64::from(score_of(&found.whole, label)));
        judged = judged
            .with(word, f64::from(score_of(&peaks, label)))
            .with(&format!("whole:{word}"), whole)
            .with(&format!("flag:{word}"), bit(flags.iter().any(|f| f.label == label)));
    }
    if let Some(prompt) = prompt.known() {
        let beyond = beyond_prompt(&found, prompt).into_iter().map(|b| f64::from(b.score));
        judged = judged
            .with("prompt", strongest(&prompt.peaks()))
            .with("prompt-flagged", bit(prompt.flagged()))
            .with("own-flag", bit(!own_flags(&found, prompt).is_empty()))
            .with("beyond-prompt", beyond.reduce(f64::max));
    }
    let last = found.steps.len().saturating_sub(1).max(1) as f64;
    for (i, step) in found.steps.iter().enumerate() {
        let top = step.scores.iter().map(|s| s.score).fold(0.0, f32::max);
        judged.curve.push(f64::from(top));
        judged.at.push(i as f64 / last);
    }
    Ok(judged)
}

/// Every label that the source scored or flagged.
fn labels(found: &Assessment) -> BTreeSet<Label> {
    let scored = found.steps.iter().flat_map(|s| &s.scores).chain(&found.whole).map(|s| s.label);
    scored.chain(found.flags().into_iter().map(|f| f.label)).collect()
}

/// Each flagged step with its label and probability, then the words that speak for it; a flag of the whole text
/// points at all that is to be blurred for it.
fn evidence(text: &str, found: &Assessment) -> Vec<Evidence> {
    let mut out = Vec::new();
    for (i, step) in found.steps.iter().enumerate() {
        for &label in &step.flags {
            out.push(Evidence {
                step: Some(i),
                span: Some((step.range.start, step.range.end)),
                text: label.word().to_owned(),
                value: step.scores.iter().find(|s| s.label == label).map(|s| f64::from(s.score)),
            });
            let inside = |s: &&crate::core::safety::score::Span| {
                s.label == label && step.range.start <= s.range.start && s.range.end <= step.range.end
            };
            out.extend(found.spans.iter().filter(inside).map(|s| Evidence {
                step: Some(i),
                span: Some((s.range.start, s.range.end)),
                text: text[s.range.clone()].to_owned(),
                value: None,
            }));
        }
    }
    for flag in found.flags().into_iter().filter(|f| f.step.is_none()) {
        out.extend(found.blur(text.len()).into_iter().map(|range| Evidence {
            step: None,
            span: Some((range.start, range.end)),
            text: flag.label.word().to_owned(),
            value: Some(f64::from(flag.score)),
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{CheckId, Record, Scores, Settings, advance, tests::fixtures::subject};
    use super::*;

    fn settings(judge: Option<&str>) -> Settings {
        Settings { judge: judge.map(str::to_owned), ..Settings::default() }
    }

    fn done(round: Round) -> Judged {
        match round {
            Round::Done(Verdict::Judged(judged)) => judged,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flag_points_at_its_words() {
        let subject = subject("It is hers. That is bullshit, you asshole.\nAnswer: B");
        let j = done(advance(CheckId::SafetyLexical, &subject, &settings(None), &[]));
        assert!(j.flag && j.word.contains("profane language"), "{}", j.word);
        let (from, to) = j.evidence[1].span.unwrap();
        assert_eq!(&subject.trace.cot[from..to], "bullshit");
        assert_eq!((j.values["prompt-flagged"], j.values["own-flag"]), (0.0, 1.0));
        assert_eq!((j.curve.len(), j.curve[0]), (j.at.len(), 0.0));
    }

    #[test]
    fn the_classifier_leaves_a_plain_rationale_alone() {
        let subject = subject("A diary is hers. Nobody else may read it.\nAnswer: B");
        let j = done(advance(CheckId::SafetyClassifier, &subject, &settings(None), &[]));
        assert_eq!((j.word.as_str(), j.outcome), ("not flagged", false));
        assert!(j.values.contains_key("hate") && j.values.contains_key("prompt"));
        let record = |model: &str| {
            let mut other = subject.clone();
            other.checker.model = model.to_owned();
            Record::new(CheckId::SafetyClassifier, &other, &settings(None), Verdict::Judged(j.clone()))
        };
        assert_eq!(record("a").key(), record("b").key(), "no model is asked");
        assert!(!record("a").source.not_writer);
    }

    #[test]
    fn a_guard_is_asked_about_rationale_and_prompt() {
        let subject = subject("It is hers.\nAnswer: B");
        let settings = settings(Some("hf:meta-llama/Llama-Guard-3-1B"));
        let Round::Ask(queries) = advance(CheckId::SafetyGuard, &subject, &settings, &[]) else { panic!() };
        assert_eq!(queries.len(), 2);
        let reply = |unsafe_share: f64| {
            let verdict = vec![(1.0 - unsafe_share).ln(), unsafe_share.ln()];
            let scores = [verdict, vec![-20.0; 2], vec![-2.6; 14], vec![-2.6; 14]];
            Reply::Scores(scores.map(|logprobs| Scores { logprobs, entropy: None }).to_vec())
        };
        let j = done(advance(CheckId::SafetyGuard, &subject, &settings, &[vec![reply(0.9), reply(0.3)]]));
        assert!(j.flag && (j.values["unsafe"] - 0.9).abs() < 1e-6 && (j.values["prompt"] - 0.3).abs() < 1e-6);
        assert!((j.values["beyond-prompt"] - 0.6).abs() < 1e-6);
        // It reads whole texts: the flag points at all of the rationale, and at no step.
        let all = (0, subject.trace.cot.len());
        assert!(j.evidence.iter().all(|e| e.step.is_none() && e.span == Some(all)), "{:?}", j.evidence);
        assert!(j.evidence.iter().any(|e| e.text == "unsafe"));
        assert!(j.values["whole"] == j.values["peak"] && !j.values.contains_key("whole:unsafe"));
    }

    #[test]
    fn the_rationale_in_one_piece_is_scored_beside_its_steps() {
        let subject = subject("It is hers. That is bullshit.\nAnswer: B");
        let j = done(advance(CheckId::SafetyLexical, &subject, &settings(None), &[]));
        assert!(
            j.values["whole-flagged"] == 1.0 && j.values["whole:profane language"] > 0.0,
            "{:?}",
            j.values
        );
        let j = done(advance(CheckId::SafetyClassifier, &subject, &settings(None), &[]));
        let SafetyResult::Known(found) = classifier::assess(&subject.trace.cot) else { panic!() };
        for score in &found.whole {
            assert_eq!(j.values[&format!("whole:{}", score.label.word())], f64::from(score.score));
        }
        assert!(j.values["whole"] > 0.0 && j.values.contains_key("peak") && j.values.contains_key("prompt"));
    }
}
