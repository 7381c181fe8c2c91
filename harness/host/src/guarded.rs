//! Files that a decision rests on, and that another user of the host could have put there: who owns one, and who could
//! have changed it, is read from the open file and not from its name.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, process::geteuid};

/// More than any such file has.
const LONGEST: u64 = 4 << 20;
/// Bits of a mode by which others than the owner could write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why such a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// It cannot be read or written.
    #[error("cannot {verb} {}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// It is a link.
    #[error("{} is a symbolic link, expected the file itself; name the file that it leads to", path.display())]
    Link {
        /// The file.
        path: PathBuf,
    },
    /// It is a folder, a device or something else.
    #[error("{} is not a regular file, or has more than 4 MiB", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others could have changed it.
    #[error("{} may be written by others (mode {mode:03o}, expected no write for group and others): chmod go-w {}", path.display(), path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// A file's content, and the id of the user that owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The content.
    pub bytes: Vec<u8>,
    /// The owner.
    pub uid: u32,
}

/// Reads a file that only its owner could have written.
///
/// # Errors
/// [`GuardError`] for a link, for what is no file, and for one that others may write.
pub fn read(path: &Path) -> Result<Owned, GuardError> {
    let error = |source| GuardError::Io { verb: "read", path: path.to_path_buf(), source };
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Err(refused) if refused.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(GuardError::Link { path: path.to_path_buf() });
        }
        opened => opened.map_err(error)?,
    };
    let found = file.metadata().map_err(error)?;
    if !found.is_file() || found.len() > LONGEST {
        return Err(GuardError::NotAFile { path: path.to_path_buf() });
    }
    let mode = found.mode() & 0o777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(GuardError::Writable { path: path.to_path_buf(), mode });
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(error)?;
    Ok(Owned { bytes, uid: found.uid() })
}

/// Writes a new file that everybody may read and only this user may write; one that is there is never replaced.
///
/// # Errors
/// [`GuardError::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), GuardError> {
    let error = |source| GuardError::Io { verb: "write", path: path.to_path_buf(), source };
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(path).map_err(error)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(error)
}

/// Returns the user that this process acts as: id and name.
#[must_use]
pub fn user() -> (u32, String) {
    let uid = geteuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    (uid, name_of(&users, uid).unwrap_or_else(|| format!("uid {uid}")))
}

/// Returns the name of a user by a list as in `/etc/passwd`.
fn name_of(users: &str, uid: u32) -> Option<String> {
    let with_id = |line: &&str| line.split(':').nth(2).and_then(|id| id.parse().ok()) == Some(uid);
    users.lines().find(with_id).and_then(|line| line.split(':').next()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn links_folders_and_what_others_may_write_are_not_read_and_nothing_is_replaced() {
        let dir = std::env::temp_dir().join(format!("stagegate-guarded-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (file, link) = (dir.join("plan.json"), dir.join("link"));
        write_new(&file, b"text").unwrap();
        assert_eq!(read(&file).unwrap(), Owned { bytes: b"text".to_vec(), uid: user().0 });
        assert!(matches!(write_new(&file, b"other"), Err(GuardError::Io { .. })));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(matches!(read(&link), Err(GuardError::Link { .. })));
        assert!(matches!(read(&dir), Err(GuardError::NotAFile { .. })));
        for mode in [0o664, 0o646] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert!(read(&file).unwrap_err().to_string().contains("chmod go-w"));
        }
        assert_eq!(fs::read(&file).unwrap(), b"text");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_user_has_its_name_from_the_list() {
        let users = "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!([0, 1000, 7].map(|uid| name_of(users, uid)), [Some("root".into()), Some("ada".into()), None]);
    }
}
