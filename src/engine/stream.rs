//! Tokens to text as they come: whole characters only, stop strings cut off wherever they fall.

/// The text of one growing sequence.
///
/// Text is *ready* once it cannot change any more: bytes of an unfinished character wait for the next token,
/// and so does a tail that may be the start of a stop string.
pub(super) struct TextStream {
    stops: Vec<String>,
    /// Tokens whose text may still change, with the last settled ones before them for context.
    window: Vec<u32>,
    /// How many tokens of the window are settled.
    settled: usize,
    /// All text so far, without the unfinished character.
    text: String,
    /// Bytes of `text` that were handed out.
    taken: usize,
    stopped: bool,
}

impl TextStream {
    pub fn new(stops: &[String]) -> Self {
        TextStream {
            stops: stops.iter().filter(|s| !s.is_empty()).cloned().collect(),
            window: Vec::new(),
            settled: 0,
            text: String::new(),
            taken: 0,
            stopped: false,
        }
    }

    /// Takes in one token; `true` when a stop string is complete: the text then ends before it.
    pub fn push<E>(&mut self, token: u32, decode: impl Fn(&[u32]) -> Result<String, E>) -> Result<bool, E> {
        self.window.push(token);
        self.settle(decode, false)
    }

    /// No token follows: what waited for one is text too.
    pub fn finish<E>(&mut self, decode: impl Fn(&[u32]) -> Result<String, E>) -> Result<bool, E> {
        let stopped = self.settle(decode, true)?;
        self.stopped = true;
        Ok(stopped)
    }

    fn settle<E>(&mut self, decode: impl Fn(&[u32]) -> Result<String, E>, last: bool) -> Result<bool, E> {
        if self.stopped || self.settled == self.window.len() {
            return Ok(false);
        }
        let before = decode(&self.window[..self.settled])?;
        let now = decode(&self.window)?;
        if now.ends_with('\u{fffd}') && !last {
            return Ok(false);
        }
        let from = self.text.len();
        self.text.push_str(now.get(before.len()..).unwrap_or_default());
        self.window.drain(..self.settled);
        self.settled = self.window.len();
        Ok(self.cut_at_stop(from))
    }

    /// Looks for a stop string that ends in the text after `from`.
    fn cut_at_stop(&mut self, from: usize) -> bool {
        let earliest = self
            .stops
            .iter()
            .filter_map(|stop| {
                let mut start = from.saturating_sub(stop.len());
                while !self.text.is_char_boundary(start) {
                    start -= 1;
                }
                self.text[start..].find(stop.as_str()).map(|at| start + at)
            })
            .min();
        if let Some(at) = earliest {
            self.text.truncate(at);
            self.stopped = true;
        }
        earliest.is_some()
    }

    /// Text that became ready since the last call.
    pub fn take_ready(&mut self) -> &str {
        let ready = if self.stopped { self.text.len() } else { self.text.len() - self.held() };
        let start = self.taken.min(ready);
        self.taken = start.max(ready);
        &self.text[start..ready]
    }

    /// Length of the longest tail that a stop string starts with.
    fn held(&self) -> usize {
        let tail = |stop: &String| {
            (1..stop.len())
                .rev()
                .filter(|&n| stop.is_char_boundary(n))
                .find(|&n| self.text.ends_with(&stop[..n]))
                .unwrap_or(0)
        };
        self.stops.iter().map(tail).max().unwrap_or(0)
    }

    /// All text so far.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn bytes(tokens: &[u32]) -> Result<String, Infallible> {
        let raw: Vec<u8> = tokens.iter().map(|&t| t as u8).collect();
        Ok(String::from_utf8_lossy(&raw).into_owned())
    }

    /// Feeds a text byte by byte; gives what was handed out after each byte, and the final text.
    fn feed(text: &str, stops: &[&str]) -> (Vec<String>, String, bool) {
        let stops: Vec<String> = stops.iter().map(|s| (*s).to_owned()).collect();
        let mut stream = TextStream::new(&stops);
        let mut out = Vec::new();
        let mut stopped = false;
        for byte in text.bytes() {
            stopped = stream.push(u32::from(byte), bytes).unwrap_or_default();
            out.push(stream.take_ready().to_owned());
            if stopped {
                break;
            }
        }
        if !stopped {
            stopped = stream.finish(bytes).unwrap_or_default();
            out.push(stream.take_ready().to_owned());
        }
        (out, stream.text().to_owned(), stopped)
    }

    #[test]
    fn unfinished_characters_wait() {
        let (out, text, _) = feed("aé", &[]);
        assert_eq!(out, ["a", "", "é", ""]);
        assert_eq!(text, "aé");
    }

    #[test]
    fn a_cut_character_is_shown_as_such_at_the_end() {
        let mut stream = TextStream::new(&[]);
        assert_eq!(stream.push(0xc3, bytes), Ok(false));
        assert_eq!(stream.take_ready(), "");
        assert_eq!(stream.finish(bytes), Ok(false));
        assert_eq!(stream.take_ready(), "\u{fffd}");
    }

    #[test]
    fn stop_strings_are_held_back_and_cut_off() {
        let (out, text, stopped) = feed("one\n\ntwo", &["\n\n"]);
        assert!(stopped);
        assert_eq!(text, "one");
        assert_eq!(out.concat(), "one");
        let (out, text, stopped) = feed("one\ntwo", &["\n\n"]);
        assert!(!stopped);
        assert_eq!((out.concat(), text.as_str()), ("one\ntwo".to_owned(), "one\ntwo"));
    }

    #[test]
    fn a_held_tail_comes_out_at_the_end() {
        let (out, text, stopped) = feed("all EN", &["END"]);
        assert!(!stopped);
        assert_eq!(out.concat(), "all EN");
        assert_eq!(text, "all EN");
    }

    proptest! {
        #[test]
        fn what_is_handed_out_is_the_text(text in "[a-c\\nüß日]{0,30}", stop in "[a-cü\\n]{1,3}") {
            let (out, whole, stopped) = feed(&text, &[&stop]);
            prop_assert_eq!(out.concat(), whole.clone());
            let want = text.find(&stop).map_or(text.as_str(), |at| &text[..at]);
            prop_assert_eq!(whole, want);
            prop_assert_eq!(stopped, text.contains(&stop));
        }

        #[test]
        fn any_bytes_are_survived(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut stream = TextStream::new(&[]);
            let mut out = String::new();
            for &byte in &raw {
                prop_assert_eq!(stream.push(u32::from(byte), bytes), Ok(false));
                out.push_str(stream.take_ready());
            }
            prop_assert_eq!(stream.finish(bytes), Ok(false));
            out.push_str(stream.take_ready());
            prop_assert_eq!(out, stream.text());
        }
    }
}
