//! What is known of one environment.

use std::collections::BTreeMap;

use crate::verdict::Verdict;
use stagegate_base::{
    record::Record,
    redact::{Secret, names_a_secret},
    release::Release,
};
use stagegate_contract::Files;
use stagegate_migration_decide::schema::Facts;

/// One environment, as far as it could be read.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Its name.
    pub environment: String,
    /// The release that the gate deployed; `None` where something else did.
    pub release: Option<Release>,
    /// Its services, by name.
    pub services: BTreeMap<String, ServiceSide>,
    /// Variables of its env files.
    pub variables: BTreeMap<String, Secret>,
    /// Schemas by the user's name for the database; the reason where one could not be read.
    pub schemas: BTreeMap<String, Result<Facts, String>>,
    /// Contracts by service; the reason where one could not be read.
    pub contracts: BTreeMap<String, Result<Files, String>>,
    /// Times of responses, by probe.
    pub times: BTreeMap<String, Result<Times, String>>,
    /// What the suites recorded; empty where they were not run.
    pub records: Vec<Record>,
    /// What the suites' records mean.
    pub verdict: Option<Verdict>,
}

impl Side {
    /// Returns the values of all variables whose names say that they hold a secret.
    pub(super) fn secrets(&self) -> impl Iterator<Item = Secret> {
        let services = self.services.values().flat_map(|service| &service.variables);
        let all = self.variables.iter().chain(services);
        all.filter(|(key, _)| names_a_secret(key)).map(|(_, value)| value.clone())
    }
}

/// A service of one environment.
#[derive(Clone, Debug, Default)]
pub struct ServiceSide {
    /// Image id of its container; `None` where none runs.
    pub image: Option<String>,
    /// The commit that its image states it was built from.
    pub commit: Option<String>,
    /// What its version endpoint answers; the reason where it does not.
    pub version: Option<Result<String, String>>,
    /// The variables that its container is given.
    pub variables: BTreeMap<String, Secret>,
    /// CPU in percent of one core.
    pub cpu_percent: Option<f64>,
    /// Memory in bytes, caches left out.
    pub memory_bytes: Option<u64>,
}

/// Times of responses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// How many responses.
    pub count: usize,
    /// Median in milliseconds.
    pub p50_ms: f64,
    /// 95th percentile in milliseconds.
    pub p95_ms: f64,
}

impl Times {
    /// Sums up durations in milliseconds, nearest rank; `None` where there are none.
    #[must_use]
    pub fn of(mut durations_ms: Vec<f64>) -> Option<Self> {
        durations_ms.sort_by(f64::total_cmp);
        let count = durations_ms.len();
        let rank = |percent: usize| durations_ms.get((count * percent).div_ceil(100).max(1) - 1).copied();
        Some(Times { count, p50_ms: rank(50)?, p95_ms: rank(95)? })
    }
}
