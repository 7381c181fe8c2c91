//! Contracts with the files that they refer to: from a folder, and from commits.
//!
//! Only files of the release are read: those of the repository or of the working copy that holds the document. A
//! symbolic link may not lead out of it.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use stagegate_base::{command::git as command, subfolder::Subfolder};
use stagegate_contract::Files;

use crate::{
    files,
    git::{Blob, Git, blobs},
    process::{RunError, Runner},
};

/// How long a file may be that a contract refers to.
const FILE_BYTES: u64 = 64 << 20;

/// Why a contract cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContractSourceError {
    /// The file.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// What is no `git:REV:PATH`.
    #[error("`{text}` does not name a file of a commit; write git:REV:PATH, as in git:v1.2:contracts/api.yaml")]
    NoPlace {
        /// What was given.
        text: String,
    },
    /// The commit has no such file, or there is no such commit.
    #[error("`{place}` is not in the git repository {}; check with `git show {place}`", repository.display())]
    NotThere {
        /// `REV:PATH`.
        place: String,
        /// Where.
        repository: PathBuf,
    },
    /// The commit has it, and it cannot be read.
    #[error("`{place}` {reason}")]
    Unreadable {
        /// `REV:PATH`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Git cannot be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Reads a contract from a file, or from a commit of this folder's repository (`git:REV:PATH`).
///
/// # Errors
/// [`ContractSourceError`] where the document is not there. A file that it refers to is reported by the reader.
pub async fn read(runner: &Runner, place: &str) -> Result<Files, ContractSourceError> {
    let Some(rest) = place.strip_prefix("git:") else {
        let (release, root) = release_of(Path::new(place));
        return in_folder(place, &release, &root);
    };
    let is_place = |(rev, path): &(&str, &str)| !rev.is_empty() && !path.is_empty() && !rest.contains(['\n', '\0']);
    let Some((revision, path)) = rest.split_once(':').filter(is_place) else {
        return Err(ContractSourceError::NoPlace { text: place.to_owned() });
    };
    let root = match path.starts_with("./") || path.starts_with("../") {
        true => from_top(runner, path).await.unwrap_or_else(|| path.to_owned()),
        false => path.to_owned(),
    };
    at_commit(runner, place, (Path::new("."), revision), &root).await
}

/// Reads a contract of a release's folder; `path` is meant from there.
///
/// # Errors
/// [`ContractSourceError::File`] where the document cannot be read.
pub fn read_in(release: &Path, path: &Path) -> Result<Files, ContractSourceError> {
    let shown = path.display().to_string();
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if is_inside {
        return in_folder(&shown, release, &shown);
    }
    let (release, root) = release_of(&release.join(path));
    in_folder(&shown, &release, &root)
}

/// Reads a contract as a commit has it; the path is meant from the product's folder in the repository.
///
/// # Errors
/// [`ContractSourceError::NotThere`] where the commit lacks it.
pub async fn read_at(
    runner: &Runner,
    (repository, product): (&Path, &Subfolder),
    revision: &str,
    path: &Path,
) -> Result<Files, ContractSourceError> {
    let shown = path.display().to_string();
    let root = product.from_top(path).unwrap_or_else(|| path.to_path_buf());
    at_commit(runner, &shown, (repository, revision), &root.to_string_lossy()).await
}

/// Returns the folder that holds the release of a file, and the file's path below it: the working copy around it, else
/// its own folder.
fn release_of(path: &Path) -> (PathBuf, String) {
    let name = path.file_name().unwrap_or_default();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let release = whole.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(&whole);
    let below = whole.strip_prefix(release).unwrap_or(Path::new("")).join(name);
    (release.to_path_buf(), below.to_string_lossy().into_owned())
}

/// Returns a path that is meant from the current folder as one from the repository's top.
async fn from_top(runner: &Runner, path: &str) -> Option<String> {
    let git = Git::open(runner, Path::new(".")).await.ok()?;
    let here = Path::new(".").canonicalize().ok()?;
    let mut below = here.strip_prefix(git.repository()).ok()?.to_path_buf();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => below.push(part),
            Component::ParentDir if !below.pop() => return None,
            _ => {}
        }
    }
    Some(below.to_string_lossy().into_owned())
}

fn in_folder(shown: &str, release: &Path, root: &str) -> Result<Files, ContractSourceError> {
    let path = release.join(root);
    let text = files::text(&path).map_err(|source| ContractSourceError::File { path: PathBuf::from(shown), source })?;
    let mut files = Files::new(shown, root, text);
    let top = release.canonicalize().unwrap_or_else(|_| release.to_path_buf());
    loop {
        let wanted = files.wanted();
        if wanted.is_empty() {
            return Ok(files);
        }
        for name in wanted {
            let text = text_below(&top, &name);
            files.add(&name, text);
        }
    }
}

/// Reads a file below a folder, and states why it cannot.
fn text_below(top: &Path, name: &str) -> Result<String, String> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::InvalidData => format!("cannot be used: {error}"),
        _ => format!("cannot be read ({error})"),
    };
    let path = top.join(name).canonicalize().map_err(cannot)?;
    if !path.starts_with(top) {
        return Err("is reached by a symbolic link that leads out of the release".to_owned());
    }
    let found = fs::metadata(&path).map_err(cannot)?;
    match found.is_file() {
        false => Err(if found.is_dir() { "is a folder" } else { "is no regular file" }.to_owned()),
        true if found.len() > FILE_BYTES => Err(format!("is longer than {} MiB", FILE_BYTES >> 20)),
        true => files::text(&path).map_err(cannot),
    }
}

async fn at_commit(
    runner: &Runner,
    shown: &str,
    (repository, revision): (&Path, &str),
    root: &str,
) -> Result<Files, ContractSourceError> {
    let place = || format!("{revision}:{root}");
    let command = command::files_of(repository);
    let text = match blobs(runner, &command, revision, &[root.to_owned()]).await?.remove(root) {
        Some(Blob::Text(text)) => text,
        Some(Blob::Unreadable(reason)) => return Err(ContractSourceError::Unreadable { place: place(), reason }),
        None => return Err(ContractSourceError::NotThere { place: place(), repository: repository.to_path_buf() }),
    };
    let mut files = Files::new(shown, root, text);
    loop {
        let wanted = files.wanted();
        if wanted.is_empty() {
            return Ok(files);
        }
        let mut found = blobs(runner, &command, revision, &wanted).await?;
        for name in wanted {
            let text = match found.remove(&name) {
                Some(Blob::Text(text)) => Ok(text),
                Some(Blob::Unreadable(reason)) => Err(reason),
                None => Err(format!("is not in the commit {revision}")),
            };
            files.add(&name, text);
        }
    }
}

#[cfg(test)]
mod tests;
