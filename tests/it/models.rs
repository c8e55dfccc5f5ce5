//! SmolLM2 for the tests that need a real model: fetched by the program itself, once.

use std::{path::PathBuf, process::Command, sync::OnceLock};

/// Where the tests keep models: as the program would, so that one download serves both.
pub fn folder() -> PathBuf {
    std::env::var_os("PLURISCOPE_MODELS").filter(|v| !v.is_empty()).map(PathBuf::from).unwrap_or_else(|| {
        let data = std::env::var_os("XDG_DATA_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_else(std::env::temp_dir);
        data.unwrap_or_else(|| home.join(".local/share")).join("pluriscope/models")
    })
}

/// The folder with the model in it, or why it cannot be had.
pub fn smollm2() -> Result<PathBuf, String> {
    static RESULT: OnceLock<Result<(), String>> = OnceLock::new();
    RESULT
        .get_or_init(|| {
            let output = Command::new(env!("CARGO_BIN_EXE_pluriscope"))
                .args(["models", "fetch", "smollm2-135m"])
                .env("PLURISCOPE_MODELS", folder())
                .output()
                .map_err(|error| error.to_string())?;
            if output.status.success() {
                Ok(())
            } else {
                Err(format!("no SmolLM2: {}", String::from_utf8_lossy(&output.stderr).trim()))
            }
        })
        .clone()
        .map(|()| folder())
}
