//! The mouse on the desk: a click answers or moves, dragging marks words, the wheel scrolls.

use super::{
    desk::{column, scroll},
    keys::{begin_writing, takes_key},
    numbers, work,
};
use crate::app::{
    action::Action,
    annotate::{
        Desk, Page,
        layout::{self, byte_at, text_rect, zones},
        panel::{self, Target},
    },
    keymap::Key,
    state::State,
};
use crate::core::annotation::{Kind, Value, session::Outcome};
use crossterm::event::{KeyCode, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// A click answers, moves, or begins a mark; dragging marks words; the wheel scrolls.
pub fn on_mouse(state: &mut State, event: MouseEvent) {
    let at = Position::new(event.column, event.row);
    if state.annotate.page != Page::Desk {
        let by = match event.kind {
            MouseEventKind::ScrollUp => Action::Up,
            MouseEventKind::ScrollDown => Action::Down,
            _ => return,
        };
        return numbers::perform(state, by);
    }
    let Some(desk) = &state.annotate.desk else { return };
    if desk.writing.is_some() {
        return;
    }
    let Some(zones) = zones(state.size, desk) else { return };
    match event.kind {
        MouseEventKind::ScrollUp => scroll(state, -3),
        MouseEventKind::ScrollDown => scroll(state, 3),
        MouseEventKind::Down(MouseButton::Left) if zones.questions.contains(at) => {
            click_panel(state, &zones, at);
        }
        MouseEventKind::Down(MouseButton::Left) => click_text(state, &zones, at),
        MouseEventKind::Drag(MouseButton::Left) | MouseEventKind::Up(MouseButton::Left) => {
            let released = matches!(event.kind, MouseEventKind::Up(_));
            drag(state, at, released);
        }
        _ => {}
    }
}

fn click_panel(state: &mut State, zones: &layout::Zones, at: Position) {
    let Some(desk) = &mut state.annotate.desk else { return };
    let rect = zones.questions;
    let lines = panel::lines(desk, &[], rect.width, rect.height, zones.beside);
    match lines.get(usize::from(at.y - rect.y)).map(|line| line.target) {
        Some(Target::Question(question)) => work(state, |d: &mut Desk| {
            d.session.go_to_question(question);
            Outcome::Moved
        }),
        Some(Target::Digit(digit)) => {
            takes_key(state, Key::plain(KeyCode::Char(char::from(b'0' + digit.min(9)))));
        }
        Some(Target::Note) => begin_writing(desk, None),
        Some(Target::Nothing) | None => {}
    }
}

fn click_text(state: &mut State, zones: &layout::Zones, at: Position) {
    let Some(desk) = &mut state.annotate.desk else { return };
    let Some(hit) = zones.columns.iter().position(|rect| rect.contains(at)) else { return };
    let Some(slot) = desk.columns().get(zones.first + hit).copied() else { return };
    if slot != desk.session.place().slot {
        return work(state, |d| {
            d.session.go_to(slot);
            Outcome::Moved
        });
    }
    let (Some(task), Some(text)) = (desk.task().map(|t| t.id), desk.text().cloned()) else { return };
    let Some(byte) = byte_at(&text, desk.anchor(task), text_rect(zones.columns[hit]), at) else { return };
    desk.step = text.step_at(byte);
    desk.word = text.word_at(byte);
    if desk.marking() {
        desk.begun = Some(desk.word);
    } else if desk.session.question().is_some_and(|q| q.kind == Kind::Step) {
        let step = desk.step;
        work(state, |d| d.session.answer(Value::Step(step)));
    }
}

fn drag(state: &mut State, at: Position, released: bool) {
    let Some((task, rect)) = column(state) else { return };
    let Some(desk) = &mut state.annotate.desk else { return };
    let (Some(begun), Some(text)) = (desk.begun, desk.text().cloned()) else { return };
    if let Some(byte) = byte_at(&text, desk.anchor(task), rect, at) {
        desk.word = text.word_at(byte);
    }
    if released && desk.word != begun {
        desk.begun = None;
        if let Some(span) = text.between(begun, desk.word) {
            work(state, |d| d.session.mark(span));
        }
    }
}
