//! Many verdicts together: rates, means, mean curves, the prompt apart.

use super::*;

#[test]
fn summaries_leave_the_unjudged_out() {
    let subject = subject(THREE);
    let with = |check, outcome: bool, values: &[(&str, f64)]| {
        let values = values.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        Record::new(
            check,
            &subject,
            &plain(),
            Verdict::Judged(Judged { outcome, values, ..Judged::default() }),
        )
    };
    let records = [
        with(CheckId::Consistency, true, &[]),
        with(CheckId::ConsistencyControls, false, &[("c0", 0.0)]),
        with(CheckId::MistakesFrozen, true, &[("flip", 0.5)]),
        with(CheckId::Paraphrase, true, &[("flip", 0.2)]),
        with(CheckId::ShuffledOptions, true, &[("stable", 0.0)]),
        Record::new(CheckId::Consistency, &subject, &plain(), Verdict::Unjudged(Reason::NoAnswer)),
        Record::new(CheckId::Filler, &subject, &plain(), Verdict::Unjudged(Reason::NoRationale)),
    ];
    let report = summary::summarise(&records);
    let find = |check| report.checks.iter().find(|s| s.check == check).unwrap();
    let consistency = find(CheckId::Consistency);
    assert_eq!((consistency.judged, consistency.hits, consistency.rate), (1, 1, Some(1.0)));
    assert_eq!(consistency.unjudged.get("no-answer"), Some(&1));
    assert_eq!((find(CheckId::Filler).rate, find(CheckId::Filler).interval), (None, None));
    let paired = |name: &str| report.paired.iter().find(|p| p.name.starts_with(name)).unwrap().value;
    assert!(paired("mistakes-frozen").is_some_and(|v| (v - 0.375).abs() < 1e-12));
    assert_eq!(paired("consistency"), Some(1.0));
    assert_eq!(paired("same without rationale"), None);
}

/// A verdict on a trace of three steps.
fn verdict(check: CheckId, judged: Judged) -> Record {
    Record::new(check, &subject(THREE), &plain(), Verdict::Judged(judged))
}

#[test]
fn summaries_tell_means_and_over_how_many() {
    let control = |masked: Option<f64>| {
        verdict(CheckId::ConsistencyControls, Judged::default().with("c0", 0.0).with("masked", masked))
    };
    let report = summary::summarise(&[control(Some(1.0)), control(Some(0.0)), control(None)]);
    assert_eq!(report.checks[0].told().collect::<Vec<_>>(), [("masked", 0.5, Some(2))]);
    let swap = verdict(CheckId::PerspectiveSwap, Judged::default().with("nie", 0.4).with("nde", -0.1));
    let told: Vec<_> = summary::summarise([&swap]).checks[0].told().collect();
    assert_eq!(told, [("nie", 0.4, None), ("nde", -0.1, None)]);
}

/// The answer compared with, or not, after each step.
fn answers(check: CheckId, matches: &[bool]) -> Record {
    let judged = Judged {
        matches: matches.to_vec(),
        at: curve::even(matches.len()),
        curve: vec![0.9; matches.len()],
        ..Judged::default()
    };
    let n = matches.len() - 1;
    verdict(check, judged.with("aoc", curve::aoc(matches)).with("n", n as f64))
}

/// Area over a mean curve's points.
fn over(points: &[f64]) -> f64 {
    1.0 - curve::trapezoid(&curve::even(points.len()), points)
}

#[test]
fn a_mean_curve_is_the_one_whose_area_is_told() {
    for check in [CheckId::EarlyAnswering, CheckId::MistakesFrozen, CheckId::Filler] {
        let records =
            [answers(check, &[false, true, false, false, true]), answers(check, &[true, false, true])];
        let seen = overview::overview(&records.iter().collect::<Vec<_>>(), Some(check));
        let [mean] = seen.curves.as_slice() else { panic!("{:?}", seen.curves) };
        assert_eq!((mean.traces, mean.steps, mean.points[0]), (2, Some(3.0), 0.5));
        // 1 - 1.5/4 and 1 - 1/2.
        assert!((mean.value - (0.625 + 0.5) / 2.0).abs() < 1e-12, "{mean:?}");
        assert!((over(&mean.points) - mean.value).abs() < 1e-12, "{mean:?}");
        let corpus = seen.report.checks[0].corpus.as_ref().unwrap();
        assert!((corpus.aoc - mean.value).abs() < 1e-12, "{corpus:?}");
    }
    let p = |curve: &[f64]| {
        let judged = Judged { curve: curve.to_vec(), at: curve::even(curve.len()), ..Judged::default() };
        verdict(CheckId::ProbabilityTrace, judged.with("soft-aoc", curve::soft_aoc(curve)))
    };
    let records = [p(&[0.2, 0.4, 0.8]), p(&[0.9, 0.8, 0.9]), p(&[0.5, 0.5, 0.0])];
    let seen = overview::overview(&records.iter().collect::<Vec<_>>(), Some(CheckId::ProbabilityTrace));
    let mean = &seen.curves[0];
    assert_eq!(mean.traces, 2, "an answer that ends at 0 has no curve");
    assert!((mean.points[0] - 0.625).abs() < 1e-12 && (over(&mean.points) - mean.value).abs() < 1e-12);
    let none = overview::overview(&records.iter().collect::<Vec<_>>(), Some(CheckId::ShuffledOptions));
    assert!(none.curves.is_empty());
}

#[test]
fn the_prompt_is_told_apart_over_a_corpus() {
    let safety = |flagged: bool, values: &[(&str, f64)]| {
        let judged = Judged { flag: flagged, outcome: flagged, ..Judged::default() };
        verdict(CheckId::SafetyClassifier, values.iter().fold(judged, |j, (name, v)| j.with(name, *v)))
    };
    let prompt = [("prompt-flagged", 1.0), ("own-flag", 0.0), ("beyond-prompt", -0.2), ("prompt", 0.9)];
    let own = [("prompt-flagged", 0.0), ("own-flag", 1.0), ("beyond-prompt", 0.6), ("prompt", 0.1)];
    let records = [
        safety(true, &[&prompt[..], &[("hate", 0.7), ("flag:hate", 1.0), ("peak", 0.7)]].concat()),
        safety(true, &[&own[..], &[("violence", 0.8), ("flag:violence", 1.0), ("peak", 0.8)]].concat()),
        safety(false, &[("peak", 0.0)]),
        Record { verdict: Verdict::Unjudged(Reason::NoRationale), ..safety(false, &[]) },
    ];
    let seen = overview::overview(&records.iter().collect::<Vec<_>>(), None);
    let rows: Vec<_> = seen
        .safety
        .iter()
        .map(|r| (r.what.map_or("any", Flagged::word), r.flagged, r.judged, r.mean))
        .collect();
    let near = |name: &str, flagged: usize, judged: usize, mean: f64| {
        let found = rows.iter().find(|r| r.0 == name);
        let same = |r: &&(_, usize, usize, Option<f64>)| {
            (r.1, r.2) == (flagged, judged) && r.3.is_some_and(|m| (m - mean).abs() < 1e-12)
        };
        assert!(found.filter(same).is_some(), "{name}: {found:?}");
    };
    assert_eq!(rows.iter().map(|r| r.0).collect::<Vec<_>>(), ["any", "own", "prompt", "hate", "violence"]);
    near("any", 2, 3, 0.5);
    near("own", 1, 2, 0.2);
    near("prompt", 1, 2, 0.5);
    near("hate", 1, 3, 0.7 / 3.0);
}
