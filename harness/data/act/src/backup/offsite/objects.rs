//! A bucket, or a folder that is mounted here.

use std::{
    fs::File,
    io::{Read, Write},
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
use stagegate_base::{config::OffsiteTarget, redact::Mask};
use stagegate_data_decide::backup::offsite::Object;
use stagegate_host::{files, http::install_cryptography};

use super::{
    access::{Access, AccessError},
    error::{OffsiteError, REASON, file_error},
};

/// What one request carries: enough for a fast line, little for a slow one within [`REQUEST_WITHIN`].
pub(super) const PART: u64 = 8 << 20;

/// A service takes 10,000 parts of one object.
// Source: Amazon S3 user guide, multipart upload limits.
const PARTS: u64 = 9_000;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const REQUEST_WITHIN: Duration = Duration::from_secs(300);
const RETRY_WITHIN: Duration = Duration::from_secs(60);
const RETRIES: usize = 4;
const AT_A_TIME: usize = 2;

/// The objects of one environment.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Key,
    shown: String,
    mask: Mask,
}

impl Objects {
    /// Opens a bucket or folder.
    pub(super) fn open(
        place: &OffsiteTarget,
        (project, shown): (&str, &str),
        access: Option<&Access>,
    ) -> Result<Self, OffsiteError> {
        let mask = access.map(Access::mask).unwrap_or_default();
        let failed = |error: &object_store::Error| store_error(&mask, "open", shown, error);
        let (store, root): (Arc<dyn ObjectStore>, Key) = match place {
            OffsiteTarget::S3 { bucket, prefix, endpoint, region } => {
                let access = access.ok_or(AccessError::None)?;
                let builder = access.given_to(s3()).with_bucket_name(bucket).with_region(region);
                let builder = match endpoint {
                    Some(url) => builder.with_endpoint(url).with_allow_http(url.starts_with("http://")),
                    None => builder,
                };
                let root = prefix.split('/').filter(|part| !part.is_empty()).chain([project]).map(PathPart::from);
                (Arc::new(builder.build().map_err(|error| failed(&error))?), root.collect())
            }
            OffsiteTarget::Folder(path) => {
                if !path.is_dir() {
                    // It may be back in a minute: nothing in the configuration is wrong.
                    let reason = "it is not a folder; is it mounted?".to_owned();
                    return Err(OffsiteError::Store { what: "open", at: path.display().to_string(), reason });
                }
                // Whatever mode the files get.
                let dir = path.join(project);
                files::private_dir(&dir).map_err(|source| file_error("create", &dir, source))?;
                let store = LocalFileSystem::new_with_prefix(&dir).map_err(|error| failed(&error))?;
                (Arc::new(store.with_fsync(true).with_automatic_cleanup(true)), Key::default())
            }
            OffsiteTarget::Rclone(_) | OffsiteTarget::Programs(_) => {
                return Err(OffsiteError::Refused(format!("{shown} is reached by programs")));
            }
        };
        Ok(Objects { store, root, shown: shown.to_owned(), mask })
    }

    fn failed(&self, what: &'static str, at: &str) -> impl Fn(object_store::Error) -> OffsiteError {
        let at = format!("{}/{at}", self.shown);
        move |error| store_error(&self.mask, what, &at, &error)
    }

    fn key(&self, name: &str) -> Key {
        name.split('/').fold(self.root.clone(), |key, part| key.join(part))
    }

    pub(super) async fn list(&self) -> Result<Vec<Object>, OffsiteError> {
        let listed: Vec<_> = self.store.list(Some(&self.root)).try_collect().await.map_err(self.failed("list", ""))?;
        let object = |found: object_store::ObjectMeta| {
            let parts: Vec<_> = found.location.prefix_match(&self.root)?.map(|part| part.as_ref().to_owned()).collect();
            Some(Object { name: parts.join("/"), bytes: found.size, written: found.last_modified.timestamp() })
        };
        Ok(listed.into_iter().filter_map(object).collect())
    }

    pub(super) async fn size(&self, name: &str) -> Result<Option<u64>, OffsiteError> {
        match self.store.head(&self.key(name)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look for", name)(error)),
        }
    }

    /// Writes an object that is not there. Where another host wrote it meanwhile, that one stays, and is compared.
    pub(super) async fn put_new(&self, name: &str, (path, bytes): (&Path, u64)) -> Result<(), OffsiteError> {
        let key = self.key(name);
        if bytes <= PART {
            let contents = std::fs::read(path).map_err(|source| file_error("read", path, source))?;
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            return match self.store.put_opts(&key, contents.into(), options).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    Ok(())
                }
                Err(error) => Err(self.failed("write", name)(error)),
            };
        }
        let part = usize::try_from(PART.max(bytes / PARTS + 1)).unwrap_or(usize::MAX);
        let upload = self.store.put_multipart(&key).await.map_err(self.failed("write", name))?;
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

    /// Writes an empty object, whether it is there or not.
    pub(super) async fn mark(&self, name: &str) -> Result<(), OffsiteError> {
        self.store.put(&self.key(name), Vec::new().into()).await.map(drop).map_err(self.failed("write", name))
    }

    /// Reads an object of `bytes` in parts: a line that breaks costs one of them.
    pub(super) async fn read(&self, name: &str, bytes: u64, to: &mut impl Write) -> Result<(), OffsiteError> {
        let (key, mut at) = (self.key(name), 0);
        while at < bytes {
            let part = self.store.get_range(&key, at..bytes.min(at + PART)).await;
            let part = part.map_err(self.failed("read", name))?;
            if part.is_empty() {
                break;
            }
            to.write_all(&part).map_err(|source| file_error("write", Path::new(name), source))?;
            at += part.len() as u64;
        }
        Ok(())
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), OffsiteError> {
        match self.store.delete(&self.key(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", name)(error)),
        }
    }
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

fn s3() -> AmazonS3Builder {
    install_cryptography();
    let options = ClientOptions::new().with_connect_timeout(CONNECT_WITHIN).with_timeout(REQUEST_WITHIN);
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_WITHIN, ..RetryConfig::default() };
    // Nothing of the environment's: the configuration names the place, and `Access` the key.
    AmazonS3Builder::new().with_client_options(options).with_retry(retry).with_disable_bulk_delete(true)
}
