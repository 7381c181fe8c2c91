//! `gate metrics`: the journals for Prometheus.

use std::path::Path;

use stagegate_base::{config::Config, exit::Exit};
use stagegate_watch_decide::metrics::{Measured, text};

use super::readings;
use crate::{
    cli,
    failure::{Failure, give_document, say},
};

/// The file's name in a folder of `node_exporter`.
const FILE_NAME: &str = "stagegate.prom";

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
        reading.unread.iter().for_each(|line| say(&format!("not counted: {line}")));
        let environment = config.environment(&reading.environment)?;
        let backups = readings::backups(config, environment);
        measured.push(Measured {
            runs: reading.facts(),
            environment: reading.environment,
            figures: reading.figures,
            backup_age_seconds: backups.as_ref().and_then(|backups| backups.age_seconds),
            watch: super::watch::known(config, environment),
            backups_ok: backups.map(|backups| backups.problems.is_empty()),
        });
    }
    Ok(text(&measured))
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
