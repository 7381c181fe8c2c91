//! What the configuration has that steps may name.

use std::collections::BTreeSet;

use stagegate_base::config::{Config, Kind};

/// What the configuration has that steps may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Services that answer HTTP, or may.
    pub services: BTreeSet<String>,
    /// Services of the kind redis.
    pub caches: BTreeSet<String>,
    /// Databases.
    pub databases: BTreeSet<String>,
}

impl Known {
    /// Returns what a configuration has.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let named = |wanted: fn(Kind) -> bool| {
            config.services.values().filter(|s| wanted(s.kind)).map(|s| s.name.clone()).collect()
        };
        Known {
            services: named(|kind| matches!(kind, Kind::Http | Kind::Tcp)),
            caches: named(|kind| kind == Kind::Redis),
            databases: config.databases.keys().cloned().collect(),
        }
    }
}
