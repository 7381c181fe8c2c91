//! Are secrets kept out of the files, and are they secret? Values are looked at and never told.

use serde_json::Value;

use super::{Check, Facts, Hit, Place, Rule, place, subject::Subject};
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
        mend: "write `${NAME:?}` and keep the value in an env file outside of git, or use `secrets:`",
        check: Check::Stack(plain),
    },
    Rule {
        id: "default-password",
        severity: Severity::Warning,
        title: "a secret has a value from an example",
        why: "it is among the first that an attacker tries",
        mend: "generate one: `openssl rand -base64 24`; change it in the database too, which keeps its first one",
        check: Check::Service(default_password),
    },
];

/// Finds values in the files as they are written: where they come from a variable or an env file they are not there.
fn plain(facts: &Facts) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in &facts.files {
        let Some(yaml) = file.yaml() else { continue };
        for (service, body) in yaml["services"].as_object().into_iter().flatten() {
            for (key, value) in place::variables(&body["environment"]) {
                if is_literal_secret(&key, &value) {
                    let line = file.line_of_variable(service, &key);
                    let mut hit = Hit::new("environment", "`${NAME}`", format!("{key} has its value in the file"));
                    hit.place = line.map(|line| Place { file: file.path.clone(), line });
                    hits.push(hit.of(service));
                }
            }
        }
    }
    hits.dedup_by(|a, b| a.service == b.service && a.found == b.found);
    hits
}

fn is_literal_secret(key: &str, value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    let is_variable = text.replace("$$", "").contains('$');
    let in_url = password_of_url(text).is_some();
    if text.is_empty() || is_variable {
        return false;
    }
    in_url || is_secret_name(key) && !is_harmless(text)
}

fn default_password(subject: &Subject) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (key, value) in &subject.environment {
        let value = value.expose();
        let secret = password_of_url(value).or_else(|| is_secret_name(key).then_some(value));
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
    use serde_json::json;

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
    fn a_literal_is_a_secret_by_its_name_or_as_a_password_in_an_address(
        #[case] key: &str,
        #[case] value: &str,
        #[case] want: bool,
    ) {
        assert_eq!(super::is_literal_secret(key, &json!(value)), want);
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
