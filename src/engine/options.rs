//! How much the engine may take, and the name of its threads.

use super::remote::RemoteOptions;

/// Name of the engine's thread: a panic hook that restores the terminal should let panics of threads whose
/// name begins with this pass in silence, they are caught and reported as events.
pub const THREAD_NAME: &str = "pluriscope-engine";

/// Limits of the engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineOptions {
    /// Rows that run at once, all models and jobs together.
    pub max_rows: usize,
    /// Prompt tokens per step while rows are being written: live rows never wait longer than that.
    pub prefill_beside: usize,
    /// Prompt tokens per step otherwise.
    pub prefill_alone: usize,
    /// Bytes of loaded models; idle ones beyond it are dropped, least recently used first.
    pub model_memory: u64,
    /// Bytes of sequences that rows of one model may come to fill.
    pub live_memory: u64,
    /// Bytes of finished sequences kept per model for their prefixes.
    pub prefix_memory: u64,
    /// Limits of the calls to servers; `max_rows` counts there too.
    pub remote: RemoteOptions,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            max_rows: 32,
            prefill_beside: 256,
            prefill_alone: 512,
            model_memory: 16 << 30,
            live_memory: 2 << 30,
            prefix_memory: 512 << 20,
            remote: RemoteOptions::default(),
        }
    }
}
