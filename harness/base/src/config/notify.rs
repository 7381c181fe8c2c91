//! `[[notify]]`: who gets a message, of what, and where the secret for it is.

mod raw;
mod services;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use crate::command::Command;

pub(super) use raw::{RawNotify, is_plain_url, receivers};
pub use services::{Repository, Sentry, SentryVersion};

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A promotion or rollback begins.
    Begin,
    /// A promotion or rollback has ended, in whatever way.
    End,
    /// A run was blocked or interrupted, and the target was not changed.
    #[serde(alias = "held")]
    Blocked,
    /// A run was rolled back.
    RolledBack,
    /// A run is stuck, or was rolled back and not verified.
    Stuck,
    /// A plan file waits for its approval.
    Approval,
    /// Backups or restore drills fail, or are in order again.
    Backup,
    /// `gate watch` found something, or it is in order again.
    Watch,
}

/// What a receiver hears of where the configuration names nothing.
const DEFAULT: [Event; 4] = [Event::End, Event::Approval, Event::Backup, Event::Watch];

/// What a receiver of deployments hears of where the configuration names nothing.
const BOTH: [Event; 2] = [Event::Begin, Event::End];

/// Where a secret is read from, at the moment at which a message is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the process that sends.
    Variable(String),
    /// A file; blanks around its text do not count.
    File(PathBuf),
}

/// The URL of a receiver.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlSource {
    /// Written in the configuration. Whoever has it can send, so it is not shown.
    #[serde(serialize_with = "hidden")]
    Plain(String),
    /// Elsewhere.
    Elsewhere(SecretSource),
}

impl std::fmt::Debug for UrlSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UrlSource::Plain(_) => f.write_str("Plain(\"***\")"),
            UrlSource::Elsewhere(source) => f.debug_tuple("Elsewhere").field(source).finish(),
        }
    }
}

fn hidden<S: Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("***")
}

/// How the connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS, which is required.
    #[default]
    Starttls,
    /// From its first byte.
    Tls,
    /// Not at all, for a server on this host.
    None,
}

/// A mail server and the letter's addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: MailTls,
    /// Certificates of authorities that count in addition to those of this host, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The user, with the source of the password; without, nobody logs in.
    pub login: Option<(String, SecretSource)>,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
}

/// How a receiver is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// An incoming webhook of Slack, or of what takes the same (Mattermost, Rocket.Chat).
    Slack {
        /// The webhook.
        url: UrlSource,
        /// Who is mentioned where a person has to act, such as `<!channel>`.
        mention: Option<String>,
    },
    /// A webhook of Discord.
    Discord {
        /// The webhook.
        url: UrlSource,
        /// Who is mentioned where a person has to act, such as `@here`.
        mention: Option<String>,
    },
    /// A workflow of Microsoft Teams that takes adaptive cards.
    Teams(UrlSource),
    /// A topic of ntfy: the server's URL with the topic as the last part of its path.
    Ntfy(UrlSource, Option<SecretSource>),
    /// An application of Gotify: the server's URL and the token.
    Gotify(UrlSource, SecretSource),
    /// A chat of Telegram: the server's URL, the bot's token and the chat.
    Telegram(UrlSource, SecretSource, String),
    /// A URL that takes JSON, signed where there is a key.
    Webhook(UrlSource, Option<SecretSource>),
    /// Mail.
    Smtp(Mail),
    /// The program `apprise`, with its URLs.
    Apprise(SecretSource),
    /// A program that reads JSON.
    Command(Vec<String>),
    /// A collector of traces: the URL that takes OTLP in JSON, and what it knows the sender by.
    Otlp {
        /// The whole URL, such as `http://127.0.0.1:4318/v1/traces`.
        url: UrlSource,
        /// The header that has the token; without a name it is `Authorization: Bearer`.
        header: Option<String>,
        /// The token.
        token: Option<SecretSource>,
    },
    /// Deployments and commit statuses at GitHub.
    Github(Repository),
    /// Deployments and commit statuses at GitLab.
    Gitlab(Repository),
    /// Releases and deploys at Sentry, or at what speaks its API.
    Sentry(Sentry),
}

/// One receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receiver {
    /// Its name, unlike all others.
    pub name: String,
    /// How it is reached.
    pub channel: Channel,
    /// What it hears of.
    pub on: Vec<Event>,
    /// Of which environments; of all where empty.
    pub environments: Vec<String>,
    /// The address of the pages that a message leads to, without a slash at its end.
    pub pages: Option<String>,
}

impl Receiver {
    /// Returns whether it hears of one of some events in an environment.
    #[must_use]
    pub fn receives(&self, events: &[Event], environment: &str) -> bool {
        let there = self.environments.is_empty() || self.environments.iter().any(|name| name == environment);
        there && events.iter().any(|event| self.on.contains(event))
    }

    /// Returns the address of a run's page, or that of the first page.
    #[must_use]
    pub fn page(&self, run: Option<&str>) -> Option<String> {
        let pages = self.pages.as_ref()?;
        Some(match run {
            Some(run) => format!("{pages}/runs/{run}.html"),
            None => format!("{pages}/index.html"),
        })
    }

    /// Returns the program that it is reached by, `None` where it is none; `dir` is the folder of the configuration.
    #[must_use]
    pub fn program(&self, dir: &Path) -> Option<Command> {
        let Channel::Command(words) = &self.channel else { return None };
        let (program, args) = words.split_first()?;
        Some(Command::new(program).args(args.to_vec()).in_dir(dir))
    }
}
