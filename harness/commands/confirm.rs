//! `gate confirm`: lets the release of a run stay that waits for it.

use std::path::PathBuf;

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
};
use stagegate_gate_act::{confirmation, unfinished};
use stagegate_gate_decide::promotion::Waits;
use stagegate_host::paths::StateDir;
use stagegate_target_act::{Connection, confirm as confirm_there};

use super::runs::{chosen, runs_named};
use crate::{
    cli,
    failure::{Failure, print_message},
};

pub(super) async fn run(config: &Config, args: cli::Confirm) -> Result<Exit, Failure> {
    let named = args.env.or_else(|| std::env::var("STAGEGATE_ENV").ok()).filter(|name| !name.is_empty());
    let mut environments = chosen(config, named.as_ref())?;
    // Where neither is named, those count whose runs wait at all.
    let is_named = |one: &Environment| named.is_some() || args.run.is_some() && one.ssh.is_none();
    environments.retain(|one| is_named(one) || one.confirm_within.is_some());
    let (there, here): (Vec<&Environment>, Vec<&Environment>) =
        environments.into_iter().partition(|one| one.ssh.is_some());
    let open = found(config, &here, args.run.as_deref())?;
    if let (true, Some((environment, host))) =
        (open.is_empty(), there.iter().find_map(|one| Some((one, one.ssh.as_ref()?))))
    {
        let connection = Connection::to(host, &environment.name);
        print_message(&confirm_there(&connection, &config.name, args.run, &environment.name).await?);
        return Ok(Exit::Passed);
    }
    let (dir, run) = one(open, args.run.as_deref())?;
    let text = match confirmation::confirm(&dir).await? {
        Waits::Committed => format!("run {run} needs no confirmation any more: its release stays"),
        Waits::Now | Waits::Confirmed => format!("run {run} is confirmed: its release stays"),
    };
    print_message(&text);
    Ok(Exit::Passed)
}

/// Returns the folders and ids of the runs that may be meant: the named one, else those that have not ended.
fn found(config: &Config, environments: &[&Environment], run: Option<&str>) -> Result<Vec<(PathBuf, String)>, Failure> {
    let mut open = Vec::new();
    for environment in environments {
        match run {
            Some(run) => {
                let runs = runs_named(config, environment, |name| name == run)?;
                open.extend(runs.into_iter().map(|(dir, plan, _)| (dir, plan.run)));
            }
            None => {
                let found = unfinished(&StateDir::of(config, &environment.project))?;
                open.extend(found.filter(|found| !found.stuck).map(|found| (found.dir, found.run)));
            }
        }
    }
    Ok(open)
}

/// Returns the one run that is meant.
fn one(mut open: Vec<(PathBuf, String)>, run: Option<&str>) -> Result<(PathBuf, String), Failure> {
    match (open.len(), run) {
        (1, _) => Ok(open.remove(0)),
        (0, Some(run)) => Err(Failure::usage(format!("there is no run `{run}`; `gate history` lists them"))),
        (0, None) => Err(Failure::usage("no run waits for a confirmation; `gate history` lists runs")),
        _ => {
            let runs: Vec<&str> = open.iter().map(|(_, run)| run.as_str()).collect();
            let commands = runs.join("` or `gate confirm ");
            Err(Failure::usage(format!("{} runs have not ended: `gate confirm {commands}`", runs.len())))
        }
    }
}
