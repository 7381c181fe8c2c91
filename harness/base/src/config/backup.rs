//! How backups are made, and how long they stay.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Environment,
    offsite::{Offsite, RawOffsite},
    restic::{RawRestic, Restic},
};
use crate::units::Span;

/// How backups are made, and how long they stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// The folder; the state folder where `None`.
    pub dir: Option<PathBuf>,
    /// The environments that the schedule backs up; those that are protected where empty.
    pub environments: Vec<String>,
    /// How often the schedule makes one; zero is never.
    pub every: Span,
    /// How often the schedule restores the newest one into a scratch server; zero is never.
    pub drill: Span,
    /// So many of the newest stay.
    pub keep_last: usize,
    /// One of each hour, for so many hours.
    pub hourly: u32,
    /// One of each day, for so many days.
    pub daily: u32,
    /// One of each ISO week, for so many weeks.
    pub weekly: u32,
    /// One of each month, for so many months.
    pub monthly: u32,
    /// So many verified ones stay whatever the rules say.
    pub min_keep: usize,
    /// The recipients of `age` that backups are encrypted to; not encrypted where empty.
    pub encrypt_to: Vec<String>,
    /// The file of the identity of `age` that decrypts them, for verifications and restore drills.
    pub identity: Option<PathBuf>,
    /// Where copies are kept off this host; nowhere where `None`.
    pub offsite: Option<Offsite>,
    /// The repository that volumes are kept in; archives of `tar` where `None`.
    pub restic: Option<Restic>,
}

impl Default for Backup {
    fn default() -> Self {
        Backup {
            dir: None,
            environments: Vec::new(),
            every: Span(Duration::from_secs(6 * 3_600)),
            drill: Span(Duration::from_secs(7 * 24 * 3_600)),
            keep_last: 3,
            hourly: 7 * 24,
            daily: 30,
            weekly: 0,
            monthly: 0,
            min_keep: 3,
            encrypt_to: Vec::new(),
            identity: None,
            offsite: None,
            restic: None,
        }
    }
}

impl Backup {
    /// Returns whether the schedule backs an environment up.
    #[must_use]
    pub fn covers(&self, environment: &Environment) -> bool {
        match self.environments.is_empty() {
            true => environment.protected,
            false => self.environments.contains(&environment.name),
        }
    }
}

/// A volume or folder that backups include, and that a rollback restores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Which one it is.
    pub place: VolumePlace,
    /// Whether a promotion copies it while nothing writes, and a rollback of data puts the copy in place.
    pub rollback: bool,
}

/// Where a volume's files are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum VolumePlace {
    /// A volume of the compose files, by its key there.
    Named(String),
    /// A folder, relative to the environment's workdir.
    Folder(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVolume {
    volume: Option<String>,
    path: Option<PathBuf>,
    rollback: Option<bool>,
}

impl RawVolume {
    /// Returns which of the two it is, and whether rollbacks include it.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub(super) fn read(&self, id: &str) -> Result<Volume, (String, String)> {
        let place = match (&self.volume, &self.path) {
            (Some(volume), None) => VolumePlace::Named(volume.clone()),
            (None, Some(path)) => VolumePlace::Folder(path.clone()),
            _ => {
                return Err((
                    format!("[volumes.{id}] must have one of `volume` and `path`"),
                    "write the volume's key in the compose files, or the folder that is mounted".to_owned(),
                ));
            }
        };
        Ok(Volume { place, rollback: self.rollback.unwrap_or(true) })
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBackup {
    dir: Option<PathBuf>,
    #[serde(default)]
    environments: Vec<String>,
    every: Option<Span>,
    drill: Option<Span>,
    keep_last: Option<usize>,
    hourly: Option<u32>,
    daily: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
    min_keep: Option<usize>,
    #[serde(default)]
    encrypt_to: Vec<String>,
    identity: Option<PathBuf>,
    offsite: Option<RawOffsite>,
    restic: Option<RawRestic>,
}

/// Returns what is wrong with a recipient of `age`, and the way out. An identity is a secret, and is not repeated.
fn refused_recipient(recipient: &str) -> Option<(String, String)> {
    let hint = "`age-keygen -y FILE` prints the recipient, which begins with age1, of an identity file".to_owned();
    if recipient.to_ascii_uppercase().starts_with("AGE-SECRET-KEY") {
        let text = "[backup] `encrypt_to` has an identity, which is secret, where a recipient is expected".to_owned();
        return Some((text, hint));
    }
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let is_known = ["age1", "ssh-ed25519 ", "ssh-rsa "].iter().any(|start| recipient.starts_with(start));
    (!is_known || !recipient.chars().all(plain))
        .then(|| (format!("[backup] `encrypt_to` has {recipient:?}, which is not a recipient of `age`"), hint))
}

impl RawBackup {
    /// Fills the defaults in; `absolute` makes a path of the file one of this machine, `known` are the environments.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub(super) fn read(&self, absolute: impl Fn(&Path) -> PathBuf, known: &[&str]) -> Result<Backup, (String, String)> {
        let or = Backup::default();
        if let Some(name) = self.environments.iter().find(|name| !known.contains(&name.as_str())) {
            let text = format!("[backup] `environments` names `{name}`, which is not an environment");
            return Err((text, format!("known: {}", known.join(", "))));
        }
        if self.min_keep == Some(0) {
            let text = "[backup] `min_keep` must be a number from 1".to_owned();
            return Err((text, "write 1 or more: the newest verified backup is never removed".to_owned()));
        }
        if let Some(wrong) = self.encrypt_to.iter().find_map(|recipient| refused_recipient(recipient)) {
            return Err(wrong);
        }
        Ok(Backup {
            dir: self.dir.as_deref().map(&absolute),
            environments: self.environments.clone(),
            every: self.every.unwrap_or(or.every),
            drill: self.drill.unwrap_or(or.drill),
            keep_last: self.keep_last.unwrap_or(or.keep_last),
            hourly: self.hourly.unwrap_or(or.hourly),
            daily: self.daily.unwrap_or(or.daily),
            weekly: self.weekly.unwrap_or(or.weekly),
            monthly: self.monthly.unwrap_or(or.monthly),
            min_keep: self.min_keep.unwrap_or(or.min_keep),
            encrypt_to: self.encrypt_to.clone(),
            identity: self.identity.as_deref().map(&absolute),
            offsite: self.offsite.as_ref().map(|raw| raw.read(&absolute, !self.encrypt_to.is_empty())).transpose()?,
            restic: self.restic.as_ref().map(|raw| raw.read(&absolute)).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::age("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", None)]
    #[case::ssh("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@laptop", None)]
    #[case::identity("AGE-SECRET-KEY-1QQPQYRZ", Some("an identity"))]
    #[case::option("--output=/etc/passwd", Some("not a recipient"))]
    #[case::two_lines("age1abc\nage1def", Some("not a recipient"))]
    fn a_recipient_is_distinguished_from_an_identity_which_is_not_repeated(
        #[case] text: &str,
        #[case] want: Option<&str>,
    ) {
        let found = refused_recipient(text).map(|(text, _)| text);
        assert_eq!(found.is_some(), want.is_some(), "{found:?}");
        assert!(found.is_none_or(|text| text.contains(want.unwrap_or_default()) && !text.contains("QQPQYRZ")));
    }
}
