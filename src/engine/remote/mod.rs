//! Models behind an OpenAI-compatible server: vLLM, llama.cpp, SGLang, Ollama, a hosted one.
//!
//! The engine sends rows here whose model reference names a server, and the same events come back as from the models
//! on this machine: texts piece by piece, traces, scores, failures. Every row is a request of its own on a
//! thread of its own, at most [`RemoteOptions::at_once`] at a time; the server does the batching.
//!
//! | file | what |
//! | --- | --- |
//! | `pool` | rows, threads, jobs, cancelling |
//! | `front` | the events of both sides as one stream |
//! | `http` | one call: time limits, what went wrong, no key in any word of it |
//! | `retry` | how long to wait before the next try |
//! | `sse` | server-sent events out of bytes |
//! | `chat` | request bodies, and what the pieces of a reply say |
//! | `write` | a trace |
//! | `score`, `logprobs` | log-probabilities of candidates, by the three ways that servers offer |
//! | `trust` | whose certificates are believed |
//! | `server` | what is known of a server: its models, its habits, when it may be asked again |
//!
//! A key comes from the environment and goes into the `Authorization` header, nowhere else. Nothing here reads a
//! file or follows a redirect.

pub mod chat;
pub(super) mod front;
mod http;
pub mod logprobs;
pub(super) mod pool;
pub mod retry;
mod score;
mod server;
pub mod sse;
mod trust;
mod write;

pub use trust::Trust;

use std::{fmt, time::Duration};

/// A model of a server, as a reference names it.
#[derive(Clone, Debug)]
pub struct ServerModel {
    /// The API's root, usually ending in `/v1`; without a trailing slash.
    pub url: String,
    /// The model's name there. A row with an adapter asks for the adapter's name instead.
    pub model: String,
    /// How the model's chat is written out as text. Without it, the server writes it out.
    pub chat: Option<ChatFormat>,
    pub key: Option<Key>,
    pub trust: Trust,
}

/// A chat format that we write out ourselves, to use `/completions` instead of `/chat/completions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatFormat {
    /// SmolLM2, Qwen and many others.
    ChatMl,
    /// Llama 3, 3.1, 3.2 and 3.3.
    Llama3,
}

impl ChatFormat {
    /// By the word that references use.
    pub fn from_word(word: &str) -> Option<ChatFormat> {
        match word {
            "chatml" => Some(ChatFormat::ChatMl),
            "llama3" => Some(ChatFormat::Llama3),
            _ => None,
        }
    }
}

/// A secret: never shown, never stored, wiped out of every message.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// `None` for an empty text, or one that cannot stand in a header.
    pub fn new(text: &str) -> Option<Key> {
        let text = text.trim();
        (!text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())).then(|| Key(text.to_owned()))
    }

    fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `text` without the key in it.
    fn wipe(&self, text: &str) -> String {
        text.replace(&self.0, "[key]")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([key])")
    }
}

/// Limits of the calls to servers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemoteOptions {
    /// Requests that run at once, all servers together.
    pub at_once: usize,
    pub connect: Duration,
    /// The longest silence: before the first byte, and between two.
    pub idle: Duration,
    /// The longest that one request may take in all.
    pub total: Duration,
    /// How often a request is tried, the first time included.
    pub attempts: u32,
    /// The first wait before trying again; doubled each time, with jitter.
    pub wait: Duration,
    pub longest_wait: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        RemoteOptions {
            at_once: 32,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            total: Duration::from_secs(3600),
            attempts: 6,
            wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
        }
    }
}
