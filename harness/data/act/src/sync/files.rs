//! Copies the files of volumes from one environment into another one: into a folder next to the target's live one,
//! compared, then exchanged with it as a whole.
//!
//! The source is mounted read-only and goes on. The target's containers are stopped only while folders are exchanged. What is
//! done is written down before, so that the next command finishes a run that was killed.

mod find;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{
    command::docker::{self, Folders},
    mark::Role,
};
use stagegate_data_decide::{
    sync::files::{FileVolume, FilesIntent},
    volume::{Copied, CopyRecord, Job, Outcome, Reply, Request, SwitchRequest, Tree, differences},
};
use stagegate_host::{
    engine::{Engine, EngineError},
    files,
    process::{RunError, Runner},
};

pub use find::find;

use crate::volume::{self, VolumeError, Worker};

/// How long a container of the target has to stop by itself.
const STOP_SECONDS: u64 = 30;
const CONTAINERS_WITHIN: Duration = Duration::from_secs(180);

/// Why files were not copied.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Found before anything was changed.
    #[error("{0}")]
    Refused(String),
    /// One of the volumes.
    #[error("volume `{id}` was not copied")]
    Volume {
        /// Its name in `[volumes]`.
        id: String,
        /// Why.
        #[source]
        source: VolumeError,
    },
    /// What is live now is not what was copied.
    #[error("volume `{id}` differs from what was copied: {}", differences.join("; "))]
    Different {
        /// Its name in `[volumes]`.
        id: String,
        /// The differences.
        differences: Vec<String>,
    },
    /// Containers of the target.
    #[error("cannot {what} the containers that use the volumes ({})", containers.join(", "))]
    Containers {
        /// `stop` or `start`.
        what: &'static str,
        /// Which.
        containers: Vec<String>,
        /// Why.
        #[source]
        source: RunError,
    },
    /// Docker Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file of the gate.
    #[error("cannot read or write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

/// What came of one volume.
#[derive(Clone, Debug, PartialEq)]
pub struct CopiedFiles {
    /// Its name in `[volumes]`.
    pub id: String,
    /// What was copied.
    pub copied: Copied,
    /// Where the content that it replaced is.
    pub former: PathBuf,
}

/// A sync of files.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "the client of Docker Engine has none")]
pub struct FilesSync<'a> {
    /// Docker Engine.
    pub engine: &'a Engine,
    /// Runs Docker.
    pub runner: &'a Runner,
    /// The target's compose project.
    pub project: &'a str,
    /// Any image that this host has.
    pub image: &'a str,
    /// The run's id.
    pub run: &'a str,
    /// The target's state folder and its id.
    pub state: (&'a Path, &'a str),
    /// How long one volume may take.
    pub within: Duration,
}

impl FilesSync<'_> {
    /// Returns what a source holds, without checksums.
    ///
    /// # Errors
    /// [`FilesError`].
    pub async fn read(&self, one: &FileVolume) -> Result<Tree, FilesError> {
        let folders = Folders { written: &[], read: std::slice::from_ref(&one.source) };
        let job = Job { folder: 0, request: Request::Read { path: String::new(), contents: false } };
        match self.work(folders, &[job]).await.map_err(of(one))?.pop() {
            Some(Reply::Tree(tree)) => Ok(tree),
            _ => Err(no_response(one)),
        }
    }

    /// Copies, compares and switches `volumes`.
    ///
    /// # Errors
    /// [`FilesError`]; [`settle`] puts the target in order then.
    pub async fn sync(&self, volumes: &[FileVolume]) -> Result<Vec<CopiedFiles>, FilesError> {
        let kept = |one: &FileVolume, role| CopyRecord::of(&one.live, role, self.run, self.state.1);
        let mut intent = FilesIntent {
            run: self.run.to_owned(),
            volumes: volumes.iter().map(|one| (one.clone(), kept(one, Role::Synced))).collect(),
            switches: Vec::new(),
            containers: Vec::new(),
            image: self.image.to_owned(),
        };
        self.write(&intent)?;
        let mut copies = Vec::new();
        for (one, to) in &intent.volumes {
            copies.push(self.copy(one, to).await?);
        }
        intent.containers = find::containers(&self.engine.running_mounts().await?, volumes, self.project)?;
        let switch = |((one, with), copied): (&(FileVolume, CopyRecord), &Copied)| SwitchRequest {
            live: one.live.clone(),
            with: with.clone(),
            root: copied.tree.root,
            stamp: Some(copied.tree.stamp.clone()),
            unchanged: None,
            aside: kept(one, Role::Replaced),
            contents: true,
        };
        intent.switches = intent.volumes.iter().zip(&copies).map(switch).collect();
        self.write(&intent)?;
        stop(self.runner, &intent.containers).await?;
        // Containers start before anything else can fail.
        let switched = self.switch(&intent, &copies).await;
        start(self.runner, &intent.containers).await?;
        switched?;
        self.remove_former(volumes).await;
        end(self.state.0)?;
        let former = |one: &FileVolume| one.parent.join(kept(one, Role::Replaced).path());
        let done = volumes.iter().zip(copies);
        Ok(done.map(|(one, copied)| CopiedFiles { id: one.id.clone(), copied, former: former(one) }).collect())
    }

    async fn copy(&self, one: &FileVolume, to: &CopyRecord) -> Result<Copied, FilesError> {
        let (written, read) = (std::slice::from_ref(&one.parent), std::slice::from_ref(&one.source));
        let job = Job { folder: 0, request: Request::Import { from: 1, to: to.clone() } };
        match self.work(Folders { written, read }, &[job]).await.map_err(of(one))?.pop() {
            Some(Reply::Copied(copied)) => Ok(copied),
            _ => Err(no_response(one)),
        }
    }

    async fn switch(&self, intent: &FilesIntent, copies: &[Copied]) -> Result<(), FilesError> {
        for (((one, _), request), copied) in intent.volumes.iter().zip(&intent.switches).zip(copies) {
            let job = Job { folder: 0, request: Request::Switch(request.clone()) };
            let folders = Folders { written: std::slice::from_ref(&one.parent), read: &[] };
            let response = self.work(folders, &[job]).await.map_err(of(one))?.pop();
            let Some(Reply::Switched(switched)) = response else { return Err(no_response(one)) };
            let differences = match switched.outcome {
                Outcome::Switched => differences(&copied.tree, &switched.tree),
                _ => vec!["the copy was changed since it was compared; nothing was switched".to_owned()],
            };
            if !differences.is_empty() {
                return Err(FilesError::Different { id: one.id.clone(), differences });
            }
        }
        Ok(())
    }

    /// Removes what earlier syncs replaced. What stays is found by the next one.
    async fn remove_former(&self, volumes: &[FileVolume]) {
        for one in volumes {
            let folders = Folders { written: std::slice::from_ref(&one.parent), read: &[] };
            let list = Job { folder: 0, request: Request::List { live: one.live.clone() } };
            let Ok(Some(Reply::Kept { kept })) = self.work(folders, &[list]).await.map(|mut all| all.pop()) else {
                continue;
            };
            let is_old = |kept: &CopyRecord| {
                let is_sync = [Role::Synced, Role::Replaced].iter().any(|role| role.infix() == kept.role);
                is_sync && kept.state == self.state.1 && kept.run != self.run
            };
            let old: Vec<CopyRecord> = kept.into_iter().filter(is_old).collect();
            if !old.is_empty() {
                let _ = self.work(folders, &[Job { folder: 0, request: Request::Remove { kept: old } }]).await;
            }
        }
    }

    async fn work(&self, folders: Folders<'_>, jobs: &[Job]) -> Result<Vec<Reply>, VolumeError> {
        let name = worker_name(self.run);
        let (runner, image, dir, within) = (self.runner, self.image, self.state.0, self.within);
        volume::run(Worker { runner, image, name: &name, dir, within }, folders, jobs).await
    }

    fn write(&self, intent: &FilesIntent) -> Result<(), FilesError> {
        let path = path(self.state.0);
        let failed = |source| FilesError::File { path: path.clone(), source };
        let text = serde_json::to_vec(intent).map_err(|error| failed(error.into()))?;
        files::write_whole(&path, &text).map_err(failed)
    }
}

/// Returns what a killed sync of files was about; `state` is the target's state folder.
#[must_use]
pub fn interrupted(state: &Path) -> Option<FilesIntent> {
    serde_json::from_slice(&fs::read(path(state)).ok()?).ok()
}

/// Puts a target in order in which a sync of files broke off: a volume that has its copy keeps it, the copies of the others are
/// removed, and the containers that were stopped are started.
///
/// # Errors
/// [`FilesError`]; the next command tries again.
pub async fn settle(runner: &Runner, state: &Path, intent: &FilesIntent, within: Duration) -> Result<(), FilesError> {
    let name = worker_name(&intent.run);
    let worker = Worker { runner, image: &intent.image, name: &name, dir: state, within };
    // The copying container outlives the process that started it.
    volume::end(worker).await;
    for (number, (one, copy)) in intent.volumes.iter().enumerate() {
        let folders = Folders { written: std::slice::from_ref(&one.parent), read: &[] };
        let work = async |request| {
            volume::run(worker, folders, &[Job { folder: 0, request }]).await.map(|mut responses| responses.pop())
        };
        let request = match intent.switches.get(number) {
            None => Request::Remove { kept: vec![copy.clone()] },
            Some(switch) => {
                let live = work(Request::Read { path: one.live.clone(), contents: false }).await;
                match live {
                    // It is live already, or nothing is: the exchange was half done.
                    Ok(Some(Reply::Tree(tree))) if tree.root == switch.root => Request::Switch(switch.clone()),
                    Err(VolumeError::Refused(_)) => Request::Switch(switch.clone()),
                    Ok(_) => Request::Remove { kept: vec![copy.clone()] },
                    Err(error) => return Err(of(one)(error)),
                }
            }
        };
        work(request).await.map_err(of(one))?;
    }
    start(runner, &intent.containers).await?;
    end(state)
}

async fn stop(runner: &Runner, containers: &[String]) -> Result<(), FilesError> {
    if containers.is_empty() {
        return Ok(());
    }
    let stopped = runner.run_ok(&docker::stop(containers, STOP_SECONDS), CONTAINERS_WITHIN).await;
    stopped.map(drop).map_err(|source| FilesError::Containers { what: "stop", containers: containers.to_vec(), source })
}

async fn start(runner: &Runner, containers: &[String]) -> Result<(), FilesError> {
    if containers.is_empty() {
        return Ok(());
    }
    let started = runner.run_ok(&docker::start(containers), CONTAINERS_WITHIN).await;
    started.map(drop).map_err(|source| FilesError::Containers {
        what: "start",
        containers: containers.to_vec(),
        source,
    })
}

fn path(state: &Path) -> PathBuf {
    state.join("sync-files.json")
}

fn end(state: &Path) -> Result<(), FilesError> {
    let path = path(state);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(FilesError::File { path, source }),
        _ => Ok(()),
    }
}

fn worker_name(run: &str) -> String {
    format!("stagegate-files-{run}")
}

fn of(one: &FileVolume) -> impl FnOnce(VolumeError) -> FilesError {
    let id = one.id.clone();
    move |source| FilesError::Volume { id, source }
}

fn no_response(one: &FileVolume) -> FilesError {
    let text = "the container that works on volumes printed no result; try again".to_owned();
    of(one)(VolumeError::Refused(text))
}
