//! The decoder against candle-transformers, against itself in other batches, and with adapters.

mod adapters;
mod batches;
mod oracle;
mod smollm;
pub mod tiny;
mod tokens;
