//! Decides which services run once and end: the one definition, for every part that meets an exited container.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    compose::Model,
    config::{Config, Environment},
    container::{Container, Health, State},
};

/// How long services have to become ready where nobody states otherwise, their start periods not counted.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a service's process is meant to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is stopped; that it ended is a fault.
    LongRunning,
    /// It may end: one that ended with code 0 has done its work, one that runs is fine too.
    MayEnd,
    /// Once: it is waited for until it has ended with code 0.
    OneShot,
}

impl Lifetime {
    /// Returns what configuration and compose files say of `service`, the clearest word first: `one_shot` of
    /// `[services]`, `migrations` of `[databases]`, a service that waits for its completion, its restart policy.
    ///
    /// A restart policy counts only where nobody is served: no published port, no healthcheck, no check configured.
    #[must_use]
    pub fn of(config: &Config, model: &Model, service: &str) -> Self {
        match config.one_shot.get(service) {
            Some(true) => return Lifetime::OneShot,
            Some(false) => return Lifetime::LongRunning,
            None => {}
        }
        if config.databases.values().any(|database| database.migrations.as_deref() == Some(service)) {
            return Lifetime::OneShot;
        }
        let is_checked = config.services.contains_key(service)
            || config.databases.values().any(|database| database.service == service);
        match Self::of_model(model, service) {
            Lifetime::MayEnd if is_checked => Lifetime::LongRunning,
            lifetime => lifetime,
        }
    }

    /// Returns the same as far as the compose files alone say it.
    #[must_use]
    pub fn of_model(model: &Model, service: &str) -> Self {
        if model.is_awaited(service) {
            Lifetime::OneShot
        } else if model.may_end(service) && !model.publishes(service) && !model.has_healthcheck(service) {
            Lifetime::MayEnd
        } else {
            Lifetime::LongRunning
        }
    }

    /// Returns whether a container of such a service has done its work.
    #[must_use]
    pub fn is_over(self, container: &Container) -> bool {
        let ended = container.state == State::Exited && container.exit_code == 0 && !container.oom_killed;
        match self {
            Lifetime::LongRunning => false,
            // With a healthcheck of its image it serves somebody.
            Lifetime::MayEnd => ended && container.health == Health::None,
            Lifetime::OneShot => ended,
        }
    }
}

/// Returns the services of a model that run once.
#[must_use]
pub fn one_shots(config: &Config, model: &Model) -> BTreeSet<String> {
    let is_one_shot = |service: &String| Lifetime::of(config, model, service) == Lifetime::OneShot;
    model.services().into_iter().filter(is_one_shot).collect()
}

/// Returns how long the services of a model may take to become ready: `ready_within`, else 60 s and the longest
/// `start_period` of their healthchecks.
#[must_use]
pub fn time_to_start(environment: &Environment, model: &Model) -> Duration {
    let longest = || model.services().iter().map(|service| model.start_period(service)).max().unwrap_or_default();
    environment.ready_within.map_or_else(|| READY_WITHIN.saturating_add(longest()), |span| span.0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::*;
    use Lifetime::{LongRunning, MayEnd, OneShot};

    const SERVICES: &str = r#"{"services":{
        "web":{"ports":[{"target":80}],"restart":"no","depends_on":{"seed":{"condition":"service_completed_successfully"}}},
        "seed":{"image":"x"}, "migrate":{"image":"x"}, "worker":{"image":"x","restart":"always"},
        "buckets":{"restart":"no"}, "checked":{"restart":"no"}, "tested":{"restart":"no","healthcheck":{"test":["CMD","x"]}},
        "quiet":{"image":"x"}, "by-word":{"restart":"always"}, "kept":{"restart":"no"},
        "slow":{"healthcheck":{"test":["CMD","x"],"start_period":"10m0s"}}}}"#;

    fn config(more: &str) -> Config {
        let text = format!(
            "[project]\nname = \"shop\"\n[services.checked]\nport = 1\n[services.by-word]\none_shot = true\n\
             [services.kept]\nport = 1\none_shot = false\n[databases.main]\nservice = \"db\"\nname = \"shop\"\n\
             migrations = \"migrate\"\n{more}"
        );
        Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap()
    }

    #[rstest]
    #[case::awaited("seed", OneShot)]
    #[case::migrations("migrate", OneShot)]
    #[case::says_so("by-word", OneShot)]
    #[case::restart_no("buckets", MayEnd)]
    #[case::publishes("web", LongRunning)]
    #[case::has_a_check("checked", LongRunning)]
    #[case::has_a_healthcheck("tested", LongRunning)]
    #[case::restarts("worker", LongRunning)]
    #[case::says_nothing("quiet", LongRunning)]
    #[case::says_it_lasts("kept", LongRunning)]
    fn each_sign_of_a_one_shot_counts(#[case] service: &str, #[case] want: Lifetime) {
        assert_eq!(Lifetime::of(&config(""), &Model::parse(SERVICES).unwrap(), service), want);
    }

    #[rstest]
    #[case::default("", 660)]
    #[case::said("[environments.staging]\nready_within = \"20s\"\n", 20)]
    fn a_start_period_is_granted_unless_somebody_states_how_long(#[case] more: &str, #[case] seconds: u64) {
        let config = config(more);
        let name = if more.is_empty() { "ephemeral" } else { "staging" };
        let environment = config.environment(name).unwrap();
        assert_eq!(time_to_start(environment, &Model::parse(SERVICES).unwrap()), Duration::from_secs(seconds));
    }
}
