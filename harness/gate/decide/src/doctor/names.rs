//! Are the names of the configuration those of the compose files? What is misspelled is neither checked nor backed up.

use std::{collections::BTreeSet, path::PathBuf};

use stagegate_base::{
    compose::Model,
    config::{Config, VolumePlace},
    suggest::closest,
};

use super::Entry;

/// Returns an entry for each name of `config` that the resolved files of an environment do not have.
///
/// `missing_contracts` are services with a contract that is not there, and its path.
#[must_use]
pub fn names(config: &Config, model: &Model, missing_contracts: &[(String, PathBuf)]) -> Vec<Entry> {
    let services = model.services();
    let volumes = model.volume_keys();
    let mut entries = Vec::new();
    let named: BTreeSet<&String> = config.services.keys().chain(config.one_shot.keys()).collect();
    for name in named.into_iter().filter(|name| !services.contains(name)) {
        entries.push(unknown(("services", &format!("[services.{name}]")), ("service", name), &services, Entry::warn));
    }
    for (id, database) in &config.databases {
        let table = format!("[databases.{id}]");
        if !services.contains(&database.service) {
            let what = ("databases", format!("`service` of {table}"));
            entries.push(unknown((what.0, &what.1), ("service", &database.service), &services, Entry::fail));
        }
        if let Some(service) = database.migrations.as_ref().filter(|service| !services.contains(service)) {
            let what = ("databases", format!("`migrations` of {table}"));
            entries.push(unknown((what.0, &what.1), ("service", service), &services, Entry::fail));
        }
        if database.name.is_empty() {
            let fix = format!("write the name of the database of `{}` there", database.service);
            entries.push(Entry::fail("databases", format!("`name` of {table} is empty"), fix));
        }
    }
    for (id, volume) in &config.volumes {
        if let VolumePlace::Named(key) = &volume.place
            && !volumes.contains(key)
        {
            let what = format!("`volume` of [volumes.{id}]");
            entries.push(unknown(("volumes", &what), ("volume", key), &volumes, Entry::fail));
        }
    }
    for (service, path) in missing_contracts {
        let found = format!("`contract` of [services.{service}]: {} does not exist", path.display());
        entries.push(Entry::warn("contracts", found, "correct the path, which is relative to the workdir"));
    }
    entries
}

fn unknown(
    (subject, place): (&str, &str),
    (kind, name): (&str, &str),
    known: &[String],
    entry: fn(&str, String, String) -> Entry,
) -> Entry {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let fix = match closest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("the compose files have no {kind}: remove it"),
        None => format!("correct it; the compose files have {}", names.join(", ")),
    };
    entry(subject, format!("{place}: the compose files have no {kind} `{name}`"), fix)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::{super::Level, *};

    const MODEL: &str = r#"{"name":"shop","services":{"web":{"image":"w"},"db":{"image":"postgres"},"migrate":{"image":"w"}},
        "volumes":{"media":{}}}"#;

    #[rstest]
    #[case::a_service("[services.wbe]\nport = 80\n", "services", Level::Warn, "did you mean `web`?")]
    #[case::a_server(
        "[databases.main]\nservice = \"nope\"\nname = \"x\"\n",
        "databases",
        Level::Fail,
        "have db, migrate, web"
    )]
    #[case::migrations(
        "[databases.main]\nservice = \"db\"\nname = \"x\"\nmigrations = \"migrat\"\n",
        "databases",
        Level::Fail,
        "`migrate`"
    )]
    #[case::no_name("[databases.main]\nservice = \"db\"\nname = \"\"\n", "databases", Level::Fail, "write the name")]
    #[case::a_volume("[volumes.v]\nvolume = \"nope\"\nrollback = false\n", "volumes", Level::Fail, "have media")]
    fn a_name_that_the_files_do_not_have_has_its_fix(
        #[case] text: &str,
        #[case] subject: &str,
        #[case] level: Level,
        #[case] fix: &str,
    ) {
        let text = format!("[project]\nname = \"shop\"\n{text}");
        let config = Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap();
        let entries = names(&config, &Model::parse(MODEL).unwrap(), &[]);
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((entry.subject.as_str(), entry.level), (subject, level));
        assert!(entry.fix.as_ref().unwrap().contains(fix), "{entry:?}");
    }

    #[test]
    fn names_of_the_files_are_as_they_should_be() {
        let text = "[project]\nname = \"shop\"\n[services.web]\nport = 80\n[databases.main]\nservice = \"db\"\nname = \"x\"\n\
                    migrations = \"migrate\"\n[volumes.v]\nvolume = \"media\"\nrollback = false\n";
        let config = Config::parse(Path::new("/srv/stagegate.toml"), text).unwrap();
        let model = Model::parse(MODEL).unwrap();
        assert!(names(&config, &model, &[]).is_empty());
        let missing = [("web".to_owned(), PathBuf::from("/srv/nope.json"))];
        assert_eq!(names(&config, &model, &missing)[0].level, Level::Warn);
    }
}
