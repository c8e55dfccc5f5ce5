//! Integration tests: one binary, a module per area.

mod annotate;
mod checks;
mod data;
mod explorer;
mod faults;
mod generate;
mod hostile;
mod metrics;
mod model;
mod models;
mod pictures;
mod pty;
mod remote;
mod safety;
mod soak;
mod store;
mod supply;
mod tidy;
mod train;
