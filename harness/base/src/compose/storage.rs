//! Which services mount a volume or a folder of the host.

use std::path::Path;

use super::Model;

/// A service that mounts a volume or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounting {
    /// The service.
    pub service: String,
    /// Whether it can write there.
    pub writes: bool,
}

impl Model {
    /// Returns the name on this host of the volume with a key of the compose files; `None` where they have no such key.
    #[must_use]
    pub fn volume_name(&self, key: &str) -> Option<&str> {
        self.json()["volumes"][key]["name"].as_str()
    }

    /// Returns the keys of the compose files' volumes.
    #[must_use]
    pub fn volume_keys(&self) -> Vec<String> {
        self.json()["volumes"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    }

    /// Returns the services that mount the volume with a key of the compose files.
    #[must_use]
    pub fn mounting_volume(&self, key: &str) -> Vec<Mounting> {
        self.mounting(|mount| mount["type"] == "volume" && mount["source"] == key)
    }

    /// Returns the services that mount a folder of the host, one in it, or one that holds it.
    #[must_use]
    pub fn mounting_folder(&self, folder: &Path) -> Vec<Mounting> {
        self.mounting(|mount| {
            let source = Path::new(mount["source"].as_str().unwrap_or_default());
            mount["type"] == "bind" && (source.starts_with(folder) || folder.starts_with(source))
        })
    }

    fn mounting(&self, is_it: impl Fn(&serde_json::Value) -> bool) -> Vec<Mounting> {
        let of = |service: String| {
            let mounts = self.service(&service)["volumes"].as_array().into_iter().flatten();
            let read_only: Vec<bool> = mounts.filter(|mount| is_it(mount)).map(|m| m["read_only"] == true).collect();
            (!read_only.is_empty()).then(|| Mounting { service, writes: read_only.contains(&false) })
        };
        self.services().into_iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = r#"{"services":{
        "api":{"image":"a","volumes":[{"type":"volume","source":"uploads","target":"/u"},
                                      {"type":"bind","source":"/srv/data/in","target":"/in"}]},
        "web":{"image":"b","volumes":[{"type":"volume","source":"uploads","target":"/u","read_only":true}]},
        "job":{"image":"c","volumes":[{"type":"bind","source":"/srv/data","target":"/data"}]},
        "db":{"image":"d","volumes":[{"type":"volume","source":"db-data","target":"/d"},
                                     {"type":"bind","source":"/srv/database","target":"/x"}]}},
        "volumes":{"uploads":{"name":"shop_uploads"}}}"#;

    #[test]
    fn services_are_found_by_the_volumes_key_and_by_the_folder_that_holds_what_they_mount() {
        let model = Model::parse(MODEL).unwrap();
        let mounting = |service: &str, writes| Mounting { service: service.to_owned(), writes };
        assert_eq!(model.mounting_volume("uploads"), [mounting("api", true), mounting("web", false)]);
        let folder = Path::new("/srv/data");
        assert_eq!(model.mounting_folder(folder), [mounting("api", true), mounting("job", true)]);
        assert_eq!(model.mounting_folder(Path::new("/srv/data/in/a")), [mounting("api", true), mounting("job", true)]);
        assert_eq!(model.mounting_folder(Path::new("/srv/other")), []);
        assert_eq!((model.volume_name("uploads"), model.volume_name("x")), (Some("shop_uploads"), None));
    }
}
