//! Deploy, verify, open the door, and the way back of code and configuration.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stagegate_decide::{
    command::compose,
    compose::{Model, drift},
    config::Door,
    container::{Container, Health, State},
    exit::Exit,
    promotion::{Kind, Tier},
};

use super::{Run, Stop};
use crate::release;

const UP_WITHIN: Duration = Duration::from_secs(300);
const STOP_WITHIN: Duration = Duration::from_secs(120);

impl Run {
    /// Puts the release's files in place and starts it; the door stays closed where data may be rolled back.
    pub(super) async fn deploy(&mut self) -> Result<Value, Stop> {
        self.git().await?.check_out(&self.plan.workdir, &self.plan.release.commit).await?;
        if matches!(self.plan.kind, Kind::Rollback { .. }) {
            self.snapshot("new")?.put_env_files_back(&format!("before-{}", self.plan.run))?;
        }
        let model = if self.door_is_closed() { self.dir.join("closed.json") } else { self.dir.join("new/model.json") };
        let within = self.plan.verify_within.0;
        self.up(&model, within).await?;
        Ok(json!({ "door": if self.door_is_closed() { "closed" } else { "open" } }))
    }

    fn door_is_closed(&self) -> bool {
        self.plan.door_policy == Door::Closed && self.tier() != Tier::Code
    }

    async fn up(&self, model: &Path, within: Duration) -> Result<(), Stop> {
        self.sweep_renamed().await?;
        self.runner.run_ok(&compose::up(&self.plan.project, model), within).await?;
        Ok(())
    }

    /// Removes the containers that a killed `up` left half way between two names: `<hex>_<name>`.
    ///
    /// They make the next `up` fail, or keep the wrong name. Volumes are left alone.
    async fn sweep_renamed(&self) -> Result<(), Stop> {
        for container in self.gate.engine.project(&self.plan.project).await? {
            if is_renamed(&container.name) {
                self.runner.note(&format!("removing half-made container {}", container.name));
                self.gate.engine.remove(&container.id).await?;
            }
        }
        Ok(())
    }

    /// Runs the suites against the target within the time that a deploy has.
    pub(super) async fn verify(&mut self) -> Result<Value, Stop> {
        let within = self.plan.verify_within.0;
        let examined = self.examine_or_stop(&self.plan.environments.target, self.plan.soak.0);
        let found = tokio::time::timeout(within, examined).await;
        let found = found.map_err(|_| Stop::held(format!("not verified within {}", self.plan.verify_within)))??;
        self.stop_at_drift(&self.snapshot("new")?.model).await?;
        Ok(found)
    }

    async fn stop_at_drift(&self, model: &Model) -> Result<(), Stop> {
        let differs = drift(model, &self.gate.engine.project(&self.plan.project).await?);
        if differs.is_empty() { Ok(()) } else { Err(Stop::held(differs.join("; "))) }
    }

    /// Records the release as what is deployed, and lets users in.
    pub(super) async fn thaw(&mut self) -> Result<Value, Stop> {
        let new = self.snapshot("new")?;
        release::record_deployed(&self.state, &new.dir)?;
        self.up(&new.model_file(), UP_WITHIN).await?;
        self.wait_until_sound(&new.model).await?;
        Ok(Value::Null)
    }

    /// Waits until every service runs and none of their healthchecks says otherwise.
    async fn wait_until_sound(&self, model: &Model) -> Result<(), Stop> {
        let deadline = Instant::now() + self.plan.ready_within.0;
        loop {
            let containers = self.gate.engine.project(&self.plan.project).await?;
            let unsound: Vec<String> =
                containers.iter().filter(|c| !is_sound(model, c)).map(|c| c.name.clone()).collect();
            if unsound.is_empty() && drift(model, &containers).is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Stop::held(format!("not running or not healthy: {}", unsound.join(", "))));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Takes the release's code away: stops it where data is to be put back, and puts files and variables back.
    pub(super) async fn undo_deploy(&mut self) -> Result<Value, Stop> {
        if self.froze_data() {
            let new = self.snapshot("new")?;
            let databases: Vec<&String> = self.plan.databases.iter().map(|d| &d.service).collect();
            let services: Vec<String> = new.model.services().into_iter().filter(|s| !databases.contains(&s)).collect();
            let stop = compose::stop(&self.plan.project, &new.model_file(), &services);
            self.runner.run_ok(&stop, STOP_WITHIN).await?;
        }
        self.put_configuration_back().await
    }

    async fn put_configuration_back(&self) -> Result<Value, Stop> {
        self.git().await?.check_out(&self.plan.workdir, &self.plan.previous.commit).await?;
        let changed = self.snapshot("old")?.put_env_files_back(&format!("failed-{}", self.plan.run))?;
        Ok(json!({ "env_files_put_back": changed }))
    }

    /// Starts the release that served before, from its frozen model.
    pub(super) async fn reopen(&mut self) -> Result<Value, Stop> {
        let old = self.snapshot("old")?;
        self.up(&old.model_file(), UP_WITHIN).await?;
        self.wait_until_sound(&old.model).await?;
        Ok(Value::Null)
    }

    /// Verifies the way back as strictly as a deploy.
    pub(super) async fn verify_back(&mut self) -> Result<Value, Stop> {
        let within = self.plan.verify_within.0;
        let examined = self.examine_or_stop(&self.plan.environments.target, self.plan.soak.0);
        let found = tokio::time::timeout(within, examined).await;
        let stop =
            || Stop { reason: format!("not verified within {}", self.plan.verify_within), exit: Exit::PersonNeeded };
        let found = found.map_err(|_| stop())??;
        self.stop_at_drift(&self.snapshot("old")?.model).await?;
        Ok(found)
    }
}

fn is_sound(model: &Model, container: &Container) -> bool {
    let ended_well =
        model.is_oneshot(&container.service) && container.state == State::Exited && container.exit_code == 0;
    let runs = container.state == State::Running && matches!(container.health, Health::Healthy | Health::None);
    container.one_off || ended_well || runs
}

// Source: Compose 2.26 makes the new container as `<first 12 digits of the old id>_<name>` and renames it at the end.
fn is_renamed(name: &str) -> bool {
    name.split_once('_').is_some_and(|(id, rest)| {
        id.len() == 12 && !rest.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use super::is_renamed;

    #[test]
    fn only_a_name_that_begins_with_an_id_is_half_made() {
        assert!(is_renamed("0123456789ab_shop-api-1"));
        assert!(!is_renamed("shop_api_1"));
        assert!(!is_renamed("0123456789ab_"));
        assert!(!is_renamed("0123456789AB_shop"));
    }
}
