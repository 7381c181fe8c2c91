//! What a file states that its form allows and that cannot work: an unknown name, two questions in one step.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use toml::Spanned;

use super::{
    Action, Assertion, Known, LONGEST, Login, Step, Template, Until,
    raw::{RawStep, RawUntil},
};
use stagegate_base::{config::ConfigError, suggest::closest, units::Span};

/// The first pause between two questions where the step states nothing.
const EVERY: Duration = Duration::from_millis(100);
/// The least pause: a step must not become a load test.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// What one file is checked against.
pub(super) struct Checker<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) known: &'a Known,
    pub(super) secrets: &'a BTreeMap<String, String>,
    pub(super) logins: &'a BTreeMap<String, Arc<Login>>,
}

impl Checker<'_> {
    pub(super) fn error(&self, offset: usize, message: String, hint: impl Into<String>) -> ConfigError {
        ConfigError::at(self.path, self.text, offset, message, Some(hint.into()))
    }

    /// Refuses a name that a template could not write.
    pub(super) fn name_of(&self, name: &Spanned<String>, what: &str) -> Result<(), ConfigError> {
        let text = name.get_ref();
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            return Ok(());
        }
        let message = format!("{what} `{text}` is not a valid name in a template");
        Err(self.error(name.span().start, message, "use a-z, A-Z, 0-9, - and _"))
    }

    /// Checks steps in their order; a name counts from the step behind that which captures it.
    pub(super) fn steps(&self, raw: Vec<Spanned<RawStep>>) -> Result<Vec<Step>, ConfigError> {
        let mut names: BTreeSet<String> = ["run.id", "run.environment"].map(str::to_owned).into();
        names.extend(self.secrets.keys().map(|name| format!("secrets.{name}")));
        for login in self.logins.values() {
            let captured = login.steps.iter().flat_map(|step| step.capture.keys());
            names.extend(captured.map(|name| format!("login.{}.{name}", login.name)));
        }
        let all: BTreeSet<String> =
            raw.iter().flat_map(|step| step.get_ref().capture.keys()).map(|name| name.get_ref().clone()).collect();
        let mut steps = Vec::new();
        for step in raw {
            let offset = step.span().start;
            let step = self.step(offset, step.into_inner())?;
            let known: BTreeSet<&str> = match step.cleanup {
                // A clean-up step runs last, wherever it is written.
                true => names.iter().chain(&all).map(String::as_str).collect(),
                false => names.iter().map(String::as_str).collect(),
            };
            self.needs(offset, &step, &known)?;
            names.extend(step.capture.keys().cloned());
            steps.push(step);
        }
        Ok(steps)
    }

    fn step(&self, offset: usize, raw: RawStep) -> Result<Step, ConfigError> {
        let name = raw.name.clone();
        let action = self.action(offset, &raw)?;
        for captured in raw.capture.keys() {
            self.name_of(captured, "capture")?;
        }
        let mut assertions = Vec::new();
        for assertion in raw.assert {
            let at = assertion.span().start;
            let made = Assertion::try_from(assertion.into_inner());
            assertions.push(made.map_err(|message| ConfigError::at(self.path, self.text, at, message, None))?);
        }
        let free = action.strings().into_iter().map(str::to_owned);
        let free: Vec<String> = free.chain(assertions.iter().flat_map(Assertion::strings).map(str::to_owned)).collect();
        for text in &free {
            if let Err(error) = Template::parse(text) {
                return Err(ConfigError::at(
                    self.path,
                    self.text,
                    self.place_of(offset, text),
                    error.to_string(),
                    None,
                ));
            }
        }
        if let (Action::Redis(redis), true) = (&action, raw.safe)
            && !redis.only_reads()
        {
            let message = format!("step `{name}` is marked safe, and its command is not known to be read-only");
            return Err(self.error(
                offset,
                message,
                "remove safe = true, or use a read command such as GET, EXISTS, TTL, HGETALL, LRANGE",
            ));
        }
        let capture = raw.capture.into_iter().map(|(name, source)| (name.into_inner(), source)).collect();
        let until = raw.until.map(|until| self.until(offset, &until)).transpose()?;
        let line = self.text[..offset.min(self.text.len())].matches('\n').count() + 1;
        Ok(Step { name, line, action, safe: raw.safe, cleanup: raw.cleanup, capture, assertions, until })
    }

    fn until(&self, offset: usize, raw: &RawUntil) -> Result<Until, ConfigError> {
        let every = raw.every.map_or(EVERY, |span| span.0);
        if raw.within.0 > LONGEST || every < LEAST_PAUSE {
            let message = format!("until: within = {} with every = {} is out of range", raw.within, Span(every));
            let hint = format!("within is at most {}, every is at least {}", Span(LONGEST), Span(LEAST_PAUSE));
            return Err(self.error(offset, message, hint));
        }
        Ok(Until { within: raw.within.0, every })
    }

    fn action(&self, offset: usize, raw: &RawStep) -> Result<Action, ConfigError> {
        let actions: Vec<Action> = [
            raw.http.clone().map(Action::Http),
            raw.sql.clone().map(Action::Sql),
            raw.redis.clone().map(Action::Redis),
            raw.exec.clone().map(Action::Exec),
            raw.browser.clone().map(Action::Browser),
        ]
        .into_iter()
        .flatten()
        .collect();
        let Ok([mut action]) = <[Action; 1]>::try_from(actions) else {
            let message = format!("step `{}` needs exactly one action", raw.name);
            return Err(self.error(offset, message, "write one of http, sql, redis, exec and browser"));
        };
        let known = self.known;
        match &mut action {
            Action::Http(http) => {
                self.is_known(offset, &mut http.service, "service", &known.services)?;
                if http.body.is_some() && http.json.is_some() {
                    let message = format!("step `{}` has two bodies", raw.name);
                    return Err(self.error(offset, message, "write `body` or `json`"));
                }
            }
            Action::Browser(browser) => self.is_known(offset, &mut browser.service, "service", &known.services)?,
            Action::Redis(redis) => {
                self.is_known(offset, &mut redis.service, "redis service", &known.caches)?;
                if redis.command.is_empty() {
                    let message = format!("step `{}` has no command", raw.name);
                    return Err(self.error(offset, message, "write command = [\"GET\", \"key\"]"));
                }
            }
            Action::Sql(sql) => self.is_known(offset, &mut sql.database, "database", &known.databases)?,
            Action::Exec(exec) => {
                // Arguments are seen by every user of the machine.
                let secret = exec
                    .args
                    .iter()
                    .flat_map(Template::names)
                    .find(|n| n.starts_with("secrets.") || n.starts_with("login."));
                if let Some(name) = secret {
                    let message = format!("`{{{{ {name} }}}}` is secret and cannot be an argument");
                    return Err(self.error(self.place_of(offset, name), message, "pass it in `env`"));
                }
            }
        }
        Ok(action)
    }

    /// Refuses a name that the configuration does not have; an empty one becomes the only one there is.
    fn is_known(
        &self,
        offset: usize,
        name: &mut String,
        what: &str,
        known: &BTreeSet<String>,
    ) -> Result<(), ConfigError> {
        if let (true, 1, Some(only)) = (name.is_empty(), known.len(), known.first()) {
            name.clone_from(only);
        }
        if known.contains(name.as_str()) {
            return Ok(());
        }
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let message = match name.is_empty() {
            true => format!("the step names no {what} (known: {list})"),
            false => format!("{what} `{name}` is not in stagegate.toml (known: {list})"),
        };
        let hint = closest(name, &names)
            .map_or("add it there, or name another one".to_owned(), |near| format!("did you mean `{near}`?"));
        let place = if name.is_empty() { offset } else { self.place_of(offset, name) };
        Err(self.error(place, message, hint))
    }

    fn needs(&self, offset: usize, step: &Step, known: &BTreeSet<&str>) -> Result<(), ConfigError> {
        let Some(name) = step.needs().into_iter().find(|name| !known.contains(name)) else { return Ok(()) };
        let names: Vec<&str> = known.iter().copied().collect();
        let message = format!("`{{{{ {name} }}}}` is not known in step `{}` (known: {})", step.name, names.join(", "));
        let hint = closest(name, &names)
            .map_or("capture it in a step before, or name its variable in [secrets]".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
        Err(self.error(self.place_of(offset, name), message, hint))
    }

    /// Returns where a text first stands behind `offset`, for the line of a message; `offset` where it is written otherwise.
    fn place_of(&self, offset: usize, text: &str) -> usize {
        self.text.get(offset..).and_then(|rest| rest.find(text)).map_or(offset, |at| offset + at)
    }
}
