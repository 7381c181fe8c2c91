//! What commands about schemas share: which databases they are about, where findings are written, how they end.

use serde_json::{Map, Value};
use stagegate_base::{
    config::{Config, Database},
    exit::Exit,
    finding::Finding,
    report::Report,
};
use stagegate_migration_decide::schema::{Difference, Facts, Sides, not_compared, report, summary};

use super::output;
use crate::{
    cli,
    failure::{Failure, print_message},
};

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

/// Reports which objects no fact reports: an empty diff does not speak for them.
pub(super) fn modelled(name: &str, facts: &Facts, strict: bool) -> Exit {
    for (what, count) in facts.unmodelled() {
        print_message(&format!("{name}: {}", not_compared(what, *count)));
    }
    if strict && !facts.unmodelled().is_empty() { Exit::Held } else { Exit::Passed }
}

/// What schemas show, collected over databases.
#[derive(Default)]
pub(super) struct Collected {
    findings: Vec<Finding>,
    body: String,
    notes: Vec<String>,
    details: Vec<Map<String, Value>>,
    modelled: Vec<Exit>,
}

impl Collected {
    /// Adds two sides: their differences as findings, as a text and for programs, and whether all was compared.
    pub(super) fn add(
        &mut self,
        sides: &Sides,
        (found, body): (Vec<Finding>, String),
        differences: &[Difference],
        details: Map<String, Value>,
    ) {
        self.notes.push(format!("{} against {}: {}", sides.old, sides.new, summary(differences)));
        self.findings.extend(found);
        self.body.push_str(&body);
        self.details.push(details);
    }

    /// Adds how much of a side could not be compared.
    pub(super) fn modelled(&mut self, exit: Exit) {
        self.modelled.push(exit);
    }

    /// Writes the report; any difference fails, and so does what may not be left out.
    pub(super) fn write(self, command: &str, output: &cli::Output) -> Result<Exit, Failure> {
        let ended = if self.findings.is_empty() && self.modelled.iter().all(|exit| *exit == Exit::Passed) {
            Exit::Passed
        } else {
            Exit::Held
        };
        output::write(&self.report(command), output)?;
        Ok(ended)
    }

    /// Makes one report of all databases; for programs it is one document.
    fn report(self, command: &str) -> Report {
        let title = self.notes.join("; ");
        let mut report = report(command, format!("Schema: {title}"), self.findings, self.body);
        report.notes = self.notes;
        report.details = match <[_; 1]>::try_from(self.details) {
            Ok([one]) => one,
            Err(all) => [("databases".to_owned(), all.into_iter().map(Value::Object).collect())].into_iter().collect(),
        };
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(databases: &[&str]) -> Value {
        let mut collected = Collected::default();
        for name in databases {
            let sides = Sides { old: format!("{name} of a"), new: format!("{name} of b") };
            let details = Map::from_iter([("database".to_owned(), Value::from(*name))]);
            collected.add(&sides, (Vec::new(), String::new()), &[], details);
        }
        serde_json::from_str(&collected.report("schema diff").json().unwrap()).unwrap()
    }

    #[test]
    fn several_databases_are_one_document() {
        assert_eq!(written(&["main"])["database"], "main");
        let both = written(&["main", "audit"]);
        let names: Vec<&Value> = both["databases"].as_array().unwrap().iter().map(|one| &one["database"]).collect();
        assert_eq!(names, ["main", "audit"]);
    }
}
