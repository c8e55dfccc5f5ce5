//! What the program is built from: licences as `deny.toml` allows them, TLS by rustls alone.

use serde_json::Value;
use std::{path::Path, process::Command};

/// What cargo prints about this crate, offline, or what it says is wrong.
fn cargo(arguments: &[&str]) -> Result<String, String> {
    let command =
        Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let out = command.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}

/// Every package of the lock file; on a machine that fetched no other platform's crates, those of its own.
fn packages() -> Vec<Value> {
    let ask = ["metadata", "--format-version", "1", "--locked", "--offline"];
    let printed = cargo(&ask).unwrap_or_else(|problem| {
        eprintln!("only this platform's crates are looked at: {problem}");
        let version = cargo(&["-vV"]).unwrap();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        // These were fetched, or this test had not been built.
        cargo(&[&ask[..], &["--filter-platform", host]].concat()).unwrap()
    });
    let metadata: Value = serde_json::from_str(&printed).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression (or the older `A/B`) can be fulfilled with `allowed`.
fn fulfilled(expression: &str, allowed: &[String]) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    // AND binds closer; the parentheses in use stand around ORs within ANDs.
    if expression.contains('(') {
        return plain.split(" AND ").all(|part| fulfilled(part, allowed));
    }
    plain.split(" OR ").any(|side| side.split(" AND ").all(|name| allowed.iter().any(|a| a == name.trim())))
}

#[test]
fn licences_are_those_that_are_allowed() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let allowed: Vec<String> = table["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect();
    let mut problems = Vec::new();
    for package in &packages() {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or(""));
        if !fulfilled(licence, &allowed) {
            problems.push(format!("{name}: `{licence}`"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn tls_is_rustls_alone() {
    let packages = packages();
    let names: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    assert!(names.contains(&"rustls"));
    for other in ["openssl", "native-tls"] {
        assert!(!names.contains(&other), "{other}");
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT".to_owned(), "Unicode-3.0".to_owned()];
    assert!(fulfilled("MIT/Apache-2.0", &allowed));
    assert!(fulfilled("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
    assert!(!fulfilled("MIT AND GPL-3.0", &allowed));
    assert!(!fulfilled("", &allowed));
}
