//! What a commit only refers to: submodules, and files in Git LFS. All comes from this machine; nothing is fetched.
//!
//! A submodule of a worktree is a worktree of the submodule's own repository, which `git submodule update` of the user's working
//! copy made. So nothing is cloned, and no configuration of the user's changes.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use stagegate_base::{
    command::{Command, git as command},
    text::counted,
};

use super::{Blob, Git, GitError, WITHIN, blobs, is_free};

/// The first line of what git has in the place of a file in Git LFS.
// Source: git-lfs, docs/spec.md: a pointer has fewer than 1024 bytes.
const POINTER: &str = "version https://git-lfs.github.com/spec/v1";
const POINTER_BYTES: u64 = 1024;

/// A commit of the repository, or of a submodule that belongs to it.
struct Part {
    /// The git folder that has its objects.
    git_dir: PathBuf,
    commit: String,
    /// Where it lies in a checkout, from the top; empty for the repository's own.
    path: PathBuf,
}

impl Part {
    /// Lets a command work on the objects, whatever working copy the git folder belongs to; that one may be gone.
    fn at(&self, command: impl Fn(&Path) -> Command) -> Command {
        let dir = self.git_dir.to_string_lossy().into_owned();
        command(&self.git_dir).env("GIT_DIR", &dir).env("GIT_WORK_TREE", &dir)
    }
}

/// A submodule as a commit has it.
struct Link {
    path: PathBuf,
    commit: String,
}

/// A file in Git LFS.
struct Pointer {
    path: PathBuf,
    /// SHA-256 of its content, in hexadecimal digits.
    id: String,
}

impl Git {
    /// Refuses a commit that cannot be checked out whole on this machine; nothing is changed.
    pub(super) async fn refuse_incomplete(&self, commit: &str) -> Result<(), GitError> {
        if !self.subfolder.is_top() {
            let found = command::has_folder(&self.repository, commit, self.subfolder.path());
            if self.runner.run(&found, WITHIN).await?.code != 0 {
                let subfolder = self.subfolder.path().to_path_buf();
                return Err(GitError::NotInCommit { commit: commit.to_owned(), subfolder });
            }
        }
        for part in self.parts(commit).await? {
            let pointers = self.pointers(&part).await?;
            let Some(first) = pointers.first() else { continue };
            let program = self.runner.run(&command::lfs_version(&self.repository), WITHIN).await;
            let has_program = program.is_ok_and(|output| output.code == 0);
            if !has_program || self.runner.run(&command::lfs_filter(&self.repository), WITHIN).await?.code != 0 {
                let way_out =
                    format!("install Git LFS, run `git lfs install` and `{}`, then start again", self.fetch_lfs(&part));
                return Err(no_content(pointers.len(), &part.path.join(&first.path), way_out));
            }
            let missing: Vec<&Pointer> =
                pointers.iter().filter(|pointer| !stored(&part.git_dir, &pointer.id)).collect();
            if let Some(first) = missing.first() {
                let way_out = format!("run `{}`, then start again", self.fetch_lfs(&part));
                return Err(no_content(missing.len(), &part.path.join(&first.path), way_out));
            }
        }
        Ok(())
    }

    /// Returns the command that fetches the content of files in Git LFS.
    fn fetch_lfs(&self, part: &Part) -> String {
        let commit = part.commit.get(..10).unwrap_or(&part.commit);
        let dir =
            if part.path.as_os_str().is_empty() { self.repository.clone() } else { self.repository.join(&part.path) };
        format!("git -C {} lfs fetch origin {commit}", dir.display())
    }

    /// Completes a checkout: submodules, and files in Git LFS.
    pub(super) async fn fill(&self, top: &Path, commit: &str) -> Result<(), GitError> {
        let parts = self.parts(commit).await?;
        for part in parts.iter().filter(|part| !part.path.as_os_str().is_empty()) {
            let dir = top.join(&part.path);
            if dir.join(".git").exists() {
                self.runner.run_ok(&command::check_out(&dir, &part.commit), WITHIN).await?;
                continue;
            }
            if is_free(&dir) {
                let _ = fs::remove_dir(&dir);
            }
            self.runner.run(&part.at(|git_dir| command::forget_worktree(git_dir, &dir)), WITHIN).await?;
            let add = part.at(|git_dir| command::add_worktree(git_dir, &dir, &part.commit));
            self.runner.run_ok(&add, WITHIN).await?;
        }
        for part in &parts {
            let (dir, pointers) = (top.join(&part.path), self.pointers(part).await?);
            let empty = || pointers.iter().filter(|pointer| is_pointer(&dir.join(&pointer.path))).collect::<Vec<_>>();
            if empty().is_empty() {
                continue;
            }
            // A file that was written without the filter is not written again: git takes it for unchanged.
            self.runner.run_ok(&command::lfs_check_out(&dir), WITHIN).await?;
            if let Some(first) = empty().first() {
                let way_out = format!("run `{}`, then start again", self.fetch_lfs(part));
                return Err(no_content(empty().len(), &part.path.join(&first.path), way_out));
            }
        }
        Ok(())
    }

    /// Takes the submodules out of a worktree that it has and `commit` does not.
    pub(super) async fn drop_submodules(&self, top: &Path, commit: &str) -> Result<(), GitError> {
        let common = self.common_dir().await?;
        let part = |commit: &str| Part { git_dir: common.clone(), commit: commit.to_owned(), path: PathBuf::new() };
        let Some(head) = self.runner.run_ok(&command::commit_of(top, "HEAD"), WITHIN).await.ok() else { return Ok(()) };
        let (before, after) = (self.links(&part(head.trim())).await?, self.links(&part(commit)).await?);
        for link in before.iter().filter(|link| !after.iter().any(|other| other.path == link.path)) {
            let dir = top.join(&link.path);
            // A folder there is the user's own repository.
            if dir.join(".git").is_file() {
                let git_dir = self.runner.run_ok(&command::common_dir(&dir), WITHIN).await?;
                let part = Part { git_dir: PathBuf::from(git_dir.trim()), commit: String::new(), path: PathBuf::new() };
                // Of one that the user added there it is the only checkout, and stays.
                self.runner.run(&part.at(|git_dir| command::remove_worktree(git_dir, &dir)), WITHIN).await?;
            }
        }
        Ok(())
    }

    /// Forgets the submodules of a worktree that is gone.
    pub(super) async fn forget_submodules(&self, top: &Path) -> Result<(), GitError> {
        for git_dir in repositories(&self.common_dir().await?.join("modules")) {
            let part = Part { git_dir, commit: String::new(), path: PathBuf::new() };
            let list = self.runner.run_ok(&part.at(command::worktrees), WITHIN).await?;
            let paths = list.split('\0').filter_map(|line| line.strip_prefix("worktree ")).map(Path::new);
            for path in paths.filter(|path| path.starts_with(top) && !path.exists()) {
                self.runner.run(&part.at(|git_dir| command::remove_worktree(git_dir, path)), WITHIN).await?;
            }
        }
        Ok(())
    }

    /// Returns the commit and those of its submodules, each after the one that it lies in.
    async fn parts(&self, commit: &str) -> Result<Vec<Part>, GitError> {
        let mut parts =
            vec![Part { git_dir: self.common_dir().await?, commit: commit.to_owned(), path: PathBuf::new() }];
        let mut at = 0;
        while let Some(part) = parts.get(at) {
            let mut inner = Vec::new();
            for (name, link) in self.named(part).await? {
                let path = part.path.join(&link.path);
                let stored = part.git_dir.join("modules").join(&name);
                // One that an old git made, or that was added without being absorbed.
                let own = self.repository.join(&path).join(".git");
                let git_dir = if !stored.is_dir() && own.is_dir() { own } else { stored };
                inner.push(Part { git_dir, commit: link.commit, path });
            }
            for part in &inner {
                let object = format!("{}^{{commit}}", part.commit);
                let has = part.at(|git_dir| command::has_object(git_dir, &object));
                if !part.git_dir.is_dir() || self.runner.run(&has, WITHIN).await?.code != 0 {
                    let (path, commit, repository) = (part.path.clone(), part.commit.clone(), self.repository.clone());
                    return Err(GitError::NoSubmodule { path, commit, repository });
                }
            }
            parts.extend(inner);
            at += 1;
        }
        Ok(parts)
    }

    /// Returns the submodules of a commit that `.gitmodules` names. No checkout has files of others.
    async fn named(&self, part: &Part) -> Result<Vec<(String, Link)>, GitError> {
        let mut links = self.links(part).await?;
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.runner.run(&part.at(|dir| command::submodules(dir, &part.commit)), WITHIN).await?.stdout;
        let named = listed.split('\0').filter_map(|entry| {
            let (key, path) = entry.split_once('\n')?;
            let name = key.strip_prefix("submodule.")?.strip_suffix(".path")?;
            // Git refuses such a name, too: it would lead out of the folder of modules.
            let is_plain = !name.split('/').any(|part| part == "..") && !name.starts_with('/');
            let found = links.iter().position(|link| link.path == Path::new(path)).filter(|_| is_plain)?;
            Some((name.to_owned(), links.swap_remove(found)))
        });
        Ok(named.collect())
    }

    /// Returns the submodules of a commit.
    async fn links(&self, part: &Part) -> Result<Vec<Link>, GitError> {
        let entries = self.runner.run_ok(&part.at(|dir| command::entries(dir, &part.commit)), WITHIN).await?;
        // Source: git-ls-tree(1), OUTPUT FORMAT; 160000 is a commit of another repository.
        let links = entries.split('\0').filter_map(|entry| {
            let (object, path) = entry.strip_prefix("160000 commit ")?.split_once('\t')?;
            Some(Link { path: PathBuf::from(path), commit: object.to_owned() })
        });
        Ok(links.collect())
    }

    /// Returns the files in Git LFS of a commit.
    async fn pointers(&self, part: &Part) -> Result<Vec<Pointer>, GitError> {
        let holding = |text, among: &[&str]| part.at(|dir| command::holding(dir, &part.commit, text, among));
        let attributes = holding("filter=lfs", &[":(top,glob)**/.gitattributes"]);
        if self.runner.run(&attributes, WITHIN).await?.stdout.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.runner.run(&holding(POINTER, &[]), WITHIN).await?.stdout;
        let start = format!("{}:", part.commit);
        let names: Vec<String> =
            found.split('\0').filter_map(|name| name.strip_prefix(&start)).map(str::to_owned).collect();
        let command = part.at(command::files_of);
        let texts = blobs(&self.runner, &command, &part.commit, &names).await?;
        let pointers = names.iter().filter_map(|name| match texts.get(name)? {
            Blob::Text(text) => Some(Pointer { path: PathBuf::from(name), id: content_of(text)?.to_owned() }),
            Blob::Unreadable(_) => None,
        });
        Ok(pointers.collect())
    }
}

/// Returns the id of the content that a pointer stands for; `None` where the text is none.
fn content_of(text: &str) -> Option<&str> {
    let is_one = text.starts_with(POINTER) && text.len() < usize::try_from(POINTER_BYTES).ok()?;
    let id = text.lines().find_map(|line| line.strip_prefix("oid sha256:")).filter(|_| is_one)?;
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

fn is_pointer(path: &Path) -> bool {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(POINTER_BYTES).read_to_string(&mut text));
    read.is_ok() && content_of(&text).is_some()
}

/// Returns whether a git folder has a content.
// Source: git-lfs, docs/spec.md: `.git/lfs/objects/OID[0:2]/OID[2:4]/OID`.
fn stored(git_dir: &Path, id: &str) -> bool {
    git_dir.join("lfs/objects").join(&id[..2]).join(&id[2..4]).join(id).is_file()
}

fn no_content(files: usize, first: &Path, way_out: String) -> GitError {
    GitError::NoContent { files: counted(files, "file"), first: first.to_path_buf(), way_out }
}

/// Returns the repositories of submodules below a folder; their names may have slashes, and they may have submodules.
fn repositories(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for dir in entries.filter(|path| path.is_dir()) {
        if dir.join("HEAD").is_file() && dir.join("objects").is_dir() {
            found.extend(repositories(&dir.join("modules")));
            found.push(dir);
        } else {
            found.extend(repositories(&dir));
        }
    }
    found
}
