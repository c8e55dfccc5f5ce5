//! Who sees what in which order: shuffled by annotator and item, and the same for one annotator every time.

use crate::core::{ItemId, check::TraceKey};
use sha2::{Digest, Sha256};

/// Where an item stands in an annotator's queue: a number to sort by.
pub fn queue_rank(annotator: &str, item: ItemId) -> u64 {
    rank(&[b"queue", annotator.as_bytes(), &item.0.to_be_bytes()])
}

/// Where a trace stands among the columns of its item. Traces that come later do not move the others.
pub fn column_rank(annotator: &str, trace: &TraceKey) -> u64 {
    let sample = trace.sample.to_be_bytes();
    rank(&[
        b"column",
        annotator.as_bytes(),
        &trace.item_id.0.to_be_bytes(),
        trace.method.0.as_bytes(),
        &sample,
        trace.text.as_bytes(),
    ])
}

/// A number for these parts that looks drawn and is not.
pub fn rank(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"pluriscope annotation order 1");
    for part in parts {
        hash.update([0x1e]);
        hash.update(part);
    }
    let mut head = [0u8; 8];
    head.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(head)
}

/// The name of a column while its method is hidden: A, B, … Z, AA, AB …
pub fn column_name(index: usize) -> String {
    let letter = char::from(b'A' + (index % 26) as u8);
    match index / 26 {
        0 => letter.to_string(),
        more => format!("{}{letter}", column_name(more - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::MethodId;

    fn columns(annotator: &str, item: u128) -> Vec<usize> {
        let methods = ["zero-shot-cot", "human-cot", "synthetic-cot", "rlvr", "sft"];
        let key = |m: &&str| TraceKey {
            item_id: ItemId(item),
            method: MethodId::from(*m),
            sample: 0,
            seed: None,
            text: "0".to_owned(),
        };
        let mut order: Vec<usize> = (0..methods.len()).collect();
        order.sort_by_key(|i| column_rank(annotator, &key(&methods[*i])));
        order
    }

    #[test]
    fn columns_differ_by_person_and_item_and_stay_for_one() {
        assert_eq!(columns("ada", 1), columns("ada", 1));
        let people: std::collections::BTreeSet<_> =
            (0..20).map(|i| columns(&format!("person {i}"), 1)).collect();
        let items: std::collections::BTreeSet<_> = (0..20).map(|i| columns("ada", i)).collect();
        assert!(people.len() > 15 && items.len() > 15, "{} {}", people.len(), items.len());
    }

    #[test]
    fn every_place_is_as_likely() {
        let first = (0..2000).filter(|i| columns("ada", *i)[0] == 0).count();
        assert!((320..480).contains(&first), "{first} of 2000, expected about 400");
    }

    #[test]
    fn names_go_on_after_z() {
        assert_eq!([0, 25, 26, 51, 52].map(column_name), ["A", "Z", "AA", "AZ", "BA"]);
    }
}
