//! Hands one message to one receiver, within ten seconds.
//!
//! Redirects are not followed, of a response only its beginning is read, and no error holds a secret.

mod deployments;
mod mail;

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use stagegate_base::{
    command::Command,
    config::{Channel, Receiver, SecretSource, UrlSource},
    redact::{Mask, Secret},
    text::one_line,
    trace_parent::VARIABLE,
};
use stagegate_host::{
    clock,
    error::with_causes,
    files,
    http::{Http, HttpError, HttpResponse, Request},
    process::{RunError, Runner},
};
use stagegate_watch_decide::notify::{Body, Message, body, retry_after_seconds};

/// How long a receiver has for a message.
pub const WITHIN: Duration = Duration::from_secs(10);
/// How long a program has: less, so that it is ended before the time is over for whoever waits for it.
const PROGRAM_WITHIN: Duration = Duration::from_secs(9);
/// How much of a response is read, in bytes.
const READ: usize = 4 << 10;
/// How much of a response an error shows, in characters.
const SHOWN: usize = 200;

/// Why a receiver did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Undelivered {
    /// The reason, without secrets.
    pub text: String,
    /// The pause that the receiver requires, in seconds.
    pub pause: Option<i64>,
}

/// Why a message cannot be handed over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliverError {
    #[error(
        "the variable {0} is not set; a timer or service has none of your shell's variables, so name a file instead"
    )]
    Variable(String),
    #[error("the file {0} with the secret is empty")]
    Empty(String),
    #[error("cannot read {path}")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write {path}")]
    Spool {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the URL has no topic; write the server's URL with the topic at its end, such as https://ntfy.sh/shop")]
    NoTopic,
    #[error("the URL must begin with https:// or http://")]
    NoUrl,
    #[error("it responded with status {status}{body}")]
    Status { status: u16, body: String, pause: Option<i64> },
    #[error("it responded with a redirect (status {0}), which is not followed; write the URL that it leads to")]
    Redirect(u16),
    #[error("it did not take the message within {WITHIN:?}")]
    TooSlow,
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Program(#[from] RunError),
    #[error("it responded without the id of the deployment; is `url` the one of the API?")]
    NoDeployment,
    #[error("mail: {0}")]
    Mail(String),
}

/// Hands a message to a receiver. `root` is the folder of the configuration, in which programs run; in `spool` the text for a
/// program is written.
///
/// # Errors
/// [`Undelivered`], with the receiver's own words where it has some.
pub async fn deliver((root, spool): (&Path, &Path), receiver: &Receiver, message: &Message) -> Result<(), Undelivered> {
    let mut secrets = Vec::new();
    let message = message.linked(receiver);
    let sent = hand_over((root, spool), receiver, &message, &mut secrets);
    let outcome = match tokio::time::timeout(WITHIN, sent).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DeliverError::TooSlow),
    };
    outcome.map_err(|error| {
        let pause = if let DeliverError::Status { pause, .. } = &error { *pause } else { None };
        Undelivered { text: one_line(&Mask::new(secrets).apply(&with_causes(&error))), pause }
    })
}

async fn hand_over(
    (root, spool): (&Path, &Path),
    receiver: &Receiver,
    message: &Message,
    secrets: &mut Vec<Secret>,
) -> Result<(), DeliverError> {
    match (&receiver.channel, &message.delivery) {
        (Channel::Github(github), Some(delivery)) => {
            return deployments::github(github, message, delivery, secrets).await;
        }
        (Channel::Gitlab(gitlab), Some(delivery)) => {
            return deployments::gitlab(gitlab, message, delivery, secrets).await;
        }
        (Channel::Sentry(sentry), Some(delivery)) => {
            return deployments::sentry(sentry, message, delivery, secrets).await;
        }
        (Channel::Github(github), None) => return deployments::github_is_reached(github, secrets).await,
        (Channel::Gitlab(gitlab), None) => return deployments::gitlab_is_reached(gitlab, secrets).await,
        (Channel::Sentry(sentry), None) => return deployments::sentry_is_reached(sentry, secrets).await,
        _ => {}
    }
    let body = body(&receiver.channel, message);
    match (&receiver.channel, body) {
        (Channel::Command(_), Body::Json(value)) => {
            let Some(command) = receiver.program(root) else { return Ok(()) };
            let trace = message.trace_parent.iter();
            let command = trace.fold(command, |command, trace| command.env(VARIABLE, trace.to_string()));
            run(&command, &value.to_string(), spool, Runner::default()).await
        }
        (Channel::Apprise(source), Body::Text { text, .. }) => {
            let urls = secret(source, secrets)?;
            let lines: Vec<&str> = urls.expose().split_whitespace().collect();
            // By a variable: arguments can be read by every user of the host.
            let command = Command::new("apprise").arg("--input-format=text").env("APPRISE_URLS", lines.join(" "));
            run(&command, &text, spool, Runner::default().with_mask(Mask::new(secrets.clone()))).await
        }
        (Channel::Smtp(mail), Body::Text { subject, text }) => {
            let password = mail.login.as_ref().map(|(_, source)| secret(source, secrets)).transpose()?;
            let id = format!("<{}.{}@stagegate>", message.id, receiver.name);
            mail::send(mail, password.as_ref(), (&id, &subject, &text)).await
        }
        (channel, Body::Json(value)) => post(channel, value, message, secrets).await,
        (_, Body::Text { .. }) => Ok(()),
    }
}

/// Reads a secret, and notes it as one that no error may show.
fn secret(source: &SecretSource, secrets: &mut Vec<Secret>) -> Result<Secret, DeliverError> {
    let text = match source {
        SecretSource::Variable(name) => {
            let value = std::env::var(name).ok().filter(|value| !value.trim().is_empty());
            value.ok_or_else(|| DeliverError::Variable(name.clone()))?
        }
        SecretSource::File(path) => {
            let path_text = || path.display().to_string();
            let text = fs::read_to_string(path).map_err(|source| DeliverError::File { path: path_text(), source })?;
            if text.trim().is_empty() {
                return Err(DeliverError::Empty(path_text()));
            }
            text
        }
    };
    let secret = Secret::new(text.trim());
    secrets.push(secret.clone());
    Ok(secret)
}

fn url(source: &UrlSource, secrets: &mut Vec<Secret>) -> Result<String, DeliverError> {
    let url = match source {
        UrlSource::Plain(url) => {
            secrets.push(Secret::new(url.as_str()));
            url.clone()
        }
        UrlSource::Elsewhere(source) => secret(source, secrets)?.expose().to_owned(),
    };
    // What stands behind the host is the secret of most webhooks; an error may show a part of it.
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(DeliverError::NoUrl)?;
    secrets.extend(rest.split_once('/').map(|(_, path)| Secret::new(path)));
    Ok(url)
}

async fn post(
    channel: &Channel,
    mut value: Value,
    message: &Message,
    secrets: &mut Vec<Secret>,
) -> Result<(), DeliverError> {
    let mut headers: Vec<(&str, String)> = Vec::new();
    let mut key = None;
    let mut bearer = |token: &Option<SecretSource>, secrets: &mut Vec<Secret>| -> Result<(), DeliverError> {
        if let Some(token) = token {
            headers.push(("authorization", format!("Bearer {}", secret(token, secrets)?.expose())));
        }
        Ok(())
    };
    let url = match channel {
        Channel::Ntfy(at, token) => {
            bearer(token, secrets)?;
            let whole = url(at, secrets)?;
            let whole = whole.trim_end_matches('/');
            let (server, topic) =
                whole.rsplit_once('/').filter(|(server, _)| !server.ends_with('/')).ok_or(DeliverError::NoTopic)?;
            value["topic"] = topic.into();
            server.to_owned()
        }
        Channel::Gotify(at, token) => {
            headers.push(("x-gotify-key", secret(token, secrets)?.expose().to_owned()));
            format!("{}/message", url(at, secrets)?.trim_end_matches('/'))
        }
        Channel::Telegram(at, token, _) => {
            let token = secret(token, secrets)?;
            format!("{}/bot{}/sendMessage", url(at, secrets)?.trim_end_matches('/'), token.expose())
        }
        Channel::Webhook(at, token) => {
            key = token.as_ref().map(|token| secret(token, secrets)).transpose()?;
            url(at, secrets)?
        }
        Channel::Otlp { url: at, header, token } => {
            if let (Some(header), Some(token)) = (header, token) {
                headers.push((header, secret(token, secrets)?.expose().to_owned()));
            } else {
                bearer(token, secrets)?;
            }
            url(at, secrets)?
        }
        Channel::Slack { url: at, .. } | Channel::Discord { url: at, .. } | Channel::Teams(at) => url(at, secrets)?,
        Channel::Smtp(_) | Channel::Apprise(_) | Channel::Command(_) => return Ok(()),
        Channel::Github(_) | Channel::Gitlab(_) | Channel::Sentry(_) => return Ok(()),
    };
    let body = value.to_string();
    if matches!(channel, Channel::Webhook(..)) {
        headers.push(("x-stagegate-id", message.id.clone()));
        headers.extend(key.map(|key| ("x-stagegate-signature", signature(&key, clock::unix_seconds(), &body))));
    }
    let request = Request::new("POST", "/").header("content-type", "application/json").body(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let response = Http::new()?.deadline(WITHIN).body_cap(READ).send_url(&url, &request).await?;
    judged(&response)
}

/// Returns the signature of a body: HMAC-SHA256 of the time, a dot and the body.
fn signature(key: &Secret, at: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else { return String::new() };
    mac.update(format!("{at}.{body}").as_bytes());
    let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={digest}")
}

fn judged(response: &HttpResponse) -> Result<(), DeliverError> {
    match response.status {
        200..=299 => Ok(()),
        300..=399 => Err(DeliverError::Redirect(response.status)),
        status => {
            let pause = response
                .header("retry-after")
                .and_then(|text| retry_after_seconds(text, clock::unix_seconds(), clock::unix_seconds_of_http_date));
            let shown: String = one_line(&response.text()).chars().take(SHOWN).collect();
            let body = if shown.is_empty() { shown } else { format!(": {shown}") };
            Err(DeliverError::Status { status, body, pause })
        }
    }
}

/// Runs a program with a text on its standard input.
async fn run(command: &Command, text: &str, spool: &Path, runner: Runner) -> Result<(), DeliverError> {
    static NTH: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let nth = NTH.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = spool.join(format!(".text-{}-{nth}", std::process::id()));
    let failed = |source| DeliverError::Spool { path: path.display().to_string(), source };
    files::private_dir(spool).map_err(failed)?;
    files::write_whole(&path, text.as_bytes()).map_err(failed)?;
    let result = match File::open(&path) {
        Ok(file) => runner.run_from_file(command, PROGRAM_WITHIN, file).await.map_err(DeliverError::from),
        Err(source) => Err(failed(source)),
    };
    let _ = fs::remove_file(&path);
    result
}

#[cfg(test)]
mod tests;
