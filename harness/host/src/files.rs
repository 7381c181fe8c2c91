//! Files that are there whole or not at all, and hashes of what a container mounts.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use stagegate_base::encoding;

/// Reads a file that a person wrote.
///
/// # Errors
/// The system's; `InvalidData` with the place of the first byte where it is not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    encoding::text(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Makes a folder and those above it that only its owner may enter.
///
/// # Errors
/// The system's.
pub fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a new file that only its owner may read; an older one is emptied.
///
/// # Errors
/// The system's.
pub fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Makes a file that only its owner may read; one that is there is an error.
///
/// # Errors
/// The system's.
pub fn new_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes a file with what `bytes` returns, whole or not at all, where there is none: that of another process stays as it is.
///
/// # Errors
/// The system's, and those of `bytes`.
pub fn write_once(path: &Path, bytes: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let dir = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    private_dir(dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = dir.join(format!(".{name}.{}", std::process::id()));
    write_whole(&draft, &bytes()?)?;
    // A link is not made over another process's file.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_dir(dir),
    }
}

/// Writes a file so that a crash leaves the old one or the new one, never a part; an existing one keeps its mode and, as
/// far as this user may give files away, its owner. A link stays one: what it leads to is written.
///
/// # Errors
/// The system's; the old file is untouched then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &linked(path)?;
    let dir = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = dir.join(format!(".{name}.{}", std::process::id()));
    let found = fs::metadata(path).ok();
    let mode = found.as_ref().map_or(0o600, |found| found.permissions().mode() & 0o7777);
    let written = (|| {
        let mut file = private_file(&aside)?;
        // The owner first: a change of it takes special bits of the mode away.
        if let Some(found) = &found {
            let _ = std::os::unix::fs::fchown(&file, Some(found.uid()), Some(found.gid()));
        }
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        sync_dir(dir)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

/// Returns where a path leads to if it is a link, else the path.
fn linked(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => match path.canonicalize() {
            // A link to what is not there yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let dir = path.parent().unwrap_or(Path::new("."));
                fs::read_link(path).map(|to| dir.join(to))
            }
            found => found,
        },
        _ => Ok(path.to_path_buf()),
    }
}

/// Makes the entries of a folder last.
///
/// # Errors
/// The system's.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Returns SHA-256 (hex) and size of a file, read as it stands on the disk.
///
/// # Errors
/// The system's.
pub fn hash_file(path: &Path) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let size = feed(path, &mut hasher)?;
    Ok((hex(hasher), size))
}

/// Returns SHA-256 (hex) over names, modes and contents of a file or of a folder with all in it.
///
/// # Errors
/// The system's.
pub fn hash_tree(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    walk(path, path, &mut hasher)?;
    Ok(hex(hasher))
}

/// Returns SHA-256 (hex) over names, modes and contents of some files below `top`; those that are gone are left out.
///
/// # Errors
/// The system's.
pub fn hash_files(top: &Path, paths: &[PathBuf]) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut paths: Vec<&PathBuf> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).collect();
    paths.sort();
    paths.into_iter().try_for_each(|path| walk(top, path, &mut hasher))?;
    Ok(hex(hasher))
}

/// Returns SHA-256 (hex) of a text.
#[must_use]
pub fn hash_text(text: &str) -> String {
    hex(Sha256::new_with_prefix(text.as_bytes()))
}

fn walk(top: &Path, path: &Path, hasher: &mut Sha256) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let name = path.strip_prefix(top).unwrap_or(path).to_string_lossy().into_owned();
    hasher.update(format!("{name}\0{:o}\0", found.permissions().mode() & 0o111));
    if found.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        return entries.iter().try_for_each(|entry| walk(top, &entry.path(), hasher));
    }
    if found.is_symlink() {
        hasher.update(fs::read_link(path)?.to_string_lossy().as_bytes());
    } else if found.is_file() {
        feed(path, hasher)?;
    }
    Ok(())
}

fn feed(path: &Path, hasher: &mut Sha256) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let (mut buffer, mut size) = (vec![0; 256 << 10], 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(size);
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns how many bytes the files below a folder hold; links count nothing, and neither does what cannot be read.
#[must_use]
pub fn size_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_below(&entry.path()),
            Ok(found) if found.is_file() => found.len(),
            _ => 0,
        })
        .sum()
}

/// Returns the free bytes of the disk that holds `path` or its nearest existing parent; `None` where it can't be seen.
#[must_use]
pub fn free_space(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|p| p.exists())?;
    let found = rustix::fs::statvfs(there).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_a_link_and_a_file_keeps_its_mode() {
        let dir = std::env::temp_dir().join(format!("stagegate-files-{}", std::process::id()));
        fs::create_dir_all(dir.join("shared")).unwrap();
        let (file, link) = (dir.join("shared/settings"), dir.join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("shared/settings", &link).unwrap();
        write_whole(&link, b"new").unwrap();
        let is_link = fs::symlink_metadata(&link).unwrap().is_symlink();
        let (text, mode) = (fs::read_to_string(&file).unwrap(), fs::metadata(&file).unwrap().mode() & 0o777);
        std::os::unix::fs::symlink("shared/later", dir.join("dangling")).unwrap();
        write_whole(&dir.join("dangling"), b"there").unwrap();
        let later = fs::read_to_string(dir.join("shared/later")).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!((is_link, text.as_str(), mode, later.as_str()), (true, "new", 0o640, "there"));
    }
}
