//! SmolLM2 for the benches.

use std::{env, fs, path::PathBuf};

/// The model file, where `pluriscope models fetch` puts it.
pub fn smollm2() -> Option<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".local/share")));
    let folders =
        [env::var_os("PLURISCOPE_MODELS").map(PathBuf::from), data.map(|d| d.join("pluriscope/models"))];
    let below =
        |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = folders.into_iter().flatten().flat_map(below);
    all.flat_map(|path| if path.is_dir() { below(path).collect() } else { vec![path] }).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.contains("smollm2-135m-instruct") && name.ends_with(".gguf")
    })
}
