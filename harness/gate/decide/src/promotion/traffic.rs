//! How requests were moved between the containers of two releases, and back.

use serde::{Deserialize, Serialize};

use super::Checks;

/// How requests were moved to the new containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedTraffic {
    /// The services.
    pub services: Vec<String>,
    /// How long it took until the proxy found the new containers up, in milliseconds.
    pub ready_ms: u64,
    /// How long requests to the earlier containers took to end, in milliseconds.
    pub drained_ms: u64,
    /// Connections to the earlier containers that had not ended in time.
    #[serde(default)]
    pub cut: u64,
    /// What was found of each service whose requests were moved in steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canary: Vec<String>,
    /// The checks while the new containers had the requests.
    #[serde(default)]
    pub checks: Checks,
}

/// How requests were moved back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficBack {
    /// The services.
    pub services: Vec<String>,
    /// How long the move took, in milliseconds.
    pub moved_ms: u64,
    /// Connections to the new containers that had not ended in time.
    #[serde(default)]
    pub cut: u64,
}
