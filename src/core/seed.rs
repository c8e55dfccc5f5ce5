//! One seed per row, from the seed of the run and what the row is.

use super::{ItemId, MethodId};
use sha2::{Digest, Sha256};

/// The seed of one row: the same for the same run seed, item, method and repetition, whatever else runs.
///
/// SHA-256 over `pluriscope row seed 1`, the run seed (8 bytes, little end first), the item id (16 bytes, big
/// end first), the method id with a 0x1e byte after it, and the repetition (4 bytes, little end first); the
/// first 8 bytes, big end first, without the top 11 bits: 53 bits survive every JSON reader.
pub fn row_seed(run: u64, item: ItemId, method: &MethodId, sample: u32) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"pluriscope row seed 1");
    hash.update(run.to_le_bytes());
    hash.update(item.0.to_be_bytes());
    hash.update(method.0.as_bytes());
    hash.update([0x1e]);
    hash.update(sample.to_le_bytes());
    let mut head = [0u8; 8];
    head.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(head) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_the_value_is_stable() {
        let base = row_seed(7, ItemId(1), &"zero-shot-cot".into(), 0);
        assert_eq!(base, row_seed(7, ItemId(1), &"zero-shot-cot".into(), 0));
        for other in [
            row_seed(8, ItemId(1), &"zero-shot-cot".into(), 0),
            row_seed(7, ItemId(2), &"zero-shot-cot".into(), 0),
            row_seed(7, ItemId(1), &"rlvr".into(), 0),
            row_seed(7, ItemId(1), &"zero-shot-cot".into(), 1),
        ] {
            assert_ne!(base, other);
        }
        assert!(base < 1 << 53);
    }
}
