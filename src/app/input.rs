//! A one-line text input: insert, move and delete by grapheme and word.

use super::keymap::Key;
use crossterm::event::KeyCode;
use unicode_segmentation::UnicodeSegmentation;

/// Text and cursor (a byte offset on a grapheme boundary).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    cursor: usize,
}

impl Input {
    pub fn new(text: &str) -> Input {
        Input { text: text.to_owned(), cursor: text.len() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Puts pasted text in, as one line.
    pub fn insert(&mut self, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.text.insert_str(self.cursor, &line);
        self.cursor += line.len();
    }

    /// Replaces everything after byte `start` (a completion was taken).
    pub fn complete(&mut self, start: usize, text: &str) {
        if self.text.is_char_boundary(start) {
            self.text.replace_range(start..self.cursor.max(start), text);
            self.cursor = start + text.len();
        }
    }

    /// Handles an editing key; `false` when the key is none.
    pub fn key(&mut self, key: Key) -> bool {
        match (key.code, key.ctrl, key.alt) {
            (KeyCode::Char('a'), true, _) | (KeyCode::Home, ..) => self.cursor = 0,
            (KeyCode::Char('e'), true, _) | (KeyCode::End, ..) => self.cursor = self.text.len(),
            (KeyCode::Char('u'), true, _) => {
                self.text.replace_range(..self.cursor, "");
                self.cursor = 0;
            }
            (KeyCode::Char('k'), true, _) => self.text.truncate(self.cursor),
            (KeyCode::Char('w'), true, _) | (KeyCode::Backspace, _, true) => {
                let start = self.before().trim_end().rfind(' ').map_or(0, |i| i + 1);
                self.text.replace_range(start..self.cursor, "");
                self.cursor = start;
            }
            (KeyCode::Char(c), false, false) => self.insert(c.encode_utf8(&mut [0; 4])),
            (KeyCode::Backspace, ..) => {
                if let Some((at, _)) = self.before().grapheme_indices(true).next_back() {
                    self.text.replace_range(at..self.cursor, "");
                    self.cursor = at;
                }
            }
            (KeyCode::Delete, ..) => {
                if let Some(next) = self.text[self.cursor..].graphemes(true).next() {
                    let end = self.cursor + next.len();
                    self.text.replace_range(self.cursor..end, "");
                }
            }
            (KeyCode::Left, ..) => {
                self.cursor = self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
            }
            (KeyCode::Right, ..) => {
                self.cursor += self.text[self.cursor..].graphemes(true).next().map_or(0, str::len);
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_cursor_stays_on_a_boundary(keys in proptest::collection::vec(0u8..10, 0..60), paste in any::<String>()) {
            let mut input = Input::default();
            for k in keys {
                let code = match k {
                    0 => KeyCode::Char('é'), 1 => KeyCode::Char('日'), 2 => KeyCode::Left, 3 => KeyCode::Right,
                    4 => KeyCode::Backspace, 5 => KeyCode::Delete, 6 => KeyCode::Home, 7 => KeyCode::Char(' '),
                    8 => { input.insert(&paste); continue }
                    _ => { input.key(Key { code: KeyCode::Char('w'), ctrl: true, alt: false }); continue }
                };
                input.key(Key::plain(code));
                prop_assert!(input.text().is_char_boundary(input.before().len()));
            }
        }
    }
}
