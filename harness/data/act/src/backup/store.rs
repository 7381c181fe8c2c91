//! The folder of an environment's backups: drafts, listed backups, pins, and their removal.
//!
//! A backup is there whole or not at all. A draft's name begins with `.draft-`, that of one being removed with `.removed-`;
//! both are no backups, and the next holder of the store's lock takes them away.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stagegate_base::config::Config;
use stagegate_data_decide::backup::{
    MANIFEST, Manifest, SUMS,
    checksums::{FoundFile, NOT_A_FILE, problems, text},
    is_plain,
    restic::Unsettled,
    retention::Listed,
    schedule::is_ahead,
};
use stagegate_host::{
    clock, files,
    lock::{Lock, LockError},
    paths::StateDir,
};

use super::{BackupError, repository};

const DRAFT: &str = ".draft-";
const REMOVED: &str = ".removed-";
/// Beside the backups, so that none of them is ever written again.
const NOTES: &str = "notes.json";

/// The backups of one environment.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// The folder of the promotions' runs: each keeps the backup that it made, and removes it by its own rules.
    runs: Option<PathBuf>,
}

/// What is noted of a backup after it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Somebody pinned it.
    #[serde(default)]
    pub pinned: bool,
    /// When it was last verified, RFC 3339.
    #[serde(default)]
    pub verified: Option<String>,
    /// What was found wrong with it then.
    #[serde(default)]
    pub damaged: Option<String>,
    /// When a copy was written elsewhere and read back, RFC 3339.
    #[serde(default)]
    pub offsite: Option<String>,
}

/// A backup of the list.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its folder.
    pub dir: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// What is noted of it.
    pub note: Note,
    /// A promotion made it: its run keeps it as long as the rollback point, and the rules of `[backup]` leave it alone.
    pub of_promotion: bool,
}

impl Stored {
    /// Returns whether it was proven and nothing found it damaged since.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.note.damaged.is_none()
    }

    /// Returns it as the rules of retention see it.
    #[must_use]
    pub fn listed(&self) -> Listed {
        Listed {
            id: self.manifest.id.clone(),
            taken: self.manifest.taken_unix,
            groups: self.manifest.groups(),
            verified: self.is_verified(),
            pinned: self.note.pinned,
            in_use: None,
        }
    }
}

impl Store {
    /// Returns the backups of a compose project: below `dir` of `[backup]`, else in the project's state folder.
    #[must_use]
    pub fn of(config: &Config, project: &str) -> Self {
        let state = StateDir::of(config, project);
        let root = config.backup.dir.as_ref().map_or_else(|| state.root().join("backups"), |dir| dir.join(project));
        Store { root, runs: Some(state.runs()) }
    }

    /// Returns the backups in `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Store { root: root.to_path_buf(), runs: None }
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes the store for whoever changes it, and takes away what a killed process left.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process has it.
    pub fn lock(&self, project: &str, what: &str) -> Result<Lock, LockError> {
        let lock = Lock::take_folder(&StateDir::at(&self.root), project, what)?;
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(DRAFT) || name.starts_with(REMOVED) {
                let path = entry.path();
                let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
        }
        Ok(lock)
    }

    /// Makes the empty folder of a draft.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn draft(&self, id: &str) -> Result<PathBuf, BackupError> {
        let path = self.root.join(format!("{DRAFT}{id}"));
        let _ = fs::remove_dir_all(&path);
        files::private_dir(&path).map_err(BackupError::file("create", &path))?;
        Ok(path)
    }

    /// Writes the manifest and the checksums of a draft, reads every file back, and lists it under its id.
    ///
    /// # Errors
    /// [`BackupError`]; it is not listed then.
    pub fn publish(&self, draft: &Path, manifest: &Manifest) -> Result<PathBuf, BackupError> {
        seal(draft, manifest)?;
        self.enter(draft, &manifest.id)
    }

    /// Lists a draft whose manifest and checksums are there already, such as one that was brought from elsewhere. It takes the place of a
    /// damaged backup with its id, which is removed then.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] where a file is not what the manifest states; nothing is changed then.
    pub fn adopt(&self, draft: &Path, id: &str) -> Result<PathBuf, BackupError> {
        let manifest = read(draft, id)?;
        let problems = wrong(draft, &manifest)?;
        if !problems.is_empty() {
            return Err(BackupError::Damaged { id: id.to_owned(), problems });
        }
        let (dir, tombstone) = (self.root.join(id), self.root.join(format!("{REMOVED}{id}")));
        if dir.is_dir() {
            fs::rename(&dir, &tombstone).map_err(BackupError::file("remove", &dir))?;
        }
        let entered = self.enter(draft, id)?;
        // What a killed process leaves of it goes with the next lock.
        let _ = fs::remove_dir_all(&tombstone);
        self.noted(id, |note| note.damaged = None)?;
        Ok(entered)
    }

    fn enter(&self, draft: &Path, id: &str) -> Result<PathBuf, BackupError> {
        let dir = self.root.join(id);
        fs::rename(draft, &dir).map_err(BackupError::file("create", &dir))?;
        files::sync_dir(&self.root).map_err(BackupError::file("write", &self.root))?;
        Ok(dir)
    }

    /// Takes a draft away.
    pub fn discard(&self, draft: &Path) {
        let _ = fs::remove_dir_all(draft);
    }

    /// Returns the backups, the newest first, and those that cannot be read with the reason.
    ///
    /// # Errors
    /// [`BackupError::File`] where the folder or its notes cannot be read.
    pub fn list(&self) -> Result<(Vec<Stored>, Vec<BackupError>), BackupError> {
        let (mut all, mut unreadable) = (Vec::new(), Vec::new());
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(BackupError::file("read", &self.root)(error));
            }
            entries => entries,
        };
        let mut notes = self.notes()?;
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_plain(&name) || !entry.path().is_dir() || name == "lock-readers" {
                continue;
            }
            match read(&entry.path(), &name) {
                Ok(manifest) => {
                    let note = notes.remove(&name).unwrap_or_default();
                    all.push(Stored { dir: entry.path(), manifest, note, of_promotion: false });
                }
                Err(error) => unreadable.push(error),
            }
        }
        all.extend(self.promotions(&mut notes));
        all.sort_by(|a, b| (b.manifest.taken_unix, &b.manifest.id).cmp(&(a.manifest.taken_unix, &a.manifest.id)));
        Ok((all, unreadable))
    }

    /// Returns the backups of promotions that name all that a restore needs; those of earlier versions do not.
    fn promotions(&self, notes: &mut BTreeMap<String, Note>) -> Vec<Stored> {
        let Some(runs) = &self.runs else { return Vec::new() };
        let one = |entry: fs::DirEntry| {
            let (dir, id) = (entry.path().join("backup"), entry.file_name().to_string_lossy().into_owned());
            let manifest = read(&dir, &id).ok().filter(|found| found.v >= 2 && !found.objects.is_empty())?;
            Some(Stored { dir, manifest, note: notes.remove(&id).unwrap_or_default(), of_promotion: true })
        };
        fs::read_dir(runs).into_iter().flatten().flatten().filter_map(one).collect()
    }

    /// Returns one backup by its id, or the newest verified one for `latest`.
    ///
    /// # Errors
    /// [`BackupError::Refused`] with the ids that are there.
    pub fn find(&self, id: &str) -> Result<Stored, BackupError> {
        self.find_with(id, |_| true)
    }

    /// As [`Store::find`]; `latest` is the newest verified one that `has` what is wanted.
    ///
    /// # Errors
    /// As [`Store::find`].
    pub fn find_with(&self, id: &str, has: impl Fn(&Manifest) -> bool) -> Result<Stored, BackupError> {
        let (all, unreadable) = self.list()?;
        let ids: Vec<String> = all.iter().take(5).map(|one| one.manifest.id.clone()).collect();
        let now = clock::unix_seconds();
        // A backup of the future is the newest for ever; who wants it names it.
        let is_latest =
            |one: &Stored| one.is_verified() && !is_ahead(one.manifest.taken_unix, now) && has(&one.manifest);
        let found = |one: &Stored| if id == "latest" { is_latest(one) } else { one.manifest.id == id };
        if let Some(stored) = all.into_iter().find(found) {
            return Ok(stored);
        }
        let broken =
            unreadable.into_iter().find(|error| matches!(error, BackupError::Manifest { id: one, .. } if one == id));
        let none = || match ids.is_empty() {
            true => format!("no backup `{id}`: {} holds none; `gate backup` makes one", self.root.display()),
            false => format!("no backup `{id}` in {}; the newest are {}", self.root.display(), ids.join(", ")),
        };
        Err(broken.unwrap_or_else(|| BackupError::Refused(none())))
    }

    /// Returns what is wrong with the files of a backup; empty where nothing is.
    ///
    /// # Errors
    /// [`BackupError::File`] where a file cannot be read.
    pub fn check(&self, stored: &Stored) -> Result<Vec<String>, BackupError> {
        wrong(&stored.dir, &stored.manifest)
    }

    /// Removes a backup: it is no backup any more from the first moment on, whatever becomes of its files.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn remove(&self, id: &str) -> Result<(), BackupError> {
        let (dir, tombstone) = (self.root.join(id), self.root.join(format!("{REMOVED}{id}")));
        self.intend_removal(&read(&dir, id)?)?;
        fs::rename(&dir, &tombstone).map_err(BackupError::file("remove", &dir))?;
        files::sync_dir(&self.root).map_err(BackupError::file("write", &self.root))?;
        fs::remove_dir_all(&tombstone).map_err(BackupError::file("remove", &tombstone))?;
        self.noted(id, |note| *note = Note::default())
    }

    /// Notes that the snapshots of a backup, if it has any, may have to be removed once it is gone.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn intend_removal(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let Some((_, snapshot)) = manifest.snapshots().next() else { return Ok(()) };
        let (tag, repository) = (snapshot.tag.clone(), snapshot.repository.clone());
        repository::intend(&self.root, &manifest.id, Unsettled { tag, repository, is_draft: false })
    }

    /// Changes what is noted of a backup.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn noted(&self, id: &str, change: impl FnOnce(&mut Note)) -> Result<(), BackupError> {
        let mut notes = self.notes()?;
        change(notes.entry(id.to_owned()).or_default());
        notes.retain(|id, note| *note != Note::default() && self.has(id));
        let path = self.root.join(NOTES);
        files::write_whole(&path, &serde_json::to_vec_pretty(&notes)?).map_err(BackupError::file("write", &path))
    }

    fn has(&self, id: &str) -> bool {
        let of_run = self.runs.as_ref().is_some_and(|runs| runs.join(id).join("backup").is_dir());
        of_run || self.root.join(id).is_dir()
    }

    /// Notes how a verification ended.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn note_verified(&self, id: &str, damaged: Option<String>) -> Result<(), BackupError> {
        self.noted(id, |note| {
            note.verified = Some(clock::now());
            note.damaged = damaged;
        })
    }

    fn notes(&self) -> Result<BTreeMap<String, Note>, BackupError> {
        let path = self.root.join(NOTES);
        match fs::read(&path) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(BackupError::file("read", &path)(error)),
        }
    }
}

/// Writes the manifest and the checksums of a draft, the last of its files, and reads every file back.
///
/// # Errors
/// [`BackupError`], also where a file is not what was written.
pub fn seal(draft: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = draft.join(MANIFEST);
    let shown = if manifest.is_encrypted() { manifest.outline() } else { manifest.clone() };
    files::write_whole(&path, &shown.text()?).map_err(BackupError::file("write", &path))?;
    let checksums = draft.join(SUMS);
    files::write_whole(&checksums, text(&found(draft)?).as_bytes()).map_err(BackupError::file("write", &checksums))?;
    let problems = wrong(draft, manifest)?;
    match problems.is_empty() {
        true => Ok(()),
        false => Err(BackupError::Damaged { id: manifest.id.clone(), problems }),
    }
}

/// Reads the manifest in `dir`.
fn read(dir: &Path, id: &str) -> Result<Manifest, BackupError> {
    let path = dir.join(MANIFEST);
    let text = fs::read(&path).map_err(BackupError::file("read", &path))?;
    let manifest = Manifest::parse(&text).map_err(|source| BackupError::Manifest { id: id.to_owned(), source })?;
    match manifest.id == id {
        true => Ok(manifest),
        false => Err(BackupError::Refused(format!("{} holds the backup {}, not {id}", dir.display(), manifest.id))),
    }
}

fn wrong(dir: &Path, manifest: &Manifest) -> Result<Vec<String>, BackupError> {
    let checksums = dir.join(SUMS);
    match fs::read_to_string(&checksums) {
        Ok(text) => Ok(problems(manifest, &text, &found(dir)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(vec![format!("{SUMS} is missing")]),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Ok(vec![format!("{SUMS} is damaged")]),
        Err(error) => Err(BackupError::file("read", &checksums)(error)),
    }
}

/// Hashes the files of a folder; what is no file there has no checksum, and so is one too many.
fn found(dir: &Path) -> Result<BTreeMap<String, FoundFile>, BackupError> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(BackupError::file("read", dir))? {
        let path = entry.map_err(BackupError::file("read", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_file = fs::symlink_metadata(&path).map_err(BackupError::file("read", &path))?.is_file();
        let (sha256, bytes) = match is_file {
            true => files::hash_file(&path).map_err(BackupError::file("read", &path))?,
            false => (NOT_A_FILE.to_owned(), 0),
        };
        all.insert(name, FoundFile { sha256, bytes });
    }
    Ok(all)
}
