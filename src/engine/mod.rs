//! The worker thread and its batch: sequences in, traces and scores out.
//!
//! One OS thread owns the models and runs *sequences*, not requests. Every step decodes all live rows of a
//! model as one batch, whatever their method, adapter, sampler and seed, and spends a bounded number of
//! prompt tokens beside them. Prompts start from the longest prefix that any live or finished sequence of
//! the same adapter already holds.
//!
//! | file | what |
//! | --- | --- |
//! | [`worker`] | the thread, its commands and events, loading, panics |
//! | [`options`] | how much the engine may take |
//! | `scheduler` | which row runs where, jobs, progress; testable step by step without a thread |
//! | `queue` | rows that have not begun |
//! | `lane` | one loaded model and the sequences that run on it |
//! | `writing` | one sequence that writes a trace |
//! | `scoring` | the sequences that read scores for one row |
//! | `plan` | which tokens a score needs, each computed once |
//! | `prefix` | finished sequences, kept for their prefixes |
//! | `stream` | tokens to text: whole characters, stop strings |
//! | [`checking`] | checks over many traces, driven to their verdicts |
//! | [`remote`] | rows whose model is behind an OpenAI-compatible server |
//! | [`provider`] | how a model reference becomes a model; [`local`] for files on this machine |
//!
//! The engine never opens a corpus, never writes a file, and knows no screen.

pub mod checking;
mod jobs;
mod lane;
pub mod local;
pub mod options;
mod plan;
mod prefix;
pub mod provider;
mod queue;
pub mod remote;
mod scheduler;
mod scoring;
mod stream;
pub mod worker;
mod writing;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tiny;

pub use options::EngineOptions;
pub use provider::{LoadError, LoadProgress, ModelProvider};
pub use worker::{Engine, EngineHandle};

/// Name and version, as kept in the provenance of every trace.
pub const ENGINE_NAME: &str = concat!("pluriscope ", env!("CARGO_PKG_VERSION"));
