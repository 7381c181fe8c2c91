//! Starting the next containers of services next to the live ones.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::compose,
    container::{Container, Health, State},
    readiness::after_colon,
};

use super::{DeploymentError, NotReady, start};
use crate::{
    engine::Engine,
    process::Runner,
    ready::{Stack, up_for},
};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// A container that has exited so often will again.
const EXITS: i64 = 3;

/// Starts the named services of a frozen model and what they depend on.
///
/// # Errors
/// As [`super::up`].
pub async fn up_named(
    runner: &Runner,
    engine: &Engine,
    stack: &Stack<'_>,
    (model, services): (&Path, &[String]),
    within: Duration,
) -> Result<(), DeploymentError> {
    start(runner, engine, stack, &compose::up_services(stack.project, model, services), within).await
}

/// Starts one more container of each named service, as a frozen model has it; those that run stay as they are.
///
/// # Errors
/// As [`super::up`].
pub async fn up_side_by_side(
    runner: &Runner,
    engine: &Engine,
    stack: &Stack<'_>,
    (model, services): (&Path, &[String]),
    within: Duration,
) -> Result<(), DeploymentError> {
    start(runner, engine, stack, &compose::up_side_by_side(stack.project, model, services), within).await
}

/// Waits until each of `services` has a container of those that `is_it` accepts, all of them healthy, and returns these.
///
/// # Errors
/// [`DeploymentError::NotReady`] once one has failed, or after `within`.
pub async fn wait_for_healthy(
    runner: &Runner,
    engine: &Engine,
    stack: &Stack<'_>,
    (services, is_it): (&BTreeSet<String>, impl Fn(&Container) -> bool),
    within: Duration,
) -> Result<Vec<Container>, DeploymentError> {
    let began = Instant::now();
    loop {
        let mut containers = engine.project(stack.project).await?;
        containers.retain(|container| !container.one_off && services.contains(&container.service) && is_it(container));
        let is_healthy = |c: &Container| c.state == State::Running && c.health == Health::Healthy;
        let there: BTreeSet<&String> = containers.iter().map(|container| &container.service).collect();
        if there.len() == services.len() && containers.iter().all(is_healthy) {
            return Ok(containers);
        }
        // An unhealthy one may only be slow: it has the time that it would have by itself.
        let is_lost = |c: &&Container| {
            matches!(c.state, State::Exited | State::Dead)
                || c.restarts >= EXITS
                || (c.health == Health::Unhealthy && up_for(c) > stack.within)
        };
        let lost: Vec<Container> = containers.iter().filter(is_lost).cloned().collect();
        if !lost.is_empty() {
            return Err(NotReady::of_containers(runner, engine, stack, &lost, began.elapsed()).await.into());
        }
        if began.elapsed() >= within {
            return Err(NotReady::because(late(services, &containers, within), began.elapsed()).into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns a line for each service without a healthy container: what its healthcheck printed, and the setting for more time.
fn late(services: &BTreeSet<String>, containers: &[Container], within: Duration) -> Vec<String> {
    let line = |service: &String| {
        let own = || containers.iter().filter(|container| container.service == *service);
        if own().any(|c| c.state == State::Running && c.health == Health::Healthy) {
            return None;
        }
        let printed = own().next().map(|container| after_colon(&container.health_output)).unwrap_or_default();
        Some(format!(
            "{service}: its healthcheck has not passed within {} s (ready_within of the environment, verify_within of \
             [gate]){printed}",
            within.as_secs()
        ))
    };
    services.iter().filter_map(line).collect()
}
