//! Git: commits, worktrees, tags.
//!
//! A workdir is the product's folder, which may lie below the top of its worktree: what git does, it does at the top.

mod blobs;
mod content;
mod products;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{command::git as command, release::Release, subfolder::Subfolder};

pub(crate) use blobs::{Blob, blobs};

use crate::process::{RunError, Runner};

/// How long a git command of ours may take: a checkout of a large tree included.
const WITHIN: Duration = Duration::from_secs(120);

/// A git repository and how to work with it.
#[derive(Clone, Debug)]
pub struct Git {
    runner: Runner,
    repository: PathBuf,
    subfolder: Subfolder,
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
    /// A workdir is not where the product lies in a checkout of its repository.
    #[error(
        "the product is the folder {} of its repository, so a workdir ends with that folder: expected {}, found {}; set \
         `workdir` of the environment to it", subfolder.display(), workdir.join(subfolder).display(), workdir.display()
    )]
    OutsideSubfolder {
        /// The product's folder, relative to the repository's top.
        subfolder: PathBuf,
        /// The workdir.
        workdir: PathBuf,
    },
    /// A commit does not have the product.
    #[error("commit {commit} has no folder {}, which is where the product lies in its repository; choose a later release", subfolder.display())]
    NotInCommit {
        /// The commit.
        commit: String,
        /// The product's folder, relative to the repository's top.
        subfolder: PathBuf,
    },
    /// A worktree belongs to another product of the repository.
    #[error(
        "worktree {} is that of the product in {other} of this repository, whose files a release would replace; give this \
         product a `workdir` in a worktree of its own", top.display()
    )]
    OtherProduct {
        /// The worktree.
        top: PathBuf,
        /// The other product's folder.
        other: String,
    },
    /// A submodule's commit is not on this machine.
    #[error(
        "submodule {} at commit {commit} is not in this repository; run `git submodule update --init --recursive -- {}` in {} \
         with the release checked out there", path.display(), path.display(), repository.display()
    )]
    NoSubmodule {
        /// Its path, from the repository's top.
        path: PathBuf,
        /// The commit that the release has of it.
        commit: String,
        /// The user's working copy.
        repository: PathBuf,
    },
    /// Files of Git LFS have no content here.
    #[error(
        "{files} of the release in Git LFS would be deployed as pointers without their content, {} for one; {way_out}",
        first.display()
    )]
    NoContent {
        /// How many files, in words.
        files: String,
        /// The first of them, from the repository's top.
        first: PathBuf,
        /// What to do.
        way_out: String,
    },
    /// A file could not be handled.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
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
        let output = runner.run(&command::place(dir), WITHIN).await?;
        if output.code != 0 {
            return Err(refused(dir, &output.stderr));
        }
        let (top, below) = output.stdout.split_once('\n').unwrap_or((&output.stdout, ""));
        let subfolder = Subfolder::new(Path::new(below.trim_end_matches('\n')));
        Ok(Git { runner: runner.clone(), repository: PathBuf::from(top), subfolder })
    }

    /// Returns it for a product in a folder that the user's working copy may not have any more.
    #[must_use]
    pub fn of_product(self, subfolder: &Subfolder) -> Self {
        Git { subfolder: subfolder.clone(), ..self }
    }

    /// Returns where the product lies in the repository.
    #[must_use]
    pub fn subfolder(&self) -> &Subfolder {
        &self.subfolder
    }

    /// Returns the top of the checkout that a workdir lies in.
    ///
    /// # Errors
    /// [`GitError::OutsideSubfolder`] where the product would lie elsewhere in it.
    pub fn top_of(&self, workdir: &Path) -> Result<PathBuf, GitError> {
        let written = self.subfolder.top_of(workdir);
        // The user may come by a symbolic link to the product's folder.
        let real = || workdir.canonicalize().ok().and_then(|real| self.subfolder.top_of(&real));
        written.or_else(real).ok_or_else(|| GitError::OutsideSubfolder {
            subfolder: self.subfolder.path().to_path_buf(),
            workdir: workdir.to_path_buf(),
        })
    }

    /// Returns the top of the checkout around a workdir; the workdir itself where the product lies elsewhere in that.
    fn place_of(&self, workdir: &Path) -> PathBuf {
        self.top_of(workdir).unwrap_or_else(|_| workdir.to_path_buf())
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
        self.release_at(&self.place_of(workdir), "HEAD").await
    }

    async fn release_at(&self, dir: &Path, revision: &str) -> Result<Release, GitError> {
        let output = self.runner.run(&command::commit_of(dir, revision), WITHIN).await?;
        let commit = output.stdout.trim().to_owned();
        if output.code != 0 || commit.is_empty() {
            return Err(GitError::UnknownRevision { revision: revision.to_owned(), repository: dir.to_path_buf() });
        }
        let name = self.name_of(dir, &commit).await?;
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

    /// Returns the uncommitted changes of tracked files in the whole worktree of a workdir, one a line, with paths from its
    /// top. [`crate::reach`] knows those that the product reads.
    ///
    /// # Errors
    /// [`GitError`] where it is not one.
    pub async fn changes(&self, workdir: &Path) -> Result<Vec<String>, GitError> {
        let text = self.runner.run_ok(&command::changes(&self.place_of(workdir)), WITHIN).await?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// Returns whether a workdir lies in a worktree of this repository other than the user's working copy, where the product
    /// does.
    ///
    /// # Errors
    /// [`GitError`] where git cannot be run.
    pub async fn is_own_worktree(&self, workdir: &Path) -> Result<bool, GitError> {
        let Ok(dir) = self.top_of(workdir) else { return Ok(false) };
        let shared = self.runner.run(&command::common_dir(&self.repository), WITHIN).await?;
        let (common, top) = (command::common_dir(&dir), command::top(&dir));
        let (common, top) = (self.runner.run(&common, WITHIN).await?, self.runner.run(&top, WITHIN).await?);
        let is_top = same_folder(Path::new(top.stdout.trim()), &dir);
        Ok(common.code == 0 && common.stdout == shared.stdout && is_top && !same_folder(&dir, &self.repository))
    }

    /// Returns whether a workdir lies in the user's working copy.
    #[must_use]
    pub fn is_working_copy(&self, workdir: &Path) -> bool {
        same_folder(&self.place_of(workdir), &self.repository)
    }

    /// Puts the worktree of a workdir to a commit, with submodules; makes it where it is not there, or is an empty folder.
    ///
    /// # Errors
    /// [`GitError`] that names what the commit or this machine lacks, before anything is changed; what git refused.
    pub async fn check_out(&self, workdir: &Path, commit: &str) -> Result<(), GitError> {
        let top = self.top_of(workdir)?;
        self.refuse_incomplete(commit).await?;
        self.refuse_other_product(&top).await?;
        self.put(&top, commit).await?;
        self.fill(&top, commit).await?;
        self.mark(&top).await
    }

    /// As [`Git::check_out`], for a release that was deployed there before: what is missing by now stays missing.
    ///
    /// # Errors
    /// [`GitError`] with what git refused.
    pub async fn restore(&self, workdir: &Path, commit: &str) -> Result<(), GitError> {
        let top = self.top_of(workdir)?;
        self.put(&top, commit).await?;
        // The rollback goes on: what runs has its images by id.
        if let Err(error) = self.fill(&top, commit).await {
            self.runner.report(&format!("warning: {}", crate::error::with_causes(&error)));
        }
        Ok(())
    }

    async fn put(&self, top: &Path, commit: &str) -> Result<(), GitError> {
        if is_free(top) {
            // git does not forget a worktree whose folder is there, empty or not.
            let _ = std::fs::remove_dir(top);
            // That git knows none there is fine. `worktree prune` would forget the user's too, on a disk that is away.
            self.runner.run(&command::forget_worktree(&self.repository, top), WITHIN).await?;
            self.runner.run_ok(&command::add_worktree(&self.repository, top, commit), WITHIN).await?;
            return Ok(());
        }
        let own = self.own_dir(top).await?;
        // A killed checkout leaves its lock; the environment's lock is held, so no other one is at work here.
        let _ = std::fs::remove_file(own.join("index.lock"));
        self.drop_submodules(top, commit).await?;
        self.runner.run_ok(&command::check_out(top, commit), WITHIN).await?;
        Ok(())
    }

    /// Returns the git folder of one worktree.
    async fn own_dir(&self, top: &Path) -> Result<PathBuf, GitError> {
        Ok(PathBuf::from(self.runner.run_ok(&command::own_dir(top), WITHIN).await?.trim()))
    }

    /// Returns the folder that all worktrees share.
    async fn common_dir(&self) -> Result<PathBuf, GitError> {
        Ok(PathBuf::from(self.runner.run_ok(&command::common_dir(&self.repository), WITHIN).await?.trim()))
    }

    /// Takes the worktree of a workdir away; that it is gone already is fine.
    ///
    /// # Errors
    /// [`GitError`] with what git reported.
    pub async fn remove_worktree(&self, workdir: &Path) -> Result<(), GitError> {
        let top = self.top_of(workdir)?;
        let remove = command::remove_worktree(&self.repository, &top);
        if self.runner.run(&remove, WITHIN).await?.code != 0 && top.exists() {
            // Half-made by a killed run: git does not know it, or not well enough.
            let _ = std::fs::remove_dir_all(&top);
            self.runner.run(&remove, WITHIN).await?;
        }
        self.forget_submodules(&top).await
    }

    /// Sets a tag with a message; one that is there already at this commit is fine.
    ///
    /// # Errors
    /// [`GitError`] with what git reported.
    pub async fn tag(&self, name: &str, commit: &str, message: &str) -> Result<(), GitError> {
        // One of another product is of the same second, and not this run's.
        if self.release(name).await.is_ok_and(|there| there.commit == commit) && self.is_tagged(name, message).await? {
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
            if self.is_tagged(name, message).await? {
                found.push((name.clone(), message.clone()));
            }
        }
        Ok(found)
    }

    /// Returns the annotated tags whose names match a pattern, each with the first line of its message.
    ///
    /// # Errors
    /// [`GitError`] where git cannot be run.
    pub async fn tags_like(&self, pattern: &str) -> Result<Vec<(String, String)>, GitError> {
        let found = self.runner.run_ok(&command::tags_like(&self.repository, pattern), WITHIN).await?;
        let tags = found.lines().filter_map(|line| line.split_once(' '));
        Ok(tags.map(|(name, message)| (name.to_owned(), message.to_owned())).collect())
    }

    async fn is_tagged(&self, name: &str, message: &str) -> Result<bool, GitError> {
        let found = self.runner.run_ok(&command::message_of(&self.repository, name), WITHIN).await?;
        Ok(found.trim() == message)
    }

    /// Returns whether there is a tag of a name.
    ///
    /// # Errors
    /// [`GitError`] where git cannot be run.
    pub async fn has_tag(&self, name: &str) -> Result<bool, GitError> {
        let found =
            self.runner.run(&command::has_object(&self.repository, &format!("refs/tags/{name}")), WITHIN).await?;
        Ok(found.code == 0)
    }

    /// Returns whether a worktree holds anything that git does not have: changed, untracked or ignored files.
    ///
    /// # Errors
    /// [`GitError`] where it is not one.
    pub async fn holds_more(&self, workdir: &Path) -> Result<bool, GitError> {
        let all = command::all_changes(&self.place_of(workdir));
        Ok(!self.runner.run_ok(&all, WITHIN).await?.trim().is_empty())
    }

    /// Takes a tag away that was set with `message`; that it is gone already is fine. One of that name with another
    /// message is somebody else's, and stays.
    ///
    /// # Errors
    /// [`GitError`] with what git reported.
    pub async fn untag(&self, name: &str, message: &str) -> Result<(), GitError> {
        if self.is_tagged(name, message).await? {
            self.runner.run_ok(&command::untag(&self.repository, name), WITHIN).await?;
        }
        Ok(())
    }
}

/// Returns whether a worktree can be made at `dir`: nothing is there, or a folder without anything in it.
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
mod tests;
