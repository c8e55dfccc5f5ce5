//! How outcomes look: a glyph, a word and a colour, always together in meaning.

use crate::core::{Outcome, corpus::TraceEntry};
use crate::ui::Theme;
use ratatui::style::Style;

/// Glyph and style of an outcome.
pub fn glyph(outcome: Outcome, theme: &Theme) -> (&'static str, Style) {
    match outcome {
        Outcome::Right => (theme.glyph("✓", "v"), theme.right()),
        Outcome::Wrong => (theme.glyph("✗", "x"), theme.wrong()),
        Outcome::NoAnswer => (theme.glyph("∅", "o"), theme.caution()),
        Outcome::Unjudged => ("?", theme.soft()),
        Outcome::NotRun => (theme.glyph("·", "."), theme.line()),
    }
}

/// What a trace's outcome is called.
pub fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Right => "right",
        Outcome::Wrong => "wrong",
        Outcome::NoAnswer => "no answer",
        Outcome::Unjudged => "no gold to judge by",
        Outcome::NotRun => "not run",
    }
}

/// A note on a trace that is not what it seems.
pub fn caveat(facts: &TraceEntry) -> Option<&'static str> {
    facts.repeated().then_some("repeats an earlier trace")
}
