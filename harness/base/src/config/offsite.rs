//! Where copies of backups are kept off this host.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::command::Command;

/// Where copies of backups are kept off this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offsite {
    /// The place.
    pub place: OffsiteTarget,
    /// The file with the access key of a bucket, where `None` the environment's variables; of rclone its configuration, where `None`
    /// the one that it finds by itself.
    pub credentials: Option<PathBuf>,
}

/// A place for copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsiteTarget {
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
    /// A remote of rclone's configuration, with a path: `REMOTE:path`.
    Rclone(String),
    /// Whatever the user's programs reach.
    Programs(PlacePrograms),
}

/// The programs that reach a place, each with its arguments. `{name}` stands for an object's name, `{prefix}` for what the names of
/// all objects of the environment begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlacePrograms {
    /// Writes its standard input to an object.
    pub put: Vec<String>,
    /// Writes an object to its standard output.
    pub get: Vec<String>,
    /// Prints `BYTES SECONDS NAME` of each object.
    pub list: Vec<String>,
    /// Removes an object.
    pub delete: Vec<String>,
    /// The folder that they run in.
    pub dir: PathBuf,
}

impl PlacePrograms {
    /// Returns one of them for the object `name` of `prefix`.
    #[must_use]
    pub fn command(&self, words: &[String], name: &str, prefix: &str) -> Command {
        let (program, args) = words.split_first().map_or(("", words), |(program, args)| (program.as_str(), args));
        let filled = |arg: &String| arg.replace("{name}", &format!("{prefix}/{name}")).replace("{prefix}", prefix);
        Command::new(program).args(args.iter().map(filled)).in_dir(&self.dir)
    }
}

impl OffsiteTarget {
    /// Returns the place as the configuration names it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            OffsiteTarget::S3 { bucket, prefix, .. } if prefix.is_empty() => format!("s3://{bucket}"),
            OffsiteTarget::S3 { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}"),
            OffsiteTarget::Folder(path) => format!("file://{}", path.display()),
            OffsiteTarget::Rclone(remote) => format!("rclone:{remote}"),
            OffsiteTarget::Programs(programs) => format!("command:{}", programs.put.first().map_or("", String::as_str)),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOffsite {
    url: Option<String>,
    command: Option<RawPrograms>,
    endpoint: Option<String>,
    region: Option<String>,
    credentials: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrograms {
    put: Vec<String>,
    get: Vec<String>,
    list: Vec<String>,
    delete: Vec<String>,
}

impl RawPrograms {
    fn read(&self, dir: PathBuf) -> Result<OffsiteTarget, (String, String)> {
        let all = [("put", &self.put), ("get", &self.get), ("list", &self.list), ("delete", &self.delete)];
        let hint = "write each as a list of a program and its arguments, with {name} where the object's name belongs";
        for (key, words) in all {
            let has_name = words.iter().skip(1).any(|word| word.contains("{name}"));
            let wrong = match words.first() {
                None => "is empty",
                Some(program) if program.is_empty() => "has no program",
                _ if key != "list" && !has_name => "has no argument with {name}",
                _ => continue,
            };
            return Err((format!("[backup.offsite.command] `{key}` {wrong}"), hint.to_owned()));
        }
        let (put, get, list, delete) = (self.put.clone(), self.get.clone(), self.list.clone(), self.delete.clone());
        Ok(OffsiteTarget::Programs(PlacePrograms { put, get, list, delete, dir }))
    }
}

/// Returns whether it is a remote of rclone's configuration and a path. One that is made of a connection string would have its
/// secrets in an argument, where every user of the machine sees them.
fn is_remote(text: &str) -> bool {
    let Some((remote, path)) = text.split_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+@ ".contains(c);
    !remote.is_empty() && !remote.starts_with(['-', ' ']) && remote.chars().all(plain) && is_plain(path)
}

/// What the path of an object may hold everywhere: the store would write anything else in another way.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) && !path.split('/').any(|part| part == "..")
}

/// Returns whether a URL sends what it is given in plain text over a network.
fn is_open(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let is_local = name == "localhost" || name.starts_with("[::1]") || name.starts_with("127.");
    !is_local
}

impl RawOffsite {
    fn place_of(&self, url: &str) -> Result<OffsiteTarget, (String, String)> {
        let wrong = |text: &str, hint: &str| Err((format!("[backup.offsite] {text}"), hint.to_owned()));
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/');
            if bucket.is_empty() || bucket.contains('@') || !is_plain(bucket) || !is_plain(prefix) {
                let hint = "write s3://BUCKET or s3://BUCKET/PREFIX of letters, digits, `-`, `_`, `.` and `/`";
                return wrong("`url` does not name a bucket", hint);
            }
            let region = self.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
            return Ok(OffsiteTarget::S3 {
                bucket: bucket.into(),
                prefix: prefix.into(),
                endpoint: self.endpoint.clone(),
                region,
            });
        }
        if let Some(path) = url.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            return Ok(OffsiteTarget::Folder(PathBuf::from(path)));
        }
        if let Some(remote) = url.strip_prefix("rclone:") {
            let hint = "write rclone:REMOTE:PATH, REMOTE being one that `rclone listremotes` prints";
            let is_known = is_remote(remote);
            return if is_known {
                Ok(OffsiteTarget::Rclone(remote.into()))
            } else {
                wrong("`url` does not name a remote", hint)
            };
        }
        let hint = "write s3://BUCKET/PREFIX, file:///PATH for a folder of another disk, or rclone:REMOTE:PATH";
        wrong("`url` must begin with s3://, file:/// or rclone:", hint)
    }

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
        let place = match (&self.url, &self.command) {
            (Some(url), None) => self.place_of(url)?,
            (None, Some(programs)) => programs.read(absolute(Path::new("")))?,
            _ => {
                let hint = "write `url`, or the programs of [backup.offsite.command] that reach the place";
                return wrong("must have one of `url` and `command`".to_owned(), hint);
            }
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
        let raw = RawOffsite { url: Some(url.into()), endpoint: endpoint.map(str::to_owned), ..RawOffsite::default() };
        raw.read(Path::to_path_buf, is_encrypted)
    }

    #[rstest]
    #[case::bucket("s3://b", "s3://b")]
    #[case::prefix("s3://b/a/c/", "s3://b/a/c")]
    #[case::folder("file:///mnt/nas", "file:///mnt/nas")]
    #[case::rclone("rclone:nas:backups/shop", "rclone:nas:backups/shop")]
    fn a_place_is_read_and_written(#[case] url: &str, #[case] want: &str) {
        assert_eq!(read(url, None, false).unwrap().place.url(), want);
    }

    #[rstest]
    #[case::other_scheme("gs://b", None, "must begin with")]
    #[case::relative("file://nas", None, "must begin with")]
    #[case::no_bucket("s3:///x", None, "does not name a bucket")]
    #[case::password("s3://key:secret@b", None, "does not name a bucket")]
    #[case::above("s3://b/../x", None, "does not name a bucket")]
    #[case::no_remote("rclone:nas", None, "does not name a remote")]
    #[case::connection_string("rclone:nas,pass=secret@x:b", None, "does not name a remote")]
    #[case::on_the_fly("rclone::sftp,pass=secret@x:b", None, "does not name a remote")]
    #[case::option("rclone:-v:b", None, "does not name a remote")]
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

    fn words(of: &[&str]) -> Vec<String> {
        of.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn programs_get_the_name_of_the_object_and_each_is_needed() {
        let raw = || RawPrograms {
            put: words(&["ssh", "nas", "cat > {name}"]),
            get: words(&["ssh", "nas", "cat {name}"]),
            list: words(&["ssh", "nas", "list {prefix}"]),
            delete: words(&["ssh", "nas", "rm {name}"]),
        };
        let of = |programs| RawOffsite { command: Some(programs), ..RawOffsite::default() };
        let read = |raw: RawOffsite| raw.read(|path| Path::new("/etc/shop").join(path), false);
        let OffsiteTarget::Programs(programs) = read(of(raw())).unwrap().place else { panic!("no programs") };
        let put = programs.command(&programs.put, "20260101-000000-0001/main.dump", "shop");
        assert_eq!(put.line(), "ssh nas 'cat > shop/20260101-000000-0001/main.dump'");
        assert_eq!(programs.command(&programs.list, "", "shop").line(), "ssh nas 'list shop'");
        let wrong = [
            of(RawPrograms { list: vec![], ..raw() }),
            of(RawPrograms { delete: words(&["rm"]), ..raw() }),
            RawOffsite { url: Some("s3://b".into()), ..of(raw()) },
            RawOffsite::default(),
        ];
        let texts = wrong.map(|raw| read(raw).unwrap_err().0);
        assert_eq!(texts[0], "[backup.offsite.command] `list` is empty");
        assert_eq!(texts[1], "[backup.offsite.command] `delete` has no argument with {name}");
        assert!(texts[2].contains("one of `url` and `command`") && texts[3] == texts[2], "{texts:?}");
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
