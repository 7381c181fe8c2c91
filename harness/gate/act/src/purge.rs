//! What the gate keeps of an environment that is down, and taking it away: rollback points with their backups, names of
//! images, git tags, the worktree and the history.
//!
//! Volumes of the product, accepted response shapes and whatever a worktree holds next to git stay.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{
    command::docker,
    config::{Config, Environment},
    units::Size,
};
use stagegate_gate_decide::promotion::Entry;
use stagegate_host::{
    engine::{Engine, EngineError},
    files,
    git::{Git, GitError},
    lock::Lock,
    paths::StateDir,
    process::{RunError, Runner},
};

use crate::journal;

const UNTAG_WITHIN: Duration = Duration::from_secs(60);
/// The repository of the names by which runs keep images.
pub(crate) const KEPT_IMAGES: &str = "stagegate/rollback";

/// What could not be taken away, or found out.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A program.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The environment runs.
    #[error("`{environment}` still has {containers}; take it down first: `gate down --env {environment}`")]
    Runs {
        /// The environment.
        environment: String,
        /// How many containers it has, in words.
        containers: String,
    },
    /// A file.
    #[error("cannot delete {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// What the gate keeps of an environment.
#[derive(Clone, Debug, Default)]
pub struct RetainedState {
    /// Runs of which something is left, deployments by `gate up` included.
    pub runs: Vec<String>,
    /// How many of them have a backup.
    pub backups: usize,
    /// What their files take.
    pub size: Size,
    /// Names of images.
    pub images: Vec<String>,
    /// Git tags of rollback points, with the message that each was set with.
    pub tags: Vec<(String, String)>,
    /// The worktree that the gate made and that holds nothing but what git has.
    pub worktree: Option<PathBuf>,
    /// The worktree that it made and that holds more; it stays.
    pub stays: Option<PathBuf>,
}

impl RetainedState {
    /// Returns whether there is nothing to take away.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.images.is_empty() && self.tags.is_empty() && self.worktree.is_none()
    }
}

/// Finds what the gate keeps of an environment.
///
/// # Errors
/// [`PurgeError::Runs`] where it has containers: what they need for a rollback is not deleted under them.
pub async fn retained_state(
    runner: &Runner,
    engine: &Engine,
    config: &Config,
    environment: &Environment,
) -> Result<RetainedState, PurgeError> {
    let containers = engine.project(&environment.project).await?.len();
    if containers > 0 {
        let containers = stagegate_base::text::counted(containers, "container");
        return Err(PurgeError::Runs { environment: environment.name.clone(), containers });
    }
    let state = StateDir::of(config, &environment.project);
    let mut kept = RetainedState { size: Size(files::size_below(&state.runs())), ..RetainedState::default() };
    for dir in subfolders(&state.runs()) {
        kept.backups += usize::from(dir.join("backup").is_dir());
        let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A damaged journal names no tag; its run goes like the others.
        if let Some(Entry::Started { plan }) =
            journal::lines(&dir).unwrap_or_default().into_iter().next().map(|l| l.entry)
        {
            kept.tags.push((plan.tag.clone(), plan.tag_message()));
        }
        kept.runs.push(run);
    }
    let names = engine.image_names(KEPT_IMAGES).await?;
    kept.images = names.into_iter().filter(|name| kept.runs.iter().any(|run| is_of(name, run))).collect();
    if let Ok(git) = Git::open(runner, config.root()).await {
        kept.tags = git.tags_with(&kept.tags).await?;
        let workdir = &environment.workdir;
        if workdir.is_dir() && !is_shared(config, environment) && git.is_own_worktree(workdir).await? {
            let place = if git.holds_more(workdir).await? { &mut kept.stays } else { &mut kept.worktree };
            *place = Some(workdir.clone());
        }
    }
    Ok(kept)
}

/// Returns whether another environment has the same workdir: what runs there mounts its files.
fn is_shared(config: &Config, environment: &Environment) -> bool {
    config.environments.values().any(|other| other.name != environment.name && other.workdir == environment.workdir)
}

/// Takes away what [`retained_state`] found. The caller holds the environment's lock, which shows that no run is at work.
///
/// The history goes last: what a broken purge leaves is found again by it.
///
/// # Errors
/// [`PurgeError`] with what could not be taken away; the rest of it is there to be purged again.
pub async fn purge(
    runner: &Runner,
    config: &Config,
    environment: &Environment,
    kept: &RetainedState,
    _lock: &Lock,
) -> Result<(), PurgeError> {
    for name in &kept.images {
        runner.run_ok(&docker::untag(name), UNTAG_WITHIN).await?;
    }
    if let Ok(git) = Git::open(runner, config.root()).await {
        for (tag, message) in &kept.tags {
            git.untag(tag, message).await?;
        }
        if let Some(worktree) = &kept.worktree {
            git.remove_worktree(worktree).await?;
        }
    }
    let state = StateDir::of(config, &environment.project);
    delete(&state.root().join("deployed"), |path| fs::remove_file(path))?;
    for folder in [state.tests(), state.runs()] {
        delete(&folder, |path| fs::remove_dir_all(path))?;
    }
    Ok(())
}

fn delete(path: &Path, by: impl Fn(&Path) -> io::Result<()>) -> Result<(), PurgeError> {
    match by(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(PurgeError::File { path: path.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}

fn subfolders(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Returns whether a run keeps an image by this name; the run's id ends where the service's name begins.
fn is_of(name: &str, run: &str) -> bool {
    let tag = name.strip_prefix(KEPT_IMAGES).and_then(|rest| rest.strip_prefix(':'));
    tag.and_then(|tag| tag.strip_prefix(run)).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_worktree_that_another_environment_uses_is_not_taken_away() {
        let text = "[project]\nname = \"shop\"\n[environments.a]\nworkdir = \"../live\"\n\
                    [environments.b]\nworkdir = \"../x/../live\"\n[environments.c]\nworkdir = \"../other\"\n";
        let config = Config::parse(Path::new("/srv/shop/stagegate.toml"), text).unwrap();
        let shared = |name: &str| is_shared(&config, config.environment(name).unwrap());
        assert_eq!([shared("a"), shared("b"), shared("c")], [true, true, false]);
    }

    #[test]
    fn an_image_is_kept_by_the_run_whose_whole_id_its_name_begins_with() {
        let run = "20260102-030405-ab12";
        assert!(is_of("stagegate/rollback:20260102-030405-ab12-web-0123456789ab", run));
        assert!(!is_of("stagegate/rollback:20260102-030405-ab123-web-0123456789ab", run));
        assert!(!is_of("somebody/rollback:20260102-030405-ab12-web-0123456789ab", run));
    }
}
