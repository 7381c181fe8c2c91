//! Containers that were replaced, and are kept until the release is verified.
//!
//! The name states so, since it is what can be changed of a container that runs, and what a person sees.

use bollard::query_parameters::{RenameContainerOptionsBuilder, StopContainerOptions};
use stagegate_base::container::{Container, RETIRED};

use super::{Engine, EngineError, PROJECT_LABEL, is_missing, refused};

impl Engine {
    /// Returns the containers of a compose project that were replaced and are kept, ordered by name.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn retired(&self, project: &str) -> Result<Vec<Container>, EngineError> {
        let mut containers = self.labelled(&format!("{PROJECT_LABEL}={project}")).await?;
        containers.retain(Container::is_retired);
        Ok(containers)
    }

    /// Takes a container out of its project's view; it runs on.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn retire(&self, container: &Container) -> Result<(), EngineError> {
        match container.is_retired() {
            true => Ok(()),
            false => self.rename(container, &format!("{}{RETIRED}", container.name)).await,
        }
    }

    /// Brings a container back into its project's view.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn reinstate(&self, container: &Container) -> Result<(), EngineError> {
        match container.name.strip_suffix(RETIRED) {
            None => Ok(()),
            Some(name) => self.rename(container, name).await,
        }
    }

    async fn rename(&self, container: &Container, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        let renamed = self.docker.rename_container(&container.id, options).await;
        renamed.map_err(refused(&format!("rename container {}", container.name)))
    }

    /// Stops a container in the time that it is granted for it, and removes it; that it is gone already is fine.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn stop_and_remove(&self, container: &Container) -> Result<(), EngineError> {
        match self.docker.stop_container(&container.id, None::<StopContainerOptions>).await {
            Err(error) if !is_missing(&error) => {
                return Err(refused(&format!("stop container {}", container.name))(error));
            }
            _ => {}
        }
        self.remove(&container.id).await
    }
}
