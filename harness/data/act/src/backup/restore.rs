//! Puts a backup's database in place: into a new one next to, verified, then switched by name.
//!
//! Nothing is restored over what is there. Until the switch, one transaction, the live database serves; after it the
//! replaced one is kept under a name of its own. What a killed restore left is taken away by the next one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stagegate_base::mark::{Mark, NAME_BYTES, Role, Sessions};
use stagegate_data_decide::backup::DatabaseDump;
use stagegate_host::{database::Server, files, process::Runner};

use super::{BackupError, compare_restored};
use crate::age::Input;

/// One database's restore.
#[derive(Debug)]
pub struct Restore<'a> {
    /// The target's server.
    pub server: &'a Server,
    /// Runs the programs.
    pub runner: &'a Runner,
    /// The dump, and its file; reading it may take as long as the restore.
    pub dump: (&'a DatabaseDump, Input<'a>),
    /// The live database's name.
    pub database: &'a str,
    /// The id of the restore, and that of the state folder.
    pub run: (&'a str, &'a str),
    /// The databases of the configuration: never dropped.
    pub live: &'a [String],
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The database that holds the backup's rows.
    pub database: String,
    /// The name under which the replaced database is kept.
    pub kept_as: Option<String>,
}

/// What a restore is about to switch: written before, taken away after, read by the next run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The database's id in the configuration.
    pub id: String,
    /// The live database.
    pub database: String,
    /// The restored one.
    pub restored: String,
    /// The restore's run.
    pub run: String,
}

impl Restore<'_> {
    fn mark(&self, role: Role) -> Mark {
        Mark::of(self.database, role, self.run.0, self.run.1)
    }

    /// Returns what is written down before anything is done; `id` is the database's in the configuration.
    #[must_use]
    pub fn intent(&self, id: &str, into: Option<&str>) -> Intent {
        Intent {
            id: id.to_owned(),
            database: self.database.to_owned(),
            restored: into.map_or_else(|| self.mark(Role::Restored).name, str::to_owned),
            run: self.run.0.to_owned(),
        }
    }

    /// Restores into a new database and puts it in the place of the live one, which is kept.
    ///
    /// # Errors
    /// [`BackupError`]; the live database is as before then.
    pub async fn in_place(&self) -> Result<Restored, BackupError> {
        let (good, aside) = (self.mark(Role::Restored), self.mark(Role::Left));
        let is_there = self.server.has(self.database).await?;
        let done = match self.fill(&good, is_there).await {
            Ok(()) if is_there => self.switch(&good, &aside).await,
            Ok(()) => Ok(self.server.put_in_place(&good, self.database).await?),
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => Ok(Restored { database: self.database.to_owned(), kept_as: is_there.then_some(aside.name) }),
            Err(error) => {
                self.undo(&good, is_there).await;
                Err(error)
            }
        }
    }

    /// Restores into a new database of the name `into` and leaves it there.
    ///
    /// # Errors
    /// [`BackupError`]; the database is not there then.
    pub async fn restore_side_by_side(&self, into: &str) -> Result<Restored, BackupError> {
        if into.is_empty() || into.len() > NAME_BYTES {
            return Err(BackupError::Refused(format!("`{into}` is no name of a database: 1 to {NAME_BYTES} bytes")));
        }
        if self.server.has(into).await? {
            let text = format!("database `{into}` exists; name another one by --into, nothing is restored over it");
            return Err(BackupError::Refused(text));
        }
        let good = Mark { name: into.to_owned(), ..self.mark(Role::Restored) };
        let is_there = self.server.has(self.database).await?;
        let done = match self.fill(&good, is_there).await {
            Ok(()) => self.server.put_in_place(&good, into).await.map_err(BackupError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.undo(&good, false).await;
            return Err(error);
        }
        Ok(Restored { database: into.to_owned(), kept_as: None })
    }

    /// Makes the new database and fills it; `like` tells whether the live one is there to take rights and settings from.
    async fn fill(&self, good: &Mark, like: bool) -> Result<(), BackupError> {
        let (dump, input) = self.dump;
        let (major, _) = self.server.version().await?;
        if dump.major > major {
            return Err(BackupError::Refused(format!(
                "the dump of database `{}` was made on PostgreSQL {}, and this server is PostgreSQL {major}, which does \
                 not read it; restore it on PostgreSQL {} or later",
                dump.database, dump.major, dump.major
            )));
        }
        // None gets rights on this server that nobody gave it here.
        self.server.make_roles(&dump.roles, &[]).await?;
        match (like, &dump.locale) {
            (true, _) => self.server.create_like(good, self.database).await?,
            (false, Some(locale)) => self.server.create_marked(good, locale).await?,
            (false, None) => {
                let text =
                    format!("database `{}` is not there, and the backup does not say how it sorts", self.database);
                return Err(BackupError::Refused(text));
            }
        }
        compare_restored(self.server, self.runner, (&good.name, input), &dump.facts).await
    }

    async fn switch(&self, good: &Mark, aside: &Mark) -> Result<(), BackupError> {
        let comment = self.server.comment(self.database).await?;
        Ok(self.server.replace(self.database, good, aside, comment.as_deref()).await?)
    }

    /// Takes the new database away and lets sessions into the live one again.
    async fn undo(&self, good: &Mark, is_there: bool) {
        if is_there {
            let _ = self.server.open(self.database).await;
        }
        let _ = self.server.drop_marked(good, self.live, Sessions::End).await;
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("restore.json")
}

/// Writes what a restore is about to do.
///
/// # Errors
/// [`BackupError::File`]; nothing must be done then.
pub fn begin(state: &Path, intent: &Intent) -> Result<(), BackupError> {
    let path = path(state);
    files::write_whole(&path, &serde_json::to_vec(intent)?).map_err(BackupError::file("write", &path))
}

/// Notes that a restore ended.
///
/// # Errors
/// [`BackupError::File`].
pub fn end(state: &Path) -> Result<(), BackupError> {
    let path = path(state);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BackupError::file("remove", &path)(error)),
        _ => Ok(()),
    }
}

/// Returns what a killed restore was about.
#[must_use]
pub fn interrupted(state: &Path) -> Option<Intent> {
    serde_json::from_slice(&fs::read(path(state)).ok()?).ok()
}

/// Finishes a killed restore: its database goes unless it is in place already, and the live one is open.
///
/// # Errors
/// [`BackupError`] where the server does not do it; the next run tries again.
pub async fn finish(
    server: &Server,
    state: (&Path, &str),
    intent: &Intent,
    live: &[String],
) -> Result<(), BackupError> {
    server.end_sessions(&super::application(&intent.run)).await?;
    if server.has(&intent.database).await? {
        server.open(&intent.database).await?;
    }
    let mark = Mark::of(&intent.database, Role::Restored, &intent.run, state.1);
    let mark = Mark { name: intent.restored.clone(), ..mark };
    server.drop_marked(&mark, live, Sessions::End).await?;
    end(state.0)
}
