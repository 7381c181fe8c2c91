//! Are secrets kept out of the files, and are they secret? Values are looked at and never told.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Check, Facts, Hit, Rule, SourceFile, SourceLine,
    inspected::text,
    place::{self, IndexedFile},
    secret_options::{self, Word},
    secret_words::{is_secret, is_well_known, names_a_value, password_in, with_defaults},
    subject::Subject,
};
use stagegate_base::{record::Severity, redact::Secret};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "plain-secret",
        severity: Severity::Warning,
        title: "a secret is written into the compose file",
        why: "it is in git, in every copy and every backup of it, and the same in all environments",
        fix: "write `${NAME:?}` and keep the value in an env file outside of git, or use `secrets:`",
        check: Check::Stack(|facts, _| plain(facts)),
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
    for file in facts.written() {
        let Some(yaml) = file.yaml() else { continue };
        let indexed = file.indexed();
        // By line and finding: who has the value, and where in the service.
        let mut written: BTreeMap<(usize, String), (&'static str, Vec<String>)> = BTreeMap::new();
        for (service, body) in yaml["services"].as_object().into_iter().flatten() {
            for Literal { key, at, found, value } in literals(body) {
                let own = indexed
                    .line_of_variable(service, &key)
                    .or_else(|| indexed.line_of_texts(service, &[&key, &value]))
                    .or_else(|| indexed.line_of_texts(service, &[&value]));
                let line = own.or_else(|| indexed.line_of_shared(service, &key, &value)).unwrap_or_default();
                written.entry((line, found)).or_insert_with(|| (at, Vec::new())).1.push(service.clone());
            }
        }
        for ((line, found), (at, services)) in written {
            match line {
                // Nobody knows whether these are the same.
                0 => hits.extend(services.iter().map(|service| Hit::new(at, "`${NAME}`", found.clone()).of(service))),
                line => hits.push(of_line(&indexed, (line, at), &found, &services)),
            }
        }
        hits.extend(in_configs(file, &yaml));
    }
    hits.dedup_by(|a, b| a.service == b.service && a.found == b.found);
    hits
}

/// Returns the finding of a value that is written in one line, of a service that others may take it from.
fn of_line(file: &IndexedFile, (line, at): (usize, &'static str), found: &str, services: &[String]) -> Hit {
    let owner = file.service_at(line).filter(|owner| services.contains(owner));
    let service = owner.or_else(|| services.first().cloned()).unwrap_or_default();
    let others = match services {
        [_] => String::new(),
        all => format!(", shared by {}", all.join(", ")),
    };
    let mut hit = Hit::new(at, "`${NAME}`", format!("{found}{others}"));
    hit.place = Some(file.at(line - 1));
    hit.of(&service)
}

/// A secret that stands in a service.
struct Literal {
    /// The variable, or the option before it.
    key: String,
    at: &'static str,
    found: String,
    /// The secret itself, to find its line; it is never told.
    value: String,
}

/// Finds secrets in what a service is given: variables, arguments of its build, options of its commands.
fn literals(service: &Value) -> Vec<Literal> {
    let mut all = Vec::new();
    for (at, map) in [("environment", &service["environment"]), ("build", &service["build"]["args"])] {
        for (key, value) in place::variables(map) {
            let what = if at == "build" { "build argument " } else { "" };
            let value = text(&value);
            if is_literal_secret(&key, &value) {
                all.push(Literal { found: format!("{what}{key} has its value in the file"), key, at, value });
            } else if is_default_secret(&key, &value) {
                let found = format!("{what}{key} has a default value in the file (`${{..:-..}}`)");
                all.push(Literal { found, key, at, value });
            }
        }
    }
    for (at, command) in [
        ("command", &service["command"]),
        ("entrypoint", &service["entrypoint"]),
        ("healthcheck", &service["healthcheck"]["test"]),
    ] {
        all.extend(secret_options::secrets(command).into_iter().map(|Word { name, value, is_default }| {
            let has =
                if is_default { "has a default value in the file (`${..:-..}`)" } else { "has its value in the file" };
            Literal { found: format!("{name} of `{at}` {has}"), key: name.trim_matches('`').to_owned(), at, value }
        }));
    }
    all
}

/// Finds secrets in the text of inline configs: lines `NAME=value` and `name: value`.
fn in_configs(file: &SourceFile, yaml: &Value) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (config, body) in yaml["configs"].as_object().into_iter().flatten() {
        for line in body["content"].as_str().into_iter().flat_map(str::lines) {
            let Some((name, value)) = line.split_once(['=', ':']) else { continue };
            let mark = |c: char| c.is_whitespace() || "{}\"',".contains(c);
            let (name, value) = (name.trim_matches(mark), value.trim_matches(mark));
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
            let key = name.replace(['-', '.'], "_");
            if is_name && is_literal_secret(&key, value) {
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

/// Returns whether a variable has a secret in the file: by its name, or in an address.
fn is_literal_secret(key: &str, text: &str) -> bool {
    let is_variable = text.replace("$$", "").contains('$');
    !is_variable && (is_secret(key, text) || password_in(text).is_some())
}

/// Returns whether a variable has a secret in the file where nobody sets the variables in its value.
fn is_default_secret(key: &str, text: &str) -> bool {
    let expanded = with_defaults(text);
    // A well-known one is reported by `default-password`, and no secret.
    let is_known = is_well_known(password_in(&expanded).unwrap_or(&expanded));
    expanded != text && !is_known && is_literal_secret(key, &expanded)
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
        let secret = password_in(value).or_else(|| names_a_value(key).then_some(value));
        if secret.is_some_and(is_well_known) {
            hits.push(Hit::new("environment", "a value of its own", format!("{key} has a well-known value")));
        } else if let Some(name) = named_like_the_password(&subject.environment, key) {
            hits.push(Hit::new("environment", "a value of its own", format!("{key} has the value of {name}")));
        }
    }
    hits
}

/// Returns the variable of a user or database that a password has the name of, such as `POSTGRES_DB` of `POSTGRES_PASSWORD`.
fn named_like_the_password<'a>(environment: &'a BTreeMap<String, Secret>, key: &str) -> Option<&'a str> {
    let value = environment.get(key)?.expose();
    let upper = key.to_ascii_uppercase();
    let of = ["PASSWORD", "PASSWD", "PASS", "PWD"].iter().find_map(|end| upper.strip_suffix(end))?;
    let is_name = |other: &str| {
        let rest = other.to_ascii_uppercase().strip_prefix(of).map(str::to_owned);
        rest.is_some_and(|rest| {
            ["USER", "USERNAME", "USER_NAME", "DB", "DATABASE", "DB_NAME", "NAME"].contains(&rest.as_str())
        })
    };
    let known = environment.iter().find(|(other, name)| is_name(other) && !value.is_empty() && name.expose() == value);
    known.map(|(other, _)| other.as_str())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

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
        assert_eq!(is_literal_secret(key, value), want);
    }

    #[rstest]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-kT9fQ2}", true)]
    #[case("POSTGRES_PASSWORD", "${PG_PW-kT9fQ2}", true)]
    #[case::an_address("CACHE", "${CACHE:-redis://:kT9fQ2@r/1}", true)]
    #[case::in_an_address("CACHE", "redis://:${PW:-kT9fQ2}@r/1", true)]
    #[case::well_known_in_an_address("CACHE", "redis://:${PW:-changeme}@r/1", false)]
    #[case("POSTGRES_PASSWORD", "${PG_PW:?set it}", false)]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-}", false)]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-${OTHER}}", false)]
    #[case("LOG_LEVEL", "${LOG_LEVEL:-debug}", false)]
    #[case("POSTGRES_PASSWORD", "${PG_PW:-changeme}", false)]
    fn a_default_of_a_secret_is_one(#[case] key: &str, #[case] text: &str, #[case] want: bool) {
        assert_eq!(is_default_secret(key, text), want);
    }

    #[rstest]
    #[case("POSTGRES_PASSWORD", "POSTGRES_USER", "shop", "shop", true)]
    #[case("POSTGRES_PASSWORD", "POSTGRES_DB", "shop", "shop", true)]
    #[case("GITEA__database__PASSWD", "GITEA__database__USER", "gitea", "gitea", true)]
    #[case("POSTGRES_PASSWORD", "POSTGRES_USER", "shop", "kT9fQ2", false)]
    #[case("POSTGRES_PASSWORD", "MYSQL_USER", "shop", "shop", false)]
    fn a_password_that_is_the_name_of_its_user_is_well_known(
        #[case] key: &str,
        #[case] other: &str,
        #[case] name: &str,
        #[case] value: &str,
        #[case] want: bool,
    ) {
        let environment = [(other, name), (key, value)].map(|(key, value)| (key.to_owned(), Secret::new(value)));
        assert_eq!(named_like_the_password(&environment.into(), key), want.then_some(other));
    }
}
