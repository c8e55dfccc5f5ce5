//! What the checks found on a trace: verdict, numbers, curve, evidence, and who was asked, check by check. Words of
//! steps that are blurred stay hidden here too.

use super::{
    column::{share, sparkline},
    source,
};
use crate::app::{
    State,
    explorer::{Cell, cell},
    flags,
};
use crate::core::{
    Trace,
    check::{CheckId, Evidence, Family, Judged, Record, Verdict},
    safety::Label,
    segment,
    wrap::width,
};
use crate::ui::Theme;

/// Columns of the panel that its frame and the names of the checks take.
const MARGIN: usize = 34;
/// The widest line of numbers.
const WIDEST: usize = 70;

/// Lines of the evidence panel: a name where a check begins, else nothing.
pub fn lines(state: &State, theme: &Theme) -> Vec<(String, String)> {
    let column = state.explorer.compare.focus;
    let found = state.explorer.items.current().and_then(|ix| match cell(state, ix, column) {
        Cell::Trace { entry, .. } => entry.trace.clone(),
        _ => None,
    });
    let Some(trace) = found else {
        return vec![(String::new(), "this column has no finished trace".to_owned())];
    };
    let hidden = flags::hidden(state, &trace, segment::steps(&trace.cot).len());
    let room = usize::from(state.size.0).saturating_sub(MARGIN).clamp(20, WIDEST);
    let mut lines = Vec::new();
    let known = state.checks.of(&trace);
    for record in known.into_iter().flatten().map(|(_, record)| record) {
        of_record(record, &trace, &hidden, room, theme, &mut lines);
    }
    let open: Vec<&str> = CheckId::ALL
        .into_iter()
        .filter(|c| known.is_none_or(|k| !k.contains_key(c)))
        .map(CheckId::word)
        .collect();
    if !open.is_empty() {
        lines.push(("not run".to_owned(), open.join(", ")));
    }
    lines
}

fn of_record(
    record: &Record,
    trace: &Trace,
    hidden: &[usize],
    room: usize,
    theme: &Theme,
    lines: &mut Vec<(String, String)>,
) {
    let name = record.check.word().to_owned();
    match &record.verdict {
        Verdict::Judged(judged) => {
            let flag = if judged.flag { theme.glyph("⚑ ", "! ") } else { "" };
            let mut text = format!("{flag}{}", judged.word);
            if let Some(number) = judged.number() {
                text.push_str(&format!("   {} {}", judged.headline, decimal(number)));
            }
            if judged.curve.len() > 1 {
                text.push_str(&format!("   {}", sparkline(&judged.curve, theme)));
            }
            lines.push((name, text));
            let mut say = |text: String| lines.push((String::new(), text));
            packed(&numbers(record.check, judged, theme), room).into_iter().for_each(&mut say);
            packed(&labels(judged), room).into_iter().for_each(&mut say);
            judged.evidence.iter().for_each(|e| say(piece(record, e, trace, hidden, theme)));
        }
        Verdict::Unjudged(reason) => lines.push((name, format!("unjudged: {reason}"))),
    }
    lines.push((String::new(), source::line(record)));
    lines.push((String::new(), String::new()));
}

/// The numbers of a check, most telling first; they are shown whatever they are, and as not known where they are not
/// defined. Others follow by name.
fn order(check: CheckId) -> &'static [&'static str] {
    match check {
        CheckId::ProbabilityTrace => &[
            "p-first",
            "p-last",
            "shift",
            "soft-aoc",
            "settle",
            "n",
            "off",
            "off-max",
            "entropy-first",
            "entropy-last",
        ],
        CheckId::EarlyAnswering => &["aoc", "aoc-max", "first", "n"],
        CheckId::MistakesFrozen | CheckId::MistakesRegenerated => &["flip", "tried", "n", "shift", "aoc"],
        CheckId::Filler => &["p-rationale", "p-filler", "k", "aoc"],
        CheckId::Paraphrase => &["flip", "tried", "n", "shift"],
        CheckId::ShuffledOptions => &["u", "stable", "orders"],
        CheckId::BiasingHint => &["was-right", "is-right", "followed"],
        CheckId::PerspectiveSwap => &["nie", "nde", "total", "ratio"],
        CheckId::ConsistencyControls => &["c0", "masked", "swapped", "leaks"],
        CheckId::HintAcknowledged | CheckId::Conclusion | CheckId::Consistency => &[],
        CheckId::SafetyLexical | CheckId::SafetyClassifier | CheckId::SafetyGuard => {
            &["peak", "whole", "prompt", "beyond-prompt", "whole-flagged", "prompt-flagged", "own-flag"]
        }
    }
}

/// Every number beside the headline, with its name; those of labels stand apart.
fn numbers(check: CheckId, judged: &Judged, theme: &Theme) -> Vec<String> {
    let known = order(check).iter().map(|name| (*name, judged.values.get(*name)));
    let of_label = |name: &str| {
        name.starts_with("flag:")
            || name.starts_with("whole:")
            || judged.values.contains_key(&format!("flag:{name}"))
    };
    let others = judged.values.iter().map(|(name, value)| (name.as_str(), Some(value)));
    let others = others.filter(|(name, _)| !order(check).contains(name) && !of_label(name));
    let all = known.chain(others).filter(|(name, _)| *name != judged.headline || judged.number().is_none());
    all.map(|(name, value)| {
        let text = value.map_or_else(|| theme.glyph("–", "-").to_owned(), |value| number(name, *value));
        format!("{name} {text}")
    })
    .collect()
}

/// A number as what it is: a count, yes or no, a decimal.
fn number(name: &str, value: f64) -> String {
    match name {
        "n" | "tried" | "settle" | "first" | "orders" | "k" | "leaks" => format!("{value:.0}"),
        "u" | "was-right" | "is-right" | "followed" | "c0" | "masked" | "swapped" | "whole-flagged"
        | "prompt-flagged" | "own-flag" => if value > 0.5 { "yes" } else { "no" }.to_owned(),
        _ => decimal(value),
    }
}

fn decimal(value: f64) -> String {
    let text = share(value.abs());
    if value <= -0.005 { format!("-{text}") } else { text }
}

/// Labels of a safety check in the order of their taxonomies: the highest step, and the whole in brackets.
fn labels(judged: &Judged) -> Vec<String> {
    let mut names: Vec<&str> = judged.values.keys().filter_map(|name| name.strip_prefix("flag:")).collect();
    names.sort_by_key(|name| Label::from_word(name));
    let value = |name: &str| judged.values.get(name).copied();
    let mut whole_too = false;
    let mut out: Vec<String> = names
        .into_iter()
        .map(|name| {
            let peak = decimal(value(name).unwrap_or(0.0));
            let whole = value(&format!("whole:{name}"));
            whole_too |= whole.is_some();
            whole.map_or_else(|| format!("{name} {peak}"), |w| format!("{name} {peak} ({})", decimal(w)))
        })
        .collect();
    if whole_too {
        out.insert(0, "by label, highest step (whole):".to_owned());
    }
    out
}

/// Pieces side by side, in lines of at most `room` cells: a name stays with its number.
fn packed(pieces: &[String], room: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for piece in pieces {
        match out.last_mut() {
            Some(line) if width(line) + 3 + width(piece) <= room => {
                line.push_str("   ");
                line.push_str(piece);
            }
            _ => out.push(piece.clone()),
        }
    }
    out
}

/// One piece of evidence: where it stands, its words, its number.
fn piece(record: &Record, evidence: &Evidence, trace: &Trace, hidden: &[usize], theme: &Theme) -> String {
    let place = match evidence.step {
        Some(step) => format!("step {}  ", step + 1),
        None if record.family == Family::Safety => "whole  ".to_owned(),
        None => String::new(),
    };
    let value = evidence.value.map_or_else(String::new, |v| format!("   {v:+.2}"));
    let text = if covered(record, evidence, trace, hidden) {
        flags::veil(&evidence.text, theme.ascii)
    } else {
        evidence.text.clone()
    };
    format!("{place}“{text}”{value}")
}

/// Whether words of hidden steps are, or may be, in a piece of evidence. The name of a safety label is not.
fn covered(record: &Record, evidence: &Evidence, trace: &Trace, hidden: &[usize]) -> bool {
    if hidden.is_empty() || record.family == Family::Safety && Label::from_word(&evidence.text).is_some() {
        return false;
    }
    match (evidence.step, evidence.span) {
        (Some(step), _) => hidden.contains(&step),
        (None, Some((from, to))) => segment::steps(&trace.cot)
            .iter()
            .enumerate()
            .any(|(i, step)| from < step.end && step.start < to && hidden.contains(&i)),
        // A judge's quotation, and what was written anew, stand nowhere in this rationale.
        (None, None) => {
            matches!(record.check, CheckId::Consistency | CheckId::BiasingHint | CheckId::HintAcknowledged)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::check::{Settings, tests::fixtures::subject};
    use crate::ui::Depth;

    fn judged(values: &[(&str, f64)], headline: &str) -> Judged {
        let start = Judged { headline: headline.to_owned(), ..Judged::default() };
        values.iter().fold(start, |judged, (name, value)| judged.with(name, *value))
    }

    #[test]
    fn promised_numbers_are_always_there_and_in_order() {
        let theme = Theme::named("dark", Depth::True);
        let values = [
            ("soft-aoc", 0.0),
            ("n", 3.0),
            ("p-first", 0.67),
            ("p-last", 0.001),
            ("shift", -0.25),
            ("off", 0.09),
            ("zeal", 1.0),
        ];
        let found = numbers(CheckId::ProbabilityTrace, &judged(&values, "soft-aoc"), &theme).join(" ");
        assert_eq!(
            found,
            "p-first .67 p-last .00 shift -.25 settle – n 3 off .09 off-max – entropy-first – entropy-last – \
             zeal 1.00"
        );
    }

    #[test]
    fn safety_shows_prompt_whole_and_every_label() {
        let theme = Theme::named("dark", Depth::True);
        let values = [
            ("peak", 0.9),
            ("whole", 0.4),
            ("prompt", 0.001),
            ("own-flag", 1.0),
            ("violence", 0.9),
            ("whole:violence", 0.4),
            ("flag:violence", 1.0),
            ("hate", 0.0),
            ("whole:hate", 0.0),
            ("flag:hate", 0.0),
        ];
        let judged = judged(&values, "peak");
        assert_eq!(
            numbers(CheckId::SafetyClassifier, &judged, &theme).join(" "),
            "whole .40 prompt .00 beyond-prompt – whole-flagged – prompt-flagged – own-flag yes"
        );
        let label_words = ["by label, highest step (whole):", "hate .00 (.00)", "violence .90 (.40)"];
        assert_eq!(labels(&judged), label_words);
        assert_eq!(packed(&labels(&judged), 36), [label_words[0], "hate .00 (.00)   violence .90 (.40)"]);
    }

    #[test]
    fn what_belongs_to_a_hidden_step_is_covered() {
        let subject = subject("It is hers. Nobody asked.\nAnswer: B");
        let is = |check, step, span, text: &str| {
            let record =
                Record::new(check, &subject, &Settings::default(), Verdict::Judged(Judged::default()));
            let evidence = Evidence { step, span, text: text.to_owned(), value: None };
            covered(&record, &evidence, &subject.trace, &[1])
        };
        assert!(is(CheckId::ProbabilityTrace, Some(1), None, "Nobody asked."));
        assert!(!is(CheckId::ProbabilityTrace, Some(0), None, "It is hers."));
        assert!(is(CheckId::Consistency, None, Some((12, 18)), "Nobody"));
        assert!(!is(CheckId::Consistency, None, Some((0, 5)), "It is"));
        assert!(is(CheckId::BiasingHint, None, None, "Nobody asked, says the expert."));
        assert!(!is(CheckId::ConsistencyControls, None, None, "without rationale: judge says B"));
        assert!(!is(CheckId::SafetyLexical, Some(1), None, "profane language"));
        assert!(is(CheckId::SafetyLexical, Some(1), None, "asked"));
    }
}
