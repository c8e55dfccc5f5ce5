//! Word-level difference between two texts.

use similar::{Algorithm, DiffOp, TextDiff};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Texts longer than this are not compared: the cost grows with the product.
const LIMIT: usize = 40_000;

/// Byte ranges that only the one or only the other text has, in order; neighbouring ranges are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordDiff {
    pub left: Vec<Range<usize>>,
    pub right: Vec<Range<usize>>,
}

/// Compares word by word; white space does not count. `None` for texts that are too long.
///
/// ```
/// use pluriscope::core::diff::words;
/// let diff = words("the right opposes it", "the duty opposes it").unwrap_or_default();
/// assert_eq!((diff.left, diff.right), (vec![4..9], vec![4..8]));
/// ```
pub fn words(left: &str, right: &str) -> Option<WordDiff> {
    if left.len() > LIMIT || right.len() > LIMIT {
        return None;
    }
    let (a, b) = (split(left), split(right));
    let texts = |words: &[(usize, &'_ str)]| words.iter().map(|(_, w)| w.to_lowercase()).collect::<Vec<_>>();
    let (a_text, b_text) = (texts(&a), texts(&b));
    let a_ref: Vec<&str> = a_text.iter().map(String::as_str).collect();
    let b_ref: Vec<&str> = b_text.iter().map(String::as_str).collect();
    let diff = TextDiff::configure().algorithm(Algorithm::Patience).diff_slices(&a_ref, &b_ref);
    let mut out = WordDiff::default();
    for op in diff.ops() {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        push(&mut out.left, &a, op.old_range());
        push(&mut out.right, &b, op.new_range());
    }
    Some(out)
}

fn split(text: &str) -> Vec<(usize, &str)> {
    text.unicode_word_indices().collect()
}

fn push(out: &mut Vec<Range<usize>>, words: &[(usize, &str)], range: Range<usize>) {
    if let (Some(first), Some(last)) =
        (words.get(range.start), range.end.checked_sub(1).and_then(|i| words.get(i)))
        && range.start < range.end
    {
        out.push(first.0..last.0 + last.1.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_does_not_differ_from_itself(text in any::<String>()) {
            prop_assert_eq!(words(&text, &text), Some(WordDiff::default()));
        }

        #[test]
        fn ranges_are_valid(a in "[a-c é]{0,40}", b in "[a-c é]{0,40}") {
            let diff = words(&a, &b).unwrap_or_default();
            for (text, ranges) in [(&a, &diff.left), (&b, &diff.right)] {
                let mut last = 0;
                for r in ranges {
                    prop_assert!(r.start >= last && text.get(r.clone()).is_some());
                    last = r.end;
                }
            }
        }
    }
}
