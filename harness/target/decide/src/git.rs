//! Git's argument lists for releases on their way to a host.

use std::path::Path;

use stagegate_base::command::{Command, git::git};

/// Makes a repository without a working copy.
#[must_use]
pub fn make(repository: &Path) -> Command {
    Command::new("git").args(["init", "--quiet", "--bare"]).path(repository)
}

/// Prints each object that it reads with its kind, or `missing`, one a line.
#[must_use]
pub fn objects(dir: &Path) -> Command {
    git(dir).args(["cat-file", "--batch-check=%(objectname) %(objecttype)"])
}

/// Prints up to 200 objects that are named, the newest first.
#[must_use]
pub fn named(repository: &Path) -> Command {
    git(repository).args(["for-each-ref", "--sort=-creatordate", "--count=200", "--format=%(objectname)"])
}

/// Prints the tags of a commit, `<object> <name>` a line; rollback points are the machine's own.
#[must_use]
pub fn tags_of(dir: &Path, commit: &str) -> Command {
    let of = format!("--points-at={commit}");
    git(dir).args(["for-each-ref", "--format=%(objectname) %(refname:strip=2)"]).arg(of).arg("refs/tags")
}

/// Writes a pack of what it reads (`object`, and `^object` for what is there already) to standard output.
#[must_use]
pub fn pack(dir: &Path) -> Command {
    git(dir).args(["pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "--quiet"])
}

/// Reads a pack from standard input into a repository, verified.
#[must_use]
pub fn unpack(repository: &Path) -> Command {
    git(repository).args(["index-pack", "--stdin", "--fix-thin"])
}

/// Fails where an object of a commit is missing.
#[must_use]
pub fn is_whole(repository: &Path, commits: &[String]) -> Command {
    git(repository).args(["rev-list", "--objects", "--quiet"]).args(commits.iter().map(String::as_str))
}

/// Names an object.
#[must_use]
pub fn keep(repository: &Path, name: &str, object: &str) -> Command {
    git(repository).args(["update-ref", name, object])
}

/// Prints the object that a name stands for; fails where there is none.
#[must_use]
pub fn at(repository: &Path, name: &str) -> Command {
    git(repository).args(["rev-parse", "--verify", "--quiet", name])
}

/// Ends with 0 where `new` contains `old`, with 1 where it does not.
#[must_use]
pub fn contains(repository: &Path, new: &str, old: &str) -> Command {
    git(repository).args(["merge-base", "--is-ancestor", old, new])
}

/// Puts a working copy to a commit; changed files of git stop it.
#[must_use]
pub fn move_to(checkout: &Path, commit: &str) -> Command {
    git(checkout).args(["checkout", "--quiet", "--detach", commit])
}

/// Prints `true` where the history is cut.
#[must_use]
pub fn is_shallow(dir: &Path) -> Command {
    git(dir).args(["rev-parse", "--is-shallow-repository"])
}
