//! Records a session as asciicast v2 while it runs: what was drawn, when, into a file that grows.

use crate::ui::export::cast::Cast;
use ratatui::buffer::Buffer;
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A recording under way.
pub struct Recorder {
    cast: Cast,
    file: File,
    size: (u16, u16),
    begun: Option<Instant>,
    /// Why nothing more is written.
    pub problem: Option<String>,
}

impl Recorder {
    /// Creates the file; the recording begins with the first frame.
    pub fn create(path: &Path) -> io::Result<Recorder> {
        let file = File::create(path)?;
        Ok(Recorder { cast: Cast::default(), file, size: (0, 0), begun: None, problem: None })
    }

    /// Takes in what stands on the screen now.
    pub fn frame(&mut self, buffer: &Buffer) {
        let at = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        let mut text = String::new();
        if self.begun.is_none() {
            self.begun = Some(Instant::now());
            self.size = (buffer.area.width, buffer.area.height);
            let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
            text = Cast::header(self.size, "pluriscope", Some(stamp));
        }
        text.push_str(&self.cast.frame(at, buffer));
        if self.problem.is_none()
            && let Err(error) = self.file.write_all(text.as_bytes())
        {
            self.problem = Some(format!("the recording ends here: {error}"));
        }
    }
}
