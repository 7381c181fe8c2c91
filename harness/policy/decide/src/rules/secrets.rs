//! Are secrets kept out of the files, and are they secret? Values are looked at and never reported.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Facts, Hit, Rule, SourceFile, SourceLine, place, subject::Subject};
use stagegate_base::{
    record::Severity,
    redact::{is_harmless, is_secret_name, password_of_url},
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "plain-secret",
        severity: Severity::Warning,
        title: "a secret is written into the compose file",
        why: "it is in git, in every copy and every backup of it, and the same in all environments",
        fix: "write `${NAME:?}` and keep the value in an env file outside of git, or use `secrets:`",
        check: Check::Stack(plain),
    },
    Rule {
        id: "default-password",
        severity: Severity::Warning,
        title: "a secret has a value from an example",
        why: "it is among the first that an attacker tries",
        fix: "generate one: `openssl rand -base64 24`; change it in the database too, which keeps its first one",
        check: Check::Service(default_password),
    },
];

/// Finds values in the files as they are written: where they come from a variable or an env file they are not there.
///
/// What services share by an anchor or an extension is written once, and is one finding.
fn plain(facts: &Facts) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in &facts.files {
        let Some(yaml) = file.yaml() else { continue };
        // By line and finding: who has the value, and where in the service.
        let mut written: BTreeMap<(usize, String), (&'static str, Vec<String>)> = BTreeMap::new();
        for (service, body) in yaml["services"].as_object().into_iter().flatten() {
            for Literal { key, at, found, value } in literals(body) {
                let own = file.line_of_variable(service, &key).or_else(|| file.line_of_text(service, &value));
                let line = own.or_else(|| file.line_of_shared(service, &key, &value)).unwrap_or_default();
                written.entry((line, found)).or_insert_with(|| (at, Vec::new())).1.push(service.clone());
            }
        }
        for ((line, found), (at, services)) in written {
            match line {
                // Nobody knows whether these are the same.
                0 => hits.extend(services.iter().map(|service| Hit::new(at, "`${NAME}`", found.clone()).of(service))),
                line => hits.push(of_line(file, (line, at), &found, &services)),
            }
        }
        hits.extend(in_configs(file, &yaml));
    }
    hits.dedup_by(|a, b| a.service == b.service && a.found == b.found);
    hits
}

/// Returns the finding of a value that is written in one line, of a service that others may take it from.
fn of_line(file: &SourceFile, (line, at): (usize, &'static str), found: &str, services: &[String]) -> Hit {
    let owner = file.service_at(line).filter(|owner| services.contains(owner));
    let service = owner.or_else(|| services.first().cloned()).unwrap_or_default();
    let others = match services {
        [_] => String::new(),
        all => format!(", shared by {}", all.join(", ")),
    };
    let mut hit = Hit::new(at, "`${NAME}`", format!("{found}{others}"));
    hit.place = Some(SourceLine { file: file.path.clone(), line });
    hit.of(&service)
}

/// A secret that stands in a service.
struct Literal {
    /// The variable, or the option before it.
    key: String,
    at: &'static str,
    found: String,
    /// The secret itself, to find its line; it is never reported.
    value: String,
}

/// Finds secrets in what a service is given: variables, arguments of its build, options of its commands.
fn literals(service: &Value) -> Vec<Literal> {
    let mut all = Vec::new();
    for (at, map) in [("environment", &service["environment"]), ("build", &service["build"]["args"])] {
        for (key, value) in place::variables(map) {
            let what = if at == "build" { "build argument " } else { "" };
            let text = value.as_str().unwrap_or_default().to_owned();
            if is_literal_secret(&key, &value) {
                all.push(Literal { found: format!("{what}{key} has its value in the file"), key, at, value: text });
            } else if let Some(default) = literal_default(&key, &text) {
                let found = format!("{what}{key} has a default value in the file (`${{..:-..}}`)");
                all.push(Literal { found, key, at, value: default.to_owned() });
            }
        }
    }
    for (at, command) in [
        ("command", &service["command"]),
        ("entrypoint", &service["entrypoint"]),
        ("healthcheck", &service["healthcheck"]["test"]),
    ] {
        all.extend(options(command).into_iter().map(|(option, value)| Literal {
            found: format!("`{option}` of `{at}` has its value in the file"),
            key: option,
            at,
            value,
        }));
    }
    all
}

/// Options by which programs take a secret: redis-server, redis-cli, mysql, mongosh, pg clients' wrappers, vault ..
const OPTIONS: [&str; 9] = [
    "--requirepass",
    "--masterauth",
    "--password",
    "--pass",
    "--token",
    "--secret",
    "--secret-key",
    "--api-key",
    "--access-key",
];

/// Returns the options of a command that are followed by a secret, each with its value.
fn options(command: &Value) -> Vec<(String, String)> {
    let words: Vec<String> = match command {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(list) => {
            list.iter().filter_map(Value::as_str).flat_map(str::split_whitespace).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let (option, inline) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        if !OPTIONS.contains(&option) {
            continue;
        }
        let value = inline.or_else(|| words.get(at + 1).map(String::as_str)).unwrap_or_default();
        let value = value.trim_matches(['"', '\'']);
        if !value.is_empty() && !value.starts_with('-') && !value.contains('$') && !is_harmless(value) {
            found.push((option.to_owned(), value.to_owned()));
        }
    }
    found
}

/// Finds secrets in the text of inline configs: lines `NAME=value` and `name: value`.
fn in_configs(file: &SourceFile, yaml: &Value) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (config, body) in yaml["configs"].as_object().into_iter().flatten() {
        for line in body["content"].as_str().into_iter().flat_map(str::lines) {
            let Some((name, value)) = line.split_once(['=', ':']) else { continue };
            let (name, value) = (name.trim(), value.trim().trim_matches(['"', '\'']));
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
            let key = name.replace(['-', '.'], "_");
            if is_name && is_literal_secret(&key, &Value::from(value)) {
                let mut hit = Hit::new(
                    "",
                    "`${NAME}`",
                    format!("{name} in the content of config {config} has its value in the file"),
                );
                let lines = || file.text.lines();
                let whole = lines().position(|written| written.trim() == line.trim());
                // `content: "..."` has its text in a line with more in it.
                let at = whole.or_else(|| lines().position(|written| written.contains(line.trim())));
                hit.place = at.map(|at| SourceLine { file: file.path.clone(), line: at + 1 });
                hits.push(hit);
            }
        }
    }
    hits
}

/// Ends of names that speak about a secret and are none: `SECRET_NAME`, `API_KEY_HEADER`.
const ABOUT: [&str; 12] = [
    "_NAME",
    "_HEADER",
    "_PREFIX",
    "_FIELD",
    "_PARAM",
    "_ENABLED",
    "_REQUIRED",
    "_POLICY",
    "_ISSUER",
    "_ROTATION",
    "_COUNT",
    "_HINT",
];

fn names_a_value(key: &str) -> bool {
    let key = key.to_ascii_uppercase();
    is_secret_name(&key) && !key.contains("PASSWORDLESS") && !ABOUT.iter().any(|end| key.ends_with(end))
}

fn is_literal_secret(key: &str, value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    let is_variable = text.replace("$$", "").contains('$');
    let in_url = password_of_url(text).is_some();
    if text.is_empty() || is_variable {
        return false;
    }
    in_url || names_a_value(key) && !is_harmless(text)
}

/// Returns the value that `${NAME:-value}` has where nobody sets it, if it could be a secret.
// Source: compose-spec, interpolation: `:-` and `-` give a default; `:?` and `?` refuse.
fn literal_default<'a>(key: &str, text: &'a str) -> Option<&'a str> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let default = inner[end..].strip_prefix(":-").or_else(|| inner[end..].strip_prefix('-'))?;
    // A well-known one is reported by `default-password`, and no secret.
    let is_secret =
        !default.is_empty() && !default.contains('$') && !is_harmless(default) && !is_from_an_example(default);
    (names_a_value(key) && is_secret).then_some(default)
}

/// Variables by which a database lets everybody in, and the values that do.
const OPEN: [(&str, &[&str]); 5] = [
    ("POSTGRES_HOST_AUTH_METHOD", &["trust"]),
    ("MYSQL_ALLOW_EMPTY_PASSWORD", &["yes", "true", "1"]),
    ("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", &["yes", "true", "1"]),
    ("MARIADB_ALLOW_EMPTY_PASSWORD", &["yes", "true", "1"]),
    ("ALLOW_EMPTY_PASSWORD", &["yes", "true", "1"]),
];

fn default_password(subject: &Subject) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (key, value) in &subject.environment {
        let value = value.expose();
        let opens =
            |(name, values): &(&str, &[&str])| name == key && values.contains(&value.to_ascii_lowercase().as_str());
        if OPEN.iter().any(opens) {
            hits.push(Hit::new("environment", "a password", format!("{key}={value} lets everybody in without one")));
        }
        let secret = password_of_url(value).or_else(|| names_a_value(key).then_some(value));
        if secret.is_some_and(is_from_an_example) {
            hits.push(Hit::new("environment", "a value of its own", format!("{key} has a well-known value")));
        }
    }
    hits
}

const EXAMPLES: [&str; 36] = [
    "postgres",
    "postgresql",
    "password",
    "passwd",
    "pass",
    "secret",
    "admin",
    "administrator",
    "root",
    "toor",
    "test",
    "example",
    "default",
    "guest",
    "user",
    "changeme",
    "change_me",
    "change-me",
    "changeit",
    "changethis",
    "replaceme",
    "letmein",
    "qwerty",
    "welcome",
    "mysql",
    "redis",
    "mongo",
    "rabbitmq",
    "minioadmin",
    "mysecretpassword",
    "supersecret",
    "s3cr3t",
    "password1",
    "password123",
    "admin123",
    "dummy",
];

pub(crate) fn is_from_an_example(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let counted = value.len() >= 3 && "12345678901234567890".starts_with(&value);
    counted || EXAMPLES.contains(&value.as_str())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case("POSTGRES_PASSWORD", "kT9fQ2", true)]
    #[case("POSTGRES_PASSWORD", "${POSTGRES_PASSWORD:?}", false)]
    #[case("POSTGRES_PASSWORD", "$PW", false)]
    #[case("POSTGRES_PASSWORD", "a$$b", true)]
    #[case("POSTGRES_PASSWORD", "", false)]
    #[case("POSTGRES_PASSWORD_FILE", "/run/secrets/pw", false)]
    #[case("SECRET_DIR", "data", false)]
    #[case("JWT_PUBLIC_KEY", "abc", false)]
    #[case("TOKEN_URL", "https://login.example.org/token", false)]
    #[case("CELERY_BROKER", "amqp://u:kT9fQ2@mq", true)]
    #[case("CELERY_BROKER", "amqp://u:${PW}@mq", false)]
    #[case("LOG_LEVEL", "debug", false)]
    #[case("SECRET_NAME", "billing", false)]
    #[case("API_KEY_HEADER", "x-api-key", false)]
    #[case("PASSWORDLESS", "enabled", false)]
    fn a_literal_is_a_secret_by_its_name_or_as_a_password_in_an_address(
        #[case] key: &str,
        #[case] value: &str,
        #[case] want: bool,
    ) {
        assert_eq!(super::is_literal_secret(key, &json!(value)), want);
    }

    #[rstest]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-kT9fQ2}", Some("kT9fQ2"))]
    #[case("POSTGRES_PASSWORD", "${PG_PW-kT9fQ2}", Some("kT9fQ2"))]
    #[case("POSTGRES_PASSWORD", "${PG_PW:?set it}", None)]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-}", None)]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-${OTHER}}", None)]
    #[case("LOG_LEVEL", "${LOG_LEVEL:-debug}", None)]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-changeme}", None)]
    fn a_default_of_a_secret_is_one(#[case] key: &str, #[case] text: &str, #[case] want: Option<&str>) {
        assert_eq!(super::literal_default(key, text), want);
    }

    #[rstest]
    #[case(json!("redis-server --requirepass kT9fQ2 --save 60 1"), &["--requirepass"])]
    #[case(json!(["redis-server", "--requirepass", "kT9fQ2"]), &["--requirepass"])]
    #[case(json!(["tool", "--token=kT9fQ2"]), &["--token"])]
    #[case(json!("redis-server --requirepass ${PW:?}"), &[])]
    #[case(json!(["app", "--password", "--verbose"]), &[])]
    fn an_option_with_a_secret_is_found(#[case] command: Value, #[case] want: &[&str]) {
        let found: Vec<String> = super::options(&command).into_iter().map(|(option, _)| option).collect();
        assert_eq!(found, want);
    }

    #[rstest]
    #[case("Postgres", true)]
    #[case("123456", true)]
    #[case("12", false)]
    #[case("example-staging-not-a-secret", false)]
    fn a_well_known_value_is_known(#[case] value: &str, #[case] want: bool) {
        assert_eq!(super::is_from_an_example(value), want);
    }
}
