//! Text to hashed features: words, word pairs and the letters inside words. Pure, allocation-light, and the
//! same at training and at use; the weights file is worthless with any other version of it.

use std::ops::Range;

/// Changes whenever a text would give other features than before.
pub const FEATURES_VERSION: u32 = 1;

/// Lengths of the letter sequences, in characters, over `^word$`.
const LETTERS: std::ops::RangeInclusive<usize> = 3..=5;
/// Longer words are read up to here.
const WORD_CHARS: usize = 24;
/// How much the kinds of features count, before the text's features are scaled to length 1.
const WORD: f32 = 1.0;
const PAIR: f32 = 0.3;
const LETTER: f32 = 0.6;

/// A word as the classifier reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Bytes of the text that it was read from.
    pub range: Range<usize>,
    /// Lower case, runs of one letter cut to two, digits as `0`.
    pub word: String,
}

/// The words of `text`. Links, `@names` and `<Placeholders>` are left out: they tell where a text comes
/// from, not what it says.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(len) = skipped(rest) {
            at += len;
        } else if c.is_alphanumeric() {
            let len = word_len(rest);
            out.push(Token { range: at..at + len, word: normal(&rest[..len]) });
            at += len;
        } else {
            at += c.len_utf8();
        }
    }
    out
}

/// The length of a link, name or placeholder at the start of `rest`.
fn skipped(rest: &str) -> Option<usize> {
    let until_space = || rest.find(char::is_whitespace).unwrap_or(rest.len());
    if rest.starts_with("http://") || rest.starts_with("https://") || rest.starts_with("www.") {
        return Some(until_space());
    }
    let body = |from: usize| {
        let tail = &rest[from..];
        tail.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tail.len())
    };
    if rest.starts_with('@') {
        let len = body(1);
        return (len > 0).then_some(1 + len);
    }
    if rest.starts_with('<') {
        let len = body(1);
        return (len > 0 && rest[1 + len..].starts_with('>')).then_some(len + 2);
    }
    None
}

/// A word goes on over an apostrophe or asterisk between letters ("don't", "f*ck").
fn word_len(rest: &str) -> usize {
    let mut end = 0;
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let joins = matches!(c, '\'' | '’' | '*')
            && chars.peek().is_some_and(|(_, next)| next.is_alphanumeric() || *next == '*' && c == '*');
        if !c.is_alphanumeric() && !joins {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

fn normal(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let (mut last, mut run, mut count) = ('\0', 0, 0);
    for c in word.chars().flat_map(char::to_lowercase) {
        let c = match c {
            '’' => '\'',
            c if c.is_numeric() => '0',
            c => c,
        };
        run = if c == last { run + 1 } else { 1 };
        last = c;
        if run > 2 || c == '0' && run > 1 {
            continue;
        }
        count += 1;
        if count > WORD_CHARS {
            break;
        }
        out.push(c);
    }
    out
}

/// The features of a text: buckets below `1 << bits` in rising order, each once, with values whose squares
/// add up to 1 (no features for a text without words).
pub fn features(text: &str, bits: u32) -> Vec<(u32, f32)> {
    let tokens = tokens(text);
    let mut raw = Vec::with_capacity(tokens.len() * 16);
    for (i, token) in tokens.iter().enumerate() {
        token_features(&token.word, bits, &mut raw);
        if let Some(next) = tokens.get(i + 1) {
            raw.push((pair(&token.word, &next.word, bits), PAIR));
        }
    }
    normalise(raw)
}

/// The word itself and the letter sequences inside it, not yet scaled.
pub(super) fn token_features(word: &str, bits: u32, out: &mut Vec<(u32, f32)>) {
    out.push((bucket(hash(1, word.as_bytes()), bits), WORD));
    // The word's bytes between boundary marks, and where each character starts.
    let mut bytes = [0u8; 4 * WORD_CHARS + 2];
    let mut starts = [0usize; WORD_CHARS + 3];
    bytes[0] = b'^';
    let (mut len, mut chars) = (1, 1);
    for c in word.chars().take(WORD_CHARS) {
        starts[chars] = len;
        len += c.encode_utf8(&mut bytes[len..]).len();
        chars += 1;
    }
    bytes[len] = b'$';
    starts[chars] = len;
    starts[chars + 1] = len + 1;
    let total = chars + 1;
    for n in LETTERS {
        for from in 0..(total + 1).saturating_sub(n) {
            let piece = &bytes[starts[from]..starts[from + n]];
            out.push((bucket(hash(2, piece), bits), LETTER));
        }
    }
}

/// The feature of two words in a row.
pub(super) fn pair(first: &str, second: &str, bits: u32) -> u32 {
    let h = hash(3, first.as_bytes());
    bucket(hash(h, second.as_bytes()), bits)
}

/// Each bucket once, scaled to length 1.
fn normalise(mut raw: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    raw.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    raw.dedup_by_key(|f| f.0);
    let norm = raw.iter().map(|f| f.1 * f.1).sum::<f32>().sqrt();
    if norm > 0.0 {
        raw.iter_mut().for_each(|f| f.1 /= norm);
    }
    raw
}

/// FNV-1a from a seed, with a final mix so that the high bits are good.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for &b in bytes {
        h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    }
    h ^= h >> 32;
    h = h.wrapping_mul(0xd6e8_feb8_6659_fd93);
    h ^ (h >> 32)
}

fn bucket(hash: u64, bits: u32) -> u32 {
    // 8 to 24 bits are used; anything else is a damaged file, kept in range.
    (hash >> 40) as u32 & ((1u32 << bits.min(24)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|t| t.word).collect()
    }

    #[test]
    fn words_are_lower_case_and_say_nothing_of_their_source() {
        assert_eq!(
            words("RT @some_one: Don’t go!! http://t.co/x soooo 1984"),
            ["rt", "don't", "go", "soo", "0"]
        );
        assert_eq!(words("<Person> met f*ck <b"), ["met", "f*ck", "b"]);
        assert_eq!(words("it's 'quoted' a*"), ["it's", "quoted", "a"]);
    }

    #[test]
    fn similar_spellings_share_features() {
        let shared = |a: &str, b: &str| {
            let (a, b) = (features(a, 18), features(b, 18));
            a.iter().filter(|f| b.iter().any(|g| g.0 == f.0)).count()
        };
        assert_eq!(shared("Killing", "killing!"), features("killing", 18).len());
        assert!(shared("killing", "killings") > 3 * shared("killing", "parsley").max(1));
    }

    proptest! {
        #[test]
        fn features_are_sorted_bounded_and_of_length_one(text in any::<String>(), bits in 8u32..24) {
            let all = features(&text, bits);
            prop_assert!(all.windows(2).all(|w| w[0].0 < w[1].0));
            prop_assert!(all.iter().all(|f| f.0 < 1 << bits && f.1 > 0.0));
            let norm: f32 = all.iter().map(|f| f.1 * f.1).sum();
            prop_assert!(all.is_empty() || (norm - 1.0).abs() < 1e-3);
        }

        #[test]
        fn ranges_are_in_order_on_character_boundaries(text in any::<String>()) {
            let mut end = 0;
            for token in tokens(&text) {
                prop_assert!(token.range.start >= end && text.get(token.range.clone()).is_some());
                end = token.range.end;
            }
        }
    }
}
