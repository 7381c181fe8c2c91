//! One statement of a script, and what is special about it.

use std::ops::Range;

use serde::Serialize;

/// What is special about a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trait {
    /// BEGIN, COMMIT, ROLLBACK and the like; also a DO block or CALL that may commit.
    TransactionControl,
    /// CREATE or DROP INDEX CONCURRENTLY, REINDEX CONCURRENTLY, DETACH PARTITION CONCURRENTLY.
    Concurrently,
    /// Refused inside of a transaction for another reason: VACUUM, CREATE DATABASE, ALTER SYSTEM.
    OutsideTransaction,
    /// COPY FROM STDIN; the range of its data in the script's text, without the line `\.`.
    CopyFromStdin(Range<usize>),
    /// A command of psql, such as `connect`; no server understands it.
    MetaCommand(String),
    /// A quote, comment or body that never ends; the text states which.
    Unterminated(&'static str),
}

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// Where it stands in the script's text: without the comments before it and without its semicolon.
    pub range: Range<usize>,
    /// Its line in the file, from 1.
    pub line: usize,
    /// What is special about it.
    pub traits: Vec<Trait>,
}

impl Statement {
    /// Returns whether it is a command of psql rather than SQL.
    #[must_use]
    pub fn is_meta_command(&self) -> bool {
        self.traits.iter().any(|found| matches!(found, Trait::MetaCommand(_)))
    }

    pub(super) fn moved(mut self, by: usize) -> Self {
        let shifted = |range: &Range<usize>| range.start + by..range.end + by;
        self.range = shifted(&self.range);
        for found in &mut self.traits {
            if let Trait::CopyFromStdin(data) = found {
                *data = shifted(data);
            }
        }
        self
    }

    /// Returns where the data of a COPY FROM STDIN stand in the script's text.
    #[must_use]
    pub fn copy_data(&self) -> Option<Range<usize>> {
        self.traits.iter().find_map(|found| match found {
            Trait::CopyFromStdin(data) => Some(data.clone()),
            _ => None,
        })
    }
}
