//! Looks a GGUF header over before anything is built from it: a file may come from anyone.
//!
//! Reads lengths and skips what they measure; nothing is kept, so a header that promises more than the file holds costs
//! no memory. Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::io::{Read, Seek, SeekFrom};

/// Arrays within arrays; files in use have none.
const DEEPEST: u32 = 4;
/// Elements of all metadata arrays together: many times the largest vocabulary.
const MOST_ELEMENTS: u64 = 1 << 24;
/// Dimensions of a tensor, as ggml has them.
const MOST_DIMENSIONS: u32 = 4;

/// Bytes that a block of values of each ggml type takes, and how many values it holds.
const TYPES: [(u32, u64, u64); 15] = [
    (0, 4, 1),
    (1, 2, 1),
    (2, 18, 32),
    (3, 20, 32),
    (6, 22, 32),
    (7, 24, 32),
    (8, 34, 32),
    (9, 36, 32),
    (10, 84, 256),
    (11, 110, 256),
    (12, 144, 256),
    (13, 176, 256),
    (14, 210, 256),
    (15, 292, 256),
    (30, 2, 1),
];

struct Reader<R> {
    inner: R,
    at: u64,
    length: u64,
    elements: u64,
    /// Version 1 counts in 32 bits.
    narrow: bool,
}

/// Checks the header of a file of `length` bytes; the reader is left at its beginning.
///
/// # Errors
/// In words, with what to do.
pub fn check<R: Read + Seek>(mut inner: R, length: u64) -> Result<(), String> {
    inner.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
    let mut reader = Reader { inner, at: 0, length, elements: 0, narrow: false };
    reader.header()?;
    reader.inner.seek(SeekFrom::Start(0)).map(|_| ()).map_err(|e| e.to_string())
}

fn cut() -> String {
    "the file ends before its header says; is it complete? Fetch it again".to_owned()
}

impl<R: Read + Seek> Reader<R> {
    fn header(&mut self) -> Result<(), String> {
        if self.bytes::<4>()? != *b"GGUF" {
            return Err("this is no GGUF file".to_owned());
        }
        let version = self.u32()?;
        if !(1..=3).contains(&version) {
            return Err(format!("GGUF version {version} is not known; convert the model again"));
        }
        self.narrow = version == 1;
        let (tensors, entries) = (self.count()?, self.count()?);
        for _ in 0..entries {
            self.text()?;
            let kind = self.u32()?;
            self.value(kind, 0)?;
        }
        let mut ends = 0u64;
        let mut alone = true;
        for _ in 0..tensors {
            alone = false;
            self.text()?;
            ends = ends.max(self.tensor()?);
        }
        if !alone && self.at.checked_add(ends).is_none_or(|end| end > self.length) {
            return Err(cut());
        }
        Ok(())
    }

    /// Name passed already: where the tensor's data end, from where data begin.
    fn tensor(&mut self) -> Result<u64, String> {
        let dimensions = self.u32()?;
        if dimensions > MOST_DIMENSIONS {
            return Err(format!("a tensor of {dimensions} dimensions; ggml has {MOST_DIMENSIONS} at most"));
        }
        let mut values = 1u64;
        for _ in 0..dimensions {
            let size = self.count()?;
            values = values.checked_mul(size).ok_or("a tensor larger than any machine's memory")?;
        }
        let kind = self.u32()?;
        let offset = self.u64()?;
        // A type that is not in the list is refused later, by name.
        let Some((_, bytes, block)) = TYPES.iter().find(|(k, ..)| *k == kind) else { return Ok(0) };
        let size = values.div_ceil(*block).checked_mul(*bytes);
        size.and_then(|size| offset.checked_add(size)).ok_or_else(cut)
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<(), String> {
        match (kind, width(kind)) {
            (_, Some(width)) => self.skip(width),
            (8, _) => self.text(),
            (9, _) => {
                if depth >= DEEPEST {
                    return Err("metadata arrays within arrays within arrays".to_owned());
                }
                let inner = self.u32()?;
                let count = self.count()?;
                self.elements = self.elements.saturating_add(count);
                if self.elements > MOST_ELEMENTS {
                    return Err(format!("more than {MOST_ELEMENTS} metadata values"));
                }
                if let Some(width) = width(inner) {
                    return self.skip(count.checked_mul(width).ok_or_else(cut)?);
                }
                for _ in 0..count {
                    self.value(inner, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(format!("metadata of type {kind}, which GGUF does not have")),
        }
    }

    fn text(&mut self) -> Result<(), String> {
        let length = self.count()?;
        self.skip(length)
    }

    fn count(&mut self) -> Result<u64, String> {
        if self.narrow { self.u32().map(u64::from) } else { self.u64() }
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(|_| cut())?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> Result<(), String> {
        let to = self.at.checked_add(count).filter(|to| *to <= self.length).ok_or_else(cut)?;
        let by = i64::try_from(count).map_err(|_| cut())?;
        self.inner.seek_relative(by).map_err(|e| e.to_string())?;
        self.at = to;
        Ok(())
    }
}

/// Bytes of a metadata value of fixed size.
fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn header(entries: &[&[u8]], tensors: &[&[u8]]) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend((tensors.len() as u64).to_le_bytes());
        out.extend((entries.len() as u64).to_le_bytes());
        entries.iter().chain(tensors).for_each(|part| out.extend(*part));
        out
    }

    fn looked_over(bytes: &[u8]) -> Result<(), String> {
        check(Cursor::new(bytes), bytes.len() as u64)
    }

    fn entry(kind: u32, value: &[u8]) -> Vec<u8> {
        [&1u64.to_le_bytes()[..], b"k", &kind.to_le_bytes(), value].concat()
    }

    #[test]
    fn a_plain_header_passes() {
        let text = entry(8, &[&2u64.to_le_bytes()[..], b"hi"].concat());
        let list = entry(9, &[&4u32.to_le_bytes()[..], &2u64.to_le_bytes(), &[0; 8]].concat());
        let tensor = [
            &1u64.to_le_bytes()[..],
            b"t",
            &1u32.to_le_bytes(),
            &2u64.to_le_bytes(),
            &0u32.to_le_bytes(),
            &0u64.to_le_bytes(),
        ]
        .concat();
        let mut file = header(&[&text, &list], &[&tensor]);
        assert_eq!(looked_over(&file), Err(cut()), "its data are missing");
        file.extend([0; 8]);
        assert_eq!(looked_over(&file), Ok(()));
    }

    #[test]
    fn promises_beyond_the_file_cost_nothing() {
        let endless = u64::MAX.to_le_bytes();
        for entry in [
            entry(8, &endless),
            entry(9, &[&4u32.to_le_bytes()[..], &endless].concat()),
            entry(9, &[&9u32.to_le_bytes()[..], &(1u64 << 23).to_le_bytes()].concat()),
            entry(77, &[]),
        ] {
            assert!(looked_over(&header(&[&entry], &[])).is_err());
        }
        let mut nested = 9u32.to_le_bytes().to_vec();
        for _ in 0..10 {
            nested.extend(1u64.to_le_bytes());
            nested.extend(9u32.to_le_bytes());
        }
        assert!(looked_over(&header(&[&entry(9, &nested)], &[])).unwrap_err().contains("arrays within"));
        let wide = [&0u64.to_le_bytes()[..], &u32::MAX.to_le_bytes()].concat();
        assert!(looked_over(&header(&[], &[&wide])).unwrap_err().contains("dimensions"));
        let huge = [&0u64.to_le_bytes()[..], &2u32.to_le_bytes(), &endless, &endless].concat();
        assert!(looked_over(&header(&[], &[&huge])).is_err());
    }
}
