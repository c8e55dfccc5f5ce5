//! A measured number with its interval.

use super::wilson::Interval;
use serde::Serialize;

/// A number with its 95 % interval; both are missing where they are not defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    pub value: Option<f64>,
    /// Cluster bootstrap, percentile.
    pub interval: Option<Interval>,
}
