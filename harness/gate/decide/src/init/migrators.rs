//! Which service applies the migrations of a database, and ends.

use serde_json::Value;
use stagegate_base::lifetime::Lifetime;

use super::{Facts, Service};

/// Words in the name or command of a service that migrates a database and ends; marks between them do not count.
// `flask db upgrade` is Flask-Migrate's, `db prepare` is of Rails, `db push` of Prisma and Drizzle.
const MIGRATES: [&str; 12] = [
    "migrate",
    "migration",
    "alembic",
    "db upgrade",
    "db prepare",
    "db push",
    "flyway",
    "liquibase",
    "dbmate",
    "goose",
    "sqitch",
    "yoyo",
];
/// Words of commands that test or write migrations, and apply none.
const OTHERWISE: [&str; 13] = [
    "makemigrations",
    "make migration",
    "migrate make",
    "migrate create",
    "migration create",
    "migrations create",
    "create migration",
    "migration generate",
    "generate migration",
    "migrations add",
    "test migration",
    "migration test",
    "migrate test",
];

/// Returns the service that migrates a server's database, where the files show exactly one.
pub(super) fn migrator(facts: &Facts, server: &Service, left_out: &mut Vec<String>) -> Option<String> {
    let mut found = migrators(facts, &server.name);
    if let Some((_, chosen)) = facts.answers.migrators.iter().find(|(of, _)| *of == server.name) {
        return Some(chosen.clone());
    }
    match found.len() {
        0 => {
            let near = candidates(facts, &server.name);
            left_out.push(match near.as_slice() {
                [] => format!(
                    "migrations of `{}`: no service that runs once and migrates; if the product migrates when it starts, \
                     leave it so, else name the service in `migrations`",
                    server.name
                ),
                near => format!(
                    "migrations of `{}`: `{}` may apply them; if so, name it in `migrations`",
                    server.name,
                    near.join("`, `")
                ),
            });
            None
        }
        1 => found.pop(),
        _ => {
            left_out.push(format!(
                "migrations of `{}`: `{}` may each be the one; name it in `migrations`",
                server.name,
                found.join("`, `")
            ));
            None
        }
    }
}

/// Returns the services that may apply the migrations of a server's database: they need that one and nothing else.
pub(super) fn migrators(facts: &Facts, server: &str) -> Vec<String> {
    let is_it = |name: &String| is_migrator(facts, name) && needs(facts, name) == [server];
    facts.model.services().into_iter().filter(is_it).collect()
}

/// Returns services that need the server among others and either migrate or run once.
fn candidates(facts: &Facts, server: &str) -> Vec<String> {
    let runs_once = |name: &String| Lifetime::of_model(&facts.model, name) != Lifetime::LongRunning;
    let needs_it = |name: &String| needs(facts, name).iter().any(|needed| needed == server);
    let is_it = |name: &String| needs_it(name) && (is_migrator(facts, name) || runs_once(name));
    facts.model.services().into_iter().filter(is_it).collect()
}

fn needs(facts: &Facts, name: &str) -> Vec<String> {
    let needs = facts.model.json()["services"][name]["depends_on"].as_object();
    needs.map(|needs| needs.keys().cloned().collect()).unwrap_or_default()
}

/// Returns whether a service migrates and ends, by its shape and its words.
pub(super) fn is_migrator(facts: &Facts, name: &str) -> bool {
    let service = &facts.model.json()["services"][name];
    let part = |key: &str| match &service[key] {
        Value::Array(parts) => parts.iter().filter_map(|part| part.as_str()).collect::<Vec<_>>().join(" "),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let text = format!("{name} {} {}", part("command"), part("entrypoint")).to_lowercase();
    let serves = facts.model.publishes(name) || facts.model.has_healthcheck(name);
    let restarts = ["always", "unless-stopped"].contains(&service["restart"].as_str().unwrap_or_default());
    // `migrate && serve` is a service that migrates when it starts.
    let goes_on = text.contains("&&") && Lifetime::of_model(&facts.model, name) == Lifetime::LongRunning;
    !serves && !restarts && !goes_on && migrates(&text)
}

/// Returns whether words are those of a command that applies migrations.
fn migrates(text: &str) -> bool {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let words = OTHERWISE.iter().fold(words.join(" "), |words, other| words.replace(other, ""));
    MIGRATES.iter().any(|word| words.contains(word))
}
