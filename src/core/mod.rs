//! The pure domain: perspectives, items, methods, prompts, traces, answers, metrics and checks.
//!
//! Nothing here touches a file, a clock, a thread, candle or ratatui; everything is a function of its
//! arguments. All other modules may use `core`, and `core` uses none of them.

pub mod annotation;
pub mod answer;
pub mod check;
pub mod corpus;
pub mod diff;
pub mod item;
pub mod letter;
pub mod method;
pub mod metric;
pub mod perspective;
pub mod prompt;
pub mod query;
pub mod run;
pub mod safety;
pub mod sampler;
pub mod seed;
pub mod segment;
pub mod text;
pub mod trace;
pub mod wrap;

pub use answer::{Answer, AnswerRule, parse_answer};
pub use corpus::{Corpus, CorpusBuilder, ItemIx, Loc, MethodIx, Outcome, PerspectiveIx, TraceIx};
pub use item::{Choice, Item, ItemId};
pub use letter::Letter;
pub use method::{AdapterRef, Adapters, Method, MethodId};
pub use perspective::{Kind, Perspective};
pub use prompt::{Message, Prompt, Role, Template, TemplateRef};
pub use sampler::Sampler;
pub use trace::{Finish, Trace};
