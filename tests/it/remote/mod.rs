//! Rows on an OpenAI-compatible server: what goes right, and every way in which a server misbehaves.

mod cli;
mod llama;
mod network;
pub mod server;

use pluriscope::{
    core::{AdapterRef, Finish, Item, Message, Perspective, Prompt, Role, Sampler, TemplateRef, Trace},
    engine::{
        Engine, EngineHandle, EngineOptions, LoadError,
        local::LocalModels,
        remote::{ChatFormat, Key, RemoteOptions, ServerModel, Trust},
    },
    job::{
        Command, Continuation, ContinuationScore, GenerateRow, JobEvent, JobFinish, JobId, RowId, ScoreRow,
    },
    model::LoadOptions,
};
use serde_json::json;
use server::{Part, Server, bytes, chunk, delta, event, json_reply, status, stream, stream_head};
use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

const KEY: &str = "sk-never-to-be-seen";

/// Short waits, so that trying again takes no time.
fn limits() -> RemoteOptions {
    RemoteOptions {
        attempts: 4,
        wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(20),
        connect: Duration::from_secs(5),
        idle: Duration::from_secs(10),
        total: Duration::from_secs(30),
        ..RemoteOptions::default()
    }
}

struct Bench {
    engine: EngineHandle,
    events: mpsc::Receiver<JobEvent>,
}

fn bench_with(server: &Server, remote: RemoteOptions, chat: Option<ChatFormat>) -> Bench {
    let (sender, events) = mpsc::channel();
    let url = server.url.clone();
    let provider = LocalModels::new(LoadOptions::default(), |r| Err(LoadError::Missing(r.to_owned())))
        .with_servers(move |reference| {
            let model = reference.split_once('#')?.1.to_owned();
            Some(ServerModel { url: url.clone(), model, chat, key: Key::new(KEY), trust: Trust::Public })
        });
    let options = EngineOptions { max_rows: 4, remote, ..EngineOptions::default() };
    let engine = Engine::start(options, provider, move |event| drop(sender.send(event))).unwrap();
    Bench { engine, events }
}

fn bench(server: &Server) -> Bench {
    bench_with(server, limits(), None)
}

impl Bench {
    /// Events up to the end of the job.
    fn job(&self) -> Vec<JobEvent> {
        self.until(|e| matches!(e, JobEvent::JobDone { .. }))
    }

    #[track_caller]
    fn until(&self, which: impl Fn(&JobEvent) -> bool) -> Vec<JobEvent> {
        let mut seen = Vec::new();
        loop {
            let event = self.events.recv_timeout(Duration::from_secs(60)).expect("the event comes");
            let found = which(&event);
            seen.push(event);
            if found {
                return seen;
            }
        }
    }

    fn write(&self, rows: Vec<GenerateRow>) -> Vec<JobEvent> {
        self.engine.send(Command::Generate { job: JobId(1), rows });
        self.job()
    }

    fn score(&self, row: ScoreRow) -> Result<Vec<ContinuationScore>, String> {
        self.engine.send(Command::Score { job: JobId(1), rows: vec![row] });
        self.job()
            .into_iter()
            .find_map(|e| match e {
                JobEvent::RowScored { scores, .. } => Some(Ok((*scores).clone())),
                JobEvent::RowFailed { problem, .. } => Some(Err(problem)),
                _ => None,
            })
            .unwrap()
    }
}

fn prompt() -> Prompt {
    let messages = vec![Message { role: Role::User, content: "What do you say?".to_owned() }];
    Prompt { messages, prefill: String::new() }
}

fn row(server: &Server, id: u64) -> GenerateRow {
    GenerateRow {
        row: RowId(id),
        item: Arc::new(Item::value("vk", Perspective::named("Right to privacy"), "Reading a diary")),
        method: "zero-shot-cot".into(),
        model: server.reference(),
        adapter: None,
        template: TemplateRef { id: "reason".to_owned(), hash: "0".to_owned() },
        prompt: prompt(),
        sampler: Sampler::default(),
        seed: id,
        sample: 0,
    }
}

fn traces(events: &[JobEvent]) -> Vec<Trace> {
    let done =
        |e: &JobEvent| if let JobEvent::RowDone { trace, .. } = e { Some((**trace).clone()) } else { None };
    events.iter().filter_map(done).collect()
}

fn problem(events: &[JobEvent]) -> String {
    let failed =
        |e: &JobEvent| if let JobEvent::RowFailed { problem, .. } = e { Some(problem.clone()) } else { None };
    let problem = events.iter().find_map(failed).unwrap_or_else(|| panic!("no row failed: {events:?}"));
    assert!(!problem.contains(KEY), "the key is in {problem}");
    problem
}

fn text(events: &[JobEvent]) -> String {
    let part = |e: &JobEvent| if let JobEvent::RowText { text, .. } = e { Some(text.clone()) } else { None };
    events.iter().filter_map(part).collect()
}

const GOOD: [&str; 3] = ["It is hers.", " So no.", "\nAnswer: B"];

#[test]
fn a_trace_is_written_with_its_provenance_and_without_the_key() {
    let server = Server::of("vllm", |_, _| stream(&GOOD));
    let events = bench(&server).write(vec![row(&server, 7)]);
    let trace = &traces(&events)[0];
    assert_eq!(trace.llm_output, GOOD.concat());
    assert_eq!(text(&events), GOOD.concat());
    assert_eq!(trace.predicted_answer.map(|l| l.to_string()), Some("B".to_owned()));
    assert_eq!(
        (trace.finish, trace.prompt_tokens, trace.token_count()),
        (Some(Finish::Stop), Some(11), Some(3))
    );
    assert_eq!(trace.engine.as_ref().unwrap().name, "server m");
    assert_eq!(trace.timing.as_ref().unwrap().token_ms.len(), 3);
    assert!(!serde_json::to_string(trace).unwrap().contains(KEY));
    assert!(events.iter().any(|e| matches!(e, JobEvent::ModelReady(r) if r.weights == "vllm")));
    let asked = &server.seen()[0];
    assert_eq!(asked.authorization, Some(format!("Bearer {KEY}")));
    assert_eq!((&asked.body["model"], &asked.body["seed"]), (&json!("m"), &json!(7)));
}

#[test]
fn an_adapter_is_a_model_name_of_the_server() {
    let server = Server::of("vllm", |_, _| {
        let mut reply = vec![stream_head()];
        reply.push(event(&json!({ "model": "lora", "choices": [{ "delta": { "content": "x" }, "finish_reason": "length" }] })));
        reply.push(bytes("0\r\n\r\n"));
        reply
    });
    let adapted = GenerateRow {
        adapter: Some(AdapterRef { name: "lora".to_owned(), path: "lora".into() }),
        ..row(&server, 1)
    };
    let trace = traces(&bench(&server).write(vec![adapted])).remove(0);
    assert_eq!((trace.adapter.as_deref(), trace.finish), (Some("lora"), Some(Finish::Length)));
    assert_eq!(server.seen()[0].body["model"], json!("lora"));
}

#[test]
fn a_stream_that_is_cut_is_asked_for_again_and_shown_once() {
    let server = Server::of("vllm", |_, before| {
        if before == 0 { vec![stream_head(), delta(GOOD[0]), delta(GOOD[1])] } else { stream(&GOOD) }
    });
    let events = bench(&server).write(vec![row(&server, 1)]);
    assert_eq!(traces(&events)[0].llm_output, GOOD.concat());
    assert_eq!(text(&events), GOOD.concat());
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn a_stream_that_is_always_cut_fails_in_the_end() {
    let server = Server::of("vllm", |_, _| vec![stream_head(), delta("half")]);
    let problem = problem(&bench(&server).write(vec![row(&server, 1)]));
    assert!(problem.contains("broke off") && problem.contains("tried 4 times"), "{problem}");
}

#[test]
fn too_many_requests_waits_as_long_as_the_server_says() {
    let server = Server::of("vllm", |_, before| {
        if before == 0 { status(429, "retry-after: 0.3\r\n", "slow down") } else { stream(&GOOD) }
    });
    let begun = Instant::now();
    let events = bench(&server).write(vec![row(&server, 1)]);
    assert_eq!(traces(&events)[0].llm_output, GOOD.concat());
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_server_that_asks_for_an_hour_is_not_waited_for() {
    let server = Server::of("vllm", |_, _| status(429, "retry-after: 3600\r\n", "quota"));
    let problem = problem(&bench(&server).write(vec![row(&server, 1)]));
    assert!(problem.contains("quota") && problem.contains("3600 s"), "{problem}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn errors_of_the_server_are_tried_again_then_told() {
    let server = Server::of("vllm", |_, before| {
        if before < 2 { status(500, "", r#"{"error":{"message":"CUDA error"}}"#) } else { stream(&GOOD) }
    });
    assert_eq!(traces(&bench(&server).write(vec![row(&server, 1)])).len(), 1);
    let server = Server::of("vllm", |_, _| status(500, "", r#"{"error":{"message":"CUDA error"}}"#));
    let problem = problem(&bench(&server).write(vec![row(&server, 1)]));
    assert!(problem.contains("500") && problem.contains("CUDA error"), "{problem}");
}

#[test]
fn malformed_json_fails_the_row_in_words() {
    let server = Server::of("vllm", |_, _| {
        vec![stream_head(), chunk("data: {\"choices\": [oops\n\n"), bytes("0\r\n\r\n")]
    });
    let problem = problem(&bench(&server).write(vec![row(&server, 1)]));
    assert!(problem.contains("no completion"), "{problem}");
}

#[test]
fn a_slow_drip_meets_the_time_limits() {
    let drip = |_: &server::Request, _: usize| {
        let mut reply = vec![stream_head()];
        for _ in 0..200 {
            reply.push(chunk(": still here\n\n"));
            reply.push(Part::Wait(Duration::from_millis(20)));
        }
        reply
    };
    // Bytes come all the time: only the limit on the whole ends it.
    let server = Server::of("vllm", drip);
    let short = RemoteOptions { total: Duration::from_millis(150), attempts: 2, ..limits() };
    let begun = Instant::now();
    let said = problem(&bench_with(&server, short, None).write(vec![row(&server, 1)]));
    assert!(said.contains("broke off") && begun.elapsed() < Duration::from_secs(3), "{said}");
    // No byte comes: the limit on silence does.
    let server = Server::of("vllm", |_, _| vec![Part::Wait(Duration::from_secs(5))]);
    let short = RemoteOptions { idle: Duration::from_millis(100), attempts: 2, ..limits() };
    let begun = Instant::now();
    problem(&bench_with(&server, short, None).write(vec![row(&server, 1)]));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn another_model_than_asked_for_is_refused() {
    let server = Server::of("vllm", |_, _| {
        vec![stream_head(), event(&json!({ "model": "other", "choices": [{ "delta": { "content": "x" } }] }))]
    });
    let said = problem(&bench(&server).write(vec![row(&server, 1)]));
    assert!(said.contains("answered as `other`"), "{said}");
    let server = Server::of("vllm", |_, _| status(404, "", r#"{"error":{"message":"no model `x`"}}"#));
    let wrong = GenerateRow { model: format!("openai:{}#x", server.url), ..row(&server, 1) };
    let said = problem(&bench(&server).write(vec![wrong]));
    assert!(said.contains("it serves: m, lora"), "{said}");
}

#[test]
fn a_server_that_repeats_the_key_does_not_get_it_into_messages() {
    let server =
        Server::start(|_, _| status(401, "", &format!(r#"{{"error":{{"message":"bad key {KEY}"}}}}"#)));
    let events = bench(&server).write(vec![row(&server, 1)]);
    assert!(!format!("{events:?}").contains(KEY));
    assert!(problem(&events).contains("PLURISCOPE_API_KEY"));
    assert!(events.iter().any(|e| matches!(e, JobEvent::ModelFailed { missing: false, .. })));
}

#[test]
fn a_server_that_is_not_there_says_so_soon() {
    let server = Server::of("vllm", |_, _| stream(&GOOD));
    let gone = Server { url: "http://127.0.0.1:9/v1".to_owned(), ..server };
    let events = bench(&gone).write((0..6).map(|i| row(&gone, i)).collect());
    assert!(problem(&events).contains("is the server running?"));
    assert_eq!(events.iter().filter(|e| matches!(e, JobEvent::RowFailed { .. })).count(), 6);
    assert!(matches!(events.last(), Some(JobEvent::JobDone { finish: JobFinish::Failed, .. })));
}

#[test]
fn redirects_are_not_followed() {
    let server = Server::of("vllm", |_, _| status(302, "location: http://127.0.0.1:9/steal\r\n", ""));
    assert!(problem(&bench(&server).write(vec![row(&server, 1)])).contains("302"));
}

#[test]
fn fields_that_a_server_does_not_know_are_left_out_and_told() {
    let server = Server::of("openai", |request, _| {
        if request.body.get("seed").is_some() {
            status(400, "", r#"{"error":{"message":"Unrecognized request argument supplied: seed"}}"#)
        } else {
            stream(&GOOD)
        }
    });
    let bench = bench(&server);
    let trace = traces(&bench.write(vec![row(&server, 1)])).remove(0);
    assert_eq!(trace.extra["server"]["without"], json!(["seed"]));
    bench.write(vec![row(&server, 2)]);
    assert_eq!(server.seen().len(), 3, "what was learnt is kept");
}

#[test]
fn cancelling_ends_a_row_at_once_and_keeps_what_came() {
    let server = Server::of("vllm", |_, _| {
        vec![
            stream_head(),
            delta("begun"),
            Part::Wait(Duration::from_millis(80)),
            delta(" on"),
            Part::Wait(Duration::from_secs(20)),
        ]
    });
    let bench = bench(&server);
    bench.engine.send(Command::Generate { job: JobId(1), rows: vec![row(&server, 1), row(&server, 2)] });
    bench.until(|e| matches!(e, JobEvent::RowText { text, .. } if text.contains("on")));
    let begun = Instant::now();
    bench.engine.send(Command::Cancel(JobId(1)));
    let events = bench.job();
    assert!(begun.elapsed() < Duration::from_secs(2));
    let kept = traces(&events);
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|t| t.finish == Some(Finish::Cancelled)));
    assert!(kept.iter().any(|t| t.llm_output.starts_with("begun")));
    assert!(matches!(events.last(), Some(JobEvent::JobDone { finish: JobFinish::Cancelled, .. })));
}

#[test]
fn a_server_that_repeats_the_begun_turn_does_not_get_it_into_the_trace() {
    // llama.cpp's server gives a begun assistant turn back before it goes on.
    for pieces in [&["Well,", " it is hers."][..], &["We", "ll, it", " is hers."], &[" it is", " hers."]] {
        let server = Server::of("llamacpp", move |_, _| stream(pieces));
        let mut begun = row(&server, 1);
        begun.prompt.prefill = "Well,".to_owned();
        let events = bench(&server).write(vec![begun]);
        assert_eq!(traces(&events)[0].llm_output, " it is hers.", "{pieces:?}");
        assert_eq!(text(&events), " it is hers.", "{pieces:?}");
    }
}

#[test]
fn no_more_than_the_limit_run_at_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, peak) = (Arc::clone(&now), Arc::clone(&most));
    let server = Server::of("vllm", move |_, _| {
        peak.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(15));
        count.fetch_sub(1, Ordering::SeqCst);
        stream(&GOOD)
    });
    let events = bench(&server).write((0..20).map(|i| row(&server, i)).collect());
    assert_eq!(traces(&events).len(), 20);
    assert!((2..=4).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

fn letters(server: &Server) -> ScoreRow {
    let continuation = |context: &str| Continuation {
        context: context.to_owned(),
        candidates: [" A", " B", " C"].map(str::to_owned).to_vec(),
    };
    ScoreRow {
        row: RowId(1),
        model: server.reference(),
        adapter: None,
        prompt: prompt(),
        continuations: vec![continuation("Answer:"), continuation("It is hers.\nAnswer:")],
    }
}

#[test]
fn scores_by_prompt_logprobs() {
    // Tokens by whitespace; the last one's probability depends on its letter.
    let server = Server::of("vllm", |request, _| {
        assert_eq!(request.body["continue_final_message"], json!(true));
        let said = request.body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
        let mut tokens = vec![serde_json::Value::Null];
        for word in said.split_whitespace() {
            let logprob = match word {
                "A" => -0.25,
                "B" => -1.5,
                "C" => -4.0,
                _ => -9.0,
            };
            let mut entry = serde_json::Map::new();
            let id = word.bytes().fold(0u64, |h, b| h * 31 + u64::from(b));
            entry.insert(id.to_string(), json!({ "logprob": logprob, "rank": 1, "decoded_token": word }));
            tokens.push(entry.into());
        }
        json_reply(&json!({ "choices": [], "prompt_logprobs": tokens, "usage": { "prompt_tokens": 9 } }))
    });
    let scores = bench(&server).score(letters(&server)).unwrap();
    for score in scores {
        assert_eq!(score.logprobs, [-0.25, -1.5, -4.0]);
        assert_eq!((score.candidate_tokens, score.entropy), (vec![1, 1, 1], None));
    }
    assert_eq!(server.seen().len(), 8);
}

#[test]
fn scores_by_echo_where_the_chat_format_is_named() {
    let server = Server::of("me", |request, _| {
        assert_eq!(request.path, "/v1/completions");
        let prompt = request.body["prompt"].as_str().unwrap();
        assert!(prompt.starts_with("<|im_start|>user\nWhat"));
        let mut tokens: Vec<String> = prompt.split_inclusive(' ').map(str::to_owned).collect();
        let mut logprobs: Vec<Option<f64>> =
            tokens.iter().map(|t| Some(if t == "B" { -0.5 } else { -2.0 })).collect();
        logprobs[0] = None;
        tokens.push("written".to_owned());
        logprobs.push(Some(-7.0));
        json_reply(&json!({
            "choices": [{ "logprobs": { "tokens": tokens, "token_logprobs": logprobs } }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 1 },
        }))
    });
    let scores = bench_with(&server, limits(), Some(ChatFormat::ChatMl)).score(letters(&server)).unwrap();
    // The candidate's blank merges with the colon before it, so all candidates are scored from there.
    assert_eq!(scores[0].logprobs, [-4.0, -2.5, -4.0]);
}

#[test]
fn scores_by_the_most_probable_tokens() {
    let top = |tokens: &[(&str, f64)]| {
        let entries: Vec<_> = tokens.iter().map(|(t, l)| json!({ "token": t, "logprob": l })).collect();
        json_reply(&json!({ "choices": [{ "logprobs": { "content": [{ "top_logprobs": entries }] } }] }))
    };
    let server = Server::of("llamacpp", move |_, _| top(&[(" A", -0.1), (" B", -2.4), ("\n", -9.0)]));
    let scores = bench(&server).score(letters(&server)).unwrap();
    assert_eq!(scores[0].logprobs[..2], [-0.1, -2.4]);
    assert!(scores[0].logprobs[2] < -8.9, "at most the least that is named");
    assert_eq!(server.seen().len(), 2, "one request a context");
    let server = Server::of("llamacpp", move |_, _| top(&[(" maybe", -0.7), (" perhaps", -1.0)]));
    let problem = bench(&server).score(letters(&server)).unwrap_err();
    assert!(problem.contains("is not among the 2 next tokens"), "{problem}");
}

#[test]
fn a_server_that_cannot_score_says_so() {
    let server = Server::of("openai", |_, _| status(500, "", ""));
    let problem = bench(&server).score(letters(&server)).unwrap_err();
    assert!(problem.contains("?chat=chatml"), "{problem}");
    assert!(server.seen().is_empty());
}

#[test]
fn a_model_can_be_asked_for_ahead() {
    let server = Server::of("vllm", |_, _| stream(&GOOD));
    let bench = bench(&server);
    bench.engine.send(Command::Load { job: JobId(3), model: server.reference() });
    let events = bench.job();
    assert!(events.iter().any(|e| matches!(e, JobEvent::ModelReady(_))));
    assert!(matches!(events.last(), Some(JobEvent::JobDone { job: JobId(3), finish: JobFinish::Done })));
}
