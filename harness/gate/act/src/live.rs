//! The second wall around a rehearsal: the live databases are as they were, but for what users write.

use stagegate_data_decide::{
    DataFacts,
    backup::Manifest,
    live::{LiveFacts, changes, suspects},
};
use stagegate_gate_decide::promotion::PlanDatabase;

use super::{Run, StepError, on_file};

impl Run {
    /// Keeps what the live databases are like before any copy runs the release's code.
    pub(super) async fn keep_live_facts(&self) -> Result<(), StepError> {
        for database in &self.plan.databases {
            let facts = stagegate_data_act::live::live_facts(&self.server(database).await?, &database.name).await?;
            self.save(&live_name(database), &facts)?;
        }
        Ok(())
    }

    /// Stops where a live database changed as a migration would change it, while copies ran the release's code.
    pub(super) async fn stop_at_changed_live_data(&self) -> Result<(), StepError> {
        if !self.plan.is_rehearsed() {
            return Ok(());
        }
        let mut changed_databases = Vec::new();
        for database in &self.plan.databases {
            let server = self.server(database).await?;
            let before: LiveFacts = self.load(&live_name(database))?;
            let after = stagegate_data_act::live::live_facts(&server, &database.name).await?;
            let rows =
                stagegate_data_act::live::count_rows(&server, &database.name, &suspects(&before, &after)).await?;
            let changed = changes(&before, &after, &self.dump_facts(database)?, &rows);
            if !changed.is_empty() {
                changed_databases.push(format!("database `{}`: {}", database.name, changed.join("; ")));
            }
        }
        if changed_databases.is_empty() {
            return Ok(());
        }
        let target = &self.plan.environments.target;
        Err(StepError::blocked(format!(
            "the live data of `{target}` changed while {} was rehearsed: {}; no step of the gate touches it before the \
             freeze, and a rehearsal cannot reach it, so look for what else changes it (a migration by hand, a job, a \
             host outside of the copy that the release requested); the backup of this run holds the rows from before",
            self.plan.release.name,
            changed_databases.join("; ")
        )))
    }

    /// Returns what the backup of this run holds of a database.
    fn dump_facts(&self, database: &PlanDatabase) -> Result<DataFacts, StepError> {
        let path = self.dir.join("backup/manifest.json");
        let manifest = Manifest::parse(&on_file(&path, std::fs::read(&path))?)?;
        Ok(manifest.database(&database.id).map(|dump| dump.facts.clone()).unwrap_or_default())
    }
}

fn live_name(database: &PlanDatabase) -> String {
    format!("live-{}.json", database.id)
}
