//! A release's services next to the database server of a rehearsal, with no way out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Model;

impl Model {
    /// Returns this release's services next to the servers of a `rehearsal`, which stay as they are there.
    ///
    /// The services are enclosed with the servers, and those in `asked` can be reached; those in `left_out`, and those
    /// with a profile, are not started and nobody waits for them.
    #[must_use]
    pub fn attached_to_rehearsal(
        &self,
        rehearsal: &Model,
        servers: &BTreeSet<String>,
        left_out: &BTreeSet<String>,
        requested: &BTreeSet<String>,
    ) -> Model {
        let absent: BTreeSet<String> = self
            .services()
            .into_iter()
            .filter(|name| left_out.contains(name) || (self.has_profile(name) && !servers.contains(name)))
            .collect();
        let mut model = self.enclosed(rehearsal.project(), requested).changed(|_, service| {
            if let Some(depends) = service.get_mut("depends_on").and_then(Value::as_object_mut) {
                depends.retain(|other, _| !absent.contains(other));
            }
        });
        let theirs = |kind: &str| rehearsal.0[kind].as_object().cloned().unwrap_or_default();
        let (from, volumes) = (theirs("services"), theirs("volumes"));
        if let Some(services) = model.0["services"].as_object_mut() {
            services.retain(|name, _| !absent.contains(name));
            services.extend(from.into_iter().filter(|(name, _)| servers.contains(name)));
        }
        model.0["networks"] = Value::Object(theirs("networks"));
        let own = model.0["volumes"].as_object().cloned().unwrap_or_default();
        model.0["volumes"] = Value::Object(own.into_iter().chain(volumes).collect::<Map<String, Value>>());
        model
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::SEALED_NETWORK, *};

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn model(text: &str) -> Model {
        Model::parse(text).unwrap()
    }

    #[test]
    fn a_release_stands_next_to_the_rehearsals_server_and_has_no_way_out() {
        let rehearsal = model(
            r#"{"name":"r","services":{"db":{"image":"pg:rehearsed","networks":{"back":null}},"migrate":{}},
                "networks":{"back":{}},"volumes":{"db-data":{"labels":{"x":"y"}}}}"#,
        )
        .enclosed("r", &set(&["db"]));
        let release = model(
            r#"{"name":"shop","services":{
                "api":{"ports":[{"target":80}],"networks":{"front":null,"back":{"aliases":["backend"]}},
                       "depends_on":{"db":{"condition":"service_healthy"},"migrate":{"condition":"x"}}},
                "host":{"network_mode":"host"},
                "debug":{"profiles":["debug"]},
                "db":{"image":"pg:release"},"migrate":{}},
                "networks":{"front":{},"back":{}},"volumes":{"uploads":{}}}"#,
        );
        let both = release.attached_to_rehearsal(&rehearsal, &set(&["db"]), &set(&["migrate"]), &set(&[]));
        assert_eq!(both.project(), "r");
        assert_eq!(both.services(), ["api", "db", "host"]);
        assert_eq!(both.service("db")["image"], "pg:rehearsed");
        let api = both.service("api");
        assert_eq!(api["networks"], json!({SEALED_NETWORK: {"aliases": ["api", "backend"], "priority": 1000}}));
        assert_eq!(api["depends_on"].as_object().unwrap().keys().collect::<Vec<_>>(), ["db"]);
        assert!(api.get("ports").is_none() && both.service("host").get("network_mode").is_none());
        assert_eq!(both.0["volumes"], json!({"uploads": {}, "db-data": {"labels": {"x": "y"}}}));
        assert!(both.0["networks"].get("front").is_none());
    }
}
