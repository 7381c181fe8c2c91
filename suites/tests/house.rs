//! The wall between deciding and acting stands: no pure crate holds anything to do I/O with, nor may call it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use super::root;

/// What a pure crate may be built from, next to pure crates of this house: libraries that turn values into values.
const PURE_LIBRARIES: [&str; 19] = [
    "annotate-snippets",
    "base64",
    "granit-parser",
    "hmac",
    "insta",
    "jsonschema",
    "proptest",
    "regex",
    "rstest",
    "serde",
    "serde-saphyr",
    "serde_json",
    "serde_json_path",
    "sha2",
    "siphasher",
    "strsim",
    "thiserror",
    "toml",
    "x509-parser",
];

/// Returns the folders of the pure crates: `base`, `contract`, and `decide` of every domain.
fn pure() -> Vec<PathBuf> {
    let harness = root().join("harness");
    let domains = fs::read_dir(&harness).unwrap().map(|entry| entry.unwrap().path().join("decide"));
    let domains = domains.filter(|folder| folder.join("Cargo.toml").is_file());
    ["base", "contract"].map(|name| harness.join(name)).into_iter().chain(domains).collect()
}

fn manifest(folder: &std::path::Path) -> toml::Table {
    fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

/// Returns the names of what a crate is built and tested with.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies", "target"];
    let tables = sections.iter().filter_map(|section| manifest.get(*section)?.as_table());
    tables.flat_map(toml::Table::keys).cloned().collect()
}

#[test]
fn pure_crates_are_built_from_nothing_that_acts() {
    let pure = pure();
    assert!(pure.len() >= 7, "{pure:?}");
    let name = |folder: &PathBuf| manifest(folder)["package"]["name"].as_str().unwrap().to_owned();
    let own: BTreeSet<String> = pure.iter().map(name).collect();
    for folder in &pure {
        let is_foreign = |name: &String| !own.contains(name) && !PURE_LIBRARIES.contains(&name.as_str());
        let foreign: Vec<String> = dependencies(&manifest(folder)).into_iter().filter(is_foreign).collect();
        assert!(foreign.is_empty(), "{} is pure and names {foreign:?}", folder.display());
    }
}

#[test]
fn pure_crates_have_the_same_bans() {
    let pure = pure();
    let bans = |folder: &PathBuf| fs::read_to_string(folder.join("clippy.toml")).unwrap_or_default();
    let want = bans(&pure[0]);
    for word in
        ["SystemTime::now", "Instant::now", "env::var", "fs::read", "fs::File", "net::TcpStream", "process::Command"]
    {
        assert!(want.contains(word), "{word} is not banned in {}", pure[0].display());
    }
    for folder in &pure {
        assert_eq!(bans(folder), want, "{}", folder.display());
    }
}
