//! What a run delivers, for receivers that keep deployments: GitHub, GitLab, and Sentry with what speaks its API.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stagegate_base::config::{Sentry, SentryVersion};
use stagegate_base::text::one_line;
use stagegate_gate_decide::promotion::{End, Plan};

/// Characters of a description that GitHub takes; GitLab takes 255.
// Source: docs.github.com/en/rest/deployments/statuses: "A short description of the status. Maximum length 140 characters".
const DESCRIPTION: usize = 140;
/// How far GitLab's clock may be behind this host's, in seconds.
const CLOCKS_DIFFER: f64 = 60.0;
/// Characters of an address that GitLab takes.
const TARGET_URL: usize = 255;
/// The key of the payload by which a run finds its deployment again.
pub const PAYLOAD: &str = "stagegate_run";

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It has begun.
    Begun,
    /// Its release is live.
    Live,
    /// Its release is not live, and the earlier one is.
    NotLive,
    /// What is live is not certain.
    Unknown,
}

/// A run as a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The run's id.
    pub run: String,
    /// The release's name.
    pub release: String,
    /// Its commit.
    pub commit: String,
    /// How far it is.
    pub stage: Stage,
    /// When it began (RFC 3339).
    pub began: String,
    /// When its last line was written (RFC 3339).
    pub last: String,
}

impl Delivery {
    /// Makes the delivery of a run; `end` is `None` where it has not ended, `began` and `last` are moments (RFC 3339).
    #[must_use]
    pub fn of(plan: &Plan, end: Option<End>, (began, last): (&str, &str)) -> Self {
        let stage = match end {
            None => Stage::Begun,
            Some(End::Promoted) => Stage::Live,
            Some(End::Blocked | End::Aborted | End::RolledBack) => Stage::NotLive,
            Some(End::NotVerified | End::Stuck | End::Abandoned) => Stage::Unknown,
        };
        Delivery {
            run: plan.run.clone(),
            release: plan.release.name.clone(),
            commit: plan.release.commit.clone(),
            stage,
            began: began.to_owned(),
            last: last.to_owned(),
        }
    }

    /// Returns the body of a request for a deployment. Nothing is merged, and no status of the commit is waited for: the gate has
    /// decided.
    #[must_use]
    pub fn deployment(&self, environment: &str, title: &str) -> Value {
        json!({
            "ref": self.commit,
            "task": "deploy",
            "auto_merge": false,
            "required_contexts": [],
            "environment": environment,
            "description": description(title),
            "payload": { PAYLOAD: self.run },
        })
    }

    /// Returns the body of a request for a status of the deployment.
    #[must_use]
    pub fn deployment_status(&self, link: Option<&str>, environment: &str, title: &str) -> Value {
        let state = match self.stage {
            Stage::Begun => "in_progress",
            Stage::Live => "success",
            Stage::NotLive => "failure",
            Stage::Unknown => "error",
        };
        // GitHub would spare environments that it takes for production.
        let mut body = json!({
            "state": state,
            "environment": environment,
            "description": description(title),
            "auto_inactive": false,
        });
        if let Some(url) = link {
            body["log_url"] = url.into();
        }
        body
    }

    /// Returns the body of a request for a status of the commit.
    #[must_use]
    pub fn commit_status(&self, link: Option<&str>, environment: &str, title: &str) -> Value {
        let state = match self.stage {
            Stage::Begun => "pending",
            Stage::Live => "success",
            Stage::NotLive => "failure",
            Stage::Unknown => "error",
        };
        let mut body = json!({
            "state": state,
            "context": format!("stagegate/{environment}"),
            "description": description(title),
        });
        if let Some(url) = link {
            body["target_url"] = url.into();
        }
        body
    }

    /// Returns the word that GitLab has for the stage, in deployments and statuses of commits.
    #[must_use]
    pub fn gitlab_status(&self) -> &'static str {
        match self.stage {
            Stage::Begun => "running",
            Stage::Live => "success",
            Stage::NotLive | Stage::Unknown => "failed",
        }
    }

    /// Returns the release's tag; `None` where it has none, and its name is the beginning of its commit.
    fn tag(&self) -> Option<&str> {
        Some(self.release.as_str()).filter(|name| !self.commit.starts_with(name))
    }

    /// Returns the body of a request for a deployment at GitLab.
    #[must_use]
    pub fn gitlab_deployment(&self, environment: &str) -> Value {
        json!({
            "environment": environment,
            "sha": self.commit,
            "ref": self.tag().unwrap_or(&self.commit),
            "tag": self.tag().is_some(),
            "status": self.gitlab_status(),
        })
    }

    /// Returns the id and the status of the deployment that this run made, of a list of GitLab's, where nothing names the run: it is of
    /// the same commit, was not ended otherwise, and of those it was made nearest to the run's beginning, and not before it. `unix`
    /// reads an RFC 3339 text in seconds since 1970.
    #[must_use]
    pub fn made_at_gitlab(&self, list: &Value, unix: impl Fn(&str) -> Option<f64>) -> Option<(u64, String)> {
        let began = unix(&self.began)?;
        let one = |value: &Value| {
            let status = value["status"].as_str()?;
            let after = unix(value["created_at"].as_str()?)? - began;
            let is_it = value["sha"] == self.commit.as_str()
                && after >= -CLOCKS_DIFFER
                && ["created", "running", self.gitlab_status()].contains(&status);
            is_it.then_some((after.abs(), value["id"].as_u64()?, status.to_owned()))
        };
        let made = list.as_array()?.iter().filter_map(one).min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some((made.1, made.2))
    }

    /// Returns the body of a request for a status of the commit at GitLab, which looks for a branch where there is no tag.
    #[must_use]
    pub fn gitlab_commit_status(&self, link: Option<&str>, environment: &str, title: &str) -> Value {
        let mut body = json!({
            "state": self.gitlab_status(),
            "name": format!("stagegate/{environment}"),
            "description": description(title),
        });
        if let Some(tag) = self.tag() {
            body["ref"] = tag.into();
        }
        if let Some(url) = link.filter(|url| url.chars().count() <= TARGET_URL) {
            body["target_url"] = url.into();
        }
        body
    }

    /// Returns what Sentry calls the release's version.
    #[must_use]
    pub fn version(&self, sentry: &Sentry) -> &str {
        match sentry.version {
            SentryVersion::Name => &self.release,
            SentryVersion::Commit => &self.commit,
        }
    }

    /// Returns the body of a request for a release.
    #[must_use]
    pub fn sentry_release(&self, sentry: &Sentry) -> Value {
        json!({
            "version": self.version(sentry),
            "projects": sentry.projects,
            "ref": self.commit,
            "dateReleased": self.last,
        })
    }

    /// Returns the body of a request for a release in one project of Bugsink.
    #[must_use]
    pub fn bugsink_release(&self, sentry: &Sentry, project: &str) -> Value {
        json!({ "project": project, "version": self.version(sentry), "timestamp": self.last })
    }

    /// Returns the body of a request for a deploy of the release, by whose name it is found again.
    #[must_use]
    pub fn sentry_deploy(&self, environment: &str) -> Value {
        json!({
            "environment": environment,
            "name": self.run,
            "dateStarted": self.began,
            "dateFinished": self.last,
        })
    }
}

fn description(title: &str) -> String {
    let text = one_line(title);
    if text.chars().count() <= DESCRIPTION {
        return text;
    }
    let head: String = text.chars().take(DESCRIPTION - 4).collect();
    format!("{head} ...")
}

/// Returns a text as a part of a URL's path or query. A dot or two alone would lead elsewhere.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let dots = text.bytes().all(|byte| byte == b'.');
    let encoded =
        |byte: u8| if is_plain(&byte) && !dots { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encoded).collect()
}
