//! A copy that cannot write into the folders of the host that its original works in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Model;

impl Model {
    /// Returns the model with every folder and file of the host mounted read-only.
    ///
    /// A service in `stores` (databases, caches) gets an empty volume in the place of each that it may write: two
    /// servers on one data folder destroy it, and on a read-only one they do not start.
    #[must_use]
    pub fn sealed(&self, stores: &BTreeSet<String>) -> Model {
        self.changed(|name, service| {
            let volumes = service.get_mut("volumes").and_then(Value::as_array_mut);
            for mount in volumes.into_iter().flatten().filter(|mount| mount["type"] == "bind") {
                match mount["read_only"] == true {
                    true => {}
                    false if stores.contains(name) => *mount = json!({"type": "volume", "target": mount["target"]}),
                    false => mount["read_only"] = json!(true),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_host_can_be_written_and_a_store_begins_empty() {
        let model = Model::parse(
            r#"{"services":{
                "web":{"volumes":[{"type":"bind","source":"/srv/web.conf","target":"/etc/web.conf"}]},
                "db":{"volumes":[{"type":"bind","source":"/srv/pg","target":"/var/lib/postgresql/data"},
                                 {"type":"bind","source":"/srv/init","target":"/init","read_only":true},
                                 {"type":"volume","source":"wal","target":"/wal"}]}}}"#,
        )
        .unwrap();
        let sealed = model.sealed(&BTreeSet::from(["db".to_owned()]));
        assert_eq!(sealed.service("web")["volumes"][0]["read_only"], true);
        let db = &sealed.service("db")["volumes"];
        assert_eq!(db[0], json!({"type": "volume", "target": "/var/lib/postgresql/data"}));
        assert_eq!(db[1]["source"], "/srv/init");
        assert_eq!(db[2], json!({"type": "volume", "source": "wal", "target": "/wal"}));
    }
}
