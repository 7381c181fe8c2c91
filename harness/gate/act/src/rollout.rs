//! Replaces containers without downtime: the new one is started next to the live one, verified there, and gets the requests
//! from the proxy; the earlier one ends what it has, and is kept until the point of no return.
//!
//! Which container is which is read from labels and names, never remembered: a run that was killed goes on from there.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use stagegate_base::{
    compose::{Model, ROLLOUT_LABEL},
    container::{Container, State},
};
use stagegate_gate_decide::{
    promotion::{MovedTraffic, Tier, TrafficBack},
    proxy::{self as api, Slot},
};
use stagegate_host::{deployment, files, proxy, release};

use super::{Run, StepError, on_file};

/// How long the proxy may take to find a container that is healthy, and to check it.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// How long the proxy may take to forget a container that is gone.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

impl Run {
    /// Returns whether requests are moved by the proxy: it has the services, and no data is frozen.
    pub(super) fn moves_traffic(&self) -> bool {
        self.plan.moves_traffic() && self.tier() == Tier::Code && !self.plan.copies_volumes()
    }

    /// Returns `model` with the run's label on the services that are replaced without downtime and changed.
    pub(super) fn rolled_out(&self, model: &Model, live: &Model) -> Model {
        let Some(rollout) = &self.plan.rollout else { return model.clone() };
        model.rolled_out_by(&self.plan.run, &model.changed_since(live, rollout.services.keys()))
    }

    /// Returns the services that this run replaces without downtime.
    fn moved(&self) -> Result<BTreeSet<String>, StepError> {
        Ok(self.snapshot("new")?.model.rolled_out_in(&self.plan.run))
    }

    fn backends(&self, moved: &BTreeSet<String>) -> Vec<&str> {
        let services = self.plan.rollout.iter().flat_map(|rollout| &rollout.services);
        let own = services.filter(|(service, _)| moved.contains(*service)).flat_map(|(_, backends)| backends);
        own.map(String::as_str).collect()
    }

    /// Starts the release with the live containers of the moved services running on, and the new ones next to them.
    pub(super) async fn deploy_side_by_side(&self, within: Duration) -> Result<(), StepError> {
        let (new, moved) = (self.snapshot("new")?, self.moved()?);
        self.reserve(&moved).await?;
        let around = new.model.keeping(&moved, &self.snapshot("old")?.model);
        let file = self.dir.join("around.json");
        on_file(&file, files::write_whole(&file, around.to_json().as_bytes()))?;
        self.up_around(&file, &around, within).await?;
        if moved.is_empty() {
            return Ok(());
        }
        let stack = self.stack(&new.model);
        let (runner, engine) = (&self.runner, &self.gate.engine);
        let services: Vec<String> = moved.iter().cloned().collect();
        deployment::up_side_by_side(runner, engine, &stack, (&new.model_file(), &services), within).await?;
        let wait = self.plan.ready_within.0.min(self.time_left());
        deployment::wait_for_healthy(runner, engine, &stack, (&moved, |c| self.is_new(c)), wait).await?;
        // From here on the release is what the environment is examined for.
        for container in self.containers(&moved).await?.iter().filter(|container| !self.is_new(container)) {
            engine.retire(container).await?;
        }
        Ok(())
    }

    /// Starts a model whose containers of the moved services are those that run.
    ///
    /// In two parts: Compose would recreate a container, whatever its model, in the same call as one that it depends on.
    // Source: docker/compose#10308.
    pub(super) async fn up_around(&self, file: &Path, model: &Model, within: Duration) -> Result<(), StepError> {
        let moved = self.moved()?;
        let apart = model.apart_from(&moved);
        if !moved.is_empty() && !apart.is_empty() {
            let (runner, engine) = (&self.runner, &self.gate.engine);
            deployment::up_named(runner, engine, &self.stack(model), (file, &apart), within).await?;
        }
        self.up(file, model, within).await
    }

    fn is_new(&self, container: &Container) -> bool {
        container.labels.get(ROLLOUT_LABEL) == Some(&self.plan.run)
    }

    /// Returns the containers of the moved services, earlier and new ones.
    async fn containers(&self, moved: &BTreeSet<String>) -> Result<Vec<Container>, StepError> {
        let mut containers = self.gate.engine.project(&self.plan.project).await?;
        containers.extend(self.gate.engine.retired(&self.plan.project).await?);
        containers.retain(|container| !container.one_off && moved.contains(&container.service));
        Ok(containers)
    }

    /// Returns the addresses of the new and of the earlier containers of the moved services.
    async fn addresses(&self, moved: &BTreeSet<String>) -> Result<(Vec<IpAddr>, Vec<IpAddr>), StepError> {
        let (new, old): (Vec<Container>, Vec<Container>) =
            self.containers(moved).await?.into_iter().partition(|container| self.is_new(container));
        let addresses = |containers: Vec<Container>| containers.into_iter().flat_map(|c| c.addresses).collect();
        Ok((addresses(new), addresses(old)))
    }

    pub(super) fn proxy_folder(&self) -> Result<PathBuf, StepError> {
        let live = release::read_model(&self.dir.join("old/model.json"))?;
        let folder = live.proxy_folder().map(Path::to_path_buf);
        folder.ok_or_else(|| StepError::blocked("the live release has no proxy; promote again"))
    }

    async fn slots(&self) -> Result<Vec<Slot>, StepError> {
        Ok(api::slots(&proxy::send(&self.proxy_folder()?, api::SHOW_SLOTS).await?)?)
    }

    pub(super) async fn command(&self, commands: Option<String>) -> Result<(), StepError> {
        let Some(commands) = commands else { return Ok(()) };
        self.runner.note(&format!("proxy: {commands}"));
        Ok(api::accepted(&proxy::send(&self.proxy_folder()?, &commands).await?)?)
    }

    /// Takes the free places of the proxy out of use, so that a container that starts gets no request.
    async fn reserve(&self, moved: &BTreeSet<String>) -> Result<(), StepError> {
        let backends = self.backends(moved);
        self.command(api::reserve(&self.slots().await?, &backends)).await
    }

    /// Moves the requests to the new containers, waits until the earlier ones have ended theirs, and watches the release.
    pub(super) async fn move_traffic(&mut self) -> Result<MovedTraffic, StepError> {
        let moved = self.moved()?;
        let mut report = MovedTraffic { services: moved.iter().cloned().collect(), ..MovedTraffic::default() };
        let mut compared = Duration::ZERO;
        if !moved.is_empty() {
            let (new, old) = self.addresses(&moved).await?;
            let backends = self.backends(&moved);
            let began = Instant::now();
            self.wait_for_slots("has not found the new container", |slots| self.are_in_use(slots, &backends, &new))
                .await?;
            let slots = self.slots().await?;
            self.command(api::expose(&api::slots_in_use(&slots, &backends, &new))).await?;
            let is_up = |slots: &[Slot]| {
                let own = api::slots_in_use(slots, &backends, &new);
                own.len() >= backends.len() && own.iter().all(|slot| slot.is_up && slot.is_open && slot.is_checked)
            };
            self.wait_for_slots("does not find the new container up", is_up).await?;
            report.ready_ms = milliseconds(began.elapsed());
            (report.canary, compared) = self.canaries(&moved, &slots, (&new, &old)).await?;
            let (to, from) = (api::slots_in_use(&slots, &backends, &new), api::slots_in_use(&slots, &backends, &old));
            self.command(api::shift(&to, &from)).await?;
            (report.drained_ms, report.cut) = self.drained(&from).await?;
        }
        // A canary has its own limit.
        self.clocks.deploy_began = self.clocks.deploy_began.map(|at| at + compared);
        let late = || {
            StepError::blocked(format!(
                "not verified within {} of the deploy (verify_within of [gate])",
                self.plan.verify_within
            ))
        };
        let examined = self.examine(self.plan.soak.0, "new");
        let checks = tokio::time::timeout(self.time_left(), examined).await.map_err(|_| late())??;
        report.checks = self.with_log_errors(checks).await?;
        Ok(report)
    }

    fn are_in_use(&self, slots: &[Slot], backends: &[&str], addresses: &[IpAddr]) -> bool {
        api::slots_in_use(slots, backends, addresses).len() >= backends.len()
    }

    async fn wait_for_slots(&self, what: &str, is_so: impl Fn(&[Slot]) -> bool) -> Result<(), StepError> {
        let began = Instant::now();
        while !is_so(&self.slots().await?) {
            if began.elapsed() > SEEN_WITHIN {
                let seconds = SEEN_WITHIN.as_secs();
                return Err(StepError::blocked(format!(
                    "the proxy {what} within {seconds} s, although its healthcheck passes: it must listen at its port on \
                     all addresses"
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Waits until the slots have no connection, and returns how long that took, in milliseconds, and how many are left.
    async fn drained(&self, slots: &[&Slot]) -> Result<(u64, u64), StepError> {
        let within = self.plan.rollout.as_ref().map(|rollout| rollout.drain.0).unwrap_or_default();
        let (folder, began) = (self.proxy_folder()?, Instant::now());
        loop {
            let left = api::sessions(&proxy::send(&folder, api::SHOW_COUNTERS).await?, slots)?;
            if left == 0 || began.elapsed() >= within {
                return Ok((milliseconds(began.elapsed()), left));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Moves the requests back to the earlier containers, which run on.
    pub(super) async fn undo_move_traffic(&mut self) -> Result<TrafficBack, StepError> {
        let moved = self.moved()?;
        // Once it is started again it finds the containers that are left, which are the earlier ones then.
        if moved.is_empty() || !self.proxy_runs().await? {
            return Ok(TrafficBack::default());
        }
        let (new, old) = self.addresses(&moved).await?;
        let (backends, began) = (self.backends(&moved), Instant::now());
        let slots = self.slots().await?;
        let (to, from) = (api::slots_in_use(&slots, &backends, &old), api::slots_in_use(&slots, &backends, &new));
        if to.len() < backends.len() {
            return Err(StepError {
                is_transient: true,
                ..StepError::blocked("the proxy has lost the earlier container")
            });
        }
        self.command(api::shift(&to, &from)).await?;
        let moved_ms = milliseconds(began.elapsed());
        let (_, cut) = self.drained(&from).await?;
        Ok(TrafficBack { services: moved.into_iter().collect(), moved_ms, cut })
    }

    async fn proxy_runs(&self) -> Result<bool, StepError> {
        let containers = self.gate.engine.project(&self.plan.project).await?;
        let is_proxy = |c: &Container| c.service == stagegate_base::compose::PROXY_SERVICE && c.state == State::Running;
        Ok(containers.iter().any(is_proxy))
    }

    /// Removes the new containers, which have no requests, and brings the earlier ones back into view.
    pub(super) async fn undo_deploy_side_by_side(&self) -> Result<(), StepError> {
        let moved = self.moved()?;
        for container in self.containers(&moved).await? {
            match self.is_new(&container) {
                true => self.gate.engine.stop_and_remove(&container).await?,
                false => self.gate.engine.reinstate(&container).await?,
            }
        }
        self.settle(&moved).await
    }

    /// Stops and removes the containers that were replaced.
    pub(super) async fn remove_retired(&self, model: &Model) -> Result<(), StepError> {
        let moved = model.rolled_out_in(&self.plan.run);
        for container in self.containers(&moved).await?.iter().filter(|container| !self.is_new(container)) {
            self.gate.engine.stop_and_remove(container).await?;
        }
        self.settle(&moved).await
    }

    /// Gives the proxy's places back to use, once each backend has one container: where a container gets another address,
    /// any place may take it.
    async fn settle(&self, moved: &BTreeSet<String>) -> Result<(), StepError> {
        if moved.is_empty() || !self.proxy_runs().await? {
            return Ok(());
        }
        let (backends, began) = (self.backends(moved), Instant::now());
        loop {
            let slots = self.slots().await?;
            if api::is_single(&slots, &backends) || began.elapsed() > FORGOTTEN_WITHIN {
                return self.command(api::settle(&slots, &backends)).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
