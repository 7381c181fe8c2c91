//! Copies of backups in a bucket or a folder of another machine.
//!
//! Nothing there is overwritten: each object is written on the condition that there is none, and read back whole. The manifest is
//! the last one, so that a backup is there whole or not at all; the bucket alone states what there is.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};

use sha2::{Digest, Sha256};
use stagegate_base::config::Offsite as Settings;
use stagegate_data_decide::backup::{
    MANIFEST, Manifest, SUMS,
    offsite::{Contents, Files, REMOVED, contents, missing, removal},
    schedule::is_ahead,
};
use stagegate_host::{clock, files, process::Runner};

pub use self::{
    access::{Access, AccessError},
    error::OffsiteError,
};
use self::{error::file_error, objects::Objects, programs::Programs};
use super::store::Stored;

mod access;
mod error;
pub mod notes;
mod objects;
mod programs;

/// A manifest that is larger is none.
const MANIFEST_BYTES: u64 = 256 << 20;
/// A backup in a place off this host.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Its manifest.
    pub manifest: Manifest,
    /// What is missing of it, by the list of objects.
    pub problems: Vec<String>,
    files: Files,
}

/// The copies of one environment's backups.
#[derive(Debug)]
pub struct Offsite {
    place: Opened,
    shown: String,
}

/// How the objects of a place are reached. Each of the two lists, writes, reads and deletes objects by `<id>/<file>`.
#[derive(Debug)]
enum Opened {
    Objects(Objects),
    Programs(Programs),
}

/// What reaches a place by programs: who runs them, and how long each may take.
#[derive(Clone, Debug, Default)]
pub struct ByPrograms {
    /// Runs them.
    pub runner: Runner,
    /// How long each may take.
    pub within: Duration,
}

/// Bytes and checksum of something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    bytes: u64,
    sha256: String,
}

impl Fingerprint {
    fn shown(&self) -> String {
        format!("{} bytes, SHA-256 {}..", self.bytes, self.sha256.get(..12).unwrap_or(&self.sha256))
    }
}

impl Offsite {
    /// Opens the place of a compose project's backups; nothing is read yet. `access` is the key of a bucket.
    ///
    /// # Errors
    /// [`OffsiteError`], also where the folder is not there: an unmounted disk must not be filled.
    pub fn open(
        settings: &Settings,
        project: &str,
        access: Option<&Access>,
        by: ByPrograms,
    ) -> Result<Self, OffsiteError> {
        let shown = format!("{}/{project}", settings.place.url());
        let credentials = settings.credentials.as_deref();
        let programs = Programs::open(&settings.place, (project, &shown), credentials, (by.runner, by.within));
        let place = match programs {
            Some(programs) => Opened::Programs(programs),
            None => Opened::Objects(Objects::open(&settings.place, (project, &shown), access)?),
        };
        Ok(Offsite { place, shown })
    }

    /// Returns where the copies are, as a person reads it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns what is there.
    ///
    /// # Errors
    /// [`OffsiteError::Store`].
    pub async fn contents(&self) -> Result<Contents, OffsiteError> {
        let objects = match &self.place {
            Opened::Objects(place) => place.list().await?,
            Opened::Programs(place) => place.list().await?,
        };
        Ok(contents(&objects, clock::unix_seconds()))
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, OffsiteError> {
        match &self.place {
            Opened::Objects(place) => place.size(name).await,
            Opened::Programs(place) => place.size(name).await,
        }
    }

    async fn put_new(&self, name: &str, (path, bytes): (&Path, u64)) -> Result<(), OffsiteError> {
        match &self.place {
            Opened::Objects(place) => place.put_new(name, (path, bytes)).await,
            Opened::Programs(place) => place.put_new(name, path).await,
        }
    }

    async fn delete_object(&self, name: &str) -> Result<(), OffsiteError> {
        match &self.place {
            Opened::Objects(place) => place.delete(name).await,
            Opened::Programs(place) => place.delete(name).await,
        }
    }

    async fn mark_removed(&self, id: &str) -> Result<(), OffsiteError> {
        let name = format!("{id}/{REMOVED}");
        match &self.place {
            Opened::Objects(place) => place.mark(&name).await,
            Opened::Programs(place) => place.mark(&name).await,
        }
    }

    /// Returns the backups that are there, the newest first, and why others cannot be read.
    ///
    /// # Errors
    /// [`OffsiteError::Store`] where the list cannot be read.
    pub async fn list(&self) -> Result<(Vec<Copied>, Vec<OffsiteError>), OffsiteError> {
        let (mut all, mut unreadable) = (Vec::new(), Vec::new());
        for (id, files) in self.contents().await?.backups {
            match self.manifest(&id, &files).await {
                Ok(manifest) => all.push(Copied { problems: missing(&manifest, &files), manifest, files }),
                Err(error) => unreadable.push(error),
            }
        }
        all.sort_by(|a, b| (b.manifest.taken_unix, &b.manifest.id).cmp(&(a.manifest.taken_unix, &a.manifest.id)));
        Ok((all, unreadable))
    }

    async fn manifest(&self, id: &str, files: &Files) -> Result<Manifest, OffsiteError> {
        let at = format!("{}/{id}/{MANIFEST}", self.shown);
        let bytes = files.get(MANIFEST).copied().unwrap_or_default();
        if bytes > MANIFEST_BYTES {
            return Err(OffsiteError::Refused(format!("{at} has {bytes} bytes, which no manifest has")));
        }
        let mut text = Vec::new();
        self.fetch(&format!("{id}/{MANIFEST}"), bytes, &mut text).await?;
        match Manifest::parse(&text) {
            Ok(manifest) if manifest.id == id => Ok(manifest),
            Ok(manifest) => Err(OffsiteError::Refused(format!("{at} is of the backup {}, not of {id}", manifest.id))),
            Err(source) => Err(OffsiteError::Manifest { at, source }),
        }
    }

    /// Copies a backup there and reads every object back; what is there already and is the same stays. Returns the bytes.
    ///
    /// # Errors
    /// [`OffsiteError`]; without its manifest it is no backup there then.
    pub async fn upload(&self, stored: &Stored) -> Result<u64, OffsiteError> {
        let id = &stored.manifest.id;
        if self.contents().await?.removed.contains_key(id) {
            let text = format!("{}/{id} is being removed; `gate backup prune` goes on with it", self.shown);
            return Err(OffsiteError::Refused(text));
        }
        let mut bytes = 0;
        let named = stored.manifest.checksums().map(|(file, ..)| file);
        for file in named.chain([SUMS, MANIFEST]) {
            bytes += self.put(id, file, &stored.dir.join(file)).await?;
        }
        Ok(bytes)
    }

    async fn put(&self, id: &str, file: &str, path: &Path) -> Result<u64, OffsiteError> {
        let (sha256, bytes) = files::hash_file(path).map_err(|source| file_error("read", path, source))?;
        let (name, expected) = (format!("{id}/{file}"), Fingerprint { bytes, sha256 });
        let there = self.size(&name).await?;
        if let (Some(there), Opened::Programs(_)) = (there, &self.place)
            && there < bytes
            && self.fingerprint(&name, there).await? == fingerprint_of(path, there)?
        {
            // What a killed program left of this very file; services write whole objects or none.
            self.delete_object(&name).await?;
            self.put_new(&name, (path, bytes)).await?;
        } else if there.is_none() {
            self.put_new(&name, (path, bytes)).await?;
        }
        let size = self.size(&name).await?.unwrap_or_default();
        let found = self.fingerprint(&name, size).await?;
        match found == expected {
            true => Ok(bytes),
            false => Err(OffsiteError::Differs {
                at: format!("{}/{name}", self.shown),
                expected: expected.shown(),
                found: found.shown(),
            }),
        }
    }

    /// Reads an object of `bytes` to its end and returns its size and checksum.
    async fn fingerprint(&self, name: &str, bytes: u64) -> Result<Fingerprint, OffsiteError> {
        self.fetch(name, bytes, &mut io::sink()).await
    }

    /// Reads an object of `bytes` into `to`.
    async fn fetch(&self, name: &str, bytes: u64, to: &mut impl Write) -> Result<Fingerprint, OffsiteError> {
        let mut to = Hashed { to, hasher: Sha256::new(), bytes: 0 };
        match &self.place {
            Opened::Objects(place) => place.read(name, bytes, &mut to).await?,
            Opened::Programs(place) => place.read(name, &mut to).await?,
        }
        Ok(to.fingerprint())
    }

    /// Returns the newest backup that is whole, or the one of an id.
    ///
    /// # Errors
    /// [`OffsiteError::Refused`] with the ids that are there.
    pub async fn find(&self, id: &str) -> Result<Copied, OffsiteError> {
        let (all, mut unreadable) = self.list().await?;
        let ids: Vec<String> = all.iter().take(5).map(|one| one.manifest.id.clone()).collect();
        let now = clock::unix_seconds();
        let found = |one: &Copied| match id {
            "latest" => one.problems.is_empty() && !is_ahead(one.manifest.taken_unix, now),
            id => one.manifest.id == id,
        };
        match (all.into_iter().find(found), ids.is_empty()) {
            (Some(copy), _) => Ok(copy),
            (None, true) if unreadable.is_empty() => Err(OffsiteError::Refused(format!(
                "{} holds no backup; `gate backup upload` copies them there",
                self.shown
            ))),
            (None, true) => Err(unreadable.remove(0)),
            (None, false) => {
                let text = format!("no whole backup `{id}` in {}; the newest are {}", self.shown, ids.join(", "));
                Err(OffsiteError::Refused(text))
            }
        }
    }

    /// Copies a backup into the empty folder `draft` of this host; that it is what was proven is still to be verified.
    ///
    /// # Errors
    /// [`OffsiteError`]; the draft holds a part then.
    pub async fn download(&self, copy: &Copied, draft: &Path) -> Result<(), OffsiteError> {
        for (file, bytes) in copy.files.iter().filter(|(file, _)| *file != REMOVED) {
            let path = draft.join(file);
            let mut to = files::private_file(&path).map_err(|source| file_error("write", &path, source))?;
            self.fetch(&format!("{}/{file}", copy.manifest.id), *bytes, &mut to).await?;
            to.sync_all().map_err(|source| file_error("write", &path, source))?;
        }
        Ok(())
    }

    /// Removes a backup: it is no backup any more from the first moment on.
    ///
    /// # Errors
    /// [`OffsiteError::Store`]; the next [`Offsite::sweep`] goes on with it.
    pub async fn remove(&self, copy: &Copied) -> Result<(), OffsiteError> {
        let id = &copy.manifest.id;
        self.mark_removed(id).await?;
        self.delete_all(id, &copy.files).await
    }

    /// Goes on with removals that were interrupted, and removes parts of uploads that nobody goes on with.
    ///
    /// # Errors
    /// [`OffsiteError::Store`].
    pub async fn sweep(&self) -> Result<(), OffsiteError> {
        let contents = self.contents().await?;
        let all: BTreeMap<_, _> = contents.removed.iter().chain(&contents.abandoned).collect();
        for (id, files) in all {
            self.delete_all(id, files).await?;
        }
        Ok(())
    }

    async fn delete_all(&self, id: &str, files: &Files) -> Result<(), OffsiteError> {
        for file in removal(files) {
            self.delete_object(&format!("{id}/{file}")).await?;
        }
        Ok(())
    }
}

/// Passes on what is written, and counts and hashes it.
struct Hashed<'a, W: Write> {
    to: &'a mut W,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> Hashed<'_, W> {
    fn fingerprint(self) -> Fingerprint {
        let sha256 = self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Fingerprint { bytes: self.bytes, sha256 }
    }
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Returns size and checksum of the first `bytes` of a file.
fn fingerprint_of(path: &Path, bytes: u64) -> Result<Fingerprint, OffsiteError> {
    let failed = |source| file_error("read", path, source);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut hashed = Hashed { to: &mut io::sink(), hasher: Sha256::new(), bytes: 0 };
    io::copy(&mut file.take(bytes), &mut hashed).map_err(failed)?;
    Ok(hashed.fingerprint())
}

#[cfg(test)]
mod tests;
