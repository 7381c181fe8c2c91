//! The folder of a throw-away stack: its compose model, its lock, how it came up.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Returns the folder of a stack, made where it is not there; only this user may look into it.
///
/// # Errors
/// The system's; and where somebody else made the folder, since it will hold passwords.
pub(super) fn make(project: &str) -> io::Result<PathBuf> {
    let root = root();
    make_private(&root)?;
    let dir = root.join(project);
    make_private(&dir)?;
    Ok(dir)
}

/// Removes a stack's folder.
pub(super) fn remove(project: &str) -> io::Result<()> {
    fs::remove_dir_all(root().join(project))
}

/// Writes a file that only this user may read, whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    fs::rename(draft, path)
}

fn root() -> PathBuf {
    std::env::temp_dir().join(format!("stagegate-{}", rustix::process::geteuid().as_raw()))
}

fn make_private(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    // The name can be guessed, so somebody else may have made it first, or made it a link.
    let found = fs::symlink_metadata(dir)?;
    let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if is_ours && found.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let text = format!("{} belongs to another user or is readable by others; remove it", dir.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_may_read_is_refused() {
        let dir = std::env::temp_dir().join(format!("stagegate-test-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let refused = make_private(&dir).unwrap_err().to_string();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        let accepted = make_private(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert!(refused.contains("readable by others"), "{refused}");
        accepted.unwrap();
    }
}
