//! What a run does outside of tables: sequences, large objects and materialized views, roles and settings of the server. The first
//! go with a copy or dump and are compared; the others no copy of a database holds, so they are reported with what undoes them.

use stagegate_base::command::postgres as command;
use stagegate_data_act::outside;
use stagegate_data_decide::outside::{Contents, ServerWide, content_differences, server_changes};
use stagegate_gate_decide::promotion::PlanDatabase;
use stagegate_host::{database::Server, error::with_causes, files};

use super::{Run, StepError, on_file};

/// What is recorded of each database where it is frozen.
fn contents_file(database: &PlanDatabase) -> String {
    format!("contents-{}.json", database.id)
}

/// What is recorded of each database's server before it is touched.
fn server_file(database: &PlanDatabase) -> String {
    format!("server-{}.json", database.id)
}

impl Run {
    /// Records what the database's server has as a whole, and writes it as SQL, without passwords.
    pub(super) async fn keep_server_wide(&self, database: &PlanDatabase) -> Result<(), StepError> {
        let server = self.server(database).await?;
        self.save(&server_file(database), &outside::server_wide(&server).await?)?;
        let path = self.dir.join(format!("globals-{}.sql", database.id));
        let file = on_file(&path, files::private_file(&path))?;
        let dump = command::globals(server.inside(), &database.name);
        Ok(self.runner.run_to_file(&dump, self.plan.backup_within.0, file).await?)
    }

    /// Returns what of the servers is not as it was recorded, in words. A server that does not respond is named, and fails
    /// nothing: the rollback itself was verified.
    pub(super) async fn server_wide_changes(&self) -> Vec<String> {
        let mut changes = Vec::new();
        for database in &self.plan.databases {
            // A run that an earlier version began recorded nothing.
            let Ok(before) = self.load::<ServerWide>(&server_file(database)) else { continue };
            let now = async { Ok::<_, StepError>(outside::server_wide(&self.server(database).await?).await?) };
            match now.await {
                Ok(now) => changes.extend(server_changes(&before, &now)),
                Err(error) => changes.push(format!("{}: not known ({})", database.service, error.reason)),
            }
        }
        // Databases of one server.
        changes.sort();
        changes.dedup();
        changes
    }

    /// Records what the frozen database holds outside of its tables; `name` is the copy's where there is one.
    pub(super) async fn keep_contents(
        &self,
        database: &PlanDatabase,
        server: &Server,
        name: &str,
    ) -> Result<(), StepError> {
        self.save(&contents_file(database), &outside::contents(server, name).await?)
    }

    /// Returns how what is to take the database's place differs from the frozen state outside of its tables.
    pub(super) async fn content_differences(
        &self,
        database: &PlanDatabase,
        server: &Server,
        name: &str,
    ) -> Vec<String> {
        let Ok(before) = self.load::<Contents>(&contents_file(database)) else { return Vec::new() };
        match outside::contents(server, name).await {
            Ok(now) => content_differences(&before, &now),
            Err(error) => vec![format!("sequences and large objects are not compared: {}", with_causes(&error))],
        }
    }
}
