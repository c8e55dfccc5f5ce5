//! The explorer as a pure state machine: `update(&mut State, Event) -> Vec<Effect>`.
//!
//! Nothing here does I/O, reads a clock or draws. Time enters by `Event::Tick`, size by `Event::Resize`; what
//! should happen outside is returned as [`Effect`]s and comes back as events.

pub mod action;
pub mod annotate;
pub mod audit;
pub mod checks;
pub mod demo;
pub mod effect;
pub mod event;
pub mod explorer;
pub mod flags;
pub mod geometry;
pub mod input;
pub mod keymap;
pub mod live;
pub mod metrics;
pub mod overlay;
pub mod state;
pub mod texts;
pub mod training;
pub mod update;

pub use action::Action;
pub use effect::Effect;
pub use event::Event;
pub use keymap::Keymap;
pub use state::State;
pub use update::update;
