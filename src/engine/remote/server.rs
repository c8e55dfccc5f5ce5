//! What is known of a server: its models, what it is, what it does without, and when it may be asked again.

use super::{
    RemoteOptions, ServerModel,
    chat::Without,
    http::{CallError, Cancel, Client},
    retry::Backoff,
};
use serde::Deserialize;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A refusal is believed this long by the rows that wait beside.
const BELIEVED: Duration = Duration::from_secs(2);
/// How often a waiting row looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);
/// A server that is not there is not waited for as long as one that is busy.
const GREETINGS: u32 = 3;

/// What kind of server it is: what it can do follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Vllm,
    /// Goes on from a begun assistant turn: llama.cpp, SGLang, Ollama.
    GoesOn,
    Other,
}

/// What a server said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub kind: Kind,
    /// Names of the models that it serves; empty where it does not say.
    pub models: Vec<String>,
    pub context: Option<usize>,
    /// Its own word for itself.
    pub owner: String,
}

/// How scores are read off, once it is known what the server can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scoring {
    PromptLogprobs,
    Echo,
    Top,
}

#[derive(Default)]
struct Known {
    facts: Option<Facts>,
    refused: Option<(Instant, String)>,
    without: Without,
    scoring: Option<Scoring>,
}

/// One model of one server.
pub(super) struct Server {
    pub model: ServerModel,
    known: Mutex<Known>,
    not_before: Mutex<Option<Instant>>,
    greeting: Mutex<()>,
}

/// Why a row stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Cancelled,
    Failed(String),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    pub fn new(model: ServerModel) -> Server {
        Server { model, known: Mutex::default(), not_before: Mutex::new(None), greeting: Mutex::new(()) }
    }

    /// A connection of one row.
    pub fn client(&self, options: &RemoteOptions, cancel: &Cancel) -> Client<'_> {
        Client::new(&self.model, options, cancel)
    }

    /// What the server said about itself; asked for once, by one row while the others wait. The flag says whether
    /// this call asked.
    pub fn facts(
        &self,
        client: &Client<'_>,
        options: &RemoteOptions,
        cancel: &Cancel,
    ) -> (Result<Facts, Stop>, bool) {
        let _asking = lock(&self.greeting);
        if cancel.raised() {
            return (Err(Stop::Cancelled), false);
        }
        {
            let known = lock(&self.known);
            if let Some(facts) = &known.facts {
                return (Ok(facts.clone()), false);
            }
            if let Some((at, problem)) = &known.refused
                && at.elapsed() < BELIEVED
            {
                return (Err(Stop::Failed(problem.clone())), false);
            }
        }
        let mut absent = 0;
        let asked = self.patiently(0, options, cancel, &mut || match client.get("/models") {
            Ok(body) => Ok(facts(&body)),
            // Not every server lists its models.
            Err(CallError::Final { status: Some(404 | 405 | 501), .. }) => Ok(facts("")),
            Err(CallError::Absent(problem)) => {
                absent += 1;
                if absent < GREETINGS {
                    Err(CallError::Absent(problem))
                } else {
                    Err(CallError::last(problem))
                }
            }
            Err(other) => Err(other),
        });
        let mut known = lock(&self.known);
        match &asked {
            Ok(facts) => known.facts = Some(facts.clone()),
            Err(Stop::Failed(problem)) => known.refused = Some((Instant::now(), problem.clone())),
            Err(Stop::Cancelled) => {}
        }
        (asked, true)
    }

    pub fn without(&self) -> Without {
        lock(&self.known).without.clone()
    }

    /// Takes in a refusal; whether the request may work without something.
    pub fn learn(&self, said: &str) -> bool {
        lock(&self.known).without.learn(said)
    }

    pub fn scoring(&self) -> Option<Scoring> {
        lock(&self.known).scoring
    }

    pub fn set_scoring(&self, scoring: Scoring) {
        lock(&self.known).scoring = Some(scoring);
    }

    /// Calls until it works, fails for good or was tried often enough. All rows of this server wait when it asks
    /// one of them to.
    pub fn patiently<T>(
        &self,
        seed: u64,
        options: &RemoteOptions,
        cancel: &Cancel,
        call: &mut dyn FnMut() -> Result<T, CallError>,
    ) -> Result<T, Stop> {
        let mut backoff = Backoff::new(seed, options.attempts, options.wait, options.longest_wait);
        loop {
            self.wait_for_permission(cancel)?;
            let (problem, after) = match call() {
                Ok(done) => return Ok(done),
                Err(CallError::Cancelled) => return Err(Stop::Cancelled),
                Err(CallError::Final { problem, .. }) => return Err(Stop::Failed(problem)),
                Err(CallError::Absent(problem)) => (problem, None),
                Err(CallError::Again { problem, after }) => (problem, after),
            };
            if cancel.raised() {
                return Err(Stop::Cancelled);
            }
            let Some(wait) = backoff.wait(after) else {
                let tried = match after {
                    Some(after) if after > super::retry::LONGEST_RETRY_AFTER => {
                        format!("; it asks to be left alone for {} s", after.as_secs())
                    }
                    _ => format!("; tried {} times", options.attempts),
                };
                return Err(Stop::Failed(format!("{problem}{tried}")));
            };
            if after.is_some() {
                let until = Instant::now() + wait;
                let mut not_before = lock(&self.not_before);
                *not_before = Some(not_before.map_or(until, |old| old.max(until)));
            } else {
                sleep(wait, cancel)?;
            }
        }
    }

    fn wait_for_permission(&self, cancel: &Cancel) -> Result<(), Stop> {
        loop {
            let until = *lock(&self.not_before);
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if !left.is_zero() => sleep(left.min(Duration::from_millis(200)), cancel)?,
                _ => return if cancel.raised() { Err(Stop::Cancelled) } else { Ok(()) },
            }
        }
    }
}

fn sleep(wait: Duration, cancel: &Cancel) -> Result<(), Stop> {
    let until = Instant::now() + wait;
    loop {
        if cancel.raised() {
            return Err(Stop::Cancelled);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK));
    }
}

/// Reads `GET /models`. What cannot be read says nothing.
fn facts(body: &str) -> Facts {
    #[derive(Deserialize)]
    struct Model {
        #[serde(default)]
        id: String,
        #[serde(default)]
        owned_by: String,
        #[serde(default)]
        max_model_len: Option<usize>,
    }
    #[derive(Default, Deserialize)]
    struct List {
        #[serde(default)]
        data: Vec<Model>,
    }
    let list: List = serde_json::from_str(body).unwrap_or_default();
    let owner = list.data.first().map(|m| m.owned_by.to_lowercase()).unwrap_or_default();
    Facts {
        kind: match owner.as_str() {
            "vllm" => Kind::Vllm,
            "llamacpp" | "sglang" | "library" => Kind::GoesOn,
            _ => Kind::Other,
        },
        context: list.data.first().and_then(|m| m.max_model_len),
        models: list.data.into_iter().map(|m| m.id).filter(|id| !id.is_empty()).take(64).collect(),
        owner,
    }
}

/// Whether the name in a reply stands for the model that was asked for: servers add versions and folders.
pub(super) fn same_model(asked: &str, answered: &str) -> bool {
    let plain = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase();
    let (asked, answered) = (plain(asked), plain(answered));
    asked.contains(&answered) || answered.contains(&asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_lists() {
        let vllm = facts(r#"{"data":[{"id":"base","owned_by":"vllm","max_model_len":4096},{"id":"rlvr"}]}"#);
        assert_eq!(
            (vllm.kind, vllm.context, vllm.models),
            (Kind::Vllm, Some(4096), vec!["base".into(), "rlvr".into()])
        );
        assert_eq!(facts("<html>").kind, Kind::Other);
    }

    #[test]
    fn names_with_versions_and_folders_are_the_same_model() {
        assert!(same_model("gpt-x", "gpt-x-2024-08-06"));
        assert!(same_model("smollm2", "/models/SmolLM2-135M.gguf"));
        assert!(same_model("HuggingFaceTB/SmolLM2", "SmolLM2"));
        assert!(!same_model("base", "other"));
    }
}
