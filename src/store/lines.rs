//! Reads a file in blocks that end at line ends, by position; nothing is mapped, no line grows unbounded.

use memchr::{memchr, memchr_iter, memrchr};
use std::{fs::File, io};

/// A longer line is reported and skipped.
pub const MAX_LINE: usize = 16 << 20;

/// How much is read at once while a long line is skipped or completed.
const STEP: usize = 1 << 20;

/// Reads at an offset, without moving a shared cursor. 0 bytes is the end.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, offset);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
}

/// Fills as much of the buffer as the file has.
pub fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_at(file, &mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Whole lines, or one that is too long to be read.
#[derive(Debug)]
pub enum Block {
    Lines { offset: u64, first_line: u64, bytes: Vec<u8> },
    TooLong { line: u64, len: u64 },
}

/// The blocks of a file, in order.
pub struct Blocks<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    line: u64,
}

impl<'a> Blocks<'a> {
    /// Reads `file` up to `end`; what is appended later is for the next opening.
    pub fn new(file: &'a File, end: u64) -> Blocks<'a> {
        Blocks { file, at: 0, end, line: 1 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The next block of about `size` bytes; `None` at the end.
    pub fn next_block(&mut self, size: usize) -> io::Result<Option<Block>> {
        let (offset, first_line) = (self.at, self.line);
        let mut bytes = Vec::new();
        let mut step = size;
        loop {
            let old = bytes.len();
            let left = (self.end - offset).saturating_sub(old as u64);
            bytes.resize(old + step.min(usize::try_from(left).unwrap_or(step)), 0);
            let got = read_full_at(self.file, &mut bytes[old..], offset + old as u64)?;
            let at_end = old + got < bytes.len() || got as u64 == left;
            bytes.truncate(old + got);
            if bytes.is_empty() {
                self.at = self.end;
                return Ok(None);
            }
            if let Some(last) = memrchr(b'\n', &bytes[old..]).map(|at| old + at)
                && !at_end
            {
                bytes.truncate(last + 1);
            } else if !at_end && bytes.len() <= MAX_LINE {
                step = STEP;
                continue;
            } else if !at_end {
                return self.skip_long(bytes.len() as u64).map(Some);
            }
            self.at = if at_end { self.end } else { offset + bytes.len() as u64 };
            self.line += memchr_iter(b'\n', &bytes).count() as u64;
            return Ok(Some(Block::Lines { offset, first_line, bytes }));
        }
    }

    /// Goes on to the next line end without keeping what lies between.
    fn skip_long(&mut self, mut len: u64) -> io::Result<Block> {
        let mut buffer = vec![0; STEP];
        loop {
            let got = read_full_at(self.file, &mut buffer, self.at + len)?;
            let found = memchr(b'\n', &buffer[..got]);
            len += found.map_or(got, |at| at + 1) as u64;
            if found.is_some() || got < buffer.len() {
                break;
            }
        }
        let line = self.line;
        self.at = (self.at + len).min(self.end);
        self.line += 1;
        Ok(Block::TooLong { line, len })
    }
}

/// One line of a block: its number and offset in the file, and its bytes without the line end.
pub struct Line<'a> {
    pub number: u64,
    pub offset: u64,
    pub bytes: &'a [u8],
}

/// The lines of a block that are not blank. A byte order mark at the start of the file is left out.
pub fn lines(offset: u64, first_line: u64, bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    let mut number = first_line;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found);
            let (from, this) = (at, number);
            at = end + 1;
            number += 1;
            let mut line = &bytes[from..end];
            let mut start = offset + from as u64;
            if start == 0
                && let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf")
            {
                line = rest;
                start = 3;
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.trim_ascii().is_empty() {
                return Some(Line { number: this, offset: start, bytes: line });
            }
        }
        None
    })
}

/// A line as text, if it is short enough and UTF-8.
pub fn text<'a>(line: &Line<'a>) -> Result<&'a str, String> {
    if line.bytes.len() > MAX_LINE {
        return Err(too_long(line.bytes.len() as u64));
    }
    std::str::from_utf8(line.bytes)
        .map_err(|e| format!("not UTF-8 text at byte {}; save the file as UTF-8", e.valid_up_to() + 1))
}

/// The reason for a line beyond [`MAX_LINE`].
pub fn too_long(len: u64) -> String {
    let mib = |n: u64| n.div_ceil(1 << 20);
    format!("the line is {} MiB long, more than the {} MiB that are read", mib(len), mib(MAX_LINE as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn all(bytes: &[u8], size: usize) -> Vec<(u64, u64, Vec<u8>)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut blocks = Blocks::new(&file, bytes.len() as u64);
        let mut out = Vec::new();
        while let Some(block) = blocks.next_block(size).unwrap() {
            match block {
                Block::Lines { offset, first_line, bytes } => out.extend(
                    lines(offset, first_line, &bytes).map(|l| (l.number, l.offset, l.bytes.to_vec())),
                ),
                Block::TooLong { line, len } => out.push((line, len, Vec::new())),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn block_size_never_matters(bytes in "[ab\r\n]{0,60}", size in 1..20usize) {
            prop_assert_eq!(all(bytes.as_bytes(), size), all(bytes.as_bytes(), 1 << 20));
        }
    }

    #[test]
    fn a_fifty_megabyte_line_is_skipped_with_its_number() {
        let mut bytes = b"first\n".to_vec();
        bytes.resize(50 << 20, b'x');
        bytes.extend(b"\nlast");
        let found = all(&bytes, 4096);
        let numbers: Vec<_> = found.iter().map(|(n, _, b)| (*n, b.len())).collect();
        assert_eq!(numbers, [(1, 5), (2, 0), (3, 4)]);
    }

    #[test]
    fn a_shrunken_file_ends_early() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nb").unwrap();
        let mut blocks = Blocks::new(&file, 1000);
        assert!(matches!(blocks.next_block(10).unwrap(), Some(Block::Lines { .. })));
        assert!(blocks.next_block(10).unwrap().is_none());
    }
}
