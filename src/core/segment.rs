//! Splits a rationale into steps: sentences and lines whose concatenation is exactly the text.

use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Byte ranges of the steps of `text`, in order, without gap or overlap.
///
/// Boundaries are Unicode sentence boundaries plus line ends. A piece without a letter or digit (blank
/// lines, dashes) and a bare list numeral ("1.", "2)", "Step 3:") join what follows, so that "1. The
/// landlord…" is one step; trailing pieces of that kind join what came before.
///
/// ```
/// use pluriscope::core::segment::steps;
/// let text = "1. It is theirs. So no.\n\nAnswer: B";
/// let pieces: Vec<_> = steps(text).into_iter().map(|r| &text[r]).collect();
/// assert_eq!(pieces, ["1. It is theirs. ", "So no.\n\n", "Answer: B"]);
/// ```
pub fn steps(text: &str) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for (line_start, line) in lines(text) {
        for (offset, piece) in line.split_sentence_bound_indices() {
            let end = line_start + offset + piece.len();
            if carries_on(&text[start..end])
                || abbreviated(&text[start..end]) && end < line_start + line.len()
            {
                continue;
            }
            out.push(start..end);
            start = end;
        }
    }
    if start < text.len() {
        // What is left has no words of its own, or is cut off: it belongs to the last step, if there is one.
        match out.last_mut() {
            Some(last) if !has_words(&text[start..]) => last.end = text.len(),
            _ => out.push(start..text.len()),
        }
    }
    merge_blank_tails(text, out)
}

/// Lines with their newline, and where each starts.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

fn has_words(piece: &str) -> bool {
    piece.chars().any(char::is_alphanumeric)
}

/// Whether a piece cannot stand as a step: no words, or only a list numeral.
fn carries_on(piece: &str) -> bool {
    let trimmed = piece.trim().trim_matches(|c: char| matches!(c, '*' | '#' | '-' | '(' | '_'));
    if !has_words(trimmed) {
        return true;
    }
    let bare = trimmed.trim_end_matches(['.', ')', ':', ']']).trim();
    let number = bare.strip_prefix("Step ").or_else(|| bare.strip_prefix("step ")).unwrap_or(bare);
    bare.len() < trimmed.len()
        && !number.is_empty()
        && number.len() <= 3
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a piece ends in an abbreviation that Unicode rules take for a sentence end.
fn abbreviated(piece: &str) -> bool {
    const SHORT: [&str; 14] = [
        "mr.", "mrs.", "ms.", "dr.", "e.g.", "i.e.", "vs.", "etc.", "st.", "prof.", "no.", "cf.", "jr.",
        "u.s.",
    ];
    let Some(last) = piece.split_whitespace().last() else { return false };
    let last = last.trim_start_matches(['(', '"', '“']).to_lowercase();
    SHORT.contains(&last.as_str()) && last != "no." && last != "etc."
        || last.len() == 2 && last.ends_with('.') && last.as_bytes()[0].is_ascii_alphabetic() && last != "i."
}

/// Blank pieces that were carried forward start the next step; give their white space to the one before,
/// so that a step never starts with an empty line.
fn merge_blank_tails(text: &str, mut steps: Vec<Range<usize>>) -> Vec<Range<usize>> {
    for i in 1..steps.len() {
        let piece = &text[steps[i].clone()];
        let blank = piece.len() - piece.trim_start().len();
        if blank > 0 {
            steps[i - 1].end += blank;
            steps[i].start += blank;
        }
    }
    steps.retain(|r| !r.is_empty());
    steps
}

#[cfg(test)]
mod tests {
    use super::steps;
    use proptest::prelude::*;

    fn pieces(text: &str) -> Vec<&str> {
        steps(text).into_iter().map(|r| &text[r]).collect()
    }

    #[test]
    fn list_numerals_join_the_next_sentence() {
        assert_eq!(
            pieces("1. One thing. 2. Another.\n3) Third"),
            ["1. One thing. ", "2. Another.\n", "3) Third"]
        );
        assert_eq!(pieces("Step 1: look.\nStep 2:\nthink."), ["Step 1: look.\n", "Step 2:\nthink."]);
    }

    #[test]
    fn abbreviations_do_not_end_a_step() {
        assert_eq!(
            pieces("Dr. Ode came, e.g. Tuesday. She left."),
            ["Dr. Ode came, e.g. Tuesday. ", "She left."]
        );
    }

    #[test]
    fn blank_text_is_at_most_one_step() {
        assert!(pieces("").is_empty());
        assert_eq!(pieces("\n \n").len(), 1);
    }

    proptest! {
        #[test]
        fn concatenation_is_the_text(text in any::<String>()) {
            prop_assert_eq!(pieces(&text).concat(), text);
        }

        #[test]
        fn prose_concatenates_too(text in "([A-Z][a-z]{0,6}|[0-9]{1,2}|e\\.g|Dr)([ .,:!?\n)]{1,3}([a-z]{1,8}|[0-9]\\.|\\*)){0,40}") {
            let all = pieces(&text);
            prop_assert_eq!(all.concat(), text.clone());
            prop_assert!(all.iter().all(|p| !p.is_empty()));
        }
    }
}
