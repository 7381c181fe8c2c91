//! Whether the backups of an environment are as they should be.

use stagegate_base::config::{Config, Environment};
use stagegate_data_act::backup::{
    journal::{self, Event},
    offsite::notes,
    store::Stored,
};
use stagegate_data_decide::backup::schedule::{drill_overdue, overdue};
use stagegate_host::clock;

use super::{seconds, store_of};
use crate::failure::Failure;

/// Returns what is wrong with the backups of an environment; empty where all is well.
pub(in crate::commands) fn state_of(config: &Config, environment: &Environment) -> Result<Vec<String>, Failure> {
    let store = store_of(config, environment);
    let (all, unreadable) = store.list()?;
    let lines = journal::lines(store.root());
    let (every, now) = (seconds(config.backup.every), clock::unix_seconds());
    let mut wrong: Vec<String> = Vec::new();
    for id in config.databases.keys() {
        let newest = all.iter().filter(|one| one.is_verified() && one.manifest.database(id).is_some());
        let newest = newest.map(|one| one.manifest.taken_unix).max();
        wrong.extend(overdue(&format!("database {id}"), newest, every, now));
    }
    for id in config.volumes.keys() {
        let has = |one: &&Stored| one.is_verified() && one.manifest.volumes.iter().any(|volume| volume.volume == *id);
        let newest = all.iter().filter(has).map(|one| one.manifest.taken_unix).max();
        wrong.extend(overdue(&format!("volume {id}"), newest, every, now));
    }
    if let Some(place) = config.backup.offsite.as_ref().map(|offsite| offsite.place.url()) {
        for id in config.databases.keys() {
            let has = |one: &&Stored| one.note.offsite.is_some() && one.manifest.database(id).is_some();
            let newest = all.iter().filter(has).map(|one| one.manifest.taken_unix).max();
            wrong.extend(overdue(&format!("database {id} in {place}"), newest, every, now));
        }
        let notes = notes::of(store.root())?;
        let damaged = notes.iter().filter_map(|(id, read)| Some((id, read.damaged.as_ref()?)));
        wrong.extend(damaged.map(|(id, why)| format!("the copy of {id} in {place} is damaged: {why}")));
    }
    let first = all.iter().map(|one| one.manifest.taken_unix).min();
    let drilled = journal::last_drill(&lines, config.backup.offsite.is_some()).map(|line| line.at);
    wrong.extend(drill_overdue(drilled, first, seconds(config.backup.drill), now));
    let events = [
        (Event::Backup, "backup"),
        (Event::Drill, "restore drill"),
        (Event::Prune, "prune"),
        (Event::Offsite, "upload"),
    ];
    for (event, word) in events {
        if let Some(line) = journal::last_failure(&lines, event) {
            wrong.push(format!("the last {word} failed: {}", line.error.clone().unwrap_or_default()));
        }
    }
    let damaged = all.iter().filter_map(|one| Some((&one.manifest.id, one.note.damaged.as_ref()?)));
    wrong.extend(damaged.map(|(id, why)| format!("{id} is damaged: {why}")));
    wrong.extend(unreadable.iter().map(|error| stagegate_host::error::with_causes(error)));
    Ok(wrong)
}
