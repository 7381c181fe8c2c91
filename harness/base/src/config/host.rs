//! Where an environment runs: on a kind of machine, or on a host that is reached by SSH.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{EPHEMERAL, choice::HostKind};
use crate::suggest::closest;

/// What an address begins with.
const SCHEME: &str = "ssh://";
const KINDS: [(&str, HostKind); 3] =
    [("any", HostKind::Any), ("laptop", HostKind::Laptop), ("server", HostKind::Server)];

/// What is wrong with a host's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

/// A host as the program `ssh` takes it: a name, an address, or an alias of its configuration.
///
/// Invariant: neither part begins with `-`, so that none can be read as an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshHost {
    user: Option<String>,
    name: String,
    port: Option<u16>,
}

impl SshHost {
    /// Reads `ssh://[user@]name[:port]`, `[user@]name` or an IPv6 address in brackets.
    ///
    /// # Errors
    /// [`AddressError`] with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::read(text).map_err(AddressError)
    }

    fn read(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        if let Some((scheme, _)) = rest.split_once("://") {
            return Err(format!("a host is reached by SSH, not by {scheme}"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password has no place in an address; SSH keys are used".to_owned());
        }
        let (name, port) = split_port(place)?;
        let is_user = |text: &str| !text.starts_with('-') && text.chars().all(|c| is_plain(c) || c == '\\');
        if user.is_some_and(|user| user.is_empty() || !is_user(user)) {
            return Err(format!("`{}` is no user name", user.unwrap_or_default()));
        }
        if name.is_empty() || name.starts_with('-') || !name.chars().all(|c| is_plain(c) || c == ':') {
            return Err(format!("`{name}` is no host name"));
        }
        Ok(SshHost { user: user.map(str::to_owned), name: name.to_owned(), port })
    }

    /// Returns the user to log in as; that of `ssh`'s configuration where `None`.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns the name, the address or the alias.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the port; that of `ssh`'s configuration where `None`.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns what a person types after `ssh` to get there.
    #[must_use]
    pub fn typed(&self) -> String {
        let port = self.port.map(|port| format!("-p {port} ")).unwrap_or_default();
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{port}{user}{}", self.name)
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

fn split_port(place: &str) -> Result<(&str, Option<u16>), String> {
    let number = |port: &str| match port.parse() {
        Ok(0) | Err(_) => Err(format!("`{port}` is no port: a number from 1 to 65535 is")),
        Ok(port) => Ok(Some(port)),
    };
    if let Some(rest) = place.strip_prefix('[') {
        let (name, after) = rest.split_once(']').ok_or("`[` is not closed by `]`")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((name, number(port)?)),
            None if after.is_empty() => Ok((name, None)),
            None => Err(format!("`{after}` after `]` is no port")),
        };
    }
    match place.rsplit_once(':') {
        // More than one colon is an address of IPv6.
        Some((name, port)) if !name.contains(':') => Ok((name, number(port)?)),
        _ => Ok((place, None)),
    }
}

impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?
        } else {
            f.write_str(&self.name)?
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Serialize for SshHost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the key `host` of an environment: a kind of machine, or a host. In an error: what is wrong, and what to write.
pub(super) fn read(environment: &str, text: &str) -> Result<(HostKind, Option<SshHost>), (String, String)> {
    if let Some((_, kind)) = KINDS.iter().find(|(word, _)| *word == text) {
        return Ok((*kind, None));
    }
    let words = KINDS.map(|(word, _)| word);
    let is_alias = !text.contains(SCHEME) && !text.contains('@');
    if let Some(near) = closest(text, &words).filter(|_| is_alias) {
        let message = format!("`host` is `{text}`, which is close to \"{near}\"");
        return Err((message, format!("did you mean \"{near}\"? a host of this name is written \"{SCHEME}{text}\"")));
    }
    if environment == EPHEMERAL {
        let message = format!("`{EPHEMERAL}` is a temporary copy on this machine and cannot be on a host");
        return Err((message, "remove this `host`".to_owned()));
    }
    let wrong = |reason| {
        // What stands before the `@` may be a password.
        let shown = text.rsplit_once('@').map_or(text.to_owned(), |(_, place)| format!("..@{place}"));
        let hint = "write \"any\", \"laptop\", \"server\", an address such as \"ssh://deploy@web1\", or an alias of ~/.ssh/config";
        (format!("`host` is `{shown}`: {reason}"), hint.to_owned())
    };
    SshHost::parse(text).map(|host| (HostKind::Any, Some(host))).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::alias("web1", "ssh://web1", "web1")]
    #[case::user("ssh://deploy@web1", "ssh://deploy@web1", "deploy@web1")]
    #[case::port(
        "ssh://deploy@web1.example.com:2222",
        "ssh://deploy@web1.example.com:2222",
        "-p 2222 deploy@web1.example.com"
    )]
    #[case::slash("ssh://web1/", "ssh://web1", "web1")]
    #[case::six("ssh://[2001:db8::1]:22", "ssh://[2001:db8::1]:22", "-p 22 2001:db8::1")]
    #[case::scheme_for_a_kind("ssh://server", "ssh://server", "server")]
    fn hosts_are_read_and_shown(#[case] text: &str, #[case] shown: &str, #[case] typed: &str) {
        let (kind, host) = read("production", text).unwrap();
        let host = host.unwrap();
        assert_eq!((kind, host.to_string().as_str(), host.typed().as_str()), (HostKind::Any, shown, typed));
    }

    #[rstest]
    #[case::kind_misspelt("lptop", "close to \"laptop\"")]
    #[case::option("ssh://-oProxyCommand=x", "no host name")]
    #[case::option_as_user("ssh://-oProxyCommand@web1", "no user name")]
    #[case::password("ssh://deploy:secret@web1", "a password has no place")]
    #[case::port("ssh://web1:99999", "no port")]
    #[case::port_zero("ssh://web1:0", "no port")]
    #[case::path("ssh://web1/srv/shop", "no host name")]
    #[case::space("web 1", "no host name")]
    #[case::empty("ssh://", "no host name")]
    #[case::open("ssh://[::1", "not closed")]
    fn what_ssh_could_misread_is_refused(#[case] text: &str, #[case] reason: &str) {
        let (message, _) = read("production", text).unwrap_err();
        assert!(message.contains(reason), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn kinds_of_machines_are_no_hosts() {
        assert_eq!(read("production", "server").unwrap(), (HostKind::Server, None));
        assert_eq!(read("production", "any").unwrap(), (HostKind::Any, None));
    }
}
