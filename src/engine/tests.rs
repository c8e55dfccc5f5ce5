//! Behaviour of the scheduler and the worker, with the tiny model.

use super::{
    LoadProgress, ModelProvider,
    options::EngineOptions,
    scheduler::Scheduler,
    tiny::{TinyProvider, prompt},
    worker::Engine,
};
use crate::{
    core::{AdapterRef, Finish, Item, Perspective, Prompt, Sampler, TemplateRef, Trace},
    job::{
        Command, Continuation, ContinuationScore, GenerateRow, JobEvent, JobFinish, JobId, RowId, ScoreRow,
    },
    model::LanguageModel,
};
use std::{
    sync::{Arc, Mutex, atomic::AtomicBool, atomic::Ordering, mpsc},
    time::Duration,
};

type Events = Arc<Mutex<Vec<JobEvent>>>;

/// A scheduler without a thread; loads happen between steps.
struct Bench {
    scheduler: Scheduler<TinyProvider>,
    provider: Arc<TinyProvider>,
    events: Events,
}

impl Bench {
    fn new(provider: TinyProvider, options: EngineOptions) -> Bench {
        let events = Events::default();
        let sink = Arc::clone(&events);
        let provider = Arc::new(provider);
        let emit = Box::new(move |event| sink.lock().unwrap().push(event));
        Bench { scheduler: Scheduler::new(options, Arc::clone(&provider), emit), provider, events }
    }

    fn step(&mut self) {
        self.scheduler.step();
        for request in self.scheduler.take_loads() {
            let report = |_: &'static str, _: f32| {};
            let result = self.provider.load(&request.reference, &LoadProgress::new(&report, &request.cancel));
            self.scheduler.loaded(&request.reference, result);
        }
    }

    fn run(&mut self, command: Command) -> &mut Self {
        self.scheduler.handle(command);
        let mut steps = 0;
        while self.scheduler.busy() {
            self.step();
            steps += 1;
            assert!(steps < 10_000, "the scheduler never comes to rest");
        }
        self
    }

    fn events(&self) -> Vec<JobEvent> {
        self.events.lock().unwrap().clone()
    }

    fn traces(&self) -> Vec<(RowId, Trace)> {
        let mut out: Vec<_> = self
            .events()
            .into_iter()
            .filter_map(|e| {
                if let JobEvent::RowDone { row, trace, .. } = e {
                    Some((row, (*trace).clone()))
                } else {
                    None
                }
            })
            .collect();
        out.sort_by_key(|(row, _)| *row);
        out
    }

    fn scores(&self) -> Vec<(Vec<ContinuationScore>, usize)> {
        let scored = |e| match e {
            JobEvent::RowScored { scores, forward_tokens, .. } => Some(((*scores).clone(), forward_tokens)),
            _ => None,
        };
        self.events().into_iter().filter_map(scored).collect()
    }

    fn problems(&self) -> Vec<String> {
        let failed =
            |e| if let JobEvent::RowFailed { row, problem, .. } = e { Some((row, problem)) } else { None };
        let mut out: Vec<(RowId, String)> = self.events().into_iter().filter_map(failed).collect();
        out.sort();
        out.into_iter().map(|(_, problem)| problem).collect()
    }

    fn forward_tokens(&self) -> usize {
        self.provider.seen.forward_tokens.load(Ordering::Relaxed)
    }
}

fn bench() -> Bench {
    Bench::new(TinyProvider::default(), EngineOptions::default())
}

fn row(id: u64, text: &str) -> GenerateRow {
    GenerateRow {
        row: RowId(id),
        item: Arc::new(Item::value("vk", Perspective::named("Right to privacy"), text)),
        method: "zero-shot-cot".into(),
        model: "tiny".to_owned(),
        adapter: None,
        template: TemplateRef { id: "reason".to_owned(), hash: "0".to_owned() },
        prompt: prompt(text),
        sampler: Sampler { max_tokens: 40, ..Sampler::default() },
        seed: 100 + id,
        sample: 0,
    }
}

fn generate(rows: Vec<GenerateRow>) -> Command {
    Command::Generate { job: JobId(1), rows }
}

fn adapter(name: &str) -> Option<AdapterRef> {
    Some(AdapterRef { name: name.to_owned(), path: name.into() })
}

/// Rows that differ in everything, with and without shared beginnings.
fn mixed() -> Vec<GenerateRow> {
    let mut rows: Vec<GenerateRow> =
        (0..9).map(|i| row(i, &format!("a common beginning of some length, then {i}"))).collect();
    rows[1].adapter = adapter("a");
    rows[2].adapter = adapter("b");
    rows[3].sampler.temperature = 0.0;
    rows[4].sampler.top_p = 0.3;
    rows[5].prompt = prompt(&"long ".repeat(200));
    rows[6].sampler.max_tokens = 3;
    rows[7].prompt = rows[0].prompt.clone();
    rows[8].prompt = rows[0].prompt.clone();
    rows[8].seed = rows[7].seed;
    rows
}

fn tokens(traces: &[(RowId, Trace)]) -> Vec<(Vec<u32>, Vec<f32>)> {
    traces.iter().map(|(_, t)| (t.tokens.clone(), t.logprobs.clone())).collect()
}

#[test]
fn a_rows_tokens_do_not_depend_on_its_batch() {
    let mut together = bench();
    let together = tokens(&together.run(generate(mixed())).traces());
    assert_eq!(together.len(), 9);
    for (i, row) in mixed().into_iter().enumerate() {
        let alone = tokens(&bench().run(generate(vec![row])).traces());
        assert_eq!(alone, [together[i].clone()], "row {i}");
    }
    let narrow =
        EngineOptions { max_rows: 2, prefill_beside: 7, prefill_alone: 11, ..EngineOptions::default() };
    let mut narrow = Bench::new(TinyProvider::default(), narrow);
    assert_eq!(tokens(&narrow.run(generate(mixed())).traces()), together);
    assert_eq!(together[7], together[8], "same prompt, sampler and seed");
    assert_ne!(together[0].0, together[1].0, "another adapter");
}

#[test]
fn a_trace_carries_its_whole_provenance() {
    let mut b = bench();
    let mut wanted = row(3, "text");
    wanted.adapter = adapter("human-cot");
    let (_, trace) = b.run(generate(vec![wanted.clone()])).traces().remove(0);
    assert_eq!(trace.model, "tiny");
    assert_eq!(trace.adapter.as_deref(), Some("human-cot"));
    assert_eq!((trace.seed, trace.sampler), (Some(103), Some(wanted.sampler)));
    assert_eq!(trace.template, Some(wanted.template));
    assert_eq!(trace.prompt_tokens, Some(6));
    assert_eq!(trace.tokens.len(), trace.logprobs.len());
    assert!(trace.logprobs.iter().all(|l| *l <= 0.0));
    assert_eq!(trace.timing.map(|t| t.token_ms.len()), Some(trace.tokens.len()));
    assert_eq!(trace.engine.map(|e| e.model_hash), Some("0123456789abcdef".to_owned()));
}

#[test]
fn the_streamed_text_is_the_text_of_the_trace() {
    let mut b =
        Bench::new(TinyProvider::scripted("q", "Ünïcode — 日本.\nAnswer: B"), EngineOptions::default());
    let mut asked = row(1, "q");
    asked.sampler = Sampler::greedy(100);
    let (_, trace) = b.run(generate(vec![asked])).traces().remove(0);
    let streamed: String = b
        .events()
        .iter()
        .filter_map(|e| if let JobEvent::RowText { text, .. } = e { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(streamed, "Ünïcode — 日本.\nAnswer: B");
    assert_eq!(trace.llm_output, streamed);
    assert_eq!(trace.finish, Some(Finish::Stop));
    assert_eq!(trace.predicted_answer.map(|l| l.as_char()), Some('B'));
}

#[test]
fn stop_strings_end_a_row_wherever_tokens_part() {
    let mut b =
        Bench::new(TinyProvider::scripted("q", "Because.\nAnswer: B and more"), EngineOptions::default());
    let mut asked = row(1, "q");
    asked.sampler = Sampler { stop: vec![" and".to_owned()], ..Sampler::greedy(100) };
    let (_, trace) = b.run(generate(vec![asked])).traces().remove(0);
    assert_eq!(trace.llm_output, "Because.\nAnswer: B");
    assert_eq!(trace.finish, Some(Finish::StopString));
}

#[test]
fn a_common_beginning_is_run_once() {
    let mut b = bench();
    let shared = "x".repeat(300);
    let mut rows: Vec<GenerateRow> = (0..5).map(|i| row(i, &format!("{shared}{i}"))).collect();
    rows.iter_mut().for_each(|r| r.sampler.max_tokens = 1);
    b.run(generate(rows));
    // Per row: the digit and the mark after it; the first row also the opening mark and what all share.
    assert_eq!(b.forward_tokens(), 301 + 5 * 2);
    let cached: Vec<usize> = b
        .events()
        .iter()
        .filter_map(|e| {
            if let JobEvent::RowStarted { cached_tokens, .. } = e { Some(*cached_tokens) } else { None }
        })
        .collect();
    assert_eq!(cached, [0, 301, 301, 301, 301]);
    // Another adapter shares nothing.
    let mut other = row(9, &shared);
    other.adapter = adapter("a");
    other.sampler.max_tokens = 1;
    let before = b.forward_tokens();
    b.run(generate(vec![other]));
    assert_eq!(b.forward_tokens() - before, 302);
}

#[test]
fn live_rows_do_not_stall_behind_a_long_prompt() {
    let options = EngineOptions { prefill_beside: 10, ..EngineOptions::default() };
    let mut b = Bench::new(TinyProvider::scripted("q", &"w".repeat(90)), options);
    let mut writer = row(1, "q");
    writer.sampler = Sampler::greedy(80);
    b.scheduler.handle(generate(vec![writer]));
    (0..5).for_each(|_| b.step());
    b.scheduler.handle(Command::Generate { job: JobId(2), rows: vec![row(2, &"y".repeat(500))] });
    let written = |b: &Bench| b.scheduler.written().iter().sum::<usize>();
    let before = written(&b);
    (0..20).for_each(|_| b.step());
    assert_eq!(written(&b) - before, 20, "one token a step, whatever is read beside it");
}

#[test]
fn cancel_takes_at_most_one_token_and_keeps_the_text() {
    let mut b = Bench::new(TinyProvider::scripted("q", &"w".repeat(90)), EngineOptions::default());
    let mut rows = vec![row(1, "q"), row(2, "q"), row(3, "r")];
    rows.iter_mut().for_each(|r| r.sampler = Sampler::greedy(80));
    b.scheduler.handle(generate(rows));
    while b.scheduler.written().iter().sum::<usize>() < 20 {
        b.step();
    }
    let written = b.scheduler.written()[0];
    b.scheduler.handle(Command::CancelRow(RowId(1)));
    let (id, trace) = b.traces().remove(0);
    assert_eq!((id, trace.finish, trace.tokens.len()), (RowId(1), Some(Finish::Cancelled), written));
    assert_eq!(trace.llm_output, "w".repeat(written));
    b.scheduler.handle(Command::Cancel(JobId(1)));
    assert_eq!(b.traces().len(), 3);
    assert!(!b.scheduler.busy());
    assert!(matches!(b.events().last(), Some(JobEvent::JobDone { finish: JobFinish::Cancelled, .. })));
}

fn score(id: u64, asked: Prompt, continuations: Vec<Continuation>) -> Command {
    let row =
        ScoreRow { row: RowId(id), model: "tiny".to_owned(), adapter: None, prompt: asked, continuations };
    Command::Score { job: JobId(id), rows: vec![row] }
}

fn continuation(context: &str, candidates: &[&str]) -> Continuation {
    Continuation {
        context: context.to_owned(),
        candidates: candidates.iter().map(|c| (*c).to_owned()).collect(),
    }
}

/// The same scores, one token after the other.
fn independent(asked: &Prompt, c: &Continuation) -> (Vec<f64>, f64) {
    let provider = TinyProvider::default();
    let report = |_: &'static str, _: f32| {};
    let cancel = AtomicBool::new(false);
    let mut model = provider.load("tiny", &LoadProgress::new(&report, &cancel)).unwrap();
    let mut next = |tokens: &[u32]| {
        let mut sequence = model.new_sequence();
        let want = crate::model::Want::Last;
        let mut rows = [crate::model::ForwardRow { sequence: &mut sequence, tokens, adapter: None, want }];
        let logits = model.forward(&mut rows).unwrap().remove(0);
        let sum: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        logits.iter().map(|&l| f64::from(l) - sum.ln()).collect::<Vec<f64>>()
    };
    let start: Vec<u32> = {
        let mut t = vec![1u32];
        t.extend(asked.messages[0].content.bytes().map(u32::from));
        t.push(3);
        t.extend(asked.prefill.bytes().chain(c.context.bytes()).map(u32::from));
        t
    };
    let entropy = -next(&start).iter().map(|l| l * l.exp()).sum::<f64>();
    let sums = c.candidates.iter().map(|candidate| {
        let mut tokens = start.clone();
        candidate
            .bytes()
            .map(|b| {
                let l = next(&tokens)[b as usize];
                tokens.push(u32::from(b));
                l
            })
            .sum()
    });
    (sums.collect(), entropy)
}

#[test]
fn scores_equal_an_independent_computation_and_share_their_work() {
    let mut asked = prompt("a question");
    asked.prefill = "Well, ".to_owned();
    let steps = ["one step. ", "another. ", "a third. "];
    let continuations: Vec<Continuation> = (0..=3)
        .map(|i| continuation(&format!("{}Answer:", steps[..i].concat()), &[" A", " B", "", " Both"]))
        .collect();
    let mut b = bench();
    b.run(score(1, asked.clone(), continuations.clone()));
    let (scores, forward) = b.scores().remove(0);
    for (got, c) in scores.iter().zip(&continuations) {
        let (logprobs, entropy) = independent(&asked, c);
        for (x, y) in got.logprobs.iter().zip(&logprobs) {
            assert!((x - y).abs() < 1e-5, "{x} {y}");
        }
        assert!((got.entropy.unwrap() - entropy).abs() < 1e-5);
        assert_eq!(got.candidate_tokens, [2, 2, 0, 5]);
    }
    assert_eq!(forward, b.forward_tokens());
    // Prompt 12, prefill 6, rationale 28, and each time "Answer:" and the candidates' tokens but the last: " Bot".
    assert_eq!(forward, 12 + 6 + 28 + 4 * (7 + 4));
    // Once more: only the positions that are read again.
    let before = b.forward_tokens();
    b.run(score(2, asked, continuations));
    assert!(b.forward_tokens() - before < 4 * 12, "{}", b.forward_tokens() - before);
    let again = b.scores().remove(1).0;
    assert_eq!(again, scores);
}

#[test]
fn scoring_a_trace_just_written_costs_only_the_suffixes() {
    let mut b =
        Bench::new(TinyProvider::scripted("q", "First this. Then that. So no."), EngineOptions::default());
    let mut asked = row(1, "q");
    asked.sampler = Sampler::greedy(100);
    b.run(generate(vec![asked.clone()]));
    let text = b.traces().remove(0).1.llm_output;
    let before = b.forward_tokens();
    let contexts = [0, 12, 23].map(|end| continuation(&format!("{}\nAnswer:", &text[..end]), &["A", "B"]));
    b.run(score(2, asked.prompt, contexts.to_vec()));
    assert_eq!(b.forward_tokens() - before, 3 * "\nAnswer:".len());
}

#[test]
fn what_cannot_run_fails_alone_and_says_why() {
    let provider = TinyProvider { context: Some(300), ..TinyProvider::default() };
    let mut b = Bench::new(provider, EngineOptions::default());
    let mut rows = vec![row(1, &"z".repeat(400)), row(2, "fine"), row(3, "fine"), row(4, "fine")];
    rows[2].adapter = adapter("broken");
    rows[3].model = "missing".to_owned();
    let problems = b.run(generate(rows)).problems();
    assert!(problems[0].contains("402 tokens") && problems[0].contains("300"), "{problems:?}");
    assert!(problems[1].contains("adapter `broken`"), "{problems:?}");
    assert!(problems[2].contains("not on this machine"), "{problems:?}");
    assert_eq!(b.traces().len(), 1);
    assert!(b.events().iter().any(|e| matches!(e, JobEvent::ModelFailed { missing: true, .. })));
    assert!(matches!(b.events().last(), Some(JobEvent::JobDone { finish: JobFinish::Done, .. })));
    let unread = row(5, "\u{15}");
    assert!(b.run(generate(vec![unread])).problems()[3].contains("will not read this"));
}

#[test]
fn a_full_context_ends_a_row() {
    let provider = TinyProvider { context: Some(20), ..TinyProvider::scripted("q", &"w".repeat(90)) };
    let mut b = Bench::new(provider, EngineOptions::default());
    let mut asked = row(1, "q");
    asked.sampler = Sampler::greedy(100);
    let (_, trace) = b.run(generate(vec![asked])).traces().remove(0);
    assert_eq!((trace.finish, trace.tokens.len()), (Some(Finish::Length), 17));
}

#[test]
fn idle_models_make_room_the_oldest_first() {
    let options = EngineOptions { model_memory: 2 << 20, ..EngineOptions::default() };
    let mut b = Bench::new(TinyProvider::default(), options);
    for (i, model) in ["one", "two", "one", "three", "one", "two"].into_iter().enumerate() {
        let mut asked = row(i as u64, "q");
        asked.model = model.to_owned();
        b.run(generate(vec![asked]));
    }
    assert_eq!(*b.provider.asked.lock().unwrap(), ["one", "two", "three", "two"]);
}

#[test]
fn a_small_job_does_not_wait_for_a_large_one() {
    let options = EngineOptions { max_rows: 4, ..EngineOptions::default() };
    let mut b = Bench::new(TinyProvider::default(), options);
    b.scheduler.handle(generate((0..50).map(|i| row(i, &format!("{i} is a number"))).collect()));
    (0..3).for_each(|_| b.step());
    b.run(Command::Generate { job: JobId(2), rows: vec![row(99, "urgent")] });
    let order: Vec<JobId> = b
        .events()
        .iter()
        .filter_map(|e| if let JobEvent::JobDone { job, .. } = e { Some(*job) } else { None })
        .collect();
    assert_eq!(order, [JobId(2), JobId(1)]);
}

/// An engine on its thread, and its events.
fn engine() -> (super::EngineHandle, mpsc::Receiver<JobEvent>) {
    let (sender, receiver) = mpsc::channel();
    let emit = move |event| drop(sender.send(event));
    let handle = Engine::start(EngineOptions::default(), TinyProvider::default(), emit).unwrap();
    (handle, receiver)
}

fn until(events: &mpsc::Receiver<JobEvent>, which: impl Fn(&JobEvent) -> bool) -> Vec<JobEvent> {
    let mut seen = Vec::new();
    loop {
        let event = events.recv_timeout(Duration::from_secs(20)).expect("the event comes");
        let found = which(&event);
        seen.push(event);
        if found {
            return seen;
        }
    }
}

#[test]
fn a_panic_fails_its_rows_and_the_next_command_is_served() {
    let (engine, events) = engine();
    engine.send(generate(vec![row(1, "fine"), row(2, "ring the \u{7}")]));
    let seen = until(&events, |e| matches!(e, JobEvent::WorkerFailed { .. }));
    let failed =
        seen.iter().filter(|e| matches!(e, JobEvent::RowFailed { problem, .. } if problem.contains("bell")));
    assert_eq!(failed.count(), 2);
    engine.send(Command::Generate { job: JobId(2), rows: vec![row(3, "again")] });
    let seen = until(&events, |e| matches!(e, JobEvent::JobDone { job: JobId(2), finish: JobFinish::Done }));
    assert!(seen.iter().any(|e| matches!(e, JobEvent::RowDone { row: RowId(3), .. })));
}

#[test]
fn a_loader_that_panics_is_a_model_that_failed() {
    let (engine, events) = engine();
    engine.send(Command::Load { job: JobId(1), model: "panics".to_owned() });
    let seen = until(&events, |e| matches!(e, JobEvent::JobDone { finish: JobFinish::Failed, .. }));
    assert!(
        seen.iter()
            .any(|e| matches!(e, JobEvent::ModelFailed { problem, .. } if problem.contains("fell over")))
    );
}

#[test]
fn other_work_goes_on_while_a_model_loads_and_loading_can_be_cancelled() {
    let (engine, events) = engine();
    engine.send(Command::Load { job: JobId(1), model: "slow".to_owned() });
    engine.send(Command::Generate { job: JobId(2), rows: vec![row(3, "meanwhile")] });
    until(&events, |e| matches!(e, JobEvent::JobDone { job: JobId(2), finish: JobFinish::Done }));
    engine.send(Command::Cancel(JobId(1)));
    until(&events, |e| matches!(e, JobEvent::JobDone { job: JobId(1), finish: JobFinish::Cancelled }));
}

#[test]
fn shutdown_keeps_what_was_written() {
    let (engine, events) = engine();
    let mut rows: Vec<GenerateRow> = (0..40).map(|i| row(i, &format!("{i}"))).collect();
    rows.iter_mut().for_each(|r| r.sampler.max_tokens = 4000);
    engine.send(generate(rows));
    until(&events, |e| matches!(e, JobEvent::RowStarted { .. }));
    engine.shutdown();
    let rest: Vec<JobEvent> = events.try_iter().collect();
    assert!(matches!(rest.last(), Some(JobEvent::JobDone { .. })));
    assert_eq!(rest.iter().filter(|e| matches!(e, JobEvent::RowDone { .. })).count(), 40);
}
