//! Which variables of the caller's shell reach Compose, and which ones it would have used.
//!
//! Compose lets a variable of the shell win over the env file. The release that is tested must not depend on who types
//! the command, so Compose gets what programs need to reach Docker, and nothing else.

use std::collections::BTreeSet;

/// What Docker, its plugins and credential helpers need: where the Engine is, where files are, how to reach a registry.
const PASSED_ON: [&str; 37] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
    "DOCKER_BUILDKIT",
    "DOCKER_DEFAULT_PLATFORM",
    "DOCKER_CLI_PLUGIN_EXTRA_DIRS",
    "BUILDKIT_HOST",
    "BUILDX_BUILDER",
    "BUILDX_CONFIG",
    "COMPOSE_BAKE",
    "COMPOSE_PARALLEL_LIMIT",
    "COMPOSE_HTTP_TIMEOUT",
];
/// Variables by which Compose itself chooses files, services and names.
const OF_COMPOSE: [&str; 6] = [
    "COMPOSE_FILE",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "COMPOSE_ENV_FILES",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_DISABLE_ENV_FILE",
];

/// Returns whether a variable of the caller's shell is handed on to Compose.
#[must_use]
pub fn is_passed_on(name: &str) -> bool {
    PASSED_ON.contains(&name) || name.starts_with("LC_")
}

/// Returns the variables of `shell` that Compose would have used and does not get, sorted.
///
/// `compose` and `env` are the texts of the compose files and env files. A variable that an env file sets to the very
/// value of the shell makes no difference, and is left out.
#[must_use]
pub fn ignored<'a>(
    shell: impl IntoIterator<Item = (&'a str, &'a str)>,
    compose: &[String],
    env: &[String],
) -> Vec<String> {
    let used: BTreeSet<&str> = compose.iter().flat_map(|text| used_in(text)).collect();
    let is_ignored = |name: &str, value: &str| match setting(env, name) {
        Some(in_file) => in_file != value,
        None => used.contains(name) || OF_COMPOSE.contains(&name),
    };
    // PWD is set to the folder of the files, which is what they mean by it.
    let is_own = |name: &str| is_passed_on(name) || name == "PWD";
    let names = shell.into_iter().filter(|(name, value)| !is_own(name) && is_ignored(name, value));
    let names: BTreeSet<String> = names.map(|(name, _)| name.to_owned()).collect();
    names.into_iter().collect()
}

/// Returns what the last of the env files' texts sets a variable to, its quotes taken away.
#[must_use]
pub fn setting<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    env.iter().flat_map(|text| settings(text)).filter(|(key, _)| *key == name).map(|(_, value)| value).last()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns the names that a compose file takes from its environment: `$NAME`, `${NAME..}`, and `NAME` without a value
/// in a list of variables or behind `environment:`.
fn used_in(text: &str) -> impl Iterator<Item = &str> {
    let interpolated = text.split('$').skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    });
    let bare = text.lines().filter_map(|line| {
        let line = line.trim().trim_end_matches('}').trim_end();
        let word = line.strip_prefix("- ").or_else(|| line.rsplit_once("environment:").map(|(_, word)| word))?;
        let word = word.trim().trim_matches(['"', '\'']);
        (!word.is_empty() && word.chars().all(is_word)).then_some(word)
    });
    interpolated.chain(bare)
}

/// Returns the plain settings of an env file; quotes around a value are taken away, nothing else is interpreted.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("export ").unwrap_or(line.trim());
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        let bare = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        (!name.starts_with('#')).then(|| (name.trim(), bare.unwrap_or(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSE: &str = "services:\n  web:\n    ports: ['${WEB_PORT:-80}:80']\n    environment:\n      - API_KEY\n      \
                           - MODE=fast\nsecrets:\n  token: {environment: TOKEN}\n  other:\n    environment: \"OTHER\"\n";

    fn ignored_of(shell: &[(&str, &str)], env: &str) -> Vec<String> {
        ignored(shell.iter().copied(), &[COMPOSE.to_owned()], &[env.to_owned()])
    }

    #[test]
    fn what_compose_would_have_used_of_the_shell_is_named() {
        let shell =
            [("WEB_PORT", "81"), ("API_KEY", "k"), ("TOKEN", "t"), ("OTHER", "o"), ("MODE", "x"), ("EDITOR", "v")];
        assert_eq!(ignored_of(&shell, ""), ["API_KEY", "OTHER", "TOKEN", "WEB_PORT"]);
        assert_eq!(ignored_of(&[("COMPOSE_PROFILES", "all"), ("DB_PASSWORD", "a")], "DB_PASSWORD=b\n").len(), 2);
    }

    #[test]
    fn a_variable_that_changes_nothing_is_not_named() {
        assert!(ignored_of(&[("WEB_PORT", "8080")], "export WEB_PORT=\"8080\"\n").is_empty());
        assert!(
            ignored_of(&[("PATH", "/bin"), ("PWD", "/x"), ("DOCKER_HOST", "x"), ("LC_ALL", "C")], "PATH=x\nPWD=y\n")
                .is_empty()
        );
    }
}
