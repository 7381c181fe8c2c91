//! A container as the Engine describes it: facts, no judgement.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// Ending of the name of a container that was replaced, and is kept until the release is verified.
pub const RETIRED: &str = ".retired";

/// What a container does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Made, never started.
    Created,
    /// Its process runs.
    Running,
    /// Frozen.
    Paused,
    /// Ended, and waits to be started again by its restart policy.
    Restarting,
    /// Being taken away.
    Removing,
    /// Ended.
    Exited,
    /// Could not be taken away.
    Dead,
}

/// What the container's own healthcheck states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// There is no healthcheck.
    None,
    /// Not yet decided.
    Starting,
    /// The last checks passed.
    Healthy,
    /// The last checks failed.
    Unhealthy,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Engine id, 64 hex digits.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// Compose service; empty where Compose did not make it.
    pub service: String,
    /// Made by `docker compose run`, so not one of the service's own.
    pub one_off: bool,
    /// Image id, `sha256:` and 64 hex digits.
    pub image: String,
    /// What it does now.
    pub state: State,
    /// Exit code of the last process.
    pub exit_code: i64,
    /// The kernel ended it for memory.
    pub oom_killed: bool,
    /// How often its restart policy started it again.
    pub restarts: i64,
    /// When its process was started, as the Engine writes it.
    pub started_at: String,
    /// Its own healthcheck.
    pub health: Health,
    /// Output of the last healthcheck, at most 400 characters.
    pub health_output: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Addresses on its networks.
    pub addresses: Vec<std::net::IpAddr>,
    /// Host addresses by container port (TCP).
    pub published: BTreeMap<u16, Vec<SocketAddr>>,
    /// The container whose network it is in, where it has none of its own.
    #[serde(default)]
    pub network_of: Option<String>,
}

impl Container {
    /// Returns whether it was replaced, and is kept until the release is verified.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.name.ends_with(RETIRED)
    }

    /// Returns the addresses at which `port` of the container may be reached, the best one first: published on the
    /// host, else on a network of the container.
    #[must_use]
    pub fn reach(&self, port: u16) -> Vec<SocketAddr> {
        let published = self.published.get(&port).into_iter().flatten().copied();
        let direct = self.addresses.iter().map(|ip| SocketAddr::new(*ip, port));
        published.chain(direct).collect()
    }
}

/// Counters of one container at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Engine id of the container.
    pub id: String,
    /// Its compose service.
    pub service: String,
    /// When it was taken, in milliseconds from the first one; the same for all containers that were asked together.
    pub at_ms: u64,
    /// Processor time since its start, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory that it holds, in bytes, without the file cache that the kernel may roll back.
    pub memory: u64,
    /// Its memory limit in bytes; `None` where it has none.
    pub memory_limit: Option<u64>,
    /// Bytes read from block devices since its start.
    pub read: u64,
    /// Bytes written to block devices since its start.
    pub written: u64,
    /// Bytes received on its networks since its start.
    pub received: u64,
    /// Bytes sent on its networks since its start.
    pub sent: u64,
    /// Processes and threads.
    pub processes: u64,
}
