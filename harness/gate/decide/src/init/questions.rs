//! What the files do not show and somebody at a terminal knows: the questions, and what a response changes.

use stagegate_base::lifetime::Lifetime;

use super::{Facts, Kind, migrators, project_name, services};

/// A question to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it is about.
    pub topic: Topic,
    /// The question, without its choices.
    pub text: String,
    /// What can be chosen; any text where empty.
    pub choices: Vec<String>,
    /// What no response means.
    pub otherwise: &'static str,
}

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The path at which a service reports that it is healthy.
    Health(String),
    /// The service that applies the migrations of a PostgreSQL service.
    Migrator(String),
    /// The folder of migrations.
    Folder,
    /// The environments that releases are promoted through.
    Environments,
}

/// What the user answered; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Service and path.
    pub health: Vec<(String, String)>,
    /// PostgreSQL service, and the service that applies its migrations.
    pub migrators: Vec<(String, String)>,
    /// The environments for promotions, in their order.
    pub environments: Vec<String>,
}

/// A response that cannot be used, with what can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct AnswerError {
    found: String,
    expected: String,
}

/// Returns what to ask, in the order of the file.
#[must_use]
pub fn questions(facts: &Facts) -> Vec<Question> {
    let mut questions = vec![Question {
        topic: Topic::Environments,
        text: "Environments on this machine that releases are promoted through, in their order, such as `staging production`"
            .to_owned(),
        choices: Vec::new(),
        otherwise: "none yet",
    }];
    let found = services::services(facts, &mut Vec::new());
    for service in found.iter().filter(|service| service.kind == Kind::Other && service.health.is_none()) {
        let port = service.port.unwrap_or_default();
        questions.push(Question {
            topic: Topic::Health(service.name.clone()),
            text: format!(
                "Path of `{}` (port {port}) that returns 2xx while it is healthy, such as /healthz",
                service.name
            ),
            choices: Vec::new(),
            otherwise: "only its port is tested",
        });
    }
    for server in found.iter().filter(|service| service.kind == Kind::Postgres) {
        let choices = match migrators::migrators(facts, &server.name) {
            one if one.len() == 1 => continue,
            none if none.is_empty() => one_shots(facts),
            several => several,
        };
        if !choices.is_empty() {
            questions.push(Question {
                topic: Topic::Migrator(server.name.clone()),
                text: format!("Service that applies the migrations of `{}` and exits", server.name),
                choices,
                otherwise: "none",
            });
        }
    }
    if facts.migrations.len() > 1 {
        questions.push(Question {
            topic: Topic::Folder,
            text: "Folder of the migrations".to_owned(),
            choices: facts.migrations.iter().map(|(folder, _)| folder.clone()).collect(),
            otherwise: "none is tested",
        });
    }
    questions
}

/// Returns the services that run once and exit.
fn one_shots(facts: &Facts) -> Vec<String> {
    let all = facts.model.services().into_iter();
    all.filter(|name| Lifetime::of_model(&facts.model, name) != Lifetime::LongRunning).collect()
}

/// Takes a response into the facts; an empty one changes nothing.
///
/// # Errors
/// [`AnswerError`] where it is none of the choices, no path or no name.
pub fn answer(facts: &mut Facts, question: &Question, text: &str) -> Result<(), AnswerError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(());
    }
    let wrong = |expected: String| AnswerError { found: text.to_owned(), expected };
    let chosen = match (question.choices.as_slice(), text.parse::<usize>()) {
        ([], _) => text.to_owned(),
        (choices, Ok(number)) if (1..=choices.len()).contains(&number) => choices[number - 1].clone(),
        (choices, _) if choices.iter().any(|choice| choice == text) => text.to_owned(),
        (choices, _) => return Err(wrong(format!("a number from 1 to {} or one of the names", choices.len()))),
    };
    match &question.topic {
        Topic::Health(_) if !chosen.starts_with('/') || chosen.contains(char::is_whitespace) => {
            return Err(wrong("a path, which begins with `/`".to_owned()));
        }
        Topic::Health(service) => facts.answers.health.push((service.clone(), chosen)),
        Topic::Migrator(server) => facts.answers.migrators.push((server.clone(), chosen)),
        Topic::Folder => facts.migrations.retain(|(folder, _)| *folder == chosen),
        Topic::Environments => {
            let names: Vec<String> =
                chosen.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            let is_bad =
                |name: &&String| project_name(name) != **name || ["local", "ephemeral"].contains(&name.as_str());
            if let Some(bad) = names.iter().find(is_bad) {
                let expected =
                    "a name for an environment: a-z, 0-9, - and _, and neither local nor ephemeral".to_owned();
                return Err(AnswerError { found: bad.clone(), expected });
            }
            facts.answers.environments = names;
        }
    }
    Ok(())
}
