//! Values that a run keeps in its folder.

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
