//! A server of the tests' own on loopback: answers as it is told, well or badly, and remembers what it was asked.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub authorization: Option<String>,
    pub body: Value,
}

/// A part of what goes back over the wire.
#[derive(Clone, Debug)]
pub enum Part {
    Bytes(Vec<u8>),
    Wait(Duration),
}

pub type Reply = Vec<Part>;

/// A running server; it ends with the test's process.
pub struct Server {
    pub url: String,
    pub(super) seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answer` gets each request and how many of its path came before.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::listen("http", answer, |stream| stream)
    }

    /// The same behind TLS.
    pub fn secured(
        config: Arc<ServerConfig>,
        answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::listen("https", answer, move |stream| {
            StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream)
        })
    }

    fn listen<S: Read + Write>(
        scheme: &str,
        answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (log, answer, wrap) = (Arc::clone(&seen), Arc::new(answer), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer, wrap) = (Arc::clone(&log), Arc::clone(&answer), Arc::clone(&wrap));
                std::thread::spawn(move || serve(wrap(stream), &log, &*answer));
            }
        });
        Server { url, seen }
    }

    /// One that lists `models`, as `owner`, and answers the rest by `answer`.
    pub fn of(
        owner: &'static str,
        answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::start(move |request, before| {
            if request.path == "/v1/models" {
                return json_reply(&json!({ "data": [{ "id": "m", "owned_by": owner }, { "id": "lora" }] }));
            }
            answer(request, before)
        })
    }

    pub fn reference(&self) -> String {
        format!("openai:{}#m", self.url)
    }

    /// Requests other than for the list of models.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().iter().filter(|r| r.path != "/v1/models").cloned().collect()
    }
}

fn serve(stream: impl Read + Write, log: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request, usize) -> Reply) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() || first.is_empty() {
        return;
    }
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request = Request {
        path: first.split(' ').nth(1).unwrap().to_owned(),
        authorization,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let before = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|r| r.path == request.path).count();
        log.push(request.clone());
        before
    };
    let mut stream = reader.into_inner();
    for part in answer(&request, before) {
        match part {
            // The other end may have gone: that is what some tests are about.
            Part::Bytes(bytes) => {
                if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Part::Wait(wait) => std::thread::sleep(wait),
        }
    }
}

pub fn bytes(text: impl Into<String>) -> Part {
    Part::Bytes(text.into().into_bytes())
}

pub fn status(code: u16, headers: &str, body: &str) -> Reply {
    vec![bytes(format!(
        "HTTP/1.1 {code} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    ))]
}

pub fn json_reply(body: &Value) -> Reply {
    status(200, "content-type: application/json\r\n", &body.to_string())
}

/// The head of a stream whose end is told by closing it, or is cut.
pub fn stream_head() -> Part {
    bytes("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
}

/// One chunk of a chunked reply.
pub fn chunk(text: &str) -> Part {
    bytes(format!("{:x}\r\n{text}\r\n", text.len()))
}

pub fn event(value: &Value) -> Part {
    chunk(&format!("data: {value}\n\n"))
}

pub fn delta(text: &str) -> Part {
    event(&json!({ "model": "m", "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

/// A whole stream of `pieces`, properly ended.
pub fn stream(pieces: &[&str]) -> Reply {
    let mut out = vec![stream_head()];
    out.extend(pieces.iter().map(|p| delta(p)));
    out.push(event(
        &json!({ "model": "m", "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
    ));
    out.push(event(
        &json!({ "model": "m", "choices": [], "usage": { "prompt_tokens": 11, "completion_tokens": pieces.len() } }),
    ));
    out.push(chunk("data: [DONE]\n\n"));
    out.push(bytes("0\r\n\r\n"));
    out
}
