//! How long logs and records of checks stay.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::units::{Size, Span};

/// The folder of the scripts' logs, relative to the configuration file.
const DIR: &str = "logs";
const DAY: u64 = 24 * 3_600;

/// How long logs and records of checks stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logs {
    /// The folder in which the scripts write their logs, a folder for each environment.
    pub dir: PathBuf,
    /// What was last written longer ago is removed; zero is never.
    pub keep: Span,
    /// So many bytes of one environment's logs stay, and as many of its records; zero is any number.
    pub max_size: Size,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogs {
    dir: Option<PathBuf>,
    keep: Option<Span>,
    max_size: Option<Size>,
}

impl RawLogs {
    /// Fills the defaults in; `absolute` makes a path of the file one of this machine.
    pub(super) fn read(self, absolute: impl Fn(&Path) -> PathBuf) -> Logs {
        Logs {
            dir: absolute(self.dir.as_deref().unwrap_or(Path::new(DIR))),
            keep: self.keep.unwrap_or(Span(Duration::from_secs(90 * DAY))),
            max_size: self.max_size.unwrap_or(Size(500 << 20)),
        }
    }
}
