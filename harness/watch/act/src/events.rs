//! What Docker Engine reports of a project's containers as it happens.

use std::{collections::HashMap, time::Duration};

use bollard::{Docker, models::EventMessage, query_parameters::EventsOptionsBuilder};
use futures_util::StreamExt;
use stagegate_host::engine::PROJECT_LABEL;
use tokio::sync::mpsc;

const SERVICE_LABEL: &str = "com.docker.compose.service";
const ONE_OFF_LABEL: &str = "com.docker.compose.oneoff";
/// How long after the end of a connection the next one is tried.
const AGAIN: Duration = Duration::from_secs(2);

/// What happened to a container of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEvent {
    /// The compose service.
    pub service: String,
    /// What happened.
    pub what: Happened,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// What can happen to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The kernel ended a process of it for memory.
    OutOfMemory,
    /// It ended with a code.
    Ended(i64),
}

/// Returns what happens to the containers of a compose project from now on; those of `docker compose run` are left out. An
/// Engine that is gone is connected to again; what happened meanwhile is left to the rounds.
#[must_use]
pub fn follow(project: &str) -> mpsc::Receiver<ContainerEvent> {
    let (sender, receiver) = mpsc::channel(64);
    let filters = HashMap::from([
        ("type", vec!["container".to_owned()]),
        ("event", vec!["die".to_owned(), "oom".to_owned()]),
        ("label", vec![format!("{PROJECT_LABEL}={project}")]),
    ]);
    let options = EventsOptionsBuilder::new().filters(&filters).build();
    tokio::spawn(async move {
        while !sender.is_closed() {
            if let Ok(docker) = Docker::connect_with_defaults() {
                let mut events = docker.events(Some(options.clone()));
                while let Some(Ok(message)) = events.next().await {
                    let Some(event) = container_event(message) else { continue };
                    if sender.send(event).await.is_err() {
                        return;
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
    receiver
}

fn container_event(message: EventMessage) -> Option<ContainerEvent> {
    let attributes = message.actor?.attributes.unwrap_or_default();
    if attributes.get(ONE_OFF_LABEL).is_some_and(|value| value == "True") {
        return None;
    }
    let what = match message.action.as_deref()? {
        "oom" => Happened::OutOfMemory,
        "die" => Happened::Ended(attributes.get("exitCode").and_then(|code| code.parse().ok()).unwrap_or(-1)),
        _ => return None,
    };
    let service = attributes.get(SERVICE_LABEL)?.clone();
    Some(ContainerEvent { service, what, at: message.time.unwrap_or_default() })
}
