//! For whom: a heat map per grouping, worst groups first, each cell opening the wrong answers behind it.

use super::{Cell, Column, NOT_KNOWN, Section, Sheet, interval, share, thousands};
use crate::core::{
    Kind, Letter, Outcome,
    metric::{
        group::{FEWEST_ITEMS, Group, Grouping, Groups},
        report::SetReport,
    },
    query::{MethodName, OutcomeTest, Test},
};

pub(super) fn sheets(set: &SetReport) -> Vec<Sheet> {
    set.groups.iter().map(|groups| sheet(set, groups)).collect()
}

fn sheet(set: &SetReport, groups: &Groups) -> Sheet {
    let small = groups.groups.iter().filter(|g| !g.ranked).count();
    let mut note = format!(
        "Accuracy, [95 %], n. Worst first by the methods' mean accuracy, each shrunk towards its method's own mean by a \
         beta prior fitted to all groups. Intervals: Wilson, at the effective n where one {} lies in a group with \
         several items.",
        set.cluster_word(1)
    );
    if small > 0 {
        note.push_str(&format!(
            " {} groups with fewer than {FEWEST_ITEMS} answered items come last, unranked.",
            thousands(small as u64)
        ));
    }
    if groups.untouched > 0 {
        note.push_str(&format!(" {} groups have no trace.", thousands(groups.untouched as u64)));
    }
    if groups.unknown > 0 {
        let what = if groups.by == Grouping::Length { "traces" } else { "items" };
        note.push_str(&format!(" {} {what} state no {}.", thousands(groups.unknown), groups.by.word()));
    }
    Sheet {
        section: Section::Groups,
        title: format!("by {}", groups.by.word()),
        note,
        columns: std::iter::once(Column::text(groups.by.word()))
            .chain(set.methods.iter().map(|m| Column::number(&m.method)))
            .collect(),
        rows: groups.groups.iter().map(|g| row(set, groups.by, g)).collect(),
        heat: true,
        widths: Vec::new(),
    }
}

fn row(set: &SetReport, by: Grouping, group: &Group) -> Vec<Cell> {
    let own = test(by, &group.name);
    let title = Cell { quiet: !group.ranked, n: Some(group.items), ..Cell::text(&group.name) };
    let title = if let Some(test) = own.clone() { title.opens([test]) } else { title };
    let cells = group.cells.iter().enumerate().map(|(method, cell)| {
        let Some(accuracy) = cell.accuracy() else { return Cell::text(NOT_KNOWN).quiet() };
        let range = cell.interval.map_or(String::new(), |i| format!(" {}", interval(i)));
        let shown = Cell {
            text: format!("{}{range} {}", share(accuracy), thousands(cell.n)),
            value: Some(accuracy),
            interval: cell.interval,
            n: Some(cell.n),
            quiet: cell.n < FEWEST_ITEMS,
            ..Cell::default()
        };
        let wrong = Test::Method {
            method: MethodName::Id(set.method(method).to_owned()),
            outcome: OutcomeTest::Is(Outcome::Wrong),
        };
        match own.clone() {
            Some(test) => shown.opens([test, wrong]),
            None => shown,
        }
    });
    std::iter::once(title).chain(cells).collect()
}

/// The query term that selects a group; lengths have none.
fn test(by: Grouping, name: &str) -> Option<Test> {
    match by {
        Grouping::Perspective => Some(Test::Perspective { name: name.to_owned(), whole: true }),
        Grouping::Kind => Kind::from_word(name).map(Test::Kind),
        Grouping::Attribute => Some(Test::Attribute(name.to_owned())),
        Grouping::Group => {
            let (attribute, group) = name.split_once(": ")?;
            let name = crate::core::Perspective::demographic(attribute, group).name;
            Some(Test::Perspective { name, whole: true })
        }
        Grouping::Domain => Some(Test::Domain(name.to_owned())),
        Grouping::Gold => name.chars().next().and_then(Letter::from_char).map(|l| Test::Gold(Some(l))),
        Grouping::Length => None,
    }
}
