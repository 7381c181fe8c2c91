//! What is wrong with a migration, where, and under which code.

use serde::Serialize;

use super::{Code, Script, Statement};
use stagegate_base::record::Severity;

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The code's id.
    pub code: &'static str,
    /// How much it weighs here.
    pub severity: Severity,
    /// The migration's version; empty where the whole folder is meant.
    pub version: String,
    /// The file, relative to the folder of migrations; empty where none is meant.
    pub file: String,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The beginning of the statement; empty where none is meant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub statement: String,
    /// What was found, against what was expected.
    pub message: String,
    /// What it is about, such as `public.orders/lock`: a text finding is dropped where the same subject was observed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Why it was accepted, where an exception covers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
}

impl Finding {
    /// Makes a finding about a whole folder.
    #[must_use]
    pub fn new(code: &Code, message: impl Into<String>) -> Self {
        Finding {
            code: code.id,
            severity: code.severity,
            version: String::new(),
            file: String::new(),
            line: 0,
            statement: String::new(),
            message: message.into(),
            subject: String::new(),
            waived: None,
        }
    }

    /// Says of which migration.
    #[must_use]
    pub fn of(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Says in which file and line.
    #[must_use]
    pub fn at(mut self, file: &str, line: usize) -> Self {
        file.clone_into(&mut self.file);
        self.line = line;
        self
    }

    /// Says at which statement.
    #[must_use]
    pub fn at_statement(self, script: &Script, statement: &Statement) -> Self {
        let mut found = self.at(&script.file, statement.line);
        found.statement = shortened(script.text_of(statement));
        found
    }

    /// Says what it is about: a table and an aspect of it.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Gives it another weight than its code has.
    #[must_use]
    pub fn weighing(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Returns its code.
    #[must_use]
    pub fn code(&self) -> Option<&'static Code> {
        super::codes::code(self.code)
    }

    /// Returns `file:line`, as far as it is known.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.file.is_empty(), self.line) {
            (true, _) => String::new(),
            (false, 0) => self.file.clone(),
            (false, line) => format!("{}:{line}", self.file),
        }
    }
}

/// Returns the first 160 characters of a statement on one line.
pub(crate) fn shortened(statement: &str) -> String {
    let mut words = String::new();
    for word in statement.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if let Some((end, _)) = words.char_indices().nth(160) {
            words.truncate(end);
            words.push_str("..");
            break;
        }
    }
    stagegate_base::text::clean(&words)
}
