//! Backups that are there: verified, pinned, removed by the rules.

use std::{sync::Arc, time::Instant};

use serde_json::json;
use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    text::counted,
};
use stagegate_data_act::{
    age::Identity,
    backup::{
        BackupError,
        journal::{self, Event},
        store::{Store, Stored},
    },
};
use stagegate_data_decide::backup::retention::{Decision, decide};
use stagegate_host::clock;

use super::{identity, offsite, policy, proof, snapshots, store_of};
use crate::{
    cli, confirm_option,
    failure::{Failure, give_json, outcome_first, print_message, print_result},
};

pub(super) async fn verify(config: &Arc<Config>, args: cli::VerifyBackup) -> Result<Exit, Failure> {
    let environment = super::super::named(config, args.env.as_ref())?;
    let store = store_of(config, environment);
    if args.offsite {
        let identity = identity(config, args.identity.as_deref())?;
        offsite::drill(config, environment, &args.id, (identity.as_ref(), args.restore)).await?;
        return Ok(Exit::Passed);
    }
    let stored = store.find(&args.id)?;
    let id = &stored.manifest.id;
    let problems = store.check(&stored)?;
    if !problems.is_empty() {
        note(&store, environment, id, Some(problems.join("; ")))?;
        return Err(BackupError::Damaged { id: id.clone(), problems }.into());
    }
    print_result(&format!("{id}: checksums of {} match", counted(stored.manifest.checksums().count(), "file")));
    let identity = identity(config, args.identity.as_deref())?;
    if args.restore {
        drill(config, environment, &stored, identity.as_ref()).await?;
    } else {
        proof::decrypted(config, &stored, identity.as_ref()).await?;
        let compared = snapshots::compared(config, &store, &stored).await;
        if let Some(damage) = compared.as_ref().err().filter(|failure| failure.exit() == Exit::Held) {
            note(&store, environment, id, Some(damage.text()))?;
        }
        compared?;
        note(&store, environment, id, None)?;
    }
    Ok(Exit::Passed)
}

/// Restores a backup into scratch servers, compares, and notes how that ended.
pub(in crate::commands) async fn drill(
    config: &Arc<Config>,
    environment: &Environment,
    stored: &Stored,
    identity: Option<&Identity>,
) -> Result<(), Failure> {
    let store = store_of(config, environment);
    let begun = Instant::now();
    let done = proof::restored(config, environment, stored, identity).await;
    let took = begun.elapsed().as_secs_f64();
    let id = &stored.manifest.id;
    match &done {
        Ok(()) => note(&store, environment, id, None)?,
        Err(failure) if failure.exit() == Exit::Held => note(&store, environment, id, Some(failure.text()))?,
        // What could not be tried states nothing about the backup.
        Err(_) => {}
    }
    let error = done.as_ref().err().map(|failure| failure.text().replace('\n', " "));
    outcome_first(done, journal::append(store.root(), Event::Drill, Some(id), error, took))
}

fn note(store: &Store, environment: &Environment, id: &str, damaged: Option<String>) -> Result<(), Failure> {
    let _lock = store.lock(&environment.project, "gate backup verify")?;
    Ok(store.note_verified(id, damaged)?)
}

pub(super) fn pin(config: &Arc<Config>, args: cli::OneBackup, pinned: bool) -> Result<Exit, Failure> {
    let environment = super::super::named(config, args.env.as_ref())?;
    let store = store_of(config, environment);
    let _lock = store.lock(&environment.project, "gate backup pin")?;
    let id = store.find(&args.id)?.manifest.id;
    store.noted(&id, |note| note.pinned = pinned)?;
    print_result(&format!("{id} is {}", if pinned { "pinned" } else { "not pinned any more" }));
    Ok(Exit::Passed)
}

pub(super) async fn prune(config: &Arc<Config>, args: cli::PruneBackups) -> Result<Exit, Failure> {
    let environment = super::super::named(config, args.env.as_ref())?;
    let here = decisions(config, environment)?;
    let there = match &config.backup.offsite {
        Some(_) => offsite::decisions(config, environment).await?,
        None => Vec::new(),
    };
    let gone = here.iter().chain(&there).filter(|one| !one.keep).count();
    if args.json {
        let one = |d: &Decision| json!({"id": d.id, "keep": d.keep, "reason": d.reason});
        let (here, there): (Vec<_>, Vec<_>) = (here.iter().map(one).collect(), there.iter().map(one).collect());
        let all = json!({ "v": 1, "environment": environment.name, "backups": here, "offsite": there });
        give_json(&serde_json::to_string_pretty(&all)?);
    } else {
        here.iter().for_each(|one| print_result(&line(one)));
        there.iter().for_each(|one| print_result(&format!("{}  (off-site)", line(one))));
    }
    if args.dry_run {
        print_message(&format!("{}: {} kept, {gone} to remove", environment.name, here.len() + there.len() - gone));
        return Ok(Exit::Passed);
    }
    if gone == 0 {
        if snapshots::is_open(&store_of(config, environment))? {
            prune_now(config, environment).await?;
        }
        // What an interrupted removal left off this host goes nevertheless.
        if config.backup.offsite.is_some() {
            offsite::prune_now(config, environment).await?;
        }
        print_message(&format!("{}: {} kept, {gone} to remove", environment.name, here.len() + there.len()));
        return Ok(Exit::Passed);
    }
    confirm_option::confirm(&format!("Remove {} of `{}`?", counted(gone, "backup"), environment.name), args.yes)?;
    let removed = prune_now(config, environment).await?;
    print_message(&format!("{}: removed {}", environment.name, counted(removed.len(), "backup")));
    if config.backup.offsite.is_some() {
        offsite::prune_now(config, environment).await?;
    }
    Ok(Exit::Passed)
}

fn line(one: &Decision) -> String {
    format!("{} {}  {}", if one.keep { "keep  " } else { "remove" }, one.id, one.reason)
}

fn decisions(config: &Config, environment: &Environment) -> Result<Vec<Decision>, Failure> {
    let (all, unreadable) = store_of(config, environment).list()?;
    unreadable.iter().for_each(|error| print_message(&stagegate_host::error::with_causes(error)));
    let listed: Vec<_> = all.iter().filter(|one| !one.of_promotion).map(Stored::listed).collect();
    Ok(decide(&listed, &policy(&config.backup), clock::unix_seconds()))
}

/// Removes what the rules let go, decided anew under the store's lock; returns them with the reasons.
pub(in crate::commands) async fn prune_now(
    config: &Config,
    environment: &Environment,
) -> Result<Vec<Decision>, Failure> {
    let store = store_of(config, environment);
    let _lock = store.lock(&environment.project, "gate backup prune")?;
    let begun = Instant::now();
    let mut removed = Vec::new();
    let done = async {
        for one in decisions(config, environment)?.into_iter().filter(|one| !one.keep) {
            store.remove(&one.id)?;
            removed.push(one);
        }
        snapshots::settle_now(config, environment, None).await
    };
    let done = done.await;
    let error = done.as_ref().err().map(|failure: &Failure| failure.text().replace('\n', " "));
    let written = journal::append(store.root(), Event::Prune, None, error, begun.elapsed().as_secs_f64());
    outcome_first(done.map(|()| removed), written)
}
