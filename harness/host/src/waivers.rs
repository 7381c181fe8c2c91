//! The file of waivers next to a configuration or a compose file.

use std::path::{Path, PathBuf};

use stagegate_base::{
    config::ConfigError,
    waiver::{FILE_NAME, OLD_NAMES, Waivers},
};

/// A file of waivers that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WaiversError {
    /// It cannot be read.
    #[error("cannot read the waivers in {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// What it states cannot be used.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
}

/// Reads the waivers of a folder, those in files of earlier names too; none where there is no such file.
///
/// `known` are the codes that there are; any is taken where it is empty.
///
/// # Errors
/// [`WaiversError`] where a file is there and cannot be used.
pub fn read(folder: &Path, known: &[&str]) -> Result<Waivers, WaiversError> {
    let mut all = Waivers::default();
    for name in std::iter::once(FILE_NAME).chain(OLD_NAMES) {
        let path = folder.join(name);
        match crate::files::text(&path) {
            Ok(text) => all.extend(Waivers::parse(&shown(&path), &text, known)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(WaiversError::Unreadable { path, source }),
        }
    }
    Ok(all)
}

/// Reads the waivers of one file, which has to be there.
///
/// # Errors
/// [`WaiversError`] where it cannot be read or used.
pub fn read_file(path: &Path, known: &[&str]) -> Result<Waivers, WaiversError> {
    let text =
        crate::files::text(path).map_err(|source| WaiversError::Unreadable { path: path.to_path_buf(), source })?;
    Ok(Waivers::parse(path, &text, known)?)
}

/// Returns what to say of files of earlier names: they are read, and their waivers belong into one file.
#[must_use]
pub fn notices(folder: &Path) -> Vec<String> {
    let old = OLD_NAMES.into_iter().filter(|name| folder.join(name).is_file());
    old.map(|name| format!("{name} is an old name; move its waivers to {FILE_NAME}")).collect()
}

/// Returns a path relative to the current folder where it lies in it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_all_names_are_read_together() {
        let folder = std::env::temp_dir().join(format!("stagegate-waivers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let one = |code: &str| {
            format!(
                "[[waiver]]\ncode = \"{code}\"\nplace = \"*\"\nreason = \"r\"\nowner = \"o\"\nexpires = 2030-01-01\n"
            )
        };
        for (name, code) in [FILE_NAME, OLD_NAMES[0], OLD_NAMES[1]].into_iter().zip(["a", "b", "c"]) {
            std::fs::write(folder.join(name), one(code)).unwrap();
        }
        let found = read(&folder, &[]).unwrap();
        let refused = read(&folder, &["a", "b"]).unwrap_err().to_string();
        let notices = notices(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let codes: Vec<&str> = found.all().iter().map(|waiver| waiver.code.as_str()).collect();
        assert_eq!(codes, ["a", "b", "c"]);
        assert!(refused.contains("migration-exceptions.toml") && refused.contains("there is no code `c`"), "{refused}");
        assert_eq!(notices.len(), 2);
    }
}
