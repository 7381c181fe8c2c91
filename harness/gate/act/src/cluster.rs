//! The servers of the databases, and whether the databases that the release uses are those that were backed up, rehearsed on
//! and migrated: a server that is started with another volume or folder has others, under the same names.

use std::collections::BTreeMap;

use stagegate_base::redact::Secret;
use stagegate_gate_decide::promotion::PlanDatabase;
use stagegate_host::{database::Server, secret};

use super::{Run, StepError};

impl Run {
    /// Describes the server of a database by the container that runs now; the password is that of `model`'s snapshot.
    pub(super) async fn server(&self, database: &PlanDatabase) -> Result<Server, StepError> {
        let containers = self.gate.engine.project(&self.plan.project).await?;
        let old = self.snapshot("old")?;
        let container = containers.iter().find(|c| c.service == database.service && !c.one_off);
        let container =
            container.ok_or_else(|| StepError::blocked(format!("service `{}` has no container", database.service)))?;
        let password = secret::variable(&old.model, &database.service, &database.password_variable);
        let password = password.unwrap_or_else(|| Secret::new(""));
        let server = Server::new(container, &database.role, password, &self.application());
        Ok(server.verified_by(database.ca.as_deref()))
    }

    pub(super) fn application(&self) -> String {
        format!("stagegate/{}", self.plan.run)
    }

    /// Returns the id of the cluster of each database, by the database's id, as far as the servers say it.
    pub(super) async fn clusters(&self) -> BTreeMap<String, String> {
        let mut clusters = BTreeMap::new();
        for database in &self.plan.databases {
            let Ok(server) = self.server(database).await else { continue };
            if let Ok(cluster) = server.cluster().await {
                clusters.insert(database.id.clone(), cluster);
            }
        }
        clusters
    }

    /// Stops where a database is on another cluster than before the deploy.
    pub(super) async fn stop_at_another_cluster(&self) -> Result<(), StepError> {
        let now = self.clusters().await;
        for database in &self.plan.databases {
            let (before, now) = (self.clusters.get(&database.id), now.get(&database.id));
            if let (Some(before), Some(now)) = (before, now)
                && before != now
            {
                return Err(StepError::blocked(format!(
                    "database `{}` of service `{}` is not the one from before: expected cluster {before}, found cluster {now}. \
                     The release starts the service with another volume or folder; keep the one that it has",
                    database.name, database.service
                )));
            }
        }
        Ok(())
    }
}
