//! What every trial of a run shares: the environment, the Engine, an HTTP client.

use std::{net::SocketAddr, sync::Arc};

use stagegate_act::{engine::Engine, process::Runner, project::Project};
use stagegate_decide::{config::Service, container::Container};

/// A run's hold on one environment.
pub struct Session {
    /// The environment and its compose model.
    pub project: Project,
    /// The Engine.
    pub engine: Engine,
    /// Runs programs, masks secrets.
    pub runner: Runner,
}

impl Session {
    /// Makes the session of a resolved environment; all that is said is masked with its secrets.
    #[must_use]
    pub fn new(project: Project, engine: Engine, runner: Runner) -> Arc<Self> {
        let runner = runner.with_mask(project.mask());
        Arc::new(Session { project, engine, runner })
    }

    /// Returns the containers of one service, those of `docker compose run` left out.
    ///
    /// # Errors
    /// A text that says what to do, where the Engine does not answer.
    pub async fn containers(&self, service: &str) -> Result<Vec<Container>, String> {
        let all = self.project.containers(&self.engine).await.map_err(|error| error.to_string())?;
        Ok(all.into_iter().filter(|c| c.service == service && !c.one_off).collect())
    }

    /// Returns the addresses at which a configured service may be reached, the best one first.
    ///
    /// # Errors
    /// A text that names the service and what is missing.
    pub async fn addresses(&self, service: &Service) -> Result<Vec<SocketAddr>, String> {
        let containers = self.containers(&service.name).await?;
        let found: Vec<SocketAddr> = containers.iter().flat_map(|c| c.reach(service.port)).collect();
        if found.is_empty() {
            let project = self.project.compose_name();
            return Err(format!("service `{}` of project `{project}` has no running container", service.name));
        }
        Ok(found)
    }
}
