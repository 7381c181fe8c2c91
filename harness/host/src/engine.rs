//! The Docker Engine: containers and images as facts.
//!
//! Compose is run as a program (see `process`); what became of it is asked here, since its exit codes are no verdict.

mod counters;
mod images;
mod retired;
mod volumes;

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use bollard::{
    Docker,
    errors::Error as BollardError,
    models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as Status, HealthStatusEnum, PortMap},
    query_parameters::{
        InspectContainerOptions, ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListVolumesOptionsBuilder,
        LogsOptions, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StatsOptionsBuilder,
    },
};
use futures_util::{StreamExt, future::try_join_all};
use serde_json::Value;
use stagegate_base::{
    compose::SEALED_NETWORK,
    container::{Container, Counters, Health, RETIRED, State},
};

pub use images::Image;
pub use volumes::{RunningMount, VolumeFacts};

/// Label by which Compose marks what belongs to a project.
pub const PROJECT_LABEL: &str = "com.docker.compose.project";
const SERVICE_LABEL: &str = "com.docker.compose.service";
/// The network of a service with `network_mode: host`.
const HOST_NETWORK: &str = "host";
const ONE_OFF_LABEL: &str = "com.docker.compose.oneoff";

/// What the Engine refused, or that it is not there.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No response at all.
    #[error(
        "cannot reach Docker Engine; start it (`systemctl start docker`) and check that this user may use it \
         (`docker version`, group `docker`)"
    )]
    Unreachable(#[source] BollardError),
    /// A request failed.
    #[error("Docker Engine refused to {what}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its response.
        #[source]
        source: BollardError,
    },
}

/// A connection to the Engine.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
}

impl Engine {
    /// Connects to the Engine that DOCKER_HOST or the usual socket names, and asks it for its API version.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] where nothing responds.
    pub async fn connect() -> Result<Self, EngineError> {
        let docker = Docker::connect_with_defaults().map_err(EngineError::Unreachable)?;
        let docker = docker.negotiate_version().await.map_err(EngineError::Unreachable)?;
        Ok(Engine { docker })
    }

    /// Returns all containers of a compose project, ended ones included, ordered by name; those that a run has replaced
    /// and still keeps are left out ([`Engine::retired`]).
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn project(&self, project: &str) -> Result<Vec<Container>, EngineError> {
        let mut containers = self.labelled(&format!("{PROJECT_LABEL}={project}")).await?;
        containers.retain(|container| !container.is_retired());
        Ok(containers)
    }

    /// Returns all containers that carry `label` (`key` or `key=value`), ordered by name.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn labelled(&self, label: &str) -> Result<Vec<Container>, EngineError> {
        let ids = self.ids(label).await?;
        let mut containers: Vec<Container> =
            try_join_all(ids.iter().map(|id| self.inspect(id))).await?.into_iter().flatten().collect();
        share_networks(&mut containers);
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }

    async fn ids(&self, label: &str) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.docker.list_containers(Some(options)).await.map_err(refused("list containers"))?;
        Ok(listed.into_iter().filter_map(|c| c.id).collect())
    }

    /// Returns all that the Engine tells of a compose project's containers, as `docker inspect` prints it.
    ///
    /// Those that a run has replaced are left out. The values of variables are in it: hand it to where they are not printed.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn project_details(&self, project: &str) -> Result<Vec<Value>, EngineError> {
        let mut details = Vec::new();
        for id in self.ids(&format!("{PROJECT_LABEL}={project}")).await? {
            match self.docker.inspect_container(&id, None::<InspectContainerOptions>).await {
                Ok(response) => details.push(serde_json::to_value(response).unwrap_or_default()),
                Err(error) if is_missing(&error) => {}
                Err(source) => return Err(refused("inspect a container")(source)),
            }
        }
        details.retain(|container| !container["Name"].as_str().is_some_and(|name| name.ends_with(RETIRED)));
        details.sort_by_key(|container| container["Name"].to_string());
        Ok(details)
    }

    /// Returns all that the Engine tells of an image, `None` where this host does not have it.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn image_details(&self, reference: &str) -> Result<Option<Value>, EngineError> {
        match self.docker.inspect_image(reference).await {
            Ok(image) => Ok(serde_json::to_value(image).ok()),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(refused(&format!("inspect image {reference}"))(source)),
        }
    }

    /// Returns one container, `None` where it is gone.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn inspect(&self, id: &str) -> Result<Option<Container>, EngineError> {
        match self.docker.inspect_container(id, None::<InspectContainerOptions>).await {
            Ok(response) => Ok(Some(container(response))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(refused("inspect a container")(source)),
        }
    }

    /// Returns the id of an image, `None` where this host does not have it.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn image(&self, reference: &str) -> Result<Option<String>, EngineError> {
        match self.docker.inspect_image(reference).await {
            Ok(image) => Ok(image.id),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(refused(&format!("inspect image {reference}"))(source)),
        }
    }

    /// Returns all names (`repository:tag`) that images of this host have in a repository.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn image_names(&self, repository: &str) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("reference", vec![repository.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self.docker.list_images(Some(options)).await.map_err(refused("list images"))?;
        let prefix = format!("{repository}:");
        let names = listed.into_iter().flat_map(|image| image.repo_tags);
        let mut names: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
        names.sort();
        Ok(names)
    }

    /// Returns the names of the volumes that Compose made for a project.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn volumes_of(&self, project: &str) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("label", vec![format!("{PROJECT_LABEL}={project}")])]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = self.docker.list_volumes(Some(options)).await.map_err(refused("list volumes"))?;
        Ok(listed.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect())
    }

    /// Returns whether a volume exists.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn has_volume(&self, name: &str) -> Result<bool, EngineError> {
        match self.docker.inspect_volume(name).await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(source) => Err(refused("inspect a volume")(source)),
        }
    }

    /// Removes a container, by id or name, by force; that it is gone already is fine.
    ///
    /// Its anonymous volumes are kept: a container that Compose was replacing may hold the only ones with data.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.remove_and(id, false).await
    }

    /// Removes the container of a name that `docker compose run` made in one of `projects`; that it is gone already is
    /// fine. Another container of that name is somebody else's, and stays.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn remove_one_off(&self, name: &str, projects: &[&str]) -> Result<(), EngineError> {
        let Some(found) = self.inspect(name).await? else { return Ok(()) };
        let project = found.labels.get(PROJECT_LABEL).map(String::as_str);
        let is_ours = found.one_off && project.is_some_and(|project| projects.contains(&project));
        if is_ours { self.remove(&found.id).await } else { Ok(()) }
    }

    /// Removes a container with its anonymous volumes, by id or name, by force; that it is gone already is fine.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn remove_with_volumes(&self, id: &str) -> Result<(), EngineError> {
        self.remove_and(id, true).await
    }

    async fn remove_and(&self, id: &str, volumes: bool) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(volumes).build();
        match self.docker.remove_container(id, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(source) => Err(refused("remove a container")(source)),
        }
    }

    /// Returns the last `lines` log lines of a container, standard output and error together.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn last_logs(&self, id: &str, lines: u32) -> Result<String, EngineError> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        self.log(id, options).await
    }

    /// Returns the log of a container since `start` (RFC 3339; the second that it lies in included), its last
    /// `lines` at most.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn logs_since(&self, id: &str, start: &str, lines: u32) -> Result<String, EngineError> {
        // A container that was never started has the year 1 here, which stands for all of its log.
        let since = start.parse::<jiff::Timestamp>().map_or(0, |at| at.as_second().clamp(0, i64::from(i32::MAX)));
        let since = i32::try_from(since).unwrap_or_default();
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).since(since).tail(&lines.to_string()).build();
        self.log(id, options).await
    }

    /// Hands the lines of a container's log from one moment to another (seconds since 1970) to `note`, each with its own; the last
    /// `lines` of them at most.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer, or the log driver keeps nothing.
    pub async fn each_log_line(
        &self,
        id: &str,
        (from, to): (i64, i64),
        lines: u32,
        mut note: impl FnMut(i64, &str),
    ) -> Result<(), EngineError> {
        let second = |at: i64| i32::try_from(at.clamp(0, i64::from(i32::MAX))).unwrap_or_default();
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true);
        let options = options.since(second(from)).until(second(to.saturating_add(1))).tail(&lines.to_string()).build();
        let mut stream = self.docker.logs(id, Some(options));
        while let Some(chunk) = stream.next().await {
            let bytes = chunk.map_err(refused("read logs"))?.into_bytes();
            for line in String::from_utf8_lossy(&bytes).lines() {
                let stamped =
                    line.split_once(' ').and_then(|(at, text)| Some((at.parse::<jiff::Timestamp>().ok()?, text)));
                if let Some((at, text)) = stamped {
                    note(at.as_second(), text);
                }
            }
        }
        Ok(())
    }

    async fn log(&self, id: &str, options: LogsOptions) -> Result<String, EngineError> {
        let mut stream = self.docker.logs(id, Some(options));
        let mut text = String::new();
        while let Some(chunk) = stream.next().await {
            text.push_str(&String::from_utf8_lossy(&chunk.map_err(refused("read logs"))?.into_bytes()));
        }
        Ok(text)
    }

    /// Returns the counters of one container, `None` where it is gone; service and moment are left for the caller.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn counters(&self, id: &str) -> Result<Option<Counters>, EngineError> {
        // One shot: the Engine would else wait a second to tell the use since the look before.
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        match self.docker.stats(id, Some(options)).next().await {
            None => Ok(None),
            Some(Ok(stats)) => Ok(Some(counters::snapshot(stats))),
            Some(Err(error)) if is_missing(&error) => Ok(None),
            Some(Err(source)) => Err(refused("report a container's resource usage")(source)),
        }
    }

    /// Returns the folder in which the Engine keeps images and volumes, and its version.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn about(&self) -> Result<(String, String), EngineError> {
        let info = self.docker.info().await.map_err(refused("report its version"))?;
        Ok((info.docker_root_dir.unwrap_or_default(), info.server_version.unwrap_or_default()))
    }

    /// Returns what the Engine's clock shows, in seconds since 1970; `None` where it does not respond.
    pub async fn time(&self) -> Option<i64> {
        crate::clock::unix_seconds_of(&self.docker.info().await.ok()?.system_time?)
    }
}

/// Gives a container that is in the network of another one (`network_mode: service:..`) that one's addresses.
fn share_networks(containers: &mut [Container]) {
    let owners: BTreeMap<String, Container> = containers.iter().map(|c| (c.id.clone(), c.clone())).collect();
    for container in containers {
        let owner = container.network_of.as_ref().and_then(|id| owners.get(id));
        if let Some(owner) = owner {
            container.addresses.clone_from(&owner.addresses);
            container.published.clone_from(&owner.published);
        }
    }
}

fn refused(what: &str) -> impl FnOnce(BollardError) -> EngineError {
    let what = what.to_owned();
    move |source| EngineError::Refused { what, source }
}

fn is_missing(error: &BollardError) -> bool {
    matches!(error, BollardError::DockerResponseServerError { status_code: 404, .. })
}

fn container(response: ContainerInspectResponse) -> Container {
    let state = response.state.unwrap_or_default();
    let labels: BTreeMap<String, String> =
        response.config.and_then(|c| c.labels).unwrap_or_default().into_iter().collect();
    let mode = response.host_config.and_then(|config| config.network_mode).unwrap_or_default();
    let network = response.network_settings.unwrap_or_default();
    let networks = network.networks.unwrap_or_default();
    // In the host's network a container listens at the host's own addresses.
    let host = networks.contains_key(HOST_NETWORK).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut addresses: Vec<IpAddr> = networks
        .into_iter()
        // On that network of a copy the host has no address: nothing there can be reached from here.
        .filter(|(network, _)| !network.ends_with(SEALED_NETWORK))
        .filter_map(|(_, endpoint)| endpoint.ip_address?.parse().ok())
        .chain(host)
        .collect();
    addresses.sort();
    let (health, health_output) = health(&state);
    Container {
        id: response.id.unwrap_or_default(),
        name: response.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        service: labels.get(SERVICE_LABEL).cloned().unwrap_or_default(),
        one_off: labels.get(ONE_OFF_LABEL).is_some_and(|v| v == "True"),
        image: response.image.unwrap_or_default(),
        state: state_of(state.status),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        restarts: response.restart_count.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        health,
        health_output,
        labels,
        addresses,
        published: published(network.ports.unwrap_or_default()),
        network_of: mode.strip_prefix("container:").map(str::to_owned),
    }
}

fn state_of(status: Option<Status>) -> State {
    match status {
        Some(Status::RUNNING) => State::Running,
        Some(Status::PAUSED) => State::Paused,
        Some(Status::RESTARTING) => State::Restarting,
        Some(Status::REMOVING) => State::Removing,
        Some(Status::EXITED) => State::Exited,
        Some(Status::DEAD) => State::Dead,
        _ => State::Created,
    }
}

fn health(state: &ContainerState) -> (Health, String) {
    let Some(health) = &state.health else { return (Health::None, String::new()) };
    let output = health.log.iter().flatten().next_back().and_then(|last| last.output.clone()).unwrap_or_default();
    let status = match health.status {
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        _ => Health::None,
    };
    (status, output.trim().chars().take(400).collect())
}

fn published(ports: PortMap) -> BTreeMap<u16, Vec<SocketAddr>> {
    let mut published: BTreeMap<u16, Vec<SocketAddr>> = BTreeMap::new();
    for (port, bindings) in ports {
        let Some(port) = port.strip_suffix("/tcp").and_then(|p| p.parse().ok()) else { continue };
        for binding in bindings.into_iter().flatten() {
            let Some(host_port) = binding.host_port.and_then(|p| p.parse().ok()) else { continue };
            let ip = binding.host_ip.and_then(|ip| ip.parse().ok()).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            // "Any address" is reached from this host through the loopback.
            let ip = if ip.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { ip };
            published.entry(port).or_default().push(SocketAddr::new(ip, host_port));
        }
    }
    for addresses in published.values_mut() {
        addresses.sort();
        addresses.dedup();
    }
    published
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_in_the_hosts_network_is_reached_at_the_host_and_its_guest_too() {
        let response = serde_json::json!({
            "Id": "1", "Name": "/shop-web-1", "HostConfig": {"NetworkMode": "host"},
            "NetworkSettings": {"Networks": {"host": {"IPAddress": ""}}},
        });
        let guest = serde_json::json!({"Id": "2", "HostConfig": {"NetworkMode": "container:1"}});
        let [web, guest] = [response, guest].map(|json| container(serde_json::from_value(json).unwrap()));
        let mut both = [web, guest];
        share_networks(&mut both);
        for one in both {
            assert_eq!(one.reach(8080), ["127.0.0.1:8080".parse().unwrap()], "{}", one.id);
        }
    }
}
