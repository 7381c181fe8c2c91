//! What the output of `restic` means: why it failed, which snapshots there are; and which of them are to be removed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Why `restic` failed, where that has a fix of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The password is another one.
    Password,
    /// There is no repository.
    NoRepository,
    /// Another program has locked it.
    Locked,
    /// The snapshot is not there.
    NoSnapshot,
    /// What is stored cannot be read.
    Damaged,
}

/// Texts of `restic` 0.14 to 0.18, and what they mean.
// Source: restic, cmd/restic (global.go, lock.go, cmd_dump.go), internal/repository.
const TEXTS: [(&str, Fault); 13] = [
    ("wrong password or no key found", Fault::Password),
    ("is there a repository at the following location", Fault::NoRepository),
    ("repository does not exist", Fault::NoRepository),
    ("repository is already locked", Fault::Locked),
    ("no matching id found", Fault::NoSnapshot),
    ("failed to find snapshot", Fault::NoSnapshot),
    ("ciphertext verification failed", Fault::Damaged),
    ("invalid data returned", Fault::Damaged),
    ("hash does not match id", Fault::Damaged),
    ("loadtree(", Fault::Damaged),
    ("readfull(<data/", Fault::Damaged),
    ("not found in index", Fault::Damaged),
    ("id not found in repository", Fault::Damaged),
];

/// What a place prints that is not reached, or does not let anybody in; `restic` then also wonders whether there is a repository.
const NOT_REACHED: [&str; 9] = [
    "connection refused",
    "dial tcp",
    "no such host",
    "timeout",
    "timed out",
    "access denied",
    "access key",
    "forbidden",
    "signature",
];

/// Returns what a failure of `restic` means; `None` where it is neither of these, such as a place that is not reachable.
#[must_use]
pub fn fault(code: i32, text: &str) -> Option<Fault> {
    // Source: restic 0.17 and later, "Exit codes"; earlier ones end with 1.
    match code {
        10 => return Some(Fault::NoRepository),
        11 => return Some(Fault::Locked),
        12 => return Some(Fault::Password),
        _ => {}
    }
    let text = text.to_lowercase();
    if NOT_REACHED.iter().any(|part| text.contains(part)) {
        return None;
    }
    TEXTS.iter().find(|(part, _)| text.contains(part)).map(|(_, fault)| *fault)
}

/// A snapshot of the list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// The paths of its files.
    pub paths: Vec<String>,
}

/// Reads the list of snapshots.
///
/// # Errors
/// Where it is none.
pub fn snapshots(text: &str) -> Result<Vec<Found>, serde_json::Error> {
    // Of an empty repository some versions print `null`.
    Ok(serde_json::from_str::<Option<Vec<Found>>>(text)?.unwrap_or_default())
}

/// A backup whose snapshots may have to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// The tag of its snapshots.
    pub tag: String,
    /// The repository.
    pub repository: String,
    /// It was never listed.
    pub is_draft: bool,
}

/// What becomes of backups that were begun or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Their snapshots are to be removed.
    pub gone: BTreeMap<String, Unsettled>,
    /// They are decided on later.
    pub open: BTreeMap<String, Unsettled>,
}

/// Decides on each backup of `unsettled`, by its id: `here` are those of the store, `copies` those off this host, `None` where
/// nobody looked. What is listed anywhere keeps its snapshots.
#[must_use]
pub fn settled(
    unsettled: BTreeMap<String, Unsettled>,
    here: &BTreeSet<String>,
    copies: Option<&BTreeSet<String>>,
) -> Settled {
    let mut all = Settled::default();
    for (id, one) in unsettled {
        if here.contains(&id) {
            continue;
        }
        // A draft was never copied.
        let has_copy = if one.is_draft { Some(false) } else { copies.map(|copies| copies.contains(&id)) };
        let place = if has_copy == Some(false) { &mut all.gone } else { &mut all.open };
        place.insert(id, one);
    }
    all
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::password(1, "Fatal: wrong password or no key found", Some(Fault::Password))]
    #[case::folder(
        1,
        "Fatal: unable to open config file: stat /r/config: no such file or directory | Is there a repository at the following location? | /r",
        Some(Fault::NoRepository)
    )]
    #[case::locked(
        1,
        "unable to create lock in backend: repository is already locked exclusively by PID 7 on vm by root (UID 0, GID 0)",
        Some(Fault::Locked)
    )]
    #[case::no_snapshot(1, "invalid id \"0a\": no matching ID found for prefix \"0a\"", Some(Fault::NoSnapshot))]
    #[case::damaged(
        1,
        "cannot dump file: decrypting blob f3 failed: ciphertext verification failed",
        Some(Fault::Damaged)
    )]
    #[case::lost(
        1,
        "cannot dump file: ReadFull(<data/0553>): open /r/data/05: no such file or directory",
        Some(Fault::Damaged)
    )]
    #[case::by_code(12, "", Some(Fault::Password))]
    #[case::network(
        1,
        "Fatal: unable to open config file: Stat: Get \"http://s3/\": dial tcp: connection refused | Is there a repository at the following location?",
        None
    )]
    fn a_failure_is_known_by_its_code_or_text(#[case] code: i32, #[case] text: &str, #[case] want: Option<Fault>) {
        assert_eq!(fault(code, text), want);
    }

    #[test]
    fn the_list_is_read_also_where_there_is_none() {
        let text = r#"[{"time":"2026-11-30T10:21:00Z","paths":["/x.tar"],"tags":["t"],"id":"f354","short_id":"f3"}]"#;
        assert_eq!(snapshots(text).unwrap(), [Found { id: "f354".to_owned(), paths: vec!["/x.tar".to_owned()] }]);
        assert_eq!((snapshots("[]\n").unwrap(), snapshots("null\n").unwrap()), (vec![], vec![]));
        assert!(snapshots("Fatal: ..").is_err());
    }

    #[test]
    fn snapshots_of_what_is_listed_anywhere_stay() {
        let one = |is_draft| Unsettled { tag: "t".to_owned(), repository: "/r".to_owned(), is_draft };
        let all = || -> BTreeMap<String, Unsettled> {
            [("draft", true), ("published", true), ("removed", false), ("copied", false)]
                .map(|(id, is_draft)| (id.to_owned(), one(is_draft)))
                .into()
        };
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
        let keys = |of: &BTreeMap<String, Unsettled>| of.keys().cloned().collect::<Vec<_>>();
        let (here, copies) = (set(&["published"]), set(&["copied"]));
        let unknown = settled(all(), &here, None);
        assert_eq!(
            (keys(&unknown.gone), keys(&unknown.open)),
            (vec!["draft".to_owned()], vec!["copied".to_owned(), "removed".to_owned()])
        );
        let known = settled(all(), &here, Some(&copies));
        assert_eq!(
            (keys(&known.gone), keys(&known.open)),
            (vec!["draft".to_owned(), "removed".to_owned()], vec!["copied".to_owned()])
        );
    }
}
