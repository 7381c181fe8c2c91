//! Reads a folder of migrations, byte by byte as it stands on the disk: a changed line end is another checksum.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stagegate_base::config::Tool;
use stagegate_migration_decide::{Chain, File, ReadError, chain, stand_in};

/// The number of folders below the first that are looked into: enough for Flyway's and diesel's.
const DEPTH: usize = 8;

/// The size of a file that is no longer taken for a migration.
const MOST_BYTES: u64 = 256 << 20;

/// A folder that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system refused it.
    #[error("cannot read the migrations at {path}; check `source` and the folder's permissions")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file that no tool would hold in memory.
    #[error("{path} has {size_bytes} bytes, the maximum for a migration is {MOST_BYTES}; move it out of the folder")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
    },
    /// Its files are no chain of migrations.
    #[error("{folder}: {source}")]
    Chain {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with them.
        source: ReadError,
    },
}

/// Reads the migrations of a folder, as `tool` or the tool that the files show applies them; a step that only its own
/// program can run is replaced by the file of `stand_ins` with its name.
///
/// # Errors
/// [`SourceError`] with the path.
pub fn chain_of_folder(folder: &Path, tool: Option<Tool>, stand_ins: Option<&Path>) -> Result<Chain, SourceError> {
    let unread = |source| SourceError::Chain { folder: folder.to_path_buf(), source };
    let mut found = chain(&files(folder)?, tool).map_err(unread)?;
    if let Some(folder) = stand_ins {
        stand_in(&mut found, &files(folder)?);
    }
    Ok(found)
}

/// Reads all files of a folder and of those below it, hidden ones and links to folders left out, in order of their paths.
///
/// # Errors
/// [`SourceError`] with the path.
pub fn files(folder: &Path) -> Result<Vec<File>, SourceError> {
    let mut found = Vec::new();
    walk(folder, "", DEPTH, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, below: &str, depth: usize, found: &mut Vec<File>) -> Result<(), SourceError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| SourceError::Unreadable { path, source }
    };
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        let reported = format!("{below}{name}");
        let kind = entry.file_type().map_err(failed(&path))?;
        if kind.is_dir() {
            if depth > 0 {
                walk(&path, &format!("{reported}/"), depth - 1, found)?;
            }
            continue;
        }
        // A link to a file is read as the tools read it; one to a folder might lead round in a circle.
        let about = fs::metadata(&path).map_err(failed(&path))?;
        if !about.is_file() {
            continue;
        }
        if about.len() > MOST_BYTES {
            return Err(SourceError::TooLarge { path, size_bytes: about.len() });
        }
        let bytes = fs::read(&path).map_err(failed(&path))?;
        found.push(File { path: reported, bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_byte_by_byte_and_hidden_ones_left_out() {
        let dir = std::env::temp_dir().join(format!("stagegate-source-{}", std::process::id()));
        fs::create_dir_all(dir.join("a/.git")).unwrap();
        fs::write(dir.join("a/up.sql"), b"SELECT 1;\r\n\xff").unwrap();
        fs::write(dir.join("a/.git/x.sql"), b"").unwrap();
        fs::write(dir.join(".keep"), b"").unwrap();
        let found = files(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found.unwrap(), [File { path: "a/up.sql".into(), bytes: b"SELECT 1;\r\n\xff".to_vec() }]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = files(Path::new("/nonexistent/migrations")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/migrations"), "{error}");
    }
}
