//! Git's argument lists. Hooks, file-system monitors and signing are off: a repository's own configuration must
//! not run programs as the gate's user.

use std::path::Path;

use super::Command;

/// Returns `git` in `dir`, deaf to whatever the repository's configuration would run.
#[must_use]
pub fn git(dir: &Path) -> Command {
    Command::new("git").args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]).arg("-C").path(dir)
}

/// Prints the commit that a revision names.
#[must_use]
pub fn commit_of(dir: &Path, revision: &str) -> Command {
    let what = format!("{revision}^{{commit}}");
    git(dir).args(["rev-parse", "--verify", "--quiet", "--end-of-options"]).arg(what)
}

/// Prints the uncommitted changes, one a line; nothing where the tree is clean.
#[must_use]
pub fn changes(dir: &Path) -> Command {
    git(dir).args(["status", "--porcelain", "--untracked-files=no"])
}

/// Prints what a working copy holds next to its commit, one a line: changed, untracked and ignored files.
#[must_use]
pub fn all_changes(dir: &Path) -> Command {
    git(dir).args(["status", "--porcelain", "--untracked-files=all", "--ignored"])
}

/// Prints the tracked files at and below `path`, from the top of `dir`, each ended by a zero byte.
#[must_use]
pub fn tracked(dir: &Path, path: &Path) -> Command {
    git(dir).args(["ls-files", "-z", "--cached", "--"]).path(path)
}

/// Prints the folder that all worktrees of a repository share.
#[must_use]
pub fn common_dir(dir: &Path) -> Command {
    git(dir).args(["rev-parse", "--path-format=absolute", "--git-common-dir"])
}

/// Prints the git folder of one worktree.
#[must_use]
pub fn own_dir(dir: &Path) -> Command {
    git(dir).args(["rev-parse", "--path-format=absolute", "--absolute-git-dir"])
}

/// Prints commits that the repository has with the author's and the committer's date in seconds since 1970, one a line.
#[must_use]
pub fn times_of(dir: &Path, commits: &[String]) -> Command {
    let list = ["log", "--no-walk=unsorted", "--ignore-missing", "--format=%H %at %ct", "--end-of-options"];
    git(dir).args(list).args(commits)
}

/// Makes a worktree at `workdir` that holds `commit`.
#[must_use]
pub fn add_worktree(repository: &Path, workdir: &Path, commit: &str) -> Command {
    git(repository).args(["worktree", "add", "--quiet", "--detach"]).path(workdir).arg(commit)
}

/// Puts a worktree to `commit`.
#[must_use]
pub fn check_out(workdir: &Path, commit: &str) -> Command {
    git(workdir).args(["checkout", "--quiet", "--force", "--detach"]).arg(commit)
}

/// Sets a tag with a message.
#[must_use]
pub fn tag(repository: &Path, name: &str, commit: &str, message: &str) -> Command {
    git(repository)
        .args(["-c", "user.name=stagegate", "-c", "user.email=stagegate@localhost", "-c", "tag.gpgSign=false"])
        .args(["tag", "--annotate", "--message"])
        .arg(message)
        .arg(name)
        .arg(commit)
}

/// Takes a tag away.
#[must_use]
pub fn untag(repository: &Path, name: &str) -> Command {
    git(repository).args(["tag", "--delete"]).arg(name)
}

/// Prints the message of an annotated tag; nothing where there is none, or it is of another kind.
#[must_use]
pub fn message_of(repository: &Path, tag: &str) -> Command {
    git(repository)
        .args(["for-each-ref", "--format=%(if:equals=tag)%(objecttype)%(then)%(contents)%(end)"])
        .arg(format!("refs/tags/{tag}"))
}

/// Prints the names of the annotated tags that match a pattern, each with the first line of its message after a space.
#[must_use]
pub fn tags_like(repository: &Path, pattern: &str) -> Command {
    git(repository)
        .args([
            "for-each-ref",
            "--format=%(if:equals=tag)%(objecttype)%(then)%(refname:lstrip=2) %(contents:subject)%(end)",
        ])
        .arg(format!("refs/tags/{pattern}"))
}

/// Takes a worktree away, whatever it holds, also one that a killed `worktree add` left locked.
#[must_use]
pub fn remove_worktree(repository: &Path, workdir: &Path) -> Command {
    git(repository).args(["worktree", "remove", "--force", "--force"]).path(workdir)
}

/// Forgets the worktree at `workdir`, whose folder is gone; others are none of our business. One that is locked stays.
#[must_use]
pub fn forget_worktree(repository: &Path, workdir: &Path) -> Command {
    git(repository).args(["worktree", "remove", "--force"]).path(workdir)
}

/// Prints how a person calls a commit: its tag, or the nearest one and the distance (`v2-3-gab12cd34ef`); ends with 128 where
/// there is none. Only tags that match one of `own` are taken, where it has any; never those that match one of `theirs`.
#[must_use]
pub fn name_of(dir: &Path, commit: &str, (own, theirs): (&[String], &[String]), exact: &[&str]) -> Command {
    let own = own.iter().map(|pattern| format!("--match={pattern}"));
    let theirs = theirs.iter().map(|pattern| format!("--exclude={pattern}"));
    let describe =
        git(dir).args(["describe", "--tags", "--exclude=rollback-*", "--exclude=stagegate-run-*", "--abbrev=10"]);
    describe.args(exact.iter().copied()).args(own).args(theirs).arg(commit)
}

/// Prints the short id of a commit.
#[must_use]
pub fn short_id(dir: &Path, commit: &str) -> Command {
    git(dir).args(["rev-parse", "--short=10"]).arg(commit)
}

/// Prints the files of commits that it reads as `REV:PATH`, one a line; symbolic links are followed inside of a commit.
#[must_use]
pub fn files_of(repository: &Path) -> Command {
    git(repository).args(["cat-file", "--batch", "--follow-symlinks"])
}

/// Prints the entries of a commit, from the repository's top: `MODE KIND OBJECT<tab>PATH`, each ended by a zero byte.
#[must_use]
pub fn entries(repository: &Path, commit: &str) -> Command {
    git(repository).args(["ls-tree", "-r", "-z", "--full-tree"]).arg(commit)
}

/// Ends with 0 where a commit has a folder.
#[must_use]
pub fn has_folder(repository: &Path, commit: &str, folder: &Path) -> Command {
    git(repository).args(["cat-file", "-e"]).arg(format!("{commit}:{}/", folder.display()))
}

/// Ends with 0 where a repository has an object.
#[must_use]
pub fn has_object(repository: &Path, object: &str) -> Command {
    git(repository).args(["cat-file", "-e"]).arg(object)
}

/// Prints the names and paths of a commit's submodules, `submodule.NAME.path<line feed>PATH`, each ended by a zero byte.
#[must_use]
pub fn submodules(repository: &Path, commit: &str) -> Command {
    let file = format!("{commit}:.gitmodules");
    git(repository).args(["config", "-z", "--blob"]).arg(file).args(["--get-regexp", r"^submodule\..*\.path$"])
}

/// Prints the files of a commit that hold `text`, as `COMMIT:PATH`, each ended by a zero byte; ends with 1 where none does.
#[must_use]
pub fn holding(repository: &Path, commit: &str, text: &str, among: &[&str]) -> Command {
    let grep = ["grep", "-z", "-I", "--files-with-matches", "--full-name", "--fixed-strings", "-e"];
    git(repository).args(grep).arg(text).arg(commit).arg("--").args(among.iter().copied())
}

/// Prints the filter that writes files of Git LFS into a working copy; ends with 1 where none is set.
#[must_use]
pub fn lfs_filter(repository: &Path) -> Command {
    git(repository).args(["config", "--get", "filter.lfs.smudge"])
}

/// Ends with 0 where Git LFS is installed.
#[must_use]
pub fn lfs_version(repository: &Path) -> Command {
    git(repository).args(["lfs", "version"])
}

/// Prints the worktrees of a repository, `worktree PATH`, with other lines, each ended by a zero byte.
#[must_use]
pub fn worktrees(repository: &Path) -> Command {
    git(repository).args(["worktree", "list", "--porcelain", "-z"])
}

/// Writes the content of Git LFS that the repository has into a working copy.
#[must_use]
pub fn lfs_check_out(workdir: &Path) -> Command {
    git(workdir).args(["lfs", "checkout"])
}

/// Prints the product's place: the top folder of the working copy that holds `dir`, and below it the path of `dir`.
#[must_use]
pub fn place(dir: &Path) -> Command {
    git(dir).args(["rev-parse", "--path-format=absolute", "--show-toplevel", "--show-prefix"]).env("LC_ALL", "C")
}

/// Prints the top folder of the working copy that holds `dir`.
#[must_use]
pub fn top(dir: &Path) -> Command {
    // Why it refuses is told from git's own words, which are translated otherwise.
    git(dir).args(["rev-parse", "--path-format=absolute", "--show-toplevel"]).env("LC_ALL", "C")
}
