//! Secrets among the words of a command: options, addresses and assignments. Values are never reported.

use serde_json::Value;

use super::secret_words::{is_secret, is_setting, password_in, with_defaults};
use stagegate_base::redact::is_harmless;

/// A secret among the words of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// What has it: the option, the variable, or `a URL`.
    pub(super) name: String,
    /// The word as it is written, to find its line.
    pub(super) value: String,
    /// Whether it counts only where a variable is not set.
    pub(super) is_default: bool,
}

/// Returns the secrets that a command's words have.
pub(super) fn secrets(command: &Value) -> Vec<Word> {
    let words: Vec<String> = match command {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(list) => {
            list.iter().filter_map(Value::as_str).flat_map(str::split_whitespace).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    (0..words.len()).filter_map(|at| secret(&words, at)).collect()
}

fn secret(words: &[String], at: usize) -> Option<Word> {
    let bare = words[at].trim_matches(QUOTES);
    let written = |name: &str, value: &str| {
        let value = value.trim_matches(QUOTES);
        let expanded = with_defaults(value);
        let is_literal = !expanded.is_empty() && !expanded.starts_with('-') && !expanded.contains('$');
        (is_literal && !is_harmless(&expanded)).then(|| Word {
            name: name.to_owned(),
            is_default: expanded != value,
            value: value.to_owned(),
        })
    };
    let (name, inline) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
    let next = || words.get(at + 1).map(String::as_str).unwrap_or_default();
    if takes_a_secret(name) {
        let value = inline.unwrap_or_else(next);
        let is_setting = is_setting(&name.to_ascii_uppercase(), with_defaults(value).trim_matches(QUOTES));
        return written(&format!("`{name}`"), value).filter(|_| !is_setting);
    }
    let has_run = |programs: &[&str]| {
        words[..at]
            .iter()
            .any(|word| word.trim_matches(QUOTES).rsplit('/').next().is_some_and(|word| programs.contains(&word)))
    };
    if bare == "-a" && has_run(&["redis-cli", "valkey-cli"]) {
        return written("`-a`", next());
    }
    if let Some(value) = bare.strip_prefix("-p").filter(|_| has_run(&MYSQL_CLIENTS)) {
        return written("`-p`", value);
    }
    if let Some(value) = inline.filter(|value| is_secret(name, &with_defaults(value)) && is_variable(name)) {
        return written(name, value);
    }
    let expanded = with_defaults(bare);
    password_in(&expanded).map(|_| Word {
        name: "a URL".to_owned(),
        is_default: expanded != bare,
        value: bare.to_owned(),
    })
}

const QUOTES: [char; 3] = ['"', '\'', ';'];
const MYSQL_CLIENTS: [&str; 6] = ["mysql", "mysqladmin", "mysqldump", "mariadb", "mariadb-admin", "mariadb-dump"];

fn is_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Returns whether programs take a secret by an option: `--requirepass`, `--admin-password`, `--auth.token`.
fn takes_a_secret(option: &str) -> bool {
    const ENDS: [&str; 9] =
        ["requirepass", "masterauth", "password", "passwd", "pass", "token", "secret", "secret-key", "api-key"];
    let Some(name) = option.strip_prefix("--").filter(|name| !name.starts_with("no-")) else { return false };
    let is_end =
        |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with(['-', '.', '_']));
    ENDS.into_iter().any(is_end) || is_end("access-key")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!("redis-server --requirepass kT9fQ2 --save 60 1"), &["`--requirepass`"])]
    #[case(json!(["redis-server", "--requirepass", "kT9fQ2"]), &["`--requirepass`"])]
    #[case(json!(["tool", "--token=kT9fQ2"]), &["`--token`"])]
    #[case(json!("redis-server --requirepass ${PW:?}"), &[])]
    #[case(json!(["app", "--password", "--verbose"]), &[])]
    #[case::a_default(json!("redis-server --requirepass ${PW:-kT9fQ2}"), &["`--requirepass`"])]
    #[case::of_an_account(json!(["app", "--admin-password", "kT9fQ2", "--auth.password=kT9fQ2"]),
        &["`--admin-password`", "`--auth.password`"])]
    #[case::a_count(json!("app --max-token 4096"), &[])]
    #[case::a_file(json!("app --password-file /run/secrets/pw --no-password -h db"), &[])]
    #[case::redis(json!(["CMD", "redis-cli", "-a", "kT9fQ2", "ping"]), &["`-a`"])]
    #[case::another_program(json!("ls -a x"), &[])]
    #[case::mysql(json!("sh -c \"mysqladmin ping -uroot -pkT9fQ2\""), &["`-p`"])]
    #[case::mysql_variable(json!("mysqladmin ping -p$$MYSQL_ROOT_PASSWORD"), &[])]
    #[case::a_url(json!(["app", "--db-url=postgres://u:kT9fQ2@db/x"]), &["a URL"])]
    #[case::an_assignment(json!("sh -c 'export DB_PASSWORD=kT9fQ2; exec app'"), &["DB_PASSWORD"])]
    fn a_secret_among_words_is_found(#[case] command: Value, #[case] want: &[&str]) {
        let found: Vec<String> = secrets(&command).into_iter().map(|word| word.name).collect();
        assert_eq!(found, want);
    }
}
