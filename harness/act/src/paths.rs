//! Where things are kept on this machine.

use std::path::{Path, PathBuf};

use stagegate_decide::config::Config;

/// The folders of one compose project's state.
///
/// They are keyed by the project and belong to the machine, not to a checkout: two checkouts that speak of the same
/// project share its lock and its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Returns the state folder of `project`: `STAGEGATE_STATE_DIR`, else the configuration's `state_dir`, else
    /// `/var/lib/stagegate` for root and `~/.local/state/stagegate` for others.
    #[must_use]
    pub fn of(config: &Config, project: &str) -> Self {
        StateDir { root: base(config).join(project) }
    }

    /// Returns the state that is kept in `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        StateDir { root: root.to_path_buf() }
    }

    /// Returns the folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of the runs, one folder each.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Returns the folder of one run.
    #[must_use]
    pub fn run(&self, id: &str) -> PathBuf {
        self.runs().join(id)
    }

    /// Returns the folder of test runs' records.
    #[must_use]
    pub fn tests(&self) -> PathBuf {
        self.root.join("tests")
    }
}

fn base(config: &Config) -> PathBuf {
    if let Some(dir) = std::env::var_os("STAGEGATE_STATE_DIR").filter(|dir| !dir.is_empty()) {
        return PathBuf::from(dir);
    }
    if let Some(dir) = &config.state_dir {
        return dir.clone();
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/stagegate");
    }
    let home = || std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    std::env::var_os("XDG_STATE_HOME").map_or_else(|| home().join(".local/state"), PathBuf::from).join("stagegate")
}

/// Finds `stagegate.toml` in `start` or a folder above it.
#[must_use]
pub fn find_config(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|dir| dir.join(stagegate_decide::config::FILE_NAME)).find(|path| path.is_file())
}
