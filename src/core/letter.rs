//! Option letters: `A` to `Z` as a type, so that "no answer" can never be an `A`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One option letter, `A` to `Z` (the study uses up to `K`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Letter(u8);

impl Letter {
    pub const A: Letter = Letter(0);
    pub const B: Letter = Letter(1);
    pub const C: Letter = Letter(2);

    /// The letter of the option at `index` (0 is `A`); `None` past `Z`.
    pub fn from_index(index: usize) -> Option<Letter> {
        (index < 26).then_some(Letter(index as u8))
    }

    /// The letter written as `c`, in either case; `None` for any other character.
    pub fn from_char(c: char) -> Option<Letter> {
        c.is_ascii_alphabetic().then(|| Letter(c.to_ascii_uppercase() as u8 - b'A'))
    }

    /// Position in the option list, `A` = 0.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The upper-case character.
    pub fn as_char(self) -> char {
        char::from(b'A' + self.0)
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

impl TryFrom<String> for Letter {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut chars = text.trim().chars();
        match (chars.next().and_then(Letter::from_char), chars.next()) {
            (Some(letter), None) => Ok(letter),
            _ => Err(format!("`{text}` is not an option letter (A to Z)")),
        }
    }
}

impl From<Letter> for String {
    fn from(letter: Letter) -> String {
        letter.to_string()
    }
}
