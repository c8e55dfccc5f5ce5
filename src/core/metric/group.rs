//! For whom: accuracy by perspective, kind, attribute, group, domain, gold and length, worst first.
//!
//! Small groups are not ranked by their noise. Each group's accuracy is shrunk towards the method's mean by a
//! beta prior fitted to all groups (method of moments), and groups below a minimum size are listed, not ranked.

mod tables;

use super::{columns::Columns, wilson::Interval};
use crate::core::{Corpus, Kind};
use serde::Serialize;
use std::collections::BTreeMap;
use tables::Tables;

/// Groups with fewer items are not ranked.
pub const FEWEST_ITEMS: u64 = 5;

/// What the items are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    Perspective,
    Kind,
    /// Demographic attribute, "POLPARTY".
    Attribute,
    /// Group within an attribute, "POLPARTY: Democrat".
    Group,
    Domain,
    Gold,
    /// Tokens that the method wrote.
    Length,
}

impl Grouping {
    pub const ALL: [Grouping; 7] = [
        Grouping::Perspective,
        Grouping::Kind,
        Grouping::Attribute,
        Grouping::Group,
        Grouping::Domain,
        Grouping::Gold,
        Grouping::Length,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Grouping::Perspective => "perspective",
            Grouping::Kind => "kind",
            Grouping::Attribute => "attribute",
            Grouping::Group => "group",
            Grouping::Domain => "domain",
            Grouping::Gold => "gold",
            Grouping::Length => "length",
        }
    }
}

/// Upper ends of the length groups, in tokens.
const LENGTHS: [u32; 5] = [32, 64, 128, 256, u32::MAX];

fn length_name(at: usize) -> String {
    match at {
        0 => "1 to 32 tokens".to_owned(),
        4 => "257 tokens and more".to_owned(),
        _ => format!("{} to {} tokens", LENGTHS[at - 1] + 1, LENGTHS[at]),
    }
}

/// One method within one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    pub n: u64,
    /// Right answers; where every sample counts, the sum of the items' shares of right ones.
    pub right: f64,
    /// Answers that could not be read; wrong, too.
    pub invalid: u64,
    /// 95 %, Wilson, at the number of independent items where situations lie in one group with several items.
    pub interval: Option<Interval>,
    /// Accuracy shrunk towards the method's mean; the rank goes by it.
    pub shrunken: Option<f64>,
}

impl Cell {
    pub fn accuracy(&self) -> Option<f64> {
        (self.n > 0).then(|| self.right / self.n as f64)
    }
}

/// One group over all methods.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    pub name: String,
    /// Items in it.
    pub items: u64,
    /// In the order of the columns' methods.
    pub cells: Vec<Cell>,
    /// Whether any method has enough items here to be ranked.
    pub ranked: bool,
}

/// All groups of one kind, worst first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Groups {
    pub by: Grouping,
    pub groups: Vec<Group>,
    /// Rows of which the group is not known: a trace without tokens, an item without a domain.
    pub unknown: u64,
    /// Groups in which no method ran; they are not listed.
    pub untouched: usize,
}

/// Groups the rows; `None` where this grouping says nothing about these items (one group, or none).
pub fn group(columns: &Columns, corpus: &Corpus, by: Grouping) -> Option<Groups> {
    let mut tables = Tables::new(columns);
    let names: Vec<String> = match by {
        Grouping::Length => (0..LENGTHS.len()).map(length_name).collect(),
        Grouping::Gold => (b'A'..=b'Z').map(|c| char::from(c).to_string()).collect(),
        Grouping::Kind => Kind::ALL.map(|k| k.word().to_owned()).to_vec(),
        Grouping::Domain => corpus.domains().iter().map(|d| d.to_string()).collect(),
        Grouping::Perspective => corpus.perspectives().iter().map(|p| p.name.clone()).collect(),
        Grouping::Attribute | Grouping::Group => Vec::new(),
    };
    let mut interned: BTreeMap<String, usize> = BTreeMap::new();
    // Per perspective, which attribute or group it is.
    let table: Vec<Option<usize>> = corpus
        .perspectives()
        .iter()
        .map(|p| {
            let attribute = p.attribute.as_ref()?;
            let name = match by {
                Grouping::Attribute => attribute.clone(),
                Grouping::Group => format!("{attribute}: {}", p.group.as_deref().unwrap_or("")),
                _ => return None,
            };
            let next = interned.len();
            Some(*interned.entry(name).or_insert(next))
        })
        .collect();
    let names = if interned.is_empty() {
        names
    } else {
        let mut names = vec![String::new(); interned.len()];
        interned.into_iter().for_each(|(name, at)| names[at] = name);
        names
    };
    let perspective = |row: usize| columns.perspectives.get(row).copied();
    let key = |row: usize| -> Option<usize> {
        match by {
            Grouping::Gold => columns.gold.get(row).map(|g| usize::from(*g)),
            Grouping::Domain => columns.domains.get(row).filter(|d| **d != u16::MAX).map(|d| usize::from(*d)),
            Grouping::Perspective => perspective(row).map(|p| p.0 as usize),
            Grouping::Kind => corpus.perspective(perspective(row)?).map(|p| p.kind as usize),
            Grouping::Attribute | Grouping::Group => {
                table.get(perspective(row)?.0 as usize).copied().flatten()
            }
            Grouping::Length => None,
        }
    };
    let length = |method: usize, row: usize| -> Option<usize> {
        let tokens = columns.methods.get(method)?.tokens.get(row).copied().filter(|t| *t > 0)?;
        LENGTHS.iter().position(|end| tokens <= *end)
    };
    if by == Grouping::Length {
        tables.fill_by(columns, names.len(), &length);
    } else {
        tables.fill(columns, names.len(), &key);
    }
    let mut groups = tables.finish(names, columns.methods.len());
    let all = groups.len();
    groups.retain(|g| g.cells.iter().any(|c| c.n > 0));
    let untouched = all - groups.len();
    (groups.len() > 1).then_some(Groups { by, groups, unknown: tables.unknown, untouched })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Item, Letter, Perspective, Trace, corpus::DatasetIx, metric::Samples};

    #[test]
    fn groups_come_worst_first_and_small_ones_last() {
        let mut items = Vec::new();
        let mut traces = Vec::new();
        for (perspective, right, n) in [("Care", 9, 10), ("Order", 2, 10), ("Thrift", 0, 2)] {
            for i in 0..n {
                let mut item = Item::value("vk", Perspective::named(perspective), &format!("situation {i}"));
                item.gold = Some(Letter::A);
                let answer = if i < right { "Answer: A" } else { "Answer: B" };
                traces.push(Trace::new(&item, "sft".into(), answer.to_owned()));
                items.push(item);
            }
        }
        let corpus = Corpus::of(&items, &traces);
        let all: Vec<_> = corpus.items().collect();
        let columns = Columns::of(&corpus, &all, DatasetIx(0), Samples::First);
        let groups = group(&columns, &corpus, Grouping::Perspective).unwrap();
        let names: Vec<_> = groups.groups.iter().map(|g| g.name.as_str()).collect();
        assert_eq!(names, ["Order", "Care", "Thrift"]);
        assert_eq!((groups.groups[0].cells[0].right, groups.groups[0].cells[0].n), (2.0, 10));
        assert!(!groups.groups[2].ranked);
        assert_eq!(group(&columns, &corpus, Grouping::Attribute), None);
        assert_eq!(group(&columns, &corpus, Grouping::Domain), None);
        assert_eq!(group(&columns, &corpus, Grouping::Length), None);
    }
}
