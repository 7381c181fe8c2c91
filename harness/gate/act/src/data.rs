//! Freeze, clone, migrate, and their undo: what happens to rows.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::compose,
    config::Integrity,
    container::State,
    mark::{Mark, Role, Sessions},
};
use stagegate_data_act::age::Output;
use stagegate_data_decide::{DataFacts, differences, row_changes};
use stagegate_gate_decide::promotion::{
    Copies, DataRollback, Entry, Freeze, KeptCopies, Kind, Leftover, Migrations, Plan, PlanDatabase, Step,
    SwitchedDatabase, Tier,
};

use super::{Run, StepError};
use stagegate_host::database::{Dropped, Server};

/// How long a server may take to take sessions again, crash recovery included.
const SERVERS_WITHIN: Duration = Duration::from_secs(120);
/// How long one address of a server is tried before its container is looked up again.
const LOOK_ANEW_AFTER: Duration = Duration::from_secs(3);
const STOP_WITHIN: Duration = Duration::from_secs(120);

impl Run {
    /// Stops whatever writes, and keeps everybody else out of the databases.
    pub(super) async fn freeze(&mut self) -> Result<Freeze, StepError> {
        // While users are still let in: logs of days take a while to read.
        self.note_log_errors().await;
        // One after the other, those with users first, so that requests under way still find what they need.
        for service in &self.plan.freeze {
            self.stop_service(service, STOP_WITHIN.saturating_add(self.plan.stop_grace.0)).await?;
        }
        // Where only volumes are copied, rows stay as they are, and the release is started on them as it is.
        for database in self.plan.databases.iter().filter(|_| self.tier() != Tier::Code) {
            self.server(database).await?.shut(&database.name).await?;
        }
        Ok(Freeze { stopped: self.plan.freeze.clone(), watchdog: self.watchdog.clone() })
    }

    pub(super) async fn undo_freeze(&mut self) -> Result<(), StepError> {
        self.start_stopped_servers().await?;
        for database in &self.plan.databases {
            let server = self.server(database).await?;
            server.end_gate_sessions().await?;
            server.open(&database.name).await?;
        }
        Ok(())
    }

    /// Keeps every row as it is at this moment: a copy on the server, or a dump.
    pub(super) async fn clone_databases(&mut self) -> Result<Copies, StepError> {
        let started = Instant::now();
        for database in &self.plan.databases {
            let server = self.server(database).await?;
            let copy = self.plan.mark(&database.name, Role::Copy);
            self.save(&comment_name(database), &server.comment(&database.name).await?)?;
            let facts = match self.tier() {
                Tier::Restore => {
                    server.open(&database.name).await?;
                    let path = self.frozen_dump(database);
                    let output = Output { path: &path, encryption: None, within: self.plan.backup_within.0 };
                    let (runner, integrity) = (&self.runner, self.plan.integrity);
                    let dumped = stagegate_data_act::facts::dump(&server, runner, &database.name, output, integrity);
                    let facts = dumped.await?;
                    self.keep_contents(database, &server, &database.name).await?;
                    server.shut(&database.name).await?;
                    facts
                }
                Tier::Code | Tier::Swap => {
                    server.copy(&database.name, &copy).await?;
                    // The copy is read, not the original: nobody else knows it.
                    self.keep_contents(database, &server, &copy.name).await?;
                    stagegate_data_act::facts::facts(&server, &copy.name, self.plan.integrity).await?
                }
            };
            self.save(&frozen_name(database), &facts)?;
        }
        Ok(Copies { tier: self.tier(), seconds: started.elapsed().as_secs_f64() })
    }

    fn frozen_dump(&self, database: &PlanDatabase) -> std::path::PathBuf {
        self.dir.join(format!("frozen-{}.dump", database.id))
    }

    /// Drops copies that were never needed. A copy that took the original's place has another name by now.
    ///
    /// One without its mark is somebody else's: it is reported, and fails nothing.
    pub(super) async fn undo_clone(&mut self) -> Result<KeptCopies, StepError> {
        self.start_stopped_servers().await?;
        let mut left = Vec::new();
        for database in &self.plan.databases {
            let server = self.server(database).await?;
            server.end_gate_sessions().await?;
            if !server.has(&database.name).await? {
                continue;
            }
            for role in [Role::Copy, Role::Restored] {
                let mark = self.plan.mark(&database.name, role);
                if let Dropped::Stays(why) = server.drop_marked(&mark, &self.plan.live(), Sessions::End).await? {
                    left.push(Leftover { name: mark.name, why });
                }
            }
        }
        Ok(KeptCopies { left })
    }

    /// Applies the release's migrations, or puts the data of an earlier run in place.
    pub(super) async fn migrate(&mut self) -> Result<Migrations, StepError> {
        let started = Instant::now();
        match &self.plan.kind {
            Kind::Promote => self.apply_migrations().await?,
            Kind::Rollback { run, .. } => {
                for database in &self.plan.databases {
                    self.restore_from(run, database).await?;
                }
            }
        }
        let volumes = if self.plan.kind == Kind::Promote { None } else { self.restore_volumes().await? };
        Ok(Migrations { seconds: started.elapsed().as_secs_f64(), volumes })
    }

    /// Runs each migrations service once, with every database open: one service may migrate several of them.
    async fn apply_migrations(&self) -> Result<(), StepError> {
        for database in &self.plan.databases {
            self.server(database).await?.open(&database.name).await?;
        }
        let mut applied = BTreeSet::new();
        for database in &self.plan.databases {
            let Some(service) = &database.migrations else { continue };
            if applied.insert(service) {
                self.run_migrations(&self.plan.project, &self.dir.join("in-tree.json"), service).await?;
            }
            let before: DataFacts = self.load(&frozen_name(database))?;
            let server = self.server(database).await?;
            let after = stagegate_data_act::facts::facts(&server, &database.name, self.plan.integrity).await?;
            self.stop_at_losses(database, &before, &after)?;
        }
        Ok(())
    }

    /// Exchanges the database with the copy, or the dump, that `run` kept of it.
    async fn restore_from(&self, run: &str, database: &PlanDatabase) -> Result<(), StepError> {
        let dir = self.state.run(run);
        let server = self.server(database).await?;
        let mut good = earlier(&dir, run, &self.plan).mark(&database.name, Role::Copy);
        if !server.keeps(&good).await? {
            good = self.plan.mark(&database.name, Role::Restored);
            let frozen = dir.join(format!("frozen-{}.dump", database.id));
            let dump = if frozen.is_file() { frozen } else { dir.join(format!("backup/{}.dump", database.id)) };
            let (source, live) = ((dump.as_path(), self.plan.backup_within.0), self.plan.live());
            server.restore_side_by_side(&self.runner, &database.name, &good, source, &live).await?;
        }
        let aside = self.plan.mark(&database.name, Role::Left);
        // The user's comment on the database, as it was frozen in that run; a run of an earlier version kept none.
        let kept = std::fs::read(dir.join(comment_name(database))).ok();
        let comment = match kept.and_then(|text| serde_json::from_slice::<Option<String>>(&text).ok()) {
            Some(comment) => comment,
            None => server.comment(&database.name).await?,
        };
        Ok(server.exchange(&database.name, &good, &aside, comment.as_deref()).await?)
    }

    /// Returns the user's comment on a database as it was when it was frozen.
    async fn frozen_comment(&self, database: &PlanDatabase, server: &Server) -> Result<Option<String>, StepError> {
        match self.load(&comment_name(database)) {
            Ok(comment) => Ok(comment),
            // A run that an earlier version began kept none.
            Err(_) => Ok(server.comment(&database.name).await?),
        }
    }

    /// Restores the rows from before the migration and proves that they are the same.
    pub(super) async fn undo_migrate(&mut self) -> Result<DataRollback, StepError> {
        // A migration that outlived a killed run must not write into what is restored.
        self.remove_migrations().await?;
        self.start_old_servers().await?;
        let (mut databases, mut switch) = (Vec::new(), Duration::ZERO);
        for database in &self.plan.databases {
            let server = self.server(database).await?;
            server.end_gate_sessions().await?;
            let [copy, failed] = [Role::Copy, Role::Failed].map(|role| self.plan.mark(&database.name, role));
            if self.tier() == Tier::Restore && !server.has(&failed.name).await? {
                let dump = self.frozen_dump(database);
                let (source, live) = ((dump.as_path(), self.plan.backup_within.0), self.plan.live());
                server.restore_side_by_side(&self.runner, &database.name, &copy, source, &live).await?;
            }
            let comment = self.frozen_comment(database, &server).await?;
            let emptied = self.compared_copy(database, &server, &copy).await?;
            let differs = match server.keeps(&copy).await? {
                true => self.content_differences(database, &server, &copy.name).await,
                false => Vec::new(),
            };
            let started = Instant::now();
            server.exchange(&database.name, &copy, &failed, comment.as_deref()).await?;
            switch += started.elapsed();
            databases.push(SwitchedDatabase {
                database: database.name.clone(),
                kept_as: failed.name,
                emptied,
                differs,
            });
        }
        Ok(DataRollback { databases, switch_seconds: switch.as_secs_f64() })
    }

    /// Starts the database servers where one does not run: after a reboot nothing else may.
    async fn start_stopped_servers(&self) -> Result<(), StepError> {
        let containers = self.gate.engine.project(&self.plan.project).await?;
        let runs = |service: &String| containers.iter().any(|c| c.service == *service && c.state == State::Running);
        if self.plan.databases.iter().all(|database| runs(&database.service)) {
            return Ok(());
        }
        self.start_old_servers().await
    }

    /// Starts the database servers as they were: the release may have replaced one by another that does not start.
    async fn start_old_servers(&self) -> Result<(), StepError> {
        let services: Vec<String> = self.plan.databases.iter().map(|database| database.service.clone()).collect();
        let up = compose::up_services(&self.plan.project, &self.dir.join("old/model.json"), &services);
        self.runner.run_ok(&up, SERVERS_WITHIN).await?;
        for database in &self.plan.databases {
            let began = Instant::now();
            // Its container may get another address meanwhile, so that the one known first never responds.
            while let Err(error) = self.server(database).await?.wait(LOOK_ANEW_AFTER).await {
                if began.elapsed() >= SERVERS_WITHIN {
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Compares what is about to take the database's place with the frozen state, and returns the unlogged tables that a
    /// crash of the server emptied meanwhile: nothing brings those back.
    ///
    /// It is compared under its own name, which nobody else knows: once it is live, whoever the gate does not stop writes into it.
    async fn compared_copy(
        &self,
        database: &PlanDatabase,
        server: &Server,
        copy: &Mark,
    ) -> Result<Vec<String>, StepError> {
        let file = format!("compared-{}.json", database.id);
        if !server.keeps(copy).await? {
            // It is in place already, or cannot be put there, which the switch reports.
            return Ok(self.load(&file).unwrap_or_default());
        }
        // A switch that failed half way left it closed.
        server.open(&copy.name).await?;
        let before: DataFacts = self.load(&frozen_name(database))?;
        let (within, integrity) = (self.plan.backup_within, self.plan.integrity);
        let reading = stagegate_data_act::facts::facts(server, &copy.name, integrity);
        let late = |_| StepError {
            is_transient: true,
            ..StepError::blocked(format!("`{}` could not be compared with the frozen state within {within}", copy.name))
        };
        let now = tokio::time::timeout(within.0, reading).await.map_err(late)??;
        let (before, emptied) = before.after_a_crash(&now);
        let differs = differences(&before, &now);
        if !differs.is_empty() {
            return Err(StepError::blocked(format!(
                "the copy of database `{}` differs from its frozen state, so it was not put in place: {}",
                database.name,
                differs.join("; ")
            )));
        }
        let emptied: Vec<String> =
            emptied.iter().map(|change| format!("{} ({} rows)", change.table, change.before)).collect();
        // Only the report of a second try needs it, so a full disk does not hold the rollback up.
        let _ = self.save(&file, &emptied);
        Ok(emptied)
    }

    /// Returns which rows of the failed databases, which are kept, differ from what was frozen: the migration wrote them,
    /// or somebody who got in all the same. What cannot be counted there is named: the live data is verified without it.
    pub(super) async fn changed_rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for database in self.plan.databases.iter().filter(|_| self.has_begun(Step::Migrate)) {
            match self.changed_rows_of(database).await {
                Ok(changed) => rows.extend(changed),
                Err(error) => {
                    rows.push(format!("{} (not compared: {})", self.plan.failed_of(&database.name), error.reason));
                }
            }
        }
        rows
    }

    async fn changed_rows_of(&self, database: &PlanDatabase) -> Result<Vec<String>, StepError> {
        let failed = self.plan.failed_of(&database.name);
        let server = self.server(database).await?;
        let before: DataFacts = self.load(&frozen_name(database))?;
        let kept = stagegate_data_act::facts::facts(&server, &failed, Integrity::Counts).await?;
        let mut rows = Vec::new();
        for change in row_changes(&before, &kept) {
            let after = change.after.map_or_else(|| "gone".to_owned(), |rows| rows.to_string());
            rows.push(format!("{failed}: {} {} -> {after}", change.table, change.before));
        }
        Ok(rows)
    }

    /// Returns whether data was frozen in this run, so that a rollback must not start the old release too early.
    pub(super) fn froze_data(&self) -> bool {
        self.has_begun(Step::Freeze)
    }
}

fn frozen_name(database: &PlanDatabase) -> String {
    format!("frozen-{}.json", database.id)
}

fn comment_name(database: &PlanDatabase) -> String {
    format!("comment-{}.json", database.id)
}

/// Returns the plan of an earlier run, by which its databases are known; where its journal cannot be read, what is
/// known without.
pub(super) fn earlier(dir: &std::path::Path, run: &str, plan: &Plan) -> Plan {
    let lines = crate::journal::lines(dir).unwrap_or_default();
    match lines.into_iter().next().map(|line| line.entry) {
        Some(Entry::Started { plan }) => *plan,
        _ => Plan { run: run.to_owned(), ..plan.clone() },
    }
}
