//! TensorBoard event files, written and read.
//!
//! A file is a list of records: length (u64), masked CRC-32C of the length, payload, masked CRC-32C of the
//! payload, all little-endian. A payload is the protobuf `tensorflow.Event`; only scalars are read and
//! written. Format: `tensorflow/core/util/event.proto`, `tensorflow/core/lib/io/record_writer.h`.

use super::error::TrainError;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// One number of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub tag: String,
    pub step: i64,
    /// Seconds since 1970.
    pub wall_time: f64,
    pub value: f32,
}

/// CRC-32C (Castagnoli), bit by bit through a table.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0u32; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, b| TABLE[((crc ^ u32::from(*b)) & 0xff) as usize] ^ (crc >> 8))
}

/// TensorFlow's mask, which keeps checksums of checksums apart.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// An open event file.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: File,
}

impl EventLog {
    /// Opens a new file in `folder`, named as TensorBoard expects; `wall_time` in seconds since 1970.
    pub fn create(folder: &Path, wall_time: f64) -> Result<EventLog, TrainError> {
        fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
        let path = folder.join(format!("events.out.tfevents.{:010}.pluriscope", wall_time as u64));
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(TrainError::io(&path))?;
        let mut log = EventLog { path, file };
        let mut event = fixed64(1, wall_time);
        event.extend(bytes(3, b"brain.Event:2"));
        log.record(&event)?;
        Ok(log)
    }

    /// Writes scalars of one step.
    pub fn write(&mut self, step: i64, wall_time: f64, values: &[(&str, f32)]) -> Result<(), TrainError> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut one = bytes(1, tag.as_bytes());
            one.push(2 << 3 | 5);
            one.extend(value.to_le_bytes());
            summary.extend(bytes(1, &one));
        }
        let mut event = fixed64(1, wall_time);
        event.push(2 << 3);
        event.extend(varint(step as u64));
        event.extend(bytes(5, &summary));
        self.record(&event)
    }

    fn record(&mut self, payload: &[u8]) -> Result<(), TrainError> {
        let length = (payload.len() as u64).to_le_bytes();
        let mut out = length.to_vec();
        out.extend(masked(&length).to_le_bytes());
        out.extend(payload);
        out.extend(masked(payload).to_le_bytes());
        self.file.write_all(&out).map_err(TrainError::io(&self.path))
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn fixed64(field: u8, value: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1];
    out.extend(value.to_le_bytes());
    out
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    out.extend(varint(value.len() as u64));
    out.extend(value);
    out
}

/// All scalars of an event file, in file order. A record cut off at the end (the run is still writing, or
/// was killed) ends the reading without an error.
///
/// # Errors
/// Checksums that do not match: the file is damaged from there on.
pub fn read(path: &Path) -> Result<Vec<Scalar>, TrainError> {
    let data = fs::read(path).map_err(TrainError::io(path))?;
    let (mut out, mut rest, mut number) = (Vec::new(), data.as_slice(), 0);
    while let Some((length, after)) = rest.split_at_checked(8) {
        number += 1;
        let damaged = || TrainError::format(path, format!("record {number} is damaged; copy the file again"));
        let Some((check, after)) = after.split_at_checked(4) else { break };
        if masked(length).to_le_bytes() != check {
            return Err(damaged());
        }
        let size = u64::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
        let Some((payload, after)) = after.split_at_checked(size) else { break };
        let Some((check, after)) = after.split_at_checked(4) else { break };
        if masked(payload).to_le_bytes() != check {
            return Err(damaged());
        }
        scalars(payload, &mut out).ok_or_else(damaged)?;
        rest = after;
    }
    Ok(out)
}

/// A field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(&'a [u8]),
}

/// Takes the next field off `message`.
fn field<'a>(message: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = take_varint(message)?;
    let value = match key & 7 {
        0 => Field::Number(take_varint(message)?),
        1 => Field::Fixed64(take(message, 8)?.try_into().ok()?),
        2 => {
            let length = usize::try_from(take_varint(message)?).ok()?;
            Field::Bytes(take(message, length)?)
        }
        5 => Field::Fixed32(take(message, 4)?.try_into().ok()?),
        _ => return None,
    };
    Some((key >> 3, value))
}

fn take<'a>(message: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = message.split_at_checked(count)?;
    *message = tail;
    Some(head)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The scalars of an `Event` message.
fn scalars(mut event: &[u8], out: &mut Vec<Scalar>) -> Option<()> {
    let (mut wall_time, mut step, mut summaries) = (0.0, 0, Vec::new());
    while !event.is_empty() {
        match field(&mut event)? {
            (1, Field::Fixed64(value)) => wall_time = f64::from_le_bytes(value),
            (2, Field::Number(value)) => step = value as i64,
            (5, Field::Bytes(value)) => summaries.push(value),
            _ => {}
        }
    }
    for mut summary in summaries {
        while !summary.is_empty() {
            let (1, Field::Bytes(mut one)) = field(&mut summary)? else { continue };
            let (mut tag, mut value) = (String::new(), None);
            while !one.is_empty() {
                match field(&mut one)? {
                    (1, Field::Bytes(text)) => tag = String::from_utf8_lossy(text).into_owned(),
                    (2, Field::Fixed32(number)) => value = Some(f32::from_le_bytes(number)),
                    _ => {}
                }
            }
            out.extend(value.map(|value| Scalar { tag, step, wall_time, value }));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnoli_s() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn what_is_written_is_read_and_a_cut_end_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = EventLog::create(folder.path(), 1.5).unwrap();
        log.write(3, 2.5, &[("train/loss", 0.5), ("train/lr", 1e-3)]).unwrap();
        log.write(300, 3.5, &[("train/loss", 0.25)]).unwrap();
        let read_all = || read(&log.path).unwrap();
        let want = Scalar { tag: "train/loss".to_owned(), step: 300, wall_time: 3.5, value: 0.25 };
        assert_eq!((read_all().len(), read_all().last().cloned()), (3, Some(want)));
        let whole = fs::read(&log.path).unwrap();
        fs::write(&log.path, &whole[..whole.len() - 2]).unwrap();
        assert_eq!(read_all().len(), 2);
        let mut bad = whole;
        let at = bad.len() - 20;
        bad[at] ^= 1;
        fs::write(&log.path, bad).unwrap();
        assert!(read(&log.path).unwrap_err().to_string().contains("record 3 is damaged"));
    }
}
