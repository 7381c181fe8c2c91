//! Which services mount a volume or a folder of the host.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::Model;

/// What servers that keep data call their images.
const DATA_SERVERS: [&str; 30] = [
    "postgres",
    "postgresql",
    "postgis",
    "pgvector",
    "timescaledb",
    "redis",
    "valkey",
    "keydb",
    "dragonfly",
    "mysql",
    "mariadb",
    "percona",
    "mongo",
    "mongodb",
    "clickhouse",
    "elasticsearch",
    "opensearch",
    "meilisearch",
    "typesense",
    "solr",
    "influxdb",
    "cassandra",
    "neo4j",
    "couchdb",
    "etcd",
    "qdrant",
    "weaviate",
    "rabbitmq",
    "kafka",
    "zookeeper",
];

/// Words of images that look at a server, or copy its data, and have its name.
const TOOLS: [&str; 16] = [
    "exporter",
    "backup",
    "backups",
    "dump",
    "restore",
    "admin",
    "ui",
    "web",
    "commander",
    "express",
    "insight",
    "browser",
    "console",
    "proxy",
    "pooler",
    "operator",
];

/// A service that mounts a volume or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounting {
    /// The service.
    pub service: String,
    /// Whether it can write there.
    pub writes: bool,
}

/// Returns whether an image is that of a server which keeps data in files of its own.
pub(super) fn is_data_image(image: &str) -> bool {
    let repository = image.rsplit('/').next().unwrap_or_default().split([':', '@']).next().unwrap_or_default();
    let words: Vec<&str> = repository.split(['-', '_', '.']).collect();
    words.iter().any(|word| DATA_SERVERS.contains(word)) && !words.iter().any(|word| TOOLS.contains(word))
}

impl Model {
    /// Returns the name on this host of the volume with a key of the compose files; `None` where they have no such key.
    #[must_use]
    pub fn volume_name(&self, key: &str) -> Option<&str> {
        self.json()["volumes"][key]["name"].as_str()
    }

    /// Returns the driver's options of a volume with a name on this host; empty where the files do not give any.
    #[must_use]
    pub fn volume_options(&self, name: &str) -> BTreeMap<String, String> {
        let mut volumes = self.json()["volumes"].as_object().into_iter().flatten();
        let options = volumes.find(|(_, volume)| volume["name"] == name).map(|(_, volume)| &volume["driver_opts"]);
        let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        options.and_then(Value::as_object).into_iter().flatten().filter_map(text).collect()
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
    use rstest::rstest;

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
    #[rstest]
    #[case("postgres:17", true)]
    #[case("ghcr.io/immich-app/postgres:14-vectorchord0.4.3", true)]
    #[case("registry:5000/team/supabase-postgres@sha256:0", true)]
    #[case("clickhouse/clickhouse-server:24", true)]
    #[case("docker.io/library/mariadb", true)]
    #[case("nginx:1", false)]
    #[case("postgrest/postgrest:v12", false)]
    #[case("prodrigestivill/postgres-backup-local:17", false)]
    #[case("quay.io/prometheuscommunity/postgres-exporter", false)]
    #[case("mongo-express:1", false)]
    fn a_data_server_is_known_by_its_image(#[case] image: &str, #[case] want: bool) {
        let model = Model::parse(&format!(r#"{{"services":{{"db":{{"image":"{image}"}}}}}}"#)).unwrap();
        assert_eq!(model.is_data_server("db"), want);
    }

    #[test]
    fn the_options_of_a_volume_are_found_by_its_name_on_this_host() {
        let model = r#"{"services":{"db":{}},"volumes":{"pg":{"name":"shop_pg","driver_opts":{"o":"bind","device":"/srv/pg"}}}}"#;
        let model = Model::parse(model).unwrap();
        assert_eq!(model.volume_options("shop_pg").get("device").map(String::as_str), Some("/srv/pg"));
        assert!(model.volume_options("pg").is_empty());
    }
}
