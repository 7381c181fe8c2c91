//! A migration's script: its text, its statements, and which way it can be tried.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{
    split,
    statement::{Statement, Trait},
    step::Step,
};

/// What the tool does about a transaction around a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transaction {
    /// The tool opens one and commits it.
    Wrapped,
    /// The tool opens none, but sends the script as one message, which the server runs as one transaction.
    Implicit,
    /// None: each statement commits by itself.
    Bare,
}

/// How the tool cuts a script into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// All of it at once.
    Whole,
    /// Statement by statement.
    Each,
}

/// Which way a script can be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// In one transaction that is rolled back.
    Session,
    /// On a copy of the database, with the reason.
    Clone(String),
    /// Not by us, with the reason: a step in Go or Rust, a command of psql that leaves the script.
    Unreadable(String),
}

/// The SQL of one direction of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Script {
    /// The file, relative to the folder of migrations, with `/`.
    pub file: String,
    /// The line of the file on which the text begins, from 1.
    pub first_line: usize,
    /// The text, as the tool takes it from the file; what is no UTF-8 is replaced.
    #[serde(skip)]
    pub text: String,
    /// SHA-256 (hex) of the text.
    pub sha256: String,
    /// Its statements, in order.
    #[serde(skip)]
    pub statements: Vec<Statement>,
    /// What the tool sends, message by message, as ranges of the text.
    #[serde(skip)]
    pub batches: Vec<Range<usize>>,
    /// What the tool does about a transaction.
    pub transaction: Transaction,
    /// The first byte of the text that stands for one that is not UTF-8: no server takes it.
    #[serde(skip)]
    pub not_utf8: Option<usize>,
    /// Why the script can't be read as SQL: a step in another language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<String>,
    /// The step that commands take in the place of statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
}

impl Script {
    /// Makes a script of a text that begins on line `first_line` of `file`.
    pub(super) fn new(file: &str, first_line: usize, text: &str, transaction: Transaction, sending: Sending) -> Self {
        let statements = split::statements(text, first_line);
        let batches = match sending {
            Sending::Whole => std::iter::once(0..text.len()).collect(),
            Sending::Each => statements.iter().map(|statement| statement.range.clone()).collect(),
        };
        Script {
            file: file.to_owned(),
            first_line,
            sha256: hex(&<sha2::Sha256 as sha2::Digest>::digest(text)),
            text: text.to_owned(),
            statements,
            batches,
            transaction,
            not_utf8: None,
            foreign: None,
            step: None,
        }
    }

    /// Makes a script that the tool cuts into `batches` by rules of its own.
    pub(super) fn of_batches(
        file: &str,
        first_line: usize,
        text: &str,
        transaction: Transaction,
        batches: Vec<Range<usize>>,
    ) -> Self {
        let mut script = Script::new(file, first_line, "", transaction, Sending::Whole);
        script.sha256 = hex(&<sha2::Sha256 as sha2::Digest>::digest(text));
        text.clone_into(&mut script.text);
        let (mut line, mut counted) = (first_line, 0);
        for batch in &batches {
            line += text.as_bytes()[counted..batch.start].iter().filter(|byte| **byte == b'\n').count();
            counted = batch.start;
            let found = split::statements(&text[batch.clone()], line);
            script.statements.extend(found.into_iter().map(|statement| statement.moved(batch.start)));
        }
        script.batches = batches;
        script
    }

    /// Makes the place of a step that is not SQL.
    pub(super) fn foreign(file: &str, reason: &str) -> Self {
        let mut script = Script::new(file, 1, "", Transaction::Wrapped, Sending::Whole);
        script.foreign = Some(reason.to_owned());
        script
    }

    /// Makes a step that commands take; `name` stands in the place of its file.
    pub(super) fn of_step(name: &str, step: Step) -> Self {
        let mut script = Script::new(name, 1, "", Transaction::Bare, Sending::Whole);
        script.step = Some(step);
        script
    }

    /// Lets each statement begin with the byte order mark in front of it, as the tool sends it; without the one at the
    /// beginning of the text, where the tool cuts that one off.
    pub(super) fn keep_marks(&mut self, is_cut: bool) {
        const MARK: char = '\u{feff}';
        let mut end = if is_cut && self.text.starts_with(MARK) { MARK.len_utf8() } else { 0 };
        for statement in &mut self.statements {
            let old = statement.range.clone();
            let between = self.text.get(end..old.start).unwrap_or_default();
            if between.contains(MARK) {
                statement.range.start = end + usize::from(between.starts_with(';'));
                let own = self.batches.iter_mut().filter(|batch| batch.start == old.start);
                own.for_each(|batch| batch.start = statement.range.start);
            }
            end = old.end;
        }
    }

    /// Returns the text of a statement.
    #[must_use]
    pub fn text_of(&self, statement: &Statement) -> &str {
        self.text.get(statement.range.clone()).unwrap_or_default()
    }

    /// Finds the statement at a byte of the text, such as one that the server named; the one before it between two.
    #[must_use]
    pub fn statement_at(&self, byte: usize) -> Option<&Statement> {
        let after = self.statements.partition_point(|statement| statement.range.start <= byte);
        self.statements.get(after.saturating_sub(1))
    }

    /// Returns the line of the file on which a byte of the text stands.
    #[must_use]
    pub fn line_of(&self, byte: usize) -> usize {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        self.first_line + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Returns whether it does anything: something is left without comments, semicolons, BEGIN and COMMIT, and
    /// selections of constants such as `SELECT 1`.
    #[must_use]
    pub fn does_something(&self) -> bool {
        self.foreign.is_some()
            || self.step.is_some()
            || self.statements.iter().any(|statement| !split::is_idle(self.text_of(statement)))
    }

    /// Reports which way it can be tried.
    #[must_use]
    pub fn route(&self) -> Route {
        if let Some(reason) = &self.foreign {
            return Route::Unreadable(reason.clone());
        }
        if self.step.is_some() {
            return Route::Clone("a command".to_owned());
        }
        let first = |wanted: fn(&Trait) -> bool| {
            self.statements.iter().find(|statement| statement.traits.iter().any(wanted)).map(|found| found.line)
        };
        let text_of = |line: usize, what: &str| format!("{}:{line} {what}", self.file);
        if let Some(line) = first(|found| matches!(found, Trait::MetaCommand(_))) {
            return Route::Unreadable(text_of(line, "is a psql command"));
        }
        if let Some(line) = first(|found| *found == Trait::TransactionControl) {
            return Route::Clone(text_of(line, "has its own transaction control"));
        }
        if let Some(line) = first(|found| *found == Trait::Concurrently) {
            return Route::Clone(text_of(line, "uses CONCURRENTLY"));
        }
        if let Some(line) = first(|found| *found == Trait::OutsideTransaction) {
            return Route::Clone(text_of(line, "cannot run inside a transaction"));
        }
        match self.transaction {
            Transaction::Bare => Route::Clone(format!("{} is set to run without a transaction", self.file)),
            Transaction::Wrapped | Transaction::Implicit => Route::Session,
        }
    }
}

/// Writes bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
