//! A statement that did not run to its end, and whose fault that is.

use crate::AtStatement;
use serde::Serialize;

use crate::{Code, Finding, Script, Statement, codes, shortened};
use stagegate_base::text::one_line;

/// Why a statement did not run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The server refused it.
    Refused,
    /// It was ended by the time limit.
    TimedOut,
    /// It needs what the scratch server has not: an extension, a right, a role.
    Unavailable,
    /// The server ended meanwhile.
    ServerGone,
    /// It is no SQL, or none that can be given to a server from here.
    Unreadable,
    /// It failed where an earlier migration is missing that could not be run.
    Follows,
}

impl Why {
    /// Tells a refusal's kind by its SQLSTATE and message; without a SQLSTATE there is no server any more.
    // Source: PostgreSQL manual, appendix A, and `extension.c`: an extension without a control file is 0A000 since
    // 13, a library that is not there 58P01.
    #[must_use]
    pub fn of(sqlstate: Option<&str>, message: &str) -> Self {
        let is_about_role = message.starts_with("role ") && message.ends_with("does not exist");
        match sqlstate {
            None | Some("57P01" | "57P02" | "57P03" | "08006" | "08003") => Why::ServerGone,
            Some("57014" | "55P03") => Why::TimedOut,
            Some("42501" | "58P01") => Why::Unavailable,
            Some("0A000") if message.contains("extension") && message.contains("is not available") => Why::Unavailable,
            Some("42704") if is_about_role => Why::Unavailable,
            Some("55000") if message.contains("shared_preload_libraries") => Why::Unavailable,
            Some(_) => Why::Refused,
        }
    }
}

impl Why {
    /// Tells a refusal's kind by what a program printed of it: programs hand the server's words on, not its SQLSTATE.
    #[must_use]
    pub fn of_words(printed: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|words| printed.contains(words));
        let lacks_role = printed.contains("role \"") && printed.contains("does not exist");
        let lacks_extension = printed.contains("extension \"") && printed.contains("is not available");
        if has(&["server closed the connection", "terminating connection due to", "Connection refused"]) {
            Why::ServerGone
        } else if has(&["statement timeout", "lock timeout"]) {
            Why::TimedOut
        } else if lacks_role || lacks_extension || has(&["permission denied to ", "must be superuser"]) {
            Why::Unavailable
        } else {
            Why::Refused
        }
    }
}

/// A statement that did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The file.
    pub file: String,
    /// Its line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The beginning of the statement.
    pub statement: String,
    /// SQLSTATE, where the server said one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// What was said.
    pub message: String,
    /// Whose fault it is.
    pub why: Why,
}

impl Failure {
    /// Makes a failure of a statement from what the server said.
    #[must_use]
    pub fn of(script: &Script, statement: Option<&Statement>, sqlstate: Option<&str>, message: &str) -> Self {
        let why = Why::of(sqlstate, message);
        let placed = match statement {
            Some(statement) => Finding::new(&codes::round_trip::NOT_RUN, "").at_statement(script, statement),
            None => Finding::new(&codes::round_trip::NOT_RUN, "").at(&script.file, 0),
        };
        Failure {
            file: placed.place.file.unwrap_or_default(),
            line: placed.place.line,
            statement: placed.excerpt,
            sqlstate: sqlstate.map(str::to_owned),
            message: one_line(message),
            why,
        }
    }

    /// Makes the failure of a command: `line` is what was run, `said` what it printed last.
    #[must_use]
    pub fn of_command(script: &Script, line: &str, said: &str, why: Why) -> Self {
        let (file, statement, message) = (script.file.clone(), shortened(line), one_line(said));
        Failure { file, line: 0, statement, sqlstate: None, message, why }
    }

    /// Makes the failure of a script that cannot be run from here.
    #[must_use]
    pub fn unreadable(script: &Script, reason: &str) -> Self {
        let file = script.file.clone();
        let (statement, sqlstate, message) = (String::new(), None, reason.to_owned());
        Failure { file, line: 0, statement, sqlstate, message, why: Why::Unreadable }
    }

    /// Makes it the failure of a migration that may miss what `missing` does, an earlier one that could not be run.
    #[must_use]
    pub fn following(self, missing: &str) -> Self {
        match self.why {
            Why::Refused | Why::TimedOut => {
                let message = format!("it fails without {missing}, which could not be run: {}", self.description());
                Failure { why: Why::Follows, sqlstate: None, message, ..self }
            }
            Why::Unavailable | Why::ServerGone | Why::Unreadable | Why::Follows => self,
        }
    }

    /// Returns what was said, with the SQLSTATE where there is one.
    #[must_use]
    pub fn description(&self) -> String {
        let said = match &self.sqlstate {
            Some(state) => format!("{} ({state})", self.message),
            None => self.message.clone(),
        };
        match self.why {
            Why::Unavailable if self.message.starts_with("role ") => {
                format!("{said}; name it in `roles` of [migrations]")
            }
            Why::Unavailable => format!("{said}: missing on the scratch server"),
            Why::ServerGone => format!("the server ended: {said}"),
            Why::Refused | Why::TimedOut | Why::Unreadable | Why::Follows => said,
        }
    }

    /// Makes the finding: `refused` is the code for where the server refused the statement.
    #[must_use]
    pub fn finding(&self, refused: &Code, version: &str, before: &str) -> Finding {
        let code = match self.why {
            Why::Refused => refused,
            Why::TimedOut => &codes::round_trip::TOOK_TOO_LONG,
            Why::Unavailable | Why::ServerGone | Why::Unreadable | Why::Follows => &codes::round_trip::NOT_RUN,
        };
        let mut finding = Finding::new(code, format!("{before}{}", self.description())).of(version);
        finding = finding.at(&self.file, self.line);
        finding.excerpt.clone_from(&self.statement);
        finding
    }
}
