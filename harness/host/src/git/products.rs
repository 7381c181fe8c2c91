//! Several products of one repository: whose worktree it is, and whose tags.

use std::{fs, io, path::Path};

use stagegate_base::{
    command::git as command,
    config::FILE_NAME,
    subfolder::{Subfolder, tag_patterns},
};

use super::{Git, GitError, WITHIN};
use crate::files;

/// The file, in the git folder of a worktree, that names the product whose releases are checked out there.
const MARK: &str = "stagegate-product";
/// What it holds for a product that is the repository.
const WHOLE: &str = ".";

impl Git {
    /// Refuses a worktree that another product of the repository has its releases in.
    ///
    /// # Errors
    /// [`GitError::OtherProduct`].
    pub async fn refuse_other_product(&self, top: &Path) -> Result<(), GitError> {
        if super::is_free(top) || super::same_folder(top, &self.repository) {
            return Ok(());
        }
        let path = self.own_dir(top).await?.join(MARK);
        match fs::read_to_string(&path) {
            Ok(found) if found.trim() != name(&self.subfolder) => {
                Err(GitError::OtherProduct { top: top.to_path_buf(), other: found.trim().to_owned() })
            }
            Ok(_) => Ok(()),
            // One that was made by hand, or by an earlier version.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(GitError::File { what: "read", path, source }),
        }
    }

    /// Records that the worktree has this product's releases.
    pub(super) async fn mark(&self, top: &Path) -> Result<(), GitError> {
        let path = self.own_dir(top).await?.join(MARK);
        let name = name(&self.subfolder);
        if fs::read_to_string(&path).is_ok_and(|found| found.trim() == name) {
            return Ok(());
        }
        files::write_whole(&path, name.as_bytes()).map_err(|source| GitError::File { what: "write", path, source })
    }

    /// Returns how a person calls a commit of this product: its own tag, else one of no other product, else the nearest of
    /// these, else the short id.
    pub(super) async fn name_of(&self, dir: &Path, commit: &str) -> Result<String, GitError> {
        let (own, theirs) = match self.subfolder.is_top() {
            true => (Vec::new(), Vec::new()),
            false => tag_patterns(&self.subfolder, &self.products(dir, commit).await?),
        };
        const EXACT: &[&str] = &["--exact-match"];
        const NEAREST: &[&str] = &[];
        let tries: &[(&[String], &[&str])] = match own.is_empty() {
            true => &[(&[], NEAREST)],
            false => &[(&own, EXACT), (&[], EXACT), (&own, NEAREST), (&[], NEAREST)],
        };
        for (own, exact) in tries {
            let found = self.runner.run(&command::name_of(dir, commit, (own, &theirs), exact), WITHIN).await?;
            if found.code == 0 {
                return Ok(found.stdout.trim().to_owned());
            }
        }
        Ok(self.runner.run_ok(&command::short_id(dir, commit), WITHIN).await?.trim().to_owned())
    }

    /// Returns the folders of a commit that have a configuration of their own.
    async fn products(&self, dir: &Path, commit: &str) -> Result<Vec<std::path::PathBuf>, GitError> {
        let entries = self.runner.run_ok(&command::entries(dir, commit), WITHIN).await?;
        let paths = entries.split('\0').filter_map(|entry| Some(Path::new(entry.split_once('\t')?.1)));
        let configs = paths.filter(|path| path.file_name().is_some_and(|name| name == FILE_NAME));
        Ok(configs.filter_map(|path| path.parent().map(Path::to_path_buf)).collect())
    }
}

fn name(subfolder: &Subfolder) -> String {
    if subfolder.is_top() { WHOLE.to_owned() } else { subfolder.path().display().to_string() }
}
