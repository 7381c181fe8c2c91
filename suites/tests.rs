//! Every check proves that it can fail: a fault of fixtures/faults names it.

use std::{fs, path::Path};

use stagegate_decide::config::Config;

use super::*;

const MORE: &str = "[security.jwt.api]\nkey_variable = \"JWT_SECRET\"\naudience_variable = \"SHOP_ENV\"\n\
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

#[test]
fn each_check_of_security_and_isolation_has_a_fault_that_it_finds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("stagegate.toml")).unwrap();
    let own = text.split("[security").next().unwrap();
    let config = Config::parse(&root.join("stagegate.toml"), &format!("{own}{MORE}")).unwrap();
    let environment = config.environment("staging").unwrap();
    let named = named(&root.join("fixtures/faults"));
    assert!(named.len() >= 25, "only {} faults were read", named.len());
    let all = trials(Scope { config: &config, environment });
    let checks = all
        .iter()
        .map(|trial| &trial.name)
        .filter(|name| name.starts_with("security::") || name.starts_with("isolation::production::"));
    let unproven: Vec<&String> = checks.filter(|name| !named.contains(name)).collect();
    assert!(unproven.is_empty(), "no fault of fixtures/faults is for {unproven:?}");
}
