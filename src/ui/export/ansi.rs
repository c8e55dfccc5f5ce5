//! A screen as text with SGR sequences, for `snapshot --format ansi`.

use super::row;
use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use std::fmt::Write;

/// The screen with colours and weights as escape sequences; every line ends in a reset.
pub fn ansi(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut last = String::new();
        for (x, symbol) in row(buffer, y) {
            let Some(cell) = buffer.cell((x, y)) else { continue };
            let sgr = sgr(cell);
            if sgr != last {
                let _ = write!(out, "\x1b[{sgr}m");
                last = sgr;
            }
            out.push_str(symbol);
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

/// The parameters of the SGR sequence that sets a cell's style, from nothing.
pub(super) fn sgr(cell: &Cell) -> String {
    let mut sgr = String::from("0");
    for (modifier, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ] {
        if cell.modifier.contains(modifier) {
            let _ = write!(sgr, ";{code}");
        }
    }
    push_colour(&mut sgr, cell.fg, 30);
    push_colour(&mut sgr, cell.bg, 40);
    sgr
}

fn push_colour(sgr: &mut String, colour: Color, base: u8) {
    let _ = match colour {
        Color::Reset => Ok(()),
        Color::Rgb(r, g, b) => write!(sgr, ";{};2;{r};{g};{b}", base + 8),
        Color::Indexed(i) => write!(sgr, ";{};5;{i}", base + 8),
        named => write!(sgr, ";{}", sixteen(named) + base),
    };
}

/// SGR offset of a named colour: 0 to 7, and 60 to 67 for the bright ones.
fn sixteen(colour: Color) -> u8 {
    match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        _ => 67,
    }
}
