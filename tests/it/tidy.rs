//! The rules that the code keeps: who may depend on whom, modules that say what they are, no panics.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut out = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut out);
    out.sort();
    out
}

/// The top-level module of a source file.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    relative.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The source without its test modules: tests may use whatever they need.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    // Documentation may name what code may not use.
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Modules of this crate that a source names: `use crate::x`, `crate::x::y`, and nested `use crate::{x, y}`.
fn used(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut name) = (0, String::new());
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                    c if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            found.push(name);
        } else {
            found.push(rest.to_owned());
        }
    }
    found
        .into_iter()
        .map(|name| name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn modules_depend_only_on_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("core", &["core"][..]),
        ("job", &["job", "core"]),
        ("model", &["model", "core"]),
        ("engine", &["engine", "core", "job", "model"]),
        ("train", &["train", "core", "job", "model", "engine"]),
        ("store", &["store", "core"]),
        ("app", &["app", "core", "job"]),
        ("ui", &["ui", "app", "core", "job"]),
        ("config", &["config", "core", "store"]),
        ("setup", &["setup", "core", "engine", "model", "store", "config"]),
        (
            "runtime",
            &["runtime", "core", "job", "model", "engine", "train", "store", "app", "ui", "config", "setup"],
        ),
    ]);
    let known = [
        "core", "job", "model", "engine", "train", "store", "app", "ui", "config", "setup", "runtime", "cli",
    ];
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let Some(allowed) = allowed.get(module(&path).as_str()) else { continue };
        for name in used(&without_tests(&text)) {
            if known.contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
                broken.push(format!("{} uses crate::{name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn only_the_model_and_training_know_candle_and_only_the_screen_knows_ratatui() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module(&path);
        let text = without_tests(&text);
        if text.contains("candle_") && !["model", "train"].contains(&module.as_str()) {
            broken.push(format!("{}: candle", path.display()));
        }
        if text.contains("ratatui::") && !["ui", "app", "runtime", "cli"].contains(&module.as_str()) {
            broken.push(format!("{}: ratatui", path.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn nothing_panics_on_purpose_outside_tests() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if path.to_string_lossy().ends_with("tests.rs") || path.to_string_lossy().ends_with("tiny.rs") {
            continue;
        }
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            for word in [".unwrap()", ".expect(\"", "panic!(", "todo!(", "unimplemented!(", "dbg!("] {
                if code.contains(word) {
                    found.push(format!("{}:{}: {word}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Where `unsafe` stands in a source: line numbers, comments and words in texts left out.
fn unsafe_lines(text: &str) -> Vec<usize> {
    let stands = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|word| code.contains(word))
    };
    text.lines().enumerate().filter(|(_, line)| stands(line)).map(|(i, _)| i).collect()
}

#[test]
fn every_unsafe_is_justified_and_listed() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let found = unsafe_lines(&text);
        let lines: Vec<&str> = text.lines().collect();
        for at in &found {
            let says = |from: usize, to: usize| {
                lines[from.min(to)..=to].iter().any(|l| l.contains("SAFETY") || l.contains("# Safety"))
            };
            // One reason may stand for a whole `impl` of vector lanes.
            let whole = lines[..*at].iter().rposition(|l| l.starts_with("impl ") && l.contains("Lanes for"));
            if !says(at.saturating_sub(8), *at) && !whole.is_some_and(|i| says(i.saturating_sub(4), i)) {
                problems.push(format!("{}:{}: no SAFETY comment", path.display(), at + 1));
            }
        }
        let name =
            path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy().replace('\\', "/");
        if !found.is_empty() && !page.contains(&format!("`{name}`")) {
            problems.push(format!("{name} is not in ARCHITECTURE.md's list of unsafe"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_walk_sees_uses() {
    assert_eq!(used("use crate::core::Item;"), ["core"]);
    assert_eq!(used("use crate::{\n    app::{A, B},\n    core::C,\n};"), ["app", "core"]);
}
