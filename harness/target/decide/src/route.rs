//! Whether a command runs here or on a host, and with which arguments there.

use stagegate_base::config::{Config, SshHost};

/// Why a command cannot run on a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Its environments are on several machines.
    #[error(
        "`{}` is on {} and `{}` on {}: a promotion between two machines is not possible yet; give both environments the same \
         `host`",
        one.0, one.1, other.0, other.1
    )]
    Apart {
        /// An environment and its machine.
        one: (String, String),
        /// Another one.
        other: (String, String),
    },
    /// An option names a file of this machine.
    #[error(
        "{option} names a file, and this command runs on another machine, where the file would be; leave it out (--json prints the \
         result here)"
    )]
    LocalFile {
        /// The option.
        option: String,
    },
}

/// Options that name a file of the machine that runs the command, which the person means to be this one.
const LOCAL_FILES: [&str; 7] = ["--junit", "--markdown", "--sarif", "--html", "--out", "--apply", "--approval"];

/// Returns the host that a command with these environments runs on; `None` where it runs here.
///
/// Names that the configuration does not have are left to the command, which refuses them.
///
/// # Errors
/// [`RouteError::Apart`] where its environments are on several machines.
pub fn route<'a>(config: &'a Config, names: &[&str]) -> Result<Option<&'a SshHost>, RouteError> {
    let known = names.iter().filter_map(|name| config.environments.get(*name));
    let mut places = known.map(|environment| (&environment.name, environment.ssh.as_ref()));
    let Some((first, host)) = places.next() else { return Ok(None) };
    match places.find(|(_, other)| *other != host) {
        None => Ok(host),
        Some((name, other)) => {
            let shown = |host: Option<&SshHost>| host.map_or("this machine".to_owned(), ToString::to_string);
            Err(RouteError::Apart { one: (first.clone(), shown(host)), other: (name.clone(), shown(other)) })
        }
    }
}

/// Returns the arguments for the host, of those that a person typed here.
///
/// `--config` names a file of this machine and is dropped: the host has its own. `release` replaces what `--release`
/// names, since a branch or HEAD is another one there. `add` is put behind the command's own options.
///
/// # Errors
/// [`RouteError::LocalFile`] for an option that names a file, which would be one of the host.
pub fn arguments(typed: &[String], release: Option<&str>, add: &[&str]) -> Result<Vec<String>, RouteError> {
    let mut made = Vec::new();
    let mut rest = typed.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            made.extend(add.iter().map(|arg| (*arg).to_owned()));
            made.push(arg.clone());
            made.extend(rest.cloned());
            return Ok(made);
        }
        let name = arg.split('=').next().unwrap_or_default();
        if LOCAL_FILES.contains(&name) {
            return Err(RouteError::LocalFile { option: name.to_owned() });
        }
        match (arg.as_str(), release) {
            ("--config", _) => drop(rest.next()),
            ("--release", Some(release)) => {
                rest.next();
                made.extend([arg.clone(), release.to_owned()]);
            }
            (text, _) if text.starts_with("--config=") => {}
            (text, Some(release)) if text.starts_with("--release=") => made.push(format!("--release={release}")),
            _ => made.push(arg.clone()),
        }
    }
    made.extend(add.iter().map(|arg| (*arg).to_owned()));
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn arguments_are_handed_on_without_what_names_something_of_this_machine() {
        let typed = words("--config shop.toml promote --from staging --to production --release=HEAD");
        let want = words("promote --from staging --to production --release=abc --yes");
        assert_eq!(arguments(&typed, Some("abc"), &["--yes"]), Ok(want));
        let typed = words("up --env staging --release v2 --config=x");
        assert_eq!(arguments(&typed, Some("v2"), &[]), Ok(words("up --env staging --release v2")));
        let typed = words("logs --env staging -- --config");
        assert_eq!(arguments(&typed, None, &["--x"]), Ok(words("logs --env staging --x -- --config")));
        assert!(
            arguments(&words("test --env staging --junit=x.xml"), None, &[])
                .unwrap_err()
                .to_string()
                .contains("--junit")
        );
    }

    #[test]
    fn all_environments_of_a_command_are_on_one_machine() {
        let text = "[project]\nname = \"shop\"\n[environments.local]\n[environments.staging]\nhost = \"web1\"\n\
                    [environments.production]\nhost = \"web1\"\n[environments.other]\nhost = \"web2\"\n";
        let config = Config::parse(Path::new("/shop/stagegate.toml"), text).unwrap();
        let found = |names: &[&str]| route(&config, names).map(|host| host.map(ToString::to_string));
        assert_eq!(found(&["local"]), Ok(None));
        assert_eq!(found(&["unknown"]), Ok(None));
        assert_eq!(found(&["staging", "production"]), Ok(Some("ssh://web1".to_owned())));
        assert!(
            found(&["local", "production"])
                .unwrap_err()
                .to_string()
                .contains("`local` is on this machine and `production` on ssh://web1")
        );
        assert!(found(&["staging", "other"]).is_err());
    }

    #[test]
    fn an_environment_on_a_host_is_refused_to_whatever_would_look_for_it_here() {
        let text = "[project]\nname = \"shop\"\n[environments.production]\nhost = \"ssh://deploy@web1\"\n";
        let config = Config::parse(Path::new("/shop/stagegate.toml"), text).unwrap();
        let refused = config.environment("production").unwrap_err().to_string();
        assert!(refused.contains("ssh://deploy@web1") && refused.contains("`ssh deploy@web1`"), "{refused}");
        assert!(config.on_the_host().environment("production").is_ok());
    }
}
