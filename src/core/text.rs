//! Small text tools: squeezing white space, neutralising what a terminal would obey, the words of a panic.

use std::{any::Any, borrow::Cow};

/// What a caught panic said.
pub fn panic_words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}

/// White space runs become one space; ends are trimmed.
pub fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Makes foreign text safe to show: every control character, bidirectional override and other
/// invisible format character becomes a visible stand-in, so no escape sequence reaches the terminal
/// and nothing can reorder or hide what is read. Newlines stay; a tab becomes spaces.
///
/// ```
/// use pluriscope::core::text::neutralise;
/// assert_eq!(neutralise("a\u{1b}[31mb\tc"), "a␛[31mb    c");
/// ```
pub fn neutralise(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && stand_in(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => out.push('\n'),
            '\r' if rest.peek() == Some(&'\n') => {}
            _ => match stand_in(c) {
                Some(replacement) => out.push_str(replacement),
                None => out.push(c),
            },
        }
    }
    Cow::Owned(out)
}

/// What is shown instead of a character that must not reach the terminal; `None` when it may.
fn stand_in(c: char) -> Option<&'static str> {
    const C0: [&str; 32] = [
        "␀", "␁", "␂", "␃", "␄", "␅", "␆", "␇", "␈", "    ", "␊", "␋", "␌", "␍", "␎", "␏", "␐", "␑", "␒",
        "␓", "␔", "␕", "␖", "␗", "␘", "␙", "␚", "␛", "␜", "␝", "␞", "␟",
    ];
    match c {
        '\u{0}'..='\u{1f}' => Some(C0[c as usize]),
        '\u{7f}' => Some("␡"),
        '\u{80}'..='\u{9f}' => Some("�"),
        // Bidirectional embeddings, overrides and isolates; line and paragraph separators; BOM; tags.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => Some("·"),
        '\u{e0000}'..='\u{e007f}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{ad}'
        | '\u{200b}'
        | '\u{2060}'..='\u{2064}' => Some(""),
        _ => None,
    }
}
