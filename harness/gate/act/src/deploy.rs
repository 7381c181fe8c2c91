//! Deploy, verify, open the ports, and the rollback of code and configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
    time::Duration,
};

use stagegate_base::{
    command::compose,
    compose::{Model, drift},
    config::PortsMode,
    container::{Container, State},
    exit::Exit,
    lifetime::{Lifetime, one_shots},
};
use stagegate_gate_decide::promotion::{
    Checks, ConfigurationRollback, Deployment, Kind, Ports, RollbackChecks, Step, Tier,
};

use super::{Run, StepError, on_file};
use stagegate_host::{clock, deployment, files, ready::Stack, release};

const UP_WITHIN: Duration = Duration::from_secs(300);
const STOP_WITHIN: Duration = Duration::from_secs(120);
/// The addresses that the services had while their ports were closed.
const CLOSED_ADDRESSES: &str = "closed-addresses.json";

impl Run {
    /// Puts the release's files in place and starts it; its ports stay closed where data may be rolled back.
    pub(super) async fn deploy(&mut self) -> Result<Deployment, StepError> {
        self.note_log_errors().await;
        self.git().await?.check_out(&self.plan.workdir, &self.plan.release.commit).await?;
        if matches!(self.plan.kind, Kind::Rollback { .. }) {
            self.snapshot("new")?.put_env_files_back(&format!("before-{}", self.plan.run))?;
        }
        let file = if self.ports_are_closed() { self.dir.join("closed.json") } else { self.dir.join("new/model.json") };
        let model = release::read_model(&file)?;
        self.clusters = self.clusters().await;
        self.clocks.deploy_began = Some(clock::since_boot());
        let within = self.verified_within();
        match self.moves_traffic() {
            true => self.deploy_side_by_side(within).await?,
            false => self.up(&file, &model, within).await?,
        }
        let reachable = self.plan.reachable.iter().map(|(service, network)| format!("{service} ({network})"));
        let ports = if self.ports_are_closed() { Ports::Closed } else { Ports::Open };
        // Where data was frozen, that step has reported it.
        let watchdog = self.watchdog.clone().filter(|_| !self.has_begun(Step::Freeze));
        Ok(Deployment { ports, reachable: reachable.collect(), watchdog })
    }

    fn ports_are_closed(&self) -> bool {
        self.plan.ports == PortsMode::Closed && (self.tier() != Tier::Code || self.plan.copies_volumes())
    }

    pub(super) async fn up(&self, file: &Path, model: &Model, within: Duration) -> Result<(), StepError> {
        Ok(deployment::up(&self.runner, &self.gate.engine, &self.stack(model), file, within).await?)
    }

    /// Runs the suites against the target within the time that a deploy has.
    pub(super) async fn verify(&mut self) -> Result<Checks, StepError> {
        let late = || {
            StepError::blocked(format!(
                "not verified within {} of the deploy (verify_within of [gate])",
                self.plan.verify_within
            ))
        };
        // Where requests are moved, that is what the release is watched after.
        let soak = if self.moves_traffic() { Duration::ZERO } else { self.plan.soak.0 };
        let examined = self.examine(soak, "new");
        let found = tokio::time::timeout(self.time_left(), examined).await.map_err(|_| late())??;
        let new = self.snapshot("new")?.model;
        self.stop_at_drift(&new).await?;
        self.stop_at_another_release(&new).await?;
        self.stop_at_another_cluster().await?;
        let found = if self.moves_traffic() { found } else { self.with_log_errors(found).await? };
        // A machine that slept meanwhile has watched nothing, and a timeout does not count sleep.
        if self.time_left().is_zero() { Err(late()) } else { Ok(found) }
    }

    /// Returns what is left of the time that a deploy has until it is verified; sleep of the machine counts.
    pub(super) fn time_left(&self) -> Duration {
        let used = self.clocks.deploy_began.map(|began| clock::since_boot().saturating_sub(began)).unwrap_or_default();
        self.verified_within().saturating_sub(used)
    }

    /// The time from a deploy until it is verified; services that may take long to stop, as their files say, get it.
    fn verified_within(&self) -> Duration {
        self.plan.verify_within.0.saturating_add(self.plan.stop_grace.0)
    }

    /// How long Compose may take to replace what runs.
    fn up_within(&self) -> Duration {
        UP_WITHIN.saturating_add(self.plan.stop_grace.0)
    }

    pub(super) async fn stop_at_drift(&self, model: &Model) -> Result<(), StepError> {
        let differs = drift(model, &self.gate.engine.project(&self.plan.project).await?);
        if differs.is_empty() { Ok(()) } else { Err(StepError::blocked(differs.join("; "))) }
    }

    /// Records the release as what is deployed, and lets users in.
    pub(super) async fn open_ports(&mut self) -> Result<(), StepError> {
        let new = self.snapshot("new")?;
        release::record_deployed(&self.state, &new.dir)?;
        if self.moves_traffic() {
            self.remove_retired(&new.model).await?;
        }
        if self.ports_are_closed() {
            self.open_what_was_closed(&new.model).await?;
        } else if !drift(&new.model, &self.gate.engine.project(&self.plan.project).await?).is_empty() {
            // What runs as the release has it is left alone: Compose would run again what ran once and is over.
            self.up(&new.model_file(), &new.model, self.up_within()).await?;
        }
        self.wait_until_ready(&new.model).await?;
        self.stop_at_another_release(&new.model).await
    }

    /// Starts the services that were closed with their ports, and those that share a namespace with one. All others go on:
    /// Compose would run again what ran once and is over, and make containers anew that wait for it, since its hash of a
    /// service has what it depends on.
    async fn open_what_was_closed(&self, model: &Model) -> Result<(), StepError> {
        let one_shots = one_shots(&self.gate.config, model);
        let containers = self.gate.engine.project(&self.plan.project).await?;
        let is_over = |c: &&Container| !c.one_off && one_shots.contains(&c.service) && Lifetime::OneShot.is_over(c);
        let over = containers.iter().filter(is_over).map(|container| container.service.clone()).collect();
        let opened = model.without(&over);
        let file = self.dir.join("opened.json");
        on_file(&file, files::write_whole(&file, opened.to_json().as_bytes()))?;
        let closed = release::read_model(&self.dir.join("closed.json"))?;
        let differs = |name: &String| model.json()["services"][name] != closed.json()["services"][name];
        let changed = opened.with_followers(opened.services().into_iter().filter(differs).collect());
        let services: Vec<String> = changed.into_iter().collect();
        if services.is_empty() {
            return Ok(());
        }
        // Kept for the next try: what is open by then has its new address.
        if !self.dir.join(CLOSED_ADDRESSES).exists() {
            self.save(CLOSED_ADDRESSES, &addresses(&containers))?;
        }
        let (stack, engine) = (self.stack(&opened), &self.gate.engine);
        let part = (file.as_path(), services.as_slice());
        deployment::up_part(&self.runner, engine, &stack, part, self.up_within()).await?;
        let before = self.load(CLOSED_ADDRESSES)?;
        self.restart_dependents(&opened, &file, &services, &before).await
    }

    /// Restarts the services that depend on one whose container has another address now: a proxy may look a name up once, when
    /// it starts. Servers of data stay up; they depend on nobody's address.
    async fn restart_dependents(
        &self,
        model: &Model,
        file: &Path,
        opened: &[String],
        before: &BTreeMap<String, BTreeSet<IpAddr>>,
    ) -> Result<(), StepError> {
        let containers = self.gate.engine.project(&self.plan.project).await?;
        let now = addresses(&containers);
        let has_moved = |service: &&String| before.get(*service).is_some_and(|old| now.get(*service) != Some(old));
        let moved: BTreeSet<String> = opened.iter().filter(has_moved).cloned().collect();
        let runs = |name: &String| containers.iter().any(|c| c.service == *name && c.state == State::Running);
        let (servers, mut dependents) = (self.servers(), model.dependents(&moved));
        dependents.retain(|name| {
            !opened.contains(name) && !servers.contains(name) && !model.is_data_server(name) && runs(name)
        });
        if dependents.is_empty() {
            return Ok(());
        }
        let (moved, names): (Vec<String>, Vec<String>) =
            (moved.into_iter().collect(), dependents.into_iter().collect());
        self.runner.note(&format!("{} got another address; restarting {}", moved.join(", "), names.join(", ")));
        let restart = compose::restart(&self.plan.project, file, &names);
        self.runner.run_ok(&restart, STOP_WITHIN.saturating_add(self.plan.stop_grace.0)).await?;
        Ok(())
    }

    async fn wait_until_ready(&self, model: &Model) -> Result<(), StepError> {
        Ok(deployment::wait_until_ready(&self.runner, &self.gate.engine, &self.stack(model)).await?)
    }

    pub(super) fn stack<'a>(&'a self, model: &'a Model) -> Stack<'a> {
        let (config, project) = (self.gate.config.as_ref(), self.plan.project.as_str());
        Stack { config, project, model, within: self.plan.ready_within.0 }
    }

    /// Stops the release where its data is to be rolled back, and restores files and variables.
    pub(super) async fn undo_deploy(&mut self) -> Result<ConfigurationRollback, StepError> {
        if self.moves_traffic() {
            self.undo_deploy_side_by_side().await?;
        }
        if self.froze_data() {
            let new = self.snapshot("new")?;
            let databases: Vec<&String> = self.plan.databases.iter().map(|d| &d.service).collect();
            let services: Vec<String> = new.model.services().into_iter().filter(|s| !databases.contains(&s)).collect();
            let stop = compose::stop(&self.plan.project, &new.model_file(), &services);
            self.runner.run_ok(&stop, STOP_WITHIN.saturating_add(self.plan.stop_grace.0)).await?;
        }
        self.restore_configuration().await
    }

    async fn restore_configuration(&self) -> Result<ConfigurationRollback, StepError> {
        self.git().await?.restore(&self.plan.workdir, &self.plan.previous.commit).await?;
        let env_files = self.snapshot("old")?.put_env_files_back(&format!("failed-{}", self.plan.run))?;
        Ok(ConfigurationRollback { env_files })
    }

    /// Starts the previous release from its frozen model.
    pub(super) async fn start_previous(&mut self) -> Result<(), StepError> {
        let old = self.snapshot("old")?;
        // A clean-up may have taken them once their containers were replaced.
        self.images().restore(&old.model).await?;
        match self.moves_traffic() {
            true => self.up_around(&old.model_file(), &old.model, self.up_within()).await?,
            false => self.up(&old.model_file(), &old.model, self.up_within()).await?,
        }
        self.wait_until_ready(&old.model).await
    }

    /// Verifies the rollback as strictly as a deploy.
    pub(super) async fn verify_rollback(&mut self) -> Result<RollbackChecks, StepError> {
        let within = self.time_to_check_rollback();
        let examined = self.examine(self.plan.soak.0, "old");
        let found = tokio::time::timeout(within, examined).await;
        let stop = || StepError {
            exit: Exit::PersonNeeded,
            ..StepError::blocked(format!("not verified within {} s", within.as_secs()))
        };
        let checks = found.map_err(|_| stop())??;
        self.stop_at_drift(&self.snapshot("old")?.model).await?;
        let dir = self.dir.clone();
        self.drop_rollback_names(&dir, &self.plan.run).await;
        // Users have their release again: what follows is counted for the report.
        let late = self.late_rollback();
        let (kept_rows, volumes) = (self.changed_rows().await, self.compared_volumes());
        let mut server_wide = self.server_wide_changes().await;
        server_wide.extend(self.left_of_new_databases().await);
        Ok(RollbackChecks { checks, kept_rows, volumes, server_wide, late })
    }
}

/// Returns the addresses of each service's running containers.
fn addresses(containers: &[Container]) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let mut all: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for container in containers.iter().filter(|container| !container.one_off && container.state == State::Running) {
        all.entry(container.service.clone()).or_default().extend(container.addresses.iter().copied());
    }
    all
}
