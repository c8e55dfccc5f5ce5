//! The colours of a run: as asked for, as configured, or as the terminal is.

use crate::{
    config::Config,
    runtime::open::background_theme,
    ui::{Depth, Theme},
};
use clap::{Args, builder::PossibleValuesParser};

#[derive(Args, Clone, Debug, Default)]
pub struct ThemeArg {
    /// Colour theme; by default as configured, or as the terminal's background is
    #[arg(long, value_name = "NAME", value_parser = names())]
    pub theme: Option<String>,
}

/// Takes the names of the shipped themes.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(Theme::names())
}

impl ThemeArg {
    /// The theme's name in a terminal of this depth, which is asked for its background where nobody chose.
    pub fn chosen(&self, config: &Config, depth: Depth) -> String {
        self.theme.clone().or_else(|| config.theme.clone()).unwrap_or_else(|| match depth {
            Depth::None => "none".to_owned(),
            _ => background_theme().to_owned(),
        })
    }
}
