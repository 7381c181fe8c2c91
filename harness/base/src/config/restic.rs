//! The repository of `restic` that backups keep volumes in.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::redact::password_of_url;

/// How the name of a repository begins that is no folder of this machine.
// Source: restic, internal/backend/location.
const ELSEWHERE: [&str; 8] = ["s3:", "sftp:", "rest:", "rclone:", "b2:", "azure:", "gs:", "swift:"];

/// The repository of `restic` that backups keep volumes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restic {
    /// The repository, as restic names it; a folder is absolute.
    pub repository: String,
    /// The file of its password.
    pub password_file: PathBuf,
    /// The file of the variables that its place needs; none where `None`.
    pub credentials: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRestic {
    repository: Option<String>,
    password_file: Option<PathBuf>,
    credentials: Option<PathBuf>,
}

impl RawRestic {
    /// Reads the table; `absolute` makes a path of the file one of this machine.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub(super) fn read(&self, absolute: impl Fn(&Path) -> PathBuf) -> Result<Restic, (String, String)> {
        let wrong = |text: &str, hint: &str| Err((format!("[backup.restic] {text}"), hint.to_owned()));
        let Some(name) = self.repository.as_deref().filter(|name| !name.is_empty() && !name.contains(['\n', '\0']))
        else {
            return wrong("must have `repository`", "write a folder, or a place such as s3:https://HOST/BUCKET");
        };
        let Some(password_file) = &self.password_file else {
            return wrong("must have `password_file`", "name the file of the repository's password: chmod 600 it");
        };
        let place = name.split_once(':').map_or(name, |(_, place)| place);
        if password_of_url(name).or_else(|| password_of_url(place)).is_some() {
            let hint = "write RESTIC_REST_USERNAME=.. and RESTIC_REST_PASSWORD=.. into the file of `credentials`";
            return wrong("`repository` has a password", hint);
        }
        // restic hands the host to ssh and the remote to rclone as arguments.
        if place.starts_with('-') || name.starts_with('-') {
            return wrong(
                "`repository` begins with `-`, which a program would take as an option",
                "write its full name",
            );
        }
        let is_elsewhere = ELSEWHERE.iter().any(|start| name.starts_with(start));
        let folder = name.strip_prefix("local:").unwrap_or(name);
        let repository =
            if is_elsewhere { name.to_owned() } else { absolute(Path::new(folder)).to_string_lossy().into_owned() };
        Ok(Restic {
            repository,
            password_file: absolute(password_file),
            credentials: self.credentials.as_deref().map(absolute),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::folder("repo", Ok("/etc/shop/repo"))]
    #[case::local("local:/srv/repo", Ok("/srv/repo"))]
    #[case::bucket("s3:https://s3.example.org/backups", Ok("s3:https://s3.example.org/backups"))]
    #[case::host("sftp:me@nas:/backups", Ok("sftp:me@nas:/backups"))]
    #[case::password("rest:https://me:s3cret@nas/backups", Err("has a password"))]
    #[case::option("sftp:-oProxyCommand=sh:/b", Err("begins with `-`"))]
    #[case::empty("", Err("must have `repository`"))]
    fn a_repository_is_a_folder_or_a_place_and_holds_no_password(#[case] name: &str, #[case] want: Result<&str, &str>) {
        let raw = RawRestic {
            repository: Some(name.to_owned()),
            password_file: Some("password".into()),
            ..RawRestic::default()
        };
        match (raw.read(|path| Path::new("/etc/shop").join(path)), want) {
            (Ok(found), Ok(want)) => {
                assert_eq!((found.repository.as_str(), found.password_file), (want, "/etc/shop/password".into()));
            }
            (Err((text, hint)), Err(want)) => {
                assert!(text.contains(want) && !format!("{text}{hint}").contains("s3cret"), "{text}");
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_repository_needs_the_file_of_its_password() {
        let raw = RawRestic { repository: Some("repo".to_owned()), ..RawRestic::default() };
        assert!(raw.read(Path::to_path_buf).unwrap_err().0.contains("must have `password_file`"));
    }
}
