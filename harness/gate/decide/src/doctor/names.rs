//! Are the names of the configuration those of the compose files? What is misspelled is neither checked nor backed up.

use std::{collections::BTreeSet, path::PathBuf};

use stagegate_base::{
    compose::Model,
    config::{Config, Environment, VolumePlace},
    suggest::closest,
};

use super::Entry;

/// What the names of a configuration are compared with, in one environment.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// Its resolved compose files.
    pub model: &'a Model,
    /// The names of all its checks.
    pub trials: &'a [&'a str],
    /// Services with a contract that is not there, and its path.
    pub missing_contracts: &'a [(String, PathBuf)],
}

/// Returns an entry for each name of `config` that the resolved files and the checks of an environment do not have.
#[must_use]
pub fn names(config: &Config, known: &Known<'_>) -> Vec<Entry> {
    let services = known.model.services();
    let mut entries = of_services(config, known, &services);
    entries.extend(of_databases(config, &services));
    let volumes = known.model.volume_keys();
    for (id, volume) in &config.volumes {
        if let VolumePlace::Named(key) = &volume.place
            && !volumes.contains(key)
        {
            let what = format!("`volume` of [volumes.{id}]");
            entries.push(unknown(("volumes", &what), ("volume", key), &volumes, Entry::fail));
        }
    }
    for (service, path) in known.missing_contracts {
        let found = format!("`contract` of [services.{service}]: {} does not exist", path.display());
        entries.push(Entry::warn("contracts", found, "correct the path, which is relative to the workdir"));
    }
    for prefix in config.idle_severities(known.trials) {
        let found = format!("[severity] lists `{prefix}`, but no check's name begins with it");
        let fix = format!("`gate test --env {} --list` lists all names", known.environment.name);
        entries.push(Entry::warn("severity", found, fix));
    }
    entries
}

/// Makes an entry of a name that is not there.
type EntryConstructor = fn(&str, String, String) -> Entry;

fn of_services(config: &Config, known: &Known<'_>, services: &[String]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let described: BTreeSet<&String> = config.services.keys().chain(config.one_shot.keys()).collect();
    for name in described.into_iter().filter(|name| !services.contains(name)) {
        entries.push(unknown(("services", &format!("[services.{name}]")), ("service", name), services, Entry::warn));
    }
    // A promotion refuses a name of `freeze` that it cannot stop, and one of `rollout` that it cannot replace.
    let replaced = known.environment.rollout.blue_green.keys();
    let at = format!("`rollout` of [environments.{}]", known.environment.name);
    let lists: [(&str, Vec<&String>, EntryConstructor); 3] = [
        ("`freeze` of [gate]", config.gate.freeze.iter().flatten().collect(), Entry::fail),
        ("`may_start_empty` of [gate]", config.gate.may_start_empty.iter().collect(), Entry::warn),
        (&at, replaced.collect(), Entry::fail),
    ];
    for (place, named, entry) in lists {
        let absent = named.into_iter().filter(|name| !services.contains(name));
        entries.extend(absent.map(|name| unknown(("gate", place), ("service", name), services, entry)));
    }
    entries
}

fn of_databases(config: &Config, services: &[String]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (id, database) in &config.databases {
        let keys = [("service", Some(&database.service)), ("migrations", database.migrations.as_ref())];
        for (key, named) in keys {
            let Some(name) = named.filter(|name| !services.contains(name)) else { continue };
            let what = format!("`{key}` of [databases.{id}]");
            entries.push(unknown(("databases", &what), ("service", name), services, Entry::fail));
        }
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
    #[case::a_volume("[volumes.v]\nvolume = \"nope\"\nrollback = false\n", "volumes", Level::Fail, "have media")]
    #[case::frozen("[gate]\nfreeze = [\"web\", \"migrat\"]\n", "gate", Level::Fail, "`migrate`")]
    #[case::may_start_empty("[gate]\nmay_start_empty = [\"cache\"]\n", "gate", Level::Warn, "have db, migrate, web")]
    #[case::rollout("[environments.live]\nrollout = { wbe = \"blue-green\" }\n", "gate", Level::Fail, "`web`")]
    #[case::severity(
        "[severity]\n\"health::wbe\" = \"info\"\n",
        "severity",
        Level::Warn,
        "gate test --env live --list"
    )]
    // A name is matched by its parts.
    #[case::half_a_part("[severity]\n\"health::we\" = \"info\"\n", "severity", Level::Warn, "--list")]
    fn a_name_that_the_files_do_not_have_has_its_fix(
        #[case] text: &str,
        #[case] subject: &str,
        #[case] level: Level,
        #[case] fix: &str,
    ) {
        let entries = entries(text, &[]);
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((entry.subject.as_str(), entry.level), (subject, level));
        assert!(entry.fix.as_ref().unwrap().contains(fix), "{entry:?}");
    }

    #[test]
    fn names_of_the_files_are_as_they_should_be() {
        let text = "[services.web]\nport = 80\n[databases.main]\nservice = \"db\"\nname = \"x\"\nmigrations = \"migrate\"\n\
                    [volumes.v]\nvolume = \"media\"\nrollback = false\n[severity]\n\"health::web\" = \"info\"\n\
                    [gate]\nfreeze = [\"web\"]\nmay_start_empty = [\"web\"]\n";
        assert_eq!(entries(text, &[]), []);
        let missing = [("web".to_owned(), PathBuf::from("/srv/nope.json"))];
        assert_eq!(entries(text, &missing)[0].level, Level::Warn);
    }

    fn entries(text: &str, missing_contracts: &[(String, PathBuf)]) -> Vec<Entry> {
        let live = if text.contains("[environments.live]") { "" } else { "[environments.live]\n" };
        let text = format!("[project]\nname = \"shop\"\n{live}{text}");
        let config = Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap();
        let (environment, model) = (&config.environments["live"], &Model::parse(MODEL).unwrap());
        let trials = ["health::web::responds", "health::db::responds"];
        names(&config, &Known { environment, model, trials: &trials, missing_contracts })
    }
}
