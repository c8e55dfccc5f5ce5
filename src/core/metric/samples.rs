//! Repeated samples of one method on one item: which of them count.

use serde::Serialize;
use std::{fmt, str::FromStr};

/// No answer could be read, or it names no option.
pub const NO_ANSWER: u8 = 254;

/// How repeated samples count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Samples {
    /// The first of each method on an item; the others are left out.
    #[default]
    First,
    /// The answer that most samples give.
    Majority,
    /// Every sample, averaged within its item.
    Mean,
}

impl Samples {
    pub const ALL: [Samples; 3] = [Samples::First, Samples::Majority, Samples::Mean];

    pub fn word(self) -> &'static str {
        match self {
            Samples::First => "first",
            Samples::Majority => "majority",
            Samples::Mean => "mean",
        }
    }

    /// What is done, as a sentence of a note.
    pub fn about(self) -> &'static str {
        match self {
            Samples::First => "the first of each method on an item counts",
            Samples::Majority => {
                "the answer that most samples of a method on an item give counts; answers that could not be read do not \
                 vote, and of equals the one given first wins"
            }
            Samples::Mean => {
                "every sample counts, averaged within its item, so that each item weighs the same; a pair of items or of \
                 methods counts as two samples drawn at random would. McNemar's test and the needed n are not defined then"
            }
        }
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Samples {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Samples::ALL.into_iter().find(|s| s.word() == word).ok_or_else(|| {
            let words = Samples::ALL.map(Samples::word).join(", ");
            format!("`{word}` is no way to count repeated samples; there are {words}")
        })
    }
}

/// The commonest answer; of equals the one given first; [`NO_ANSWER`] where none could be read.
pub fn majority(codes: &[u8]) -> u8 {
    let mut counts = [0u32; 26];
    for code in codes {
        if let Some(slot) = counts.get_mut(usize::from(*code)) {
            *slot += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    let wins = |code: &&u8| most > 0 && counts.get(usize::from(**code)) == Some(&most);
    codes.iter().find(wins).copied().unwrap_or(NO_ANSWER)
}

/// The codes of every sample, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeats {
    starts: Vec<u32>,
    codes: Vec<u8>,
}

impl Default for Repeats {
    fn default() -> Repeats {
        Repeats { starts: vec![0], codes: Vec::new() }
    }
}

impl Repeats {
    /// Adds the next row's samples.
    pub fn push(&mut self, codes: &[u8]) {
        self.codes.extend_from_slice(codes);
        self.starts.push(self.codes.len() as u32);
    }

    /// The samples of a row.
    pub fn row(&self, row: usize) -> &[u8] {
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(from), Some(to)) => self.codes.get(*from as usize..*to as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// All samples.
    pub fn all(&self) -> &[u8] {
        &self.codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_needs_readable_answers_and_ties_go_to_the_first_given() {
        assert_eq!(majority(&[2, 0, 0]), 0);
        assert_eq!(majority(&[2, 0, 0, 2]), 2);
        assert_eq!(majority(&[NO_ANSWER, NO_ANSWER, 1]), 1);
        assert_eq!((majority(&[NO_ANSWER]), majority(&[])), (NO_ANSWER, NO_ANSWER));
        assert!("best".parse::<Samples>().is_err());
        assert!(Samples::ALL.into_iter().all(|s| s.to_string().parse() == Ok(s)));
    }
}
