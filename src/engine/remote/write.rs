//! A trace written by a server: pieces of a stream in, text and at the end a trace out.

use super::{
    RemoteOptions,
    chat::{self, Piece},
    http::{CallError, Cancel, Client},
    pool::Shared,
    server::{Facts, Server, Stop, same_model},
    sse::Events,
};
use crate::{
    core::{
        Finish, Trace,
        safety::moderation,
        trace::{EngineInfo, Timing},
    },
    job::GenerateRow,
};
use serde_json::json;
use std::{
    io::Read,
    sync::Arc,
    time::{Duration, Instant},
};

/// Live text goes out at most this often.
const TEXT_EVERY: Duration = Duration::from_millis(34);

/// What a row has so far; the pool keeps it, so that cancelling need not wait for the network.
pub(super) struct Draft {
    pub request: Arc<GenerateRow>,
    begun: Instant,
    text: String,
    thinking: bool,
    /// Whether the text may still turn out to repeat the prompt's prefill, as llama.cpp's server does.
    echoing: bool,
    token_ms: Vec<u32>,
    facts: Option<Piece>,
    without: Vec<&'static str>,
    /// Text that went out already, maybe of an earlier try.
    sent: String,
    sent_at: Instant,
    unreported: usize,
}

impl Draft {
    pub fn new(request: Arc<GenerateRow>) -> Draft {
        let begun = Instant::now();
        Draft {
            request,
            begun,
            text: String::new(),
            thinking: false,
            echoing: false,
            token_ms: Vec::new(),
            facts: None,
            without: Vec::new(),
            sent: String::new(),
            sent_at: begun,
            unreported: 0,
        }
    }

    /// Another try begins from nothing.
    fn restart(&mut self, without: Vec<&'static str>) {
        (self.begun, self.without) = (Instant::now(), without);
        self.text.clear();
        self.token_ms.clear();
        self.thinking = false;
        self.echoing = !self.request.prompt.prefill.is_empty();
        self.facts = None;
    }

    fn take(&mut self, piece: Piece) {
        let before = self.text.len();
        if !piece.thoughts.is_empty() {
            if !std::mem::replace(&mut self.thinking, true) {
                self.text.push_str("<think>\n");
            }
            self.text.push_str(&piece.thoughts);
        }
        if !piece.text.is_empty() {
            if std::mem::take(&mut self.thinking) {
                self.text.push_str("\n</think>\n\n");
            }
            self.text.push_str(&piece.text);
        }
        let prefill = &self.request.prompt.prefill;
        if self.echoing && !prefill.starts_with(self.text.as_str()) {
            self.echoing = false;
            if self.text.starts_with(prefill.as_str()) {
                self.text.replace_range(..prefill.len(), "");
            }
        }
        if self.text.len() != before {
            self.token_ms.push(self.begun.elapsed().as_millis().min(u128::from(u32::MAX)) as u32);
            self.unreported += 1;
        }
        let known = self.facts.get_or_insert_with(Piece::default);
        known.prompt_tokens = piece.prompt_tokens.or(known.prompt_tokens);
        known.written_tokens = piece.written_tokens.or(known.written_tokens);
        known.model = piece.model.or(known.model.take());
        known.fingerprint = piece.fingerprint.or(known.fingerprint.take());
    }

    /// Text to be shown, and the pieces it came in. After a new try, text that was shown already is not shown again,
    /// and text that differs from it waits for the finished trace.
    pub fn take_text(&mut self, now: bool) -> Option<(String, usize)> {
        if self.echoing || self.unreported == 0 || (!now && self.sent_at.elapsed() < TEXT_EVERY) {
            return None;
        }
        let fresh = self.text.strip_prefix(self.sent.as_str()).filter(|t| !t.is_empty())?.to_owned();
        self.sent.push_str(&fresh);
        self.sent_at = Instant::now();
        Some((fresh, std::mem::take(&mut self.unreported)))
    }

    /// Pieces so far, each about a token, and the most there may be.
    pub fn written(&self) -> (usize, usize) {
        (self.token_ms.len(), self.request.sampler.max_tokens)
    }

    /// The trace with its provenance. Servers tell no token ids, so there are none, and `replay` leaves it alone.
    pub fn trace(&self, finish: Finish) -> Trace {
        let row = &self.request;
        let echo = self.echoing && self.text == row.prompt.prefill;
        let text = if echo { String::new() } else { self.text.clone() };
        let mut trace = Trace::new(&row.item, row.method.clone(), text);
        trace.sample = row.sample;
        trace.model.clone_from(&row.model);
        trace.adapter = row.adapter.as_ref().map(|a| a.name.clone());
        trace.template = Some(row.template.clone());
        trace.sampler = Some(row.sampler.clone());
        trace.seed = Some(row.seed);
        trace.finish = Some(finish);
        trace.timing = Some(Timing {
            first_token_ms: self.token_ms.first().map_or(0.0, |&ms| f64::from(ms)),
            total_ms: self.begun.elapsed().as_secs_f64() * 1e3,
            token_ms: self.token_ms.clone(),
        });
        let facts = self.facts.clone().unwrap_or_default();
        trace.prompt_tokens = facts.prompt_tokens;
        trace.engine = Some(EngineInfo {
            // A folder on the server is nobody's business.
            name: match facts.model.as_deref().and_then(|m| m.rsplit(['/', '\\']).next()) {
                Some(model) => format!("server {model}"),
                None => "server".to_owned(),
            },
            weights: facts.fingerprint.unwrap_or_default(),
            model_hash: String::new(),
        });
        let mut server = serde_json::Map::new();
        server.insert("seed".into(), json!(chat::seed_for_servers(row.seed)));
        if let Some(tokens) = facts.written_tokens {
            server.insert("completion_tokens".into(), json!(tokens));
        }
        if !self.without.is_empty() {
            server.insert("without".into(), json!(self.without));
        }
        trace.extra.insert("server".into(), server.into());
        trace
    }
}

/// Writes one row, with as many tries as the options allow.
pub(super) fn run(
    shared: &Shared,
    row: &Arc<GenerateRow>,
    server: &Server,
    facts: &Facts,
    options: &RemoteOptions,
    cancel: &Cancel,
) -> Result<Finish, Stop> {
    if let Some(problem) = row.sampler.problem() {
        return Err(Stop::Failed(problem));
    }
    let name = row.adapter.as_ref().map_or(server.model.model.as_str(), |a| a.name.as_str());
    let client = server.client(options, cancel);
    if moderation::is_endpoint(name) {
        return moderate(shared, row, server, name, &client, options, cancel);
    }
    let finish = server.patiently(row.seed, options, cancel, &mut || {
        loop {
            let without = server.without();
            let (path, body) =
                chat::write(name, server.model.chat, &row.prompt, &row.sampler, row.seed, &without)
                    .map_err(CallError::last)?;
            match client.open(path, &body) {
                Err(CallError::Final { status: Some(400 | 422), problem }) if server.learn(&problem) => {}
                Err(CallError::Final { status: Some(status), problem }) => {
                    return Err(CallError::Final {
                        problem: problem + &served(facts, name),
                        status: Some(status),
                    });
                }
                Err(other) => return Err(other),
                Ok(response) => {
                    shared
                        .edit(row.row, |draft| draft.restart(without.told()))
                        .ok_or(CallError::Cancelled)?;
                    return read(shared, row, &client, response, name);
                }
            }
        }
    })?;
    Ok(finish)
}

/// What the server does serve, where the asked one is not among it.
fn served(facts: &Facts, name: &str) -> String {
    if facts.models.is_empty() || facts.models.iter().any(|m| m == name) {
        return String::new();
    }
    format!(" (it serves: {})", facts.models.join(", "))
}

/// Reads a reply, streamed or whole, to its end.
fn read(
    shared: &Shared,
    row: &Arc<GenerateRow>,
    client: &Client<'_>,
    mut response: ureq::http::Response<ureq::Body>,
    name: &str,
) -> Result<Finish, CallError> {
    let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let streamed = kind.contains("event-stream");
    let mut finish = None;
    let longest = (row.sampler.max_tokens.saturating_mul(64)).max(1 << 16);
    let mut take = |data: &str| -> Result<(), CallError> {
        let piece = chat::piece(data).map_err(|said| CallError::again(client.wiped(&said)))?;
        if let Some(answered) = piece.model.as_deref().filter(|m| !same_model(name, m)) {
            return Err(CallError::last(client.wiped(&format!(
                "the server answered as `{answered}`, not as `{name}`: name the model that it serves"
            ))));
        }
        if piece.filtered {
            return Err(CallError::last("the server's content filter stopped the text"));
        }
        finish = piece.finish.or(finish);
        let length = shared.piece(row.row, |draft| {
            draft.take(piece);
            draft.text.len()
        });
        match length {
            None => Err(CallError::Cancelled),
            Some(length) if length > longest => Err(CallError::last(format!(
                "the server wrote {length} bytes, far beyond what was asked for"
            ))),
            Some(_) => Ok(()),
        }
    };
    if !streamed {
        take(&client.whole(response)?)?;
        return Ok(finish.unwrap_or(Finish::Stop));
    }
    let mut events = Events::default();
    let mut reader = response.body_mut().as_reader();
    let mut buffer = [0u8; 8192];
    let mut done = false;
    while !done {
        let count = reader.read(&mut buffer).map_err(|error| client.broken(&error))?;
        let ready = if count == 0 {
            events.finish().map(|last| last.into_iter().collect())
        } else {
            events.push(&buffer[..count])
        };
        for data in ready.map_err(|error| CallError::last(error.to_string()))? {
            if data.trim() == "[DONE]" {
                done = true;
                break;
            }
            take(&data)?;
        }
        if count == 0 {
            break;
        }
    }
    match finish {
        Some(finish) => Ok(finish),
        None if done => Ok(Finish::Stop),
        None => Err(CallError::again("the reply broke off before its end")),
    }
}

/// Sends the last message to the moderation endpoint; the text of the trace is its reply as it came.
fn moderate(
    shared: &Shared,
    row: &Arc<GenerateRow>,
    server: &Server,
    name: &str,
    client: &Client<'_>,
    options: &RemoteOptions,
    cancel: &Cancel,
) -> Result<Finish, Stop> {
    let text = row.prompt.messages.last().map_or("", |m| m.content.as_str());
    let body = moderation::request(name, text);
    let reply = server.patiently(row.seed, options, cancel, &mut || client.post("/moderations", &body))?;
    let piece = Piece { text: reply, ..Piece::default() };
    shared.edit(row.row, |draft| draft.take(piece)).ok_or(Stop::Cancelled)?;
    Ok(Finish::Stop)
}
