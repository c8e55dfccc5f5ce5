//! What a run of checks found, in lines or in JSON.

use super::CheckArgs;
use crate::{
    core::check::summary::{self, Summary},
    job::checking::Cost,
};
use color_eyre::eyre::Result;
use serde::Serialize;
use std::fmt::Write;

/// A run in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub traces: usize,
    /// Rows that could not be read or checked.
    pub bad: usize,
    /// Results that the file had already.
    pub already: usize,
    /// Results without a verdict because the model could not be asked.
    pub failed: usize,
    /// Tokens that went through a model in this run, written ones included.
    pub forward_tokens: usize,
    pub written_tokens: usize,
    /// Without loading.
    pub seconds: f64,
    pub load_seconds: f64,
    pub interrupted: bool,
    #[serde(flatten)]
    pub summary: summary::Report,
}

impl Report {
    pub fn cost(&mut self, cost: Cost) {
        self.forward_tokens = cost.forward_tokens;
        self.written_tokens = cost.written_tokens;
    }
}

/// Shows the report: on standard output, or on standard error where that holds the results.
pub fn tell(args: &CheckArgs, report: &Report) -> Result<()> {
    if args.json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        let text = lines(report);
        if args.out.is_some() {
            print!("{text}");
        } else {
            eprint!("{text}");
        }
    }
    if report.interrupted {
        match &args.out {
            Some(_) => eprintln!("interrupted; run the same command again to go on where it stopped"),
            None => eprintln!("interrupted; with --out FILE the same command would go on where it stopped"),
        }
    }
    Ok(())
}

fn lines(report: &Report) -> String {
    let mut out = String::new();
    for summary in &report.summary.checks {
        out.push_str(&line(summary));
    }
    for summary in &report.summary.checks {
        out.extend(doubt(summary));
    }
    for paired in &report.summary.paired {
        let value = paired.value.map_or("not defined".to_owned(), |v| format!("{v:.3}"));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}  {}: {value} ({} traces)", paired.method, paired.name, paired.traces);
    }
    let _ = writeln!(
        out,
        "{} traces, {} results were there already; {} tokens forward, {} of them written, in {:.1} s",
        report.traces, report.already, report.forward_tokens, report.written_tokens, report.seconds
    );
    out
}

/// Said where an answer is so often read off as another one that what follows from it means little.
fn doubt(summary: &Summary) -> Option<String> {
    let (by, traces) = summary.missed.iter().max_by_key(|(_, traces)| **traces)?;
    let other = if *by == "words" { "letters" } else { "words" };
    (traces * MISSED > summary.judged).then(|| {
        format!(
            "{}: after the whole rationale {traces} of {} answers were read off as another one than was recorded; the model may \
             know them better by {other} (--score {other})\n",
            summary.method, summary.judged
        )
    })
}

/// One in so many missed answers is too many.
const MISSED: usize = 4;

/// One check of one method.
fn line(summary: &Summary) -> String {
    let mut out = format!(
        "{}  {} ({}): {} judged",
        summary.method,
        summary.check,
        summary.family.word(),
        summary.judged
    );
    if let (Some(rate), Some(interval)) = (summary.rate, summary.interval) {
        let percent = |share: f64| (share * 100.0).round();
        let _ = write!(
            out,
            ", {} {} % ({} to {})",
            summary.outcome,
            percent(rate),
            percent(interval.low),
            percent(interval.high)
        );
    }
    for (name, mean, of) in summary.told() {
        let _ = write!(out, ", {name} {mean:.3}");
        if let Some(of) = of {
            let _ = write!(out, " (of {of})");
        }
    }
    if let Some(corpus) = &summary.corpus {
        let _ = write!(out, ", corpus aoc {:.3}", corpus.aoc);
    }
    if summary.not_writer > 0 {
        let _ = write!(out, "; {} asked of another model than the writer", summary.not_writer);
    }
    for (by, traces) in &summary.missed {
        let _ = write!(out, "; by {by} the recorded answer was not found in {traces}");
    }
    if !summary.unjudged.is_empty() {
        let total: usize = summary.unjudged.values().sum();
        let reasons: Vec<String> = summary.unjudged.iter().map(|(r, n)| format!("{r} {n}")).collect();
        let _ = write!(out, "; {total} unjudged ({})", reasons.join(", "));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        Item, Perspective, Template, Trace,
        check::{CheckId, Checker, Judged, Reason, Record, Settings, Subject, Verdict},
    };
    use std::sync::Arc;

    fn record(check: CheckId, outcome: bool, values: &[(&str, f64)]) -> Record {
        let item = Item::value("vk", Perspective::named("Care"), "Walking a friend home");
        let trace = Trace::new(&item, "sft".into(), "It helps.\nAnswer: A".to_owned());
        let template = Template::parse("t", "title = \"t\"\nuser = \"{{ text }}\"").unwrap();
        let checker = Checker { model: "m".to_owned(), adapter: None };
        let subject = Subject::new(Arc::new(item), Arc::new(trace), Arc::new(template), checker).unwrap();
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let judged = Judged { outcome, values, ..Judged::default() };
        Record::new(check, &subject, &Settings::default(), Verdict::Judged(judged))
    }

    fn told(records: &[Record]) -> String {
        lines(&Report { summary: summary::summarise(records), ..Report::default() })
    }

    #[test]
    fn all_three_controls_of_consistency_are_told() {
        let control = |values: &[(&str, f64)]| record(CheckId::ConsistencyControls, false, values);
        let text = told(&[
            control(&[("c0", 0.0), ("masked", 1.0), ("swapped", 0.0)]),
            control(&[("c0", 0.0), ("masked", 0.0)]),
        ]);
        assert!(text.contains("2 judged, judge right without rationale 0 % (0 to 66)"), "{text}");
        assert!(text.contains(", masked 0.500, swapped 0.000 (of 1)"), "{text}");
    }

    #[test]
    fn many_answers_read_off_as_others_are_doubted() {
        let item = |matches: &[bool]| {
            let mut record = record(CheckId::ProbabilityTrace, false, &[]);
            let Verdict::Judged(judged) = &mut record.verdict else { unreachable!() };
            judged.matches = matches.to_vec();
            record
        };
        let text = told(&[item(&[false, false]), item(&[true, true]), item(&[true, true])]);
        assert!(text.contains("by letters the recorded answer was not found in 1"), "{text}");
        assert!(text.contains("sft: after the whole rationale 1 of 3 answers"), "{text}");
        assert!(text.contains("--score words"), "{text}");
        let text =
            told(&[item(&[false, false]), item(&[true, true]), item(&[true, true]), item(&[true, true])]);
        assert!(text.contains("not found in 1") && !text.contains("--score"), "{text}");
    }

    #[test]
    fn the_rationale_is_told_apart_from_its_prompt() {
        let safety = |values: &[(&str, f64)]| record(CheckId::SafetyClassifier, true, values);
        let text = told(&[
            safety(&[("own-flag", 1.0), ("prompt-flagged", 0.0), ("beyond-prompt", 0.5)]),
            safety(&[("own-flag", 0.0), ("prompt-flagged", 1.0), ("beyond-prompt", 0.25)]),
        ]);
        assert!(text.contains(", own-flag 0.500, prompt-flagged 0.500, beyond-prompt 0.375"), "{text}");
        let unjudged = Record { verdict: Verdict::Unjudged(Reason::NoRationale), ..safety(&[]) };
        assert!(told(&[unjudged]).contains("0 judged; 1 unjudged (no-rationale 1)"));
    }
}
