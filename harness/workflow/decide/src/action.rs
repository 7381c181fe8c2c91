//! What a step asks: as it is written, and with its templates filled in.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::{
    STEP_WITHIN, Template, Unset, Vars,
    template::{filled, names_of, plain, strings},
};
use stagegate_base::units::Span;

/// How long a page may take to load where the step states nothing.
const LOAD_WITHIN: Duration = Duration::from_secs(5);

/// Commands of Redis that change nothing.
// Source: Redis, command reference: commands with the flag `readonly` that programs use, and PING.
const READING: [&str; 26] = [
    "EXISTS",
    "GET",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "LINDEX",
    "LLEN",
    "LRANGE",
    "MGET",
    "PING",
    "PTTL",
    "SCARD",
    "SISMEMBER",
    "SMEMBERS",
    "STRLEN",
    "TTL",
    "TYPE",
    "XLEN",
    "XRANGE",
    "ZCARD",
    "ZRANGE",
    "ZSCORE",
];

/// What a step asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A request to a service.
    Http(Http),
    /// A statement to a database.
    Sql(Sql),
    /// A command to a Redis server.
    Redis(Redis),
    /// A program of this machine.
    Exec(Exec),
    /// A page, opened in a browser.
    Browser(Browser),
}

/// A request to a service.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// A service of `[services]`.
    pub service: String,
    /// Method; GET where nothing is said, POST where there is a body.
    pub method: Option<String>,
    /// Path and query.
    pub path: Template,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// A body as text.
    pub body: Option<Template>,
    /// A body as a value, sent as JSON.
    pub json: Option<Value>,
    /// The status that the answer has to have; any 2xx where nothing is said.
    pub status: Option<u16>,
    /// How long the response may take.
    pub within: Option<Span>,
}

/// A statement to a database.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// A database of `[databases]`; may be left out where there is one only.
    #[serde(default)]
    pub database: String,
    /// One statement with `$1`, `$2` for the parameters. No template: values travel apart from the statement.
    pub query: String,
    /// The parameters.
    #[serde(default)]
    pub params: Vec<Value>,
}

/// A command to a Redis server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// A service of `[services]` of the kind redis; may be left out where there is one only.
    #[serde(default)]
    pub service: String,
    /// The command and its arguments.
    pub command: Vec<Template>,
}

/// A program of this machine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Its name, or a path from the environment's workdir.
    pub program: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<Template>,
    /// Variables next to those that every program gets.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// The exit code that it has to end with; 0 where nothing is said.
    pub status: Option<i32>,
    /// How long it may take.
    pub within: Option<Span>,
}

/// A page, opened in a browser.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Browser {
    /// A service of `[services]`.
    pub service: String,
    /// Path and query.
    pub path: Template,
    /// How long the page may take to load.
    pub load_within: Option<Span>,
}

/// A question that is ready to be asked.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the actions")]
pub enum StepRequest {
    Http {
        service: String,
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
        within: Duration,
    },
    Sql {
        database: String,
        query: String,
        params: Vec<Value>,
        read_only: bool,
    },
    Redis {
        service: String,
        words: Vec<String>,
    },
    Exec {
        program: String,
        args: Vec<String>,
        env: Vec<(String, String)>,
        within: Duration,
    },
    Browser {
        service: String,
        path: String,
        load_within: Duration,
    },
}

impl Action {
    /// Returns the names that its templates need.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Action::Http(http) => {
                let texts = std::iter::once(&http.path).chain(http.headers.values()).chain(&http.body);
                texts.flat_map(Template::names).chain(http.json.iter().flat_map(names_of)).collect()
            }
            Action::Sql(sql) => sql.params.iter().flat_map(names_of).collect(),
            Action::Redis(redis) => redis.command.iter().flat_map(Template::names).collect(),
            Action::Exec(exec) => exec.args.iter().chain(exec.env.values()).flat_map(Template::names).collect(),
            Action::Browser(browser) => browser.path.names().collect(),
        }
    }

    /// Returns the strings of free values, which may hold templates that were not read yet.
    pub(super) fn strings(&self) -> Vec<&str> {
        match self {
            Action::Http(http) => http.json.iter().flat_map(strings).collect(),
            Action::Sql(sql) => sql.params.iter().flat_map(strings).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the status that a response has to have: one, or any that is good.
    #[must_use]
    pub fn is_expected(&self, status: i64) -> bool {
        match self {
            Action::Http(http) => http.status.map_or((200..300).contains(&status), |want| i64::from(want) == status),
            Action::Exec(exec) => i64::from(exec.status.unwrap_or(0)) == status,
            Action::Sql(_) | Action::Redis(_) | Action::Browser(_) => true,
        }
    }

    /// States which status is expected.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Action::Http(http) => http.status.map_or("2xx".to_owned(), |status| status.to_string()),
            Action::Exec(exec) => exec.status.unwrap_or(0).to_string(),
            Action::Sql(_) | Action::Redis(_) | Action::Browser(_) => String::new(),
        }
    }

    /// States what is asked, in one line, without what templates become.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Http(_) => "http",
            Action::Sql(_) => "sql",
            Action::Redis(_) => "redis",
            Action::Exec(_) => "exec",
            Action::Browser(_) => "browser",
        }
    }

    /// Fills its templates in. `safe` makes a statement run in a transaction that cannot write.
    ///
    /// # Errors
    /// [`Unset`] with the first name that has no value.
    pub fn request(&self, vars: &Vars, safe: bool) -> Result<StepRequest, Unset> {
        match self {
            Action::Http(http) => http.request(vars),
            Action::Sql(sql) => Ok(StepRequest::Sql {
                database: sql.database.clone(),
                query: sql.query.clone(),
                params: sql.params.iter().map(|param| filled(param, vars)).collect::<Result<_, _>>()?,
                read_only: safe,
            }),
            Action::Redis(redis) => Ok(StepRequest::Redis {
                service: redis.service.clone(),
                words: redis.command.iter().map(|word| word.text(vars)).collect::<Result<_, _>>()?,
            }),
            Action::Exec(exec) => Ok(StepRequest::Exec {
                program: exec.program.clone(),
                args: exec.args.iter().map(|arg| arg.text(vars)).collect::<Result<_, _>>()?,
                env: texts(&exec.env, vars)?,
                within: exec.within.map_or(STEP_WITHIN, |span| span.0),
            }),
            Action::Browser(browser) => Ok(StepRequest::Browser {
                service: browser.service.clone(),
                path: browser.path.text(vars)?,
                load_within: browser.load_within.map_or(LOAD_WITHIN, |span| span.0),
            }),
        }
    }
}

impl Http {
    fn request(&self, vars: &Vars) -> Result<StepRequest, Unset> {
        let mut headers = texts(&self.headers, vars)?;
        let json = self.json.as_ref().map(|value| filled(value, vars)).transpose()?;
        if json.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let text = self.body.as_ref().map(|body| body.text(vars)).transpose()?;
        let body = json.map(|value| value.to_string()).or(text).map(String::into_bytes);
        let method = self.method.clone().unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
        let within = self.within.map_or(STEP_WITHIN, |span| span.0);
        Ok(StepRequest::Http {
            service: self.service.clone(),
            method,
            path: self.path.text(vars)?,
            headers,
            body,
            within,
        })
    }
}

impl Redis {
    /// Returns whether its command is known to change nothing.
    #[must_use]
    pub(super) fn only_reads(&self) -> bool {
        let word = self.command.first().and_then(|word| word.text(&Vars::new()).ok()).unwrap_or_default();
        READING.contains(&word.to_ascii_uppercase().as_str())
    }
}

fn texts(map: &BTreeMap<String, Template>, vars: &Vars) -> Result<Vec<(String, String)>, Unset> {
    map.iter().map(|(key, text)| Ok((key.clone(), text.text(vars)?))).collect()
}

impl StepRequest {
    /// States in one line what was asked; statements and arguments only, since values may be personal.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            StepRequest::Http { service, method, path, .. } => format!("{method} {path} at {service}"),
            StepRequest::Sql { database, query, params, .. } => {
                let values: Vec<String> = params.iter().map(plain).collect();
                let with = if values.is_empty() { String::new() } else { format!(" with {}", values.join(", ")) };
                format!("{} in {database}{with}", query.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            StepRequest::Redis { service, words } => format!("{} at {service}", words.join(" ")),
            StepRequest::Exec { program, args, .. } => {
                stagegate_base::command::Command::new(program).args(args.clone()).line()
            }
            StepRequest::Browser { service, path, .. } => format!("open {path} at {service}"),
        }
    }
}
