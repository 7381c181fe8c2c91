//! Receivers that keep deployments: GitHub, GitLab, and Sentry with what speaks its API.

use serde::{Deserialize, Serialize};

use super::{SecretSource, UrlSource};

/// A repository at GitHub or GitLab that gets deployments and statuses of commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repository {
    /// GitHub's API, or the server of GitLab.
    pub url: UrlSource,
    /// `OWNER/NAME`; at GitLab it may lie in groups: `GROUP/SUBGROUP/NAME`.
    pub repository: String,
    /// The token.
    pub token: SecretSource,
    /// The page of a run; `{run}` stands for its id. Without it the pages of the configuration count.
    pub log_url: Option<String>,
}

impl Repository {
    /// Returns the address of a run's page.
    #[must_use]
    pub fn link(&self, run: &str) -> Option<String> {
        self.log_url.as_ref().map(|url| url.replace("{run}", run))
    }
}

/// What Sentry calls a release's version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SentryVersion {
    /// The release's name.
    #[default]
    Name,
    /// Its commit.
    Commit,
}

/// An organization at Sentry that gets releases and their deploys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sentry {
    /// The server.
    pub url: UrlSource,
    /// The organization's short name; `None` for Bugsink, which has none.
    pub organization: Option<String>,
    /// The projects' short names; for Bugsink their numbers.
    pub projects: Vec<String>,
    /// The token.
    pub token: SecretSource,
    /// What the release's version is.
    pub version: SentryVersion,
}

/// Returns whether a text is `OWNER/NAME`, or has up to `most` parts.
pub(super) fn is_repository(text: &str, most: usize) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.bytes().all(|byte| byte == b'.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    (2..=most).contains(&text.split('/').count()) && text.split('/').all(is_part)
}

/// Returns whether a text is a short name of Sentry.
pub(super) fn is_short_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
