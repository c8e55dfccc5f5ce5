//! Server-sent events out of bytes, as the HTML standard has them, as far as completions use them.
//!
//! Takes bytes as they come, cut anywhere. An event is bounded: what never ends is an error, not memory.

/// The longest event that is taken in.
pub const LONGEST_EVENT: usize = 1 << 20;

/// An event went on and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent an event of more than {LONGEST_EVENT} bytes")]
pub struct TooLong;

/// The parser's memory between two pieces.
#[derive(Clone, Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    data: Option<String>,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    begun: bool,
}

impl Events {
    /// Takes in bytes; the data of every event that became complete.
    ///
    /// # Errors
    /// When one event is longer than [`LONGEST_EVENT`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut out = Vec::new();
        for &byte in bytes {
            let second = std::mem::take(&mut self.after_return) && byte == b'\n';
            match byte {
                _ if second => {}
                b'\r' | b'\n' => {
                    self.after_return = byte == b'\r';
                    self.end_line(&mut out)?;
                }
                _ if self.line.len() >= LONGEST_EVENT => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(out)
    }

    /// No byte follows: an event that lacks only its empty line counts.
    pub fn finish(&mut self) -> Result<Option<String>, TooLong> {
        let mut out = Vec::new();
        self.end_line(&mut out)?;
        self.end_line(&mut out)?;
        Ok(out.pop())
    }

    fn end_line(&mut self, out: &mut Vec<String>) -> Result<(), TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let line = if std::mem::replace(&mut self.begun, true) {
            &bytes[..]
        } else {
            bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)
        };
        if line.is_empty() {
            out.extend(self.data.take());
            return Ok(());
        }
        let (name, value) = match line.iter().position(|b| *b == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        if name == b"data" {
            let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value)).into_owned();
            let data = match self.data.take() {
                Some(mut data) => {
                    data.push('\n');
                    data.push_str(&value);
                    data
                }
                None => value,
            };
            if data.len() > LONGEST_EVENT {
                return Err(TooLong);
            }
            self.data = Some(data);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], piece: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut out = Vec::new();
        for part in text.chunks(piece.max(1)) {
            out.extend(events.push(part).unwrap());
        }
        out.extend(events.finish().unwrap());
        out
    }

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let text = b"\xef\xbb\xbf: hello\ndata: {\"a\":1}\r\n\r\nevent: x\rdata: one\rdata:two\r\rid: 3\n\ndata: [DONE]";
        for piece in 1..text.len() {
            assert_eq!(read(text, piece), ["{\"a\":1}", "one\ntwo", "[DONE]"], "pieces of {piece}");
        }
    }

    #[test]
    fn what_never_ends_is_an_error() {
        let mut events = Events::default();
        let endless = vec![b'x'; LONGEST_EVENT + 1];
        assert_eq!(events.push(&endless), Err(TooLong));
        let mut events = Events::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; LONGEST_EVENT / 2], b"\n"].concat();
        assert!(events.push(&line).is_ok());
        assert!(events.push(&line).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_pieces_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1usize..20) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, 200));
        }

        #[test]
        fn data_comes_back_whole(lines in prop::collection::vec("[^\r\n\u{0}]{0,20}", 1..5)) {
            let text: String = lines.iter().map(|l| format!("data: {l}\n")).collect::<String>() + "\n";
            prop_assert_eq!(read(text.as_bytes(), 3), [lines.join("\n")]);
        }
    }
}
