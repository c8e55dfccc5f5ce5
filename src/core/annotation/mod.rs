//! Annotation: rubrics, answers, labels, the labelling session, who labels what, and how far people agree.
//!
//! Pure: nothing here knows a database, a screen or the time of day. "Undefined" is a value with its reason, never a
//! number that is none.
//!
//! | file | what |
//! | --- | --- |
//! | [`rubric`] | questions, conditions, versions; read from TOML with the line of every mistake |
//! | [`value`] | what an answer can be |
//! | [`label`] | what one person says of one trace, as the sum of acts |
//! | [`session`] | answer, next, back, skip, flag, note, undo and redo over a queue of traces |
//! | [`desk`] | what passes between somebody who labels and the library |
//! | [`order`] | who sees what in which order, stable for one person |
//! | [`sampling`] | which traces to label, and who labels them |
//! | [`ratings`] | labels as ratings of one question |
//! | [`agreement`] | percent, Cohen, Fleiss, Krippendorff, Gwet |
//! | [`bootstrap`] | intervals |
//! | [`report`] | agreement per question and method, confusion, disagreements |
//! | [`checker`] | automatic checks against people |

pub mod agreement;
pub mod bootstrap;
pub mod checker;
pub mod desk;
pub mod label;
pub mod order;
pub mod ratings;
pub mod report;
pub mod rubric;
pub mod sampling;
pub mod session;
pub mod value;

pub use desk::{Author, Project, Standing, Task, Write};
pub use label::{Act, ActKind, Field, Label};
pub use rubric::{Kind, Question, Rubric, RubricProblem};
pub use session::{Session, Slot, TaskId};
pub use value::{Span, Value};

/// The rubric that the program is built with.
pub const DEFAULT_RUBRIC: &str = include_str!("../../../assets/rubrics/faithfulness.toml");

#[cfg(test)]
mod tests;
