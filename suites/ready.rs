//! Waits for an environment's services to become ready: once a run, so that a slow start is no failed check.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use stagegate_base::{container::Container, record::Evidence, redact::Mask};
use stagegate_host::{engine::Engine, error::with_causes, project::Project};
use stagegate_policy_decide::health::{Expected, Readiness, Seen, readiness};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a service must look lost before the wait ends: between a container and its successor there is none for a
/// moment, and one that is unhealthy since long may be about to recover.
const LOST_FOR: Duration = Duration::from_secs(2);
/// Log lines that are shown of a container that is not ready.
const LOG_LINES: u32 = 20;
/// How much of each is shown, in characters.
const LINE: usize = 300;

/// What the wait found.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Every service of the compose model.
    pub services: BTreeMap<String, Readiness>,
    /// The containers at the last look, those of `docker compose run` left out.
    pub containers: Vec<Container>,
    /// How long was waited.
    pub waited: Duration,
}

impl Ready {
    /// Returns the services that are not ready, with the reason.
    #[must_use]
    pub fn missing(&self) -> Vec<(&str, &Readiness)> {
        let missing = self.services.iter().filter(|(_, readiness)| !matches!(readiness, Readiness::Ready(_)));
        missing.map(|(service, readiness)| (service.as_str(), readiness)).collect()
    }

    /// Returns the containers of one service.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Container> {
        self.containers.iter().filter(move |c| c.service == service)
    }

    fn is_lost(&self) -> bool {
        self.services.values().any(|readiness| matches!(readiness, Readiness::Never(_)))
    }
}

/// Looks at a project until all services are ready, one never will be, or its `ready_within` is over.
///
/// # Errors
/// A text that says what to do, where the Engine does not answer.
pub async fn until_ready(project: &Project, engine: &Engine) -> Result<Ready, String> {
    let begun = Instant::now();
    let mut sound_at = begun;
    loop {
        let mut found = look(project, engine).await?;
        found.waited = begun.elapsed();
        if !found.is_lost() {
            sound_at = Instant::now();
        }
        let is_over = found.waited + PAUSE > project.environment.ready_within.0;
        if found.missing().is_empty() || sound_at.elapsed() > LOST_FOR || is_over {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks once.
///
/// # Errors
/// As [`until_ready`].
pub async fn look(project: &Project, engine: &Engine) -> Result<Ready, String> {
    let mut containers = project.containers(engine).await.map_err(|error| with_causes(&error))?;
    containers.retain(|c| !c.one_off);
    let (model, within) = (&project.model, project.environment.ready_within.0);
    let judged = |service: String| {
        let expected = Expected::of(model, &project.config, &service, within);
        let seen: Vec<Seen> = containers.iter().filter(|c| c.service == service).map(seen).collect();
        let readiness = readiness(&expected, &seen);
        (service, readiness)
    };
    let services = model.services().into_iter().map(judged).collect();
    Ok(Ready { services, containers, waited: Duration::ZERO })
}

fn seen(container: &Container) -> Seen {
    Seen { container: container.clone(), up_for: up_for(container) }
}

/// Returns how long a container's process has run; zero where that is not known.
pub(crate) fn up_for(container: &Container) -> Duration {
    let started: Option<jiff::Timestamp> = container.started_at.parse().ok();
    let since = started.map(|at| jiff::Timestamp::now().duration_since(at));
    since.and_then(|since| Duration::try_from(since).ok()).unwrap_or_default()
}

/// Collects what helps to understand a container: its healthcheck's last words and its last log lines, masked.
pub(crate) async fn evidence(engine: &Engine, mask: &Mask, container: &Container) -> Vec<Evidence> {
    let mut all = Vec::new();
    if !container.health_output.is_empty() {
        let name = format!("last healthcheck of {}", container.name);
        all.push(Evidence { name, text: mask.apply(&container.health_output) });
    }
    let text = match engine.last_logs(&container.id, LOG_LINES).await {
        Ok(text) if text.trim().is_empty() => "(it wrote nothing)".to_owned(),
        Ok(text) => text,
        Err(error) => format!("(cannot be read: {})", with_causes(&error)),
    };
    all.push(Evidence { name: format!("last log lines of {}", container.name), text: shortened(&mask.apply(&text)) });
    all
}

/// Cuts long lines, after masking: a secret that was cut in two would not be found.
fn shortened(text: &str) -> String {
    text.trim_end().lines().map(|line| line.chars().take(LINE).collect()).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_log_lines_are_cut() {
        let text = shortened(&format!("short\n{}\n\n", "x".repeat(1000)));
        assert_eq!(text, format!("short\n{}", "x".repeat(LINE)));
    }
}
