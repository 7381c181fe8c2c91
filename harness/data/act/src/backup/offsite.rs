//! Copies of backups in a bucket or a folder of another machine.
//!
//! Nothing there is overwritten: each object is written on the condition that there is none, and read back whole. The manifest is
//! the last one, so that a backup is there whole or not at all; the bucket alone says what there is.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use futures_util::TryStreamExt;
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig, WriteMultipart,
    aws::AmazonS3Builder,
    local::LocalFileSystem,
    path::{Path as Key, PathPart},
};
use sha2::{Digest, Sha256};
use stagegate_base::{
    config::{Offsite as Settings, Place},
    redact::Mask,
};
use stagegate_data_decide::backup::{
    MANIFEST, Manifest, ManifestError, SUMS,
    offsite::{Contents, Files, Object, REMOVED, contents, missing, removal},
};
use stagegate_host::{clock, files, http::install_cryptography};

pub use self::access::{Access, AccessError};
use super::store::Stored;

mod access;
pub mod notes;

/// What one request carries: enough for a fast line, little for a slow one within [`REQUEST_WITHIN`].
const PART: u64 = 8 << 20;
/// A service takes 10,000 parts of one object.
// Source: Amazon S3 user guide, multipart upload limits.
const PARTS: u64 = 9_000;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const REQUEST_WITHIN: Duration = Duration::from_secs(300);
const RETRY_WITHIN: Duration = Duration::from_secs(60);
const RETRIES: usize = 4;
const AT_A_TIME: usize = 2;
/// A manifest that is larger is none.
const MANIFEST_BYTES: u64 = 256 << 20;
/// How much of what a service reports is shown.
const REASON: usize = 400;

/// Why a copy was not written, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum OffsiteError {
    /// The access key.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The service, or the mounted folder.
    #[error("cannot {what} {at}: {reason}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// The object.
        at: String,
        /// What the service reported, masked.
        reason: String,
    },
    /// A file of this host.
    #[error("cannot {what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// What was read back, or was there before, is something else.
    #[error(
        "{at} does not hold what was written: expected {expected}, found {found}; nothing is overwritten, remove it there"
    )]
    Differs {
        /// The object.
        at: String,
        /// Bytes and the beginning of the checksum.
        expected: String,
        /// The same of what is there.
        found: String,
    },
    /// The manifest.
    #[error("the manifest {at} cannot be used")]
    Manifest {
        /// The object.
        at: String,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// It is not there, or not as requested.
    #[error("{0}")]
    Refused(String),
}

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
    store: Arc<dyn ObjectStore>,
    root: Key,
    shown: String,
    mask: Mask,
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
    /// Opens the place of a compose project's backups; nothing is read yet.
    ///
    /// # Errors
    /// [`OffsiteError`], also where the folder is not there: an unmounted disk must not be filled.
    pub fn open(settings: &Settings, project: &str, access: Option<&Access>) -> Result<Self, OffsiteError> {
        let shown = format!("{}/{project}", settings.place.url());
        let mask = access.map(Access::mask).unwrap_or_default();
        let failed = |error: &object_store::Error| Self::store_error(&mask, "open", &shown, error);
        let (store, root): (Arc<dyn ObjectStore>, Key) = match &settings.place {
            Place::S3 { bucket, prefix, endpoint, region } => {
                let access = access.ok_or(AccessError::None)?;
                let builder = access.given_to(s3()).with_bucket_name(bucket).with_region(region);
                let builder = match endpoint {
                    Some(url) => builder.with_endpoint(url).with_allow_http(url.starts_with("http://")),
                    None => builder,
                };
                let root = prefix.split('/').filter(|part| !part.is_empty()).chain([project]).map(PathPart::from);
                (Arc::new(builder.build().map_err(|error| failed(&error))?), root.collect())
            }
            Place::Folder(path) => {
                if !path.is_dir() {
                    return Err(OffsiteError::Refused(format!("{} is not a folder; is it mounted?", path.display())));
                }
                // Whatever mode the files get.
                let dir = path.join(project);
                files::private_dir(&dir).map_err(|source| file_error("create", &dir, source))?;
                let store = LocalFileSystem::new_with_prefix(&dir).map_err(|error| failed(&error))?;
                (Arc::new(store.with_fsync(true).with_automatic_cleanup(true)), Key::default())
            }
        };
        Ok(Offsite { store, root, shown, mask })
    }

    /// Returns where the copies are, as a person reads it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    fn store_error(mask: &Mask, what: &'static str, at: &str, error: &object_store::Error) -> OffsiteError {
        let text = mask.apply(&error.to_string());
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut reason: String = words.join(" ").chars().take(REASON).collect();
        let is_refused =
            matches!(error, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. });
        // Lists come back as a generic error.
        if is_refused || text.contains("403 Forbidden") {
            reason.push_str("; is the access key right, and may it read, write, list and delete there?");
        }
        OffsiteError::Store { what, at: at.to_owned(), reason }
    }

    fn failed(&self, what: &'static str, at: &str) -> impl Fn(object_store::Error) -> OffsiteError {
        let at = format!("{}/{at}", self.shown);
        move |error| Self::store_error(&self.mask, what, &at, &error)
    }

    fn key(&self, id: &str, file: &str) -> Key {
        self.root.clone().join(id).join(file)
    }

    /// Returns what is there.
    ///
    /// # Errors
    /// [`OffsiteError::Store`].
    pub async fn contents(&self) -> Result<Contents, OffsiteError> {
        let listed: Vec<_> = self.store.list(Some(&self.root)).try_collect().await.map_err(self.failed("list", ""))?;
        let object = |found: object_store::ObjectMeta| {
            let parts: Vec<_> = found.location.prefix_match(&self.root)?.map(|part| part.as_ref().to_owned()).collect();
            Some(Object { name: parts.join("/"), bytes: found.size, written: found.last_modified.timestamp() })
        };
        let objects: Vec<Object> = listed.into_iter().filter_map(object).collect();
        Ok(contents(&objects, clock::unix_seconds()))
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
        self.fetch(id, MANIFEST, bytes, &mut text).await?;
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
        let (key, name, expected) = (self.key(id, file), format!("{id}/{file}"), Fingerprint { bytes, sha256 });
        match self.store.head(&key).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => self.put_new(&key, &name, (path, bytes)).await?,
            Err(error) => return Err(self.failed("look for", &name)(error)),
        }
        let found = self.fingerprint(&key, (id, file)).await?;
        match found == expected {
            true => Ok(bytes),
            false => Err(OffsiteError::Differs {
                at: format!("{}/{name}", self.shown),
                expected: expected.shown(),
                found: found.shown(),
            }),
        }
    }

    /// Writes an object that is not there. Where another host wrote it meanwhile, that one stays, and is compared.
    async fn put_new(&self, key: &Key, name: &str, (path, bytes): (&Path, u64)) -> Result<(), OffsiteError> {
        if bytes <= PART {
            let contents = std::fs::read(path).map_err(|source| file_error("read", path, source))?;
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            return match self.store.put_opts(key, contents.into(), options).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    Ok(())
                }
                Err(error) => Err(self.failed("write", name)(error)),
            };
        }
        let part = usize::try_from(PART.max(bytes / PARTS + 1)).unwrap_or(usize::MAX);
        let upload = self.store.put_multipart(key).await.map_err(self.failed("write", name))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, part);
        let mut reader = File::open(path).map_err(|source| file_error("read", path, source))?;
        let mut buffer = vec![0; 1 << 20];
        let sent = async {
            loop {
                let read = reader.read(&mut buffer).map_err(|source| file_error("read", path, source))?;
                if read == 0 {
                    return Ok(());
                }
                writer.wait_for_capacity(AT_A_TIME).await.map_err(self.failed("write", name))?;
                writer.write(&buffer[..read]);
            }
        };
        match sent.await {
            Ok(()) => writer.finish().await.map(drop).map_err(self.failed("write", name)),
            Err(error) => {
                // What is left of the parts costs money until the bucket's own rule removes it.
                let _ = writer.abort().await;
                Err(error)
            }
        }
    }

    /// Reads an object to its end and returns its size and checksum.
    async fn fingerprint(&self, key: &Key, (id, file): (&str, &str)) -> Result<Fingerprint, OffsiteError> {
        let found = self.store.head(key).await.map_err(self.failed("read back", &format!("{id}/{file}")))?;
        self.fetch(id, file, found.size, &mut io::sink()).await
    }

    /// Reads an object of `bytes` in parts: a line that breaks costs one of them.
    async fn fetch(&self, id: &str, file: &str, bytes: u64, to: &mut impl Write) -> Result<Fingerprint, OffsiteError> {
        let (key, name, mut hasher, mut at) = (self.key(id, file), format!("{id}/{file}"), Sha256::new(), 0);
        while at < bytes {
            let part = self.store.get_range(&key, at..bytes.min(at + PART)).await;
            let part = part.map_err(self.failed("read", &name))?;
            if part.is_empty() {
                break;
            }
            hasher.update(&part);
            to.write_all(&part).map_err(|source| OffsiteError::File { what: "write", path: name.clone(), source })?;
            at += part.len() as u64;
        }
        let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Fingerprint { bytes: at, sha256 })
    }

    /// Returns the newest backup that is whole, or the one of an id.
    ///
    /// # Errors
    /// [`OffsiteError::Refused`] with the ids that are there.
    pub async fn find(&self, id: &str) -> Result<Copied, OffsiteError> {
        let (all, mut unreadable) = self.list().await?;
        let ids: Vec<String> = all.iter().take(5).map(|one| one.manifest.id.clone()).collect();
        let found = |one: &Copied| match id {
            "latest" => one.problems.is_empty(),
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
            self.fetch(&copy.manifest.id, file, *bytes, &mut to).await?;
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
        let marked = self.store.put(&self.key(id, REMOVED), Vec::new().into()).await;
        marked.map_err(self.failed("write", &format!("{id}/{REMOVED}")))?;
        self.delete(id, &copy.files).await
    }

    /// Goes on with removals that were interrupted, and removes parts of uploads that nobody goes on with.
    ///
    /// # Errors
    /// [`OffsiteError::Store`].
    pub async fn sweep(&self) -> Result<(), OffsiteError> {
        let contents = self.contents().await?;
        let all: BTreeMap<_, _> = contents.removed.iter().chain(&contents.abandoned).collect();
        for (id, files) in all {
            self.delete(id, files).await?;
        }
        Ok(())
    }

    async fn delete(&self, id: &str, files: &Files) -> Result<(), OffsiteError> {
        for file in removal(files) {
            match self.store.delete(&self.key(id, file)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("remove", &format!("{id}/{file}"))(error)),
            }
        }
        Ok(())
    }
}

fn s3() -> AmazonS3Builder {
    install_cryptography();
    let options = ClientOptions::new().with_connect_timeout(CONNECT_WITHIN).with_timeout(REQUEST_WITHIN);
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_WITHIN, ..RetryConfig::default() };
    // Nothing of the environment's: the configuration names the place, and `Access` the key.
    AmazonS3Builder::new().with_client_options(options).with_retry(retry).with_disable_bulk_delete(true)
}

fn file_error(what: &'static str, path: &Path, source: io::Error) -> OffsiteError {
    OffsiteError::File { what, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests;
