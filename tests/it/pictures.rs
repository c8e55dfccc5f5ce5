//! The README's pictures and its recording, made by the program as it is now: they cannot go stale.
//!
//! `PLURISCOPE_PICTURES=write cargo test --test it pictures` makes them anew; without it they are compared.

use std::{path::Path, process::Command};

const MADE: [(&str, &[&str]); 3] = [
    ("main.svg", &["snapshot", "--keys", "<tab><tab>", "--size", "120x36", "--format", "svg", "-o"]),
    ("demo.svg", &["snapshot", "--demo", "5", "--size", "120x36", "--format", "svg", "-o"]),
    ("demo.cast", &["demo", "--no-live", "--record"]),
];

#[test]
fn the_readmes_pictures_are_those_of_this_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/pictures");
    let home = tempfile::tempdir().unwrap();
    let mut stale = Vec::new();
    for (name, args) in MADE {
        let made = home.path().join(name);
        let out = Command::new(env!("CARGO_BIN_EXE_pluriscope"))
            .args(args)
            .arg(&made)
            .args(["--theme", "dark"])
            .env("XDG_CONFIG_HOME", home.path().join("c"))
            .env("XDG_DATA_HOME", home.path().join("d"))
            .env("XDG_CACHE_HOME", home.path().join("k"))
            .env_remove("PLURISCOPE_MODEL")
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let made = std::fs::read_to_string(made).unwrap();
        let kept = folder.join(name);
        if std::env::var_os("PLURISCOPE_PICTURES").is_some_and(|v| v == "write") {
            std::fs::write(&kept, &made).unwrap();
        } else if std::fs::read_to_string(&kept).unwrap_or_default() != made {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "{stale:?} are stale: PLURISCOPE_PICTURES=write cargo test --test it pictures");
}
