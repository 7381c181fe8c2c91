//! `gate metrics`: the journals for Prometheus, and the file of them that is renewed as runs end.

use std::{path::Path, time::Duration};

use stagegate_base::{command::Command, config::Config, exit::Exit};
use stagegate_gate_act::journal;
use stagegate_host::{error::with_causes, paths::StateDir, process::Runner};
use stagegate_watch_decide::metrics::{Measured, text};

use super::readings;
use crate::{
    cli,
    failure::{Failure, give_document, print_message},
};

/// The file's name in a folder of `node_exporter`.
const FILE_NAME: &str = "stagegate.prom";
/// Over how many days the delivery figures are counted.
const DAYS: u32 = 90;
/// How long a process may take that writes the file.
const WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn run(config: &Config, args: &cli::Metrics) -> Result<Exit, Failure> {
    let text = written(config, args.env.as_ref(), args.days).await?;
    match &args.textfile {
        None => give_document(&text),
        Some(dir) => replace(&dir.join(FILE_NAME), &text)?,
    }
    Ok(Exit::Passed)
}

/// Returns the metrics of the environments that were asked for.
pub(super) async fn written(config: &Config, env: Option<&String>, days: u32) -> Result<String, Failure> {
    let mut measured = Vec::new();
    for reading in readings::read(config, env, days).await? {
        reading.unread.iter().for_each(|line| print_message(&format!("not counted: {line}")));
        let environment = config.environment(&reading.environment)?;
        let backups = readings::backups(config, environment);
        measured.push(Measured {
            runs: reading.facts(),
            open_incidents: reading.incidents.iter().filter(|one| one.closed.is_none()).count(),
            environment: reading.environment,
            figures: reading.figures,
            backup_age_seconds: backups.as_ref().and_then(|backups| backups.age_seconds),
            watch: super::watch::known(config, environment),
            backups_ok: backups.map(|backups| backups.problems.is_empty()),
        });
    }
    Ok(text(&measured))
}

/// Writes the file that the configuration names, where a journal is newer than it is: a run ended, here or in a process that was
/// killed. What cannot be written is reported, and changes nothing else.
pub(super) async fn renew(config: &Config) {
    let Some(dir) = config.metrics.textfile.as_ref().filter(|dir| is_older(config, &dir.join(FILE_NAME))) else {
        return;
    };
    let written = match written(config, None, DAYS).await {
        Ok(text) => replace(&dir.join(FILE_NAME), &text),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = written {
        print_message(&format!("the metrics were not written: {}", failure.text()));
    }
}

/// Returns whether a file is older than the newest journal of an environment, or not there.
fn is_older(config: &Config, file: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    let newest = config.environments_here().filter_map(|environment| {
        let runs = journal::runs(&StateDir::of(config, &environment.project).runs());
        modified(&runs.last()?.join(journal::FILE_NAME))
    });
    newest.max().is_some_and(|newest| modified(file).is_none_or(|written| written <= newest))
}

/// Writes that file in a process of its own: a watch that goes on for months holds no history in its memory.
pub(super) async fn renew_aside(config: &Config) {
    let Some(dir) = &config.metrics.textfile else { return };
    let program = match std::env::current_exe() {
        Ok(program) => program.display().to_string(),
        Err(error) => return print_message(&format!("the metrics were not written: {error}")),
    };
    let (path, dir) = (config.path.display().to_string(), dir.display().to_string());
    let command = Command::new(&program).args(["--config", &path, "metrics", "--textfile", &dir]);
    if let Err(error) = Runner::default().run_ok(&command, WITHIN).await {
        print_message(&format!("the metrics were not written: {}", with_causes(&error)));
    }
}

/// Writes a file that is read at any moment: it is whole at each, and readable by the exporter's user.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    // Another ending than the one that is collected.
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&draft, text).map_err(Failure::writing(&draft))?;
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&draft, readable).map_err(Failure::writing(&draft))?;
    std::fs::rename(&draft, path).map_err(Failure::writing(path))
}
