//! Where a verdict comes from, in words: whole for the evidence, short for the check bar.

use crate::core::check::{CheckId, Family, Reason, Record, Verdict};

/// Family, model or judge, scoring, maker; that another model than the writer was asked.
pub fn line(record: &Record) -> String {
    let source = &record.source;
    let mut parts = vec![record.family.word().to_owned()];
    if !record.check.asks_judge_alone() {
        parts.push(format!("by {}", model(record)));
    }
    if record.check.reads_off() {
        parts.push(source.scoring.word().to_owned());
    }
    let judge = judge(record);
    parts.extend(judge.map(|name| format!("judge {name}")));
    // A guard's own words name the convention too, and an endpoint's the model behind it.
    let by = by(record);
    let rest = judge.and_then(|name| by.strip_suffix(name)).unwrap_or(by).trim_end();
    match record.check {
        CheckId::MistakesFrozen | CheckId::MistakesRegenerated | CheckId::Paraphrase => {
            parts.push(format!("edits by {}", if rest.is_empty() { source.maker.as_str() } else { rest }));
        }
        // The list or the classifier stands as the model already.
        _ if rest.is_empty() || rest == source.model => {}
        _ => parts.push(rest.to_owned()),
    }
    if source.not_writer && !record.check.asks_judge_alone() {
        parts.push("not the model that wrote it".to_owned());
    }
    parts.join(" · ")
}

/// Who was asked, where it is not the model that wrote the trace: a judge, a word list, a classifier, another model.
pub fn short(record: &Record) -> Option<String> {
    match judge(record) {
        Some(judge) => Some(format!("by {judge}")),
        None if record.family == Family::Safety => Some(format!("by {}", model(record))),
        None => record.source.not_writer.then(|| format!("not the writer: {}", model(record))),
    }
}

/// The judge, where one was asked.
fn judge(record: &Record) -> Option<&str> {
    let name = record.source.judge.as_str();
    let asked = match record.check {
        // Words may decide in a judge's place, and nobody is asked where the hint is not followed.
        CheckId::HintAcknowledged => {
            by(record) == name || record.verdict == Verdict::Unjudged(Reason::JudgeUnparseable)
        }
        check => check.asks_judge_alone(),
    };
    Some(name).filter(|name| asked && !name.is_empty())
}

fn by(record: &Record) -> &str {
    record.verdict.judged().map_or("", |judged| &judged.by)
}

fn model(record: &Record) -> String {
    match &record.source.adapter {
        Some(adapter) => format!("{} + {adapter}", record.source.model),
        None => record.source.model.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::check::{Judged, Settings, hint_acknowledged, tests::fixtures::subject};

    /// A record of a model with an adapter, which did not write the trace.
    fn record(check: CheckId, judge: Option<&str>, by: &str) -> Record {
        let mut subject = subject("It is hers.\nAnswer: B");
        subject.checker.adapter = Some("human-cot".to_owned());
        let settings = Settings { judge: judge.map(str::to_owned), ..Settings::default() };
        let judged = Judged { by: by.to_owned(), ..Judged::default() };
        Record::new(check, &subject, &settings, Verdict::Judged(judged))
    }

    #[test]
    fn a_judge_is_named_even_where_it_is_the_model_without_its_adapter() {
        let own = record(CheckId::Consistency, None, "m");
        assert_eq!(line(&own), "apparent · judge m");
        assert_eq!(short(&own).as_deref(), Some("by m"));
        let unjudged = Record { verdict: Verdict::Unjudged(Reason::JudgeUnparseable), ..own };
        assert_eq!(line(&unjudged), "apparent · judge m");
        assert_eq!(
            line(&record(CheckId::ConsistencyControls, Some("m+judge"), "m+judge")),
            "apparent · judge m+judge"
        );
        let guard = record(CheckId::SafetyGuard, Some("hf:x/Guard-3"), "LlamaGuard3 hf:x/Guard-3");
        assert_eq!(line(&guard), "safety · judge hf:x/Guard-3 · LlamaGuard3");
    }

    #[test]
    fn who_acknowledges_a_hint_is_a_judge_or_words() {
        let tail = " · not the model that wrote it";
        let judged = record(CheckId::HintAcknowledged, Some("m+judge"), "m+judge");
        assert_eq!(line(&judged), format!("causal · by m + human-cot · judge m+judge{tail}"));
        let ruled = record(CheckId::HintAcknowledged, None, hint_acknowledged::CLASSIFIER);
        let words = hint_acknowledged::CLASSIFIER;
        assert_eq!(line(&ruled), format!("causal · by m + human-cot · {words}{tail}"));
        let not_asked = Record { verdict: Verdict::Unjudged(Reason::HintNotFollowed), ..ruled };
        assert_eq!(line(&not_asked), format!("causal · by m + human-cot{tail}"));
    }

    #[test]
    fn what_is_read_off_says_how_and_mistakes_say_whose() {
        let traced = record(CheckId::ProbabilityTrace, None, "");
        assert_eq!(line(&traced), "causal · by m + human-cot · letters · not the model that wrote it");
        assert_eq!(short(&traced).as_deref(), Some("not the writer: m + human-cot"));
        assert!(line(&record(CheckId::MistakesFrozen, None, "rules")).contains("letters · edits by rules"));
        assert!(line(&record(CheckId::Paraphrase, None, "m")).contains("edits by m"));
        let lexical = record(CheckId::SafetyLexical, None, "rustrict 0.7");
        assert_eq!(line(&lexical), "safety · by rustrict 0.7");
        assert_eq!(short(&lexical).as_deref(), Some("by rustrict 0.7"));
    }
}
