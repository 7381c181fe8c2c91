//! One service in the network of a container, with nothing of its environment within reach.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Model;

/// What a container refuses that is in the network of another one.
const NO_NETWORK: [&str; 9] =
    ["networks", "hostname", "domainname", "mac_address", "links", "dns", "dns_search", "dns_opt", "extra_hosts"];

impl Model {
    /// Returns a model of `service` alone, in the network of `container`: no other network, no volumes, no secrets of
    /// other services, folders and files of the host read-only.
    ///
    /// A service that is only built keeps the image that Compose made of it.
    #[must_use]
    pub fn within(&self, service: &str, container: &str, project: &str) -> Model {
        let built = format!("{}-{service}", self.project());
        let keep = BTreeSet::from([service.to_owned()]);
        let mut model = self
            .reduced(&keep, &BTreeSet::new())
            .isolated(project)
            .sealed(&BTreeSet::new(), &BTreeMap::new())
            .cut_off()
            .changed(|_, service| {
                for key in NO_NETWORK.iter().chain(&["depends_on", "restart", "healthcheck"]).copied() {
                    service.remove(key);
                }
                if service.remove("build").is_some() && !service.contains_key("image") {
                    service.insert("image".to_owned(), json!(built));
                }
                service.insert("pull_policy".to_owned(), json!("never"));
                service.insert("network_mode".to_owned(), json!(format!("container:{container}")));
                if let Some(volumes) = service.get_mut("volumes").and_then(serde_json::Value::as_array_mut) {
                    volumes.retain(|mount| mount["type"] == "bind" || mount["type"] == "tmpfs");
                }
            });
        for kind in ["networks", "volumes"] {
            if let Some(top) = model.0.as_object_mut() {
                top.remove(kind);
            }
        }
        model
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_built_gets_the_image_that_was_deployed() {
        let model =
            Model::parse(r#"{"name":"shop","services":{"migrate":{"build":{"context":"."}},"db":{"image":"pg"}}}"#);
        let model = model.unwrap().with_image("migrate", "sha256:aa").within("migrate", "scratch-1", "aside");
        assert_eq!((model.image("migrate"), model.is_built("migrate")), ("sha256:aa", false));
    }

    #[test]
    fn a_service_stands_alone_in_the_network_of_a_container() {
        let model = Model::parse(
            r#"{"name":"shop","services":{
                "migrate":{"build":{"context":"."},"networks":{"back":null},"depends_on":{"db":{"condition":"x"}},
                    "restart":"always","environment":{"A":"b"},
                    "volumes":[{"type":"bind","source":"/srv","target":"/m"},{"type":"volume","source":"data","target":"/d"}]},
                "db":{"image":"pg"}},
                "networks":{"back":{}},"volumes":{"data":{}}}"#,
        )
        .unwrap();
        let alone = model.within("migrate", "scratch-1", "aside");
        assert_eq!((alone.project(), alone.services()), ("aside", vec!["migrate".to_owned()]));
        let service = alone.service("migrate");
        assert_eq!(service["image"], "shop-migrate");
        assert_eq!(service["network_mode"], "container:scratch-1");
        assert_eq!(service["environment"]["A"], "b");
        assert_eq!(service["volumes"].as_array().unwrap().len(), 1);
        assert_eq!(service["volumes"][0]["read_only"], true);
        assert!(service.get("networks").is_none() && service.get("depends_on").is_none());
        assert!(alone.0.get("networks").is_none() && alone.0.get("volumes").is_none());
    }
}
