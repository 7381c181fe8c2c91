//! How the containers of a new release take the place of the live ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{EPHEMERAL, Kind, Service};
use crate::units::Span;

/// The proxy's image by default, a long-term release.
const IMAGE: &str = "haproxy:3.2";
/// How long requests to a replaced container may take by default.
const DRAIN: Span = Span(Duration::from_secs(30));
/// How many requests each container of a canary has to have in a step by default.
const MIN_REQUESTS: u64 = 50;
/// How long a canary may take by default.
const CANARY_WITHIN: Span = Span(Duration::from_secs(300));

/// How one service is replaced in a promotion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Compose stops the container and starts the new one.
    #[default]
    Recreate,
    /// The new container is started next to the live one, and a proxy moves the requests.
    BlueGreen,
    /// The same, and the requests are moved in steps while both containers are compared.
    Canary,
}

/// Which services of an environment are replaced without downtime, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rollout {
    /// The services, each with the container's port at which it speaks HTTP; `None` where no port is known to.
    pub blue_green: BTreeMap<String, Option<u16>>,
    /// Those of them whose requests are moved in steps.
    pub canary: BTreeSet<String>,
    /// How many requests each container of a canary has to have in a step.
    pub min_requests: u64,
    /// How long a canary may take; one that is undecided then is rolled back.
    pub canary_within: Span,
    /// The image of the proxy, which has the program `haproxy`.
    pub image: String,
    /// How long requests to a replaced container may take until it is stopped.
    pub drain: Span,
}

impl Default for Rollout {
    fn default() -> Self {
        Rollout {
            blue_green: BTreeMap::new(),
            canary: BTreeSet::new(),
            min_requests: MIN_REQUESTS,
            canary_within: CANARY_WITHIN,
            image: IMAGE.to_owned(),
            drain: DRAIN,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRollout {
    image: Option<String>,
    drain: Option<Span>,
    min_requests: Option<u64>,
    canary_within: Option<Span>,
}

impl RawRollout {
    /// Reads how the services of an environment are replaced.
    ///
    /// # Errors
    /// Message and hint.
    pub(super) fn read(
        &self,
        environment: &str,
        strategies: &BTreeMap<String, Strategy>,
        services: &BTreeMap<String, Service>,
    ) -> Result<Rollout, (String, String)> {
        let chosen = strategies.iter().filter(|(_, strategy)| **strategy != Strategy::Recreate);
        let http = |name: &String| services.get(name).filter(|service| service.kind == Kind::Http);
        let blue_green: BTreeMap<String, Option<u16>> =
            chosen.map(|(name, _)| (name.clone(), http(name).map(|service| service.port))).collect();
        if environment == EPHEMERAL && !blue_green.is_empty() {
            let message =
                format!("environment `{EPHEMERAL}` publishes no ports, so that nothing can be moved by a proxy");
            return Err((message, "remove its `rollout`".to_owned()));
        }
        let canary = strategies.iter().filter(|(_, strategy)| **strategy == Strategy::Canary);
        let canary: BTreeSet<String> = canary.map(|(name, _)| name.clone()).collect();
        if let Some(name) = canary.iter().find(|name| http(name).is_none()) {
            let message =
                format!("a canary of `{name}` compares HTTP responses, and no [services.{name}] has its port");
            return Err((message, format!("describe it in [services.{name}], or set \"blue-green\"")));
        }
        let default = Rollout::default();
        Ok(Rollout {
            blue_green,
            canary,
            min_requests: self.min_requests.unwrap_or(default.min_requests).max(1),
            canary_within: self.canary_within.unwrap_or(default.canary_within),
            image: self.image.clone().unwrap_or(default.image),
            drain: self.drain.unwrap_or(default.drain),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    fn parsed(more: &str) -> Result<Config, super::super::ConfigError> {
        let text = format!(
            "[project]\nname = \"shop\"\n[services.web]\nport = 80\nhealth = \"/\"\n[services.mail]\nport = 25\n{more}"
        );
        Config::parse(Path::new("/srv/shop/stagegate.toml"), &text)
    }

    #[test]
    fn a_service_is_replaced_by_recreating_it_unless_its_environment_wants_it_blue_green() {
        let config = parsed(
            "[environments.staging]\n[environments.production]\n\
             rollout = { web = \"blue-green\", mail = \"blue-green\", api = \"recreate\" }\n[rollout]\ndrain = \"5s\"\n",
        )
        .unwrap();
        assert_eq!(config.environment("staging").unwrap().rollout.blue_green, BTreeMap::new());
        let rollout = &config.environment("production").unwrap().rollout;
        assert_eq!(rollout.blue_green, BTreeMap::from([("mail".to_owned(), None), ("web".to_owned(), Some(80))]));
        assert_eq!((rollout.image.as_str(), rollout.drain), ("haproxy:3.2", Span(Duration::from_secs(5))));
    }

    #[test]
    fn a_canary_is_replaced_blue_green_in_steps_and_has_to_speak_http() {
        let config = parsed(
            "[environments.production]\nrollout = { web = \"canary\" }\n[rollout]\nmin_requests = 20\ncanary_within = \"2m\"\n",
        );
        let rollout = config.unwrap().environment("production").unwrap().rollout.clone();
        assert_eq!(rollout.blue_green, BTreeMap::from([("web".to_owned(), Some(80))]));
        assert_eq!((rollout.canary.len(), rollout.min_requests), (1, 20));
        let text = parsed("[environments.production]\nrollout = { mail = \"canary\" }\n").unwrap_err().to_string();
        assert!(text.contains("no [services.mail] has its port") || text.contains("[services.mail]"), "{text}");
    }

    #[test]
    fn a_word_that_is_no_strategy_and_an_environment_without_ports_are_refused() {
        let refused = |more: &str| parsed(more).unwrap_err().to_string();
        let text = refused("[environments.production]\nrollout = { web = \"blue\" }\n");
        assert!(text.contains("blue-green") && text.contains("recreate"), "{text}");
        let text = refused("[environments.ephemeral]\nrollout = { web = \"blue-green\" }\n");
        assert!(text.contains("`ephemeral` publishes no ports"), "{text}");
    }
}
