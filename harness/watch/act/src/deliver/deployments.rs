//! Deployments at GitHub and GitLab, releases at Sentry: several requests, each of which may be made again.
//!
//! What a try before did is found again by the run's id, so that a message that is sent twice makes one deployment.

use serde_json::Value;
use stagegate_base::{
    config::{Repository, SecretSource, Sentry, UrlSource},
    redact::Secret,
};
use stagegate_host::{
    clock,
    http::{Http, HttpResponse, Request},
};
use stagegate_watch_decide::notify::{Delivery, Message, PAYLOAD, Stage, percent_encoded};

use super::{DeliverError, WITHIN, judged, secret, url};

/// How much of a response is read, in bytes: a list of deployments is long.
const READ: usize = 1 << 20;
/// Deployments of an environment that are looked at.
const LISTED: usize = 30;

/// What every request to GitHub has.
const GITHUB: Headers = &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

type Headers = &'static [(&'static str, &'static str)];

/// A server with an API in JSON.
struct Api {
    base: String,
    token: Secret,
    http: Http,
    headers: Headers,
}

impl Api {
    fn open(
        at: &UrlSource,
        token: &SecretSource,
        headers: Headers,
        secrets: &mut Vec<Secret>,
    ) -> Result<Self, DeliverError> {
        let base = url(at, secrets)?.trim_end_matches('/').to_owned();
        let http = Http::new()?.deadline(WITHIN).body_cap(READ);
        Ok(Api { base, token: secret(token, secrets)?, http, headers })
    }

    async fn send(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<HttpResponse, DeliverError> {
        let request = Request::new(method, "/").header("authorization", &format!("Bearer {}", self.token.expose()));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        // GitHub refuses a request without one.
        let request = request.header("user-agent", concat!("stagegate/", env!("CARGO_PKG_VERSION")));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        Ok(self.http.send_url(&format!("{}{path}", self.base), &request).await?)
    }

    async fn get(&self, path: &str) -> Result<Value, DeliverError> {
        let response = self.send("GET", path, None).await?;
        judged(&response)?;
        Ok(serde_json::from_str(&response.text()).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, DeliverError> {
        self.write("POST", path, body).await
    }

    async fn write(&self, method: &'static str, path: &str, body: &Value) -> Result<Value, DeliverError> {
        let response = self.send(method, path, Some(body)).await?;
        judged(&response)?;
        Ok(serde_json::from_str(&response.text()).unwrap_or_default())
    }
}

/// A deployment at GitHub that a run of the gate made.
struct Deployment {
    id: u64,
    run: String,
}

/// Writes the deployment of a run with its status, and the status of its commit. Of an environment only one deployment stays active.
// Source: docs.github.com/en/rest (version 2022-11-28): deployments, deployment statuses, commit statuses.
pub(super) async fn github(
    github: &Repository,
    message: &Message,
    delivery: &Delivery,
    secrets: &mut Vec<Secret>,
) -> Result<(), DeliverError> {
    let api = Api::open(&github.url, &github.token, GITHUB, secrets)?;
    let (environment, title) = (&message.environment, &message.title);
    let link = github.link(&delivery.run).or_else(|| message.link.clone());
    let root = format!("/repos/{}", github.repository);
    let known = deployments(&api, &root, environment).await?;
    let id = match known.iter().find(|one| one.run == delivery.run) {
        Some(one) => one.id,
        None => {
            let made = api.post(&format!("{root}/deployments"), &delivery.deployment(environment, title)).await?;
            made["id"].as_u64().ok_or(DeliverError::NoDeployment)?
        }
    };
    let status = delivery.deployment_status(link.as_deref(), environment, title);
    api.post(&format!("{root}/deployments/{id}/statuses"), &status).await?;
    if delivery.stage == Stage::Live {
        for other in known.iter().filter(|one| one.run != delivery.run) {
            let statuses = format!("{root}/deployments/{}/statuses", other.id);
            let last = api.get(&format!("{statuses}?per_page=1")).await?;
            if last[0]["state"] == "success" {
                let body =
                    serde_json::json!({ "state": "inactive", "environment": environment, "auto_inactive": false });
                api.post(&statuses, &body).await?;
                // Those before it were made inactive by the run that made it.
                break;
            }
        }
    }
    let commit = percent_encoded(&delivery.commit);
    api.post(&format!("{root}/statuses/{commit}"), &delivery.commit_status(link.as_deref(), environment, title))
        .await?;
    Ok(())
}

/// Reads the repository, for a message that is no run's: a test makes no deployment.
pub(super) async fn github_is_reached(github: &Repository, secrets: &mut Vec<Secret>) -> Result<(), DeliverError> {
    let api = Api::open(&github.url, &github.token, GITHUB, secrets)?;
    api.get(&format!("/repos/{}", github.repository)).await.map(drop)
}

/// Writes the deployment of a run and the status of its commit. What a rollback replaces GitLab finds by itself: the newest
/// deployment that is a success is the live one.
// Source: gitlab.com/gitlab-org/gitlab, lib/api/deployments.rb and lib/api/commit_statuses.rb.
pub(super) async fn gitlab(
    gitlab: &Repository,
    message: &Message,
    delivery: &Delivery,
    secrets: &mut Vec<Secret>,
) -> Result<(), DeliverError> {
    let api = Api::open(&gitlab.url, &gitlab.token, &[], secrets)?;
    let link = gitlab.link(&delivery.run).or_else(|| message.link.clone());
    let root = gitlab_root(gitlab);
    let wanted = delivery.gitlab_status();
    let query =
        format!("environment={}&order_by=id&sort=desc&per_page={LISTED}", percent_encoded(&message.environment));
    let list = api.get(&format!("{root}/deployments?{query}")).await?;
    match delivery.made_at_gitlab(&list, clock::unix_of) {
        // The same status once more would be refused.
        Some((_, status)) if status == wanted => {}
        Some((id, _)) => {
            let body = serde_json::json!({ "status": wanted });
            api.write("PUT", &format!("{root}/deployments/{id}"), &body).await?;
        }
        None => {
            api.post(&format!("{root}/deployments"), &delivery.gitlab_deployment(&message.environment)).await?;
        }
    }
    let body = delivery.gitlab_commit_status(link.as_deref(), &message.environment, &message.title);
    let response = api.send("POST", &format!("{root}/statuses/{}", delivery.commit), Some(&body)).await?;
    // A try before this one has set it.
    let is_there = response.status == 400 && response.text().contains("Cannot transition status");
    if is_there { Ok(()) } else { judged(&response) }
}

/// Reads the project, for a message that is no run's.
pub(super) async fn gitlab_is_reached(gitlab: &Repository, secrets: &mut Vec<Secret>) -> Result<(), DeliverError> {
    let api = Api::open(&gitlab.url, &gitlab.token, &[], secrets)?;
    api.get(&gitlab_root(gitlab)).await.map(drop)
}

fn gitlab_root(gitlab: &Repository) -> String {
    format!("/api/v4/projects/{}", percent_encoded(&gitlab.repository))
}

/// Reads the releases, for a message that is no run's.
pub(super) async fn sentry_is_reached(sentry: &Sentry, secrets: &mut Vec<Secret>) -> Result<(), DeliverError> {
    let api = Api::open(&sentry.url, &sentry.token, &[], secrets)?;
    match &sentry.organization {
        Some(organization) => {
            api.get(&format!("/api/0/organizations/{}/releases/", percent_encoded(organization))).await.map(drop)
        }
        None => {
            for project in &sentry.projects {
                api.get(&format!("/api/canonical/0/releases/?project={}", percent_encoded(project))).await?;
            }
            Ok(())
        }
    }
}

/// Returns the deployments that runs of the gate made for an environment, the newest first.
async fn deployments(api: &Api, root: &str, environment: &str) -> Result<Vec<Deployment>, DeliverError> {
    let query = format!("environment={}&task=deploy&per_page={LISTED}", percent_encoded(environment));
    let list = api.get(&format!("{root}/deployments?{query}")).await?;
    let run_of = |payload: &Value| match payload {
        // A payload may be JSON in a text.
        Value::String(text) => serde_json::from_str::<Value>(text).ok()?[PAYLOAD].as_str().map(str::to_owned),
        payload => payload[PAYLOAD].as_str().map(str::to_owned),
    };
    let one = |value: &Value| Some(Deployment { id: value["id"].as_u64()?, run: run_of(&value["payload"])? });
    Ok(list.as_array().into_iter().flatten().filter_map(one).collect())
}

/// Writes the release that is live, and its deploy. A server that has no deploys gets the release alone.
// Source: docs.sentry.io/api/releases: "Create a New Release for an Organization", "Create a Deploy".
pub(super) async fn sentry(
    sentry: &Sentry,
    message: &Message,
    delivery: &Delivery,
    secrets: &mut Vec<Secret>,
) -> Result<(), DeliverError> {
    let api = Api::open(&sentry.url, &sentry.token, &[], secrets)?;
    let Some(organization) = &sentry.organization else { return bugsink(&api, sentry, delivery).await };
    let releases = format!("/api/0/organizations/{}/releases/", percent_encoded(organization));
    api.post(&releases, &delivery.sentry_release(sentry)).await?;
    let deploys = format!("{releases}{}/deploys/", percent_encoded(delivery.version(sentry)));
    let is_there = |list: &Value| list.as_array().into_iter().flatten().any(|one| one["name"] == delivery.run.as_str());
    let made = match api.get(&deploys).await {
        Ok(list) if is_there(&list) => Ok(Value::Null),
        Ok(_) => api.post(&deploys, &delivery.sentry_deploy(&message.environment)).await,
        Err(error) => Err(error),
    };
    match made {
        // The release is what errors are sorted by.
        Ok(_) | Err(DeliverError::Status { status: 404 | 405, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the release into each project of Bugsink, which has neither organizations nor deploys.
// Source: Bugsink 2.6, /api/canonical/0/schema/: "Create a release".
async fn bugsink(api: &Api, sentry: &Sentry, delivery: &Delivery) -> Result<(), DeliverError> {
    for project in &sentry.projects {
        let body = delivery.bugsink_release(sentry, project);
        let response = api.send("POST", "/api/canonical/0/releases/", Some(&body)).await?;
        // A try before this one has made it.
        let is_there = response.status == 400 && response.text().contains("already exists");
        if !is_there {
            judged(&response)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
