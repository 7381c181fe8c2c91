//! Where copies of backups are kept off this host.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where copies of backups are kept off this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offsite {
    /// The place.
    pub place: Place,
    /// The file with the access key of a bucket; the environment's variables where `None`.
    pub credentials: Option<PathBuf>,
}

/// A place for copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A bucket of a service that speaks the S3 API.
    S3 {
        /// The bucket.
        bucket: String,
        /// What the names of all objects begin with; may be empty.
        prefix: String,
        /// The service's URL; that of AWS where `None`.
        endpoint: Option<String>,
        /// The region.
        region: String,
    },
    /// A folder on another disk or machine that is mounted here.
    Folder(PathBuf),
}

impl Place {
    /// Returns the place as the configuration names it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Place::S3 { bucket, prefix, .. } if prefix.is_empty() => format!("s3://{bucket}"),
            Place::S3 { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}"),
            Place::Folder(path) => format!("file://{}", path.display()),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOffsite {
    url: String,
    endpoint: Option<String>,
    region: Option<String>,
    credentials: Option<PathBuf>,
}

/// What the path of an object may hold everywhere: the store would write anything else in another way.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) && !path.split('/').any(|part| part == "..")
}

/// Tells whether a URL sends what it is given in plain text over a network.
fn is_open(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let is_local = name == "localhost" || name.starts_with("[::1]") || name.starts_with("127.");
    !is_local
}

impl RawOffsite {
    /// Reads the place; `absolute` makes a path of the file one of this machine.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub(super) fn read(
        &self,
        absolute: impl Fn(&Path) -> PathBuf,
        is_encrypted: bool,
    ) -> Result<Offsite, (String, String)> {
        let wrong = |text: String, hint: &str| Err((format!("[backup.offsite] {text}"), hint.to_owned()));
        let place = if let Some(rest) = self.url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/');
            if bucket.is_empty() || bucket.contains('@') || !is_plain(bucket) || !is_plain(prefix) {
                let hint = "write s3://BUCKET or s3://BUCKET/PREFIX of letters, digits, `-`, `_`, `.` and `/`";
                return wrong("`url` does not name a bucket".to_owned(), hint);
            }
            let region = self.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
            Place::S3 { bucket: bucket.into(), prefix: prefix.into(), endpoint: self.endpoint.clone(), region }
        } else if let Some(path) = self.url.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            Place::Folder(PathBuf::from(path))
        } else {
            let text = "`url` must begin with s3:// or file:///".to_owned();
            return wrong(text, "write s3://BUCKET/PREFIX, or file:///PATH for a folder of another disk");
        };
        match &self.endpoint {
            Some(endpoint) if endpoint.contains('@') => {
                return wrong(
                    "`endpoint` has a user or a password".to_owned(),
                    "name the access key in the environment or in the file of `credentials`",
                );
            }
            Some(endpoint) if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") => {
                return wrong(
                    format!("`endpoint` is `{endpoint}`, expected a URL"),
                    "write https://HOST or http://HOST:PORT",
                );
            }
            Some(endpoint) if is_open(endpoint) && !is_encrypted => {
                return wrong(
                    format!("`endpoint` {endpoint} would send backups, and the env files in them, in plain text"),
                    "use https, or encrypt the backups: `encrypt_to` of [backup]",
                );
            }
            _ => {}
        }
        Ok(Offsite { place, credentials: self.credentials.as_deref().map(absolute) })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(url: &str, endpoint: Option<&str>, is_encrypted: bool) -> Result<Offsite, (String, String)> {
        let raw = RawOffsite { url: url.into(), endpoint: endpoint.map(str::to_owned), ..RawOffsite::default() };
        raw.read(Path::to_path_buf, is_encrypted)
    }

    #[rstest]
    #[case::bucket("s3://b", "s3://b")]
    #[case::prefix("s3://b/a/c/", "s3://b/a/c")]
    #[case::folder("file:///mnt/nas", "file:///mnt/nas")]
    fn a_place_is_read_and_written(#[case] url: &str, #[case] want: &str) {
        assert_eq!(read(url, None, false).unwrap().place.url(), want);
    }

    #[rstest]
    #[case::other_scheme("gs://b", None, "must begin with")]
    #[case::relative("file://nas", None, "must begin with")]
    #[case::no_bucket("s3:///x", None, "does not name a bucket")]
    #[case::password("s3://key:secret@b", None, "does not name a bucket")]
    #[case::above("s3://b/../x", None, "does not name a bucket")]
    #[case::no_url("s3://b", Some("s3.example.org"), "expected a URL")]
    #[case::user("s3://b", Some("https://key:secret@s3.example.org"), "a user or a password")]
    #[case::plain_text("s3://b", Some("http://s3.example.org:9000"), "in plain text")]
    #[case::looks_local("s3://b", Some("http://localhost.example.org"), "in plain text")]
    fn what_cannot_be_used_is_refused_without_a_secret(
        #[case] url: &str,
        #[case] endpoint: Option<&str>,
        #[case] want: &str,
    ) {
        let (text, _) = read(url, endpoint, false).unwrap_err();
        assert!(text.contains(want) && !text.contains("secret@"), "{text}");
    }

    #[rstest]
    #[case::local("http://127.0.0.1:9000", false)]
    #[case::local_6("http://[::1]:9000", false)]
    #[case::encrypted("http://minio.lan:9000", true)]
    #[case::tls("https://s3.example.org", false)]
    fn plain_http_serves_on_this_host_and_for_encrypted_backups(#[case] endpoint: &str, #[case] is_encrypted: bool) {
        assert!(read("s3://b", Some(endpoint), is_encrypted).is_ok());
    }
}
