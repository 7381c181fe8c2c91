//! Git: commits, worktrees, tags.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{command::git as command, release::Release};

use crate::process::{RunError, Runner};

/// How long a git command of ours may take: a checkout of a large tree included.
const WITHIN: Duration = Duration::from_secs(120);

/// A git repository and how to work with it.
#[derive(Clone, Debug)]
pub struct Git {
    runner: Runner,
    repository: PathBuf,
}

/// What git refused.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no such commit.
    #[error("revision `{revision}` is not in the repository {}; `git log` lists what is, `git fetch` gets more", repository.display())]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// Where.
        repository: PathBuf,
    },
    /// There is no repository.
    #[error("{} is not in a git repository; a release is a git commit, so commit your product first", dir.display())]
    NoRepository {
        /// The folder.
        dir: PathBuf,
    },
    /// There is one, and git refuses to use it.
    #[error("git refuses the repository {}: {reason}", dir.display())]
    Refused {
        /// The folder.
        dir: PathBuf,
        /// What git reported, with its own way out.
        reason: String,
    },
    /// Something else.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Git {
    /// Opens the repository that holds `dir`.
    ///
    /// # Errors
    /// [`GitError::NoRepository`] where there is none.
    pub async fn open(runner: &Runner, dir: &Path) -> Result<Self, GitError> {
        let output = runner.run(&command::top(dir), WITHIN).await?;
        if output.code != 0 {
            return Err(refused(dir, &output.stderr));
        }
        Ok(Git { runner: runner.clone(), repository: PathBuf::from(output.stdout.trim()) })
    }

    /// Returns the top folder of the user's working copy.
    #[must_use]
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// Returns the commit that a revision names, and how a person calls it.
    ///
    /// # Errors
    /// [`GitError::UnknownRevision`] where it names none.
    pub async fn release(&self, revision: &str) -> Result<Release, GitError> {
        self.release_at(&self.repository.clone(), revision).await
    }

    /// Returns the commit that a worktree is at.
    ///
    /// # Errors
    /// [`GitError`] where it is not one.
    pub async fn release_of(&self, workdir: &Path) -> Result<Release, GitError> {
        self.release_at(workdir, "HEAD").await
    }

    async fn release_at(&self, dir: &Path, revision: &str) -> Result<Release, GitError> {
        let output = self.runner.run(&command::commit_of(dir, revision), WITHIN).await?;
        let commit = output.stdout.trim().to_owned();
        if output.code != 0 || commit.is_empty() {
            return Err(GitError::UnknownRevision { revision: revision.to_owned(), repository: dir.to_path_buf() });
        }
        let name = self.runner.run_ok(&command::name_of(dir, &commit), WITHIN).await?.trim().to_owned();
        Ok(Release { commit, name })
    }

    /// Returns the author's and the committer's date of the commits that the repository has, in seconds since 1970.
    ///
    /// # Errors
    /// [`GitError`] where git cannot be run, or refuses.
    pub async fn times(&self, commits: &[String]) -> Result<Vec<(String, i64, i64)>, GitError> {
        let mut times = Vec::new();
        // So many at once that no argument list is too long.
        for some in commits.chunks(500) {
            let text = self.runner.run_ok(&command::times_of(&self.repository, some), WITHIN).await?;
            times.extend(text.lines().filter_map(|line| {
                let mut parts = line.split(' ');
                Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
            }));
        }
        Ok(times)
    }

    /// Returns the uncommitted changes of a worktree's tracked files, one a line.
    ///
    /// # Errors
    /// [`GitError`] where it is not one.
    pub async fn changes(&self, dir: &Path) -> Result<Vec<String>, GitError> {
        let text = self.runner.run_ok(&command::changes(dir), WITHIN).await?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// Tells whether `dir` is a worktree of this repository other than the user's working copy.
    ///
    /// # Errors
    /// [`GitError`] where git cannot be run.
    pub async fn is_own_worktree(&self, dir: &Path) -> Result<bool, GitError> {
        let shared = self.runner.run(&command::common_dir(&self.repository), WITHIN).await?;
        let (common, top) = (command::common_dir(dir), command::top(dir));
        let (common, top) = (self.runner.run(&common, WITHIN).await?, self.runner.run(&top, WITHIN).await?);
        let is_top = same_folder(Path::new(top.stdout.trim()), dir);
        Ok(common.code == 0 && common.stdout == shared.stdout && is_top && !same_folder(dir, &self.repository))
    }

    /// Tells whether `dir` is the user's working copy.
    #[must_use]
    pub fn is_working_copy(&self, dir: &Path) -> bool {
        same_folder(dir, &self.repository)
    }

    /// Puts a worktree to a commit; makes it where it is not there, or is an empty folder.
    ///
    /// # Errors
    /// [`GitError`] with what git said.
    pub async fn check_out(&self, workdir: &Path, commit: &str) -> Result<(), GitError> {
        if is_free(workdir) {
            // git does not forget a worktree whose folder is there, empty or not.
            let _ = std::fs::remove_dir(workdir);
            // That git knows none there is fine. `worktree prune` would forget the user's too, on a disk that is away.
            self.runner.run(&command::forget_worktree(&self.repository, workdir), WITHIN).await?;
            self.runner.run_ok(&command::add_worktree(&self.repository, workdir, commit), WITHIN).await?;
            return Ok(());
        }
        let own = self.runner.run_ok(&command::own_dir(workdir), WITHIN).await?;
        // A killed checkout leaves its lock; the environment's lock is held, so no other one is at work here.
        let _ = std::fs::remove_file(Path::new(own.trim()).join("index.lock"));
        self.runner.run_ok(&command::check_out(workdir, commit), WITHIN).await?;
        Ok(())
    }

    /// Takes a worktree of ours away; that it is gone already is fine.
    ///
    /// # Errors
    /// [`GitError`] with what git said.
    pub async fn remove_worktree(&self, workdir: &Path) -> Result<(), GitError> {
        let remove = command::remove_worktree(&self.repository, workdir);
        if self.runner.run(&remove, WITHIN).await?.code != 0 && workdir.exists() {
            // Half-made by a killed run: git does not know it, or not well enough.
            let _ = std::fs::remove_dir_all(workdir);
            self.runner.run(&remove, WITHIN).await?;
        }
        Ok(())
    }

    /// Sets a tag with a message; one that is there already at this commit is fine.
    ///
    /// # Errors
    /// [`GitError`] with what git said.
    pub async fn tag(&self, name: &str, commit: &str, message: &str) -> Result<(), GitError> {
        if self.release(name).await.is_ok_and(|there| there.commit == commit) {
            return Ok(());
        }
        self.runner.run_ok(&command::tag(&self.repository, name, commit, message), WITHIN).await?;
        Ok(())
    }

    /// Returns those of `tags`, with their messages, that were set with exactly that message and are still there.
    ///
    /// # Errors
    /// [`GitError`] where git cannot be run.
    pub async fn tags_with(&self, tags: &[(String, String)]) -> Result<Vec<(String, String)>, GitError> {
        let mut found = Vec::new();
        for (name, message) in tags {
            let told = self.runner.run_ok(&command::message_of(&self.repository, name), WITHIN).await?;
            if told.trim() == message {
                found.push((name.clone(), message.clone()));
            }
        }
        Ok(found)
    }

    /// Tells whether a worktree holds anything that git does not have: changed, untracked or ignored files.
    ///
    /// # Errors
    /// [`GitError`] where it is not one.
    pub async fn holds_more(&self, workdir: &Path) -> Result<bool, GitError> {
        Ok(!self.runner.run_ok(&command::all_changes(workdir), WITHIN).await?.trim().is_empty())
    }

    /// Takes a tag away that was set with `message`; that it is gone already is fine. One of that name with another
    /// message is somebody else's, and stays.
    ///
    /// # Errors
    /// [`GitError`] with what git said.
    pub async fn untag(&self, name: &str, message: &str) -> Result<(), GitError> {
        let found = self.runner.run_ok(&command::message_of(&self.repository, name), WITHIN).await?;
        if found.trim() == message {
            self.runner.run_ok(&command::untag(&self.repository, name), WITHIN).await?;
        }
        Ok(())
    }
}

/// Tells whether a worktree can be made at `dir`: nothing is there, or a folder without anything in it.
#[must_use]
pub fn is_free(dir: &Path) -> bool {
    !dir.exists() || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

// Source: git, setup.c: "not a git repository (or any of the parent directories)"; other refusals name their way out.
fn refused(dir: &Path, stderr: &str) -> GitError {
    let dir = dir.to_path_buf();
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() || stderr.to_lowercase().contains("not a git repository") {
        return GitError::NoRepository { dir };
    }
    GitError::Refused { dir, reason: lines.join(" ") }
}

fn same_folder(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    struct Repository(PathBuf);

    impl Repository {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("stagegate-git-{name}-{}", std::process::id()));
            std::fs::create_dir_all(root.join("product")).unwrap();
            let repository = Repository(root);
            repository.git(&["init", "--quiet"]);
            repository.git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
            repository
        }

        fn product(&self) -> PathBuf {
            self.0.join("product")
        }

        fn git(&self, args: &[&str]) -> String {
            let who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
            let output = Command::new("git").arg("-C").arg(self.product()).args(who).args(args).output().unwrap();
            assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }

        async fn open(&self) -> Git {
            Git::open(&Runner::default(), &self.product()).await.unwrap()
        }
    }

    impl Drop for Repository {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_git_refuses_is_told_in_its_own_words() {
        let said = "fatal: detected dubious ownership in repository at '/srv/shop'\nTo add an exception for this directory, \
                    call:\n\n\tgit config --global --add safe.directory /srv/shop\n";
        let text = refused(Path::new("/srv/shop"), said).to_string();
        assert!(text.contains("dubious ownership") && text.ends_with("--add safe.directory /srv/shop"), "{text}");
        let none = "fatal: not a git repository (or any of the parent directories): .git\n";
        assert!(matches!(refused(Path::new("/srv/shop"), none), GitError::NoRepository { .. }));
    }

    #[tokio::test]
    async fn only_a_tag_with_our_message_is_taken_away() {
        let repository = Repository::new("tag");
        let git = repository.open().await;
        let head = repository.git(&["rev-parse", "HEAD"]);
        repository.git(&["tag", "light"]);
        repository.git(&["tag", "--annotate", "--message", "before the fair", "theirs"]);
        git.tag("ours", &head, "production before run r1").await.unwrap();
        for name in ["light", "theirs", "ours", "none"] {
            git.untag(name, "production before run r1").await.unwrap();
        }
        assert_eq!(repository.git(&["tag"]), "light\ntheirs");
    }

    #[tokio::test]
    async fn worktrees_of_others_are_not_forgotten_where_their_folder_is_away() {
        let repository = Repository::new("worktree");
        let git = repository.open().await;
        let head = repository.git(&["rev-parse", "HEAD"]);
        let [theirs, ours] = ["theirs", "ours"].map(|name| repository.0.join(name));
        git.check_out(&theirs, &head).await.unwrap();
        std::fs::rename(&theirs, repository.0.join("away")).unwrap();

        git.check_out(&ours, &head).await.unwrap();
        // The folder is lost, and is made anew at the same place.
        std::fs::remove_dir_all(&ours).unwrap();
        git.check_out(&ours, &head).await.unwrap();
        git.remove_worktree(&ours).await.unwrap();
        // As a killed `worktree add` leaves it: locked, and without its files.
        git.check_out(&ours, &head).await.unwrap();
        repository.git(&["worktree", "lock", "--reason", "initializing", &ours.to_string_lossy()]);
        std::fs::remove_file(ours.join(".git")).unwrap();
        git.remove_worktree(&ours).await.unwrap();
        git.remove_worktree(&ours).await.unwrap();
        assert!(!ours.exists());
        let known = repository.git(&["worktree", "list", "--porcelain"]);
        assert!(known.contains("/theirs") && !known.contains("/ours"), "{known}");
    }

    #[tokio::test]
    async fn a_worktree_is_made_in_an_empty_folder_and_nothing_of_others_is_touched() {
        let repository = Repository::new("empty");
        let git = repository.open().await;
        let head = repository.git(&["rev-parse", "HEAD"]);
        let [made, emptied, full] = ["made", "emptied", "full"].map(|name| repository.0.join(name));
        std::fs::create_dir_all(&made).unwrap();
        git.check_out(&made, &head).await.unwrap();
        assert!(git.is_own_worktree(&made).await.unwrap());
        // git still knows a worktree whose folder was emptied by hand.
        git.check_out(&emptied, &head).await.unwrap();
        std::fs::remove_file(emptied.join(".git")).unwrap();
        git.check_out(&emptied, &head).await.unwrap();
        assert!(git.is_own_worktree(&emptied).await.unwrap());
        std::fs::create_dir_all(&full).unwrap();
        std::fs::write(full.join("notes"), "mine").unwrap();
        git.check_out(&full, &head).await.unwrap_err();
        assert_eq!(std::fs::read_dir(&full).unwrap().count(), 1);
    }
}
