//! A release made ready for one environment: its frozen model, its env files, and the record of what is deployed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stagegate_base::{
    command::compose,
    compose::{Model, PROXY_SERVICE, RolloutRefused},
    config::Environment,
    container::Container,
    release::Release,
    subfolder::Subfolder,
};

use crate::{
    engine::{Engine, EngineError},
    files,
    image::{self, ImageError, Images},
    paths::StateDir,
    process::{RunError, Runner},
    project::{self, ProjectError},
    tree::{Read, Tree, TreeError},
};

const BUILD_WITHIN: Duration = Duration::from_secs(1_800);

/// A release that could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The environment's files.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The release's files.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A service cannot be replaced without downtime.
    #[error(transparent)]
    Rollout(#[from] RolloutRefused),
    /// An image cannot be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Compose could not build.
    #[error("the release's images cannot be built")]
    Build(#[source] RunError),
    /// A file.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The record of what is deployed.
    #[error("{} is damaged; deploy again with `gate up`", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// A copy of an env file as it was when a release was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvCopy {
    /// Where the file belongs.
    pub path: PathBuf,
    /// The copy's name within the snapshot's folder.
    pub copy: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Contents {
    release: Release,
    env_files: Vec<EnvCopy>,
}

/// All that is needed to start a release again, whatever became of files, tags and variables meanwhile.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its folder.
    pub dir: PathBuf,
    /// The release.
    pub release: Release,
    /// The model, every image by its id.
    pub model: Model,
    /// Copies of the env files.
    pub env_files: Vec<EnvCopy>,
}

impl Snapshot {
    /// Writes a snapshot into `dir`: the model, and copies of the env files as they are now.
    ///
    /// # Errors
    /// [`ReleaseError::File`].
    pub fn write(dir: &Path, release: &Release, model: &Model, env_files: &[PathBuf]) -> Result<Self, ReleaseError> {
        files::private_dir(dir).map_err(at("make", dir))?;
        let mut copies = Vec::new();
        for (number, path) in env_files.iter().enumerate() {
            let copy = format!("env-{number}");
            let bytes = fs::read(path).map_err(at("read", path))?;
            files::write_whole(&dir.join(&copy), &bytes).map_err(at("write", dir))?;
            copies.push(EnvCopy { path: path.clone(), copy });
        }
        Self::finish(dir, release, model, copies)
    }

    /// Writes a copy of this snapshot into `dir`.
    ///
    /// # Errors
    /// [`ReleaseError::File`].
    pub fn copy_to(&self, dir: &Path) -> Result<Self, ReleaseError> {
        files::private_dir(dir).map_err(at("make", dir))?;
        for env in &self.env_files {
            let bytes = self.env_bytes(env)?;
            files::write_whole(&dir.join(&env.copy), &bytes).map_err(at("write", dir))?;
        }
        Self::finish(dir, &self.release, &self.model, self.env_files.clone())
    }

    fn finish(dir: &Path, release: &Release, model: &Model, env_files: Vec<EnvCopy>) -> Result<Self, ReleaseError> {
        let contents = Contents { release: release.clone(), env_files: env_files.clone() };
        let path = dir.join("release.json");
        let text = serde_json::to_vec_pretty(&contents)
            .map_err(|source| ReleaseError::Record { path: path.clone(), source })?;
        files::write_whole(&dir.join("model.json"), model.to_json().as_bytes()).map_err(at("write", dir))?;
        // Last, since a folder with this file is a whole snapshot.
        files::write_whole(&path, &text).map_err(at("write", &path))?;
        Ok(Snapshot { dir: dir.to_path_buf(), release: release.clone(), model: model.clone(), env_files })
    }

    /// Reads the snapshot in `dir`.
    ///
    /// # Errors
    /// [`ReleaseError`] where it is missing or damaged.
    pub fn read(dir: &Path) -> Result<Self, ReleaseError> {
        let path = dir.join("release.json");
        let text = fs::read(&path).map_err(at("read", &path))?;
        let contents: Contents =
            serde_json::from_slice(&text).map_err(|source| ReleaseError::Record { path: path.clone(), source })?;
        let model = read_model(&dir.join("model.json"))?;
        Ok(Snapshot { dir: dir.to_path_buf(), release: contents.release, model, env_files: contents.env_files })
    }

    /// Returns the file of the model.
    #[must_use]
    pub fn model_file(&self) -> PathBuf {
        self.dir.join("model.json")
    }

    /// Returns the contents of an env file as they were.
    ///
    /// # Errors
    /// [`ReleaseError::File`].
    pub fn env_bytes(&self, env: &EnvCopy) -> Result<Vec<u8>, ReleaseError> {
        let path = self.dir.join(&env.copy);
        fs::read(&path).map_err(at("read", &path))
    }

    /// Puts the env files back as they were; what is there now and differs is kept next to, with `ending`.
    ///
    /// # Errors
    /// [`ReleaseError::File`].
    pub fn put_env_files_back(&self, ending: &str) -> Result<Vec<PathBuf>, ReleaseError> {
        let mut changed = Vec::new();
        for env in &self.env_files {
            let before = self.env_bytes(env)?;
            let now = fs::read(&env.path).ok();
            if now.as_ref() == Some(&before) {
                continue;
            }
            if let Some(now) = now {
                let kept = PathBuf::from(format!("{}.{ending}", env.path.display()));
                if !kept.exists() {
                    files::write_whole(&kept, &now).map_err(at("write", &kept))?;
                }
            }
            files::write_whole(&env.path, &before).map_err(at("write", &env.path))?;
            changed.push(env.path.clone());
        }
        Ok(changed)
    }
}

/// Reads a model that was written before.
///
/// # Errors
/// [`ReleaseError`] where it is missing or damaged.
pub fn read_model(path: &Path) -> Result<Model, ReleaseError> {
    let text = fs::read_to_string(path).map_err(at("read", path))?;
    Model::parse(&text).map_err(|error| ReleaseError::Project(error.into()))
}

/// Returns what is deployed in the project of `state`, as far as the gate did it.
///
/// # Errors
/// [`ReleaseError`] where the record is damaged.
pub fn deployed(state: &StateDir) -> Result<Option<Snapshot>, ReleaseError> {
    let path = state.root().join("deployed");
    match fs::read_to_string(&path) {
        Ok(dir) => Snapshot::read(&state.root().join(dir.trim())).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ReleaseError::File { what: "read", path, source }),
    }
}

/// Records that the snapshot in `dir`, below the state's folder, is what is deployed.
///
/// # Errors
/// [`ReleaseError::File`].
pub fn record_deployed(state: &StateDir, dir: &Path) -> Result<(), ReleaseError> {
    let path = state.root().join("deployed");
    let inside = dir.strip_prefix(state.root()).unwrap_or(dir).to_string_lossy().into_owned();
    files::write_whole(&path, inside.as_bytes()).map_err(at("write", &path))
}

/// How many deployments keep their log.
const KEPT_DEPLOYMENTS: usize = 20;

/// Removes what `gate up` kept of earlier deployments: models and env files hold passwords. The one that is deployed stays,
/// the newest logs stay, and runs with a journal are not of this kind.
///
/// # Errors
/// [`ReleaseError`] where the record of what is deployed is damaged, or a folder cannot be removed.
pub fn prune_deployments(state: &StateDir) -> Result<(), ReleaseError> {
    let deployed = deployed(state)?.map(|snapshot| snapshot.dir);
    let entries = fs::read_dir(state.runs()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<PathBuf> = entries
        .filter(|dir| dir.to_string_lossy().ends_with("-up") && deployed.as_ref() != Some(&dir.join("new")))
        .collect();
    runs.sort();
    let keep_logs_from = runs.len().saturating_sub(KEPT_DEPLOYMENTS);
    for (at, run) in runs.iter().enumerate() {
        let gone = if at < keep_logs_from { run.clone() } else { run.join("new") };
        match fs::remove_dir_all(&gone) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(ReleaseError::File { what: "remove", path: gone, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Resolves a release for an environment: its model as it will stand in `environment.workdir`, images by id.
pub struct Resolver<'a> {
    /// Runs programs.
    pub runner: &'a Runner,
    /// The Engine.
    pub engine: &'a Engine,
    /// The environment that the release is for.
    pub environment: &'a Environment,
    /// The product's folder in a checkout of the release; the environment's workdir itself, or another one.
    pub tree: &'a Path,
    /// Where the product lies from the top of its checkout.
    pub subfolder: &'a Subfolder,
    /// The release.
    pub release: &'a Release,
    /// Image ids that are to be used, by service: those that were tested.
    pub images: BTreeMap<String, String>,
    /// Services that are run once by the gate, whatever their profiles: migrations.
    pub jobs: BTreeSet<String>,
    /// What is deployed now, so that what does not change is not recreated.
    pub old: Option<&'a Model>,
    /// The folder for the socket of the proxy, where the environment has one.
    pub proxy: &'a Path,
    /// How long the pull of one image may take.
    pub pull_within: Duration,
}

/// A resolved release.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The model for the environment's workdir.
    pub model: Model,
    /// The same with the paths of the tree that it was resolved in.
    pub in_tree: Model,
    /// Files of the environment's workdir, not in git, that Compose read for it.
    pub side_files: Vec<PathBuf>,
}

impl Resolver<'_> {
    /// Resolves the release; images that are missing are built or pulled.
    ///
    /// # Errors
    /// [`ReleaseError`] that names the file or the image.
    pub async fn resolve(mut self) -> Result<Resolved, ReleaseError> {
        let tree =
            Tree { runner: self.runner, environment: self.environment, dir: self.tree, subfolder: self.subfolder };
        let Read { model, side_files: beside } = tree.read().await?;
        // What is never started needs no image.
        let missing: Vec<String> = model
            .services()
            .into_iter()
            .filter(|service| !model.has_profile(service) || self.jobs.contains(service))
            .filter(|service| !self.images.contains_key(service))
            .collect();
        let mut images = Images::new(self.runner, self.engine, self.pull_within);
        let built = self.build(&mut images, &model, &missing).await?;
        for service in missing {
            // A pull would replace what was built under the same name.
            let local =
                if built.contains(&service) { self.engine.image(&model.image_name(&service)).await? } else { None };
            let id = match local {
                Some(id) => id,
                None => images.id(&model, &service).await?,
            };
            self.images.insert(service, id);
        }
        let mounts = tree.mounts(&model).await?;
        let in_tree = model.pinned(&self.release.commit, &self.images, &mounts);
        let proxied = model.proxied(&self.environment.name, &self.environment.rollout, self.proxy)?;
        if proxied.has_proxy() {
            let id = self.proxy_image(&mut images, &proxied).await?;
            self.images.insert(PROXY_SERVICE.to_owned(), id);
        }
        let origins = image::origins(self.engine, &proxied, &self.images).await?;
        let pinned = proxied.pinned(&self.release.commit, &self.images, &mounts).with_origins(&origins);
        let (from, to) = tree.tops();
        let placed = pinned.rebased(&from.to_string_lossy(), &to.to_string_lossy());
        let placed = match self.old {
            Some(old) => placed.carried(old),
            None => placed,
        };
        Ok(Resolved { model: placed, in_tree, side_files: beside })
    }

    /// Returns the id of the proxy's image: that of the live proxy while the configuration names the same one, since a new
    /// one would replace its container.
    async fn proxy_image(&self, images: &mut Images<'_>, model: &Model) -> Result<String, ReleaseError> {
        let live = self.old.filter(|old| old.has_proxy() && old.proxy_image() == model.proxy_image());
        if let Some(live) = live
            && let Some(id) = self.engine.image(live.image(PROXY_SERVICE)).await?
        {
            return Ok(id);
        }
        Ok(images.id(model, PROXY_SERVICE).await?)
    }

    /// Builds those of `services` that are built and that no registry is to have, and returns them.
    async fn build(
        &self,
        images: &mut Images<'_>,
        model: &Model,
        services: &[String],
    ) -> Result<Vec<String>, ReleaseError> {
        let mut built = Vec::new();
        for service in services.iter().filter(|service| model.is_built(service)) {
            if !images.is_in_registry(model, service).await? {
                built.push(service.clone());
            }
        }
        if !built.is_empty() {
            let source =
                project::source(&Environment { workdir: self.tree.to_path_buf(), ..self.environment.clone() })?;
            self.runner.run_aloud(&compose::build(&source, &built), BUILD_WITHIN).await.map_err(ReleaseError::Build)?;
        }
        Ok(built)
    }
}

/// Returns the image ids that the containers of a project run, by service.
#[must_use]
pub fn images_of(containers: &[Container]) -> BTreeMap<String, String> {
    containers.iter().filter(|c| !c.one_off).map(|c| (c.service.clone(), c.image.clone())).collect()
}

fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ReleaseError {
    let path = path.to_path_buf();
    move |source| ReleaseError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_earlier_deployments_the_newest_logs_stay_and_no_model_or_env_file() {
        let root = std::env::temp_dir().join(format!("stagegate-prune-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let state = StateDir::at(&root);
        let model = Model::parse(r#"{"services":{"web":{"image":"w:1"}}}"#).unwrap();
        let release = Release { commit: "a".repeat(40), name: "v1".to_owned() };
        let runs: Vec<String> = (0..KEPT_DEPLOYMENTS + 3).map(|n| format!("{n:03}-up")).collect();
        for run in runs.iter().chain([&"100-promote".to_owned()]) {
            Snapshot::write(&state.run(run).join("new"), &release, &model, &[]).unwrap();
            fs::write(state.run(run).join("run.log"), "log").unwrap();
        }
        record_deployed(&state, &state.run("001-up").join("new")).unwrap();
        prune_deployments(&state).unwrap();
        let has = |run: &str, what: &str| state.run(run).join(what).exists();
        let logs: Vec<&str> = runs.iter().map(String::as_str).filter(|run| has(run, "run.log")).collect();
        let models: Vec<&str> = runs.iter().map(String::as_str).filter(|run| has(run, "new")).collect();
        let is_kept = has("100-promote", "new") && deployed(&state).unwrap().is_some();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!((logs.len(), logs[0], logs[1]), (KEPT_DEPLOYMENTS + 1, "001-up", "003-up"));
        assert_eq!(models, ["001-up"]);
        assert!(is_kept, "what is deployed, and runs with a journal");
    }
}
