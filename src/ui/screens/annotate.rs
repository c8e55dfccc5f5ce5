//! The annotator's desk: the trace, the questions, how far one is, and whether the answers are on the disk.
//!
//! In blind mode nothing here names method, model, gold, checks or other people's labels before they may be seen: the
//! column is called by a letter, and the line above knows neither the corpus nor the model.

use super::agreement;
use crate::app::{
    State,
    action::{Action, Context},
    annotate::{
        Desk, Opening, Page, Saving,
        layout::{SMALLEST, Zones, cells_of, lines, text_rect, zones},
        panel::{self, Tone},
    },
    flags,
};
use crate::core::{
    annotation::{Task, order::column_name},
    wrap::wrap,
};
use crate::ui::{
    Theme,
    paint::{clear, duration, fill_row, put, put_all, put_right},
    widgets::{overlays, panel as frame, steps},
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    widgets::Widget,
};

pub fn draw(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!(
            "too small: {}x{}, labelling needs {}x{}",
            area.width, area.height, SMALLEST.0, SMALLEST.1
        );
        put(buffer, 0, area.height / 2, area.width, &text, theme.caution());
        return;
    }
    match &state.annotate.desk {
        Some(desk) => {
            top(state, desk, theme, Rect { height: 1, ..area }, buffer);
            if state.annotate.page == Page::Desk {
                if let Some(zones) = zones((area.width, area.height), desk) {
                    draw_desk(state, desk, &zones, theme, buffer);
                }
            } else {
                let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
                agreement::draw(state, theme, body, buffer);
            }
        }
        None => face(state, theme, area, buffer),
    }
    bottom(state, theme, Rect { y: area.bottom() - 1, height: 1, ..area }, buffer);
    overlays::draw(state, theme, area, buffer);
}

fn face(state: &State, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let (headline, hint) = match &state.annotate.opening {
        Opening::Failed(problem) => ("this project cannot be opened", problem.as_str()),
        _ => ("opening the queue …", ""),
    };
    let y = area.y + area.height / 3;
    put(buffer, area.x + 3, y, area.width - 6, headline, theme.accent());
    for (i, line) in wrap(hint, usize::from((area.width - 6).min(90))).into_iter().enumerate() {
        put(buffer, area.x + 3, y + 2 + i as u16, area.width - 6, &hint[line], theme.soft());
    }
}

/// Project, rubric, person; and on the right whether everything is on the disk.
fn top(state: &State, desk: &Desk, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let right = rect.right() - 1;
    let (words, style) = saving(desk, state.now, theme);
    let start = put_right(buffer, rect.x + rect.width / 4, right, rect.y, &words, style);
    let rubric = &desk.project.rubric;
    let role = if desk.author.adjudicator { "adjudicating" } else { "labelling" };
    let blind = if desk.session.blind { "blind" } else { "not blind" };
    let about = format!(
        "{} · {} {} · {role} as {} · {blind}",
        desk.project.name, rubric.title, desk.project.rubric_number, desk.author.name
    );
    let room = start.saturating_sub(2);
    let x = put(buffer, rect.x + 1, rect.y, room, "annotate", theme.accent().add_modifier(Modifier::BOLD));
    put(buffer, x + 3, rect.y, room.saturating_sub(x + 3), &about, theme.soft());
}

fn saving(desk: &Desk, now: std::time::Duration, theme: &Theme) -> (String, Style) {
    let waiting = desk.unsaved();
    match &desk.saving {
        Saving::Failed { words, again } => {
            let wait = again.saturating_sub(now).as_secs() + 1;
            let text = format!("NOT SAVED ({waiting} kept in memory, next try in {wait} s): {words}");
            (text, theme.caution().add_modifier(Modifier::BOLD))
        }
        _ if waiting > 0 => (format!("saving {waiting} …"), theme.soft()),
        _ if desk.kept == 0 => ("every answer is saved at once".to_owned(), theme.dim()),
        _ => (format!("{} saved · {} acts", theme.glyph("✓", "+"), desk.kept), theme.right()),
    }
}

fn draw_desk(state: &State, desk: &Desk, zones: &Zones, theme: &Theme, buffer: &mut Buffer) {
    progress(desk, theme, zones.progress, buffer);
    let Some(task) = desk.task() else {
        put(buffer, zones.head.x, zones.head.y, zones.head.width, "this queue is empty", theme.accent());
        return;
    };
    head(task, theme, zones.head, buffer);
    let shown = desk.columns();
    for (rect, slot) in zones.columns.iter().zip(shown.iter().skip(zones.first)) {
        column(state, desk, *slot, *rect, theme, buffer);
    }
    questions(state, desk, zones, theme, buffer);
    write_note(desk, zones, theme, buffer);
}

fn progress(desk: &Desk, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let progress = desk.session.progress();
    let mut parts = vec![format!("{} of {} saved", progress.saved, progress.total)];
    if progress.skipped > 0 {
        parts.push(format!("{} skipped", progress.skipped));
    }
    if progress.flagged > 0 {
        parts.push(format!("{} flagged", progress.flagged));
    }
    if let Some(pace) = desk.pace() {
        parts.push(format!("{} a trace", duration(pace)));
    }
    if let Some(left) = desk.time_left().filter(|left| !left.is_zero()) {
        parts.push(format!("{} left", duration(left)));
    }
    let text = parts.join("  ·  ");
    let start = put_right(buffer, rect.x + 1, rect.right() - 1, rect.y, &text, theme.dim());
    let room = start.saturating_sub(rect.x + 3);
    let filled = (usize::from(room) * progress.saved).checked_div(progress.total).unwrap_or(0) as u16;
    fill_row(buffer, rect.x + 1, rect.y, room, theme.glyph("─", "-"), theme.line());
    fill_row(buffer, rect.x + 1, rect.y, filled, theme.glyph("━", "="), theme.accent());
}

/// The item as the annotator sees it: never its gold, its explanation, or what people answered.
fn head(task: &Task, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let item = &task.item;
    let text = format!("{}  ·  {}", item.perspective.name, item.text);
    let lines = wrap(&text, usize::from(rect.width.min(100)));
    let rows = usize::from(rect.height.saturating_sub(2)).max(1);
    for (i, line) in lines.iter().take(rows).enumerate() {
        let mut piece = text[line.clone()].to_owned();
        if i + 1 == rows && lines.len() > rows {
            piece.push('…');
        }
        let y = rect.y + i as u16;
        put(buffer, rect.x, y, rect.width, &piece, theme.text());
        let name = item.perspective.name.len();
        if i == 0 && line.start == 0 && line.end >= name {
            put(buffer, rect.x, y, rect.width, &item.perspective.name, theme.accent());
        }
    }
    let used = lines.len().min(rows) as u16;
    let options: Vec<String> = item.options.iter().map(|c| format!("{} {}", c.letter, c.text)).collect();
    let y = rect.y + used;
    if y < rect.bottom() {
        put(buffer, rect.x, y, rect.width, &options.join("   "), theme.soft());
    }
}

fn column(state: &State, desk: &Desk, slot: usize, rect: Rect, theme: &Theme, buffer: &mut Buffer) {
    let Some(task) = desk.tasks.get(slot) else { return };
    let Some(text) = desk.text_of(task.id) else { return };
    let here = slot == desk.session.place().slot;
    column_head(state, desk, slot, task, here, rect, theme, buffer);
    let body = text_rect(rect);
    let anchor = desk.anchor(task.id);
    // Flags are shown only where they hide words: an annotator judges without the checks.
    let flagged = flags::hidden(state, &task.trace, text.steps());
    let look = steps::Look {
        theme,
        curve: &[],
        flagged: &flagged,
        blur: state.blur,
        anchor,
        cursor: here.then_some(desk.step),
        search: None,
        differs: &[],
        writing: false,
    };
    let drawn = steps::draw(&text.shown, &look, body, buffer);
    marks(desk, slot, here, body, theme, buffer);
    if let Some(step) = drawn.hidden {
        let more = text.shown.steps.len() - step;
        let words = format!("{} {more} more", theme.glyph("▾", "v"));
        put(buffer, body.x + 4, body.bottom(), body.width.saturating_sub(4), &words, theme.dim());
    }
}

/// The name of a column: a letter while the method is hidden.
fn column_title(state: &State, desk: &Desk, slot: usize, task: &Task) -> String {
    let siblings = {
        let slots = desk.session.slots();
        let first = slots.iter().position(|s| s.item == task.key.item_id).unwrap_or(slot);
        let count = slots.iter().filter(|s| s.item == task.key.item_id).count();
        (slot - first, count)
    };
    if desk.session.may_see(slot) {
        let known = state.methods.iter().find(|m| m.method.id == task.key.method);
        known.map_or(&task.key.method.0, |m| &m.method.title).clone()
    } else {
        format!("trace {} of {}", column_name(siblings.0), siblings.1)
    }
}

#[expect(clippy::too_many_arguments)]
fn column_head(
    state: &State,
    desk: &Desk,
    slot: usize,
    task: &Task,
    here: bool,
    rect: Rect,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let style = if here { theme.accent() } else { theme.soft() }.add_modifier(Modifier::BOLD);
    let label = desk.session.label_at(slot);
    let mut states = Vec::new();
    if label.is_some_and(|l| l.saved()) {
        states.push("saved");
    }
    if label.is_some_and(|l| l.skipped()) {
        states.push("skipped");
    }
    if label.is_some_and(|l| l.flagged()) {
        states.push("flagged");
    }
    if label.is_some_and(|l| l.unblinded) && desk.session.blind {
        states.push("not blind");
    }
    let states = states.join(" · ");
    let start = put_right(buffer, rect.x + rect.width / 3, rect.right(), rect.y, &states, theme.caution());
    let title = column_title(state, desk, slot, task);
    put(buffer, rect.x, rect.y, start.saturating_sub(rect.x + 1), &title, style);
    let answer = match task.trace.predicted_answer {
        Some(letter) => match task.item.option_text(letter) {
            Some(text) => format!("recorded answer {letter} {text}"),
            None => format!("recorded answer {letter}"),
        },
        None => "no recorded answer".to_owned(),
    };
    let mut facts = vec![(answer, theme.text())];
    if desk.session.may_see(slot) {
        facts.extend(revealed(state, task, theme));
    }
    let mut pieces = Vec::with_capacity(2 * facts.len());
    for (text, style) in &facts {
        if !pieces.is_empty() {
            pieces.push((" · ", theme.dim()));
        }
        pieces.push((text.as_str(), *style));
    }
    put_all(buffer, rect.x, rect.y + 1, rect.right(), &pieces);
}

/// What is hidden until the whole item is saved.
fn revealed(state: &State, task: &Task, theme: &Theme) -> Vec<(String, Style)> {
    let mut out = Vec::new();
    match (task.item.gold, task.trace.predicted_answer) {
        (Some(gold), Some(answer)) if gold == answer => out.push((format!("gold {gold} ✓"), theme.right())),
        (Some(gold), _) => out.push((format!("gold {gold} ✗"), theme.wrong())),
        (None, _) => out.push(("gold not known".to_owned(), theme.dim())),
    }
    if !task.trace.model.is_empty() {
        out.push((task.trace.model.clone(), theme.dim()));
    }
    if let Some(verdicts) = state.checks.of(&task.trace) {
        for (check, record) in verdicts {
            let flag = record.verdict.judged().is_some_and(|j| j.flag);
            let style = if flag { theme.caution() } else { theme.soft() };
            out.push((format!("{} {}", check.word(), record.verdict.word()), style));
        }
    }
    out
}

/// Marked words, the mark that is being made, and the word under the cursor.
fn marks(desk: &Desk, slot: usize, here: bool, body: Rect, theme: &Theme, buffer: &mut Buffer) {
    let (Some(task), Some(label)) = (desk.tasks.get(slot), desk.session.label_at(slot)) else { return };
    let Some(text) = desk.text_of(task.id) else { return };
    let visible = lines(text, desk.anchor(task.id), body);
    let mut paint = |piece: &std::ops::Range<usize>, style: Style| {
        for (y, x, cells) in cells_of(text, &visible, piece) {
            let area = Rect::new(x, y, cells, 1).intersection(body);
            buffer.set_style(area, style);
        }
    };
    for value in label.answers().values() {
        if let crate::core::annotation::Value::Spans(spans) = value {
            spans.iter().for_each(|span| paint(&text.bytes(span), theme.mark(theme.accent())));
        }
    }
    if here && desk.marking() {
        if let Some(span) = desk.begun.and_then(|begun| text.between(begun, desk.word)) {
            paint(&text.bytes(&span), theme.mark(theme.caution()));
        }
        if let Some(word) = text.words.get(desk.word) {
            paint(word, theme.accent().add_modifier(Modifier::REVERSED));
        }
    }
}

fn tone(tone: Tone, theme: &Theme) -> Style {
    match tone {
        Tone::Text => theme.text(),
        Tone::Strong => theme.text().add_modifier(Modifier::BOLD),
        Tone::Accent => theme.accent(),
        Tone::Soft => theme.soft(),
        Tone::Dim => theme.dim(),
        Tone::Caution => theme.caution(),
    }
}

fn questions(state: &State, desk: &Desk, zones: &Zones, theme: &Theme, buffer: &mut Buffer) {
    let rect = zones.questions;
    if zones.beside {
        for y in rect.top()..rect.bottom() {
            put(buffer, rect.x.saturating_sub(2), y, 1, theme.glyph("│", "|"), theme.line());
        }
    } else {
        fill_row(buffer, rect.x, rect.y - 1, rect.width, theme.glyph("─", "-"), theme.line());
    }
    let hidden = desk.task().zip(desk.text()).map(|(t, text)| flags::hidden(state, &t.trace, text.steps()));
    let hidden = hidden.unwrap_or_default();
    for (i, line) in panel::lines(desk, &hidden, rect.width, rect.height, zones.beside).iter().enumerate() {
        let pieces: Vec<(&str, Style)> =
            line.pieces.iter().map(|(t, text)| (text.as_str(), tone(*t, theme))).collect();
        put_all(buffer, rect.x, rect.y + i as u16, rect.right(), &pieces);
    }
}

fn write_note(desk: &Desk, zones: &Zones, theme: &Theme, buffer: &mut Buffer) {
    let Some(writing) = &desk.writing else { return };
    let title = writing.question.as_deref().unwrap_or("note");
    let area = zones.questions;
    let height = area.height.min(10);
    let room = Rect { height, y: area.bottom() - height, ..area };
    clear(buffer, room);
    let inner = frame::open(
        buffer,
        Rect { x: room.x, width: room.width + 2, ..room },
        theme,
        room.width,
        height,
        title,
        "esc keeps it   ctrl-c drops it",
    );
    let mut area = writing.area.clone();
    area.set_style(theme.text());
    area.set_cursor_line_style(Style::new());
    area.set_cursor_style(Style::new().add_modifier(Modifier::REVERSED));
    (&area).render(inner.intersection(buffer.area), buffer);
}

fn bottom(state: &State, theme: &Theme, rect: Rect, buffer: &mut Buffer) {
    let (mut x, right) = (rect.x + 1, rect.right() - 1);
    if let Some(toast) = &state.toast {
        let style = if toast.bad { theme.caution() } else { theme.soft() };
        put(buffer, x, rect.y, right - x, &toast.text, style);
        return;
    }
    let context = state.context();
    let marking = state.annotate.desk.as_ref().is_some_and(Desk::marking);
    let adjudicator = state.annotate.desk.as_ref().is_some_and(|d| d.author.adjudicator);
    let mut actions = match context {
        Context::Annotate => vec![Action::SaveLabel, Action::PreviousQuestion, Action::Undo, Action::Redo],
        _ => vec![Action::NextPage, Action::Select, Action::Numbers],
    };
    if context == Context::Annotate {
        if marking {
            actions.insert(0, Action::Mark);
        }
        if adjudicator {
            actions.push(Action::Adopt);
        }
        actions.extend([
            Action::SkipTrace,
            Action::FlagTrace,
            Action::EditNote,
            Action::SideBySide,
            Action::Reveal,
            Action::Numbers,
        ]);
    }
    actions.push(Action::Help);
    for action in actions {
        let Some(key) = state.setup.keymap.hint(context, action) else { continue };
        let (key, label) = (key.to_string(), action.short());
        let cells = (key.chars().count() + label.chars().count() + 3) as u16;
        if x + cells > right + 2 {
            break;
        }
        x = put_all(
            buffer,
            x,
            rect.y,
            right,
            &[(&key, theme.accent()), (" ", theme.dim()), (label, theme.dim())],
        ) + 2;
    }
}
