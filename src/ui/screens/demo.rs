//! A demo in large text: one situation, one method, one column of words with room around them.
//!
//! A terminal cannot choose its font, so size is made of what it has: few words on a screen, double spacing, short
//! lines, the answer in spaced capitals. Everything is also on the explorer's own screen.

use crate::app::{
    Action, State,
    demo::Demo,
    explorer::{Cell, cell},
};
use crate::core::{check::CheckId, text::neutralise, wrap::wrap};
use crate::ui::{
    Theme,
    paint::{put, put_right},
    widgets::{
        caption,
        column::{flagged_steps, share, sparkline},
        outcome,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

/// The widest line of large text.
const WIDEST: u16 = 64;

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(demo) = &state.demo else { return };
    if area.width < 24 || area.height < 8 {
        put(buffer, area.x, area.y, area.width, "too small for large text: + leaves it", theme.caution());
        return;
    }
    let width = WIDEST.min(area.width - 4);
    let x = area.x + (area.width - width) / 2;
    let mut page = Page { buffer, x, y: area.y + 1, width, end: foot(demo, width, area) };
    let scene = demo.scene().map_or("", |s| s.title.as_str());
    put(page.buffer, x, area.y, width, scene, theme.accent().add_modifier(Modifier::BOLD));
    let source =
        format!("{} / {}   {}", demo.at + 1, demo.playlist.scenes.len(), caption::source(state, demo));
    put_right(page.buffer, x + width / 2, x + width, area.y, &source, theme.dim());
    page.y += 1;
    if let Some(ix) =
        state.explorer.items.current().filter(|_| matches!(demo.found, crate::app::demo::Found::Item(_)))
    {
        let title = neutralise(state.corpus.title(ix)).replace('\n', " ");
        page.text(&title, theme.text().add_modifier(Modifier::BOLD), 1);
        let perspective =
            state.corpus.item(ix).and_then(|i| i.perspective()).and_then(|p| state.corpus.perspective(p));
        page.text(&perspective.map_or_else(String::new, |p| spaced(&p.name)), theme.accent(), 2);
        column(state, theme, cell(state, ix, state.explorer.compare.focus), &mut page);
    }
    let end = page.end;
    for (y, line) in (end..).zip(caption::lines(demo, width, area.height / 3)) {
        put(buffer, x, y, width, &line, theme.soft());
    }
    caption::pressed(demo, theme, area, buffer);
}

/// The first row of the caption.
fn foot(demo: &Demo, width: u16, area: Rect) -> u16 {
    let lines = caption::lines(demo, width, area.height / 3).len() as u16;
    area.bottom().saturating_sub(lines + 1)
}

/// The focused method: its name, its words, its answer.
fn column(state: &State, theme: &Theme, cell: Cell<'_>, page: &mut Page<'_>) {
    let focus = state.explorer.compare.focus;
    let Some(method) = state.methods.get(focus) else { return };
    let shown = state.explorer.compare.shown(state.methods.len());
    let at = shown.iter().position(|c| *c == focus).map_or(1, |at| at + 1);
    let key = state.setup.keymap.hint(state.context(), Action::DemoColumn);
    // The others are a key away.
    let place = match key.filter(|_| shown.len() > 1) {
        Some(key) => format!("   {at} of {}, {key}", shown.len()),
        None => String::new(),
    };
    page.text(&format!("{}{place}", method.method.title), theme.dim(), 1);
    let Some(shown) = cell.shown() else {
        let words = match cell {
            Cell::NotApplicable => "not applicable".to_owned(),
            Cell::NotRun { why_not: Some(why) } => format!("not run: {why}"),
            Cell::Loading => "reading …".to_owned(),
            _ => "not run".to_owned(),
        };
        return page.text(&words, theme.dim(), 1);
    };
    let flagged = flagged_steps(state, &cell);
    for step in 0..shown.steps.len().min(shown.answer_from) {
        let Some((_, text)) = shown.step(step) else { continue };
        let hidden = state.blur && flagged.contains(&step);
        let text = if hidden { veil(text) } else { text.replace('\n', " ") };
        page.text(&text, theme.text(), 2);
    }
    if let Some((answer, what)) = cell.outcome() {
        let (glyph, style) = outcome::glyph(what, theme);
        let letter = answer.map_or_else(|| outcome::word(what).to_owned(), |l| l.to_string());
        let option = state
            .explorer
            .items
            .current()
            .and_then(|ix| state.corpus.item(ix))
            .and_then(|entry| match state.texts.get(entry.loc) {
                crate::app::texts::Lookup::Ready(ready) => ready.item.as_ref().zip(answer),
                _ => None,
            })
            .and_then(|(item, letter)| item.option_text(letter).map(str::to_uppercase))
            .unwrap_or_default();
        page.text(
            &format!("{letter}   {}   {glyph}", spaced(&option)),
            style.add_modifier(Modifier::BOLD),
            1,
        );
    }
    let Cell::Trace { entry, .. } = &cell else { return };
    let record = entry.trace.as_ref().and_then(|t| state.checks.verdict(t, CheckId::ProbabilityTrace));
    if let Some(judged) = record.and_then(|r| r.verdict.judged()) {
        let number = judged.number().map_or_else(String::new, |n| format!(" {}", share(n)));
        page.text(&format!("{}  {}{number}", sparkline(&judged.curve, theme), judged.word), theme.soft(), 1);
    }
}

/// Letters with a space between: the nearest that a terminal has to larger type.
fn spaced(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

fn veil(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() { '░' } else { c }).collect()
}

/// Lines down the page, until the caption.
struct Page<'a> {
    buffer: &'a mut Buffer,
    x: u16,
    y: u16,
    width: u16,
    end: u16,
}

impl Page<'_> {
    /// A paragraph; `spacing` rows a line.
    fn text(&mut self, text: &str, style: Style, spacing: u16) {
        for line in wrap(text, usize::from(self.width)) {
            if self.y + 1 >= self.end {
                return;
            }
            put(self.buffer, self.x, self.y, self.width, &text[line], style);
            self.y += spacing;
        }
        if spacing == 1 {
            self.y += 1;
        }
    }
}
