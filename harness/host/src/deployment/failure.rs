//! What is reported of a stack that did not become ready: each service with its own last words.

use std::time::Duration;

use stagegate_base::{
    container::{Container, Health, State},
    readiness::{Expected, Readiness, after_colon, exited},
};

use super::{Engine, Runner, Stack};
use crate::ready::Ready;

/// Log lines that are kept of a container.
const LINES: u32 = 20;
/// Those that are reported in one line.
const SHORT: usize = 3;
/// How much of each line is shown, in characters.
const LINE: usize = 300;

/// A stack that did not become ready.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not ready after {}: {}{hint}", seconds(*waited), reasons.join("; "))]
pub struct NotReady {
    /// How long was waited.
    pub waited: Duration,
    /// What is wrong, one reason a service, with the last log lines.
    pub reasons: Vec<String>,
    /// The last log lines of each service that is not ready, masked.
    pub logs: Vec<LastLogLines>,
    /// What to do, behind a semicolon; empty where there is nothing to say.
    hint: String,
}

/// The last log lines of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLogLines {
    /// The container.
    pub container: String,
    /// Its lines, masked.
    pub lines: Vec<String>,
}

impl NotReady {
    /// Makes one of reasons that no container has words for.
    pub(super) fn because(reasons: Vec<String>, waited: Duration) -> Self {
        NotReady { waited, reasons, logs: Vec::new(), hint: String::new() }
    }

    /// Makes one of what a wait found.
    pub(super) async fn of(
        runner: &Runner,
        engine: &Engine,
        stack: &Stack<'_>,
        found: &Ready,
        waited: Duration,
    ) -> Self {
        let mut failure = Self::because(Vec::new(), waited);
        for (service, readiness) in found.missing() {
            let mut reason = format!("{service}: {}", readiness.reason());
            for container in found.of(service).filter(|c| c.state != State::Created) {
                reason.push_str(&failure.hear(runner, engine, container).await);
            }
            failure.reasons.push(reason);
        }
        let is_waiting = |(_, readiness): &(&str, &Readiness)| matches!(readiness, Readiness::NotYet(_));
        if found.missing().iter().any(is_waiting) {
            failure.hint = longer(stack.within, waited);
        }
        failure
    }

    /// Makes one of containers that failed while Compose was starting the stack.
    pub(super) async fn of_containers(
        runner: &Runner,
        engine: &Engine,
        stack: &Stack<'_>,
        lost: &[Container],
        waited: Duration,
    ) -> Self {
        let mut failure = Self::because(Vec::new(), waited);
        for container in lost {
            let Container { service, restarts, .. } = container;
            let expected = Expected::of(stack.model, stack.config, service, stack.within);
            let again = if *restarts > 0 { format!(", restarted {restarts} times") } else { String::new() };
            let state = match (&container.state, &container.health) {
                (State::Running, Health::Unhealthy) => {
                    format!("{} is unhealthy{}", container.name, after_colon(&container.health_output))
                }
                _ => exited(&expected, container),
            };
            let words = failure.hear(runner, engine, container).await;
            failure.reasons.push(format!("{service}: {state}{again}{words}"));
        }
        failure
    }

    /// Reads a container's last words into the failure and the run's log, and returns the last of them for the reason.
    async fn hear(&mut self, runner: &Runner, engine: &Engine, container: &Container) -> String {
        let since_start = engine.logs_since(&container.id, &container.started_at, LINES).await;
        let text = match since_start {
            Ok(text) if !text.trim().is_empty() => text,
            _ => engine.last_logs(&container.id, LINES).await.unwrap_or_default(),
        };
        // Masked first: a secret that was cut in two would not be found.
        let text = runner.mask().apply(&text);
        let lines: Vec<String> =
            text.lines().map(str::trim_end).filter(|l| !l.is_empty()).map(|l| l.chars().take(LINE).collect()).collect();
        runner.note(&format!("last log lines of {}:\n{}", container.name, lines.join("\n")));
        let last: Vec<&str> = lines[lines.len().saturating_sub(SHORT)..].iter().map(|line| line.trim()).collect();
        let last = last.join(" | ");
        self.logs.push(LastLogLines { container: container.name.clone(), lines });
        if last.is_empty() { "; it wrote no log".to_owned() } else { format!("; its last log lines: {last}") }
    }
}

fn seconds(span: Duration) -> String {
    format!("{:.0} s", span.as_secs_f64())
}

/// Returns what grants services more time, where they were given all of `within`; empty where they were not.
fn longer(within: Duration, waited: Duration) -> String {
    if waited < within {
        return String::new();
    }
    let within = seconds(within);
    format!("; a service that needs longer is granted it with `ready_within` of [environments], {within} now")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grants_more_time_is_named_once_the_time_is_over() {
        let within = Duration::from_secs(60);
        assert!(longer(within, within).contains("`ready_within` of [environments], 60 s now"));
        assert_eq!(longer(within, Duration::from_secs(59)), "");
    }

    #[test]
    fn a_failure_is_one_line_with_each_service() {
        let reasons =
            vec!["db: db-1 exited with code 1; its last log lines: no password".to_owned(), "web: x".to_owned()];
        let text = NotReady::because(reasons, Duration::from_millis(2_300)).to_string();
        assert_eq!(text, "not ready after 2 s: db: db-1 exited with code 1; its last log lines: no password; web: x");
    }
}
