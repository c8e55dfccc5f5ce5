//! Which traces to label, and who labels them. Seeded: the same question gives the same answer.

use super::order::rank;
use crate::core::{ItemId, MethodId, corpus::Outcome};
use std::collections::{BTreeMap, BTreeSet};

/// A trace that could be labelled. `T` names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<T> {
    pub trace: T,
    pub item: ItemId,
    pub method: MethodId,
    pub sample: u32,
    pub outcome: Outcome,
    /// Whether the check that is sampled by holds against it; `None` without a verdict.
    pub flagged: Option<bool>,
}

/// By what the sample is balanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub method: bool,
    pub outcome: bool,
    pub check: bool,
}

/// A cell of the balance: what counts of method, outcome and check.
type Cell<'a> = (Option<&'a MethodId>, Option<Outcome>, Option<Option<bool>>);

/// Draws at most `limit` traces, as many from each cell of the balance as there are, cell after cell; within a cell the
/// draw is by chance. With `whole_items` all methods of a drawn item come along, for labelling side by side; the limit
/// then counts items.
pub fn sample<T: Clone>(
    candidates: &[Candidate<T>],
    balance: Balance,
    limit: Option<usize>,
    whole_items: bool,
    seed: u64,
) -> Vec<Candidate<T>> {
    let mut cells: BTreeMap<Cell<'_>, Vec<usize>> = BTreeMap::new();
    for (i, candidate) in candidates.iter().enumerate() {
        let cell = (
            balance.method.then_some(&candidate.method),
            balance.outcome.then_some(candidate.outcome),
            balance.check.then_some(candidate.flagged),
        );
        cells.entry(cell).or_default().push(i);
    }
    let luck = |i: &usize| {
        let c = &candidates[*i];
        rank(&[
            b"sample",
            &seed.to_be_bytes(),
            &c.item.0.to_be_bytes(),
            // Whole items are drawn by the item alone.
            if whole_items { b"" } else { c.method.0.as_bytes() },
            &c.sample.to_be_bytes(),
        ])
    };
    for cell in cells.values_mut() {
        cell.sort_by_key(|i| (luck(i), *i));
    }
    let mut drawn = BTreeSet::new();
    let mut items = BTreeSet::new();
    let mut round = 0;
    let limit = limit.unwrap_or(usize::MAX);
    loop {
        let mut any = false;
        for cell in cells.values() {
            let Some(i) = cell.get(round) else { continue };
            any = true;
            let full = if whole_items { items.len() >= limit } else { drawn.len() >= limit };
            if full && !(whole_items && items.contains(&candidates[*i].item)) {
                continue;
            }
            drawn.insert(*i);
            items.insert(candidates[*i].item);
        }
        if !any {
            break;
        }
        round += 1;
    }
    if whole_items {
        drawn.extend((0..candidates.len()).filter(|i| items.contains(&candidates[*i].item)));
    }
    drawn.into_iter().filter_map(|i| candidates.get(i).cloned()).collect()
}

/// Who labels an item. A shared item goes to `per_item` people, any other to one; everybody's share is as even as it
/// can be. Returns item and annotator.
pub fn assign(
    items: &[ItemId],
    annotators: &[String],
    per_item: usize,
    shared: usize,
    seed: u64,
) -> Vec<(ItemId, String)> {
    let mut order: Vec<ItemId> = items.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    order.sort_by_key(|item| rank(&[b"assign", &seed.to_be_bytes(), &item.0.to_be_bytes()]));
    let mut load: Vec<usize> = vec![0; annotators.len()];
    let mut out = Vec::new();
    for (at, item) in order.into_iter().enumerate() {
        let wanted = if at < shared { per_item } else { 1 }.clamp(1, annotators.len().max(1));
        let mut people: Vec<usize> = (0..annotators.len()).collect();
        let luck = |i: usize| rank(&[b"person", &item.0.to_be_bytes(), annotators[i].as_bytes()]);
        people.sort_by_key(|i| (load[*i], luck(*i)));
        for person in people.into_iter().take(wanted) {
            load[person] += 1;
            out.push((item, annotators[person].clone()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate<usize>> {
        (0..120)
            .map(|i| Candidate {
                trace: i,
                item: ItemId(i as u128 / 3),
                method: ["sft", "rlvr", "human-cot"][i % 3].into(),
                sample: 0,
                outcome: if i % 10 == 0 { Outcome::Wrong } else { Outcome::Right },
                flagged: (i % 2 == 0).then_some(i % 4 == 0),
            })
            .collect()
    }

    #[test]
    fn a_balanced_sample_takes_the_same_from_every_cell() {
        let by = Balance { method: true, outcome: true, check: false };
        let drawn = sample(&candidates(), by, Some(18), false, 7);
        assert_eq!(drawn.len(), 18);
        assert_eq!(
            drawn.iter().filter(|c| c.outcome == Outcome::Wrong).count(),
            9,
            "a tenth of all, half of these"
        );
        assert_eq!(drawn.iter().filter(|c| c.method.0 == "sft").count(), 6);
        assert_eq!(drawn, sample(&candidates(), by, Some(18), false, 7));
        assert_ne!(drawn, sample(&candidates(), by, Some(18), false, 8));
    }

    #[test]
    fn whole_items_bring_all_their_methods() {
        let drawn = sample(&candidates(), Balance::default(), Some(5), true, 7);
        assert_eq!(drawn.len(), 15);
        assert_eq!(sample(&candidates(), Balance::default(), None, false, 7).len(), 120);
    }

    #[test]
    fn shared_items_go_to_k_people_and_loads_are_even() {
        let items: Vec<ItemId> = (0..100).map(ItemId).collect();
        let people: Vec<String> = ["ada", "bo", "cy", "di"].map(str::to_owned).to_vec();
        let assigned = assign(&items, &people, 2, 50, 7);
        assert_eq!(assigned.len(), 150);
        let load = |who: &str| assigned.iter().filter(|(_, a)| a == who).count();
        assert!(people.iter().all(|p| (37..=38).contains(&load(p))));
        let shared = items.iter().filter(|i| assigned.iter().filter(|(item, _)| item == *i).count() == 2);
        assert_eq!(shared.count(), 50);
        assert_eq!(assign(&items, &people[..1], 3, 50, 7).len(), 100, "one person labels everything once");
    }
}
