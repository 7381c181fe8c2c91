//! What every trial of a run shares: the environment, the Engine, and one wait for its services to become ready.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use stagegate_base::{config::Service, container::Container};
use stagegate_host::{
    engine::{Engine, EngineError},
    process::Runner,
    project::Project,
};
use stagegate_workflow_act::WorkflowContext;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{
    files::Files,
    ready::{self, Ready},
    workflows::files,
};

/// How long a plain run watches that nothing restarts; the gate's own runs watch for `gate.soak`.
const SHORT_SOAK: Duration = Duration::from_secs(1);

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Why a check could not look at its environment. Checks of one session share it, so that it can be cloned.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The Engine does not respond.
    #[error(transparent)]
    Engine(#[from] Arc<EngineError>),
    /// The service has no container that runs.
    #[error("service `{service}` of project `{project}` has no running container")]
    NotRunning {
        /// The service.
        service: String,
        /// The compose project.
        project: String,
    },
}

/// A run's hold on one environment.
pub struct Session {
    /// The environment and its compose model.
    pub project: Project,
    /// The Engine.
    pub engine: Engine,
    /// Runs programs, masks secrets.
    pub runner: Runner,
    /// How long `health::stack::steady` watches.
    pub soak: Duration,
    /// Whether a protected environment gets all of the load that a probe asks for: somebody said so by its name.
    pub full_load: bool,
    /// Whose schema the databases have, where it is a newer release's than the live one.
    pub schema_ahead: Option<String>,
    ready: OnceCell<Result<Ready, SessionError>>,
    files: OnceCell<Files>,
    place: OnceCell<Arc<WorkflowContext>>,
    turns: RwLock<()>,
    number: u64,
}

/// A trial's turn: next to others, or alone. It ends when this is dropped.
pub(crate) enum Turn<'a> {
    Beside { _guard: RwLockReadGuard<'a, ()> },
    Alone { _guard: RwLockWriteGuard<'a, ()> },
}

/// How a session differs from the usual one.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// How long it watches for restarts; a second at most where `None`.
    pub soak: Option<Duration>,
    /// As in [`Session`].
    pub full_load: bool,
    /// As in [`Session`].
    pub schema_ahead: Option<String>,
}

impl Session {
    /// Makes the session of a resolved environment; all that is reported is masked with its secrets.
    ///
    /// It watches for restarts for a second at most; see [`Session::with`].
    #[must_use]
    pub fn new(project: Project, engine: Engine, runner: Runner) -> Arc<Self> {
        Self::with(project, engine, runner, SessionOptions::default())
    }

    /// Makes the session of a resolved environment.
    #[must_use]
    pub fn with(project: Project, engine: Engine, runner: Runner, options: SessionOptions) -> Arc<Self> {
        let SessionOptions { soak, full_load, schema_ahead } = options;
        let soak = soak.unwrap_or_else(|| project.config.gate.soak.0.min(SHORT_SOAK));
        let runner = runner.with_mask(project.mask());
        Arc::new(Session {
            project,
            engine,
            runner,
            soak,
            full_load,
            schema_ahead,
            ready: OnceCell::new(),
            files: OnceCell::new(),
            place: OnceCell::new(),
            turns: RwLock::new(()),
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Reports this session from the others of this process.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Waits for a trial's turn: `alone` waits for all that are asked, and those that come later wait for it.
    pub(crate) async fn turn(&self, alone: bool) -> Turn<'_> {
        match alone {
            true => Turn::Alone { _guard: self.turns.write().await },
            false => Turn::Beside { _guard: self.turns.read().await },
        }
    }

    /// Waits until all services are ready, one is known never to be, or `ready_within` is over.
    ///
    /// The wait happens once a session; later callers get what it found.
    ///
    /// # Errors
    /// [`SessionError::Engine`], the same for all callers.
    pub async fn ready(&self) -> Result<&Ready, SessionError> {
        let wait = || async { Ok(ready::until_ready(&self.project, &self.engine).await.map_err(Arc::new)?) };
        self.ready.get_or_init(wait).await.as_ref().map_err(Clone::clone)
    }

    /// Returns what every environment's files say, as Compose resolves them; they are read once a session.
    pub(crate) async fn files(&self) -> &Files {
        self.files.get_or_init(|| Files::read(&self.project)).await
    }

    /// Returns where workflows run; what their logins give is shared by all trials of the session.
    pub(crate) async fn place(&self) -> Arc<WorkflowContext> {
        let made = || async {
            let Session { project, engine, runner, .. } = self;
            let logins = files::read(&project.config, &project.environment).logins;
            WorkflowContext::new(project.clone(), engine.clone(), runner.clone(), logins)
        };
        Arc::clone(self.place.get_or_init(made).await)
    }

    /// Returns the containers of one service, those of `docker compose run` left out.
    ///
    /// # Errors
    /// [`SessionError::Engine`] where it does not respond.
    pub async fn containers(&self, service: &str) -> Result<Vec<Container>, SessionError> {
        let all = self.project.containers(&self.engine).await.map_err(Arc::new)?;
        Ok(all.into_iter().filter(|c| c.service == service && !c.one_off).collect())
    }

    /// Returns the image of each service: the id of the one that its container was made from, else its name in the model.
    ///
    /// The name alone may be another release's: a promotion deploys images by their ids, and Compose's name of an image
    /// that it builds (`<project>-<service>`) stays with what was last built here.
    ///
    /// # Errors
    /// [`SessionError::Engine`] where it does not respond.
    pub async fn images(&self) -> Result<BTreeMap<String, String>, SessionError> {
        let Session { project, engine, .. } = self;
        let named = project.model.services().into_iter().map(|service| {
            let image = project.model.image_name(&service);
            (service, image)
        });
        let mut images: BTreeMap<String, String> = named.collect();
        for container in project.containers(engine).await.map_err(Arc::new)? {
            if container.one_off || container.is_retired() || container.image.is_empty() {
                continue;
            }
            if let Some(image) = images.get_mut(&container.service) {
                *image = container.image;
            }
        }
        Ok(images)
    }

    /// Returns the addresses at which a configured service may be reached, the best one first.
    ///
    /// # Errors
    /// [`SessionError::NotRunning`] where no container has one.
    pub async fn addresses(&self, service: &Service) -> Result<Vec<SocketAddr>, SessionError> {
        let containers = self.containers(&service.name).await?;
        let found: Vec<SocketAddr> = containers.iter().flat_map(|c| c.reach(service.port)).collect();
        if found.is_empty() {
            let project = self.project.compose_name().to_owned();
            return Err(SessionError::NotRunning { service: service.name.clone(), project });
        }
        Ok(found)
    }
}
