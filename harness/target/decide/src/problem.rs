//! What `ssh` printed when it could not connect, with the next command of the person.

use stagegate_base::config::SshHost;

/// Why a host could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshProblem {
    /// Its key is another one than the known one.
    KeyChanged,
    /// Its key is not known.
    KeyUnknown,
    /// No key of this user was accepted.
    Denied,
    /// Its name has no address.
    NoAddress,
    /// Nothing listens at the port.
    Refused,
    /// There is no way to it, or it does not respond.
    Unreachable,
    /// The connection ended while it was set up or used.
    Closed,
    /// The configuration of `ssh` is wrong.
    Configuration,
    /// Something else.
    Other,
}

/// A problem in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}; {fix}")]
pub struct Problem {
    /// Its kind.
    pub kind: SshProblem,
    /// What was found, and where.
    pub text: String,
    /// The next command.
    pub fix: String,
}

/// Reads `ssh`'s standard error after its exit code 255.
// Source: OpenSSH 9.2, sshconnect.c and clientloop.c.
#[must_use]
pub fn problem(host: &SshHost, login: &str, stderr: &str) -> Problem {
    let kind = kind(stderr);
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.last().copied().unwrap_or("ssh ended without a message");
    let compare = "compare the fingerprint with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console)";
    let (text, fix) = match kind {
        SshProblem::KeyChanged => {
            let place = lines.iter().find_map(|line| line.strip_prefix("Offending ")).unwrap_or("the known hosts");
            let text = format!("{host}: the host key has changed ({place}); nothing was sent");
            let removal = removal(&lines, host);
            (text, format!("{compare}; only if it was replaced on purpose: `{removal}`, then `{login}`"))
        }
        SshProblem::KeyUnknown => {
            let text = format!("{host}: the host key is not known on this machine; nothing was sent");
            (text, format!("`{login}` once, {compare}, and accept it"))
        }
        SshProblem::Denied => {
            let text = format!("{host}: login refused: {last}");
            let fix = format!(
                "gate uses keys and never a password: `ssh-add` a key that needs a passphrase, `ssh-copy-id {}` installs \
                 one, `{login}` must work without a prompt",
                host.typed()
            );
            (text, fix)
        }
        SshProblem::NoAddress => (
            format!("{host}: {last}"),
            "correct `host` in stagegate.toml, or add the alias to ~/.ssh/config".to_owned(),
        ),
        SshProblem::Refused => {
            (format!("{host}: {last}"), "start sshd there, or correct the port in `host`".to_owned())
        }
        SshProblem::Unreachable => {
            (format!("{host}: {last}"), format!("check network, VPN and firewall; `{login}` must work"))
        }
        SshProblem::Closed => {
            let fix = format!(
                "sshd may limit logins (MaxStartups, fail2ban) or users (AllowUsers): `{login} -v` shows where it ends"
            );
            (format!("{host}: {last}"), fix)
        }
        SshProblem::Configuration => {
            (format!("ssh refuses its configuration: {last}"), "correct it and repeat".to_owned())
        }
        SshProblem::Other => (format!("{host}: {last}"), format!("`{login}` must work without a prompt")),
    };
    Problem { kind, text, fix }
}

/// Returns the command that removes a host's key: of the name and the file that `ssh` printed, since an alias of its configuration is stored
/// under neither.
fn removal(lines: &[&str], host: &SshHost) -> String {
    let name = lines.iter().find_map(|line| line.strip_prefix("Host key for ")?.split_once(" has changed"));
    let offending = lines.iter().find_map(|line| line.strip_prefix("Offending ")?.split_once(" key in "));
    match (name, offending.and_then(|(_, place)| place.rsplit_once(':'))) {
        (Some((name, _)), Some((file, _))) => format!("ssh-keygen -f '{file}' -R '{name}'"),
        _ => format!("ssh-keygen -R {}", known_name(host)),
    }
}

/// Returns the name under which a host's key is stored.
fn known_name(host: &SshHost) -> String {
    match host.port() {
        Some(port) if port != 22 => format!("'[{}]:{port}'", host.name()),
        _ => host.name().to_owned(),
    }
}

fn kind(stderr: &str) -> SshProblem {
    let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    if has(&["HOST IDENTIFICATION HAS CHANGED", "host key for", "REVOKED HOST KEY"]) {
        return SshProblem::KeyChanged;
    }
    if has(&["host key is known for", "Host key verification failed"]) {
        return SshProblem::KeyUnknown;
    }
    if has(&["Permission denied", "Too many authentication failures", "no mutual signature"]) {
        return SshProblem::Denied;
    }
    if has(&["Could not resolve hostname"]) {
        return SshProblem::NoAddress;
    }
    if has(&["Connection refused"]) {
        return SshProblem::Refused;
    }
    if has(&["timed out", "No route to host", "Network is unreachable", "not responding"]) {
        return SshProblem::Unreachable;
    }
    if has(&["Connection closed", "Connection reset", "kex_exchange_identification", "Broken pipe", "closed by remote"])
    {
        return SshProblem::Closed;
    }
    if has(&["Bad configuration option", "Can't open user config file", "bad configuration options"]) {
        return SshProblem::Configuration;
    }
    SshProblem::Other
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const CHANGED: &str = "@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@\n\
        Offending ED25519 key in /home/ada/.ssh/known_hosts:3\nHost key for [web1]:2222 has changed and you have requested \
        strict checking.\nHost key verification failed.\n";
    const UNKNOWN: &str = "No ED25519 host key is known for web1 and you have requested strict checking.\nHost key verification failed.\n";

    #[rstest]
    #[case::changed(CHANGED, SshProblem::KeyChanged)]
    #[case::unknown(UNKNOWN, SshProblem::KeyUnknown)]
    #[case::denied("deploy@web1: Permission denied (publickey,password).", SshProblem::Denied)]
    #[case::name("ssh: Could not resolve hostname web1: Name or service not known", SshProblem::NoAddress)]
    #[case::refused("ssh: connect to host web1 port 22: Connection refused", SshProblem::Refused)]
    #[case::silent("ssh: connect to host web1 port 22: Connection timed out", SshProblem::Unreachable)]
    #[case::banner("Connection timed out during banner exchange", SshProblem::Unreachable)]
    #[case::dead("Timeout, server web1 not responding.", SshProblem::Unreachable)]
    #[case::startups("kex_exchange_identification: Connection closed by remote host", SshProblem::Closed)]
    #[case::file("Can't open user config file /x: No such file or directory", SshProblem::Configuration)]
    #[case::nothing("", SshProblem::Other)]
    fn what_ssh_prints_has_a_kind(#[case] stderr: &str, #[case] want: SshProblem) {
        let host = SshHost::parse("ssh://deploy@web1").unwrap();
        let found = problem(&host, "ssh deploy@web1", stderr);
        assert_eq!(found.kind, want, "{found}");
        assert!(!found.fix.is_empty());
    }

    #[test]
    fn a_changed_key_names_where_the_known_one_is_and_how_it_is_removed() {
        let host = SshHost::parse("ssh://deploy@web1:2222").unwrap();
        let text = problem(&host, "ssh -p 2222 deploy@web1", CHANGED).to_string();
        assert!(text.contains("ED25519 key in /home/ada/.ssh/known_hosts:3"), "{text}");
        assert!(text.contains("`ssh-keygen -f '/home/ada/.ssh/known_hosts' -R '[web1]:2222'`"), "{text}");
        let text = problem(&host, "ssh -p 2222 deploy@web1", "REMOTE HOST IDENTIFICATION HAS CHANGED").to_string();
        assert!(text.contains("`ssh-keygen -R '[web1]:2222'`"), "{text}");
    }

    #[test]
    fn a_changed_key_of_an_alias_is_removed_under_the_name_that_it_has() {
        let host = SshHost::parse("ssh://web").unwrap();
        let stderr = CHANGED.replace("[web1]:2222", "[192.0.2.7]:47422").replace(".ssh/known_hosts", "hosts of web");
        let text = problem(&host, "ssh web", &stderr).to_string();
        assert!(text.contains("`ssh-keygen -f '/home/ada/hosts of web' -R '[192.0.2.7]:47422'`"), "{text}");
    }
}
