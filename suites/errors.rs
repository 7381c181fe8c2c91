//! What a crate offers fails with an error type of its own: no public function returns a text in its place.
//!
//! A text has no cause, and a caller cannot decide on it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::tests::root;

/// Returns the public functions of a file that fail with a text, each as its line.
///
/// What a `pub(crate)` or `pub(super)` function returns is a crate's own business.
fn texts(code: &str) -> Vec<String> {
    let own = code.split("#[cfg(test)]").next().unwrap_or_default();
    let starts = own.match_indices("pub ").map(|(at, _)| &own[at..]);
    let heads =
        starts.filter(|rest| ["pub fn ", "pub async fn ", "pub const fn "].iter().any(|kind| rest.starts_with(kind)));
    let heads = heads.filter_map(|rest| rest.split(['{', ';']).next());
    let heads = heads.map(|head| head.split_whitespace().collect::<Vec<_>>().join(" "));
    heads.filter(|head| returned(head).is_some_and(|result| result.ends_with(", String>"))).collect()
}

/// Returns the result type of a function's head, without its bounds.
fn returned(head: &str) -> Option<&str> {
    let result = head.rsplit_once("-> Result<").map(|(_, result)| result)?;
    Some(result.split(" where ").next().unwrap_or(result).trim())
}

/// Lists the Rust files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

#[test]
fn no_public_function_fails_with_a_text() {
    let mut all = Vec::new();
    for folder in ["harness", "suites"] {
        files(&root().join(folder), &mut all);
    }
    assert!(all.len() > 300, "only {} files were read", all.len());
    let failing: Vec<String> = all
        .iter()
        .flat_map(|path| {
            texts(&fs::read_to_string(path).unwrap()).into_iter().map(|head| format!("{}: {head}", path.display()))
        })
        .collect();
    assert_eq!(failing, Vec::<String>::new(), "give each of them an error type");
}

#[test]
fn a_function_that_fails_with_a_text_is_found() {
    let code = "pub async fn a(\n    b: u8,\n) -> Result<Vec<u8>, String> {\n}\npub(crate) fn c() -> Result<u8, String> {}\n\
                pub fn d() -> Result<String, E> {}\npub fn e<F>(f: F) -> Result<(), String>\nwhere\n    F: Fn(),\n{}\n";
    assert_eq!(
        texts(code),
        [
            "pub async fn a( b: u8, ) -> Result<Vec<u8>, String>",
            "pub fn e<F>(f: F) -> Result<(), String> where F: Fn(),"
        ]
    );
}
