//! A screen as a self-contained SVG picture.

use super::row;
use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier},
};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// Cell size in SVG units: a 14-unit monospace font is 8.4 wide.
const CELL: (f32, f32) = (8.4, 18.0);
const FONT: f32 = 14.0;
const PAD: f32 = 12.0;

/// The picture, on a dark or a light ground (the screen itself paints none).
pub fn svg(buffer: &Buffer, light: bool) -> String {
    let (ground, ink) = if light { ("#fbfbfa", "#1f2328") } else { ("#14171c", "#d6dae0") };
    let width = f32::from(buffer.area.width) * CELL.0 + 2.0 * PAD;
    let height = f32::from(buffer.area.height) * CELL.1 + 2.0 * PAD;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" \
         font-size=\"{FONT}\" xml:space=\"preserve\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{ground}\"/>\n"
    );
    for y in 0..buffer.area.height {
        let runs = runs(buffer, y);
        for run in &runs {
            draw(&mut out, run, y, ground, ink);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Neighbouring cells of one style.
struct Run {
    x: u16,
    cells: u16,
    text: String,
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

fn runs(buffer: &Buffer, y: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (x, symbol) in row(buffer, y) {
        let Some(cell) = buffer.cell((x, y)) else { continue };
        let cells = symbol.width().max(1) as u16;
        // Only plain ASCII shares a run: other glyphs may come from a fallback font of another width.
        let joins = |run: &&mut Run| {
            run.fg == cell.fg
                && run.bg == cell.bg
                && run.modifier == cell.modifier
                && symbol.is_ascii()
                && run.text.is_ascii()
        };
        match runs.last_mut().filter(joins) {
            Some(run) => {
                run.text.push_str(symbol);
                run.cells += cells;
            }
            None => runs.push(Run {
                x,
                cells,
                text: symbol.to_owned(),
                fg: cell.fg,
                bg: cell.bg,
                modifier: cell.modifier,
            }),
        }
    }
    runs
}

fn draw(out: &mut String, run: &Run, y: u16, ground: &str, ink: &str) {
    let (x, top) = (PAD + f32::from(run.x) * CELL.0, PAD + f32::from(y) * CELL.1);
    let width = f32::from(run.cells) * CELL.0;
    let mut fg = hex(run.fg).unwrap_or_else(|| ink.to_owned());
    let mut bg = hex(run.bg);
    if run.modifier.contains(Modifier::REVERSED) {
        let old = bg.replace(fg);
        fg = old.unwrap_or_else(|| ground.to_owned());
    }
    if let Some(bg) = bg {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{bg}\"/>",
            CELL.1
        );
    }
    if run.text.trim().is_empty() {
        return;
    }
    if block(out, run, x, top, &fg) {
        return;
    }
    let lead = run.text.len() - run.text.trim_start().len();
    let text = run.text.trim_end();
    let mut attributes = String::new();
    if run.modifier.contains(Modifier::BOLD) {
        attributes.push_str(" font-weight=\"700\"");
    }
    if run.modifier.contains(Modifier::ITALIC) {
        attributes.push_str(" font-style=\"italic\"");
    }
    if run.modifier.contains(Modifier::UNDERLINED) {
        attributes.push_str(" text-decoration=\"underline\"");
    }
    if run.modifier.contains(Modifier::DIM) {
        attributes.push_str(" opacity=\"0.6\"");
    }
    let shown = &text[lead..];
    let left = x + lead as f32 * CELL.0;
    let length = shown.width() as f32 * CELL.0;
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fg}\"{attributes}>{}</text>",
        top + FONT,
        escape(shown)
    );
}

/// Block and box glyphs as shapes, so that bars and hairlines join whatever font is at hand.
fn block(out: &mut String, run: &Run, x: f32, top: f32, fg: &str) -> bool {
    let Some(c) = run.text.chars().next() else { return false };
    let (w, h) = CELL;
    let rect = match c {
        '─' => (x, top + h / 2.0, w, 1.0),
        '│' => (x + w / 2.0, top, 1.0, h),
        '\u{2581}'..='\u{2588}' => {
            let part = h * (c as u32 - 0x2580) as f32 / 8.0;
            (x, top + h - part, w, part)
        }
        '\u{2589}'..='\u{258f}' => (x, top, w * (0x2590 - c as u32) as f32 / 8.0, h),
        _ => return false,
    };
    let _ = writeln!(
        out,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fg}\"/>",
        rect.0, rect.1, rect.2, rect.3
    );
    true
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A colour as `#rrggbb`; `None` is the terminal's own.
fn hex(colour: Color) -> Option<String> {
    let rgb = match colour {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => [r, g, b],
        Color::Indexed(i) if i >= 232 => [8 + 10 * (i - 232); 3],
        Color::Indexed(i) if i >= 16 => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let i = i - 16;
            [level(i / 36), level(i / 6 % 6), level(i % 6)]
        }
        Color::Black => [0, 0, 0],
        Color::Red => [205, 49, 49],
        Color::Green => [13, 160, 90],
        Color::Yellow => [190, 150, 20],
        Color::Blue => [60, 110, 220],
        Color::Magenta => [188, 63, 188],
        Color::Cyan => [17, 168, 205],
        Color::Gray => [190, 190, 190],
        Color::DarkGray => [120, 120, 120],
        Color::LightRed => [241, 76, 76],
        Color::LightGreen => [35, 209, 139],
        Color::LightYellow => [225, 200, 70],
        Color::LightBlue => [100, 150, 250],
        Color::LightMagenta => [214, 112, 214],
        Color::LightCyan => [41, 184, 219],
        _ => [229, 229, 229],
    };
    Some(format!("#{:02x}{:02x}{:02x}", rgb[0], rgb[1], rgb[2]))
}
