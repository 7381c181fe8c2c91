//! Data that a release would leave behind: a service's volume or folder has another name in it, and what is there is empty.
//!
//! Compose starts such a service without a word, on nothing. A place that has content is believed to have been filled by
//! its user.

use std::{
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
};

use stagegate_base::{
    compose::{Model, Moved, StoragePlace, WritableMount},
    config::Config,
};

use crate::{
    engine::{Engine, EngineError},
    stand_in::stores,
};

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// The Engine.
    pub engine: &'a Engine,
    /// States which services keep data, and which may start empty.
    pub config: &'a Config,
    /// The compose project.
    pub project: &'a str,
    /// The folder in which the release will be.
    pub workdir: &'a Path,
    /// The folder in which it is checked out now.
    pub tree: &'a Path,
    /// What was deployed before, where containers were removed since.
    pub before: Option<&'a Model>,
}

impl Search<'_> {
    /// Returns a sentence for each place that containers of the project write to, that the model does not give to their
    /// service, and in whose place there is nothing.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn refusals(&self, model: &Model) -> Result<Vec<String>, EngineError> {
        let containers = self.engine.project_details(self.project).await?;
        let kept = match (containers.is_empty(), self.before) {
            (true, Some(before)) => before.writable_mounts(),
            _ => WritableMount::of_details(&containers),
        };
        let mut refusals = Vec::new();
        for moved in model.moved(&kept, |path| self.resolved(path)) {
            if self.matters(&moved) && !self.is_empty(&moved.kept.place).await? && self.is_left(&moved).await? {
                refusals.push(self.refusal(&moved));
            }
        }
        Ok(refusals)
    }

    /// A place that is just left out is a fault of a service that is known to keep data; elsewhere it may be meant.
    fn matters(&self, moved: &Moved) -> bool {
        let service = &moved.kept.service;
        let keeps_data = stores(self.config).contains(service);
        !self.config.gate.may_start_empty.contains(service) && (moved.to.is_some() || keeps_data)
    }

    async fn is_left(&self, moved: &Moved) -> Result<bool, EngineError> {
        match &moved.to {
            None => Ok(true),
            Some(to) => self.is_empty(to).await,
        }
    }

    /// Returns whether there is nothing in a place, or no such place. What cannot be read is taken to have content.
    async fn is_empty(&self, place: &StoragePlace) -> Result<bool, EngineError> {
        match place {
            StoragePlace::Volume(name) => Ok(match self.engine.volume(name).await? {
                None => true,
                Some(volume) if volume.mountpoint.as_os_str().is_empty() => false,
                Some(volume) => is_empty_folder(&volume.mountpoint),
            }),
            StoragePlace::Folder(path) => {
                let in_tree =
                    self.in_workdir(path).strip_prefix(self.workdir).ok().map(|inside| self.tree.join(inside));
                let places = [Some(self.in_workdir(path)), in_tree];
                Ok(places.into_iter().flatten().all(|path| !path.exists() || is_empty_folder(&path)))
            }
        }
    }

    fn in_workdir(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.tree).map_or_else(|_| path.to_path_buf(), |inside| self.workdir.join(inside))
    }

    pub(crate) fn resolved(&self, path: &Path) -> PathBuf {
        let path = self.in_workdir(path);
        path.canonicalize().unwrap_or(path)
    }

    fn refusal(&self, moved: &Moved) -> String {
        let WritableMount { service, target, place } = &moved.kept;
        let then = match &moved.to {
            Some(StoragePlace::Folder(to)) => format!("the release mounts {} there", self.in_workdir(to).display()),
            Some(to) => format!("the release mounts {to} there"),
            None => "the release mounts nothing there".to_owned(),
        };
        let next = match (place, &moved.to) {
            (StoragePlace::Folder(from), Some(StoragePlace::Folder(to))) => format!(
                "name the folder in the compose files by a path that does not depend on the workdir, or move it: `docker \
                 compose --project-name {} stop` and `mv {} {}`",
                self.project,
                from.display(),
                self.in_workdir(to).display()
            ),
            _ => "keep it in the compose files, or copy its content first".to_owned(),
        };
        format!(
            "service `{service}` keeps data in {place} at {target}; {then}, so it would start empty. {next}; if it may start \
             empty, add it to `may_start_empty` of [gate]"
        )
    }
}

/// Entries that keep an empty folder in git, or that a file system makes.
const NO_DATA: [&str; 4] = [".gitkeep", ".keep", ".gitignore", "lost+found"];

fn is_empty_folder(path: &Path) -> bool {
    let is_data = |entry: io::Result<DirEntry>| {
        entry.map_or(true, |entry| !NO_DATA.iter().any(|name| entry.file_name() == *name))
    };
    fs::read_dir(path).is_ok_and(|mut entries| !entries.any(is_data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_only_git_keeps_has_no_data() {
        let dir = std::env::temp_dir().join(format!("stagegate-moved-{}", std::process::id()));
        fs::create_dir_all(dir.join("lost+found")).unwrap();
        fs::write(dir.join(".gitkeep"), "").unwrap();
        let kept_by_git = is_empty_folder(&dir);
        fs::write(dir.join("PG_VERSION"), "17").unwrap();
        let with_data = is_empty_folder(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!((kept_by_git, with_data, is_empty_folder(&dir)), (true, false, false));
    }
}
