//! Request bodies, and what the pieces of a reply say. Pure.
//!
//! Servers differ in the fields that they know. What one refuses by name is left out from then on, and the trace says
//! so: see [`Without`].

use super::ChatFormat;
use crate::{
    core::{Finish, Prompt, Role, Sampler},
    model::chat::ChatTemplate,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Llama 3's format, without the dates and tools of its own template.
const LLAMA3: &str = "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + \
    '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}\
    {{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";

/// Fields that a server may be asked to do without.
const OPTIONAL: [&str; 10] = [
    "stream_options",
    "seed",
    "stop",
    "top_k",
    "min_p",
    "top_p",
    "temperature",
    "add_generation_prompt",
    "continue_final_message",
    "max_tokens",
];

/// What a server said it does not know. `max_tokens` goes by its newer name then; the rest is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Without(Vec<&'static str>);

impl Without {
    /// Takes in a refusal (400 or 422); whether it names a field that can be left out and has not been yet.
    pub fn learn(&mut self, said: &str) -> bool {
        let named = OPTIONAL.iter().copied().filter(|f| {
            said.match_indices(f).any(|(at, _)| {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                !said[..at].ends_with(word) && !said[at + f.len()..].starts_with(word)
            })
        });
        let new: Vec<_> = named.filter(|f| !self.0.contains(f)).collect();
        self.0.extend(&new);
        !new.is_empty()
    }

    pub fn has(&self, field: &str) -> bool {
        self.0.contains(&field)
    }

    /// Fields whose absence changes what is written: they belong into a trace.
    pub fn told(&self) -> Vec<&'static str> {
        let matters = ["seed", "stop", "top_k", "min_p", "top_p", "temperature"];
        self.0.iter().copied().filter(|f| matters.contains(f)).collect()
    }
}

/// The path and body that write a trace; with `chat`, as text.
///
/// # Errors
/// When the format cannot take the messages.
pub fn write(
    model: &str,
    chat: Option<ChatFormat>,
    prompt: &Prompt,
    sampler: &Sampler,
    seed: u64,
    without: &Without,
) -> Result<(&'static str, Value), String> {
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    let path = match chat {
        Some(format) => {
            body.insert("prompt".into(), as_text(format, prompt)?.into());
            "/completions"
        }
        None => {
            body.insert("messages".into(), messages(prompt, &prompt.prefill));
            if !prompt.prefill.is_empty() {
                go_on(&mut body, without);
            }
            "/chat/completions"
        }
    };
    let greedy = sampler.temperature == 0.0;
    let mut optional = |field: &'static str, value: Value| {
        if !without.has(field) {
            body.insert(field.into(), value);
        }
    };
    optional("temperature", json!(shortest(sampler.temperature)));
    optional("top_p", if greedy { json!(1) } else { json!(shortest(sampler.top_p)) });
    optional("seed", json!(seed_for_servers(seed)));
    if sampler.top_k > 0 {
        optional("top_k", json!(sampler.top_k));
    }
    if sampler.min_p > 0.0 {
        optional("min_p", json!(shortest(sampler.min_p)));
    }
    if !sampler.stop.is_empty() {
        optional("stop", json!(sampler.stop));
    }
    optional("stream_options", json!({ "include_usage": true }));
    let length = if without.has("max_tokens") { "max_completion_tokens" } else { "max_tokens" };
    body.insert(length.into(), sampler.max_tokens.into());
    body.insert("stream".into(), true.into());
    Ok((path, Value::Object(body)))
}

/// The nearest short decimal: 0.7, where a plain widening gives 0.699999988.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Servers hold seeds in 31 bits at the least: ours, mapped there the same way each time.
pub fn seed_for_servers(seed: u64) -> u64 {
    seed & 0x7fff_ffff
}

/// Asks for the assistant's begun turn to be gone on with.
pub(super) fn go_on(body: &mut Map<String, Value>, without: &Without) {
    if !without.has("add_generation_prompt") {
        body.insert("add_generation_prompt".into(), false.into());
    }
    if !without.has("continue_final_message") {
        body.insert("continue_final_message".into(), true.into());
    }
}

/// The messages, and what the assistant has begun to say.
pub(super) fn messages(prompt: &Prompt, begun: &str) -> Value {
    let mut all: Vec<Value> =
        prompt.messages.iter().map(|m| json!({ "role": m.role.word(), "content": m.content })).collect();
    if !begun.is_empty() {
        all.push(json!({ "role": Role::Assistant.word(), "content": begun }));
    }
    all.into()
}

/// The prompt as the model reads it, its prefill included.
pub(super) fn as_text(format: ChatFormat, prompt: &Prompt) -> Result<String, String> {
    let template = match format {
        ChatFormat::ChatMl => ChatTemplate::new(None, String::new(), String::new()),
        // The server's tokenizer puts the first token itself.
        ChatFormat::Llama3 => ChatTemplate::new(Some(LLAMA3.to_owned()), String::new(), String::new()),
    };
    template.and_then(|template| template.render(prompt)).map_err(|error| error.to_string())
}

/// What one piece of a reply says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    pub text: String,
    /// Thoughts that the server keeps apart from the answer.
    pub thoughts: String,
    pub finish: Option<Finish>,
    /// The server's filter stopped the text.
    pub filtered: bool,
    pub prompt_tokens: Option<u32>,
    pub written_tokens: Option<u32>,
    /// As the server names itself and its model.
    pub model: Option<String>,
    pub fingerprint: Option<String>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    system_fingerprint: Option<String>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    #[serde(default, alias = "message")]
    delta: Option<Delta>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    finish_reason: Option<String>,
    /// The stop string, where one was met (vLLM); a number is a token.
    #[serde(default)]
    stop_reason: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default, alias = "reasoning")]
    reasoning_content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u32>,
    #[serde(default)]
    completion_tokens: Option<u32>,
}

/// Reads one event of a stream, or a whole reply that was not streamed.
///
/// # Errors
/// In words, when it is no such thing, or an error that the server reports in the stream.
pub fn piece(data: &str) -> Result<Piece, String> {
    let reply: Reply =
        serde_json::from_str(data).map_err(|error| format!("what came is no completion: {error}"))?;
    if let Some(error) = reply.error.filter(|e| !e.is_null()) {
        let said = error.get("message").and_then(Value::as_str).map(str::to_owned);
        return Err(said.unwrap_or_else(|| error.to_string()));
    }
    let usage = reply.usage.as_ref();
    let mut piece = Piece {
        prompt_tokens: usage.and_then(|u| u.prompt_tokens),
        written_tokens: usage.and_then(|u| u.completion_tokens),
        model: reply.model.filter(|m| !m.is_empty()),
        fingerprint: reply.system_fingerprint.filter(|f| !f.is_empty()),
        ..Piece::default()
    };
    let Some(choice) = reply.choices.into_iter().find(|c| c.index == 0) else { return Ok(piece) };
    let delta = choice.delta.unwrap_or_default();
    piece.text = delta.content.or(choice.text).unwrap_or_default();
    piece.thoughts = delta.reasoning_content.unwrap_or_default();
    piece.finish = match choice.finish_reason.as_deref() {
        None | Some("") => None,
        Some("length") => Some(Finish::Length),
        Some("content_filter") => {
            piece.filtered = true;
            Some(Finish::Failed)
        }
        Some(_) if choice.stop_reason.is_some_and(|r| r.is_string()) => Some(Finish::StopString),
        Some(_) => Some(Finish::Stop),
    };
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Message;
    use proptest::prelude::*;

    fn prompt(prefill: &str) -> Prompt {
        let messages = vec![Message { role: Role::User, content: "Hello".to_owned() }];
        Prompt { messages, prefill: prefill.to_owned() }
    }

    fn body(prefill: &str, chat: Option<ChatFormat>, without: &Without) -> (&'static str, Value) {
        let sampler = Sampler { top_k: 40, ..Sampler::default() };
        write("m", chat, &prompt(prefill), &sampler, u64::MAX, without).unwrap()
    }

    #[test]
    fn a_chat_request_carries_the_sampler() {
        let (path, body) = body("", None, &Without::default());
        assert_eq!(path, "/chat/completions");
        assert_eq!(body["messages"], json!([{ "role": "user", "content": "Hello" }]));
        assert_eq!(
            (&body["temperature"], &body["top_p"], &body["top_k"]),
            (&json!(0.7), &json!(0.95), &json!(40))
        );
        assert_eq!((&body["seed"], &body["max_tokens"]), (&json!(0x7fff_ffff), &json!(512)));
        assert_eq!(body.get("min_p"), None);
        assert_eq!(body.get("continue_final_message"), None);
    }

    #[test]
    fn a_prefill_is_gone_on_with() {
        let (_, body) = body("Well,", None, &Without::default());
        assert_eq!(body["messages"][1], json!({ "role": "assistant", "content": "Well," }));
        assert_eq!(body["continue_final_message"], json!(true));
    }

    #[test]
    fn a_named_format_is_written_out_here() {
        let (path, chatml) = body("Well,", Some(ChatFormat::ChatMl), &Without::default());
        assert_eq!(path, "/completions");
        assert_eq!(chatml["prompt"], "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nWell,");
        let (_, llama) = body("", Some(ChatFormat::Llama3), &Without::default());
        assert_eq!(
            llama["prompt"],
            "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        );
    }

    #[test]
    fn fields_that_a_server_refuses_are_left_out() {
        let mut without = Without::default();
        assert!(!without.learn("your prompt is too long, and max_tokens_x is no field"));
        assert!(without.learn("Unrecognized request argument supplied: top_k"));
        assert!(!without.learn("Unrecognized request argument supplied: top_k"));
        assert!(without.learn("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."));
        let (_, body) = body("", None, &without);
        assert_eq!((body.get("top_k"), body.get("max_tokens")), (None, None));
        assert_eq!(body["max_completion_tokens"], json!(512));
        assert_eq!(without.told(), ["top_k"]);
    }

    #[test]
    fn pieces_of_both_kinds_and_whole_replies_are_read() {
        let text = |data: &str| piece(data).unwrap().text;
        assert_eq!(text(r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#), "a");
        assert_eq!(text(r#"{"choices":[{"text":"b"}]}"#), "b");
        assert_eq!(text(r#"{"choices":[{"message":{"role":"assistant","content":"c"}}]}"#), "c");
        assert_eq!(text(r#"{"choices":[{"delta":{"content":null}}],"usage":null}"#), "");
        let last = piece(
            r#"{"model":"m","choices":[{"text":"","finish_reason":"stop","stop_reason":"END"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
        )
        .unwrap();
        assert_eq!(last.finish, Some(Finish::StopString));
        assert_eq!((last.prompt_tokens, last.written_tokens), (Some(5), Some(2)));
        let thought = piece(r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#).unwrap();
        assert_eq!(thought.thoughts, "hm");
        assert_eq!(piece(r#"{"error":{"message":"out of memory"}}"#), Err("out of memory".to_owned()));
    }

    proptest! {
        #[test]
        fn never_panics(data in any::<String>()) {
            let _ = piece(&data);
            Without::default().learn(&data);
        }
    }
}
