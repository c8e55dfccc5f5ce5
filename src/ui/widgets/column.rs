//! One column of the comparison: the method, its answer, its rationale.

use super::{check_bar, outcome, steps};
use crate::app::{
    State,
    demo::RECORDED,
    explorer::{Anchor, Cell},
    flags,
    geometry::{COLUMN_FOOT, COLUMN_HEAD, STEP_MARGIN, bar_rows},
    live::{LiveRow, RowState},
};
use crate::core::{Item, Letter, Outcome, check::CheckId, wrap::wrap};
use crate::job::finish_words;
use crate::ui::{
    Theme,
    paint::{put, put_right, thousands},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// What a column shows.
pub struct Column<'a> {
    pub state: &'a State,
    pub theme: &'a Theme,
    pub cell: Cell<'a>,
    pub item: Option<&'a Item>,
    /// Index into the state's methods.
    pub method: usize,
    pub focused: bool,
}

/// Draws a column of the comparison.
pub fn draw(column: &Column<'_>, rect: Rect, buffer: &mut Buffer) {
    head(column, rect, buffer);
    let below = rect.height.saturating_sub(COLUMN_HEAD);
    if below == 0 {
        return;
    }
    let bar = bar_rows(rect.height);
    let height = below.saturating_sub(COLUMN_FOOT + bar);
    let body = Rect { y: rect.y + COLUMN_HEAD, height, ..rect };
    let free = match column.cell.shown() {
        Some(shown) if !shown.steps.is_empty() => text(column, body, buffer),
        _ => {
            face(column, body, buffer);
            0
        }
    };
    let height = (bar + free).min(below.saturating_sub(COLUMN_FOOT));
    checks(column, Rect { y: rect.bottom() - height, height, ..rect }, buffer);
}

fn head(column: &Column<'_>, rect: Rect, buffer: &mut Buffer) {
    let Column { state, theme, cell, item, method, focused } = column;
    let Some(runnable) = state.methods.get(*method) else { return };
    let style = if *focused {
        theme.accent().add_modifier(Modifier::BOLD)
    } else {
        theme.soft().add_modifier(Modifier::BOLD)
    };
    let mut right = rect.right();
    if let Some((answer, what)) = cell.outcome() {
        let (glyph, glyph_style) = outcome::glyph(what, theme);
        right = put_right(buffer, rect.x, right, rect.y, glyph, glyph_style).saturating_sub(1);
        let words = answer_words(answer, *item, what);
        let room = (rect.width / 2).max(2);
        right = put_right(buffer, right.saturating_sub(room), right, rect.y, &words, theme.text())
            .saturating_sub(2);
    } else if let Cell::Live(id, LiveRow { state: RowState::Writing, .. }) = cell {
        let word = if *id == RECORDED { "recorded…" } else { "writing…" };
        right = put_right(buffer, rect.x, right, rect.y, word, theme.accent()).saturating_sub(2);
    }
    put(buffer, rect.x, rect.y, right.saturating_sub(rect.x), &runnable.method.title, style);
    put(buffer, rect.x, rect.y + 1, rect.width, &facts(state, cell), theme.dim());
    check_line(column, rect, buffer);
}

/// The bar of the other checks, at the foot.
fn checks(column: &Column<'_>, rect: Rect, buffer: &mut Buffer) {
    let Cell::Trace { entry, .. } = &column.cell else { return };
    let Some(known) = entry.trace.as_ref().and_then(|t| column.state.checks.of(t)) else { return };
    check_bar::draw(known.values().map(AsRef::as_ref), column.theme, rect, buffer);
}

/// The probability trace's line: a small curve and the verdict.
fn check_line(column: &Column<'_>, rect: Rect, buffer: &mut Buffer) {
    let Column { state, theme, cell, .. } = column;
    let Cell::Trace { entry, .. } = cell else { return };
    let Some(trace) = &entry.trace else { return };
    let y = rect.y + 2;
    let Some(record) = state.checks.verdict(trace, CheckId::ProbabilityTrace) else {
        let text = if state.checks.running(trace) { "checking …" } else { "not checked" };
        put(buffer, rect.x, y, rect.width, text, theme.line());
        return;
    };
    let mut x = rect.x;
    if let Some(judged) = record.verdict.judged().filter(|j| !j.curve.is_empty()) {
        let style = if judged.flag { theme.caution() } else { theme.soft() };
        x = put(buffer, x, y, rect.width / 2, &sparkline(&judged.curve, theme), style) + 1;
    }
    let room = rect.right().saturating_sub(x);
    check_bar::verdict(record, theme, Rect { x, y, width: room, height: 1 }, buffer);
}

/// Probabilities as eighth blocks, 0 to 1; digits where only ASCII is shown.
pub fn sparkline(curve: &[f64], theme: &Theme) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let glyph = |p: &f64| {
        let level = (p.clamp(0.0, 1.0) * 7.0).round() as usize;
        if theme.ascii { char::from(b'0' + level as u8) } else { BLOCKS[level.min(7)] }
    };
    curve.iter().map(glyph).collect()
}

/// A probability as it is read: `.82`.
pub fn share(p: f64) -> String {
    let text = format!("{p:.2}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

fn answer_words(answer: Option<Letter>, item: Option<&Item>, outcome: Outcome) -> String {
    match answer {
        Some(letter) => match item.and_then(|i| i.option_text(letter)) {
            Some(text) => format!("{letter} {}", text.to_lowercase()),
            None => letter.to_string(),
        },
        None => outcome::word(outcome).to_owned(),
    }
}

/// The dim line under the head.
fn facts(state: &State, cell: &Cell<'_>) -> String {
    let mut parts = Vec::new();
    match cell {
        Cell::Trace { entry, facts, sample, samples } => {
            if let Some(tokens) = facts.tokens() {
                parts.push(format!("{} tokens", thousands(tokens as usize)));
            }
            if *samples > 1 {
                parts.push(format!("sample {} of {samples}", sample + 1));
            }
            if let Some(trace) = &entry.trace {
                parts.extend(
                    trace
                        .finish
                        .filter(|f| *f != crate::core::Finish::Stop)
                        .map(|f| finish_words(f).to_owned()),
                );
                parts.extend(
                    trace
                        .answer_rule
                        .filter(|r| *r != crate::core::AnswerRule::AnswerLine)
                        .map(|r| format!("by {}", r.words())),
                );
            }
            parts.extend(outcome::caveat(facts).map(str::to_owned));
        }
        Cell::Live(_, row) => match &row.state {
            RowState::Waiting => parts.push(waiting(state)),
            RowState::Reading { prompt_tokens, cached_tokens } => {
                parts.push(format!("reading {prompt_tokens} tokens, {cached_tokens} of them known"));
            }
            RowState::Writing => parts.push(format!("{} tokens", row.tokens)),
            RowState::Done(_) => parts.push(format!("{} tokens · not saved", row.tokens)),
            RowState::Failed(_) => parts.push("failed".to_owned()),
        },
        _ => {}
    }
    parts.join(" · ")
}

fn waiting(state: &State) -> String {
    use crate::app::state::ModelState;
    match &state.model {
        ModelState::Loading { stage, fraction } => format!("{stage} {:.0} %", fraction * 100.0),
        ModelState::Fetching { .. } => "the model is being fetched".to_owned(),
        _ => "waiting for its turn".to_owned(),
    }
}

/// Returns how many rows the text leaves free below it: none where it goes on, or is scrolled.
fn text(column: &Column<'_>, body: Rect, buffer: &mut Buffer) -> u16 {
    let Column { state, theme, cell, method, focused, .. } = column;
    let Some(shown) = cell.shown() else { return 0 };
    let compare = &state.explorer.compare;
    let scroll = compare.scroll(*method);
    let differs = match &compare.marks {
        Some(marks) if marks.left == *method => marks.diff.left.as_slice(),
        Some(marks) if marks.right == *method => marks.diff.right.as_slice(),
        _ => &[],
    };
    let in_zone = state.explorer.focus == crate::app::explorer::Zone::Comparison;
    let curve: Vec<f64> = match cell {
        Cell::Trace { entry, .. } => entry
            .trace
            .as_ref()
            .and_then(|t| state.checks.verdict(t, CheckId::ProbabilityTrace))
            .and_then(|r| r.verdict.judged())
            .map(|j| j.curve.clone())
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    let flagged = flagged_steps(state, cell);
    let look = steps::Look {
        curve: &curve,
        flagged: &flagged,
        blur: state.blur,
        theme,
        anchor: scroll.anchor,
        cursor: (in_zone && (compare.sync || *focused)).then_some(compare.step),
        search: state.search_words(),
        differs,
        writing: cell.is_writing(),
    };
    let drawn = steps::draw(shown, &look, body, buffer);
    let foot = body.bottom();
    let fresh = shown.steps.len().saturating_sub(scroll.seen);
    if let Some(step) = drawn.hidden {
        let more = shown.steps.len() - step;
        if cell.is_writing() && !scroll.follow && fresh > 0 {
            put(
                buffer,
                body.x + STEP_MARGIN,
                foot,
                body.width.saturating_sub(STEP_MARGIN),
                theme.glyph("▾ new below: end follows", "v new below: end follows"),
                theme.accent(),
            );
        } else {
            let word = if more == 1 { "step" } else { "steps" };
            put(
                buffer,
                body.x + STEP_MARGIN,
                foot,
                body.width.saturating_sub(STEP_MARGIN),
                &format!("{} {more} more {word}", theme.glyph("▾", "v")),
                theme.dim(),
            );
        }
    }
    let all = drawn.hidden.is_none() && scroll.anchor == Anchor::default();
    if all { body.height.saturating_sub(drawn.rows) } else { 0 }
}

/// Steps that a safety check flags.
pub fn flagged_steps(state: &State, cell: &Cell<'_>) -> Vec<usize> {
    let trace = match cell {
        Cell::Trace { entry, .. } => entry.trace.as_ref(),
        // Recorded text is judged as a whole beforehand.
        Cell::Live(id, row) if *id == RECORDED => {
            let demo = state.demo.as_ref();
            demo.and_then(|d| d.playing.iter().find(|p| p.row.request.method == row.request.method))
                .map(|p| &p.trace)
        }
        // Before an audience, text that nobody has judged yet counts as flagged.
        Cell::Live(_, row) if state.demo.is_some() => return (0..row.shown.steps.len()).collect(),
        _ => None,
    };
    let steps = cell.shown().map_or(0, |shown| shown.answer_from);
    trace.map_or_else(Vec::new, |trace| flags::flagged(&state.checks, trace, steps))
}

/// What stands in a column without text.
fn face(column: &Column<'_>, body: Rect, buffer: &mut Buffer) {
    let Column { state, theme, cell, method, .. } = column;
    let key = |action| {
        let key = state.setup.keymap.hint(crate::app::action::Context::Comparison, action);
        key.map_or_else(String::new, |k| k.to_string())
    };
    let (headline, hint) = match cell {
        Cell::NotApplicable => (
            "not applicable".to_owned(),
            state.methods.get(*method).map_or_else(String::new, |m| m.method.about.clone()),
        ),
        Cell::NotRun { why_not: Some(why) } => ("not run".to_owned(), (*why).to_owned()),
        Cell::NotRun { why_not: None } => {
            ("not run".to_owned(), format!("{} writes it, live", key(crate::app::Action::Generate)))
        }
        Cell::Loading => ("reading …".to_owned(), String::new()),
        Cell::Failed(problem) => ("this line cannot be read".to_owned(), (*problem).to_owned()),
        Cell::Live(_, LiveRow { state: RowState::Failed(problem), .. }) => {
            ("failed".to_owned(), format!("{problem}\n{} tries again", key(crate::app::Action::Generate)))
        }
        Cell::Live(..) => (String::new(), String::new()),
        Cell::Trace { .. } => ("an empty output".to_owned(), "the model wrote nothing".to_owned()),
    };
    put(
        buffer,
        body.x + STEP_MARGIN,
        body.y,
        body.width.saturating_sub(STEP_MARGIN),
        &headline,
        theme.soft(),
    );
    for (i, line) in wrap(&hint, usize::from(body.width.saturating_sub(STEP_MARGIN))).into_iter().enumerate()
    {
        let y = body.y + 1 + i as u16;
        if y < body.bottom() {
            put(
                buffer,
                body.x + STEP_MARGIN,
                y,
                body.width.saturating_sub(STEP_MARGIN),
                &hint[line],
                theme.dim(),
            );
        }
    }
}
