//! Databases that a release brings: finding them before a run, and reporting what of them stays after a rollback.

use std::collections::BTreeSet;

use stagegate_base::{
    compose::{Model, StoragePlace},
    config::Database,
};
use stagegate_gate_decide::promotion::{Entry, Kind, NewDatabase, PlanDatabase, places_of, plan_database, taken_over};
use stagegate_host::{database::Server, engine::EngineError, error::with_causes, paths::StateDir};

use super::{
    Run,
    side::{Side, server},
};
use crate::journal::{self, StoreError};

/// What a run changes of the databases: the releases before and after it.
pub(super) struct Lookup<'a> {
    /// The target as it is.
    pub(super) target: &'a Side,
    /// The model of the live release.
    pub(super) live: &'a Model,
    /// The model of the release that comes.
    pub(super) candidate: &'a Model,
    /// The environment that the release was tested in; `None` in a rollback.
    pub(super) source: Option<&'a Side>,
    /// Ids and names of the databases that came with the run that is rolled back, or later ones.
    pub(super) later: BTreeSet<(String, String)>,
}

/// What is known of a configured database.
pub(super) enum Found {
    /// It is there, with its server.
    Live(Box<PlanDatabase>, Server),
    /// It comes with the release, or came with one that is rolled back.
    New(NewDatabase),
    /// It is neither, in words.
    Refused(String),
}

impl Lookup<'_> {
    /// Looks a configured database up.
    pub(super) async fn find(&self, database: &Database) -> Found {
        let planned = plan_database(database, self.live);
        let new = |places: Vec<String>, stays: bool| NewDatabase {
            id: database.id.clone(),
            service: database.service.clone(),
            name: database.name.clone(),
            places,
            stays,
        };
        if self.later.contains(&(database.service.clone(), database.name.clone())) {
            return Found::New(new(Vec::new(), true));
        }
        let comes = self.source.is_some() && !self.live.has(&database.service) && self.candidate.has(&database.service);
        let Some(on) = server(self.target, &planned, self.live) else {
            if !comes {
                return Found::Refused(format!(
                    "service `{}` of database `{}` does not run",
                    database.service, database.id
                ));
            }
            return match self
                .unrun_migrations(database)
                .or_else(|| taken_over(self.live, self.candidate, &database.service))
            {
                Some(refusal) => Found::Refused(refusal),
                None => {
                    let places = places_of(self.candidate, &database.service);
                    Found::New(new(places.iter().map(StoragePlace::to_string).collect(), false))
                }
            };
        };
        // Only a name that the release was tested with is one to come: any other is a mistake.
        if let Ok(false) = on.has(&database.name).await
            && self.source_has(database).await
        {
            let new = Found::New(new(Vec::new(), false));
            return self.unrun_migrations(database).map_or(new, Found::Refused);
        }
        Found::Live(Box::new(planned), on)
    }

    /// Returns why nothing would migrate a new database: Compose starts no service with a profile, and the gate runs those of the databases
    /// that it rehearses.
    fn unrun_migrations(&self, database: &Database) -> Option<String> {
        let service = database.migrations.as_ref().filter(|service| self.candidate.has_profile(service))?;
        Some(format!(
            "database `{}` is new, and its migrations service `{service}` has a profile, so nothing would run it: take `profiles` of the \
             service away in the compose file",
            database.id
        ))
    }

    async fn source_has(&self, database: &Database) -> bool {
        let Some((source, model)) = self.source.and_then(|side| Some((side, &side.deployed.as_ref()?.model))) else {
            return false;
        };
        match server(source, &plan_database(database, model), model) {
            Some(server) => matches!(server.has(&database.name).await, Ok(true)),
            None => false,
        }
    }
}

/// Returns services and names of the databases that came with a run, or with one after it, that is rolled back with data.
pub(super) fn later(kind: &Kind, state: &StateDir) -> Result<BTreeSet<(String, String)>, StoreError> {
    let Kind::Rollback { run, .. } = kind else { return Ok(BTreeSet::new()) };
    let mut all = BTreeSet::new();
    for dir in journal::runs(&state.runs()) {
        if dir.file_name().is_none_or(|name| name.to_string_lossy().as_ref() < run.as_str()) {
            continue;
        }
        if let Some(Entry::Started { plan }) = journal::lines(&dir)?.first().map(|line| &line.entry) {
            let new = plan.new_databases.iter().filter(|one| !one.stays);
            all.extend(new.map(|one| (one.service.clone(), one.name.clone())));
        }
    }
    Ok(all)
}

impl Run {
    /// Returns what stays of the databases that the failed release brought, in words with what removes it.
    pub(super) async fn left_of_new_databases(&self) -> Vec<String> {
        let mut left = Vec::new();
        for new in self.plan.new_databases.iter().filter(|new| !new.stays) {
            if new.places.is_empty() {
                left.extend(self.left_on_server(new).await);
                continue;
            }
            let NewDatabase { name, service, places, .. } = new;
            match self.volumes_that_are(places).await {
                Ok(there) if there.is_empty() => {}
                Ok(there) => left.push(format!(
                    "database {name} of service {service} came with the failed release; what it wrote stays in {} and is used again by the \
                     next try",
                    there.join(", ")
                )),
                Err(error) => left.push(format!("what stays of database {name} is not known ({})", with_causes(&error))),
            }
        }
        left
    }

    async fn left_on_server(&self, new: &NewDatabase) -> Option<String> {
        let neighbour = self.plan.databases.iter().find(|database| database.service == new.service)?;
        let there = self.server(neighbour).await.ok()?.has(&new.name).await.ok()?;
        there.then(|| {
            format!(
                "database {} came with the failed release and stays on the server of {}; DROP DATABASE \"{}\" removes it",
                new.name,
                new.service,
                new.name.replace('"', "\"\"")
            )
        })
    }

    /// Returns those of the places that are there; a folder is.
    async fn volumes_that_are(&self, places: &[String]) -> Result<Vec<String>, EngineError> {
        let mut there = Vec::new();
        for place in places {
            let volume = place.strip_prefix("volume `").and_then(|name| name.strip_suffix('`'));
            let is_there = match volume {
                Some(name) => self.gate.engine.has_volume(name).await?,
                None => true,
            };
            if is_there {
                there.push(place.clone());
            }
        }
        Ok(there)
    }
}
