//! Every check proves that it can fail: a fault of fixtures/faults names it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use stagegate_base::config::Config;

use super::*;

/// What the sample stack's configuration lacks for every check to be listed.
const MORE: &str = "[services.queue]\nport = 5672\n[services.told]\nport = 80\nserved_contract = \"/openapi.json\"\n\
                    [security.jwt.api]\nkey_variable = \"JWT_SECRET\"\naudience_variable = \"SHOP_ENV\"\n\
                    [security.tls.web]\nname = \"shop.example.org\"\n";

/// Returns the trials that the faults name, each as it is written.
fn named(faults: &Path) -> Vec<String> {
    let folders = fs::read_dir(faults).unwrap().map(|entry| entry.unwrap().path().join("fault.sh"));
    let texts = folders.filter_map(|path| fs::read_to_string(path).ok());
    let lists = texts.filter_map(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("trial=\""))?;
        Some(line.split('"').next()?.to_owned())
    });
    lists.flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Lists all trials of the sample stack, with what `MORE` adds.
fn all() -> Vec<Trial> {
    let text = fs::read_to_string(root().join("stagegate.toml")).unwrap();
    let own = text.split("[security").next().unwrap();
    let config = Config::parse(&root().join("stagegate.toml"), &format!("{own}{MORE}")).unwrap();
    trials(Scope { config: &config, environment: config.environment("staging").unwrap() })
}

/// Returns the check that a trial's name is of: `(suite, check)`, whatever thing it asks.
fn check(name: &str) -> (String, String) {
    let mut parts = name.split("::");
    let (suite, question) = (parts.next().unwrap(), parts.nth(1).unwrap());
    let check = match (suite, question) {
        ("contracts", "document" | "coverage" | "shapes" | "served") => question.to_owned(),
        ("contracts", probe) if probe.starts_with("probe_") => "probe".to_owned(),
        ("contracts", _) => "operation".to_owned(),
        ("policy", rule) => rule.replace('_', "-"),
        (_, question) => question.to_owned(),
    };
    (suite.to_owned(), check)
}

/// Returns whether the check has bad inputs, which tests of its suite hand to it.
fn has_bad_fixture((suite, check): &(String, String)) -> bool {
    let bad: PathBuf = root().join("fixtures").join(suite).join(check).join("bad");
    fs::read_dir(bad).is_ok_and(|mut entries| entries.next().is_some())
}

#[test]
fn each_check_of_the_catalogue_is_seen_to_fail() {
    let named: BTreeSet<_> = named(&root().join("fixtures/faults")).iter().map(|name| check(name)).collect();
    let mut checks: BTreeSet<_> = all().iter().map(|trial| check(&trial.name)).collect();
    // The sample stack has no such file, since not every machine has the program.
    checks.insert(("workflows".to_owned(), "hurl".to_owned()));
    assert!(checks.len() > 70, "only {} checks were listed", checks.len());
    for suite in catalog() {
        assert!(checks.iter().any(|(name, _)| name == suite.name), "no check of {} was listed", suite.name);
    }
    let unproven: Vec<_> = checks.iter().filter(|check| !named.contains(*check) && !has_bad_fixture(check)).collect();
    assert!(unproven.is_empty(), "neither a fault nor a bad fixture is there for {unproven:?}");
}

#[test]
fn each_check_of_security_and_isolation_has_a_fault_that_it_finds() {
    let named = named(&root().join("fixtures/faults"));
    assert!(named.len() >= 25, "only {} faults were read", named.len());
    let all = all();
    let checks = all
        .iter()
        .map(|trial| &trial.name)
        .filter(|name| name.starts_with("security::") || name.starts_with("isolation::production::"));
    let unproven: Vec<&String> = checks.filter(|name| !named.contains(name)).collect();
    assert!(unproven.is_empty(), "no fault of fixtures/faults is for {unproven:?}");
}

mod house;
mod user_files;
