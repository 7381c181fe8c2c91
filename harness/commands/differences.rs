//! What commands about schemas share: which databases they are about, where findings are written, how they end.

use std::path::Path;

use stagegate_base::{
    config::{Config, Database},
    exit::Exit,
};
use stagegate_migration_decide::schema::{Difference, Facts, Place, not_compared, sarif};

use crate::failure::{Failure, say};

/// Returns the databases that are meant: the named one, else all.
pub(super) fn chosen<'a>(config: &'a Config, name: Option<&str>) -> Result<Vec<&'a Database>, Failure> {
    match name {
        Some(_) => Ok(vec![only(config, name)?]),
        None if config.databases.is_empty() => Err(none()),
        None => Ok(config.databases.values().collect()),
    }
}

/// Returns the database of a name; without one the only one there is.
pub(super) fn only<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Database, Failure> {
    let known: Vec<&str> = config.databases.keys().map(String::as_str).collect();
    let known = known.join(", ");
    match name {
        Some(name) => config
            .databases
            .get(name)
            .ok_or_else(|| Failure::usage(format!("database `{name}` is not in [databases] (it has {known})"))),
        None if config.databases.len() > 1 => {
            Err(Failure::usage(format!("more than one database is configured; add --database NAME (known: {known})")))
        }
        None => config.databases.values().next().ok_or_else(none),
    }
}

fn none() -> Failure {
    Failure::usage("no database is configured; add [databases.NAME] with its `service` and `name` to stagegate.toml")
}

/// Writes SARIF, where it was asked for.
pub(super) fn written(file: Option<&Path>, placed: &[(Difference, Place)]) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(()) };
    super::test::write(path, &format!("{:#}\n", sarif(placed, env!("CARGO_PKG_VERSION"))))
}

/// Reports which objects no fact tells of: an empty diff does not speak for them.
pub(super) fn modelled(name: &str, facts: &Facts, strict: bool) -> Exit {
    for (what, count) in facts.unmodelled() {
        say(&format!("{name}: {}", not_compared(what, *count)));
    }
    if strict && !facts.unmodelled().is_empty() { Exit::Held } else { Exit::Passed }
}

/// Returns how a command ends that found so much, and may not speak for all.
pub(super) fn ended<T>(found: &[T], modelled: &[Exit]) -> Exit {
    if found.is_empty() && modelled.iter().all(|exit| *exit == Exit::Passed) { Exit::Passed } else { Exit::Held }
}
