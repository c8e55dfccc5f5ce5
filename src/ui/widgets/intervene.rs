//! The sheet for one edit by hand: the rationale with the step marked, and the answers before and after.

use super::{column::share, panel};
use crate::app::{
    flags::veil,
    overlay::{Intervene, Outcome},
};
use crate::core::{
    check::{Distribution, intervene::Intervention},
    wrap::wrap,
};
use crate::ui::{
    Theme,
    paint::{fill_row, put, put_all, put_right},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// Draws the sheet; the words of `hidden` steps, and what is written in their place, stay under a veil.
pub fn draw(sheet: &Intervene, hidden: &[usize], theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let options = sheet.item.options.len() as u16;
    let note = match &sheet.input {
        Some(_) => "enter asks   esc back",
        None => "↑↓ step   x cut here   d delete   n negate   e edit   i insert before   esc close",
    };
    let height = (options + 18).max(area.height * 3 / 4);
    let inner = panel::open(buffer, area, theme, 110, height, "edit a step, see the answer move", note);
    let foot = options + 4;
    let text = Rect { height: inner.height.saturating_sub(foot), ..inner };
    steps(sheet, hidden, theme, text, buffer);
    let result = Rect { y: inner.bottom().saturating_sub(foot), height: foot.min(inner.height), ..inner };
    fill_row(buffer, result.x, result.y, result.width, theme.glyph("─", "-"), theme.line());
    outcome(
        sheet,
        hidden,
        theme,
        Rect { y: result.y + 1, height: result.height.saturating_sub(1), ..result },
        buffer,
    );
}

/// The steps around the chosen one; what is typed stands where it will go.
fn steps(sheet: &Intervene, hidden: &[usize], theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let mut y = rect.y;
    let from = sheet.step.saturating_sub(usize::from(rect.height) / 6);
    for (i, step) in sheet.steps.iter().enumerate().skip(from) {
        let here = i == sheet.step;
        if let (true, Some((input, insert))) = (here, &sheet.input) {
            if y >= rect.bottom() {
                return;
            }
            let mark = if *insert { theme.glyph("＋", "+") } else { theme.glyph("▸", ">") };
            put(buffer, rect.x, y, 2, mark, theme.accent());
            let (before, after) = input.text().split_at(input.before().len());
            let caret = theme.glyph("▏", "_");
            let shown = if hidden.contains(&i) && !insert {
                format!("{}{caret}{}", veil(before, theme.ascii), veil(after, theme.ascii))
            } else {
                format!("{before}{caret}{after}")
            };
            for line in wrap(&shown, usize::from(rect.width.saturating_sub(4))) {
                if y >= rect.bottom() {
                    return;
                }
                put(buffer, rect.x + 4, y, rect.width.saturating_sub(4), &shown[line], theme.accent());
                y += 1;
            }
            if !insert {
                continue;
            }
        }
        let style = if here { theme.text().add_modifier(Modifier::BOLD) } else { theme.soft() };
        let veiled = hidden.contains(&i);
        let style = if veiled { theme.line() } else { style };
        for (line_number, line) in
            wrap(step, usize::from(rect.width.saturating_sub(4))).into_iter().enumerate()
        {
            if y >= rect.bottom() {
                return;
            }
            if line_number == 0 {
                let number = if here { theme.accent() } else { theme.dim() };
                put(buffer, rect.x, y, 3, &format!("{:>2}", i + 1), number);
            }
            let words = if veiled { veil(&step[line], theme.ascii) } else { step[line].to_owned() };
            put(buffer, rect.x + 4, y, rect.width.saturating_sub(4), &words, style);
            y += 1;
        }
    }
}

fn edit_words(edit: &Intervention, hidden: &[usize], theme: &Theme) -> String {
    match edit {
        Intervention::Cut { step } => format!("cut from step {} on", step + 1),
        Intervention::Delete { step } => format!("step {} deleted", step + 1),
        Intervention::Negate { step } => format!("step {} negated", step + 1),
        Intervention::Replace { step, text } if hidden.contains(step) => {
            format!("step {} is now “{}”", step + 1, veil(text, theme.ascii))
        }
        Intervention::Replace { step, text } => format!("step {} is now “{text}”", step + 1),
        Intervention::Insert { step, text } => format!("“{text}” before step {}", step + 1),
    }
}

fn outcome(sheet: &Intervene, hidden: &[usize], theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let edit = sheet.edit.as_ref().map(|edit| edit_words(edit, hidden, theme)).unwrap_or_default();
    match &sheet.outcome {
        Outcome::Nothing => {
            put(
                buffer,
                rect.x,
                rect.y,
                rect.width,
                "choose an edit: the answer's probabilities before and after appear here",
                theme.dim(),
            );
        }
        Outcome::Asking => {
            put(buffer, rect.x, rect.y, rect.width, &format!("{edit}: asking the model …"), theme.accent());
        }
        Outcome::Failed(problem) => {
            put(buffer, rect.x, rect.y, rect.width, problem, theme.caution());
        }
        Outcome::Moved(found) => {
            let verdict = if found.changed() { "the answer changes" } else { "the answer stays" };
            let style = if found.changed() { theme.accent() } else { theme.soft() };
            let mut pieces = vec![(edit.as_str(), theme.text()), ("   ", theme.dim()), (verdict, style)];
            if found.not_writer {
                pieces.push(("   not the model that wrote it", theme.dim()));
            }
            put_all(buffer, rect.x, rect.y, rect.right(), &pieces);
            distributions(sheet, &found.before, &found.after, theme, Rect { y: rect.y + 1, ..rect }, buffer);
        }
    }
}

/// One row an option: its text, the bar before, the bar after.
fn distributions(
    sheet: &Intervene,
    before: &Distribution,
    after: &Distribution,
    theme: &Theme,
    rect: Rect,
    buffer: &mut Buffer,
) {
    let name = (rect.width / 4).clamp(10, 30);
    let bar = rect.width.saturating_sub(name + 18) / 2;
    for (i, choice) in sheet.item.options.iter().enumerate() {
        let y = rect.y + i as u16;
        put(buffer, rect.x, y, name, &format!("{} {}", choice.letter, choice.text), theme.text());
        for (side, read) in [before, after].into_iter().enumerate() {
            let p = read.p.get(i).copied().unwrap_or(0.0);
            let x = rect.x + name + 1 + side as u16 * (bar + 8);
            let filled = (p * f64::from(bar)).round() as u16;
            fill_row(buffer, x, y, bar, theme.glyph("·", "."), theme.line());
            let style = if side == 0 { theme.soft() } else { theme.accent() };
            fill_row(buffer, x, y, filled, theme.glyph("━", "="), style);
            put_right(buffer, x + bar, x + bar + 5, y, &share(p), style);
        }
    }
    let y = rect.y + sheet.item.options.len() as u16;
    let x = rect.x + name + 1;
    put(buffer, x, y, bar + 6, &format!("before   off the options {}", share(before.off)), theme.dim());
    put(
        buffer,
        x + bar + 8,
        y,
        bar + 6,
        &format!("after   off the options {}", share(after.off)),
        theme.dim(),
    );
}
