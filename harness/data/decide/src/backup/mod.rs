//! What a backup is: its manifest, the checksums of its files, and whether the files are those that were proven.
//!
//! A backup is a folder: the dumps, the configuration, `manifest.json`, and `SHA256SUMS` over all of them, which is written
//! last. One format for the backup that a promotion makes and for those of `gate backup`.

pub mod alert;
pub mod archive;
pub mod checksums;
pub mod offsite;
pub mod restic;
pub mod retention;
pub mod schedule;
mod unlisted;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use stagegate_base::{locale::Locale, release::Release};

pub use unlisted::unlisted;

use crate::DataFacts;

/// The format that is written. Format 1 is that of promotions of earlier versions, and is still read.
pub const FORMAT: u32 = 2;
/// The format of an encrypted backup.
pub const ENCRYPTED_FORMAT: u32 = 3;
/// The format of a backup whose volumes are in a repository, and the newest that is read.
pub const SNAPSHOT_FORMAT: u32 = 4;
/// The encrypted file that holds the whole manifest, without its ending.
pub const DETAILS: &str = "details";
/// How the name of an encrypted file ends.
pub const ENCRYPTED: &str = ".age";
/// The manifest's file.
pub const MANIFEST: &str = "manifest.json";
/// The file of checksums.
pub const SUMS: &str = "SHA256SUMS";

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Another format.
    #[error(
        "the backup has format {found}, and this version of gate reads formats 1 to {SNAPSHOT_FORMAT}; use the version that made \
         it, or a later one"
    )]
    Newer {
        /// The format.
        found: u64,
    },
    /// No manifest.
    #[error("its manifest is damaged, or not one of gate")]
    Damaged(#[source] serde_json::Error),
    /// A file that lies elsewhere.
    #[error("its manifest names the file `{file}`, which is not in the backup's own folder; it is not used")]
    Outside {
        /// The file.
        file: String,
    },
}

/// What a backup holds, as it was when it was proven.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format.
    pub v: u32,
    /// The backup's id, which begins with its time; of a promotion's backup the run.
    #[serde(alias = "run")]
    pub id: String,
    /// The environment.
    #[serde(default)]
    pub environment: String,
    /// Its compose project.
    #[serde(default)]
    pub project: String,
    /// The release that was live.
    #[serde(default)]
    pub release: Option<Release>,
    /// When the first snapshot was taken: UTC, RFC 3339.
    #[serde(default)]
    pub taken: String,
    /// The same in seconds since 1970.
    #[serde(default)]
    pub taken_unix: i64,
    /// The databases.
    #[serde(default)]
    pub objects: Vec<DatabaseDump>,
    /// Volumes and folders.
    #[serde(default)]
    pub volumes: Vec<VolumeArchive>,
    /// The configuration: where each file belongs, and its copy.
    #[serde(default)]
    pub files: Vec<ConfigFile>,
    /// The recipients of `age` that its files are encrypted to; empty where they are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypted_to: Vec<String>,
    /// The encrypted file of the whole manifest, where this one leaves out what the databases and volumes hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<ConfigFile>,
}

/// One database's dump, with what it held in the snapshot of the dump.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseDump {
    /// The database's id in the configuration.
    pub database: String,
    /// Its name on the server.
    #[serde(default)]
    pub name: String,
    /// The dump's file.
    #[serde(default)]
    pub file: String,
    /// SHA-256 of the dump, hexadecimal.
    pub sha256: String,
    /// Bytes of the dump.
    pub bytes: u64,
    /// The server's major version.
    #[serde(default)]
    pub major: u32,
    /// Bytes of the database once it is restored.
    #[serde(default)]
    pub restored_bytes: u64,
    /// How long the dump took.
    #[serde(default)]
    pub dump_seconds: f64,
    /// How long the proof took: the restore into a scratch server, and the comparison.
    #[serde(default)]
    pub proof_seconds: f64,
    /// How the database sorts and encodes.
    #[serde(default)]
    pub locale: Option<Locale>,
    /// The server's roles: a dump names owners, and cannot make them.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Those of them that are superusers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superusers: Vec<String>,
    /// What the server loads as it starts.
    #[serde(default)]
    pub preload: String,
    /// What the database held.
    pub facts: DataFacts,
}

/// One volume's or folder's archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeArchive {
    /// Its id in the configuration.
    pub volume: String,
    /// The archive's file: of the backup, or of the snapshot.
    pub file: String,
    /// SHA-256 of the archive, which is not compressed in a snapshot.
    pub sha256: String,
    /// Bytes of the archive.
    pub bytes: u64,
    /// The snapshot that it is in; a file of the backup where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// How long it took to archive, and to read back and compare.
    pub seconds: f64,
    /// The entries, by their paths within the volume.
    pub entries: std::collections::BTreeMap<String, ArchivedEntry>,
}

/// A snapshot in a repository of `restic`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The repository.
    pub repository: String,
    /// The snapshot's id.
    pub id: String,
    /// The tag that the snapshots of this backup have, and no others.
    pub tag: String,
}

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedEntry {
    /// `file`, `folder` or `link`.
    pub kind: String,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u64, u64),
    /// Bytes.
    pub size: u64,
    /// SHA-256 of a file's contents; where a link leads.
    pub content: String,
}

/// One file of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// Its copy in the backup.
    pub file: String,
    /// Where it belongs; none for what Compose resolved the files to.
    pub path: Option<String>,
    /// SHA-256 of the copy.
    pub sha256: String,
    /// Bytes of the copy.
    pub bytes: u64,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError`], also where it names a file elsewhere: a backup may come from anywhere.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let value: serde_json::Value = serde_json::from_slice(text).map_err(ManifestError::Damaged)?;
        // The format first: a later one need not fit at all.
        if let Some(found) = value["v"].as_u64().filter(|found| *found > u64::from(SNAPSHOT_FORMAT)) {
            return Err(ManifestError::Newer { found });
        }
        let mut manifest: Manifest = serde_json::from_value(value).map_err(ManifestError::Damaged)?;
        for object in &mut manifest.objects {
            if object.file.is_empty() {
                object.file = format!("{}.dump", object.database);
            }
        }
        let outside = manifest.named().find(|file| !is_plain(file)).map(str::to_owned);
        outside.map_or(Ok(manifest), |file| Err(ManifestError::Outside { file }))
    }

    /// Writes the manifest.
    ///
    /// # Errors
    /// Where a value has no JSON form.
    pub fn text(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    fn named(&self) -> impl Iterator<Item = &str> {
        let objects = self.objects.iter().map(|object| object.file.as_str());
        let volumes = self.volumes.iter().map(|volume| volume.file.as_str());
        objects.chain(volumes).chain(self.files.iter().chain(&self.details).map(|file| file.file.as_str()))
    }

    /// Returns whether its files are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !self.encrypted_to.is_empty()
    }

    /// Returns what may be read without the identity: ids, times, sizes and checksums, and nothing of what the databases
    /// and volumes hold.
    #[must_use]
    pub fn outline(&self) -> Manifest {
        let object = |one: &DatabaseDump| DatabaseDump {
            locale: None,
            roles: Vec::new(),
            superusers: Vec::new(),
            preload: String::new(),
            facts: DataFacts::default(),
            ..one.clone()
        };
        let volume = |one: &VolumeArchive| VolumeArchive { entries: std::collections::BTreeMap::new(), ..one.clone() };
        Manifest {
            objects: self.objects.iter().map(object).collect(),
            volumes: self.volumes.iter().map(volume).collect(),
            ..self.clone()
        }
    }

    /// Returns the files with their checksums; what is in a repository is none of them.
    pub fn checksums(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let objects = self.objects.iter().map(|one| (one.file.as_str(), one.sha256.as_str(), one.bytes));
        let here = self.volumes.iter().filter(|one| one.snapshot.is_none());
        let volumes = here.map(|one| (one.file.as_str(), one.sha256.as_str(), one.bytes));
        let files = self.files.iter().chain(&self.details);
        objects.chain(volumes).chain(files.map(|one| (one.file.as_str(), one.sha256.as_str(), one.bytes)))
    }

    /// Returns the volumes that are in a repository, each with its snapshot.
    pub fn snapshots(&self) -> impl Iterator<Item = (&VolumeArchive, &Snapshot)> {
        self.volumes.iter().filter_map(|volume| Some((volume, volume.snapshot.as_ref()?)))
    }

    /// Returns a database by its id.
    #[must_use]
    pub fn database(&self, id: &str) -> Option<&DatabaseDump> {
        self.objects.iter().find(|object| object.database == id)
    }

    /// Returns the groups that it is kept by: a database or a volume of the environment each, or the configuration alone.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let objects = self.objects.iter().map(|object| format!("database {}", object.database));
        let all: Vec<String> =
            objects.chain(self.volumes.iter().map(|volume| format!("volume {}", volume.volume))).collect();
        if all.is_empty() { vec!["configuration".to_owned()] } else { all }
    }

    /// Returns the bytes of all its files, the manifest left out.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.checksums().map(|(.., bytes)| bytes).sum()
    }
}

/// Returns whether a text is the id of a backup: `YYYYMMDD-HHMMSS-` and hexadecimal digits.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [day, time, process] = parts[..] else { return false };
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits(day, 8) && digits(time, 6) && (4..=8).contains(&process.len()) && process.bytes().all(is_hexadecimal)
}

/// Returns whether a name is one of a file in the folder itself.
#[must_use]
pub fn is_plain(file: &str) -> bool {
    !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\', '\0', '\n', '\r'])
}

/// Returns the name of the file of something with an id of the user's; `number` tells those apart whose ids are no names.
#[must_use]
pub fn file_name(id: &str, number: usize, ending: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = !id.is_empty() && id.len() <= 100 && id.chars().all(plain);
    let clashes = ["manifest", "SHA256SUMS", DETAILS, offsite::REMOVED].contains(&id)
        || id.starts_with("config-")
        || id.starts_with("object-");
    if is_name && !clashes { format!("{id}.{ending}") } else { format!("object-{number}.{ending}") }
}
