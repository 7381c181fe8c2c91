//! Files of commits, without a checkout.

use std::{collections::HashMap, time::Duration};

use stagegate_base::{command::Command, encoding};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::process::{RunError, Runner};

/// How long git may take to print files.
const WITHIN: Duration = Duration::from_secs(60);

/// A file of a commit.
#[derive(Debug, PartialEq)]
pub(crate) enum Blob {
    Text(String),
    /// What is wrong with it.
    Unreadable(String),
}

/// Reads files of a commit, all by one program, `git cat-file --batch --follow-symlinks`; a name that the commit does not have
/// is left out.
pub(crate) async fn blobs(
    runner: &Runner,
    command: &Command,
    revision: &str,
    names: &[String],
) -> Result<HashMap<String, Blob>, RunError> {
    let mut started = runner.start(command)?;
    let Some((mut stdin, mut stdout)) = started.streams() else { return Ok(HashMap::new()) };
    let lines: String = names.iter().map(|name| format!("{revision}:{name}\n")).collect();
    let mut output = Vec::new();
    let write = async {
        // A program that ended already has reported so by what it printed.
        let _ = stdin.write_all(lines.as_bytes()).await;
        drop(stdin);
    };
    let both = async { tokio::join!(write, stdout.read_to_end(&mut output)).1 };
    let ended = tokio::time::timeout(WITHIN, both).await;
    started.end().await;
    let line = runner.mask().apply(&command.line());
    match ended {
        Err(_) => Err(RunError::TimedOut { line, within: WITHIN, ended: None }),
        Ok(Err(source)) => Err(RunError::Stream { line, source }),
        Ok(Ok(_)) => Ok(printed(&output, names)),
    }
}

/// Reads what `git cat-file --batch --follow-symlinks` prints about files, in their order.
// Source: git-cat-file(1), BATCH OUTPUT.
fn printed(output: &[u8], names: &[String]) -> HashMap<String, Blob> {
    let mut found = HashMap::new();
    let mut rest = output;
    for name in names {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
        let header = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        // Of what is missing only the name is printed.
        let words = header.rsplit_once(' ').and_then(|(words, size)| Some((words, size.parse::<usize>().ok()?)));
        let Some((words, size)) = words else { continue };
        let Some(content) = rest.get(..size) else { break };
        rest = rest.get(size + 1..).unwrap_or_default();
        let kind = words.rsplit(' ').next().unwrap_or_default();
        let blob = match kind {
            "blob" => match encoding::text(content.to_vec()) {
                Ok(text) => Blob::Text(text),
                Err(error) => Blob::Unreadable(format!("cannot be used: {error}")),
            },
            "tree" => Blob::Unreadable("is a folder".to_owned()),
            "symlink" => Blob::Unreadable("is reached by a symbolic link that leads out of the release".to_owned()),
            "dangling" | "loop" | "notdir" => {
                Blob::Unreadable("is reached by a symbolic link that leads to nothing".to_owned())
            }
            other => Blob::Unreadable(format!("is no file, but a {other}")),
        };
        found.insert(name.clone(), blob);
    }
    found
}
