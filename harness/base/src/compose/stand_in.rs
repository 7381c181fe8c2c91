//! What a copy of a stack has in the place of folders of the host that the original may write.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Model;

/// Marks a volume that gets what a folder of the host has.
const CONTENT_OF: &str = "dev.stagegate.content-of";
/// Marks a volume that gets the owner and the rights of a folder of the host.
const LIKE: &str = "dev.stagegate.like";

/// What a copy has in the place of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// A volume with what the folder has.
    Content,
    /// An empty volume.
    Empty,
}

/// A volume that stands in for a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandInVolume {
    /// The volume's name on this host.
    pub volume: String,
    /// The volume's key in the compose files.
    pub key: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The folder.
    pub folder: PathBuf,
    /// What the volume gets.
    pub stand_in: StandIn,
    /// An image of a service that mounts it.
    pub image: String,
}

impl Model {
    /// Returns the model in which no service can write a folder or file of the host.
    ///
    /// A service in `stores` (databases, caches) gets an empty volume in the place of each that it may write: two
    /// servers on one data folder destroy it, and on a read-only one they do not start. Another one gets a volume in the
    /// place of each folder of `stand_ins`, all services the same one; the rest is mounted read-only.
    #[must_use]
    pub fn sealed(&self, stores: &BTreeSet<String>, stand_ins: &BTreeMap<String, StandIn>) -> Model {
        let stand_in = |mount: &Value| stand_ins.get_key_value(mount["source"].as_str().unwrap_or_default());
        let mut model = self.changed(|name, service| {
            let volumes = service.get_mut("volumes").and_then(Value::as_array_mut);
            for mount in volumes.into_iter().flatten().filter(|mount| mount["type"] == "bind") {
                match (mount["read_only"] == true, stores.contains(name), stand_in(mount)) {
                    (true, _, _) => {}
                    (false, true, _) => *mount = json!({"type": "volume", "target": mount["target"]}),
                    // Docker would fill an empty volume with what the image has there; a folder of the host stays empty.
                    (false, false, Some((folder, _))) => {
                        *mount = json!({"type": "volume", "source": key(folder), "target": mount["target"],
                            "volume": {"nocopy": true}});
                    }
                    (false, false, None) => mount["read_only"] = json!(true),
                }
            }
        });
        let mounted = |key: &String| !model.mounting_volume(key).is_empty();
        let used = stand_ins.iter().map(|(folder, stand_in)| (key(folder), folder, stand_in));
        let used: Vec<_> = used.filter(|(key, ..)| mounted(key)).collect();
        for (key, folder, stand_in) in used {
            let label = if *stand_in == StandIn::Content { CONTENT_OF } else { LIKE };
            model.0["volumes"][key] = json!({"labels": {label: folder}});
        }
        model
    }

    /// Returns the volumes that stand in for folders ([`Model::sealed`]).
    #[must_use]
    pub fn stand_in_volumes(&self) -> Vec<StandInVolume> {
        let volumes = self.0["volumes"].as_object().into_iter().flatten();
        let of = |(key, volume): (&String, &Value)| {
            let labels = volume["labels"].as_object()?;
            let labels: BTreeMap<String, String> = labels
                .iter()
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let (folder, stand_in) = match (labels.get(CONTENT_OF), labels.get(LIKE)) {
                (Some(folder), _) => (folder, StandIn::Content),
                (None, Some(folder)) => (folder, StandIn::Empty),
                (None, None) => return None,
            };
            let name = volume["name"].as_str().map_or_else(|| format!("{}_{key}", self.project()), str::to_owned);
            let service = self.mounting_volume(key).into_iter().next()?.service;
            let folder = folder.into();
            Some(StandInVolume {
                volume: name,
                key: key.clone(),
                labels,
                folder,
                stand_in,
                image: self.image_name(&service),
            })
        };
        volumes.filter_map(of).collect()
    }
}

/// Returns the key of the volume for a folder: the same in each model of a copy.
fn key(folder: &str) -> String {
    let digits: String = Sha256::digest(folder.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("copy-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = r#"{"name":"copy","services":{
        "web":{"image":"web:1","volumes":[{"type":"bind","source":"/srv/web.conf","target":"/etc/web.conf"},
                                          {"type":"bind","source":"/srv/files","target":"/files"},
                                          {"type":"bind","source":"/srv/theme","target":"/theme","read_only":true}]},
        "worker":{"image":"web:1","volumes":[{"type":"bind","source":"/srv/files","target":"/in"}]},
        "db":{"image":"pg","volumes":[{"type":"bind","source":"/srv/pg","target":"/var/lib/postgresql/data"},
                                      {"type":"bind","source":"/srv/init","target":"/init","read_only":true},
                                      {"type":"volume","source":"wal","target":"/wal"}]}}}"#;

    fn sealed(stand_ins: &[(&str, StandIn)]) -> Model {
        let stand_ins = stand_ins.iter().map(|(folder, stand_in)| ((*folder).to_owned(), *stand_in)).collect();
        Model::parse(MODEL).unwrap().sealed(&BTreeSet::from(["db".to_owned()]), &stand_ins)
    }

    #[test]
    fn nothing_of_the_host_can_be_written_and_a_store_begins_empty() {
        let sealed = sealed(&[]);
        let web = &sealed.service("web")["volumes"];
        assert_eq!([&web[0]["read_only"], &web[1]["read_only"]], [true, true]);
        let db = &sealed.service("db")["volumes"];
        assert_eq!(db[0], json!({"type": "volume", "target": "/var/lib/postgresql/data"}));
        assert_eq!(db[1]["source"], "/srv/init");
        assert_eq!(db[2], json!({"type": "volume", "source": "wal", "target": "/wal"}));
        assert_eq!(sealed.stand_in_volumes(), []);
    }

    #[test]
    fn services_of_a_folder_share_the_volume_that_stands_in_for_it() {
        let sealed = sealed(&[("/srv/files", StandIn::Content), ("/srv/pg", StandIn::Empty), ("/x", StandIn::Empty)]);
        let mount = |service: &str, at: usize| sealed.service(service)["volumes"][at].clone();
        let key = mount("web", 1)["source"].as_str().unwrap().to_owned();
        assert_eq!(mount("worker", 0)["source"], key.as_str());
        assert_eq!(mount("web", 1)["volume"]["nocopy"], true);
        assert_eq!(mount("web", 2)["source"], "/srv/theme");
        let labelled = sealed.labelled("dev.stagegate.run", "1");
        let stood = labelled.stand_in_volumes();
        assert_eq!(stood.len(), 1, "a store's folder has none: {stood:?}");
        assert_eq!((stood[0].volume.as_str(), stood[0].image.as_str()), (format!("copy_{key}").as_str(), "web:1"));
        assert_eq!(
            (stood[0].folder.as_path(), stood[0].stand_in),
            (std::path::Path::new("/srv/files"), StandIn::Content)
        );
        assert_eq!(stood[0].labels["dev.stagegate.run"], "1");
    }
}
