//! What lies on disk: corpora in the field's formats, their index, the library of what people make.
//!
//! | module | what |
//! | --- | --- |
//! | [`readers`] | what the fields of each format mean |
//! | [`container`] | how records are laid out: lines, array, CSV, Parquet |
//! | [`detect`] | which of these a file is, from its content |
//! | [`source`] | opened files, and reading one record again |
//! | [`index`] | builds the corpus in the background; [`cache`] keeps it for the next start |
//! | [`library`] | SQLite: live generations |
//! | [`annotations`] | SQLite: projects, queues, labels and their history; exports and imports |
//! | [`export`] | rows as our JSON Lines |
//! | [`assets`] | methods, prompt templates, model names |
//! | [`models`] | model references, and where the files are; [`fetch`] brings them |
//!
//! Corpora are read with positional reads and never mapped into memory: a file that is cut short while
//! it is open is then an error message, where a mapping would end the process, and no `unsafe` is needed.

pub mod annotations;
pub mod assets;
pub mod cache;
pub mod check_results;
pub mod container;
pub mod detect;
mod error;
pub mod export;
pub mod fetch;
pub mod index;
pub mod library;
mod lines;
pub mod models;
pub mod moderation;
pub mod paths;
pub mod readers;
pub mod source;
pub mod verl;

pub use error::StoreError;
pub use index::{LoadOptions, LoadUpdate, load};
pub use library::Library;
pub use lines::MAX_LINE;
pub use readers::{Context, Format, Join, Row};
pub use source::Source;
