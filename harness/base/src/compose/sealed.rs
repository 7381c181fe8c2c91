//! A copy that cannot write into the folders of the host that its original works in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Model, unescaped};

impl Model {
    /// Returns the model in which the bind mounts of `sources` cannot be written.
    #[must_use]
    pub fn with_read_only(&self, sources: &BTreeSet<String>) -> Model {
        self.changed(|_, service| {
            let volumes = service.get_mut("volumes").and_then(Value::as_array_mut);
            for mount in volumes.into_iter().flatten().filter(|mount| mount["type"] == "bind") {
                if mount["source"].as_str().is_some_and(|source| sources.contains(source)) {
                    mount["read_only"] = json!(true);
                }
            }
        })
    }

    /// Returns the words of a service's command and entrypoint, and the values of its variables.
    #[must_use]
    pub fn words(&self, service: &str) -> Vec<String> {
        let service = self.service(service);
        let of = |value: &Value| match value {
            Value::Array(words) => words.iter().filter_map(Value::as_str).map(unescaped).collect(),
            Value::Object(entries) => entries.values().filter_map(Value::as_str).map(unescaped).collect(),
            Value::String(text) => vec![unescaped(text)],
            _ => Vec::new(),
        };
        ["command", "entrypoint", "environment"].iter().flat_map(|key| of(&service[*key])).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_store_reads_the_settings_of_its_original_and_cannot_write_them() {
        let model = Model::parse(
            r#"{"services":{"db":{"volumes":[{"type":"bind","source":"/srv/pg.conf","target":"/etc/pg.conf"},
                                             {"type":"bind","source":"/srv/pg","target":"/data"}]}}}"#,
        )
        .unwrap();
        let copy = model.with_read_only(&BTreeSet::from(["/srv/pg.conf".to_owned()]));
        let stores = BTreeSet::from(["db".to_owned()]);
        for copy in [copy.sealed(&stores, &BTreeMap::new()), copy.reduced(&stores, &stores)] {
            let db = &copy.service("db")["volumes"];
            assert_eq!((&db[0]["source"], &db[0]["read_only"]), (&json!("/srv/pg.conf"), &json!(true)));
            assert_ne!(db[1]["source"], "/srv/pg");
        }
    }
}
