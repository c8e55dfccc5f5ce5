//! A JSON Lines file that long runs append to, and go on with after an interruption; or standard output.

use color_eyre::eyre::{Result, WrapErr, eyre};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Standard output, or a file that nobody else appends to meanwhile.
pub struct Appender {
    target: Option<(PathBuf, File)>,
}

impl Appender {
    /// Opens `path` for appending, and hands every line that it holds to `present`. A last line that was cut off in
    /// the middle of writing is removed, with a word on standard error.
    pub fn open(path: Option<&Path>, present: &mut dyn FnMut(&[u8])) -> Result<Appender> {
        let Some(path) = path else { return Ok(Appender { target: None }) };
        let name = || path.display().to_string();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .wrap_err_with(|| format!("cannot write {}", name()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(eyre!(
                    "{}: another run is writing to it; wait for it or choose another --out",
                    name()
                ));
            }
            // Some file systems have no locks; then it is up to the user.
            Err(TryLockError::Error(_)) => {}
        }
        let whole = read(&file, present).wrap_err_with(|| format!("cannot read {}", name()))?;
        let len = file.metadata()?.len();
        if whole < len {
            file.set_len(whole).wrap_err_with(|| format!("cannot write {}", name()))?;
            eprintln!("{}: removed the last line, which was not finished ({} bytes)", name(), len - whole);
        }
        if ends_without_newline(&mut file)? {
            file.write_all(b"\n").wrap_err_with(|| format!("cannot write {}", name()))?;
        }
        Ok(Appender { target: Some((path.to_owned(), file)) })
    }

    /// Appends one line in one write, so that a reader, or a resumed run, never sees it twice or torn in two.
    pub fn line(&mut self, mut line: String) -> Result<()> {
        line.push('\n');
        match &mut self.target {
            Some((path, file)) => {
                file.write_all(line.as_bytes()).wrap_err_with(|| format!("cannot write {}", path.display()))
            }
            None => {
                let mut out = io::stdout().lock();
                out.write_all(line.as_bytes())
                    .and_then(|()| out.flush())
                    .wrap_err("cannot write to standard output")
            }
        }
    }
}

/// Hands out the lines of a file; returns how many of its bytes are whole lines. A last line without its end counts
/// if it is a whole record.
fn read(file: &File, present: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut whole = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            return Ok(whole);
        }
        if line.ends_with(b"\n") || serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok() {
            whole += read;
            present(&line);
        }
    }
}

fn ends_without_newline(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0u8];
    io::Read::read_exact(file, &mut last)?;
    Ok(last != *b"\n")
}
