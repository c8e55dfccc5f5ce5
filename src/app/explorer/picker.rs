//! The perspective picker: a tree of kinds, attributes and perspectives with counts, sorted and searched.

use crate::app::{geometry::list_scroll, input::Input};
use crate::core::{
    Kind,
    corpus::{Corpus, PerspectiveIx},
    perspective::attribute_title,
    query::{PerspectiveOrder, Selection},
};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use std::collections::{BTreeMap, BTreeSet};

/// The word for an order, and the order after it.
pub fn order_word(order: PerspectiveOrder) -> (&'static str, PerspectiveOrder) {
    match order {
        PerspectiveOrder::Count => ("count", PerspectiveOrder::Name),
        PerspectiveOrder::Name => ("name", PerspectiveOrder::Disagreement),
        PerspectiveOrder::Disagreement => ("disagreement", PerspectiveOrder::Count),
    }
}

/// What a row of the tree stands for; also what the item list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PickRow {
    #[default]
    Everything,
    Kind(Kind),
    Attribute(String),
    Perspective(PerspectiveIx),
}

/// A row as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct PickLine {
    pub row: PickRow,
    /// 0 for the root, 1 for kinds, 2 for attributes and perspectives, 3 for groups of an attribute.
    pub depth: u8,
    pub label: String,
    /// Items under it that pass the filter.
    pub count: usize,
    /// Mean disagreement, where the order asks for it.
    pub disagreement: Option<f32>,
    /// Whether it has rows under it, and whether they are shown.
    pub open: Option<bool>,
    /// Character positions of the label that the search matched.
    pub matched: Vec<u32>,
}

/// The picker's state.
#[derive(Clone, Debug, Default)]
pub struct Picker {
    pub lines: Vec<PickLine>,
    pub cursor: usize,
    pub scroll: usize,
    pub order: PerspectiveOrder,
    /// Whether keys go into the search.
    pub typing: bool,
    /// What is searched for; it stays while browsing the matches.
    pub search: Option<Input>,
    closed: BTreeSet<PickRow>,
}

impl Picker {
    /// The row under the cursor.
    pub fn current(&self) -> PickRow {
        self.lines.get(self.cursor).map_or(PickRow::Everything, |line| line.row.clone())
    }

    /// How many perspectives are listed.
    pub fn perspective_count(&self) -> usize {
        self.lines.iter().filter(|l| matches!(l.row, PickRow::Perspective(_))).count()
    }

    /// Opens or closes the group under the cursor, or the one that holds it.
    pub fn toggle(&mut self, open: Option<bool>) -> bool {
        let holder = (0..=self.cursor).rev().find(|i| self.lines.get(*i).is_some_and(|l| l.open.is_some()));
        let Some(line) = holder.and_then(|i| self.lines.get(i)) else { return false };
        let row = line.row.clone();
        let want = open.unwrap_or(!line.open.unwrap_or(true));
        if want {
            self.closed.remove(&row);
        } else {
            self.closed.insert(row.clone());
            self.cursor = holder.unwrap_or(self.cursor);
        }
        true
    }

    /// Moves the cursor; stays within the list.
    pub fn go(&mut self, to: usize, height: usize) {
        self.cursor = to.min(self.lines.len().saturating_sub(1));
        self.scroll = list_scroll(self.scroll, self.cursor, height, self.lines.len());
    }

    /// Puts the cursor on this row, where it is listed.
    pub fn seek(&mut self, row: &PickRow, height: usize) -> bool {
        let found = self.lines.iter().position(|l| l.row == *row);
        self.go(found.unwrap_or(self.cursor), height);
        found.is_some()
    }

    /// Builds the lines anew; the cursor stays on its row where that still exists.
    pub fn rebuild(&mut self, corpus: &Corpus, selection: &Selection, height: usize) {
        let here = self.current();
        self.lines = self.build(corpus, selection);
        if !self.seek(&here, height) && self.search.is_some() {
            // The best match, rather than a heading.
            let best = self.lines.iter().position(|l| matches!(l.row, PickRow::Perspective(_)));
            self.go(best.unwrap_or(0), height);
        }
    }

    fn build(&self, corpus: &Corpus, selection: &Selection) -> Vec<PickLine> {
        let needle = self.search.as_ref().map(|i| i.text().trim().to_owned()).filter(|t| !t.is_empty());
        let mut groups: BTreeMap<(Kind, String), Vec<(PickLine, u32)>> = BTreeMap::new();
        let mut finder = needle.as_deref().map(Finder::new);
        for share in &selection.perspectives {
            let Some(perspective) = corpus.perspective(share.perspective) else { continue };
            let mut matched = Vec::new();
            let mut score = 0;
            if let Some(finder) = &mut finder {
                let Some(found) = finder.find(&perspective.name) else { continue };
                (score, matched) = found;
            }
            let group = perspective.attribute.clone().unwrap_or_default();
            let disagreement = (self.order == PerspectiveOrder::Disagreement).then_some(share.disagreement);
            let label = match (&perspective.group, &needle) {
                (Some(group), None) => group.clone(),
                _ => perspective.name.clone(),
            };
            let depth = if group.is_empty() { 2 } else { 3 };
            let line = PickLine {
                row: PickRow::Perspective(share.perspective),
                depth,
                label,
                count: share.items,
                disagreement,
                open: None,
                matched,
            };
            groups.entry((perspective.kind, group)).or_default().push((line, score));
        }
        self.lay_out(groups, needle.is_some(), selection.items.len())
    }

    fn lay_out(
        &self,
        groups: BTreeMap<(Kind, String), Vec<(PickLine, u32)>>,
        searching: bool,
        total: usize,
    ) -> Vec<PickLine> {
        let heading = |row: PickRow, depth, label: String, count, closed: &BTreeSet<PickRow>| PickLine {
            open: Some(searching || !closed.contains(&row)),
            row,
            depth,
            label,
            count,
            disagreement: None,
            matched: Vec::new(),
        };
        let mut lines = Vec::new();
        if !searching {
            lines.push(PickLine {
                open: None,
                ..heading(PickRow::Everything, 0, "everything".to_owned(), total, &self.closed)
            });
        }
        let mut kind_count: BTreeMap<Kind, usize> = BTreeMap::new();
        for ((kind, _), members) in &groups {
            *kind_count.entry(*kind).or_default() += members.iter().map(|(l, _)| l.count).sum::<usize>();
        }
        let mut last_kind = None;
        for ((kind, attribute), mut members) in groups {
            let kind_row = PickRow::Kind(kind);
            let kind_open = searching || !self.closed.contains(&kind_row);
            if last_kind.replace(kind) != Some(kind) {
                let count = kind_count.get(&kind).copied().unwrap_or(0);
                lines.push(heading(kind_row, 1, kind.plural().to_owned(), count, &self.closed));
            }
            if !kind_open {
                continue;
            }
            if !attribute.is_empty() && !searching {
                let row = PickRow::Attribute(attribute.clone());
                let count = members.iter().map(|(l, _)| l.count).sum();
                let line = heading(row, 2, attribute_title(&attribute), count, &self.closed);
                let open = line.open == Some(true);
                lines.push(line);
                if !open {
                    continue;
                }
            }
            self.sort(&mut members, searching);
            lines.extend(members.into_iter().map(|(line, _)| line));
        }
        lines
    }

    fn sort(&self, members: &mut [(PickLine, u32)], searching: bool) {
        members.sort_by(|(a, a_score), (b, b_score)| {
            let by_name = || a.label.to_lowercase().cmp(&b.label.to_lowercase());
            let order = match self.order {
                _ if searching && a_score != b_score => b_score.cmp(a_score),
                PerspectiveOrder::Count => b.count.cmp(&a.count),
                PerspectiveOrder::Name => std::cmp::Ordering::Equal,
                PerspectiveOrder::Disagreement => {
                    b.disagreement.unwrap_or(0.0).total_cmp(&a.disagreement.unwrap_or(0.0))
                }
            };
            order.then_with(by_name)
        });
    }
}

/// Fuzzy search over perspective names and palette entries.
pub struct Finder {
    matcher: Matcher,
    pattern: Pattern,
    buffer: Vec<char>,
}

impl Finder {
    pub fn new(needle: &str) -> Finder {
        Finder {
            matcher: Matcher::new(Config::DEFAULT),
            pattern: Pattern::parse(needle, CaseMatching::Smart, Normalization::Smart),
            buffer: Vec::new(),
        }
    }

    /// Score and matched character positions; `None` when the needle is not in `label`.
    pub fn find(&mut self, label: &str) -> Option<(u32, Vec<u32>)> {
        let mut positions = Vec::new();
        let haystack = Utf32Str::new(label, &mut self.buffer);
        let score = self.pattern.indices(haystack, &mut self.matcher, &mut positions)?;
        positions.sort_unstable();
        positions.dedup();
        Some((score, positions))
    }
}
