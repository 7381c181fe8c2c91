//! The journal's lines: an intent log, chained by hashes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Plan, Step};
use stagegate_base::exit::Exit;

/// The format's version. A journal of another version is refused, not guessed.
pub const VERSION: u32 = 1;

/// Where a run turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The release stays. From here on only forward.
    Commit,
    /// All that was begun is undone.
    Rollback,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The release serves.
    Promoted,
    /// The release was held; the target was not touched.
    Held,
    /// The run was cut short; the target was not touched.
    Aborted,
    /// The target was changed, put back and verified.
    RolledBack,
    /// The target was put back, but the suites do not pass on it.
    BackNotVerified,
    /// A way back, or a step behind the commit line, keeps failing.
    Stuck,
    /// A person declared an unfinished run over.
    Abandoned,
}

impl End {
    /// Tells whether nothing is left to do.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != End::Stuck
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The run begins; this is its frozen plan.
    Started {
        /// The plan.
        plan: Box<Plan>,
    },
    /// A step is about to act.
    Begun {
        /// The step.
        step: Step,
    },
    /// It ended well.
    Done {
        /// The step.
        step: Step,
        /// What later steps and the report need of it.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        data: Value,
    },
    /// It ended badly.
    Failed {
        /// The step.
        step: Step,
        /// Why, in one text.
        reason: String,
        /// What the run exits with where nothing was touched.
        exit: Exit,
    },
    /// A step is about to be undone.
    UndoBegun {
        /// The step.
        step: Step,
    },
    /// It was undone.
    Undone {
        /// The step.
        step: Step,
        /// What the report needs of it.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        data: Value,
    },
    /// Undoing it failed.
    UndoFailed {
        /// The step.
        step: Step,
        /// Why.
        reason: String,
    },
    /// The run turns.
    Decided {
        /// Where to.
        decision: Decision,
        /// Why.
        reason: String,
    },
    /// Another process goes on with the run.
    Resumed {
        /// Why.
        reason: String,
    },
    /// The run is over.
    Ended {
        /// How.
        end: End,
        /// What `gate` exits with.
        exit: Exit,
    },
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Format version.
    pub v: u32,
    /// Number of the line, from 0.
    pub seq: u64,
    /// The run's id.
    pub run: String,
    /// The kernel's boot id: across a reboot no process id means anything.
    pub boot: String,
    /// Wall clock, RFC 3339.
    pub wall: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
    /// SHA-256 of the line before, hex; empty in the first.
    pub prev: String,
}

/// A journal that cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A line other than the last is damaged.
    #[error("line {line} of the journal is damaged ({reason}); nothing was changed, see docs/recovery.md")]
    Damaged {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It was written by another version.
    #[error(
        "the journal has format {found}, this version of gate reads format {VERSION}; finish the run with the version that started it"
    )]
    Version {
        /// The format found.
        found: u32,
    },
    /// It does not begin with a plan.
    #[error("the journal does not start with a plan")]
    NoPlan,
}

/// Reads a journal's text.
///
/// A torn last line (a crash while it was written) is dropped: its action never began. Returns the lines and the
/// number of bytes that they take.
///
/// # Errors
/// [`JournalError`] where any other line is damaged, out of order, or not chained to the one before.
pub fn read(text: &[u8]) -> Result<(Vec<Line>, usize), JournalError> {
    let mut lines: Vec<Line> = Vec::new();
    let (mut good, mut prev) = (0, String::new());
    let mut rest = text;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let raw = &rest[..end];
        rest = &rest[end + 1..];
        let number = lines.len() + 1;
        let damaged = |reason: String| JournalError::Damaged { line: number, reason };
        let line: Line = match serde_json::from_slice(raw) {
            Ok(line) => line,
            Err(_) if rest.iter().all(|byte| matches!(byte, 0 | b'\n')) => break,
            Err(error) => return Err(version_or(raw, damaged(error.to_string()))),
        };
        if line.v != VERSION {
            return Err(JournalError::Version { found: line.v });
        }
        if line.seq != lines.len() as u64 {
            return Err(damaged(format!("line number is {} instead of {}", line.seq, lines.len())));
        }
        if line.prev != prev {
            return Err(damaged("its checksum does not match the previous line".to_owned()));
        }
        prev = hash(raw);
        good += end + 1;
        lines.push(line);
    }
    match lines.first() {
        None => Ok((lines, 0)),
        Some(Line { entry: Entry::Started { .. }, .. }) => Ok((lines, good)),
        Some(_) => Err(JournalError::NoPlan),
    }
}

fn version_or(raw: &[u8], otherwise: JournalError) -> JournalError {
    let found = serde_json::from_slice::<Value>(raw).ok().and_then(|line| line["v"].as_u64());
    match found.and_then(|v| u32::try_from(v).ok()) {
        Some(found) if found != VERSION => JournalError::Version { found },
        _ => otherwise,
    }
}

/// Returns the text of a line, newline included, and the hash that the next line carries.
///
/// # Errors
/// None that data of ours can cause; the type is JSON's.
pub fn chained(line: &Line) -> Result<(String, String), serde_json::Error> {
    let text = serde_json::to_string(line)?;
    let hash = hash(text.as_bytes());
    Ok((text + "\n", hash))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
