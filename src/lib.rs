//! Pluriscope: a terminal explorer for chain-of-thought traces of steerably pluralistic language models.
//!
//! The code map, and who may depend on whom (`tests/it/tidy.rs` checks the `use crate::` lines):
//!
//! | module | what | may use |
//! | --- | --- | --- |
//! | [`core`] | the pure domain | nothing |
//! | [`job`] | plain data between explorer and engine | core |
//! | [`model`] | decoder, tokenizer, sampler, loaders: the only candle code | core |
//! | [`engine`] | the worker thread and its batch | core, job, model |
//! | [`store`] | corpora, library, adapters, model fetch | core |
//! | [`app`] | pure state, events, update, effects, keymap | core, job |
//! | [`ui`] | pure drawing | app, core, job |
//! | [`setup`] | what a configuration comes to: methods, models, servers | all but the following |
//! | [`runtime`] | terminal, effects | all but cli |
//! | [`cli`], [`config`] | commands, settings | all |
//! | [`hostile`] | parsers of foreign bytes by one function each, for fuzzers | all |
//!
//! Invariants: `app::update` and `ui::view` do no I/O and read no clock; foreign text passes
//! [`core::text::neutralise`] before it reaches a cell; a missing answer is `None`, never an A.

/// The code in `ARCHITECTURE.md`, compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../ARCHITECTURE.md")]
pub struct Architecture;

pub mod app;
pub mod cli;
pub mod config;
pub mod core;
pub mod engine;
pub mod hostile;
pub mod job;
pub mod model;
pub mod runtime;
pub mod setup;
pub mod store;
pub mod train;
pub mod ui;
