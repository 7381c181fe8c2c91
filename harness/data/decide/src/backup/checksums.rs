//! The file of checksums, as `sha256sum --check` reads it, and what of a backup's files is not as it states.

use std::collections::BTreeMap;

use super::{MANIFEST, Manifest, SUMS};

/// What stands for the checksum of a folder, a link or a device: a backup has none of them.
pub const NOT_A_FILE: &str = "not a file";

/// A file as it stands on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub bytes: u64,
}

/// Writes the checksums of a backup's files by name.
#[must_use]
pub fn text(files: &BTreeMap<String, FoundFile>) -> String {
    let lines = files.iter().filter(|(name, _)| *name != SUMS);
    lines.map(|(name, found)| format!("{}  {name}\n", found.sha256)).collect()
}

/// Returns in words what is wrong with a backup's files; empty where all are those that were proven.
///
/// `sums` is the file of checksums as it was read, `found` are all files of the folder.
#[must_use]
pub fn problems(manifest: &Manifest, sums: &str, found: &BTreeMap<String, FoundFile>) -> Vec<String> {
    let others = found.iter().filter(|(_, there)| there.sha256 == NOT_A_FILE);
    let mut problems: Vec<String> = others.map(|(name, _)| format!("{name} is not a file")).collect();
    // What the file would be for what is there: a byte of it that differs is a difference of one of the files, or its own.
    if text(found) != sums {
        problems.extend(lines(sums, found));
    }
    for (file, sha256, bytes) in manifest.checksums() {
        match found.get(file) {
            None => problems.push(format!("{file} is missing")),
            Some(there) if there.bytes != bytes => {
                problems.push(format!("{file}: expected {bytes} bytes, found {}", there.bytes));
            }
            Some(there) if there.sha256 != sha256 => problems.push(format!("{file}: its contents changed")),
            Some(_) => {}
        }
    }
    let named: Vec<&str> = manifest.checksums().map(|(file, ..)| file).collect();
    let others = found.keys().filter(|name| *name != MANIFEST && *name != SUMS && !named.contains(&name.as_str()));
    problems.extend(others.map(|name| format!("{name} is not in the manifest")));
    problems.sort();
    problems.dedup();
    problems
}

/// Returns what the lines of a file of checksums do not agree with; that it is damaged itself where all of them do.
fn lines(checksums: &str, found: &BTreeMap<String, FoundFile>) -> Vec<String> {
    let mut problems = Vec::new();
    for line in checksums.lines() {
        let Some((sha256, name)) = line.split_once("  ") else { continue };
        match found.get(name) {
            None => problems.push(format!("{name} is missing")),
            Some(there) if there.sha256 != sha256 => problems.push(format!("{name}: its contents changed")),
            Some(_) => {}
        }
    }
    if problems.is_empty() {
        problems.push(format!("{SUMS} is damaged"));
    }
    problems
}
