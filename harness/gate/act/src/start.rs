//! The candidate's start, rehearsed: a product without a migrations service may migrate itself when it starts.
//!
//! It is started on the copy, enclosed with the server, and what it changes there is counted as migrations' changes are.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use stagegate_base::{command::compose, config::Integrity};
use stagegate_data_decide::DataFacts;
use stagegate_gate_decide::{
    promotion::{Kind, PlanDatabase, StartReport},
    verdict::VerdictKind,
};
use stagegate_host::{deployment, error::with_causes, files, ready::Stack, release, stand_in};

use super::{Run, StepError, cross_version::Side, on_file};

/// How long Compose may take to start the candidate's services.
const UP_WITHIN: Duration = Duration::from_secs(180);
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// A candidate that changed nothing has this long from its start; what it does later is not seen here.
const WATCH: Duration = Duration::from_secs(8);
/// How long a start that still changes data is waited for.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(2);

impl Run {
    /// Starts the candidate on the copies, where a database has no migrations service, and compares these before and
    /// after; `None` where every database has one.
    pub(super) async fn rehearse_start(&self) -> Result<Option<StartReport>, StepError> {
        let databases: Vec<&PlanDatabase> =
            self.plan.databases.iter().filter(|database| database.migrations.is_none()).collect();
        if databases.is_empty() || self.plan.kind != Kind::Promote {
            return Ok(None);
        }
        let mut before = Vec::new();
        for database in &databases {
            before.push(self.facts_of_copy(database).await?);
        }
        let file = self.dir.join("start.json");
        let model = self.side_model(Side::Candidate).await?;
        on_file(&file, files::write_whole(&file, model.to_json().as_bytes()))?;
        stand_in::fill(&self.gate.engine, &model).await?;
        let started = Instant::now();
        let unhealthy = self.start_candidate(model, &file).await?;
        let after = self.settled(&databases, &before, started).await?;
        self.stop_candidate(&file).await?;
        for ((database, before), after) in databases.iter().zip(&before).zip(&after) {
            self.stop_at_losses(database, before, after)?;
        }
        Ok(Some(match unhealthy {
            _ if before != after => StartReport::Changed,
            Some(reason) => StartReport::Unknown { reason },
            None => StartReport::Unchanged,
        }))
    }

    /// Starts the candidate and waits until it is healthy; returns why it is not. That may lie in the copy, which
    /// reaches nothing outside, so it fails nothing here.
    async fn start_candidate(
        &self,
        model: stagegate_base::compose::Model,
        file: &Path,
    ) -> Result<Option<String>, StepError> {
        let (name, project) = (self.rehearsal_project(), self.as_project(Side::Candidate, model, file)?);
        let stack = Stack { within: self.plan.ready_within.0, project: &name, ..Stack::of(&project) };
        if let Err(error) = deployment::up(&self.runner, &self.gate.engine, &stack, file, UP_WITHIN).await {
            return Ok(Some(self.runner.mask().apply(&with_causes(&error))));
        }
        let verdict = self.gate.examine.examine_project(project, &["health"]).await.verdict;
        Ok((verdict.kind != VerdictKind::Promote).then(|| self.runner.mask().apply(&verdict.reasons.join("; "))))
    }

    /// Returns what the copies hold once two looks at them are the same, and the candidate had its time.
    async fn settled(
        &self,
        databases: &[&PlanDatabase],
        before: &[DataFacts],
        started: Instant,
    ) -> Result<Vec<DataFacts>, StepError> {
        let mut last: Vec<DataFacts> = Vec::new();
        loop {
            let mut now = Vec::new();
            for database in databases {
                now.push(self.facts_of_copy(database).await?);
            }
            let had_its_time = now != before || started.elapsed() >= WATCH;
            if (now == last && had_its_time) || started.elapsed() >= SETTLE_WITHIN + WATCH {
                return Ok(now);
            }
            last = now;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn facts_of_copy(&self, database: &PlanDatabase) -> Result<DataFacts, StepError> {
        let server = self.rehearsal_server(database).await?;
        // Always with contents: a start that only changes values must not look like one that changes nothing.
        Ok(stagegate_data_act::facts::facts(&server, &database.name, Integrity::Checksums).await?)
    }

    async fn stop_candidate(&self, file: &Path) -> Result<(), StepError> {
        let servers: BTreeSet<&String> = self.plan.databases.iter().map(|database| &database.service).collect();
        let services = release::read_model(file)?.services();
        let rest: Vec<String> = services.into_iter().filter(|name| !servers.contains(name)).collect();
        if !rest.is_empty() {
            self.runner
                .run_ok(
                    &compose::stop_within(&self.rehearsal_project(), file, &rest, compose::COPY_STOPS_IN),
                    STOP_WITHIN,
                )
                .await?;
        }
        Ok(())
    }
}
