//! Did a service write a secret into its log since its last start?

use std::sync::Arc;

use futures_util::future::join_all;
use stagegate_base::{record::Outcome, text::counted};
use stagegate_host::error::with_causes;
use stagegate_policy_decide::security;

use super::outcome;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// How many of a container's last lines are read: more than any start writes.
const LINES: u32 = 5_000;
const HINT: &str = "do not log it, and rotate it: logs are copied and stored";

pub(super) fn trial() -> Trial {
    Trial::new("security", "stack", "log_secrets", Effect::Reads, check)
}

async fn check(session: Arc<Session>) -> Outcome {
    let containers = match session.project.containers(&session.engine).await {
        Ok(containers) => containers,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let secrets = session.project.model.held_secrets();
    let logs = containers.iter().map(|c| session.engine.logs_since(&c.id, &c.started_at, LINES));
    let mut findings = Vec::new();
    let mut lines = 0;
    for (container, text) in containers.iter().zip(join_all(logs).await) {
        match text {
            Ok(text) => {
                lines += text.lines().count();
                findings.extend(security::log(&container.name, &text, &secrets));
            }
            Err(error) => return Outcome::Broken(with_causes(&error)),
        }
    }
    outcome(
        "a log contains a secret",
        findings,
        format!("{}, {}", counted(lines, "line"), counted(secrets.len(), "secret")),
        HINT,
    )
}
