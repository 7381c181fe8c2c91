//! Hands a message to the receivers that the configuration names: a program's standard input, a URL.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use stagegate_base::{
    command::Command,
    config::{Config, Gate},
    trace_parent::{TraceParent, VARIABLE},
};

use crate::{
    files,
    http::{Http, HttpError, Request},
    process::{RunError, Runner},
};

/// How long each receiver has.
pub const WITHIN: Duration = Duration::from_secs(10);

/// A receiver that did not take a message.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The file with the message, which the program reads.
    #[error("cannot write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The program.
    #[error(transparent)]
    Program(#[from] RunError),
    /// The URL.
    #[error(transparent)]
    Url(#[from] HttpError),
    /// What the URL responded.
    #[error("the webhook responded with status {0}")]
    Status(u16),
}

/// Returns whether there is a receiver at all.
#[must_use]
pub fn has_receiver(gate: &Gate) -> bool {
    !gate.notify_command.is_empty() || gate.notify_webhook.is_some()
}

/// Hands a message to every receiver and returns who did not take it. It is written to `file`, which the program reads; `trace` is
/// the span that the program takes part in.
pub async fn notify(
    runner: &Runner,
    config: &Config,
    message: &Value,
    (file, trace): (&Path, Option<&TraceParent>),
) -> Vec<NotifyError> {
    let mut failures = Vec::new();
    if let Some((program, args)) = config.gate.notify_command.split_first() {
        let command = Command::new(program).args(args.to_vec()).in_dir(config.root());
        let command = trace.iter().fold(command, |command, trace| command.env(VARIABLE, trace.to_string()));
        failures.extend(by_program(runner, &command, message, file).await.err());
    }
    if let Some(url) = &config.gate.notify_webhook {
        failures.extend(by_url(url, message).await.err());
    }
    failures
}

async fn by_program(runner: &Runner, command: &Command, message: &Value, file: &Path) -> Result<(), NotifyError> {
    let failed = |source| NotifyError::File { path: file.to_path_buf(), source };
    files::write_whole(file, message.to_string().as_bytes()).map_err(failed)?;
    Ok(runner.run_from_file(command, WITHIN, File::open(file).map_err(failed)?).await?)
}

async fn by_url(url: &str, message: &Value) -> Result<(), NotifyError> {
    let request = Request::new("POST", "/").header("content-type", "application/json").body(message.to_string());
    let response = Http::new()?.deadline(WITHIN).send_url(url, &request).await?;
    if response.status < 300 { Ok(()) } else { Err(NotifyError::Status(response.status)) }
}
