//! Tells the receivers of notifications when backups go wrong, and when they are well again.

use serde_json::json;
use stagegate_base::config::{Config, Environment};
use stagegate_data_decide::backup::alert::{Alerted, Problem, alert};
use stagegate_host::{clock, error::with_causes, files, notify, paths::StateDir, process::Runner};

use crate::failure::say;

/// What the receivers heard last.
const FILE: &str = "alerted.json";
/// The message itself, which a program reads.
const MESSAGE: &str = "notification.json";

/// Sends an alert where one is due. One that a receiver did not take is sent again at the next tick; that never changes how
/// the schedule ends.
pub(super) async fn send(config: &Config, environment: &Environment, problems: &[Problem]) {
    if !notify::has_receiver(&config.gate) {
        return;
    }
    let folder = StateDir::of(config, &environment.project).root().join("schedule");
    let (file, now) = (folder.join(FILE), clock::unix_seconds());
    // One that cannot be read is as none: rather an alert too many.
    let last = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let Some(alert) = alert(&last, problems, now) else { return };
    let texts: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
    let message = json!({ "environment": environment.name, "backups": alert, "problems": texts });
    let mut failures: Vec<String> = Vec::new();
    if let Err(error) = files::private_dir(&folder) {
        failures.push(format!("cannot create {}: {error}", folder.display()));
    }
    let sent = notify::notify(&Runner::default(), config, &message, &folder.join(MESSAGE)).await;
    failures.extend(sent.iter().map(|error| with_causes(error)));
    if failures.is_empty() {
        let about = problems.iter().map(|problem| problem.about.clone()).collect();
        let text = serde_json::to_vec(&Alerted { at: now, about }).unwrap_or_default();
        failures
            .extend(files::write_whole(&file, &text).err().map(|e| format!("cannot write {}: {e}", file.display())));
    }
    if !failures.is_empty() {
        say(&format!("{}: the alert was not sent: {}", environment.name, failures.join("; ")));
    }
}
