//! Each release on the other one's schema, in the rehearsal: the release that serves on the migrated copy, and the one
//! that comes on a copy from before its migrations.
//!
//! The first answers whether a way back of the code alone would serve; the second, whether the code may come before its
//! migrations. What is found is a fact in the journal; a failure here holds nothing.

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

use super::{Run, Stop};
use stagegate_host::{deployment, error::with_causes, files, mounts, project::Project, ready::Stack, release, sockets};

/// The suites that tell whether a release gets on with a schema.
const SUITES: &[&str] = &["health", "contracts", "workflows"];
/// How long the services of one release may take to be started beside the rehearsal's server.
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
    fn crosses(&self) -> bool {
        self.plan.cross_versions != CrossVersions::Off && self.plan.kind == Kind::Promote
    }

    /// Keeps a copy of a rehearsed database as it is before its migrations.
    pub(super) async fn keep_before(&self, database: &PlanDatabase) -> Result<(), Stop> {
        if !self.crosses() {
            return Ok(());
        }
        let server = self.rehearsal_server(database).await?;
        server.shut(&database.name).await?;
        let copied = server.copy(&database.name, &self.plan.kept(&database.name, Role::Before)).await;
        server.open(&database.name).await?;
        Ok(copied?)
    }

    /// Runs each release on the other one's schema, the copies being rehearsed on; `None` where that is not asked.
    pub(super) async fn cross(&self) -> Option<CrossVersionReport> {
        if !self.crosses() {
            return None;
        }
        let old_on_new = self.crossed(Release::Serving).await;
        let swapped = self.swap_schemas().await;
        let new_on_old = match swapped {
            Ok(()) => self.crossed(Release::Coming).await,
            Err(stop) => Verdict::unknown(stop.reason),
        };
        Some(CrossVersionReport {
            live_on_new: compatibility(&old_on_new),
            candidate_on_old: compatibility(&new_on_old),
        })
    }

    /// Returns the way back where data changed: the code alone, where that was proven and the user lets it decide.
    pub(super) fn tier_where_crossed(&self, crossed: Option<&CrossVersionReport>) -> Tier {
        let proven = crossed.is_some_and(|crossed| crossed.live_on_new.health == Health::Healthy);
        if proven && self.plan.cross_versions == CrossVersions::Decide { Tier::Code } else { self.tier_for_data() }
    }

    async fn crossed(&self, which: Release) -> Verdict {
        match self.asked(which).await {
            Ok(verdict) => verdict,
            Err(stop) => Verdict::unknown(self.runner.mask().apply(&stop.reason)),
        }
    }

    async fn asked(&self, which: Release) -> Result<Verdict, Stop> {
        let (project, file) = (self.rehearsal_project(), self.dir.join(which.file()));
        let model = self.crossed_model(which)?;
        files::write_whole(&file, model.to_json().as_bytes())?;
        let crossed = self.as_project(which, model, &file)?;
        let stack = Stack { within: self.plan.ready_within.0, project: &project, ..Stack::of(&crossed) };
        deployment::up(&self.runner, &self.gate.engine, &stack, &file, UP_WITHIN).await?;
        let found = self.gate.examine.examine_project(crossed, SUITES).await;
        let servers = self.servers();
        let rest = release::read_model(&file)?.services().into_iter().filter(|name| !servers.contains(name));
        self.runner.run_ok(&compose::stop(&project, &file, &rest.collect::<Vec<_>>()), STOP_WITHIN).await?;
        Ok(found.verdict)
    }

    fn servers(&self) -> BTreeSet<String> {
        self.plan.databases.iter().map(|database| database.service.clone()).collect()
    }

    pub(super) fn crossed_model(&self, which: Release) -> Result<Model, Stop> {
        let rehearsal = release::read_model(&self.rehearsal_file())?;
        let servers = self.servers();
        let asked = self.gate.config.services.keys().chain(&servers).cloned().collect();
        Ok(match which {
            // With its migrations, as a way back of the code would start it.
            Release::Serving => {
                let model = self.snapshot("old")?.model;
                let model = model.without_binds(&sockets::mounted(&model)).with_read_only(&mounts::settings(&model));
                model.sealed(&servers).beside(&rehearsal, &servers, &BTreeSet::new(), &asked)
            }
            Release::Coming => {
                let left_out = self.plan.databases.iter().filter_map(|database| database.migrations.clone()).collect();
                let model = release::read_model(&self.dir.join("in-tree.json"))?;
                let model = model.without_binds(&sockets::mounted(&model)).with_read_only(&mounts::settings(&model));
                model.sealed(&servers).beside(&rehearsal, &servers, &left_out, &asked)
            }
        })
    }

    pub(super) fn as_project(&self, which: Release, model: Model, file: &std::path::Path) -> Result<Project, Stop> {
        let target = self.gate.config.environment(&self.plan.environments.target)?;
        let workdir: PathBuf = match which {
            Release::Serving => self.plan.workdir.clone(),
            Release::Coming => self.tree(),
        };
        let environment = Environment {
            project: self.rehearsal_project(),
            workdir: workdir.clone(),
            // A copy, of which nothing is left: checks may write.
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
    async fn swap_schemas(&self) -> Result<(), Stop> {
        for database in self.plan.databases.iter().filter(|database| database.migrations.is_some()) {
            let server = self.rehearsal_server(database).await?;
            let [before, after] = [Role::Before, Role::After].map(|role| self.plan.kept(&database.name, role));
            server.exchange(&database.name, &before, &after, None).await.map_err(|error| {
                Stop::held(format!("cannot put the earlier schema in place: {}", with_causes(&error)))
            })?;
        }
        Ok(())
    }
}

/// Whose code runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Release {
    /// The release that serves the target, on the migrated schema.
    Serving,
    /// The release that comes, on the schema from before.
    Coming,
}

impl Release {
    fn file(self) -> &'static str {
        match self {
            Release::Serving => "old-on-new.json",
            Release::Coming => "new-on-old.json",
        }
    }
}
