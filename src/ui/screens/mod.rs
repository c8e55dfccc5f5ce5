//! One file per screen.

pub mod agreement;
pub mod annotate;
pub mod audit;
pub mod demo;
pub mod explorer;
pub mod metrics;
pub mod training;
