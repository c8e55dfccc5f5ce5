//! The clipboard by OSC 52: works through SSH and tmux, and cannot be read back, so it promises nothing.

use base64::Engine as _;
use std::io::Write;

/// Terminals drop longer sequences; xterm's limit is near this.
const LIMIT: usize = 74_994;

/// Sends `text` to the terminal's clipboard; the number of bytes sent, or why not.
pub fn copy(text: &str) -> Result<usize, String> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    if encoded.len() > LIMIT {
        return Err(format!(
            "{} bytes are more than terminals accept; export writes files of any size",
            text.len()
        ));
    }
    let mut out = std::io::stdout().lock();
    write!(out, "\x1b]52;c;{encoded}\x07").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    Ok(text.len())
}
