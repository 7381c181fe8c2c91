//! Hands a message to the receivers that the configuration names: a program's standard input, a URL.

use std::{
    fs::File,
    io::{Seek, Write},
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

/// Hands a message to every receiver and returns who did not take it. It is written to `file`, which the program reads, or into
/// memory where that fails; `trace` is the span that the program takes part in.
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
    let text = message.to_string();
    // A full disk may be why a run is stuck: its message goes out all the same.
    let input = match files::write_whole(file, text.as_bytes()).and_then(|()| File::open(file)) {
        Ok(input) => input,
        Err(source) => in_memory(&text).map_err(|_| NotifyError::File { path: file.to_path_buf(), source })?,
    };
    Ok(runner.run_from_file(command, WITHIN, input).await?)
}

/// Returns a file with `text` that takes no place on a disk.
fn in_memory(text: &str) -> std::io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("notification", rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

async fn by_url(url: &str, message: &Value) -> Result<(), NotifyError> {
    let request = Request::new("POST", "/").header("content-type", "application/json").body(message.to_string());
    let response = Http::new()?.deadline(WITHIN).send_url(url, &request).await?;
    if response.status < 300 { Ok(()) } else { Err(NotifyError::Status(response.status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_reaches_the_program_where_no_file_can_be_written() {
        let command = Command::new("grep").args(["-q", "stuck"]);
        let nowhere = Path::new("/proc/stagegate-no-such-folder/notification.json");
        let message = serde_json::json!({ "end": "stuck" });
        let sent = by_program(&Runner::default(), &command, &message, nowhere).await;
        assert!(sent.is_ok(), "{sent:?}");
        let other = serde_json::json!({ "end": "promoted" });
        assert!(by_program(&Runner::default(), &command, &other, nowhere).await.is_err(), "it reads the message");
    }
}
