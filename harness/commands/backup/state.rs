//! Whether the backups of an environment are as they should be.

use std::path::PathBuf;

use stagegate_base::config::{Config, Environment};
use stagegate_data_act::backup::{
    journal::{self, Event, Line},
    offsite::notes::{self, Notes},
    store::Stored,
};
use stagegate_data_decide::backup::{
    Manifest,
    alert::Problem,
    retention::minute,
    schedule::{drill_overdue, is_ahead, overdue},
};
use stagegate_host::{clock, error::with_causes, paths::StateDir};

use super::{seconds, store_of};
use crate::failure::Failure;

/// Returns the folder of the journal of removed logs: one that is there without backups, too.
pub(in crate::commands) fn rotations(config: &Config, environment: &Environment) -> PathBuf {
    StateDir::of(config, &environment.project).root().join("schedule")
}

/// Returns what is wrong with the backups of an environment; empty where all is well.
pub(in crate::commands) fn state_of(config: &Config, environment: &Environment) -> Result<Vec<Problem>, Failure> {
    let store = store_of(config, environment);
    let (all, unreadable) = store.list()?;
    let lines = journal::lines(store.root());
    let mut wrong = ages(config, &all);
    let copies = notes::of(store.root())?;
    wrong.extend(offsite(config, &all, &lines, &copies));
    let first = all.iter().map(|one| one.manifest.taken_unix).min();
    let drilled = journal::last_drill(&lines, config.backup.offsite.is_some()).map(|line| line.at);
    let overdue = drill_overdue(drilled, first, seconds(config.backup.drill), clock::unix_seconds());
    wrong.extend(overdue.map(|text| Problem::new("restore drill overdue", text)));
    let events = [(Event::Backup, "backup"), (Event::Drill, "restore drill"), (Event::Prune, "prune")];
    for (event, word) in events {
        wrong.extend(journal::last_failure(&lines, event).map(|line| failed(word, line)));
    }
    wrong.extend(rotation_state(config, environment));
    let now = clock::unix_seconds();
    wrong.extend(all.iter().filter(|one| is_ahead(one.manifest.taken_unix, now)).map(|one| {
        let id = &one.manifest.id;
        let text = format!(
            "backup {id} was taken later than now ({}): the clock was wrong then or is now; `latest` passes it over, and prune keeps it",
            minute(one.manifest.taken_unix)
        );
        Problem::new(format!("{id} of the future"), text)
    }));
    let damaged = all.iter().filter_map(|one| Some((one, one.note.damaged.as_ref()?)));
    wrong.extend(damaged.map(|(one, why)| {
        let (id, place) = (&one.manifest.id, config.backup.offsite.as_ref().map(|offsite| offsite.place.url()));
        let import = place.filter(|_| has_copy(one, &copies)).map(|place| {
            format!("; its copy in {place} replaces it: `gate backup import --env {} {id}`", environment.name)
        });
        Problem::new(format!("{id} damaged"), format!("{id} is damaged: {why}{}", import.unwrap_or_default()))
    }));
    wrong.extend(unreadable.iter().map(|error| Problem::new(error.to_string(), with_causes(error))));
    Ok(wrong)
}

/// Returns whether a backup holds each database of the configuration: one of a single volume brings no data back.
pub(in crate::commands) fn has_databases(config: &Config, manifest: &Manifest) -> bool {
    config.databases.keys().all(|id| manifest.database(id).is_some())
}

/// Returns whether a backup may be the newest one that counts: verified, of all databases, and not of the future.
pub(super) fn may_count(config: &Config, one: &Stored, now: i64) -> bool {
    one.is_verified() && has_databases(config, &one.manifest) && !is_ahead(one.manifest.taken_unix, now)
}

/// Returns whether a backup was copied off this host, and nothing wrong was found when its copy was last read.
pub(super) fn has_copy(one: &Stored, copies: &Notes) -> bool {
    one.note.offsite.is_some() && copies.get(&one.manifest.id).is_none_or(|copy| copy.damaged.is_none())
}

/// Returns whether a copy may be the newest one that counts, whatever became of the backup on this host.
pub(super) fn copy_may_count(config: &Config, one: &Stored, copies: &Notes, now: i64) -> bool {
    has_copy(one, copies) && has_databases(config, &one.manifest) && !is_ahead(one.manifest.taken_unix, now)
}

/// Returns the age of the newest verified backup in seconds; `None` without one.
pub(in crate::commands) fn newest_age(config: &Config, environment: &Environment) -> Option<i64> {
    let (all, _) = store_of(config, environment).list().ok()?;
    let now = clock::unix_seconds();
    let newest = all.iter().find(|one| may_count(config, one, now))?;
    Some((now - newest.manifest.taken_unix).max(0))
}

/// Returns what is wrong with the removal of old logs, which every environment has.
pub(in crate::commands) fn rotation_state(config: &Config, environment: &Environment) -> Option<Problem> {
    let lines = journal::lines(&rotations(config, environment));
    journal::last_failure(&lines, Event::Rotate).map(|line| failed("log rotation", line))
}

fn failed(word: &str, line: &Line) -> Problem {
    let error = line.error.clone().unwrap_or_default();
    Problem::new(format!("{word} failed"), format!("the last {word} failed: {error}"))
}

/// Returns which databases and volumes have no verified backup that is young enough.
fn ages(config: &Config, all: &[Stored]) -> Vec<Problem> {
    let (every, now) = (seconds(config.backup.every), clock::unix_seconds());
    let age = |what: String, has: &dyn Fn(&&Stored) -> bool| {
        let taken = all.iter().filter(|one| one.is_verified()).filter(has).map(|one| one.manifest.taken_unix);
        let newest = taken.filter(|taken| !is_ahead(*taken, now)).max();
        overdue(&what, newest, every, now).map(|text| Problem::new(format!("{what} overdue"), text))
    };
    let databases = config
        .databases
        .keys()
        .filter_map(|id| age(format!("database {id}"), &|one: &&Stored| one.manifest.database(id).is_some()));
    let volumes = config.volumes.keys().filter_map(|id| {
        age(format!("volume {id}"), &|one: &&Stored| one.manifest.volumes.iter().any(|volume| volume.volume == *id))
    });
    databases.chain(volumes).collect()
}

/// Returns what is wrong with the copies off this host.
fn offsite(config: &Config, all: &[Stored], lines: &[Line], copies: &Notes) -> Vec<Problem> {
    let Some(place) = config.backup.offsite.as_ref().map(|offsite| offsite.place.url()) else {
        return Vec::new();
    };
    let (every, now, mut wrong) = (seconds(config.backup.every), clock::unix_seconds(), Vec::new());
    for id in config.databases.keys() {
        let has = |one: &&Stored| has_copy(one, copies) && one.manifest.database(id).is_some();
        let newest = all.iter().filter(has).map(|one| one.manifest.taken_unix).filter(|at| !is_ahead(*at, now)).max();
        let what = format!("database {id} in {place}");
        wrong.extend(overdue(&what, newest, every, now).map(|text| Problem::new(format!("{what} overdue"), text)));
    }
    let damaged = copies.iter().filter_map(|(id, read)| Some((id, read.damaged.as_ref()?)));
    wrong.extend(damaged.map(|(id, why)| {
        Problem::new(format!("copy of {id} damaged"), format!("the copy of {id} in {place} is damaged: {why}"))
    }));
    // Of a backup that is gone, or was copied since, nothing is to be done.
    let is_open = |line: &&&Line| {
        let copied = |id: &String| !all.iter().any(|one| one.manifest.id == *id && one.note.offsite.is_none());
        !line.id.as_ref().is_some_and(copied)
    };
    wrong.extend(journal::failures(lines, Event::Offsite).iter().filter(is_open).map(|line| {
        let of = line.id.as_ref().map_or_else(String::new, |id| format!(" of {id}"));
        let error = line.error.clone().unwrap_or_default();
        Problem::new(format!("upload{of} failed"), format!("the last upload{of} failed: {error}"))
    }));
    wrong.extend(journal::last_failure(lines, Event::PruneOffsite).map(|line| failed("off-site prune", line)));
    wrong
}
