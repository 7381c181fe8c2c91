//! The program `ssh` as a command value.

use std::path::{Path, PathBuf};

use stagegate_base::{command::Command, config::SshHost};

/// How `ssh` is called, beside the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssh {
    /// Its configuration file, in place of `~/.ssh/config`.
    pub config: Option<PathBuf>,
}

/// Returns `ssh` that runs `line` in the login shell of a host's user.
///
/// It never prompts and never accepts a key: both are a person's to do, with `ssh` itself. Nothing is forwarded, and no
/// connection is shared: a confirmation over "a new connection" must be one.
// Source: ssh_config(5). Keep-alives end a dead connection after 60 s; without them ssh waits for ever.
#[must_use]
pub fn ssh(host: &SshHost, options: &Ssh, line: &str) -> Command {
    let mut command = Command::new("ssh");
    if let Some(config) = &options.config {
        command = command.arg("-F").path(config);
    }
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
        "ControlMaster=no",
        "ControlPath=none",
        "ForwardAgent=no",
        "ForwardX11=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "LogLevel=INFO",
    ] {
        command = command.args(["-o", option]);
    }
    command = command.arg("-T");
    if let Some(port) = host.port() {
        command = command.args(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = host.user() {
        command = command.args(["-l", user]);
    }
    command.args(["--", host.name(), line])
}

/// Returns the line by which a person logs in, to be shown.
#[must_use]
pub fn login(host: &SshHost, config: Option<&Path>) -> String {
    let config = config.map(|path| format!("-F {} ", path.display())).unwrap_or_default();
    format!("ssh {config}{}", host.typed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_never_prompts_and_takes_no_host_for_an_option() {
        let host = SshHost::parse("ssh://deploy@web1:2222").unwrap();
        let line = ssh(&host, &Ssh { config: Some("/tmp/c".into()) }, "sh").line();
        assert!(line.starts_with("ssh -F /tmp/c -o BatchMode=yes -o StrictHostKeyChecking=yes "), "{line}");
        assert!(line.ends_with(" -T -p 2222 -l deploy -- web1 sh"), "{line}");
    }
}
