//! A session as asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a header line, then one line a change.
//!
//! Frames in, lines out; only cells that changed are written. Also the way back: [`parse`] reads a recording and
//! [`playable`] lets through nothing but the drawing that this writer makes, since a file may come from anyone.

use super::ansi::sgr;
use ratatui::buffer::Buffer;
use serde_json::json;
use std::{fmt::Write, time::Duration};
use unicode_width::UnicodeWidthStr;

/// The longest recording that is read: events, and bytes of one.
const MOST_EVENTS: usize = 1_000_000;
const LONGEST_EVENT: usize = 4 << 20;

/// A recording being made.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    last: Option<Buffer>,
}

impl Cast {
    /// The header line. `stamp` is seconds since 1970, left out where recordings have to be equal.
    pub fn header(size: (u16, u16), title: &str, stamp: Option<u64>) -> String {
        let mut header = json!({ "version": 2, "width": size.0, "height": size.1, "title": title });
        if let Some(stamp) = stamp {
            header["timestamp"] = stamp.into();
        }
        header["env"] = json!({ "TERM": "xterm-256color" });
        format!("{header}\n")
    }

    /// What changed since the last frame, as lines of the file; nothing where nothing did.
    pub fn frame(&mut self, at: Duration, buffer: &Buffer) -> String {
        let mut out = String::new();
        let seconds = at.as_millis() as f64 / 1e3;
        if self.last.as_ref().is_none_or(|last| last.area != buffer.area) {
            let size = (buffer.area.width, buffer.area.height);
            if self.last.is_some() {
                let _ = writeln!(out, "{}", json!([seconds, "r", format!("{}x{}", size.0, size.1)]));
            }
            self.last = None;
        }
        let text = self.changes(buffer);
        if !text.is_empty() {
            let _ = writeln!(out, "{}", json!([seconds, "o", text]));
        }
        self.last = Some(buffer.clone());
        out
    }

    fn changes(&self, buffer: &Buffer) -> String {
        let mut out = String::new();
        if self.last.is_none() {
            out.push_str("\x1b[?25l\x1b[0m\x1b[2J");
        }
        let (mut place, mut style) = (None, None);
        for y in 0..buffer.area.height {
            let mut x = 0;
            while x < buffer.area.width {
                let Some(cell) = buffer.cell((x, y)) else { break };
                let cells = (cell.symbol().width().max(1) as u16).min(buffer.area.width - x);
                let before = self.last.as_ref().and_then(|last| last.cell((x, y)));
                let blank = before.is_none() && cell.symbol() == " " && sgr(cell) == "0";
                if before != Some(cell) && !blank {
                    if place != Some((x, y)) {
                        let _ = write!(out, "\x1b[{};{}H", y + 1, x + 1);
                    }
                    let wanted = sgr(cell);
                    if style.as_ref() != Some(&wanted) {
                        let _ = write!(out, "\x1b[{wanted}m");
                        style = Some(wanted);
                    }
                    out.push_str(cell.symbol());
                    place = Some((x + cells, y));
                }
                x += cells;
            }
        }
        out
    }
}

/// A recording that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    pub size: (u16, u16),
    /// When, and what is written then.
    pub events: Vec<(Duration, String)>,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CastError {
    #[error("line 1: no header of asciicast version 2")]
    Header,
    #[error("line {0}: not an event like [1.5, \"o\", \"text\"]")]
    Event(usize),
    #[error("line {0}: longer than {LONGEST_EVENT} bytes")]
    Long(usize),
    #[error("more than {MOST_EVENTS} events")]
    Many,
}

/// Reads a recording; events other than output are left out.
///
/// # Errors
/// With the line.
pub fn parse(text: &str) -> Result<Recording, CastError> {
    let mut lines = text.lines().enumerate();
    let header: serde_json::Value =
        lines.next().and_then(|(_, l)| serde_json::from_str(l).ok()).ok_or(CastError::Header)?;
    let side = |name: &str| header[name].as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    let (Some(2), Some(width), Some(height)) = (header["version"].as_u64(), side("width"), side("height"))
    else {
        return Err(CastError::Header);
    };
    let mut events = Vec::new();
    for (number, line) in lines {
        if line.len() > LONGEST_EVENT {
            return Err(CastError::Long(number + 1));
        }
        if line.trim().is_empty() {
            continue;
        }
        let (at, kind, data): (f64, String, String) =
            serde_json::from_str(line).map_err(|_| CastError::Event(number + 1))?;
        let at = Duration::try_from_secs_f64(at).map_err(|_| CastError::Event(number + 1))?;
        if kind == "o" {
            if events.len() >= MOST_EVENTS {
                return Err(CastError::Many);
            }
            events.push((at, data));
        }
    }
    Ok(Recording { size: (width, height), events })
}

/// The text with every escape sequence taken out that does more than move the cursor, colour, or clear.
pub fn playable(data: &str) -> String {
    let mut out = String::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.find(|c: char| c.is_control()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let sequence = rest.strip_prefix("\x1b[").and_then(|body| {
            let end = body.find(|c: char| !matches!(c, '0'..='9' | ';' | '?'))?;
            let last = body[end..].chars().next().filter(|c| "mHJKABCD".contains(*c) || "hl".contains(*c))?;
            let whole = &rest[..2 + end + 1];
            // Of the modes, only the cursor's visibility.
            (!"hl".contains(last) || body[..end] == *"?25").then_some(whole)
        });
        match sequence {
            Some(whole) => {
                out.push_str(whole);
                rest = &rest[whole.len()..];
            }
            None => {
                let first = rest.chars().next().map_or(1, char::len_utf8);
                if rest.starts_with(['\n', '\r']) {
                    out.push_str(&rest[..first]);
                }
                rest = &rest[first..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ratatui::{
        layout::Rect,
        style::{Color, Style},
    };

    fn screen(text: &str) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        buffer.set_string(0, 0, text, Style::new().fg(Color::Red));
        buffer
    }

    #[test]
    fn only_changes_are_written_and_they_draw_the_screen() {
        let mut cast = Cast::default();
        let mut file = Cast::header((8, 2), "t", None);
        file += &cast.frame(Duration::ZERO, &screen("abc"));
        assert_eq!(cast.frame(Duration::from_millis(500), &screen("abc")), "");
        file += &cast.frame(Duration::from_millis(1500), &screen("aXc日"));
        let read = parse(&file).unwrap();
        assert_eq!(
            (read.size, read.events.len(), read.events[1].0),
            ((8, 2), 2, Duration::from_millis(1500))
        );
        assert!(read.events[1].1.contains("X") && !read.events[1].1.contains('a'), "{:?}", read.events[1]);
        let mut terminal = vt100::Parser::new(2, 8, 0);
        for (_, data) in &read.events {
            assert_eq!(playable(data), *data, "our own drawing is let through");
            terminal.process(data.as_bytes());
        }
        assert_eq!(terminal.screen().contents(), "aXc日");
    }

    #[test]
    fn what_does_more_than_draw_is_taken_out() {
        assert_eq!(playable("a\x1b]52;c;ZXZpbA==\x07b"), "a]52;c;ZXZpbA==b");
        assert_eq!(playable("\x1b[?1049h\x1b[?25l\x1b[6n\x1bc\x1b[31mx"), "[?1049h\x1b[?25l[6nc\x1b[31mx");
        assert_eq!(playable("\u{9b}2J"), "2J");
    }

    #[test]
    fn other_files_are_refused_with_their_line() {
        assert_eq!(parse(""), Err(CastError::Header));
        assert_eq!(parse("{\"version\": 1, \"width\": 1, \"height\": 1}"), Err(CastError::Header));
        let header = Cast::header((8, 2), "t", Some(1));
        assert_eq!(parse(&format!("{header}[1]")), Err(CastError::Event(2)));
        assert_eq!(parse(&format!("{header}[-1.0, \"o\", \"\"]")), Err(CastError::Event(2)));
    }

    proptest! {
        #[test]
        fn never_panics_and_never_lets_a_control_through(text in any::<String>()) {
            let _ = parse(&text);
            let played = playable(&text);
            let mut terminal = vt100::Parser::new(5, 20, 0);
            terminal.process(played.as_bytes());
            let loud = played.contains(['\u{7}', '\u{9b}', '\u{0}']);
            prop_assert!(!loud);
            prop_assert_eq!(playable(&played), played);
        }
    }
}
