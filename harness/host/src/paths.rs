//! Where things are kept on this machine.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stagegate_base::config::Config;

use crate::files;

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

    /// Returns all state folders of this host that `config` could have made: those of other products, and of projects
    /// that it called otherwise once, are among them.
    #[must_use]
    pub fn all(config: &Config) -> Vec<Self> {
        let entries = fs::read_dir(base(config)).into_iter().flatten().flatten();
        let mut all: Vec<Self> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).map(|root| StateDir { root }).collect();
        all.sort_by(|a, b| a.root.cmp(&b.root));
        all
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

    /// Returns the id of this very folder, 16 hexadecimal digits, which marks what its runs make elsewhere; made where
    /// there is none.
    ///
    /// # Errors
    /// The system's, and where the file holds something else: what is marked with the id could not be reported any more.
    pub fn id(&self) -> io::Result<String> {
        self.stored_random("id")
    }

    /// Returns a key that never leaves this folder, 16 hexadecimal digits: a hash with it does not show what a file holds
    /// to whoever guesses. Made where there is none.
    ///
    /// # Errors
    /// As [`Self::id`].
    pub fn key(&self) -> io::Result<String> {
        self.stored_random("key")
    }

    fn stored_random(&self, name: &str) -> io::Result<String> {
        let path = self.root.join(name);
        files::write_once(&path, || Ok(random()?.into_bytes()))?;
        let id = fs::read_to_string(&path)?;
        let is_id = id.len() == 16 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let text = || format!("{} does not hold 16 hexadecimal digits", path.display());
        is_id.then_some(id).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, text()))
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

    /// Returns the folder with the socket of the proxy's Runtime API.
    #[must_use]
    pub fn proxy(&self) -> PathBuf {
        self.root.join("proxy")
    }

    /// Returns the folder of test runs' records.
    #[must_use]
    pub fn tests(&self) -> PathBuf {
        self.root.join("tests")
    }
}

fn random() -> io::Result<String> {
    use io::Read;
    let mut bytes = [0_u8; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

fn base(config: &Config) -> PathBuf {
    state_base(config.state_dir.as_deref())
}

/// Returns the folder that holds the state of all projects; `configured` is `state_dir` of the configuration.
#[must_use]
pub fn state_base(configured: Option<&Path>) -> PathBuf {
    let set = |value: Option<std::ffi::OsString>| value.filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let own = set(std::env::var_os("STAGEGATE_STATE_DIR")).or_else(|| configured.map(Path::to_path_buf));
    let is_root = rustix::process::geteuid().is_root();
    own.unwrap_or_else(|| default_base(is_root, set(std::env::var_os("XDG_STATE_HOME")), std::env::home_dir()))
}

/// Returns the folder of all state where none is configured. Without HOME the system's list of users tells `home`.
///
/// Never a folder that others may write: they could put a lock or a journal there.
fn default_base(is_root: bool, state_home: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    let system = PathBuf::from("/var/lib/stagegate");
    if is_root {
        return system;
    }
    let state = state_home.or_else(|| home.map(|home| home.join(".local/state")));
    state.map_or(system, |dir| dir.join("stagegate"))
}

/// Finds `stagegate.toml` in `start` or a folder above it.
#[must_use]
pub fn find_config(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|dir| dir.join(stagegate_base::config::FILE_NAME)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::root(true, Some("/x"), Some("/root"), "/var/lib/stagegate")]
    #[case::state_home(false, Some("/x"), Some("/home/ada"), "/x/stagegate")]
    #[case::home(false, None, Some("/home/ada"), "/home/ada/.local/state/stagegate")]
    #[case::nothing(false, None, None, "/var/lib/stagegate")]
    fn state_is_never_where_others_may_write(
        #[case] is_root: bool,
        #[case] state_home: Option<&str>,
        #[case] home: Option<&str>,
        #[case] want: &str,
    ) {
        let found = default_base(is_root, state_home.map(PathBuf::from), home.map(PathBuf::from));
        assert_eq!(found, Path::new(want));
    }

    #[test]
    fn a_folder_keeps_its_id_and_a_damaged_one_is_refused() {
        let dir = std::env::temp_dir().join(format!("stagegate-id-{}", std::process::id()));
        let id = StateDir::at(&dir).id().unwrap();
        assert_eq!(StateDir::at(&dir).id().unwrap(), id);
        let other = StateDir::at(&dir.join("other")).id().unwrap();
        fs::write(dir.join("id"), "").unwrap();
        let refused = StateDir::at(&dir).id().unwrap_err().to_string();
        fs::remove_dir_all(&dir).unwrap();
        assert!(id.len() == 16 && id != other, "{id} {other}");
        assert!(refused.contains("16 hexadecimal digits"), "{refused}");
    }
}
