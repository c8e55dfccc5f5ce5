//! Queries over a corpus: one readable line, parsed, shown and evaluated. Never reads a file.
//!
//! A query is a conjunction of terms separated by spaces; `-` before a term negates it.
//!
//! | term | holds for items |
//! | --- | --- |
//! | `method:human-cot=right` | whose first sample of that method is right (`wrong`, `none`, `unjudged`, `run`, `not-run`); `method:*=wrong` for any method; `method:human-cot` alone is `=run` |
//! | `answer:B`, `answer:sft=B` | that any method, or this one, answers B |
//! | `check:sft/filler=flagged` | of which a check of that method's traces says so (`clear`, `unjudged`, `any`; `counted`: what its rate counts; of safety also a label, `own`, `prompt`); `check:filler` for any method |
//! | `gold:A` | whose gold is A (`gold:unknown`: not known) |
//! | `kind:right`, `dataset:vk`, `split:test`, `domain:family` | of that kind, data set, split, domain |
//! | `perspective:privacy`, `perspective="Right to privacy"` | whose perspective's name contains, or is, the text |
//! | `attribute:POLPARTY` | of that demographic attribute |
//! | `flips`, `agrees` | whose methods answer differently; all alike |
//! | `samples:>=2` | where some method has that many samples (`=`, `>`, `>=`, `<`, `<=`) |
//! | `unknown`, `repeats` | known only by a trace's `item_id`; that hold repeated traces |
//! | `privacy "some text"` | whose situation or question contains the words |
//! | `in:rationale privacy` | words from here on are sought in rationales (`in:text` turns back) |

mod evaluate;
mod parse;
mod suggest;

pub use evaluate::{ItemOrder, Order, PerspectiveCount, PerspectiveOrder, RationaleOf, Selection, evaluate};
pub use parse::ParseError;
pub use suggest::{Suggestion, suggest};

use super::{Kind, Letter, Outcome, check::CheckId, corpus::CheckTest};
use std::fmt;

/// A conjunction of terms; none selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query {
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    pub negated: bool,
    pub test: Test,
}

/// What a term asks of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    Method {
        method: MethodName,
        outcome: OutcomeTest,
    },
    Answer {
        method: MethodName,
        letter: Letter,
    },
    /// A check's result.
    Check {
        method: MethodName,
        check: CheckId,
        test: CheckTest,
    },
    /// `None` is "not known".
    Gold(Option<Letter>),
    Kind(Kind),
    Dataset(String),
    Split(String),
    /// The field of life that the item states.
    Domain(String),
    /// Part of the name, or all of it; case never matters.
    Perspective {
        name: String,
        whole: bool,
    },
    Attribute(String),
    Flips,
    Agrees,
    Samples(Comparison, u32),
    Unknown,
    Repeats,
    /// Words in the situation or question, or in any rationale.
    Text {
        place: Place,
        words: String,
    },
}

/// One method, or any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MethodName {
    Any,
    Id(String),
}

/// An outcome, or whether there is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeTest {
    Is(Outcome),
    Run,
}

impl OutcomeTest {
    fn word(self) -> &'static str {
        match self {
            OutcomeTest::Is(outcome) => outcome.word(),
            OutcomeTest::Run => "run",
        }
    }
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Equal,
    More,
    AtLeast,
    Less,
    AtMost,
}

impl Comparison {
    const ALL: [(Comparison, &'static str); 5] = [
        (Comparison::AtLeast, ">="),
        (Comparison::AtMost, "<="),
        (Comparison::More, ">"),
        (Comparison::Less, "<"),
        (Comparison::Equal, "="),
    ];

    fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::More => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
        }
    }
}

/// Where words are sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Text,
    Rationale,
}

impl Query {
    /// Reads a query line. The error says where, what, and what would be allowed.
    ///
    /// ```
    /// use pluriscope::core::query::Query;
    /// let query = Query::parse(r#"method:human-cot=right  flips "some text""#)?;
    /// assert_eq!(query.to_string(), r#"method:human-cot=right flips "some text""#);
    /// # Ok::<(), pluriscope::core::query::ParseError>(())
    /// ```
    pub fn parse(line: &str) -> Result<Query, ParseError> {
        parse::parse(line)
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether results of checks matter.
    pub fn asks_checks(&self) -> bool {
        self.terms.iter().any(|t| matches!(t.test, Test::Check { .. }))
    }

    /// Whether rationales must be read to evaluate it: slow on a large corpus.
    pub fn reads_rationales(&self) -> bool {
        self.terms.iter().any(|t| matches!(t.test, Test::Text { place: Place::Rationale, .. }))
    }
}

impl std::str::FromStr for Query {
    type Err = ParseError;
    fn from_str(line: &str) -> Result<Self, Self::Err> {
        Query::parse(line)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut place = Place::Text;
        for (i, term) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            if let Test::Text { place: wanted, .. } = term.test
                && wanted != place
            {
                f.write_str(if wanted == Place::Rationale { "in:rationale " } else { "in:text " })?;
                place = wanted;
            }
            if term.negated {
                f.write_str("-")?;
            }
            write!(f, "{}", term.test)?;
        }
        Ok(())
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::Method { method, outcome } => write!(f, "method:{method}={}", outcome.word()),
            Test::Answer { method: MethodName::Any, letter } => write!(f, "answer:{letter}"),
            Test::Answer { method, letter } => write!(f, "answer:{method}={letter}"),
            Test::Check { method, check, test } => {
                f.write_str("check:")?;
                if *method != MethodName::Any {
                    write!(f, "{method}/")?;
                }
                f.write_str(check.word())?;
                match test {
                    CheckTest::Any => Ok(()),
                    test => write!(f, "={}", Quoted(test.word())),
                }
            }
            Test::Gold(Some(letter)) => write!(f, "gold:{letter}"),
            Test::Gold(None) => f.write_str("gold:unknown"),
            Test::Kind(kind) => write!(f, "kind:{}", kind.word()),
            Test::Dataset(name) => write!(f, "dataset:{}", Quoted(name)),
            Test::Split(name) => write!(f, "split:{}", Quoted(name)),
            Test::Domain(name) => write!(f, "domain:{}", Quoted(name)),
            Test::Perspective { name, whole: true } => write!(f, "perspective={}", Quoted(name)),
            Test::Perspective { name, whole: false } => write!(f, "perspective:{}", Quoted(name)),
            Test::Attribute(name) => write!(f, "attribute:{}", Quoted(name)),
            Test::Flips => f.write_str("flips"),
            Test::Agrees => f.write_str("agrees"),
            Test::Samples(comparison, n) => {
                let sign = Comparison::ALL.iter().find(|(c, _)| c == comparison).map_or("=", |(_, s)| s);
                write!(f, "samples:{sign}{n}")
            }
            Test::Unknown => f.write_str("unknown"),
            Test::Repeats => f.write_str("repeats"),
            Test::Text { words, .. } => {
                let reserved = words.starts_with('-')
                    || words.contains([':', '='])
                    || parse::BARE_TERMS.contains(&words.as_str());
                if reserved { write!(f, "{}", AlwaysQuoted(words)) } else { write!(f, "{}", Quoted(words)) }
            }
        }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MethodName::Any => f.write_str("*"),
            MethodName::Id(id) if id == "*" || id.contains('=') => write!(f, "{}", AlwaysQuoted(id)),
            MethodName::Id(id) => write!(f, "{}", Quoted(id)),
        }
    }
}

/// Text that gets quotes where it needs them.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain =
            !self.0.is_empty() && !self.0.contains(|c: char| c.is_whitespace() || c == '"' || c == '\\');
        if plain { f.write_str(self.0) } else { write!(f, "{}", AlwaysQuoted(self.0)) }
    }
}

struct AlwaysQuoted<'a>(&'a str);

impl fmt::Display for AlwaysQuoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests;
