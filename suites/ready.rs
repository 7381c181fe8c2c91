//! Waits for an environment's services to become ready: once a run, so that a slow start is no failed check.

use stagegate_base::{container::Container, lifetime::Lifetime, record::Evidence, redact::Mask};
pub use stagegate_host::ready::Ready;
use stagegate_host::{
    engine::{Engine, EngineError},
    error::with_causes,
    project::Project,
    ready::{self, Stack},
};

/// Log lines that are shown of a container that is not ready.
const LOG_LINES: u32 = 20;
/// How much of each is shown, in characters.
const LINE: usize = 300;

/// Looks at a project until all services are ready, one never will be, or its `ready_within` is over.
///
/// # Errors
/// [`EngineError`] where it does not respond.
pub async fn until_ready(project: &Project, engine: &Engine) -> Result<Ready, EngineError> {
    ready::until_ready(engine, &Stack::of(project)).await
}

/// Returns a project's containers as they are now, those of `docker compose run` left out.
///
/// # Errors
/// As [`until_ready`].
pub async fn containers(project: &Project, engine: &Engine) -> Result<Vec<Container>, EngineError> {
    ready::containers(engine, project.compose_name()).await
}

/// Returns how long a service of a project is meant to run.
pub(crate) fn lifetime(project: &Project, service: &str) -> Lifetime {
    Lifetime::of(&project.config, &project.model, service)
}

/// Collects what helps to understand a container: its healthcheck's last words and its last log lines, masked.
pub(crate) async fn evidence(engine: &Engine, mask: &Mask, container: &Container) -> Vec<Evidence> {
    let mut all = Vec::new();
    if !container.health_output.is_empty() {
        let name = format!("last healthcheck of {}", container.name);
        all.push(Evidence { name, text: mask.apply(&container.health_output) });
    }
    let text = match engine.last_logs(&container.id, LOG_LINES).await {
        Ok(text) if text.trim().is_empty() => "(no output)".to_owned(),
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
