//! Where Pluriscope keeps its own files, by the XDG rules.

use etcetera::BaseStrategy;
use std::path::PathBuf;

/// The folder of everything that can be made anew: saved indexes. `None` where there is no home.
pub fn cache_dir() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("pluriscope"))
}

/// The library's database, unless `--db` names another. `None` where there is no home.
pub fn library_file() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.data_dir().join("pluriscope").join("library.db"))
}
