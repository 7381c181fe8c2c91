//! What the environments' files say, as Compose resolves them: this environment's as written, and all others'.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use stagegate_base::{compose::Model, config::EPHEMERAL};
use stagegate_host::{error::with_causes, process::Runner, project::Project};

/// The environments with their resolved files, by name.
pub(crate) struct Files {
    own: String,
    projects: BTreeMap<String, Result<Project, String>>,
}

impl Files {
    /// Resolves the files of every environment that has some; of the throw-away one only where it is asked.
    pub(crate) async fn read(project: &Project) -> Self {
        let own = &project.environment.name;
        let names = project.config.environments.keys().filter(|name| *name == own || *name != EPHEMERAL);
        let resolve = |name: String| async move {
            // A throw-away copy's model is not what its files say: it publishes nothing.
            if name == *own && name != EPHEMERAL {
                return (name, Ok(project.clone()));
            }
            let loaded = Project::load(&Runner::default(), &project.config, &name).await;
            (name, loaded.map_err(|error| with_causes(&error)))
        };
        let projects = join_all(names.cloned().map(resolve)).await.into_iter().collect();
        Files { own: own.clone(), projects }
    }

    /// Returns the model of the environment that is asked; `None` where its files cannot be resolved.
    pub(crate) fn own(&self) -> Option<&Model> {
        self.of(&self.own).map(|project| &project.model)
    }

    /// Returns the models of the other environments that could be resolved.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, &Model)> {
        let others = self.projects.iter().filter(|(name, _)| **name != self.own);
        others.filter_map(|(name, project)| Some((name.as_str(), &project.as_ref().ok()?.model)))
    }

    /// Returns an environment; `None` where its files cannot be resolved.
    pub(crate) fn of(&self, name: &str) -> Option<&Project> {
        self.projects.get(name)?.as_ref().ok()
    }
}
