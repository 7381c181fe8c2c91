//! The waivers that a command counts.

use std::path::{Path, PathBuf};

use stagegate_base::waiver::Waivers;
use stagegate_host::waivers;

use crate::failure::{Failure, print_message};

/// Reads the waivers of a file that somebody named, else those of a folder, and reports old names of files.
pub(super) fn read(named: Option<&Path>, folder: &Path) -> Result<Waivers, Failure> {
    let known = stagegate_suites::codes();
    match named {
        Some(path) => Ok(waivers::read_file(path, &known)?),
        None => {
            waivers::notices(folder).iter().for_each(|notice| print_message(&format!("notice: {notice}")));
            Ok(waivers::read(folder, &known)?)
        }
    }
}

/// Returns the folder of the configuration; without one the current folder.
pub(super) fn folder(config: Option<&Path>) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let config = config.map(|path| here.join(path)).or_else(|| stagegate_host::paths::find_config(&here));
    config.and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or(here)
}
