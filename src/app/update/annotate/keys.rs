//! Keys that answer the question that waits, and keys of the text area.

use super::work;
use crate::app::{
    annotate::{Desk, Page, Writing},
    keymap::Key,
    state::{Screen, State},
};
use crate::core::annotation::{Kind, Value, session::Outcome};
use crossterm::event::KeyCode;
use ratatui_textarea::{CursorMove, Input, Key as TextKey, TextArea, WrapMode};

/// Keys that are answers, or text. `true` when it was one.
pub fn takes_key(state: &mut State, key: Key) -> bool {
    let Some(desk) = state.annotate.desk.as_mut().filter(|_| state.annotate.page == Page::Desk) else {
        return false;
    };
    if desk.writing.is_some() {
        write_key(state, key);
        return true;
    }
    let KeyCode::Char(c) = key.code else {
        if key.code == KeyCode::Esc && desk.begun.take().is_some() {
            return true;
        }
        return false;
    };
    if key.ctrl || key.alt {
        return false;
    }
    let Some(answer) = answer_of(desk, c) else { return false };
    work(state, |desk| match answer {
        Answer::Value(value) => desk.session.answer(value),
        Answer::Toggle(option) => desk.session.toggle(&option),
        Answer::No(why) => Outcome::Refused(why),
    });
    true
}

/// What a character says to the current question.
enum Answer {
    Value(Value),
    Toggle(String),
    No(String),
}

fn answer_of(desk: &Desk, c: char) -> Option<Answer> {
    let question = desk.session.question()?;
    let digit = c.to_digit(10).map(|d| d as usize);
    let nothing = || {
        if question.required {
            Answer::No("this needs an answer".to_owned())
        } else {
            Answer::Value(Value::Nothing)
        }
    };
    let beyond = |n: usize| Answer::No(format!("there is no answer {n} here"));
    Some(match (&question.kind, digit) {
        (Kind::Several(_), Some(0)) => Answer::Value(Value::Several(Default::default())),
        (Kind::Scale { low, high, .. }, Some(d)) => {
            if (*low..=*high).contains(&(d as i64)) {
                Answer::Value(Value::Scale(d as i64))
            } else {
                beyond(d)
            }
        }
        (_, Some(0)) => nothing(),
        (Kind::Single(choices), _) => {
            let found = match digit {
                Some(d) => choices.get(d - 1),
                None => choices.iter().find(|choice| choice.key == Some(c)),
            };
            match (found, digit) {
                (Some(choice), _) => Answer::Value(Value::Choice(choice.value.clone())),
                (None, Some(d)) => beyond(d),
                (None, None) => return None,
            }
        }
        (Kind::Several(choices), _) => {
            let found = match digit {
                Some(d) => choices.get(d - 1),
                None => choices.iter().find(|choice| choice.key == Some(c)),
            };
            match (found, digit) {
                (Some(choice), _) => Answer::Toggle(choice.value.clone()),
                (None, Some(d)) => beyond(d),
                (None, None) => return None,
            }
        }
        (Kind::YesNo { .. }, digit) => match (c, digit) {
            ('y', _) | (_, Some(1)) => Answer::Value(Value::YesNo(true)),
            ('n', _) | (_, Some(2)) => Answer::Value(Value::YesNo(false)),
            (_, Some(d)) => beyond(d),
            _ => return None,
        },
        (Kind::Step, Some(d)) => {
            let steps = desk.session.slot().map_or(0, |slot| slot.steps);
            if d <= steps {
                Answer::Value(Value::Step(d - 1))
            } else {
                Answer::No(match steps {
                    1 => "this rationale has one step".to_owned(),
                    _ => format!("this rationale has {steps} steps"),
                })
            }
        }
        (Kind::Span | Kind::Text, Some(d)) => beyond(d),
        (Kind::Scale { .. } | Kind::Step | Kind::Span | Kind::Text, None) => return None,
    })
}

/// Keys of the text area: Esc keeps what was written, Ctrl-C drops it.
fn write_key(state: &mut State, key: Key) {
    let Some(desk) = &mut state.annotate.desk else { return };
    let Some(writing) = &mut desk.writing else { return };
    if key.ctrl && key.code == KeyCode::Char('c') {
        desk.writing = None;
        return;
    }
    if key.code == KeyCode::Esc || (key.ctrl && key.code == KeyCode::Char('s')) {
        let text = writing.area.lines().join("\n");
        let question = writing.question.clone();
        desk.writing = None;
        return work(state, |desk| match question {
            None => desk.session.note(&text),
            Some(_) if text.trim().is_empty() => desk.session.clear(),
            Some(_) => desk.session.answer(Value::Text(text.trim_end().to_owned())),
        });
    }
    let typed = match key.code {
        KeyCode::Char(c) => TextKey::Char(c),
        KeyCode::Enter => TextKey::Enter,
        KeyCode::Backspace => TextKey::Backspace,
        KeyCode::Delete => TextKey::Delete,
        KeyCode::Tab => TextKey::Tab,
        KeyCode::Left => TextKey::Left,
        KeyCode::Right => TextKey::Right,
        KeyCode::Up => TextKey::Up,
        KeyCode::Down => TextKey::Down,
        KeyCode::Home => TextKey::Home,
        KeyCode::End => TextKey::End,
        KeyCode::PageUp => TextKey::PageUp,
        KeyCode::PageDown => TextKey::PageDown,
        _ => return,
    };
    writing.area.input(Input { key: typed, ctrl: key.ctrl, alt: key.alt, shift: false });
}

/// Pasted text goes where text is written.
pub fn paste(state: &mut State, text: &str) -> bool {
    let desk = state.annotate.desk.as_mut().filter(|_| state.screen == Screen::Annotate);
    let Some(writing) = desk.and_then(|d| d.writing.as_mut()) else { return false };
    writing.area.insert_str(crate::core::text::neutralise(&text.replace("\r\n", "\n").replace('\r', "\n")));
    true
}

pub(super) fn begin_writing(desk: &mut Desk, question: Option<String>) {
    let text = match &question {
        None => desk.session.label().map_or_else(String::new, |l| l.note().to_owned()),
        Some(id) => match desk.session.label().and_then(|l| l.answer(id)) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        },
    };
    let mut area = TextArea::new(text.lines().map(str::to_owned).collect());
    area.set_wrap_mode(WrapMode::Word);
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    desk.writing = Some(Writing { area, question });
}
