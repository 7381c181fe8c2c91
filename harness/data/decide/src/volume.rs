//! A copy of a volume or folder that a rollback puts in place: what it holds, how two of them differ, what it is called,
//! and which of the kept ones may go.

mod protocol;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagegate_base::mark::Role;

pub use crate::backup::ArchivedEntry;
pub use protocol::{Copied, CopyMethod, Job, Outcome, Probe, Reply, Request, SwitchRequest, Switched};

/// The folder next to a live one that holds its copies. It hides itself from git.
pub const KEPT_FOLDER: &str = ".stagegate";
/// How many differences are named.
const NAMED: usize = 5;

/// One entry of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeEntry {
    /// Kind (`file`, `folder`, `link` or `other`), mode, owner, size and contents. Of a device, a socket or a pipe the
    /// contents are its type and number.
    #[serde(flatten)]
    pub entry: ArchivedEntry,
    /// When it was modified: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// SHA-256 of the value of each extended attribute, access lists included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The path of which it is another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// It has holes, which take no space.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sparse: bool,
}

/// A volume, or a copy of one, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The entries by their paths; `.` is the folder itself. A name that is not UTF-8 has its bytes escaped.
    pub entries: BTreeMap<String, TreeEntry>,
    /// The number of the folder's inode, by which the same folder is found again under another name.
    pub root: u64,
    /// SHA-256 of what the file system reports of every entry (inode, size, mode, owner, times of modification and
    /// change): while it is the same, nothing was written.
    pub stamp: String,
}

impl Tree {
    /// Returns the bytes of all files, each counted once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.values().filter(|entry| entry.same_as.is_none()).map(|entry| entry.entry.size).sum()
    }

    /// Returns how many files, folders and links there are, the folder itself not counted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }
}

/// Returns in words how a volume differs from what is expected; empty where they are equal.
#[must_use]
pub fn differences(expected: &Tree, found: &Tree) -> Vec<String> {
    let mut all = Vec::new();
    for (path, want) in &expected.entries {
        match found.entries.get(path) {
            None => all.push(format!("{path} is missing")),
            Some(other) => all.extend(difference(want, other).map(|what| format!("{path}: {what}"))),
        }
    }
    let is_new = |path: &&String| !expected.entries.contains_key(*path);
    all.extend(found.entries.keys().filter(is_new).map(|path| format!("{path} is new")));
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all
}

fn difference(want: &TreeEntry, found: &TreeEntry) -> Option<&'static str> {
    let (a, b) = (&want.entry, &found.entry);
    if (a.size, &a.content) != (b.size, &b.content) {
        return Some("contents differ");
    }
    if (&a.kind, a.mode, a.owner) != (&b.kind, b.mode, b.owner) {
        return Some("kind, mode or owner differs");
    }
    if want.attributes != found.attributes {
        return Some("extended attributes differ");
    }
    (want.modified != found.modified || want.same_as != found.same_as).then_some("time or hard links differ")
}

/// What a kept folder is: written next to it before it is made, and read before it is removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CopyRecord {
    /// The folder's name within [`KEPT_FOLDER`].
    pub name: String,
    /// The name of the live folder.
    pub of: String,
    /// What it is for: `pre`, `failed`, `left` or `restored`, as in the names of databases.
    pub role: String,
    /// The run that made it.
    pub run: String,
    /// The id of that run's state folder.
    pub state: String,
}

impl CopyRecord {
    /// Returns what `run` makes of the live folder `of` for `role`; `state` is its state folder's id.
    #[must_use]
    pub fn of(of: &str, role: Role, run: &str, state: &str) -> Self {
        let infix = role.infix();
        let name = format!("{of}.{infix}.{run}");
        CopyRecord { name, of: of.to_owned(), role: infix.to_owned(), run: run.to_owned(), state: state.to_owned() }
    }

    /// Returns its path, relative to the folder that holds the live one.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{KEPT_FOLDER}/{}", self.name)
    }
}

/// Returns which of the kept folders may go after `run`, by the rules for databases: earlier runs' copies go; of failed
/// and of replaced ones the newest of each stays, and all of this run's.
#[must_use]
pub fn may_go(found: &[CopyRecord], run: &str, state: &str) -> Vec<CopyRecord> {
    let own: Vec<&CopyRecord> = found.iter().filter(|kept| kept.state == state).collect();
    let newest = |kept: &CopyRecord| {
        let same = own.iter().filter(|other| (&other.of, &other.role) == (&kept.of, &kept.role));
        // A run's id begins with its time, so the greatest is the newest.
        same.map(|other| &other.run).max() == Some(&kept.run)
    };
    let stays = |kept: &CopyRecord| {
        let is_kept = [Role::Failed, Role::Left].iter().any(|role| role.infix() == kept.role);
        kept.run == run || (is_kept && newest(kept))
    };
    own.iter().filter(|kept| !stays(kept)).map(|kept| (*kept).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(content: &str) -> TreeEntry {
        let (kind, content) = ("file".to_owned(), content.to_owned());
        let entry = ArchivedEntry { kind, mode: 0o644, owner: (0, 0), size: 1, content };
        TreeEntry { entry, modified: (1, 2), attributes: BTreeMap::new(), same_as: None, sparse: false }
    }

    fn tree(entries: Vec<(&str, TreeEntry)>) -> Tree {
        let entries = entries.into_iter().map(|(path, entry)| (path.to_owned(), entry)).collect();
        Tree { entries, ..Tree::default() }
    }

    #[test]
    fn each_kind_of_difference_is_named_and_holes_are_none() {
        let with = |change: fn(&mut TreeEntry)| {
            let mut changed = entry("1");
            change(&mut changed);
            changed
        };
        let expected = tree(["a", "b", "c", "d", "e", "f"].map(|path| (path, entry("1"))).into());
        let found = tree(vec![
            ("a", entry("2")),
            ("b", with(|e| e.entry.mode = 0o600)),
            ("c", with(|e| drop(e.attributes.insert("user.a".into(), "1".into())))),
            ("d", with(|e| e.modified = (1, 3))),
            ("e", with(|e| e.sparse = true)),
            ("g", entry("1")),
        ]);
        let want = [
            "a: contents differ",
            "b: kind, mode or owner differs",
            "c: extended attributes differ",
            "d: time or hard links differ",
            "f is missing",
            "1 more",
        ];
        assert_eq!(differences(&expected, &found), want);
        assert!(differences(&expected, &expected).is_empty());
    }

    #[test]
    fn the_newest_failed_one_and_all_of_this_run_stay_and_nothing_of_another_state_folder_goes() {
        let kept = |role, run: &str| CopyRecord::of("_data", role, run, "aa");
        let other = CopyRecord::of("_data", Role::Copy, "20260101-000000-0001", "bb");
        let found = [
            kept(Role::Copy, "20260101-000000-0001"),
            kept(Role::Copy, "20260103-000000-0003"),
            kept(Role::Failed, "20260101-000000-0001"),
            kept(Role::Failed, "20260102-000000-0002"),
            kept(Role::Left, "20260101-000000-0001"),
            kept(Role::Restored, "20260102-000000-0002"),
            other,
        ];
        let go: Vec<String> = may_go(&found, "20260103-000000-0003", "aa").into_iter().map(|kept| kept.name).collect();
        let want = [
            "_data.pre.20260101-000000-0001",
            "_data.failed.20260101-000000-0001",
            "_data.restored.20260102-000000-0002",
        ];
        assert_eq!(go, want);
    }
}
