//! Where metrics are written, and what a page for the public shows.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Metrics that are written without a command of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// The folder of `node_exporter`'s textfile collector; `None` where nothing is written by itself.
    pub textfile: Option<PathBuf>,
}

/// What of a run the page for the public shows in addition to its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusPage {
    /// The name of the live release.
    pub release: bool,
    /// The commit of the live release.
    pub commit: bool,
    /// Why the last run did not go through.
    pub reason: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetrics {
    textfile: Option<PathBuf>,
}

impl RawMetrics {
    /// `absolute` makes a path of the file one of this machine.
    pub(super) fn read(self, absolute: impl Fn(&Path) -> PathBuf) -> Metrics {
        Metrics { textfile: self.textfile.map(|dir| absolute(&dir)) }
    }
}
