//! A checkout of a release aside, which lacks what lies in the environment's folder and not in git: env files of
//! services, secrets, data.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{
    command::git,
    compose::{Bind, Model},
    config::Environment,
    subfolder::Subfolder,
};

use crate::{
    error::with_causes,
    files,
    process::Runner,
    project::{self, ProjectError},
};

const LIST_WITHIN: Duration = Duration::from_secs(30);

/// Why a release cannot be resolved in its checkout.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The environment's files.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A file is neither in the release nor in the environment's folder.
    #[error(
        "the release reads {}, which is neither in its commit nor in the workdir of `{environment}`; write the file there",
        path.display()
    )]
    NoFile {
        /// The environment.
        environment: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// A secret or config that only Swarm has.
    #[error(
        "{what} `{name}` is external, which only Swarm supports; give it a `file` or `environment` in the compose files"
    )]
    External {
        /// `secret` or `config`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A file could not be handled.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// A checkout of a release for an environment: the environment's own workdir, or another folder.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    /// Runs Compose and git.
    pub runner: &'a Runner,
    /// The environment that the release is for.
    pub environment: &'a Environment,
    /// The product's folder in the checkout.
    pub dir: &'a Path,
    /// Where that lies from the top of the checkout.
    pub subfolder: &'a Subfolder,
}

/// A model with what was needed of the environment's folder.
#[derive(Clone, Debug)]
pub struct Read {
    /// The model, with the checkout's paths.
    pub model: Model,
    /// Files of the environment's workdir that Compose read and git does not have.
    pub side_files: Vec<PathBuf>,
}

impl Tree<'_> {
    /// Resolves the release's files; what the checkout lacks and the environment's workdir has is taken from there.
    ///
    /// # Errors
    /// [`TreeError`] that names the file or holds what Compose reported.
    pub async fn read(&self) -> Result<Read, TreeError> {
        let mut alongside = self.bring_compose_files().await?;
        let source = project::source(&Environment { workdir: self.dir.to_path_buf(), ..self.environment.clone() })?;
        loop {
            let error = match project::whole(self.runner, &self.environment.name, &source).await {
                Ok(model) => return Ok(Read { model: self.with_paths_of_tree(&model)?, side_files: alongside }),
                Err(error) => error,
            };
            let wanted = self.wanted(&with_causes(&error));
            if wanted.is_empty() {
                return Err(error.into());
            }
            for path in wanted {
                self.bring(&path)?;
                alongside.push(self.tops().1.join(path));
            }
        }
    }

    /// Returns the tops of the checkout and of the environment's one: a product in a subfolder may read files that lie next
    /// to it. Where the workdir is no checkout, these are the product's folders.
    #[must_use]
    pub fn tops(&self) -> (PathBuf, PathBuf) {
        match (self.subfolder.top_of(self.dir), self.subfolder.top_of(&self.environment.workdir)) {
            (Some(tree), Some(work)) => (tree, work),
            _ => (self.dir.to_path_buf(), self.environment.workdir.clone()),
        }
    }

    /// Brings the compose files that the workdir has and git does not, such as an override file of one host.
    async fn bring_compose_files(&self) -> Result<Vec<PathBuf>, TreeError> {
        let mut alongside = Vec::new();
        let named = project::named_files(self.environment).into_iter().chain(project::override_files(self.environment));
        let (tree, work) = self.tops();
        let from_top = |path: PathBuf| if tree == self.dir { Some(path) } else { self.subfolder.from_top(&path) };
        let named = named.filter(|path| self.is_aside() && path.is_relative()).filter_map(from_top);
        for path in named.filter(|path| self.is_only_in_workdir(path)) {
            // One that an earlier release has in git was removed by this one.
            let list = git::tracked(&work, &path);
            let tracked = self.runner.run(&list, LIST_WITHIN).await.is_ok_and(|output| !output.stdout.is_empty());
            if !tracked {
                self.bring(&path)?;
                alongside.push(work.join(path));
            }
        }
        Ok(alongside)
    }

    fn is_aside(&self) -> bool {
        self.dir != self.environment.workdir
    }

    /// Returns the files, from the checkout's top, that a message of Compose names and the checkout does not have.
    // Each version of Compose words it differently; all name the path.
    fn wanted(&self, printed: &str) -> BTreeSet<PathBuf> {
        let tree = self.tops().0;
        let top = format!("{}/", tree.display());
        let mut wanted = BTreeSet::new();
        if !self.is_aside() {
            return wanted;
        }
        for (start, _) in printed.match_indices(&top) {
            let rest = &printed[start + top.len()..];
            let ends = rest.char_indices().filter(|(_, c)| ":\"'`, |".contains(*c)).map(|(at, _)| at);
            let found = ends
                .chain([rest.len()])
                .map(|end| PathBuf::from(&rest[..end]))
                .find(|path| !path.as_os_str().is_empty() && self.is_only_in_workdir(path));
            wanted.extend(found.or_else(|| first_path(rest)).filter(|path| !tree.join(path).exists()));
        }
        wanted
    }

    fn is_only_in_workdir(&self, path: &Path) -> bool {
        let (tree, work) = self.tops();
        work.join(path).is_file() && !tree.join(path).exists()
    }

    fn bring(&self, path: &Path) -> Result<(), TreeError> {
        let (tree, work) = self.tops();
        let (from, to) = (work.join(path), tree.join(path));
        if !from.is_file() {
            return Err(TreeError::NoFile { environment: self.environment.name.clone(), path: from });
        }
        let failed = |source| TreeError::File { path: from.clone(), source };
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::copy(&from, &to).map(drop).map_err(failed)
    }

    /// Returns the model in which a mount or secret that the checkout does not have is that of the environment's workdir.
    fn with_paths_of_tree(&self, model: &Model) -> Result<Model, TreeError> {
        let mut moved = BTreeMap::new();
        let (tree, work) = self.tops();
        for path in model.sources() {
            let Ok(inside) = Path::new(&path).strip_prefix(&tree) else { continue };
            let other = work.join(inside);
            if self.is_aside() && !Path::new(&path).exists() && other.exists() {
                moved.insert(path, other.to_string_lossy().into_owned());
            }
        }
        if let Some((what, name)) = model.external_secret() {
            return Err(TreeError::External { what, name });
        }
        let model = model.with_sources(&moved);
        let mut files = model.files_of_secrets().into_iter().map(PathBuf::from);
        match files.find(|file| !file.exists()) {
            Some(path) => {
                let path = path.strip_prefix(&tree).map_or(path.clone(), |path| work.join(path));
                Err(TreeError::NoFile { environment: self.environment.name.clone(), path })
            }
            None => Ok(model),
        }
    }

    /// Hashes what each service mounts of the release, by service: files that git has, files that only it reads, its
    /// secrets and configs. Data that lies in the same folder is none of the release's.
    ///
    /// # Errors
    /// [`TreeError::File`].
    pub async fn mounts(&self, model: &Model) -> Result<BTreeMap<String, String>, TreeError> {
        let mut hashes = BTreeMap::new();
        for service in model.services() {
            let mut all = String::new();
            for bind in model.binds(&service) {
                all.push_str(&self.mount(&bind).await?);
            }
            for source in model.secret_files_of(&service) {
                // A checkout replaces the file, and the container would keep the one that it was created with.
                all.push_str(&self.mount(&Bind { source, target: String::new(), read_only: true }).await?);
            }
            let contents = model.contents(&service);
            if !contents.is_empty() {
                all.push_str(&files::hash_text(&contents));
            }
            if !all.is_empty() {
                hashes.insert(service, combine(&all));
            }
        }
        Ok(hashes)
    }

    async fn mount(&self, bind: &Bind) -> Result<String, TreeError> {
        let path = Path::new(&bind.source);
        let (tree, work) = self.tops();
        let is_inside = path.starts_with(tree) || path.starts_with(work);
        if !is_inside || !path.exists() {
            return Ok(String::new());
        }
        let failed = |source| TreeError::File { path: path.to_path_buf(), source };
        let tracked = self.tracked(path).await;
        if let Some(tracked) = tracked.filter(|tracked| !tracked.is_empty()) {
            return files::hash_files(path, &tracked).map_err(failed);
        }
        // A file that the service cannot write is configuration, in git or not.
        if path.is_file() && bind.read_only { files::hash_tree(path).map_err(failed) } else { Ok(String::new()) }
    }

    /// Returns the files at and below `path` that git has; `None` where it cannot say.
    async fn tracked(&self, path: &Path) -> Option<Vec<PathBuf>> {
        let tree = self.tops().0;
        let output = self.runner.run(&git::tracked(&tree, path), LIST_WITHIN).await.ok()?;
        let files = output.stdout.split('\0').filter(|name| !name.is_empty()).map(|name| tree.join(name));
        (output.code == 0).then(|| files.collect())
    }
}

/// Returns what looks like a path at the beginning of a message.
fn first_path(text: &str) -> Option<PathBuf> {
    let end = text.find([':', '"', '\'', '`', ',', ' ', '|']).unwrap_or(text.len());
    (end > 0).then(|| PathBuf::from(&text[..end]))
}

/// Shortens several hashes, one after another, to one of 16 digits each.
fn combine(hashes: &str) -> String {
    hashes.as_bytes().chunks(64).map(|hash| String::from_utf8_lossy(&hash[..16]).into_owned()).collect()
}

#[cfg(test)]
mod tests;
