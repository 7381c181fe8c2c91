//! Where metrics are written, where the pages are read, and what a page for the public shows.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::notify::is_plain_url;

/// Metrics that are written without a command of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// The folder of `node_exporter`'s textfile collector; `None` where nothing is written by itself.
    pub textfile: Option<PathBuf>,
}

/// Where the pages of `gate report` or `gate dashboard` are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pages {
    /// Their address, without a slash at its end; `None` where messages lead to no page.
    pub url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPages {
    url: Option<String>,
}

impl RawPages {
    /// # Errors
    /// What is wrong, and the way out.
    pub(super) fn read(self) -> Result<Pages, (String, &'static str)> {
        let url = self.url.map(|url| url.trim_end_matches('/').to_owned());
        match url {
            Some(url) if !is_plain_url(&url) || url.contains(['?', '#', '<', '>', '|', '@']) => {
                let text = format!("`url` of [pages] is `{url}`, which is no address of a folder of pages");
                Err((text, "write https://HOST/.. without a user, a query or a fragment"))
            }
            url => Ok(Pages { url }),
        }
    }
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
