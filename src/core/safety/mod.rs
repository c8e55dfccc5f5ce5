//! Safety of rationales, prompts and answers from three sources that are never merged into one verdict: a word
//! list ([`lexical`]), the embedded [`classifier`], and guard models ([`guard`], [`moderation`]).
//!
//! Pure: texts in, [`SafetyResult`]s out. A source that could not judge says [`SafetyResult::Unknown`], which is
//! never counted as safe. Definitions follow the moderation taxonomies named in [`category`].

pub mod category;
pub mod classifier;
pub mod features;
pub mod fit;
pub mod guard;
pub mod lexical;
pub mod moderation;
pub mod score;

pub use category::{Category, Hazard, Label, Language};
pub use classifier::Classifier;
pub use score::{Assessment, Flag, LabelScore, SafetyResult, Source, StepSafety};
