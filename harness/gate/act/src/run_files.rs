//! Values that a run keeps in its folder.

use std::path::{Path, PathBuf};

use stagegate_host::files;

use super::{Run, StepError, on_file};

impl Run {
    /// Writes a value into a file of the run's folder, as JSON.
    pub(super) fn save<T: serde::Serialize>(&self, name: &str, value: &T) -> Result<(), StepError> {
        let text = serde_json::to_vec_pretty(value)?;
        let path = self.dir.join(name);
        on_file(&path, files::write_whole(&path, &text))
    }

    /// Reads a value that [`Run::save`] wrote.
    pub(super) fn load<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, StepError> {
        let path = self.dir.join(name);
        let text = on_file(&path, std::fs::read(&path))?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// Returns the dumps in a run's folder: what its databases can be restored from by hand.
#[must_use]
pub fn dumps(dir: &Path) -> Vec<PathBuf> {
    let files = [dir.to_path_buf(), dir.join("backup")].into_iter().filter_map(|dir| std::fs::read_dir(dir).ok());
    let paths = files.flatten().flatten().map(|entry| entry.path());
    let mut dumps: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "dump")).collect();
    dumps.sort();
    dumps
}
