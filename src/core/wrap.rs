//! Word wrapping by display width: byte ranges per line, so styles and search marks survive it.

use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Display width of `text` in terminal cells.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Lines of `text` no wider than `columns` cells, as byte ranges without the trailing blanks.
///
/// Breaks at white space; a word wider than the line is cut between graphemes; every newline ends a line.
/// `columns` of 0 gives nothing. The ranges are in order and never overlap.
///
/// ```
/// use pluriscope::core::wrap::wrap;
/// let text = "one two\nthree";
/// let lines: Vec<_> = wrap(text, 5).into_iter().map(|r| &text[r]).collect();
/// assert_eq!(lines, ["one", "two", "three"]);
/// ```
pub fn wrap(text: &str, columns: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    wrap_while(text, columns, |line| {
        lines.push(line);
        true
    });
    lines
}

/// As [`wrap`], handing over one line at a time until `take` says no: long texts cost what is shown of them.
pub fn wrap_while(text: &str, columns: usize, mut take: impl FnMut(Range<usize>) -> bool) {
    if columns == 0 {
        return;
    }
    let mut at = 0;
    for paragraph in text.split('\n') {
        if !wrap_paragraph(paragraph, at, columns, &mut take) {
            return;
        }
        at += paragraph.len() + 1;
    }
}

fn wrap_paragraph(
    paragraph: &str,
    base: usize,
    columns: usize,
    take: &mut impl FnMut(Range<usize>) -> bool,
) -> bool {
    let mut line: Option<Range<usize>> = None;
    let mut used = 0;
    for (at, word) in paragraph.split_word_bound_indices() {
        let end = at + word.len();
        let cells = word.width();
        if word.chars().all(char::is_whitespace) {
            if line.is_some() {
                used += cells;
            }
            continue;
        }
        match &mut line {
            Some(current) if used + cells <= columns => {
                current.end = end;
                used += cells;
            }
            // Punctuation clings to the word before it: move the last word down with it.
            Some(current) => {
                let clings = current.end == at && !word.chars().any(char::is_alphanumeric) && cells < columns;
                let cut =
                    if clings { last_word_start(&paragraph[current.clone()], current.start) } else { None };
                let rest = match cut {
                    Some(cut) => {
                        let kept =
                            current.start..current.start + paragraph[current.start..cut].trim_end().len();
                        if !take(kept.start + base..kept.end + base) {
                            return false;
                        }
                        cut..end
                    }
                    None => {
                        if !take(current.start + base..current.end + base) {
                            return false;
                        }
                        at..end
                    }
                };
                match cut_long(paragraph, rest, base, columns, take) {
                    Some((tail, width)) => {
                        line = Some(tail);
                        used = width;
                    }
                    None => return false,
                }
            }
            None => match cut_long(paragraph, at..end, base, columns, take) {
                Some((tail, width)) => {
                    line = Some(tail);
                    used = width;
                }
                None => return false,
            },
        }
    }
    let last = line.unwrap_or(0..0);
    take(last.start + base..last.end + base)
}

/// Start of the last word of a line, when a blank stands before it.
fn last_word_start(line: &str, base: usize) -> Option<usize> {
    let blank = line.rfind(char::is_whitespace)?;
    let after = blank + line[blank..].chars().next().map_or(1, char::len_utf8);
    (after < line.len()).then_some(base + after)
}

/// Emits full lines of a piece that is wider than the line; returns what is left and its width.
fn cut_long(
    paragraph: &str,
    piece: Range<usize>,
    base: usize,
    columns: usize,
    take: &mut impl FnMut(Range<usize>) -> bool,
) -> Option<(Range<usize>, usize)> {
    let whole = paragraph[piece.clone()].width();
    if whole <= columns {
        return Some((piece, whole));
    }
    let mut start = piece.start;
    let mut used = 0;
    for (offset, grapheme) in paragraph[piece.clone()].grapheme_indices(true) {
        let at = piece.start + offset;
        let cells = grapheme.width();
        if used + cells > columns && at > start {
            if !take(start + base..at + base) {
                return None;
            }
            start = at;
            used = 0;
        }
        used += cells;
    }
    Some((start..piece.end, used))
}

/// `text` cut to at most `columns` cells, with an ellipsis where something was left out.
///
/// ```
/// assert_eq!(pluriscope::core::wrap::truncate("a partner's messages", 10), "a partner…");
/// ```
pub fn truncate(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let cells = grapheme.width();
        if used + cells + 1 > columns {
            break;
        }
        out.push_str(grapheme);
        used += cells;
    }
    if columns > 0 {
        out.truncate(out.trim_end().len());
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str, columns: usize) -> Vec<&str> {
        wrap(text, columns).into_iter().map(|r| &text[r]).collect()
    }

    #[test]
    fn words_stay_whole_and_punctuation_clings() {
        assert_eq!(lines("alpha beta, gamma", 10), ["alpha", "beta,", "gamma"]);
        assert_eq!(lines("a\n\nb", 10), ["a", "", "b"]);
        assert_eq!(lines("abcdefgh", 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn wide_characters_count_two_cells() {
        assert_eq!(lines("日本語", 4), ["日本", "語"]);
        assert_eq!(truncate("日本語", 4), "日…");
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_word_is_lost(text in any::<String>(), columns in 2usize..40) {
            let text = crate::core::text::neutralise(&text).into_owned();
            let ranges = wrap(&text, columns);
            let mut last = 0;
            for r in &ranges {
                prop_assert!(r.start <= r.end);
                prop_assert!(r.is_empty() || r.start >= last);
                last = last.max(r.end);
                // A single grapheme may be wider than two cells.
                let line = &text[r.clone()];
                prop_assert!(line.width() <= columns || line.graphemes(true).count() == 1);
            }
            let kept: String = ranges.iter().flat_map(|r| text[r.clone()].chars()).filter(|c| !c.is_whitespace()).collect();
            let want: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            prop_assert_eq!(kept, want);
        }

        #[test]
        fn truncation_fits(text in any::<String>(), columns in 0usize..20) {
            prop_assert!(truncate(&text, columns).width() <= columns.max(text.width().min(columns)));
        }
    }
}
