//! A statement that did not run to its end, and whose fault that is.

use crate::AtStatement;
use serde::Serialize;

use crate::{Code, Finding, Script, Statement, codes, shortened};
use stagegate_base::text::one_line;

/// Why a statement did not run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
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

impl FailureCause {
    /// Reports a refusal's kind by its SQLSTATE and message; without a SQLSTATE there is no server any more.
    // Source: PostgreSQL manual, appendix A, and `extension.c`: an extension without a control file is 0A000 since
    // 13, a library that is not there 58P01.
    #[must_use]
    pub fn of(sqlstate: Option<&str>, message: &str) -> Self {
        let is_about_role = message.starts_with("role ") && message.ends_with("does not exist");
        match sqlstate {
            None | Some("57P01" | "57P02" | "57P03" | "08006" | "08003") => FailureCause::ServerGone,
            Some("57014" | "55P03") => FailureCause::TimedOut,
            Some("42501" | "58P01") => FailureCause::Unavailable,
            Some("0A000") if message.contains("extension") && message.contains("is not available") => {
                FailureCause::Unavailable
            }
            Some("42704") if is_about_role => FailureCause::Unavailable,
            Some("55000") if message.contains("shared_preload_libraries") => FailureCause::Unavailable,
            Some(_) => FailureCause::Refused,
        }
    }
}

impl FailureCause {
    /// Reports a refusal's kind by what a program printed of it: programs hand the server's words on, not its SQLSTATE.
    #[must_use]
    pub fn of_words(printed: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|words| printed.contains(words));
        let lacks_role = printed.contains("role \"") && printed.contains("does not exist");
        let lacks_extension = printed.contains("extension \"") && printed.contains("is not available");
        if has(&["server closed the connection", "terminating connection due to", "Connection refused"]) {
            FailureCause::ServerGone
        } else if has(&["statement timeout", "lock timeout"]) {
            FailureCause::TimedOut
        } else if lacks_role || lacks_extension || has(&["permission denied to ", "must be superuser"]) {
            FailureCause::Unavailable
        } else {
            FailureCause::Refused
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
    /// SQLSTATE, where the server reported one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// What was reported.
    pub message: String,
    /// Whose fault it is.
    pub why: FailureCause,
}

impl Failure {
    /// Makes a failure of a statement from what the server reported.
    #[must_use]
    pub fn of(script: &Script, statement: Option<&Statement>, sqlstate: Option<&str>, message: &str) -> Self {
        let why = FailureCause::of(sqlstate, message);
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
    pub fn of_command(script: &Script, line: &str, printed: &str, why: FailureCause) -> Self {
        let (file, statement, message) = (script.file.clone(), shortened(line), one_line(printed));
        Failure { file, line: 0, statement, sqlstate: None, message, why }
    }

    /// Makes the failure of a script that cannot be run from here.
    #[must_use]
    pub fn unreadable(script: &Script, reason: &str) -> Self {
        let file = script.file.clone();
        let (statement, sqlstate, message) = (String::new(), None, reason.to_owned());
        Failure { file, line: 0, statement, sqlstate, message, why: FailureCause::Unreadable }
    }

    /// Makes it the failure of a migration that may miss what `missing` does, an earlier one that could not be run.
    #[must_use]
    pub fn following(self, missing: &str) -> Self {
        match self.why {
            FailureCause::Refused | FailureCause::TimedOut => {
                let message = format!("it fails without {missing}, which could not be run: {}", self.description());
                Failure { why: FailureCause::Follows, sqlstate: None, message, ..self }
            }
            FailureCause::Unavailable | FailureCause::ServerGone | FailureCause::Unreadable | FailureCause::Follows => {
                self
            }
        }
    }

    /// Returns what was reported, with the SQLSTATE where there is one.
    #[must_use]
    pub fn description(&self) -> String {
        let printed = match &self.sqlstate {
            Some(state) => format!("{} ({state})", self.message),
            None => self.message.clone(),
        };
        match self.why {
            FailureCause::Unavailable if self.message.starts_with("role ") => {
                format!("{printed}; name it in `roles` of [migrations]")
            }
            FailureCause::Unavailable => format!("{printed}: missing on the scratch server"),
            FailureCause::ServerGone => format!("the server ended: {printed}"),
            FailureCause::Refused | FailureCause::TimedOut | FailureCause::Unreadable | FailureCause::Follows => {
                printed
            }
        }
    }

    /// Makes the finding: `refused` is the code for where the server refused the statement.
    #[must_use]
    pub fn finding(&self, refused: &Code, version: &str, before: &str) -> Finding {
        let code = match self.why {
            FailureCause::Refused => refused,
            FailureCause::TimedOut => &codes::round_trip::TOOK_TOO_LONG,
            FailureCause::Unavailable | FailureCause::ServerGone | FailureCause::Unreadable | FailureCause::Follows => {
                &codes::round_trip::NOT_RUN
            }
        };
        let mut finding = Finding::new(code, format!("{before}{}", self.description())).of(version);
        finding = finding.at(&self.file, self.line);
        finding.excerpt.clone_from(&self.statement);
        finding
    }
}
