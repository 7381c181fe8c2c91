//! What an archive of a volume may hold, and whether two of them hold the same.

use std::collections::BTreeMap;

use super::ArchivedEntry;

/// Returns why an entry must not be unpacked; `None` where it stays within the archive's folder.
///
/// `kind` is `file`, `folder` or `link`, `content` being where that leads; everything else is refused.
#[must_use]
pub fn refused(path: &str, kind: &str, content: &str) -> Option<String> {
    let text_of = |why: &str| Some(format!("`{}` {why}", path.escape_debug()));
    if path.starts_with('/') || leaves(path, 0) {
        return text_of("lies outside of the volume");
    }
    match kind {
        "file" | "folder" => None,
        "link" if content.starts_with('/') => text_of("is a link to an absolute path"),
        "link" if leaves(content, depth(path)) => text_of("is a link that leads out of the volume"),
        "link" => None,
        _ => text_of("is a device, a socket or a pipe"),
    }
}

/// Returns how many folders are above an entry.
fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").count().saturating_sub(1)
}

/// Returns whether a relative path climbs above the folder that is `depth` below the top.
fn leaves(path: &str, mut depth: usize) -> bool {
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// How many differences are named.
const NAMED: usize = 5;

/// Returns in words how the entries of an archive differ from those that are expected; empty where they are equal.
#[must_use]
pub fn differences(expected: &BTreeMap<String, ArchivedEntry>, found: &BTreeMap<String, ArchivedEntry>) -> Vec<String> {
    let mut all = Vec::new();
    for (path, entry) in expected {
        match found.get(path) {
            None => all.push(format!("{path} is missing")),
            Some(other) if other.content != entry.content || other.size != entry.size => {
                all.push(format!("{path}: contents differ"));
            }
            Some(other) if other != entry => all.push(format!("{path}: kind, mode or owner differs")),
            Some(_) => {}
        }
    }
    all.extend(found.keys().filter(|path| !expected.contains_key(*path)).map(|path| format!("{path} is new")));
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::file("a/b", "file", "", false)]
    #[case::dots_in_a_name("a/..b", "file", "", false)]
    #[case::there_and_back("a/../b", "file", "", false)]
    #[case::above("../b", "file", "", true)]
    #[case::above_later("a/../../b", "file", "", true)]
    #[case::absolute("/etc/passwd", "file", "", true)]
    #[case::link("a/l", "link", "../b", false)]
    #[case::link_above("a/l", "link", "../../b", true)]
    #[case::link_absolute("l", "link", "/etc", true)]
    #[case::device("d", "other", "", true)]
    fn what_leaves_the_volume_is_refused(
        #[case] path: &str,
        #[case] kind: &str,
        #[case] content: &str,
        #[case] want: bool,
    ) {
        assert_eq!(refused(path, kind, content).is_some(), want);
    }

    #[test]
    fn each_kind_of_difference_is_named() {
        let entry = |content: &str, mode| ArchivedEntry {
            kind: "file".into(),
            mode,
            owner: (0, 0),
            size: 1,
            content: content.into(),
        };
        let expected: BTreeMap<_, _> = [("a", entry("1", 0o644)), ("b", entry("1", 0o644)), ("c", entry("1", 0o644))]
            .map(|(k, v)| (k.to_owned(), v))
            .into();
        let found: BTreeMap<_, _> = [("a", entry("2", 0o644)), ("b", entry("1", 0o600)), ("d", entry("1", 0o644))]
            .map(|(k, v)| (k.to_owned(), v))
            .into();
        let want = ["a: contents differ", "b: kind, mode or owner differs", "c is missing", "d is new"];
        assert_eq!(differences(&expected, &found), want);
        assert!(differences(&expected, &expected).is_empty());
    }
}
