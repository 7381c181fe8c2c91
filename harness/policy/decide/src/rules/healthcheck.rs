//! Is there a healthcheck, and can it fail?

use serde_json::{Value, json};

use super::{
    Check, Hit, Rule,
    exit_code::{always_succeeds, ending},
    inspected::Healthcheck,
    subject::Subject,
};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "healthcheck-missing",
        severity: Severity::Info,
        title: "a service that keeps running has no healthcheck",
        why: "Docker and Compose consider it healthy as soon as its process exists; a hang or a broken start goes unnoticed",
        fix: "add `healthcheck:` with a command that sends the service a request like those of its users",
        check: Check::Service(missing),
    },
    Rule {
        id: "healthcheck-cannot-fail",
        severity: Severity::Warning,
        title: "a healthcheck is switched off or always succeeds",
        why: "`healthy` then means nothing: what waits for it starts too early, and a bad release counts as a good one",
        fix: "let the command's own exit code through: no `|| true`, no `exit 0` at the end, no `NONE`",
        check: Check::Service(cannot_fail),
    },
];

fn missing(subject: &Subject) -> Vec<Hit> {
    if subject.is_job() || subject.has_profile {
        return Vec::new();
    }
    let hit = match subject.healthcheck {
        Healthcheck::Missing => Hit::new("", "a healthcheck", "none, in the file or in the image"),
        Healthcheck::Unknown => {
            Hit::new("", "a healthcheck", "none in the file; the image is not on this host to be inspected").unknown()
        }
        Healthcheck::Off | Healthcheck::Test(_) => return Vec::new(),
    };
    let known = if subject.is_client { None } else { probe(&subject.image) };
    vec![match known {
        Some(test) => hit.with_fix(fix(test)),
        None => hit,
    }]
}

/// Probes that servers bring along themselves, by the image's name; `$$` is Compose's `$`. For other images none is
/// proposed: whether they have `curl`, `wget` or a shell, and what they answer at which port, is not known.
// Sources: PostgreSQL manual (pg_isready), Redis (`redis-cli ping`), MariaDB (`healthcheck.sh`, from 10.6 on in the official
// image; `mysqladmin` was removed from it in 11), MongoDB (`mongosh`, from 6 on), RabbitMQ ("Monitoring": Health Checks).
const PROBES: [(&[&str], &str); 6] = [
    (&["postgres", "postgis", "timescaledb"], "pg_isready -q -h 127.0.0.1 -U \"$${POSTGRES_USER:-postgres}\""),
    (&["redis"], "redis-cli ping | grep -qE 'PONG|NOAUTH'"),
    (&["valkey"], "valkey-cli ping | grep -qE 'PONG|NOAUTH'"),
    (&["mysql"], "mysqladmin ping -h 127.0.0.1"),
    (&["mariadb"], "healthcheck.sh --connect --innodb_initialized"),
    (&["rabbitmq"], "rabbitmq-diagnostics -q ping"),
];

/// Returns the probe that an image is known to have.
fn probe(image: &str) -> Option<String> {
    let last = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let (name, tag) = last.split_once(':').unwrap_or((last, ""));
    let known = PROBES.iter().find(|(names, _)| names.contains(&name)).map(|(_, test)| (*test).to_owned());
    let major = || tag.split(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse::<u32>().ok());
    known.or_else(|| match name {
        "mongo" if major().is_none_or(|major| major >= 6) => {
            Some("mongosh --quiet --eval 'quit(db.adminCommand({ping: 1}).ok ? 0 : 1)'".to_owned())
        }
        _ => None,
    })
}

fn fix(test: String) -> Value {
    json!({"healthcheck": {
        "test": ["CMD-SHELL", test], "interval": "10s", "timeout": "3s", "retries": 5, "start_period": "10s"
    }})
}

fn cannot_fail(subject: &Subject) -> Vec<Hit> {
    // Nobody waits for a job to become healthy.
    if subject.is_oneshot {
        return Vec::new();
    }
    let found = match &subject.healthcheck {
        Healthcheck::Off if subject.may_end => return Vec::new(),
        Healthcheck::Missing | Healthcheck::Unknown => return Vec::new(),
        Healthcheck::Off => "switched off".to_owned(),
        Healthcheck::Test(test) => match shell(test) {
            Some(text) if always_succeeds(&text) => format!("`{}` always succeeds", ending(&text)),
            _ => return Vec::new(),
        },
    };
    vec![Hit::new("healthcheck", "a healthcheck that can fail", found)]
}

/// Returns the shell text of a test, or its words where no shell runs it.
fn shell(test: &[String]) -> Option<String> {
    let (kind, words) = test.split_first()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (kind.as_str(), words.as_slice()) {
        ("CMD-SHELL", [text, ..]) => Some((*text).to_owned()),
        ("CMD", [shell, flags @ ..]) if shell.ends_with("sh") => text_of(flags),
        ("CMD", [program, rest @ ..]) => {
            // Words are no shell: only the programs themselves count.
            let quiet = matches!(program.rsplit('/').next(), Some("true" | "echo"));
            let line = [&[*program], rest].concat().join(" ");
            if quiet { Some(line) } else { None }
        }
        _ => None,
    }
}

/// Returns the text that a shell is started with, its flags that change when it fails at the top of it.
fn text_of(words: &[&str]) -> Option<String> {
    let is_flags = |word: &&str| word.starts_with('-') && !word.starts_with("--");
    let at = words.iter().position(|word| is_flags(word) && word.ends_with('c'))?;
    let flags = &words[..=at];
    let ends_at_failures = if flags.iter().any(|word| is_flags(word) && word.contains('e')) { "set -e\n" } else { "" };
    let fails_in_pipes = if flags.contains(&"pipefail") { "set -o pipefail\n" } else { "" };
    Some(format!("{ends_at_failures}{fails_in_pipes}{}", words.get(at + 1)?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{always_succeeds, shell};

    #[rstest]
    #[case::with_flags(&["CMD", "bash", "-ec", "curl x || true"], true)]
    #[case::with_words_of_flags(&["CMD", "/bin/bash", "-o", "pipefail", "-c", "curl x || true"], true)]
    #[case::that_end_at_a_failure(&["CMD", "bash", "-ec", "curl x; true"], false)]
    #[case::that_fail_in_pipes(&["CMD", "bash", "-o", "pipefail", "-c", "curl x | true"], false)]
    #[case::no_shell(&["CMD", "curl", "-c", "true"], false)]
    #[case::a_program(&["CMD", "/bin/true"], true)]
    fn a_shell_that_is_started_with_flags_is_one(#[case] test: &[&str], #[case] want: bool) {
        let test: Vec<String> = test.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(shell(&test).is_some_and(|text| always_succeeds(&text)), want);
    }
}
