//! Each release on the other one's schema, in the rehearsal: the live release on the migrated copy, and the candidate on
//! a copy from before its migrations.
//!
//! The first shows whether a rollback of code alone would work; the second, whether the code may be deployed before its
//! migrations. What is found is a fact in the journal; a failure here blocks nothing.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use stagegate_base::{
    command::compose::{self, Source},
    compose::Model,
    config::{CrossVersions, Environment},
    mark::Role,
};
use stagegate_gate_decide::{
    promotion::{Compatibility, CrossVersionReport, Health, Kind, PlanDatabase, Tier},
    verdict::{Verdict, VerdictKind},
};

use super::{Run, StepError, on_file};
use stagegate_host::{
    deployment, error::with_causes, files, project::Project, ready::Stack, release, sockets, stand_in,
};

/// The suites that show whether a release works with a schema.
const SUITES: &[&str] = &["health", "contracts", "workflows"];
/// How long the services of one release may take to be started next to the rehearsal's server.
const UP_WITHIN: Duration = Duration::from_secs(120);
const STOP_WITHIN: Duration = Duration::from_secs(60);

fn compatibility(verdict: &Verdict) -> Compatibility {
    let health = match verdict.kind {
        VerdictKind::Promote => Health::Healthy,
        VerdictKind::Hold => Health::Unhealthy,
        VerdictKind::Inconclusive => Health::Unknown,
    };
    Compatibility { health, reasons: verdict.reasons.clone() }
}

impl Run {
    fn has_cross_versions(&self) -> bool {
        self.plan.cross_versions != CrossVersions::Off && self.plan.kind == Kind::Promote
    }

    /// Keeps a copy of a rehearsed database as it is before its migrations.
    pub(super) async fn keep_before(&self, database: &PlanDatabase) -> Result<(), StepError> {
        if !self.has_cross_versions() {
            return Ok(());
        }
        let server = self.rehearsal_server(database).await?;
        server.shut(&database.name).await?;
        let copied = server.copy(&database.name, &self.plan.mark(&database.name, Role::Before)).await;
        server.open(&database.name).await?;
        Ok(copied?)
    }

    /// Runs each release on the other one's schema, on the copies of the rehearsal; `None` where it is switched off.
    pub(super) async fn cross_version_report(&self) -> Option<CrossVersionReport> {
        if !self.has_cross_versions() {
            return None;
        }
        let old_on_new = self.verdict(Side::Live).await;
        let swapped = self.swap_schemas().await;
        let new_on_old = match swapped {
            Ok(()) => self.verdict(Side::Candidate).await,
            Err(error) => Verdict::unknown(error.reason),
        };
        Some(CrossVersionReport {
            live_on_new: compatibility(&old_on_new),
            candidate_on_old: compatibility(&new_on_old),
        })
    }

    /// Returns the tier where data changed: code only, where that was proven and the configuration lets it decide.
    pub(super) fn tier_after_data_change(&self, report: Option<&CrossVersionReport>) -> Tier {
        let is_proven = report.is_some_and(|report| report.live_on_new.health == Health::Healthy);
        if is_proven && self.plan.cross_versions == CrossVersions::Decide { Tier::Code } else { self.tier_for_data() }
    }

    async fn verdict(&self, side: Side) -> Verdict {
        match self.examine_side(side).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict::unknown(self.runner.mask().apply(&error.reason)),
        }
    }

    async fn examine_side(&self, side: Side) -> Result<Verdict, StepError> {
        let (project, file) = (self.rehearsal_project(), self.dir.join(side.file()));
        let model = self.side_model(side).await?;
        on_file(&file, files::write_whole(&file, model.to_json().as_bytes()))?;
        stand_in::fill(&self.gate.engine, &model).await?;
        let copy = self.as_project(side, model, &file)?;
        let stack = Stack { within: self.plan.ready_within.0, project: &project, ..Stack::of(&copy) };
        deployment::up(&self.runner, &self.gate.engine, &stack, &file, UP_WITHIN).await?;
        let found = self.gate.examine.examine_project(copy, SUITES).await;
        let servers = self.servers();
        let rest = release::read_model(&file)?.services().into_iter().filter(|name| !servers.contains(name));
        self.runner.run_ok(&compose::stop(&project, &file, &rest.collect::<Vec<_>>()), STOP_WITHIN).await?;
        Ok(found.verdict)
    }

    fn servers(&self) -> BTreeSet<String> {
        self.plan.databases.iter().map(|database| database.service.clone()).collect()
    }

    pub(super) async fn side_model(&self, side: Side) -> Result<Model, StepError> {
        let rehearsal = release::read_model(&self.rehearsal_file())?;
        let servers = self.servers();
        let checked = self.gate.config.services.keys().chain(&servers).cloned().collect();
        let migrations = self.plan.databases.iter().filter_map(|database| database.migrations.clone()).collect();
        Ok(match side {
            // As a rollback of the code would start it, which does not run its migrations on a newer schema.
            Side::Live => {
                let model = self.snapshot("old")?.model;
                self.apart(&model, &servers).await.beside(&rehearsal, &servers, &migrations, &checked)
            }
            Side::Candidate => {
                let model = release::read_model(&self.dir.join("in-tree.json"))?;
                self.apart(&model, &servers).await.beside(&rehearsal, &servers, &migrations, &checked)
            }
        })
    }

    async fn apart(&self, model: &Model, servers: &BTreeSet<String>) -> Model {
        stand_in::apart(&self.runner, &model.without_binds(&sockets::mounted(model)), servers).await
    }

    pub(super) fn as_project(&self, side: Side, model: Model, file: &std::path::Path) -> Result<Project, StepError> {
        let target = self.gate.config.environment(&self.plan.environments.target)?;
        let workdir: PathBuf = match side {
            Side::Live => self.plan.workdir.clone(),
            Side::Candidate => self.tree(),
        };
        let environment = Environment {
            project: self.rehearsal_project(),
            workdir: workdir.clone(),
            // A copy, of side nothing is left: checks may write.
            protected: false,
            ..target.clone()
        };
        let source = Source {
            project: self.rehearsal_project(),
            dir: workdir,
            files: vec![file.to_path_buf()],
            env_files: Vec::new(),
        };
        Ok(Project { config: self.gate.config.clone(), environment, source, model })
    }

    /// Puts the copies from before the migrations in the place of the migrated ones.
    async fn swap_schemas(&self) -> Result<(), StepError> {
        for database in self.plan.databases.iter().filter(|database| database.migrations.is_some()) {
            let server = self.rehearsal_server(database).await?;
            let [before, after] = [Role::Before, Role::After].map(|role| self.plan.mark(&database.name, role));
            server.exchange(&database.name, &before, &after, None).await.map_err(|error| {
                StepError::blocked(format!("cannot restore the earlier schema on the copy: {}", with_causes(&error)))
            })?;
        }
        Ok(())
    }
}

/// Whose code runs on side schema.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    /// The live release, on the migrated schema.
    Live,
    /// The candidate, on the schema from before.
    Candidate,
}

impl Side {
    fn file(self) -> &'static str {
        match self {
            Side::Live => "old-on-new.json",
            Side::Candidate => "new-on-old.json",
        }
    }
}
