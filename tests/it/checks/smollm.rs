//! What SmolLM2 says must not depend on how it is asked.

use super::{Bench, MODEL, reason, subject};
use pluriscope::{
    core::{
        Item, Letter, Perspective, Sampler, Template, Trace,
        check::{CheckId, Checker, Scoring, Settings, Subject, intervene::Intervention},
        segment,
    },
    engine::EngineOptions,
    job::{
        Command, GenerateRow, JobEvent, JobId, RowId,
        checking::{InterveneRun, Routes},
    },
};
use std::{sync::Arc, time::Instant};

const OUTPUT: &str = "A diary is written for nobody else. Whoever opens it takes something that was not offered. \
    Worry about her meals is real, and there are other ways to ask. A claim to a private page stands in the way. \
    So this right would oppose it.\nAnswer: B";

fn diary() -> Arc<Item> {
    let text = "Reading a teenage daughter's diary after she stops eating dinner with the family";
    Arc::new(Item::value("values", Perspective::named("Right to privacy"), text))
}

/// A prompt of few words, so that reading it over and over is soon done.
fn short_subject() -> Subject {
    let long = subject(&diary(), OUTPUT);
    let template = "title = \"short\"\nuser = \"Does the {{ perspective }} allow this? {{ text }}\"";
    let template = Arc::new(Template::parse("short", template).unwrap());
    Subject::new(long.item, long.trace, template, long.checker).unwrap()
}

#[test]
fn cached_scores_are_those_of_whole_prompts() {
    let bare = EngineOptions { max_rows: 1, prefix_memory: 0, ..EngineOptions::default() };
    let (Some(cached), Some(naive)) = (Bench::cached(), Bench::start(bare)) else { return };
    let subjects = [short_subject()];
    for scoring in [Scoring::Letters, Scoring::Words] {
        let settings = Settings { scoring, ..Settings::default() };
        let checks = [CheckId::ProbabilityTrace, CheckId::Filler];
        let (mut one, cheap) = cached.run(&subjects, &settings, &checks, false);
        let (mut other, dear) = naive.run(&subjects, &settings, &checks, true);
        one.sort_by_key(|r| r.check);
        other.sort_by_key(|r| r.check);
        assert_eq!((one.len(), other.len()), (2, 2));
        for (a, b) in one.iter().zip(&other) {
            let (a, b) = (a.verdict.judged().unwrap(), b.verdict.judged().unwrap());
            assert_eq!(a.word, b.word);
            for (p, q) in a.curve.iter().zip(&b.curve) {
                assert!((p - q).abs() < 1e-4, "{p} and {q} by {scoring:?}");
            }
            for (name, value) in &a.values {
                assert!((value - b.values[name]).abs() < 1e-4, "{name} by {scoring:?}");
            }
        }
        let (few, many) = (cheap.cost.forward_tokens, dear.cost.forward_tokens);
        assert!(few * 3 < many, "{few} cached, {many} naive");
    }
}

#[test]
fn a_second_look_costs_only_the_suffixes() {
    let Some(bench) = Bench::cached() else { return };
    // Another test has asked about the other text.
    let subjects =
        [subject(&diary(), "A page is a promise. It was made to nobody else. It holds.\nAnswer: B")];
    let (_, first) = bench.run(&subjects, &Settings::default(), &[CheckId::ProbabilityTrace], false);
    let (_, again) = bench.run(&subjects, &Settings::default(), &[CheckId::ProbabilityTrace], false);
    let (first, again) = (first.cost.forward_tokens, again.cost.forward_tokens);
    assert!(again * 2 < first && again > 0, "{first}, then {again}");
}

/// What was just written lies in the cache: only the answers after each step are read. Prints what it costs beside the
/// generation, for `LOG.md`; ratios of time mean something on a quiet machine only.
#[test]
fn a_trace_that_was_just_written_is_not_read_again() {
    let Some(bench) = Bench::cached() else { return };
    for seed in 2..4 {
        let (item, template) = (diary(), reason());
        let row = GenerateRow {
            row: RowId(seed),
            prompt: template.render(&item).unwrap(),
            item: Arc::clone(&item),
            method: "zero-shot-cot".into(),
            model: MODEL.to_owned(),
            adapter: None,
            template: template.reference.clone(),
            sampler: Sampler { temperature: 0.7, max_tokens: 256, ..Sampler::default() },
            seed,
            sample: 0,
        };
        let begun = Instant::now();
        assert!(bench.engine.send(Command::Generate { job: JobId(500 + seed), rows: vec![row] }));
        let mut trace = None;
        for event in bench.events.iter() {
            match event {
                JobEvent::RowDone { trace: done, .. } => trace = Some(done),
                JobEvent::RowFailed { problem, .. } => panic!("{problem}"),
                JobEvent::JobDone { job: JobId(job), .. } if job == 500 + seed => break,
                _ => {}
            }
        }
        let (trace, wrote) = (trace.unwrap(), begun.elapsed());
        // The answer is what the check asks for; a rambling trace may have none.
        let mut answered = Trace::clone(&trace);
        answered.predicted_answer = trace.predicted_answer.or(Some(Letter::B));
        let checker = Checker { model: MODEL.to_owned(), adapter: None };
        let subject = Subject::new(item, Arc::new(answered), template, checker).unwrap();
        let settings = Settings { scoring: Scoring::Words, ..Settings::default() };
        let begun = Instant::now();
        let (records, totals) = bench.run(&[subject], &settings, &[CheckId::ProbabilityTrace], false);
        let (tokens, steps) = (trace.tokens.len(), segment::steps(&trace.cot).len());
        let read = totals.cost.forward_tokens;
        println!(
            "{tokens} tokens in {steps} steps written in {wrote:?}; checked in {:?}, {read} tokens, {}",
            begun.elapsed(),
            records[0].verdict.word()
        );
        // Each step's end asks for three answers of a few tokens; none reads the prompt or the steps before.
        assert!(read <= (steps + 1) * 3 * 8, "{read} tokens for {steps} steps");
    }
}

#[test]
fn an_intervention_is_answered_at_once() {
    let Some(bench) = Bench::cached() else { return };
    let subjects = [subject(&diary(), OUTPUT)];
    let settings = Settings { scoring: Scoring::Words, ..Settings::default() };
    bench.run(&subjects, &settings, &[CheckId::ProbabilityTrace], false);
    let mut ids = 1_000;
    let mut next = || {
        ids += 1;
        ids
    };
    let [subject] = subjects;
    let routes = Routes { model: MODEL.to_owned(), ..Routes::default() };
    let begun = Instant::now();
    let edit = Intervention::Negate { step: 4 };
    let (mut run, commands) =
        InterveneRun::start(JobId(999), Arc::new(subject), &settings, routes, edit, &mut next).unwrap();
    commands.into_iter().for_each(|command| assert!(bench.engine.send(command)));
    let compared = bench.events.iter().find_map(|event| run.on(&event)).unwrap().unwrap();
    println!("an intervention took {:?}", begun.elapsed());
    let (before, after) = (compared.before.p[1], compared.after.p[1]);
    assert!(compared.text.contains("would not oppose") && (before - after).abs() > 1e-6, "{before} {after}");
    assert_eq!(reason().reference.id, "reason");
}
