//! A language model of a few lines for tests: bytes are tokens, a hash decides what comes next.
//!
//! A prompt is its messages and prefill with control bytes between them. The scores of a position depend on
//! every token before it and on the adapter, on nothing else; a *script* makes it write a given text.

use super::{LoadError, LoadProgress, ModelProvider};
use crate::{
    core::{Message, Prompt, Role},
    model::{AdapterIx, ForwardRow, LanguageModel, ModelInfo},
};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Ends the turn.
pub const END: u32 = 256;
pub const VOCABULARY: usize = 257;
/// Stands between the prompt's last message and the answer.
const ANSWER: u8 = 0x03;

#[derive(Debug, thiserror::Error)]
#[error("tiny: {0}")]
pub struct TinyError(String);

/// What a test looks at afterwards.
#[derive(Debug, Default)]
pub struct Seen {
    pub forward_tokens: AtomicUsize,
    pub widest_batch: AtomicUsize,
    pub loads: AtomicUsize,
}

pub struct Tiny {
    info: ModelInfo,
    /// User message to the text that is written in answer, in a model without temperature.
    scripts: HashMap<String, String>,
    /// What each adapter changes: a number from its folder's name.
    adapters: Vec<u64>,
    seen: Arc<Seen>,
}

impl Tiny {
    fn scores(&self, tokens: &[u32], adapter: Option<AdapterIx>) -> Vec<f32> {
        if let Some(next) = self.scripted(tokens) {
            let mut scores = vec![-30.0; VOCABULARY];
            scores[next as usize] = 30.0;
            return scores;
        }
        let mut state = adapter.map_or(0x1234_5678_9abc_def0, |a| self.adapters[a.0 as usize]);
        for &token in tokens {
            state = (state ^ u64::from(token)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        (0..VOCABULARY as u64)
            .map(|token| {
                let mut x = state ^ token.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                x ^= x >> 27;
                let noise = (x >> 40) as f32 / (1u64 << 24) as f32;
                let letter = (u64::from(b'a')..=u64::from(b'z')).contains(&token);
                noise * 8.0 - if letter { 0.0 } else { 4.0 }
            })
            .collect()
    }

    fn scripted(&self, tokens: &[u32]) -> Option<u32> {
        let at = tokens.iter().rposition(|&t| t == u32::from(ANSWER))?;
        let start = tokens[..at].iter().rposition(|&t| t == 0x01).map_or(0, |i| i + 1);
        let bytes = |tokens: &[u32]| tokens.iter().map(|&t| t as u8).collect::<Vec<u8>>();
        let asked = String::from_utf8(bytes(&tokens[start..at])).ok()?;
        let script = self.scripts.get(&asked)?;
        Some(script.as_bytes().get(tokens.len() - at - 1).map_or(END, |&b| u32::from(b)))
    }
}

impl LanguageModel for Tiny {
    type Sequence = Vec<u32>;
    type Error = TinyError;

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn encode_prompt(&self, prompt: &Prompt) -> Result<Vec<u32>, TinyError> {
        let mut tokens = Vec::new();
        for message in &prompt.messages {
            tokens.push(if message.role == Role::System { 0x02 } else { 0x01 });
            tokens.extend(self.encode(&message.content)?);
        }
        tokens.push(u32::from(ANSWER));
        tokens.extend(self.encode(&prompt.prefill)?);
        Ok(tokens)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, TinyError> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, TinyError> {
        let bytes: Vec<u8> = tokens.iter().filter_map(|&t| u8::try_from(t).ok()).collect();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn is_end(&self, token: u32) -> bool {
        token == END
    }

    fn load_adapter(&mut self, folder: &Path) -> Result<AdapterIx, TinyError> {
        if folder.ends_with("broken") {
            return Err(TinyError("no adapter there".to_owned()));
        }
        let name = folder.to_string_lossy();
        self.adapters
            .push(name.bytes().fold(7, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)));
        Ok(AdapterIx(self.adapters.len() as u32 - 1))
    }

    fn new_sequence(&self) -> Vec<u32> {
        Vec::new()
    }

    fn fork(&self, sequence: &Vec<u32>, len: usize) -> Vec<u32> {
        sequence[..len].to_vec()
    }

    fn len(&self, sequence: &Vec<u32>) -> usize {
        sequence.len()
    }

    fn forward(&mut self, rows: &mut [ForwardRow<'_, Vec<u32>>]) -> Result<Vec<Vec<f32>>, TinyError> {
        self.seen.widest_batch.fetch_max(rows.len(), Ordering::Relaxed);
        let mut out = Vec::new();
        for row in rows.iter_mut() {
            assert!(!row.tokens.is_empty(), "a row without tokens");
            assert!(row.sequence.len() + row.tokens.len() <= self.info.context, "beyond the context");
            self.seen.forward_tokens.fetch_add(row.tokens.len(), Ordering::Relaxed);
            let mut logits = Vec::new();
            for (i, &token) in row.tokens.iter().enumerate() {
                assert!(token != 0x07, "the bell was rung");
                if token == 0x15 {
                    return Err(TinyError("will not read this".to_owned()));
                }
                row.sequence.push(token);
                if row.want.positions(row.tokens.len()).contains(&i) {
                    logits.extend(self.scores(row.sequence, row.adapter));
                }
            }
            out.push(logits);
        }
        Ok(out)
    }
}

/// Provides tiny models under any name but `missing`; `slow` loads until it is cancelled.
#[derive(Clone, Default)]
pub struct TinyProvider {
    pub scripts: HashMap<String, String>,
    pub seen: Arc<Seen>,
    /// References asked for, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
    pub context: Option<usize>,
}

impl TinyProvider {
    pub fn scripted(user: &str, answer: &str) -> Self {
        TinyProvider { scripts: HashMap::from([(user.to_owned(), answer.to_owned())]), ..Self::default() }
    }
}

impl ModelProvider for TinyProvider {
    type Model = Tiny;

    fn load(&self, reference: &str, progress: &LoadProgress<'_>) -> Result<Tiny, LoadError> {
        if let Ok(mut asked) = self.asked.lock() {
            asked.push(reference.to_owned());
        }
        self.seen.loads.fetch_add(1, Ordering::Relaxed);
        progress.report("reading", 0.5);
        match reference {
            "missing" => return Err(LoadError::Missing("`missing` is not on this machine".to_owned())),
            "panics" => panic!("the loader fell over"),
            "slow" => loop {
                if progress.cancelled() {
                    return Err(LoadError::Cancelled);
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            },
            _ => {}
        }
        Ok(Tiny {
            info: ModelInfo {
                architecture: "tiny".to_owned(),
                parameters: 1,
                weights: "f32".to_owned(),
                memory_bytes: 1 << 20,
                context: self.context.unwrap_or(4096),
                vocabulary: VOCABULARY,
                hash: "0123456789abcdef".to_owned(),
            },
            scripts: self.scripts.clone(),
            adapters: Vec::new(),
            seen: Arc::clone(&self.seen),
        })
    }
}

/// A prompt of one user message.
pub fn prompt(text: &str) -> Prompt {
    Prompt { messages: vec![Message { role: Role::User, content: text.to_owned() }], prefill: String::new() }
}
