//! Log-probabilities of candidates from a server, by whichever way it offers, and in plain words where none.

use super::{
    RemoteOptions,
    chat::{self, Without, as_text},
    http::{CallError, Cancel, Client},
    logprobs::{self, Next, NoScores, Token},
    server::{Facts, Kind, Scoring, Server, Stop},
};
use crate::{
    core::Prompt,
    job::{Continuation, ContinuationScore, ScoreRow},
};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Alternatives that are asked for; servers allow 20 at most.
const TOP: usize = 20;
/// The most tokens that a candidate is followed through.
const LONGEST: usize = 64;

/// What keeps a way from working.
enum Unable {
    /// This server does not do it: another way may.
    Not(String),
    Stop(Stop),
}

impl From<NoScores> for Unable {
    fn from(error: NoScores) -> Unable {
        Unable::Not(error.0)
    }
}

impl From<Stop> for Unable {
    fn from(stop: Stop) -> Unable {
        Unable::Stop(stop)
    }
}

/// One row's way to its server.
struct Asker<'a> {
    server: &'a Server,
    client: Client<'a>,
    options: &'a RemoteOptions,
    cancel: &'a Cancel,
    name: &'a str,
    prompt: &'a Prompt,
    seed: u64,
    forward_tokens: usize,
}

/// Scores every continuation of `row`; also how many prompt tokens the server says it read.
pub(super) fn run(
    row: &ScoreRow,
    server: &Server,
    facts: &Facts,
    options: &RemoteOptions,
    cancel: &Cancel,
) -> Result<(Vec<ContinuationScore>, usize), Stop> {
    let name = row.adapter.as_ref().map_or(server.model.model.as_str(), |a| a.name.as_str());
    let mut asker = Asker {
        server,
        client: server.client(options, cancel),
        options,
        cancel,
        name,
        prompt: &row.prompt,
        seed: row.row.0,
        forward_tokens: 0,
    };
    let ways: Vec<Scoring> = match (server.scoring(), server.model.chat, facts.kind) {
        (Some(known), ..) => vec![known],
        (_, Some(_), _) => vec![Scoring::Echo, Scoring::Top],
        (_, None, Kind::Vllm) => vec![Scoring::PromptLogprobs, Scoring::Top],
        (_, None, Kind::GoesOn) => vec![Scoring::Top],
        (_, None, Kind::Other) => Vec::new(),
    };
    let mut problems = Vec::new();
    for way in ways {
        let scored: Result<Vec<_>, Unable> =
            row.continuations.iter().map(|continuation| asker.score(way, continuation)).collect();
        match scored {
            Ok(scores) => {
                server.set_scoring(way);
                return Ok((scores, asker.forward_tokens));
            }
            Err(Unable::Stop(stop)) => return Err(stop),
            Err(Unable::Not(problem)) => problems.push(problem),
        }
    }
    Err(Stop::Failed(if problems.is_empty() {
        let who = if facts.owner.is_empty() { String::new() } else { format!(" (`{}`)", facts.owner) };
        format!(
            "{} is of a kind{who} that is not known to go on from a begun answer, so nothing can be scored there; if it has /completions, name the model's chat format: openai:{}#{}?chat=chatml",
            server.model.url, server.model.url, server.model.model
        )
    } else {
        format!("{} cannot score: {}", server.model.url, problems.join("; "))
    }))
}

impl Asker<'_> {
    fn score(&mut self, way: Scoring, continuation: &Continuation) -> Result<ContinuationScore, Unable> {
        let found: Vec<(f64, usize)> = if way == Scoring::Top {
            let mut seen = HashMap::new();
            continuation
                .candidates
                .iter()
                .map(|candidate| self.follow(&continuation.context, candidate, &mut seen))
                .collect::<Result<_, _>>()?
        } else {
            let context = self.tokens(way, &continuation.context)?;
            let candidates: Vec<Vec<Token>> = continuation
                .candidates
                .iter()
                .map(|candidate| self.tokens(way, &format!("{}{candidate}", continuation.context)))
                .collect::<Result<_, _>>()?;
            logprobs::sums(&context, &candidates)?
        };
        Ok(ContinuationScore {
            logprobs: found.iter().map(|(sum, _)| *sum).collect(),
            // Servers name a few tokens only.
            entropy: None,
            candidate_tokens: found.iter().map(|(_, tokens)| *tokens).collect(),
        })
    }

    /// Every token of prompt + prefill + `text`.
    fn tokens(&mut self, way: Scoring, text: &str) -> Result<Vec<Token>, Unable> {
        let mut body = self.body(text)?;
        if way == Scoring::Echo {
            let whole = body["prompt"].as_str().unwrap_or_default().to_owned();
            body.insert("echo".into(), true.into());
            body.insert("logprobs".into(), 1.into());
            Ok(logprobs::echoed_tokens(&self.ask("/completions", body)?, &whole)?)
        } else {
            body.insert("prompt_logprobs".into(), 0.into());
            Ok(logprobs::prompt_tokens(&self.ask("/chat/completions", body)?)?)
        }
    }

    /// The sum of `candidate`'s tokens after `context`, each looked up among the most probable ones.
    fn follow(
        &mut self,
        context: &str,
        candidate: &str,
        seen: &mut HashMap<String, Vec<(String, f64)>>,
    ) -> Result<(f64, usize), Unable> {
        let (mut at, mut sum, mut tokens) = (0, 0.0, 0);
        while at < candidate.len() && tokens < LONGEST {
            let text = format!("{context}{}", &candidate[..at]);
            if !seen.contains_key(&text) {
                let top = self.top(&text)?;
                seen.insert(text.clone(), top);
            }
            let top = seen.get(&text).map(Vec::as_slice).unwrap_or_default();
            tokens += 1;
            match logprobs::next(top, &candidate[at..]) {
                Next::Token { text, logprob } => {
                    at += text.len();
                    sum += logprob;
                }
                Next::AtMost(logprob) => return Ok((sum + logprob, tokens)),
                Next::Unknown => {
                    return Err(Unable::Not(format!(
                        "`{candidate}` is not among the {} next tokens that the server names",
                        top.len()
                    )));
                }
            }
        }
        Ok((sum, tokens))
    }

    fn top(&mut self, text: &str) -> Result<Vec<(String, f64)>, Unable> {
        let mut body = self.body(text)?;
        let path = if self.server.model.chat.is_some() {
            body.insert("logprobs".into(), TOP.into());
            "/completions"
        } else {
            body.insert("logprobs".into(), true.into());
            body.insert("top_logprobs".into(), TOP.into());
            "/chat/completions"
        };
        Ok(logprobs::top_tokens(&self.ask(path, body)?)?)
    }

    /// A request for one token after prompt + prefill + `text`, as it is: nothing reshapes the probabilities.
    fn body(&self, text: &str) -> Result<Map<String, Value>, Unable> {
        let mut body = Map::new();
        body.insert("model".into(), self.name.into());
        let begun = format!("{}{text}", self.prompt.prefill);
        match self.server.model.chat {
            Some(format) => {
                let prompt = Prompt { messages: self.prompt.messages.clone(), prefill: begun };
                body.insert("prompt".into(), as_text(format, &prompt).map_err(Unable::Not)?.into());
            }
            None => {
                body.insert("messages".into(), chat::messages(self.prompt, &begun));
                if !begun.is_empty() {
                    chat::go_on(&mut body, &Without::default());
                }
            }
        }
        body.insert("max_tokens".into(), 1.into());
        body.insert("temperature".into(), json!(1));
        Ok(body)
    }

    fn ask(&mut self, path: &str, body: Map<String, Value>) -> Result<String, Unable> {
        let body = Value::Object(body);
        let client = &self.client;
        let reply = self.server.patiently(self.seed, self.options, self.cancel, &mut || {
            match client.post(path, &body) {
                // It does not do this; that it says so is an answer.
                Err(CallError::Final { status: Some(400 | 404 | 405 | 422 | 501), problem }) => {
                    Ok(Err(problem))
                }
                other => other.map(Ok),
            }
        })?;
        let reply = reply.map_err(Unable::Not)?;
        let read = chat::piece(&reply).ok().and_then(|piece| piece.prompt_tokens);
        self.forward_tokens += read.unwrap_or(0) as usize;
        Ok(reply)
    }
}
