//! Themes: colours with a meaning, read from the assets, and the glyph set.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    None,
    Sixteen,
    Indexed,
    True,
}

/// A named set of colours; a colour that is missing is the terminal's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Theme {
    #[serde(skip)]
    pub name: &'static str,
    accent: Option<Color>,
    right: Option<Color>,
    wrong: Option<Color>,
    caution: Option<Color>,
    /// Text of secondary weight.
    soft: Option<Color>,
    /// Labels and titles that are out of focus.
    dim: Option<Color>,
    /// Hairlines.
    line: Option<Color>,
    /// Background of search matches and of differing words.
    mark: Option<Color>,
    /// Box drawing and symbols, or plain ASCII stand-ins.
    #[serde(skip)]
    pub ascii: bool,
}

impl Default for Theme {
    fn default() -> Theme {
        Theme {
            name: "none",
            accent: None,
            right: None,
            wrong: None,
            caution: None,
            soft: None,
            dim: None,
            line: None,
            mark: None,
            ascii: false,
        }
    }
}

const SHIPPED: [(&str, &str); 5] = [
    ("dark", include_str!("../../assets/themes/dark.toml")),
    ("light", include_str!("../../assets/themes/light.toml")),
    ("high-contrast", include_str!("../../assets/themes/high-contrast.toml")),
    ("ansi", include_str!("../../assets/themes/ansi.toml")),
    ("none", include_str!("../../assets/themes/none.toml")),
];

impl Theme {
    /// Names of the shipped themes, in the order in which one key walks through them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The theme of this name, its colours brought down to `depth`; unknown names give `none`.
    pub fn named(name: &str, depth: Depth) -> Theme {
        let name = match depth {
            Depth::None => "none",
            Depth::Sixteen if name != "none" => "ansi",
            _ => name,
        };
        let Some((name, text)) = SHIPPED.iter().find(|(n, _)| *n == name) else { return Theme::default() };
        let mut theme = Theme { name, ..toml::from_str(text).unwrap_or_default() };
        if depth == Depth::Indexed {
            for colour in [
                &mut theme.accent,
                &mut theme.right,
                &mut theme.wrong,
                &mut theme.caution,
                &mut theme.soft,
                &mut theme.dim,
                &mut theme.line,
                &mut theme.mark,
            ] {
                *colour = colour.map(indexed);
            }
        }
        theme
    }

    fn paint(colour: Option<Color>) -> Style {
        colour.map_or_else(Style::new, |c| Style::new().fg(c))
    }

    /// Focus and cursor.
    pub fn accent(&self) -> Style {
        let style = Theme::paint(self.accent);
        if self.accent.is_none() { style.add_modifier(Modifier::BOLD) } else { style }
    }

    pub fn right(&self) -> Style {
        Theme::paint(self.right)
    }

    pub fn wrong(&self) -> Style {
        let style = Theme::paint(self.wrong);
        if self.wrong.is_none() { style.add_modifier(Modifier::BOLD) } else { style }
    }

    pub fn caution(&self) -> Style {
        Theme::paint(self.caution)
    }

    pub fn text(&self) -> Style {
        Style::new()
    }

    pub fn soft(&self) -> Style {
        Theme::paint(self.soft)
    }

    pub fn dim(&self) -> Style {
        let style = Theme::paint(self.dim);
        if self.dim.is_none() { style.add_modifier(Modifier::DIM) } else { style }
    }

    pub fn line(&self) -> Style {
        let style = Theme::paint(self.line);
        if self.line.is_none() { style.add_modifier(Modifier::DIM) } else { style }
    }

    /// Search matches and differing words.
    pub fn mark(&self, style: Style) -> Style {
        match self.mark {
            Some(mark) => style.bg(mark),
            None => style.add_modifier(Modifier::UNDERLINED),
        }
    }

    /// The unicode glyph, or its ASCII stand-in.
    pub fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }
}

/// The nearest of the 216 colour cube and 24 greys of 256-colour terminals.
fn indexed(colour: Color) -> Color {
    let Color::Rgb(r, g, b) = colour else { return colour };
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |v: u8| (0..6u8).min_by_key(|i| STEPS[usize::from(*i)].abs_diff(v)).unwrap_or(0);
    let (ri, gi, bi) = (nearest(r), nearest(g), nearest(b));
    let distance = |x: [u8; 3]| {
        let d = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        d(x[0], r) + d(x[1], g) + d(x[2], b)
    };
    let cube = [STEPS[usize::from(ri)], STEPS[usize::from(gi)], STEPS[usize::from(bi)]];
    let average = ((u16::from(r) + u16::from(g) + u16::from(b)) / 3) as u8;
    let grey = (average.saturating_sub(8) / 10).min(23);
    let level = 8 + 10 * grey;
    if distance([level; 3]) < distance(cube) {
        Color::Indexed(232 + grey)
    } else {
        Color::Indexed(16 + 36 * ri + 6 * gi + bi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_theme_reads() {
        for (name, text) in SHIPPED {
            assert!(toml::from_str::<Theme>(text).is_ok(), "{name}");
            assert_eq!(Theme::named(name, Depth::True).name, name);
        }
        assert_eq!(Theme::named("dark", Depth::None), Theme::default());
    }

    #[test]
    fn colours_come_down_to_the_palette() {
        assert_eq!(indexed(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(indexed(Color::Rgb(128, 128, 128)), Color::Indexed(244));
    }
}
