//! What must not run while a volume is copied or exchanged: a container keeps the folder that it was started with.

use std::time::Duration;

use stagegate_base::{command::compose, container::State};
use stagegate_gate_decide::promotion::PlanVolume;
use stagegate_host::engine::RunningMount;

use super::touches;
use crate::{Run, StepError};

/// How long Redis may take to write what it holds to disk as it stops.
const REDIS_SECONDS: u64 = 110;

impl Run {
    /// Stops a service before its data is copied. Redis is waited for until it has written what it holds to disk.
    pub(crate) async fn stop_service(&self, service: &String, within: Duration) -> Result<(), StepError> {
        let (project, model) = (self.plan.project.as_str(), self.dir.join("old/model.json"));
        let services = std::slice::from_ref(service);
        if !self.plan.copied_volumes().any(|one| one.redis.contains(service)) {
            self.runner.run_ok(&compose::stop(project, &model, services), within).await?;
            return Ok(());
        }
        let stop = compose::stop_within(project, &model, services, REDIS_SECONDS);
        self.runner.run_ok(&stop, within).await?;
        let containers = self.gate.engine.project(project).await?;
        match containers.iter().find(|c| c.service == *service && !c.one_off && c.exit_code != 0) {
            Some(killed) if killed.state != State::Running => Err(StepError::blocked(format!(
                "{service} ended with code {} as it stopped, so that its last keys may be missing in its files; see \
                 `docker logs {}`",
                killed.exit_code, killed.name
            ))),
            _ => Ok(()),
        }
    }

    /// Stops at containers that run and mount what is copied or exchanged: those of the target, and others that write.
    pub(super) async fn stop_at_mounts(&self) -> Result<(), StepError> {
        let mounts = self.gate.engine.running_mounts().await?;
        let project = self.plan.project.as_str();
        let found = self.plan.copied_volumes().find_map(|one| in_the_way(one, project, &mounts).map(|by| (one, by)));
        match found {
            Some((one, by)) => Err(StepError::blocked(format!(
                "container {} runs and mounts volume `{}`, which nothing may use while it is copied or exchanged; stop it: \
                 docker stop {}",
                by.container, one.id, by.container
            ))),
            None => Ok(()),
        }
    }
}

/// Returns a mount by which a volume is used: by the target's own containers in any way, by others for writing.
fn in_the_way<'a>(one: &PlanVolume, project: &str, mounts: &'a [RunningMount]) -> Option<&'a RunningMount> {
    mounts.iter().find(|mount| match mount.project == project {
        true => is_of(one, mount) || touches(&one.path(), &mount.source),
        false => is_of(one, mount) && mount.writes,
    })
}

fn is_of(one: &PlanVolume, mount: &RunningMount) -> bool {
    (!one.volume.is_empty() && mount.volume == one.volume) || mount.source.starts_with(one.path())
}

/// Returns a container of another project that writes to a volume.
pub(super) fn other_writer<'a>(one: &PlanVolume, project: &str, mounts: &'a [RunningMount]) -> Option<&'a str> {
    let others = mounts.iter().filter(|mount| mount.project != project);
    others.filter(|mount| is_of(one, mount) && mount.writes).map(|mount| mount.container.as_str()).next()
}
