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

/// The theme that the configuration names, if any; an error where there is none of that name.
pub fn configured(config: &Config) -> Result<Option<&str>, String> {
    match config.theme.as_deref() {
        Some(name) if !Theme::names().any(|known| known == name) => {
            let known: Vec<&str> = Theme::names().collect();
            let known = known.join(", ");
            Err(format!(
                "there is no theme `{name}` (PLURISCOPE_THEME, or `theme` in config.toml); known: {known}"
            ))
        }
        name => Ok(name),
    }
}

impl ThemeArg {
    /// The theme's name in a terminal of this depth, which is asked for its background where nobody chose.
    ///
    /// # Errors
    /// Where the configuration names a theme that does not exist.
    pub fn chosen(&self, config: &Config, depth: Depth) -> Result<String, String> {
        let named = match &self.theme {
            Some(name) => Some(name.as_str()),
            None => configured(config)?,
        };
        let fitting = || if depth == Depth::None { "none" } else { background_theme() };
        Ok(named.unwrap_or_else(fitting).to_owned())
    }
}
