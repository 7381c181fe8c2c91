//! Receivers that keep deployments: GitHub, and Sentry with what speaks its API.

use serde::{Deserialize, Serialize};

use super::{SecretSource, UrlSource};

/// A repository at GitHub that gets deployments and statuses of commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Github {
    /// The API.
    pub url: UrlSource,
    /// `OWNER/NAME`.
    pub repository: String,
    /// The token.
    pub token: SecretSource,
    /// The page of a run; `{run}` stands for its id.
    pub log_url: Option<String>,
}

impl Github {
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

/// Tells whether a text is `OWNER/NAME`.
pub(super) fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.bytes().all(|byte| byte == b'.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

/// Tells whether a text is a short name of Sentry.
pub(super) fn is_short_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
