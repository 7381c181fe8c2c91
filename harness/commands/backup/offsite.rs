//! Copies of backups off this host: written, listed, brought back, restored as a drill, removed.

use std::{path::Path, sync::Arc, time::Instant};

use serde_json::json;
use stagegate_base::{
    config::{Config, Environment, OffsiteTarget},
    exit::Exit,
    text::counted,
    units::Size,
};
use stagegate_data_act::{
    age::Identity,
    backup::{
        journal::{self, Event},
        offsite::{Access, ByPrograms, Copied, Offsite, OffsiteError, notes},
        store::{Note, Stored},
    },
};
use stagegate_data_decide::backup::retention::{Decision, Listed, decide};
use stagegate_host::{clock, error::with_causes, files, lock, paths::StateDir, process::Runner};

use super::{policy, print, proof, store_of};
use crate::{
    cli,
    failure::{Failure, give_json, outcome_first, print_message, print_result},
};

/// Opens the place of an environment's copies.
fn open(config: &Config, environment: &Environment) -> Result<Offsite, Failure> {
    let Some(settings) = &config.backup.offsite else {
        let text = format!("{} has no [backup.offsite], which names where copies are kept", config.path.display());
        return Err(Failure::configuration(text));
    };
    let access = match (&settings.place, &settings.credentials) {
        (OffsiteTarget::Folder(_) | OffsiteTarget::Rclone(_) | OffsiteTarget::Programs(_), _) => None,
        (OffsiteTarget::S3 { .. }, Some(file)) => Some(Access::of_file(file).map_err(OffsiteError::from)?),
        (OffsiteTarget::S3 { .. }, None) => Access::of_variables(|name| std::env::var(name).ok()),
    };
    // The next holder of the store's lock ends what a killed command left.
    let mark = lock::mark(&StateDir::at(store_of(config, environment).root()), "offsite");
    let by = ByPrograms { runner: Runner::default().with_mark(&mark), within: config.gate.backup_within.0 };
    Ok(Offsite::open(settings, &environment.project, access.as_ref(), by)?)
}

/// Returns whether a backup is to be copied: it was never, and nothing is wrong with it.
fn is_wanted(stored: &Stored) -> bool {
    stored.note.offsite.is_none() && stored.is_verified() && !stored.of_promotion
}

/// Returns whether there are backups that were not copied yet.
pub(in crate::commands) fn is_behind(config: &Config, environment: &Environment) -> Result<bool, Failure> {
    Ok(config.backup.offsite.is_some() && store_of(config, environment).list()?.0.iter().any(is_wanted))
}

pub(super) async fn upload(config: &Arc<Config>, args: cli::UploadBackups) -> Result<Exit, Failure> {
    let environment = super::super::named(config, args.env.as_ref())?;
    upload_now(config, environment, args.id.as_deref()).await?;
    Ok(Exit::Passed)
}

/// Copies a backup, or all that were not copied yet, the newest first.
pub(in crate::commands) async fn upload_now(
    config: &Arc<Config>,
    environment: &Environment,
    id: Option<&str>,
) -> Result<(), Failure> {
    let (offsite, store) = (open(config, environment)?, store_of(config, environment));
    // Nothing is removed from the store meanwhile.
    let _lock = store.lock(&environment.project, "gate backup upload")?;
    let chosen: Vec<Stored> = match id {
        Some(id) => vec![store.find(id)?],
        None => store.list()?.0.into_iter().filter(is_wanted).collect(),
    };
    if chosen.is_empty() {
        print_message(&format!("{}: every backup is in {}", environment.name, offsite.shown()));
    }
    let mut failed = None;
    for stored in chosen {
        let (begun, id) = (Instant::now(), &stored.manifest.id);
        let done = offsite.upload(&stored).await;
        let (took, error) = (begun.elapsed().as_secs_f64(), done.as_ref().err().map(|error| with_causes(error)));
        let written = journal::append(store.root(), Event::Offsite, Some(id), error, took);
        match done {
            Ok(bytes) => {
                written?;
                store.noted(id, |note| note.offsite = Some(clock::now()))?;
                print_result(&format!(
                    "{id}: {} written to {} and read back in {took:.1} s",
                    Size(bytes),
                    offsite.shown()
                ));
            }
            // The others would meet the same.
            Err(error @ (OffsiteError::Store { .. } | OffsiteError::Access(_))) => return Err(error.into()),
            // What is wrong with one backup keeps no other one here.
            Err(error) if failed.is_none() => failed = Some(error),
            Err(error) => print_message(&format!("{id} was not copied: {}", with_causes(&error))),
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Lists what the place holds, by what is there alone.
pub(super) async fn list(config: &Arc<Config>, args: &cli::ListStored) -> Result<Exit, Failure> {
    let mut values = Vec::new();
    for environment in super::chosen(config, args.env.as_ref())? {
        let offsite = open(config, environment)?;
        let (all, unreadable) = offsite.list().await?;
        unreadable.iter().for_each(|error| print_message(&with_causes(error)));
        if all.is_empty() && !args.json {
            print_message(&format!("{} holds no backup", offsite.shown()));
        }
        let damaged = notes::of(store_of(config, environment).root())?;
        for copy in all {
            let mut value = print::summary(&copy.manifest);
            let wrong = wrong(&copy, &damaged);
            value["problems"] = json!(wrong);
            values.push(value);
            if !args.json {
                print_result(&print::line(&as_stored(copy, Path::new("")), wrong.as_deref()));
            }
        }
    }
    if args.json {
        give_json(&serde_json::to_string_pretty(&json!({ "v": 1, "backups": values }))?);
    }
    Ok(Exit::Passed)
}

/// Returns in words what is wrong with a copy, by the list of its files and by what was found when it was last read.
fn wrong(copy: &Copied, notes: &notes::Notes) -> Option<String> {
    let listed = (!copy.problems.is_empty()).then(|| copy.problems.join("; "));
    listed.or_else(|| notes.get(&copy.manifest.id)?.damaged.clone())
}

fn as_stored(copy: Copied, dir: &Path) -> Stored {
    Stored { dir: dir.to_path_buf(), manifest: copy.manifest, note: Note::default(), of_promotion: false }
}

pub(super) async fn import(config: &Arc<Config>, args: cli::ImportBackup) -> Result<Exit, Failure> {
    let environment = super::super::named(config, args.env.as_ref())?;
    let (offsite, store) = (open(config, environment)?, store_of(config, environment));
    let chosen = match args.all {
        true => offsite.list().await?.0.into_iter().filter(|copy| copy.problems.is_empty()).collect(),
        false => vec![offsite.find(&args.id).await?],
    };
    let _lock = store.lock(&environment.project, "gate backup import")?;
    // A damaged one, or one whose manifest cannot be read, is what a copy is there for.
    let here: Vec<String> =
        store.list()?.0.into_iter().filter(Stored::is_verified).map(|stored| stored.manifest.id).collect();
    for copy in chosen {
        let id = copy.manifest.id.clone();
        if here.contains(&id) {
            print_result(&format!("{id} is here already"));
            continue;
        }
        has_room(&copy, store.root())?;
        let draft = store.draft(&id)?;
        let brought = match offsite.download(&copy, &draft).await {
            Ok(()) => store.adopt(&draft, &id).map_err(Failure::from),
            Err(error) => Err(error.into()),
        };
        if brought.is_err() {
            store.discard(&draft);
        }
        brought?;
        store.noted(&id, |note| note.offsite = Some(clock::now()))?;
        print_result(&format!("{id} of {} was brought here; its checksums match", offsite.shown()));
    }
    Ok(Exit::Passed)
}

fn has_room(copy: &Copied, root: &Path) -> Result<(), Failure> {
    let (needed, free) = (copy.manifest.bytes(), files::free_space(root).unwrap_or(u64::MAX));
    if needed < free {
        return Ok(());
    }
    let (id, root) = (&copy.manifest.id, root.display());
    Err(Failure::not_run(format!(
        "{id} has {}, and {root} has {} free; free some, or set `dir` of [backup]",
        Size(needed),
        Size(free)
    )))
}

/// Brings a copy here, verifies it and, with `restore`, restores it into scratch servers; removes it from here again.
pub(in crate::commands) async fn drill(
    config: &Arc<Config>,
    environment: &Environment,
    id: &str,
    (identity, restore): (Option<&Identity>, bool),
) -> Result<(), Failure> {
    let (offsite, store) = (open(config, environment)?, store_of(config, environment));
    let (copy, begun) = (offsite.find(id).await?, Instant::now());
    let id = copy.manifest.id.clone();
    let stored = {
        // The draft of a killed drill goes with the next lock, and this one lasts as long as the lock.
        has_room(&copy, store.root())?;
        let _lock = store.lock(&environment.project, "gate backup verify")?;
        let draft = store.draft(&format!("drill-{id}"))?;
        let downloaded = offsite.download(&copy, &draft).await;
        let stored = as_stored(copy, &draft);
        let done = match downloaded {
            Ok(()) => {
                print_message(&format!(
                    "{id}: brought here from {} in {:.1} s",
                    offsite.shown(),
                    begun.elapsed().as_secs_f64()
                ));
                proof::proven(config, environment, &stored, (identity, restore)).await
            }
            Err(error) => Err(error.into()),
        };
        store.discard(&draft);
        let failed = done.as_ref().err();
        if failed.is_none_or(|failure: &Failure| failure.exit() == Exit::Held) {
            notes::note(store.root(), &id, failed.map(Failure::text))?;
        }
        done
    };
    let failed = stored.as_ref().err();
    if restore {
        let error = failed.map(|failure| failure.text().replace('\n', " "));
        let seconds = begun.elapsed().as_secs_f64();
        let line = journal::Line {
            at: clock::unix_seconds(),
            event: Event::Drill,
            id: Some(id),
            error,
            seconds,
            offsite: true,
        };
        journal::add(store.root(), &line)?;
    }
    stored
}

/// Returns what the rules make of each copy.
pub(super) async fn decisions(config: &Config, environment: &Environment) -> Result<Vec<Decision>, Failure> {
    let offsite = open(config, environment)?;
    Ok(decided(config, environment, &offsite).await?.0)
}

async fn decided(
    config: &Config,
    environment: &Environment,
    offsite: &Offsite,
) -> Result<(Vec<Decision>, Vec<Copied>), Failure> {
    let (all, unreadable) = offsite.list().await?;
    unreadable.iter().for_each(|error| print_message(&with_causes(error)));
    let store = store_of(config, environment);
    let (here, notes) = (store.list()?.0, notes::of(store.root())?);
    let listed = |copy: &Copied| Listed {
        id: copy.manifest.id.clone(),
        taken: copy.manifest.taken_unix,
        groups: copy.manifest.groups(),
        verified: wrong(copy, &notes).is_none(),
        pinned: here.iter().any(|stored| stored.manifest.id == copy.manifest.id && stored.note.pinned),
        in_use: None,
    };
    let listed: Vec<Listed> = all.iter().map(listed).collect();
    Ok((decide(&listed, &policy(&config.backup), clock::unix_seconds()), all))
}

/// Removes copies that the rules let go, goes on with removals that were interrupted, and notes how that ended; returns how many
/// went.
pub(in crate::commands) async fn prune_now(config: &Config, environment: &Environment) -> Result<usize, Failure> {
    let (offsite, store) = (open(config, environment)?, store_of(config, environment));
    let _lock = store.lock(&environment.project, "gate backup prune")?;
    let begun = Instant::now();
    let done = prune_locked(config, environment, &offsite).await;
    let error = done.as_ref().err().map(|failure| failure.text().replace('\n', " "));
    outcome_first(done, journal::append(store.root(), Event::PruneOffsite, None, error, begun.elapsed().as_secs_f64()))
}

async fn prune_locked(config: &Config, environment: &Environment, offsite: &Offsite) -> Result<usize, Failure> {
    let store = store_of(config, environment);
    offsite.sweep().await?;
    let (decisions, all) = decided(config, environment, offsite).await?;
    let gone = decisions.iter().filter(|one| !one.keep);
    let mut removed = 0;
    for copy in gone.filter_map(|one| all.iter().find(|copy| copy.manifest.id == one.id)) {
        store.intend_removal(&copy.manifest)?;
        offsite.remove(copy).await?;
        notes::forget(store.root(), &copy.manifest.id)?;
        removed += 1;
    }
    if super::snapshots::is_open(&store)? {
        let left = offsite.list().await?.0.into_iter().map(|copy| copy.manifest.id).collect();
        super::snapshots::settle_now(config, environment, Some(&left)).await?;
    }
    if removed > 0 {
        print_message(&format!(
            "{}: removed {} from {}",
            environment.name,
            counted(removed, "backup"),
            offsite.shown()
        ));
    }
    Ok(removed)
}

impl crate::failure::Classify for OffsiteError {
    fn class(&self) -> stagegate_base::exit::Cause {
        use stagegate_base::exit::Cause;
        match self {
            OffsiteError::Access(_) | OffsiteError::Refused(_) => Cause::Usage,
            OffsiteError::Store { .. } => Cause::NotRun,
            OffsiteError::File { .. } => Cause::File,
            OffsiteError::Differs { .. } | OffsiteError::Manifest { .. } => Cause::Blocked,
        }
    }
}
