//! The explorer without a terminal: scripts of keys over `update`, and screens from `view`.

mod audit;
pub mod bench;
mod checks;
mod demo;
mod metrics;
mod screens;
mod scripts;
mod training;
