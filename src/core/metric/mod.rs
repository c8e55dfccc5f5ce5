//! Numbers over many traces. Pure functions of counts and probabilities; no trace is read here.
//!
//! | module | what |
//! | --- | --- |
//! | [`columns`] | answers as small integers per method, rows grouped by situation or question |
//! | [`samples`] | which of repeated samples count |
//! | [`tally`] | accuracy, balanced accuracy, macro and micro F1, the binary setting |
//! | [`compat`] | what published scripts do with invalid answers, number for number |
//! | [`distribution`] | Jensen-Shannon distance and representativeness |
//! | [`steer`] | what changes when only the perspective changes |
//! | [`baseline`] | the commonest answer, and the best one per situation |
//! | [`paired`] | two methods on the same items: McNemar, Holm, Cohen's h, kappa, needed items |
//! | [`group`] | for whom: by perspective, kind, attribute, group, domain, gold, length |
//! | [`priority`] | weights over perspectives, decisions and tipping points |
//! | [`steps`] | all of it as independent steps; [`report`] is the result |
//! | [`sheet`] | a report as tables of short texts, for the screen and every format |
//! | [`chart`] | what is drawn of a report; [`mod@format`] names the forms of its files |
//! | [`bootstrap`] | intervals by drawing situations; [`random`] draws; [`estimate`] is a number with one |
//! | [`wilson()`] | the interval of a bare share |

pub mod baseline;
pub mod bootstrap;
pub mod chart;
pub mod columns;
pub mod compat;
pub mod distribution;
pub mod estimate;
pub mod format;
pub mod group;
pub mod paired;
pub mod priority;
pub mod random;
pub mod report;
pub mod samples;
mod score;
pub mod sheet;
pub mod steer;
pub mod steps;
pub mod tally;
pub mod wilson;

pub use bootstrap::Resampling;
pub use columns::{Columns, DataSet, data_sets};
pub use compat::{Compat, CompatScores};
pub use estimate::Estimate;
pub use format::ReportFormat;
pub use paired::{McNemar, Pair, mcnemar};
pub use report::Report;
pub use samples::Samples;
pub use steps::{Measure, Settings};
pub use tally::Tally;
pub use wilson::{Interval, wilson};
