//! Reports the receivers of notifications when backups go wrong, and when they are well again.

use serde_json::json;
use stagegate_base::config::{Config, Environment, Event};
use stagegate_data_decide::backup::alert::{Alert, Alerted, Problem, alert};
use stagegate_host::{clock, error::with_causes, files, notify, paths::StateDir, process::Runner};
use stagegate_watch_decide::notify::Message;

use crate::{failure::print_message, notices};

/// What the receivers heard last.
const FILE: &str = "alerted.json";
/// The message itself, which a program reads.
const MESSAGE: &str = "notification.json";

/// What was written into the outbox last.
const NOTED: &str = "noted.json";

/// Writes a message into the outbox where an alert is due: from there on it is on its way.
fn note(config: &Config, environment: &Environment, problems: &[Problem]) {
    if config.notify.is_empty() {
        return;
    }
    let folder = StateDir::of(config, &environment.project).root().join("schedule");
    let (file, now) = (folder.join(NOTED), clock::unix_seconds());
    let last = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let Some(alert) = alert(&last, problems, now) else { return };
    let (name, product) = (&environment.name, &config.name);
    let title = match alert {
        Alert::Failing => format!("{product}: backups of {name} FAIL"),
        Alert::StillFailing => format!("{product}: backups of {name} still FAIL"),
        Alert::Recovered => format!("{product}: backups of {name} are in order again"),
    };
    let message = Message {
        events: vec![Event::Backup],
        environment: name.clone(),
        title: format!("{title}; what runs there was not changed"),
        reason: problems.first().map(|problem| problem.text.clone()),
        log: problems.iter().skip(1).map(|problem| problem.text.clone()).collect(),
        next: vec![format!("gate backup status --env {name}")],
        ..Message::test(product, format!("backup-{name}-{now}"), clock::now())
    };
    let about = problems.iter().map(|problem| problem.about.clone()).collect();
    let text = serde_json::to_vec(&Alerted { at: now, about }).unwrap_or_default();
    if notices::put(config, environment, &message) {
        let written = files::private_dir(&folder).and_then(|()| files::write_whole(&file, &text));
        let _ = written.map_err(|error| print_message(&format!("cannot write {}: {error}", file.display())));
    }
}

/// Sends an alert where one is due. One that a receiver did not take is sent again at the next tick; that never changes how
/// the schedule ends.
pub(super) async fn send(config: &Config, environment: &Environment, problems: &[Problem]) {
    note(config, environment, problems);
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
    let sent = notify::notify(&Runner::default(), config, &message, (&folder.join(MESSAGE), None)).await;
    failures.extend(sent.iter().map(|error| with_causes(error)));
    if failures.is_empty() {
        let about = problems.iter().map(|problem| problem.about.clone()).collect();
        let text = serde_json::to_vec(&Alerted { at: now, about }).unwrap_or_default();
        failures
            .extend(files::write_whole(&file, &text).err().map(|e| format!("cannot write {}: {e}", file.display())));
    }
    if !failures.is_empty() {
        print_message(&format!("{}: the alert was not sent: {}", environment.name, failures.join("; ")));
    }
}
