//! `[[notify]]` as it is written.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{
    BOTH, Channel, DEFAULT, Event, Mail, MailTls, Receiver, Repository, SecretSource, Sentry, SentryVersion, UrlSource,
    services,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Slack,
    Discord,
    Teams,
    Ntfy,
    Gotify,
    Telegram,
    Webhook,
    Smtp,
    Apprise,
    Command,
    Otlp,
    Github,
    Gitlab,
    Sentry,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawNotify {
    kind: Kind,
    name: Option<String>,
    on: Option<Vec<Event>>,
    #[serde(default)]
    environments: Vec<String>,
    url: Option<String>,
    url_variable: Option<String>,
    url_file: Option<PathBuf>,
    token_variable: Option<String>,
    token_file: Option<PathBuf>,
    mention: Option<String>,
    chat: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    tls: Option<MailTls>,
    ca_file: Option<PathBuf>,
    user: Option<String>,
    from: Option<String>,
    to: Option<Vec<String>>,
    command: Option<Vec<String>>,
    header: Option<String>,
    repository: Option<String>,
    log_url: Option<String>,
    organization: Option<String>,
    projects: Option<Vec<String>>,
    version: Option<SentryVersion>,
}

/// Reads all receivers.
///
/// # Errors
/// The place of the first that cannot be used, what is wrong, and the way out.
pub(in crate::config) fn receivers(
    raw: &[Spanned<RawNotify>],
    absolute: impl Fn(&Path) -> PathBuf,
    known: &[&str],
) -> Result<Vec<Receiver>, (usize, String, String)> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for one in raw {
        let at = one.span().start;
        let receiver = one.get_ref().read(&absolute, known).map_err(|(text, hint)| (at, text, hint))?;
        if receivers.iter().any(|other| other.name == receiver.name) {
            let text = format!("[[notify]] has `{}` twice", receiver.name);
            return Err((at, text, "give each a `name` of its own".to_owned()));
        }
        receivers.push(receiver);
    }
    Ok(receivers)
}

type Wrong = (String, String);

fn wrong<T>(text: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err((format!("[[notify]] {}", text.into()), hint.into()))
}

/// Returns whether a text is the URL of a web server, without a user.
pub(in crate::config) fn is_plain_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !host.contains('@') && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

impl RawNotify {
    /// Reads a receiver; `absolute` makes a path of the file one of this machine, `known` are the environments.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub(in crate::config) fn read(
        &self,
        absolute: impl Fn(&Path) -> PathBuf,
        known: &[&str],
    ) -> Result<Receiver, Wrong> {
        let kind = format!("{:?}", self.kind).to_lowercase();
        let name = self.name.clone().unwrap_or_else(|| kind.clone());
        if name.is_empty() || name.len() > 40 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            return wrong(format!("`name` is `{name}`"), "use 1 to 40 letters, digits, - and _");
        }
        if let Some(other) = self.environments.iter().find(|name| !known.contains(&name.as_str())) {
            return wrong(
                format!("`environments` names `{other}`, which is no environment"),
                format!("known: {}", known.join(", ")),
            );
        }
        let usual = if matches!(self.kind, Kind::Github | Kind::Gitlab) { &BOTH[..] } else { &DEFAULT[..] };
        let on = self.on.clone().unwrap_or_else(|| usual.to_vec());
        if on.is_empty() {
            return wrong("`on` is empty", "leave it out for the usual events, or remove the receiver");
        }
        self.refuse_unused(&kind)?;
        let channel = self.channel(&kind, &absolute)?;
        Ok(Receiver { name, channel, on, environments: self.environments.clone(), pages: None })
    }

    /// Refuses keys that the kind does not read: who wrote one expects something of it.
    fn refuse_unused(&self, kind: &str) -> Result<(), Wrong> {
        let has_url = [self.url.is_some(), self.url_variable.is_some(), self.url_file.is_some()].contains(&true);
        let has_token = self.token_variable.is_some() || self.token_file.is_some();
        let mail = [self.host.is_some(), self.port.is_some(), self.tls.is_some(), self.ca_file.is_some()];
        let mail = mail.contains(&true) || self.user.is_some() || self.from.is_some() || self.to.is_some();
        use Kind::{
            Apprise, Command, Discord, Github, Gitlab, Gotify, Ntfy, Otlp, Sentry, Slack, Smtp, Telegram, Webhook,
        };
        let unused = [
            (has_url, !matches!(self.kind, Smtp | Command), "url"),
            (
                has_token,
                matches!(self.kind, Ntfy | Gotify | Telegram | Webhook | Smtp | Otlp | Github | Gitlab | Sentry),
                "token",
            ),
            (self.mention.is_some(), matches!(self.kind, Slack | Discord), "mention"),
            (self.chat.is_some(), self.kind == Telegram, "chat"),
            (mail, self.kind == Smtp, "host, port, tls, ca_file, user, from or to"),
            (self.command.is_some(), self.kind == Command, "command"),
            (self.url.is_some(), self.kind != Apprise, "url"),
            (self.header.is_some(), self.kind == Otlp, "header"),
            (
                self.repository.is_some() || self.log_url.is_some(),
                matches!(self.kind, Github | Gitlab),
                "repository or log_url",
            ),
            (self.organization.is_some() || self.projects.is_some(), self.kind == Sentry, "organization or projects"),
            (self.version.is_some(), self.kind == Sentry, "version"),
        ];
        match unused.into_iter().find(|(is_set, is_read, _)| *is_set && !is_read) {
            None => Ok(()),
            Some((_, _, key)) => wrong(format!("of kind `{kind}` does not read `{key}`"), "remove the key"),
        }
    }

    fn channel(&self, kind: &str, absolute: &impl Fn(&Path) -> PathBuf) -> Result<Channel, Wrong> {
        let url = || self.url(kind, absolute);
        let token = || self.secret("token", (&self.token_variable, &self.token_file), absolute);
        let needed = |found: Option<SecretSource>, what: &str| match found {
            Some(found) => Ok(found),
            None => wrong(format!("of kind `{kind}` has no {what}"), format!("add `{what}_file` or `{what}_variable`")),
        };
        Ok(match self.kind {
            Kind::Slack => Channel::Slack { url: url()?, mention: self.mention.clone() },
            Kind::Discord => Channel::Discord { url: url()?, mention: self.mention.clone() },
            Kind::Teams => Channel::Teams(url()?),
            Kind::Ntfy => Channel::Ntfy(url()?, token()?),
            Kind::Gotify => Channel::Gotify(url()?, needed(token()?, "token")?),
            Kind::Telegram => {
                let Some(chat) = self.chat.clone().filter(|chat| !chat.is_empty()) else {
                    return wrong("of kind `telegram` has no `chat`", "add the chat's id, such as chat = \"-1001234\"");
                };
                let url = self.url_or("https://api.telegram.org", url)?;
                Channel::Telegram(url, needed(token()?, "token")?, chat)
            }
            Kind::Webhook => Channel::Webhook(url()?, token()?),
            Kind::Otlp => {
                let token = token()?;
                Channel::Otlp { url: url()?, header: self.header(token.is_some())?, token }
            }
            Kind::Github => {
                let url = self.url_or("https://api.github.com", url)?;
                Channel::Github(self.code(kind, 2, url, needed(token()?, "token")?)?)
            }
            Kind::Gitlab => {
                let url = self.url_or("https://gitlab.com", url)?;
                Channel::Gitlab(self.code(kind, 20, url, needed(token()?, "token")?)?)
            }
            Kind::Sentry => Channel::Sentry(self.sentry(url()?, needed(token()?, "token")?)?),
            Kind::Smtp => Channel::Smtp(self.mail(token()?, absolute)?),
            Kind::Apprise => {
                let urls = self.secret("url", (&self.url_variable, &self.url_file), absolute)?;
                Channel::Apprise(needed(urls, "url")?)
            }
            Kind::Command => match self.command.clone().filter(|words| words.first().is_some_and(|w| !w.is_empty())) {
                Some(words) => Channel::Command(words),
                None => {
                    let hint = "add command = [\"program\", \"argument\"]";
                    return wrong("of kind `command` has no program", hint);
                }
            },
        })
    }

    /// Returns the URL, or the usual one where none is set.
    fn url_or(&self, usual: &str, url: impl FnOnce() -> Result<UrlSource, Wrong>) -> Result<UrlSource, Wrong> {
        let has_url = self.url.is_some() || self.url_variable.is_some() || self.url_file.is_some();
        if has_url { url() } else { Ok(UrlSource::Plain(usual.to_owned())) }
    }

    /// Reads the repository, which has at most so many parts.
    fn code(&self, kind: &str, parts: usize, url: UrlSource, token: SecretSource) -> Result<Repository, Wrong> {
        let Some(repository) = self.repository.clone().filter(|text| services::is_repository(text, parts)) else {
            return wrong(format!("of kind `{kind}` has no `repository`"), "add repository = \"OWNER/NAME\"");
        };
        Ok(Repository { url, repository, token, log_url: self.log_url.clone() })
    }

    fn sentry(&self, url: UrlSource, token: SecretSource) -> Result<Sentry, Wrong> {
        let projects = self.projects.clone().unwrap_or_default();
        let names: Vec<&String> = projects.iter().chain(&self.organization).collect();
        if projects.is_empty() || !names.into_iter().all(|name| services::is_short_name(name)) {
            let hint = "add organization = \"shop\" and projects = [\"api\"]; for Bugsink leave organization out, projects = [\"1\"]";
            return wrong("of kind `sentry` has no `projects` or `organization` that can be used", hint);
        }
        let version = self.version.unwrap_or_default();
        Ok(Sentry { url, organization: self.organization.clone(), projects, token, version })
    }

    /// Reads the name of the header that has the token.
    fn header(&self, has_token: bool) -> Result<Option<String>, Wrong> {
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match &self.header {
            Some(name) if !is_name(name) => wrong(format!("`header` is `{name}`"), "write a name such as x-api-key"),
            Some(_) if !has_token => {
                wrong("has a `header` and nothing to send in it", "add `token_file` or `token_variable`")
            }
            name => Ok(name.clone()),
        }
    }

    fn secret(
        &self,
        key: &str,
        found: (&Option<String>, &Option<PathBuf>),
        absolute: &impl Fn(&Path) -> PathBuf,
    ) -> Result<Option<SecretSource>, Wrong> {
        match found {
            (None, None) => Ok(None),
            (Some(name), None) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Ok(Some(SecretSource::Variable(name.clone())))
            }
            (Some(_), None) => wrong(format!("`{key}_variable` is no name of a variable"), "write NAME"),
            (None, Some(path)) => Ok(Some(SecretSource::File(absolute(path)))),
            _ => wrong(format!("has both `{key}_variable` and `{key}_file`"), "keep one of the two"),
        }
    }

    fn url(&self, kind: &str, absolute: &impl Fn(&Path) -> PathBuf) -> Result<UrlSource, Wrong> {
        let elsewhere = self.secret("url", (&self.url_variable, &self.url_file), absolute)?;
        match (&self.url, elsewhere) {
            (Some(_), Some(_)) => {
                wrong("has more than one of `url`, `url_variable` and `url_file`", "keep one of them")
            }
            (None, Some(source)) => Ok(UrlSource::Elsewhere(source)),
            (None, None) => wrong(
                format!("of kind `{kind}` has no URL"),
                "add `url_file` or `url_variable` with the place of the URL",
            ),
            (Some(_), None) if matches!(self.kind, Kind::Slack | Kind::Discord | Kind::Teams) => wrong(
                format!("has the URL of a {kind} webhook in this file, which is a secret"),
                "move it to a file or variable: `url_file` or `url_variable`",
            ),
            (Some(url), None) => {
                if !is_plain_url(url) {
                    let hint = "write https://HOST/.. without a user; a token belongs in `token_file`";
                    return wrong("`url` cannot be used", hint);
                }
                Ok(UrlSource::Plain(url.clone()))
            }
        }
    }

    fn mail(&self, password: Option<SecretSource>, absolute: &impl Fn(&Path) -> PathBuf) -> Result<Mail, Wrong> {
        let is_address = |text: &str| {
            let sides = text.rsplit_once('@').map(|(name, host)| !name.is_empty() && !host.is_empty());
            sides == Some(true) && !text.chars().any(|c| c.is_control())
        };
        let Some(host) = self.host.clone().filter(|host| !host.is_empty()) else {
            return wrong("of kind `smtp` has no `host`", "add the mail server: host = \"mail.example.org\"");
        };
        let Some(from) = self.from.clone().filter(|from| is_address(from)) else {
            return wrong("of kind `smtp` has no sender", "add from = \"stagegate@example.org\"");
        };
        let to = self.to.clone().unwrap_or_default();
        if to.is_empty() || !to.iter().all(|to| is_address(to)) {
            return wrong("of kind `smtp` has no receivers", "add to = [\"ops@example.org\"]");
        }
        let tls = self.tls.unwrap_or_default();
        let login = match (self.user.clone(), password) {
            (None, None) => None,
            (Some(user), Some(password)) => Some((user, password)),
            _ => {
                let hint = "write both, or neither for a server that needs none";
                return wrong("of kind `smtp` has one of `user` and `token_file` (or `token_variable`)", hint);
            }
        };
        let is_local = host == "localhost" || host == "::1" || host.starts_with("127.");
        if tls == MailTls::None && login.is_some() && !is_local {
            let hint = "use tls = \"starttls\" or \"tls\"";
            return wrong(format!("would send the password to {host} in plain text"), hint);
        }
        let usual = match tls {
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        };
        let ca_file = self.ca_file.as_deref().map(absolute);
        Ok(Mail { host, port: self.port.unwrap_or(usual), tls, ca_file, login, from, to })
    }
}
