//! The exit codes of `gate`, in one place.

use serde::{Deserialize, Serialize};

/// How a run of `gate` ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Every required check passed, or the release was promoted.
    Passed,
    /// The command line or the configuration is wrong; nothing was touched.
    Usage,
    /// A failed check holds the release; the target was not touched.
    Held,
    /// A required check did not run, so nothing can be said.
    Inconclusive,
    /// The target was changed, put back and verified.
    RolledBack,
    /// A person is needed: stuck, or back but not verified.
    PersonNeeded,
    /// Another run holds the lock.
    Locked,
}

impl Exit {
    /// Returns the number that the process exits with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Usage => 2,
            Exit::Held => 3,
            Exit::Inconclusive => 4,
            Exit::RolledBack => 5,
            Exit::PersonNeeded => 6,
            Exit::Locked => 7,
        }
    }
}
