//! The lists of backups, and whether they are as they should be.

use serde_json::{Value, json};
use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    units::Size,
};
use stagegate_data_act::backup::{journal, offsite::notes, store::Stored};
use stagegate_data_decide::backup::{Manifest, VolumeArchive, retention::minute, schedule::length};
use stagegate_host::{clock, error::with_causes};

use super::{
    chosen,
    state::{copy_may_count, may_count},
    state_of, store_of,
};
use crate::{
    cli,
    failure::{Failure, give_json, print_message, print_result},
};

pub(super) fn list(config: &Config, args: &cli::ListStored) -> Result<Exit, Failure> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    for environment in chosen(config, args.env.as_ref())? {
        let (all, unreadable) = store_of(config, environment).list()?;
        values.extend(all.iter().map(value));
        lines.extend(all.iter().map(|stored| line(stored, stored.note.damaged.as_deref())));
        unreadable.iter().for_each(|error| print_message(&with_causes(error)));
    }
    if args.json {
        give_json(&serde_json::to_string_pretty(&json!({ "v": 1, "backups": values }))?);
    } else if lines.is_empty() {
        print_message("no backups yet; `gate backup --env NAME` makes one");
    } else {
        lines.iter().for_each(|line| print_result(line));
    }
    Ok(Exit::Passed)
}

/// Writes one backup; `damaged` is what is wrong with it.
pub(super) fn line(stored: &Stored, damaged: Option<&str>) -> String {
    let manifest = &stored.manifest;
    let mut words = vec![
        manifest.id.clone(),
        manifest.environment.clone(),
        format!("{:>9}", Size(manifest.bytes()).to_string()),
        format!("restore {:.1} s", restore_seconds(manifest)),
        manifest.groups().join(", "),
    ];
    words.extend(manifest.release.as_ref().map(|release| format!("release {}", release.name)));
    words.push(match (damaged, &stored.note.verified) {
        (Some(why), _) => format!("DAMAGED: {why}"),
        (None, Some(time)) => format!("verified {time}"),
        (None, None) => format!("verified {}", manifest.taken),
    });
    words.extend(stored.of_promotion.then(|| "made by a promotion".to_owned()));
    words.extend(stored.note.offsite.is_some().then(|| "off-site".to_owned()));
    words.extend(manifest.is_encrypted().then(|| "encrypted".to_owned()));
    words.extend(stored.note.pinned.then(|| "pinned".to_owned()));
    words.join("  ")
}

fn restore_seconds(manifest: &Manifest) -> f64 {
    let volumes = manifest.volumes.iter().map(|volume| volume.seconds);
    // The sum of nothing is -0.
    0.0 + manifest.objects.iter().map(|object| object.proof_seconds).chain(volumes).sum::<f64>()
}

/// Returns a backup for programs: its manifest without the facts of each table.
pub(super) fn summary(manifest: &Manifest) -> Value {
    let databases: Vec<Value> = manifest
        .objects
        .iter()
        .map(|one| {
            json!({
                "database": one.database, "name": one.name, "file": one.file, "sha256": one.sha256, "bytes": one.bytes,
                "major": one.major, "restored_bytes": one.restored_bytes, "rows": one.facts.rows(),
                "tables": one.facts.tables.len(), "dump_seconds": one.dump_seconds,
                "proof_seconds": one.proof_seconds,
            })
        })
        .collect();
    let volume = |one: &VolumeArchive| {
        json!({ "volume": one.volume, "file": one.file, "sha256": one.sha256, "bytes": one.bytes,
                "entries": one.entries.len(), "seconds": one.seconds })
    };
    let volumes: Vec<Value> = manifest.volumes.iter().map(volume).collect();
    json!({
        "id": manifest.id, "environment": manifest.environment, "taken": manifest.taken,
        "release": manifest.release, "bytes": manifest.bytes(), "databases": databases, "volumes": volumes, "files": manifest.files,
    })
}

fn value(stored: &Stored) -> Value {
    let mut value = summary(&stored.manifest);
    value["dir"] = json!(stored.dir);
    value["note"] = json!(stored.note);
    value
}

pub(super) fn status(config: &Config, args: &cli::ListBackups) -> Result<Exit, Failure> {
    let named = args.env.is_some();
    let (mut values, mut is_well) = (Vec::new(), true);
    for environment in chosen(config, args.env.as_ref())? {
        // Without a name those are shown that are to have backups.
        if !named && !config.backup.covers(environment) {
            continue;
        }
        let wrong = state_of(config, environment)?;
        is_well &= wrong.is_empty();
        let wrong: Vec<String> = wrong.into_iter().map(|problem| problem.text).collect();
        let (text, value) = facts(config, environment, &wrong)?;
        values.push(value);
        if !args.json {
            print_result(&text);
        }
    }
    if args.json {
        give_json(&serde_json::to_string_pretty(&json!({ "v": 1, "environments": values }))?);
    }
    if values.is_empty() {
        print_message("no environment is backed up by the schedule: name them in `environments` of [backup]");
    }
    Ok(if is_well { Exit::Passed } else { Exit::Held })
}

fn facts(config: &Config, environment: &Environment, wrong: &[String]) -> Result<(String, Value), Failure> {
    let store = store_of(config, environment);
    let (all, _) = store.list()?;
    let lines = journal::lines(store.root());
    let now = clock::unix_seconds();
    let newest = all.iter().find(|one| may_count(config, one, now));
    let place = config.backup.offsite.as_ref().map(|offsite| offsite.place.url());
    let drill = journal::last_drill(&lines, place.is_some());
    let copies = notes::of(store.root())?;
    let copied = all.iter().find(|one| copy_may_count(config, one, &copies, now));
    let age = |one: &Stored| (now - one.manifest.taken_unix).max(0);
    let mut text = vec![format!("{}: {}", environment.name, if wrong.is_empty() { "backups OK" } else { "NOT OK" })];
    text.extend(wrong.iter().map(|one| format!("  {one}")));
    match newest {
        Some(one) => text.push(format!(
            "  newest    {} of {}, {} ago (that much data would be lost now: RPO), restored in {:.1} s (RTO)",
            one.manifest.id,
            minute(one.manifest.taken_unix),
            length(age(one)),
            restore_seconds(&one.manifest)
        )),
        None => text.push("  newest    none".to_owned()),
    }
    match (&place, copied) {
        (Some(place), Some(one)) => text.push(format!(
            "  off-site  {} of {}, {} ago (RPO if this host is lost), in {place}",
            one.manifest.id,
            minute(one.manifest.taken_unix),
            length(age(one))
        )),
        (Some(place), None) => text.push(format!("  off-site  none in {place}")),
        (None, _) => {}
    }
    text.push(match (drill, &place) {
        (Some(line), Some(_)) => format!(
            "  drill     {} of the copy off-site, brought here and restored in {:.1} s (RTO if this host is lost)",
            minute(line.at),
            line.seconds
        ),
        (Some(line), None) => format!("  drill     {} in {:.1} s", minute(line.at), line.seconds),
        (None, Some(_)) => "  drill     none yet; `gate backup verify --offsite --restore` is one".to_owned(),
        (None, None) => "  drill     none yet; `gate backup verify --restore` is one".to_owned(),
    });
    text.push(format!("  stored    {} in {}", all.len(), store.root().display()));
    let value = json!({
        "environment": environment.name, "ok": wrong.is_empty(), "problems": wrong, "backups": all.len(),
        "newest": newest.map(|one| summary(&one.manifest)),
        "rpo_seconds": newest.map(age),
        "rto_seconds": newest.map(|one| restore_seconds(&one.manifest)),
        "drill": drill,
        "offsite": place.map(|place| json!({
            "place": place, "newest": copied.map(|one| summary(&one.manifest)), "rpo_seconds": copied.map(age),
            "rto_seconds": drill.map(|line| line.seconds),
        })),
    });
    Ok((text.join("\n"), value))
}
