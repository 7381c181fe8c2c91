//! Whether the databases that the release uses are those that were backed up, rehearsed on and migrated: a server that is
//! started with another volume or folder has others, under the same names.

use std::collections::BTreeMap;

use super::{Run, StepError};

impl Run {
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
