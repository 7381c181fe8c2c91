//! A place that programs reach: `rclone`, or those of the user.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use stagegate_base::{
    command::{Command, rclone},
    config::{OffsiteTarget, PlacePrograms},
};
use stagegate_data_decide::backup::offsite::{Object, listed_by_program};
use stagegate_host::{
    clock,
    process::{RunError, Runner},
};

use super::error::{OffsiteError, REASON, file_error};
use crate::age::{blocking, pipe};

/// How much of an object is on its way at a time.
const CHUNK: usize = 1 << 20;
const CHUNKS: usize = 4;

/// A file of rclone's list.
#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Path")]
    path: String,
    #[serde(rename = "Size")]
    size: u64,
    #[serde(rename = "ModTime")]
    written: String,
}

fn listed_by_rclone(text: &str) -> Result<Vec<Object>, serde_json::Error> {
    let all: Vec<Listed> = serde_json::from_str(text)?;
    // What has no time is as new: it is no part of an upload that nobody goes on with.
    let written = |one: &Listed| clock::unix_seconds_of(&one.written).unwrap_or_else(clock::unix_seconds);
    Ok(all.iter().map(|one| Object { name: one.path.clone(), bytes: one.size, written: written(one) }).collect())
}

/// The objects of one environment.
#[derive(Debug)]
pub(super) struct Programs {
    tool: Tool,
    project: String,
    shown: String,
    runner: Runner,
    within: Duration,
}

#[derive(Debug)]
enum Tool {
    Rclone { remote: String, config: Option<PathBuf> },
    Users(PlacePrograms),
}

impl Programs {
    /// Opens a place; `None` where programs do not reach it. `credentials` is rclone's configuration.
    pub(super) fn open(
        place: &OffsiteTarget,
        (project, shown): (&str, &str),
        credentials: Option<&Path>,
        (runner, within): (Runner, Duration),
    ) -> Option<Self> {
        let tool = match place {
            OffsiteTarget::Rclone(remote) => {
                Tool::Rclone { remote: remote.clone(), config: credentials.map(Path::to_path_buf) }
            }
            OffsiteTarget::Programs(programs) => Tool::Users(programs.clone()),
            OffsiteTarget::S3 { .. } | OffsiteTarget::Folder(_) => return None,
        };
        Some(Programs { tool, project: project.to_owned(), shown: shown.to_owned(), runner, within })
    }

    fn failed(&self, what: &'static str, at: &str) -> impl Fn(RunError) -> OffsiteError {
        let at = format!("{}/{at}", self.shown);
        move |error| {
            let reason = stagegate_host::error::with_causes(&error).chars().take(REASON).collect();
            OffsiteError::Store { what, at: at.clone(), reason }
        }
    }

    fn remote(remote: &str, project: &str, name: &str) -> String {
        let slash = if remote.ends_with([':', '/']) { "" } else { "/" };
        let name = if name.is_empty() { String::new() } else { format!("/{name}") };
        format!("{remote}{slash}{project}{name}")
    }

    pub(super) async fn list(&self) -> Result<Vec<Object>, OffsiteError> {
        let failed = self.failed("list", "");
        let unreadable = |reason: String| OffsiteError::Store { what: "list", at: self.shown.clone(), reason };
        match &self.tool {
            Tool::Rclone { remote, config } => {
                let command = rclone::list(config.as_deref(), &Self::remote(remote, &self.project, ""));
                match self.runner.run_ok(&command, self.within).await {
                    Ok(text) => listed_by_rclone(&text).map_err(|error| unreadable(error.to_string())),
                    Err(RunError::Failed { code, .. }) if rclone::NOT_FOUND.contains(&code) => Ok(Vec::new()),
                    Err(error) => Err(failed(error)),
                }
            }
            Tool::Users(programs) => {
                let command = programs.command(&programs.list, "", &self.project);
                let text = self.runner.run_ok(&command, self.within).await.map_err(failed)?;
                listed_by_program(&text, &self.project).map_err(|error| unreadable(error.to_string()))
            }
        }
    }

    pub(super) async fn size(&self, name: &str) -> Result<Option<u64>, OffsiteError> {
        Ok(self.list().await?.into_iter().find(|object| object.name == name).map(|object| object.bytes))
    }

    pub(super) async fn put_new(&self, name: &str, path: &Path) -> Result<(), OffsiteError> {
        match &self.tool {
            Tool::Rclone { remote, config } => {
                let command = rclone::put(config.as_deref(), path, &Self::remote(remote, &self.project, name));
                self.runner.run_ok(&command, self.within).await.map(drop).map_err(self.failed("write", name))
            }
            Tool::Users(programs) => {
                let file = File::open(path).map_err(|source| file_error("read", path, source))?;
                let command = programs.command(&programs.put, name, &self.project);
                self.runner.run_from_file(&command, self.within, file).await.map_err(self.failed("write", name))
            }
        }
    }

    /// Writes an empty object, whether it is there or not.
    pub(super) async fn mark(&self, name: &str) -> Result<(), OffsiteError> {
        match &self.tool {
            Tool::Rclone { remote, config } => {
                let command = rclone::touch(config.as_deref(), &Self::remote(remote, &self.project, name));
                self.runner.run_ok(&command, self.within).await.map(drop).map_err(self.failed("write", name))
            }
            // One that is there is not written again: programs may refuse that.
            Tool::Users(_) if self.size(name).await?.is_some() => Ok(()),
            Tool::Users(_) => self.put_new(name, Path::new("/dev/null")).await,
        }
    }

    /// Reads an object to its end.
    pub(super) async fn read(&self, name: &str, to: &mut impl Write) -> Result<(), OffsiteError> {
        let command: Command = match &self.tool {
            Tool::Rclone { remote, config } => {
                rclone::get(config.as_deref(), &Self::remote(remote, &self.project, name))
            }
            Tool::Users(programs) => programs.command(&programs.get, name, &self.project),
        };
        let broken = |source| file_error("read", Path::new(name), source);
        let (mut reader, writer) = pipe().map_err(broken)?;
        let (sender, receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(CHUNKS);
        let pump = blocking(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = reader.read(&mut chunk)?;
                chunk.truncate(read);
                // Whoever receives has gone: the program ends of its broken pipe.
                if read == 0 || sender.blocking_send(chunk).is_err() {
                    return Ok(());
                }
            }
        });
        let take = async {
            // Dropped as soon as something fails, which ends the pump, too.
            let mut receiver = receiver;
            while let Some(chunk) = receiver.recv().await {
                to.write_all(&chunk)?;
            }
            Ok(())
        };
        let (result, pumped, taken) = tokio::join!(self.runner.run_to_file(&command, self.within, writer), pump, take);
        let taken: std::io::Result<()> = taken;
        taken.map_err(|source| file_error("write", Path::new(name), source))?;
        pumped.map_err(broken)?;
        result.map_err(self.failed("read", name))
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), OffsiteError> {
        let command = match &self.tool {
            Tool::Rclone { remote, config } => {
                rclone::delete(config.as_deref(), &Self::remote(remote, &self.project, name))
            }
            Tool::Users(programs) => programs.command(&programs.delete, name, &self.project),
        };
        match self.runner.run_ok(&command, self.within).await {
            Ok(_) => Ok(()),
            // Programs fail of what is gone already.
            Err(_) if self.size(name).await?.is_none() => Ok(()),
            Err(error) => Err(self.failed("remove", name)(error)),
        }
    }
}
