//! Volumes in which a product keeps files and that no backup has.

use stagegate_base::{
    compose::Model,
    config::{Config, Kind, VolumePlace},
};

/// Returns the volumes (by their keys in the compose files) that services can write and that `[volumes]` does not list, each
/// with these services. What only a database server writes is backed up as databases.
#[must_use]
pub fn unlisted(model: &Model, config: &Config) -> Vec<(String, Vec<String>)> {
    let is_listed =
        |key: &str| config.volumes.values().any(|one| matches!(&one.place, VolumePlace::Named(of) if of == key));
    let is_server = |service: &str| {
        config.databases.values().any(|database| database.service == service)
            || config.services.get(service).is_some_and(|one| one.kind == Kind::Postgres)
    };
    let writers = |key: String| {
        let mounting = model.mounting_volume(&key).into_iter();
        let services: Vec<String> =
            mounting.filter(|one| one.writes && !is_server(&one.service)).map(|one| one.service).collect();
        (key, services)
    };
    let keys = model.volume_keys().into_iter().filter(|key| !is_listed(key));
    keys.map(writers).filter(|(_, services)| !services.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn files_that_a_service_writes_are_named_until_they_are_listed() {
        let volume =
            |key: &str, ro: bool| format!(r#"{{"type":"volume","source":"{key}","target":"/x","read_only":{ro}}}"#);
        let model = format!(
            r#"{{"services":{{"db":{{"volumes":[{}]}},"web":{{"volumes":[{},{}]}},"job":{{"volumes":[{}]}}}},
                "volumes":{{"pg":{{}},"media":{{}},"shared":{{}},"unused":{{}}}}}}"#,
            volume("pg", false),
            volume("media", false),
            volume("shared", true),
            volume("media", false),
        );
        let model = Model::parse(&model).unwrap();
        let found = |more: &str| {
            let text = format!("[project]\nname = \"x\"\n[databases.main]\nservice = \"db\"\nname = \"x\"\n{more}");
            unlisted(&model, &Config::parse(Path::new("/x/stagegate.toml"), &text).unwrap())
        };
        assert_eq!(found(""), [("media".to_owned(), vec!["job".to_owned(), "web".to_owned()])]);
        assert_eq!(found("[volumes.files]\nvolume = \"media\"\n"), []);
    }
}
