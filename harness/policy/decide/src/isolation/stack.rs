//! An environment as it stands: what its files want and what its containers have.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

use crate::rules::{Mount, Port, Running, Subject};
use stagegate_base::{compose::Model, text::counted};

/// An environment, as far as this machine knows it.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The environment's name.
    pub environment: String,
    /// Its compose project.
    pub project: String,
    /// Its resolved files; `None` where they are not here.
    pub model: Option<Model>,
    /// Its containers on this machine.
    pub containers: Vec<Contained>,
}

/// A container of an environment.
#[derive(Clone, Debug)]
pub struct Contained {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The service that it belongs to.
    pub service: String,
    /// Its process runs.
    pub is_running: bool,
    /// Networks that it is in, by name.
    pub networks: BTreeMap<String, Endpoint>,
    subject: Subject,
}

/// A container's end of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The container's address.
    pub address: Option<IpAddr>,
    /// The host's address in this network.
    pub gateway: Option<IpAddr>,
}

impl Contained {
    /// Reads the response of `docker container inspect`.
    #[must_use]
    pub fn of_inspect(container: &Value) -> Self {
        let Running { name, subject, .. } = Running::of_inspect(container);
        let ip = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let networks = container["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
        let networks = networks.filter(|(name, _)| !matches!(name.as_str(), "host" | "none"));
        let end = |end: &Value| Endpoint { address: ip(&end["IPAddress"]), gateway: ip(&end["Gateway"]) };
        Contained {
            name,
            id: container["Id"].as_str().unwrap_or_default().to_owned(),
            service: subject.service.clone(),
            is_running: container["State"]["Running"] == true,
            networks: networks.map(|(name, value)| (name.clone(), end(value))).collect(),
            subject,
        }
    }
}

/// Something that a service of an environment has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned<T> {
    /// The service, or the container where no file states so.
    pub(super) by: String,
    pub(super) what: T,
}

impl Stack {
    /// Returns whether one of its containers runs here.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.containers.iter().any(|container| container.is_running)
    }

    /// States what of the environment was looked at.
    #[must_use]
    pub fn examined_text(&self) -> String {
        let containers = self.containers.len();
        match (&self.model, containers) {
            (None, 0) => format!("nothing of `{}` is on this machine", self.environment),
            (None, n) => {
                format!("{} of `{}`; its files are not on this machine", counted(n, "container"), self.environment)
            }
            (Some(_), 0) => format!("the files of `{}`; it does not run on this machine", self.environment),
            (Some(_), n) => format!("the files and {} of `{}`", counted(n, "container"), self.environment),
        }
    }

    pub(super) fn mounts(&self) -> Vec<Owned<Mount>> {
        self.each(|subject| subject.mounts.clone())
    }

    pub(super) fn ports(&self) -> Vec<Owned<Port>> {
        self.each(|subject| subject.ports.clone())
    }

    fn each<T: PartialEq>(&self, of: impl Fn(&Subject) -> Vec<T>) -> Vec<Owned<T>> {
        let mut all: Vec<Owned<T>> = Vec::new();
        if let Some(model) = &self.model {
            for name in model.services() {
                let subject = Subject::of_service(model, &name, None);
                all.extend(of(&subject).into_iter().map(|what| Owned { by: name.clone(), what }));
            }
        }
        for container in &self.containers {
            for what in of(&container.subject) {
                let is_told = all.iter().any(|held| held.by == container.service && held.what == what);
                if !is_told {
                    all.push(Owned { by: container.name.clone(), what });
                }
            }
        }
        all
    }

    /// Returns the networks of services and containers, by the name that the Engine knows them by.
    pub(super) fn networks(&self) -> Vec<Owned<String>> {
        let mut all: Vec<Owned<String>> = Vec::new();
        if let Some(model) = &self.model {
            for by in model.services() {
                all.extend(model.networks(&by).into_iter().map(|what| Owned { by: by.clone(), what }));
            }
        }
        for container in &self.containers {
            for what in container.networks.keys() {
                if !all.iter().any(|held| held.by == container.service && held.what == *what) {
                    all.push(Owned { by: container.name.clone(), what: what.clone() });
                }
            }
        }
        all
    }
}

/// Returns what both hold, each thing once, with who holds it.
pub(super) fn shared<T>(
    own: &[Owned<T>],
    other: &[Owned<T>],
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(Owned<T>, Owned<T>)>
where
    T: Clone + PartialEq,
{
    let mut found: Vec<(Owned<T>, Owned<T>)> = Vec::new();
    for mine in own {
        let theirs = other.iter().find(|theirs| same(&mine.what, &theirs.what));
        if let Some(theirs) = theirs.filter(|_| !found.iter().any(|(reported, _)| reported.what == mine.what)) {
            found.push((mine.clone(), theirs.clone()));
        }
    }
    found
}

#[cfg(test)]
pub(super) fn stack(environment: &str, services: Value) -> Stack {
    let text = services.to_string();
    Stack {
        environment: environment.to_owned(),
        project: format!("shop-{environment}"),
        model: Some(Model::parse(&text).unwrap()),
        containers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_read_as_the_engine_reports_it() {
        let read = Contained::of_inspect(&json!({
            "Id": "abc", "Name": "/shop-staging-db-1", "State": { "Running": true },
            "Config": { "Labels": { "com.docker.compose.service": "db" } },
            "NetworkSettings": { "Networks": {
                "shop-staging_back": { "IPAddress": "172.20.0.2", "Gateway": "172.20.0.1" }, "host": {} } },
        }));
        assert_eq!((read.name.as_str(), read.service.as_str(), read.is_running), ("shop-staging-db-1", "db", true));
        let end = read.networks["shop-staging_back"];
        assert_eq!(end.address, "172.20.0.2".parse().ok());
        assert_eq!(end.gateway, "172.20.0.1".parse().ok());
        assert_eq!(read.networks.len(), 1);
    }
}
