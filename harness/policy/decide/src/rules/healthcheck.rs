//! Is there a healthcheck, and can it fail?

use serde_json::{Value, json};

use super::{Check, Hit, Rule, inspected::Healthcheck, subject::Subject};
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
    if subject.is_oneshot || subject.has_profile {
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
    let found = match &subject.healthcheck {
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
        ("CMD", [shell, "-c", text, ..]) if shell.ends_with("sh") => Some((*text).to_owned()),
        ("CMD", [program, rest @ ..]) => {
            // Words are no shell: only the programs themselves count.
            let quiet = matches!(program.rsplit('/').next(), Some("true" | "echo"));
            let line = [&[*program], rest].concat().join(" ");
            if quiet { Some(line) } else { None }
        }
        _ => None,
    }
}

/// The end of a text is enough to recognise it, and holds no password that a longer command may.
fn ending(text: &str) -> String {
    parts(text).last().cloned().unwrap_or_default()
}

fn always_succeeds(text: &str) -> bool {
    let parts = parts(text);
    let Some((last, before)) = parts.split_last() else { return true };
    let leaves_early = before.iter().any(|part| {
        let mut words = part.split_whitespace().skip_while(|word| *word != "exit");
        words.next().is_some() && words.next() != Some("0") || part.starts_with("set -e")
    });
    is_success(last) && !leaves_early
}

fn is_success(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let alone = !command.contains(['|', '&', '$', '`']);
    match words.as_slice() {
        [] | ["true" | ":" | "/bin/true" | "/usr/bin/true"] | ["exit", "0"] => true,
        ["echo", ..] => alone,
        _ => false,
    }
}

/// Splits a shell text at `;`, line breaks and `||`, quotes respected: the last part gives the exit code unless an
/// earlier one leaves.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quote, mut rest) = (None, text.trim().trim_end_matches(';').chars().peekable());
    while let Some(c) = rest.next() {
        let is_end = quote.is_none() && (matches!(c, ';' | '\n') || c == '|' && rest.next_if_eq(&'|').is_some());
        match c {
            _ if is_end => parts.push(String::new()),
            c => {
                quote = match quote {
                    Some(open) if open == c => None,
                    None if c == '"' || c == '\'' => Some(c),
                    kept => kept,
                };
                parts.last_mut().into_iter().for_each(|part| part.push(c));
            }
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case("exit 0", true)]
    #[case("true", true)]
    #[case(":", true)]
    #[case("curl -f http://x || true", true)]
    #[case("curl -f http://x||exit 0", true)]
    #[case("curl -f http://x; true;", true)]
    #[case("curl -f http://x\nexit 0", true)]
    #[case("curl -f http://x || echo down", true)]
    #[case("echo ok", true)]
    #[case("curl -f http://x || exit 1", false)]
    #[case("curl -f http://x || exit 1; exit 0", false)]
    #[case("curl -f http://x || exit", false)]
    #[case("redis-cli ping | grep -q PONG", false)]
    #[case("echo ruok | nc 127.0.0.1 2181", false)]
    #[case("echo 'a; true'", true)]
    #[case("test \"a || true\" = b", false)]
    #[case("set -e; curl -f http://x; true", false)]
    fn only_a_test_whose_end_always_succeeds_is_reported(#[case] text: &str, #[case] want: bool) {
        assert_eq!(super::always_succeeds(text), want);
    }
}
