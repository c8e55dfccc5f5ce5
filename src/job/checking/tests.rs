//! Runs driven by events made by hand.

use super::*;
use crate::{
    core::{
        Trace,
        check::{intervene::Intervention, tests::fixtures},
    },
    job::JobFinish,
};

const OUTPUT: &str = "It is hers. Nobody asked.\nAnswer: B";

fn ids() -> impl FnMut() -> u64 {
    let mut last = 100;
    move || {
        last += 1;
        last
    }
}

fn start(checks: &[CheckId], naive: bool, next: &mut dyn FnMut() -> u64) -> (CheckRun, Step) {
    let subject = Arc::new(fixtures::subject(OUTPUT));
    let routes = Routes { model: "m".into(), adapter: None, judge: None, naive };
    CheckRun::start(JobId(1), subject, Arc::default(), routes, checks, next)
}

fn score_rows(step: &Step) -> Vec<ScoreRow> {
    step.commands
        .iter()
        .flat_map(|c| match c {
            Command::Score { rows, .. } => rows.clone(),
            _ => Vec::new(),
        })
        .collect()
}

fn scored(row: &ScoreRow, logprobs: &[f64]) -> JobEvent {
    let one = ContinuationScore {
        logprobs: logprobs.to_vec(),
        entropy: None,
        candidate_tokens: vec![1; logprobs.len()],
    };
    let scores = Arc::new(vec![one; row.continuations.len()]);
    JobEvent::RowScored { job: JobId(1), row: row.row, scores, forward_tokens: 10 }
}

#[test]
fn checks_that_ask_the_same_ask_once() {
    let mut next = ids();
    let (mut run, step) = start(
        &[CheckId::ProbabilityTrace, CheckId::EarlyAnswering, CheckId::MistakesFrozen],
        false,
        &mut next,
    );
    let rows = score_rows(&step);
    assert_eq!((step.commands.len(), rows.len()), (1, 2));
    let done = run.on(&scored(&rows[0], &[-2.0, -0.2, -3.0]), &mut next).unwrap();
    assert_eq!(
        done.records.iter().map(|r| r.check).collect::<Vec<_>>(),
        [CheckId::ProbabilityTrace, CheckId::EarlyAnswering]
    );
    assert!(!run.finished());
    assert!(run.on(&JobEvent::JobDone { job: JobId(1), finish: JobFinish::Done }, &mut next).is_none());
    run.on(&scored(&rows[1], &[-2.0, -0.2, -3.0]), &mut next).unwrap();
    assert!(run.finished() && !run.cancelled());
    assert_eq!(run.cost(), Cost { forward_tokens: 20, written_tokens: 0, rows: 2 });
    // A stranger's row.
    assert!(run.on(&scored(&ScoreRow { row: RowId(5), ..rows[0].clone() }, &[]), &mut next).is_none());
}

#[test]
fn naive_rows_are_put_together_again() {
    let mut next = ids();
    let (mut run, step) = start(&[CheckId::ProbabilityTrace], true, &mut next);
    let rows = score_rows(&step);
    assert_eq!(rows.len(), 3);
    let mut records = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let logprobs = if i == 0 { [-0.2, -2.0, -3.0] } else { [-2.0, -0.2, -3.0] };
        records.extend(run.on(&scored(row, &logprobs), &mut next).unwrap().records);
    }
    assert_eq!(records[0].verdict.word(), "settles at 1 of 2");
}

#[test]
fn a_second_round_follows_the_first() {
    let mut next = ids();
    let (mut run, step) = start(&[CheckId::MistakesRegenerated], false, &mut next);
    let Command::Generate { rows, .. } = &step.commands[0] else { panic!("{step:?}") };
    assert_eq!(rows.len(), 2);
    let subject = Arc::clone(run.subject());
    let mut asked = Step::default();
    for row in rows {
        let trace = Arc::new(Trace::new(&subject.item, row.method.clone(), "So what.\nAnswer: A".into()));
        asked = run.on(&JobEvent::RowDone { job: JobId(1), row: row.row, trace }, &mut next).unwrap();
    }
    let scores = score_rows(&asked);
    assert_eq!(scores.len(), 1);
    let done = run.on(&scored(&scores[0], &[-2.0, -0.2, -3.0]), &mut next).unwrap();
    assert_eq!(done.records[0].verdict.word(), "unmoved");
}

#[test]
fn failures_are_reasons_and_a_cancelled_run_has_no_record() {
    let failed = |row, problem: &str| JobEvent::RowFailed { job: JobId(1), row, problem: problem.into() };
    let mut next = ids();
    let (mut run, step) = start(&[CheckId::ProbabilityTrace], false, &mut next);
    let done = run.on(&failed(score_rows(&step)[0].row, "too long"), &mut next).unwrap();
    assert_eq!(done.records[0].verdict, Verdict::Unjudged(Reason::ModelFailed("too long".into())));
    let (mut run, step) = start(&[CheckId::ProbabilityTrace], false, &mut next);
    let done = run.on(&failed(score_rows(&step)[0].row, "cancelled"), &mut next).unwrap();
    assert!(done.records.is_empty() && run.finished() && run.cancelled());
}

#[test]
fn what_needs_no_model_is_known_at_once() {
    let subject = Arc::new(fixtures::subject("Answer: B"));
    let (run, step) =
        CheckRun::start(JobId(1), subject, Arc::default(), Routes::default(), &[CheckId::Filler], &mut ids());
    assert!(run.finished() && step.commands.is_empty());
    assert_eq!(step.records[0].verdict, Verdict::Unjudged(Reason::NoRationale));
}

#[test]
fn an_intervention_is_one_row() {
    let mut next = ids();
    let subject = Arc::new(fixtures::subject(OUTPUT));
    let edit = Intervention::Delete { step: 0 };
    let (mut run, commands) =
        InterveneRun::start(JobId(1), subject, &Settings::default(), Routes::default(), edit, &mut next)
            .unwrap();
    let rows = score_rows(&Step { commands, records: Vec::new() });
    let compared = run.on(&scored(&rows[0], &[-2.0, -0.2, -3.0])).unwrap().unwrap();
    assert_eq!((compared.text.as_str(), compared.changed()), ("Nobody asked.", false));
}
