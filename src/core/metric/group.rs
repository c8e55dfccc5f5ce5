//! For whom: accuracy by perspective, kind, attribute, group, domain, gold and length, worst first.
//!
//! Small groups are not ranked by their noise. Each group's accuracy is shrunk towards the method's mean by a
//! beta prior fitted to all groups (method of moments), and groups below a minimum size are listed, not ranked.

use super::{
    columns::{Columns, NOT_RUN},
    wilson::{Interval, wilson},
};
use crate::core::{Corpus, Kind};
use serde::Serialize;
use std::collections::BTreeMap;

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
    pub right: u64,
    /// Answers that could not be read; wrong, too.
    pub invalid: u64,
    /// 95 %, Wilson, at the number of independent items where situations lie in one group with several items.
    pub interval: Option<Interval>,
    /// Accuracy shrunk towards the method's mean; the rank goes by it.
    pub shrunken: Option<f64>,
}

impl Cell {
    pub fn accuracy(&self) -> Option<f64> {
        (self.n > 0).then(|| self.right as f64 / self.n as f64)
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

/// Counts by group and method. Several items of one situation in one group are not independent: their variance is
/// summed per situation.
struct Tables {
    cells: Vec<Cell>,
    items: Vec<u64>,
    /// Per cell: sums over situations of right², right·n and n².
    squares: Vec<[u64; 3]>,
    methods: usize,
    unknown: u64,
}

impl Tables {
    fn new(columns: &Columns) -> Tables {
        Tables {
            cells: Vec::new(),
            items: Vec::new(),
            squares: Vec::new(),
            methods: columns.methods.len(),
            unknown: 0,
        }
    }

    fn size(&mut self, groups: usize) {
        self.cells = vec![Cell::default(); groups * self.methods];
        self.squares = vec![[0; 3]; groups * self.methods];
        self.items = vec![0; groups];
    }

    /// Every row belongs to one group.
    fn fill(&mut self, columns: &Columns, groups: usize, key: &dyn Fn(usize) -> Option<usize>) {
        self.size(groups);
        let mut run: Vec<(usize, usize)> = Vec::new();
        for rows in columns.clusters() {
            run.clear();
            for row in rows {
                match key(row).filter(|k| *k < groups) {
                    Some(k) => {
                        run.push((k, row));
                        self.items[k] += 1;
                    }
                    None => self.unknown += 1,
                }
            }
            run.sort_unstable();
            for method in 0..self.methods {
                let codes = &columns.methods[method].codes;
                self.add_runs(&run, method, &columns.gold, codes);
            }
        }
    }

    /// Each method has groups of its own.
    fn fill_by(&mut self, columns: &Columns, groups: usize, key: &dyn Fn(usize, usize) -> Option<usize>) {
        self.size(groups);
        let mut run: Vec<(usize, usize)> = Vec::new();
        for rows in columns.clusters() {
            for method in 0..self.methods {
                run.clear();
                let codes = &columns.methods[method].codes;
                for row in rows.clone().filter(|row| codes[*row] != NOT_RUN) {
                    match key(method, row) {
                        Some(k) => {
                            run.push((k, row));
                            self.items[k] += 1;
                        }
                        None => self.unknown += 1,
                    }
                }
                run.sort_unstable();
                self.add_runs(&run, method, &columns.gold, codes);
            }
        }
    }

    /// Adds one situation's rows, sorted by group.
    fn add_runs(&mut self, run: &[(usize, usize)], method: usize, gold: &[u8], codes: &[u8]) {
        let mut at = 0;
        while let Some((group, _)) = run.get(at) {
            let end = at + run[at..].iter().take_while(|(g, _)| g == group).count();
            let (mut n, mut right, mut invalid) = (0u64, 0u64, 0u64);
            for (_, row) in &run[at..end] {
                if codes[*row] != NOT_RUN {
                    n += 1;
                    right += u64::from(codes[*row] == gold[*row]);
                    invalid += u64::from(codes[*row] > 25);
                }
            }
            let slot = group * self.methods + method;
            let cell = &mut self.cells[slot];
            cell.n += n;
            cell.right += right;
            cell.invalid += invalid;
            let squares = &mut self.squares[slot];
            *squares = [squares[0] + right * right, squares[1] + right * n, squares[2] + n * n];
            at = end;
        }
    }

    fn finish(&mut self, names: Vec<String>, methods: usize) -> Vec<Group> {
        for (cell, squares) in self.cells.iter_mut().zip(&self.squares) {
            cell.interval = interval(cell, squares);
        }
        for method in 0..methods {
            let column: Vec<(u64, u64)> =
                self.cells.iter().skip(method).step_by(methods).map(|c| (c.right, c.n)).collect();
            for (cell, shrunken) in self.cells.iter_mut().skip(method).step_by(methods).zip(shrink(&column)) {
                cell.shrunken = shrunken;
            }
        }
        let mut groups: Vec<Group> = names
            .into_iter()
            .enumerate()
            .filter(|(at, _)| self.items[*at] > 0)
            .map(|(at, name)| {
                let cells = self.cells[at * methods..(at + 1) * methods].to_vec();
                let ranked = cells.iter().any(|c| c.n >= FEWEST_ITEMS);
                Group { name, items: self.items[at], cells, ranked }
            })
            .collect();
        // Worst first by the mean of the methods' shrunken accuracies; groups too small to rank come last.
        let mean = |g: &Group| {
            let known: Vec<f64> =
                g.cells.iter().filter(|c| c.n >= FEWEST_ITEMS).filter_map(|c| c.shrunken).collect();
            known.iter().sum::<f64>() / known.len().max(1) as f64
        };
        groups.sort_by(|a, b| {
            b.ranked.cmp(&a.ranked).then(mean(a).total_cmp(&mean(b))).then_with(|| a.name.cmp(&b.name))
        });
        groups
    }
}

/// Wilson at the effective number of items: n over the variance inflation of clustered rows, never below 1.
fn interval(cell: &Cell, squares: &[u64; 3]) -> Option<Interval> {
    let n = cell.n as f64;
    let p = cell.accuracy()?;
    let plain = n * p * (1.0 - p);
    let clustered = squares[0] as f64 - 2.0 * p * squares[1] as f64 + p * p * squares[2] as f64;
    let inflation = if plain > 0.0 { (clustered / plain).max(1.0) } else { 1.0 };
    if inflation <= 1.0 + 1e-9 {
        return wilson(cell.right as usize, cell.n as usize);
    }
    super::wilson::wilson_share(p, n / inflation)
}

/// Accuracies shrunk towards their common mean: (hits + M·μ) / (n + M), the beta prior's M from the variance between
/// groups beyond what chance gives (Kleinman 1973). Without such variance every group is the mean.
pub fn shrink(groups: &[(u64, u64)]) -> Vec<Option<f64>> {
    let used: Vec<(f64, f64)> =
        groups.iter().filter(|(_, n)| *n > 0).map(|(h, n)| (*h as f64, *n as f64)).collect();
    let total: f64 = used.iter().map(|(_, n)| n).sum();
    let mean = used.iter().map(|(h, _)| h).sum::<f64>() / total.max(1.0);
    let k = used.len() as f64;
    let spread: f64 = used.iter().map(|(h, n)| n * (h / n - mean).powi(2)).sum();
    let scale = total - used.iter().map(|(_, n)| n * n).sum::<f64>() / total.max(1.0);
    let chance = mean * (1.0 - mean);
    let between = if scale > 0.0 { ((spread - (k - 1.0) * chance) / scale).max(0.0) } else { 0.0 };
    groups
        .iter()
        .map(|(h, n)| {
            (*n > 0).then(|| {
                if between <= 0.0 {
                    return mean;
                }
                let prior = (chance / between - 1.0).max(0.0);
                (*h as f64 + prior * mean) / (*n as f64 + prior)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Item, Letter, Perspective, Trace, corpus::DatasetIx};

    #[test]
    fn a_tiny_group_does_not_lead_by_luck() {
        // One of one wrong against sixty of a hundred: the large group is surely bad, the tiny one perhaps.
        let shrunken = shrink(&[(0, 1), (40, 100), (60, 100), (55, 100)]);
        assert!(shrunken[0].unwrap() > shrunken[1].unwrap(), "{shrunken:?}");
        assert_eq!(shrink(&[(0, 0), (1, 2)])[0], None);
        let alike = shrink(&[(5, 10), (50, 100)]);
        assert_eq!(alike, [Some(0.5), Some(0.5)]);
    }

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
        let columns = Columns::of(&corpus, &all, DatasetIx(0));
        let groups = group(&columns, &corpus, Grouping::Perspective).unwrap();
        let names: Vec<_> = groups.groups.iter().map(|g| g.name.as_str()).collect();
        assert_eq!(names, ["Order", "Care", "Thrift"]);
        assert_eq!((groups.groups[0].cells[0].right, groups.groups[0].cells[0].n), (2, 10));
        assert!(!groups.groups[2].ranked);
        assert_eq!(group(&columns, &corpus, Grouping::Attribute), None);
        assert_eq!(group(&columns, &corpus, Grouping::Domain), None);
        assert_eq!(group(&columns, &corpus, Grouping::Length), None);
    }

    #[test]
    fn clustered_items_widen_the_interval() {
        let squares_of = |size: u64| [10 * size * size, 10 * size * size, 20 * size * size];
        let cell = |n| Cell { n, right: n / 2, ..Cell::default() };
        let single = interval(&cell(20), &squares_of(1)).unwrap();
        let clustered = interval(&cell(80), &squares_of(4)).unwrap();
        assert!((single.low - clustered.low).abs() < 1e-9);
    }
}
