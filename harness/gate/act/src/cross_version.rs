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
    container::{self, Container, State},
    mark::Role,
    record::{Record, Status},
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
/// Log lines that are shown of a service that failed.
const LOG_LINES: u32 = 5;
/// How much of each line is shown, in characters.
const LINE: usize = 300;

fn compatibility(verdict: Verdict, only_ports: bool) -> Compatibility {
    let health = match verdict.kind {
        VerdictKind::Promote => Health::Healthy,
        VerdictKind::Hold => Health::Unhealthy,
        VerdictKind::Inconclusive => Health::Unknown,
    };
    Compatibility { health, only_ports: only_ports && health == Health::Healthy, reasons: verdict.reasons }
}

/// Returns whether a record shows that a release responds as it should, and not only that something listens.
fn shows_responses(record: &Record) -> bool {
    let parts: Vec<_> = record.trial.split("::").collect();
    let is_of_responses = matches!(parts[..], ["health", _, "http"] | ["contracts" | "workflows", ..]);
    is_of_responses && record.status == Status::Pass
}

/// Returns whether a container ended with an error, is started again and again, or is not healthy.
fn has_failed(container: &Container) -> bool {
    let has_ended = !matches!(container.state, State::Created | State::Running | State::Paused);
    let is_unhealthy = container.health == container::Health::Unhealthy;
    !container.one_off && (has_ended && container.exit_code != 0 || container.restarts > 0 || is_unhealthy)
}

/// Returns a service's log lines as one reason; `None` where it wrote none.
fn log_reason(service: &str, logs: &str) -> Option<String> {
    let lines = logs.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(|line| line.chars().take(LINE).collect()).collect();
    (!lines.is_empty()).then(|| format!("the last log lines of `{service}`: {}", lines.join(" | ")))
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
        let live_on_new = self.compatibility(Side::Live).await;
        let candidate_on_old = match self.swap_schemas().await {
            Ok(()) => self.compatibility(Side::Candidate).await,
            Err(error) => compatibility(Verdict::unknown(error.reason), false),
        };
        Some(CrossVersionReport { live_on_new, candidate_on_old })
    }

    /// Returns the tier where data changed: code only, where that was proven and the configuration lets it decide.
    pub(super) fn tier_after_data_change(&self, report: Option<&CrossVersionReport>) -> Tier {
        let is_proven = report.is_some_and(|report| report.live_on_new.is_proven());
        if is_proven && self.plan.cross_versions == CrossVersions::Decide { Tier::Code } else { self.tier_for_data() }
    }

    /// Starts a release on a copy and examines it there.
    pub(super) async fn compatibility(&self, side: Side) -> Compatibility {
        match self.examine_side(side).await {
            Ok((verdict, only_ports)) => compatibility(verdict, only_ports),
            Err(error) => compatibility(Verdict::unknown(self.runner.mask().apply(&error.reason)), false),
        }
    }

    /// Returns what the suites found, and whether they tested nothing but ports.
    async fn examine_side(&self, side: Side) -> Result<(Verdict, bool), StepError> {
        let (project, file) = (self.rehearsal_project(), self.dir.join(side.file()));
        let model = self.side_model(side).await?;
        on_file(&file, files::write_whole(&file, model.to_json().as_bytes()))?;
        stand_in::fill(&self.gate.engine, &model).await?;
        let copy = self.as_project(side, model, &file)?;
        let stack = Stack { within: self.plan.ready_within.0, project: &project, ..Stack::of(&copy) };
        let within = UP_WITHIN.max(self.plan.ready_within.0);
        deployment::up(&self.runner, &self.gate.engine, &stack, &file, within).await?;
        let servers = self.servers();
        let checks_itself = |name: &String| !servers.contains(name) && copy.model.has_healthcheck(name);
        let checks_itself = copy.model.services().iter().any(checks_itself);
        let examined = self.gate.examine.examine_project(copy, SUITES).await;
        let only_ports = !checks_itself && !examined.records.iter().any(shows_responses);
        let mut verdict = examined.verdict;
        if verdict.kind != VerdictKind::Promote {
            verdict.reasons.extend(self.failed_logs().await);
        }
        let rest = release::read_model(&file)?.services().into_iter().filter(|name| !servers.contains(name));
        self.runner
            .run_ok(
                &compose::stop_within(&project, &file, &rest.collect::<Vec<_>>(), compose::COPY_STOPS_IN),
                STOP_WITHIN,
            )
            .await?;
        Ok((verdict, only_ports))
    }

    /// Returns the last log lines of each service of the rehearsal that failed, masked. Without the Engine there are none:
    /// what the checks found stays the reason.
    async fn failed_logs(&self) -> Vec<String> {
        let containers = self.gate.engine.project(&self.rehearsal_project()).await.unwrap_or_default();
        let mut reasons = Vec::new();
        for container in containers.iter().filter(|container| has_failed(container)) {
            let logs = self.gate.engine.last_logs(&container.id, LOG_LINES).await.unwrap_or_default();
            // Masked first: a secret that was cut in two would not be found.
            reasons.extend(log_reason(&container.service, &self.runner.mask().apply(&logs)));
        }
        reasons
    }

    pub(super) fn servers(&self) -> BTreeSet<String> {
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
                self.apart(&model, &servers).await.attached_to_rehearsal(&rehearsal, &servers, &migrations, &checked)
            }
            Side::Earlier => {
                let model = self.earlier_in_tree()?;
                self.apart(&model, &servers).await.attached_to_rehearsal(&rehearsal, &servers, &migrations, &checked)
            }
            Side::Candidate => {
                let model = release::read_model(&self.dir.join("in-tree.json"))?;
                self.apart(&model, &servers).await.attached_to_rehearsal(&rehearsal, &servers, &migrations, &checked)
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
            Side::Candidate | Side::Earlier => self.tree(),
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
    /// The release that a rollback of code alone leads to, on the current schema.
    Earlier,
}

impl Side {
    fn file(self) -> &'static str {
        match self {
            Side::Live => "old-on-new.json",
            Side::Candidate => "new-on-old.json",
            Side::Earlier => "earlier-on-current.json",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn container(state: State, exit_code: i64, restarts: i64, health: container::Health) -> Container {
        Container {
            id: "0".repeat(64),
            name: "shop-api-1".to_owned(),
            service: "api".to_owned(),
            one_off: false,
            image: String::new(),
            state,
            exit_code,
            oom_killed: false,
            restarts,
            started_at: String::new(),
            health,
            health_output: String::new(),
            labels: std::collections::BTreeMap::new(),
            addresses: Vec::new(),
            published: std::collections::BTreeMap::new(),
            network_of: None,
        }
    }

    #[rstest]
    #[case::ended_with_an_error(State::Exited, 1, 0, container::Health::None, true)]
    #[case::done(State::Exited, 0, 0, container::Health::None, false)]
    #[case::runs(State::Running, 0, 0, container::Health::Healthy, false)]
    #[case::not_healthy(State::Running, 0, 0, container::Health::Unhealthy, true)]
    #[case::between_two_tries(State::Restarting, 1, 2, container::Health::None, true)]
    #[case::in_its_next_try(State::Running, 0, 2, container::Health::Starting, true)]
    #[case::never_started(State::Created, 0, 0, container::Health::None, false)]
    fn a_service_that_failed_is_known_by_its_container(
        #[case] state: State,
        #[case] exit_code: i64,
        #[case] restarts: i64,
        #[case] health: container::Health,
        #[case] expected: bool,
    ) {
        assert_eq!(has_failed(&container(state, exit_code, restarts, health)), expected);
    }

    #[test]
    fn log_lines_are_one_reason_and_an_empty_log_is_none() {
        let reason = log_reason("api", "\n starting\n\nunknown revision: more \n");
        assert_eq!(reason.as_deref(), Some("the last log lines of `api`: starting | unknown revision: more"));
        assert_eq!(log_reason("api", " \n"), None);
        let long = log_reason("api", &"x".repeat(2 * LINE)).unwrap();
        assert!(long.ends_with(&format!(": {}", "x".repeat(LINE))), "{long}");
    }
}
