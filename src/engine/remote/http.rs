//! One call to a server: time limits, cancelling, and what went wrong in words that hold no key.

use super::{RemoteOptions, ServerModel, retry::retry_after};
use std::{
    io::Read,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use ureq::{Agent, Body, Error, http::Response};

/// The most of a reply in one piece: scores of a long prompt fit.
const LONGEST_REPLY: u64 = 64 << 20;
/// The most of an error page that is read, and the most of it that is repeated.
const LONGEST_ERROR: u64 = 64 << 10;
const SAID: usize = 400;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// It may work later; the server may say how much later.
    Again {
        problem: String,
        after: Option<Duration>,
    },
    /// Nobody listens there.
    Absent(String),
    /// It would fail in the same way again. `status` where the server answered.
    Final {
        problem: String,
        status: Option<u16>,
    },
    Cancelled,
}

impl CallError {
    pub fn again(problem: impl Into<String>) -> CallError {
        CallError::Again { problem: problem.into(), after: None }
    }

    pub fn last(problem: impl Into<String>) -> CallError {
        CallError::Final { problem: problem.into(), status: None }
    }
}

/// Stops a row: raises a flag, and closes the connection that the row waits on.
#[derive(Clone, Debug, Default)]
pub(super) struct Cancel {
    raised: Arc<AtomicBool>,
    agent: Arc<Mutex<Option<Agent>>>,
}

impl Cancel {
    pub fn raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        if let Some(agent) = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take() {
            agent.shutdown();
        }
    }
}

/// The way of one row to one server.
pub(super) struct Client<'a> {
    agent: Agent,
    url: &'a str,
    server: &'a ServerModel,
    cancel: Cancel,
}

impl<'a> Client<'a> {
    pub fn new(server: &'a ServerModel, options: &RemoteOptions, cancel: &Cancel) -> Client<'a> {
        let url = server.url.as_str();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(options.connect))
            .timeout_per_read(Some(options.idle))
            .timeout_per_write(Some(options.idle))
            .timeout_global(Some(options.total))
            .tls_config(server.trust.config())
            .user_agent(concat!("pluriscope/", env!("CARGO_PKG_VERSION")));
        // A proxy of the environment is for other machines.
        if is_this_machine(url) {
            config = config.proxy(None);
        }
        let agent = config.build().new_agent();
        *cancel.agent.lock().unwrap_or_else(PoisonError::into_inner) = Some(agent.clone());
        Client { agent, url, server, cancel: cancel.clone() }
    }

    /// `GET`, a reply in one piece.
    pub fn get(&self, path: &str) -> Result<String, CallError> {
        self.may_be_asked()?;
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(key) = &self.server.key {
            request = request.header("authorization", key.header());
        }
        let response = self.checked(request.call())?;
        self.whole(response)
    }

    /// `POST` of JSON, a reply in one piece.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> Result<String, CallError> {
        let response = self.open(path, body)?;
        self.whole(response)
    }

    /// `POST` of JSON; the reply is read by the caller.
    pub fn open(&self, path: &str, body: &serde_json::Value) -> Result<Response<Body>, CallError> {
        self.may_be_asked()?;
        let mut request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if let Some(key) = &self.server.key {
            request = request.header("authorization", key.header());
        }
        let body = body.to_string();
        self.checked(request.send(body.as_bytes()))
    }

    /// The whole reply as text.
    pub fn whole(&self, mut response: Response<Body>) -> Result<String, CallError> {
        let mut bytes = Vec::new();
        let mut reader = response.body_mut().as_reader().take(LONGEST_REPLY + 1);
        reader.read_to_end(&mut bytes).map_err(|error| self.broken(&error))?;
        if bytes.len() as u64 > LONGEST_REPLY {
            return Err(CallError::last(format!(
                "{} sent a reply of more than {LONGEST_REPLY} bytes",
                self.url
            )));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A reply that broke off while it was read.
    pub fn broken(&self, error: &std::io::Error) -> CallError {
        if self.cancel.raised() {
            return CallError::Cancelled;
        }
        let wiped = self.wiped(&error.to_string());
        CallError::again(format!("the reply of {} broke off: {wiped}", self.url))
    }

    /// `text` on one line, neither long nor with the key in it.
    pub fn wiped(&self, text: &str) -> String {
        let text = self.server.key.as_ref().map_or_else(|| text.to_owned(), |key| key.wipe(text));
        let text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned();
        match text.char_indices().nth(SAID) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }

    fn may_be_asked(&self) -> Result<(), CallError> {
        self.server.trust.problem(self.url).map_or(Ok(()), |problem| Err(CallError::last(problem)))
    }

    fn checked(&self, result: Result<Response<Body>, Error>) -> Result<Response<Body>, CallError> {
        if self.cancel.raised() {
            return Err(CallError::Cancelled);
        }
        let mut response = result.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let after = header("retry-after-ms")
            .and_then(|ms| ms.trim().parse().ok().map(Duration::from_millis))
            .or_else(|| retry_after(&header("retry-after")?, header("date").as_deref()));
        let mut page = Vec::new();
        // What cannot be read of an error page is not needed.
        let _ = response.body_mut().as_reader().take(LONGEST_ERROR).read_to_end(&mut page);
        let said = self.wiped(&message(&String::from_utf8_lossy(&page)));
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let url = self.url;
        Err(match status {
            408 | 409 | 425 | 429 | 500 | 502 | 503 | 504 | 529 => {
                CallError::Again { problem: format!("{url} answered {status}{said}"), after }
            }
            401 | 403 => CallError::Final {
                problem: format!(
                    "{url} refuses access ({status}){said}; put its key into PLURISCOPE_API_KEY (OPENAI_API_KEY for api.openai.com)"
                ),
                status: Some(status),
            },
            300..=399 => CallError::Final {
                problem: format!(
                    "{url} answered {status}: it lies elsewhere; give the address that it names"
                ),
                status: Some(status),
            },
            _ => CallError::Final { problem: format!("{url} answered {status}{said}"), status: Some(status) },
        })
    }

    fn unreachable(&self, error: &Error) -> CallError {
        let url = self.url;
        let said = self.wiped(&error.to_string());
        match error {
            Error::Timeout(which) => CallError::again(format!("{url} did not answer in time ({which})")),
            // The library's own error lies inside one of input and output; its words are all that tells it apart.
            _ if said.contains("invalid peer certificate") => CallError::last(format!(
                "{url} shows a certificate that is not to be trusted ({said}); if your organisation signed it, name the file of its authorities in SSL_CERT_FILE"
            )),
            Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                CallError::Absent(format!("{url} takes no connection: is the server running?"))
            }
            Error::Io(_) | Error::HostNotFound | Error::ConnectionFailed | Error::Protocol(_) => {
                CallError::again(format!("{url}: {said}"))
            }
            _ => CallError::last(format!("{url}: {said}")),
        }
    }
}

/// The message of an error reply, in the shapes that servers use; else the page itself.
fn message(page: &str) -> String {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(page) else { return page.to_owned() };
    let text = |v: &serde_json::Value| v.as_str().map(str::to_owned);
    value
        .get("error")
        .and_then(|e| e.get("message").and_then(text).or_else(|| text(e)))
        .or_else(|| value.get("message").and_then(text))
        .or_else(|| value.get("detail").map(|d| text(d).unwrap_or_else(|| d.to_string())))
        .unwrap_or_else(|| page.to_owned())
}

/// Whether `url` names this machine.
pub(super) fn is_this_machine(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Key, Trust},
        *,
    };

    #[test]
    fn this_machine_is_known_by_its_names() {
        for ours in
            ["http://localhost:8000/v1", "http://127.0.0.1", "https://[::1]:9/v1", "http://LOCALHOST/"]
        {
            assert!(is_this_machine(ours), "{ours}");
        }
        for other in ["http://localhost.example.org/v1", "http://10.0.0.1:8000", "https://127.0.0.1.nip.io"] {
            assert!(!is_this_machine(other), "{other}");
        }
    }

    #[test]
    fn the_key_is_wiped_out_of_what_servers_say() {
        let key = Key::new("sk-very-secret").unwrap();
        let server = ServerModel {
            url: "http://127.0.0.1:1/v1".to_owned(),
            model: "m".to_owned(),
            chat: None,
            key: Some(key.clone()),
            trust: Trust::Public,
        };
        let client = Client::new(&server, &RemoteOptions::default(), &Cancel::default());
        assert_eq!(client.wiped("bad key\nsk-very-secret "), "bad key [key]");
        assert_eq!(format!("{key:?}"), "Key([key])");
        assert_eq!(Key::new(" "), None);
        assert_eq!(Key::new("two\nlines"), None);
    }

    #[test]
    fn messages_of_every_shape_are_found() {
        assert_eq!(message(r#"{"error": {"message": "no credit"}}"#), "no credit");
        assert_eq!(message(r#"{"error": "no such model"}"#), "no such model");
        assert_eq!(message(r#"{"object": "error", "message": "too long"}"#), "too long");
        assert_eq!(message(r#"{"detail": [{"msg": "x"}]}"#), r#"[{"msg":"x"}]"#);
        assert_eq!(message("<html>"), "<html>");
    }
}
