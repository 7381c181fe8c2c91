//! The journal's lines: an intent log, chained by hashes.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Entry, Line, format1};

/// The format that is written. Format 1 is read too, line by line: a run that an earlier version began is finished in
/// today's format.
pub const VERSION: u32 = 2;

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
    /// A later version wrote it.
    #[error(
        "the journal has format {found}, this version of gate reads formats 1 to {VERSION}; use the version that wrote it"
    )]
    Version {
        /// The format found.
        found: u32,
    },
    /// Whole lines are missing at its end: it was emptied, cut, or put back from an older copy.
    #[error(
        "the journal has {found} lines, and {written} were written: lines at its end are gone or replaced; nothing was \
         changed, see docs/recovery.md"
    )]
    Cut {
        /// Whole lines that are there.
        found: usize,
        /// Lines that were written and synced, as kept next to the journal.
        written: usize,
    },
    /// It does not begin with a plan.
    #[error("the journal does not start with a plan")]
    NoPlan,
}

/// A journal's lines, and where the next one follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// The lines.
    pub lines: Vec<Line>,
    /// The bytes that they take.
    pub bytes: usize,
    /// SHA-256 of the last one as it was written, hex: what the next line carries.
    pub head: String,
}

/// How far a journal was written, as it is kept next to it: each line holds the checksum of the one before, so only lines
/// at the end could be gone without a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Lines that were written and synced.
    pub lines: usize,
    /// SHA-256 of the last of them, hex.
    pub hash: String,
}

impl Head {
    /// Returns the text to be kept: the same length for each, so that it is written over in place.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:>10} {}\n", self.lines, self.hash)
    }

    /// Reads such a text; `None` where it is another one, or torn.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (lines, hash) = text.trim().split_once(' ')?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then_some(())?;
        Some(Head { lines: lines.parse().ok()?, hash: hash.to_owned() })
    }
}

impl Chain {
    /// Compares the lines with how far they were written. The journal may be one line ahead: it is written first.
    ///
    /// # Errors
    /// [`JournalError::Cut`] where lines are missing at the end, or are others.
    pub fn whole(self, head: Option<&Head>) -> Result<Self, JournalError> {
        let Some(head) = head else { return Ok(self) };
        // What a line carries is the checksum of the one before it.
        let hash = self.lines.get(head.lines).map_or(&self.head, |next| &next.prev);
        if self.lines.len() < head.lines || *hash != head.hash {
            return Err(JournalError::Cut { found: self.lines.len(), written: head.lines });
        }
        Ok(self)
    }
}

/// Reads a journal's text.
///
/// A torn last line (a crash while it was written) is dropped: its action never began.
///
/// # Errors
/// [`JournalError`] where any other line is damaged, out of order, or not chained to the one before.
pub fn read(text: &[u8]) -> Result<Chain, JournalError> {
    let mut chain = Chain::default();
    let mut rest = text;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let raw = &rest[..end];
        rest = &rest[end + 1..];
        let number = chain.lines.len() + 1;
        let damaged = |reason: String| JournalError::Damaged { line: number, reason };
        let line = match line(raw) {
            Ok(line) => line,
            Err(Unread::Version(found)) => return Err(JournalError::Version { found }),
            // The last write was torn. Two lines in one were not: the break between them is damaged, and both lasted.
            Err(Unread::Text(_)) if rest.iter().all(|byte| matches!(byte, 0 | b'\n')) && !holds_two(raw) => break,
            Err(Unread::Text(error)) => return Err(damaged(error.to_string())),
        };
        if line.seq != chain.lines.len() as u64 {
            return Err(damaged(format!("line number is {} instead of {}", line.seq, chain.lines.len())));
        }
        if line.prev != chain.head {
            return Err(damaged("its checksum does not match the previous line".to_owned()));
        }
        chain.head = checksum(raw);
        chain.bytes += end + 1;
        chain.lines.push(line);
    }
    match chain.lines.first() {
        None => Ok(Chain::default()),
        Some(Line { entry: Entry::Started { .. }, .. }) => Ok(chain),
        Some(_) => Err(JournalError::NoPlan),
    }
}

/// Returns whether a second line begins within a text; quotes within values are escaped.
fn holds_two(raw: &[u8]) -> bool {
    let begins = |at: &[u8]| {
        let Some(rest) = at.strip_prefix(b"{\"v\":") else { return false };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && rest[digits..].starts_with(b",\"seq\":")
    };
    (1..raw.len()).any(|at| raw[at] == b'{' && begins(&raw[at..]))
}

enum Unread {
    Version(u32),
    Text(serde_json::Error),
}

impl From<serde_json::Error> for Unread {
    fn from(error: serde_json::Error) -> Self {
        Unread::Text(error)
    }
}

/// Reads one line by the format that it states it has.
fn line(raw: &[u8]) -> Result<Line, Unread> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    // A line of ours begins with its format, so that most are read once.
    if raw.starts_with(format!("{{\"v\":{VERSION},").as_bytes()) {
        return Ok(serde_json::from_slice(raw)?);
    }
    match serde_json::from_slice::<Version>(raw)?.v {
        VERSION => Ok(serde_json::from_slice(raw)?),
        1 => Ok(format1::line(raw)?),
        found => Err(Unread::Version(found)),
    }
}

/// Returns the text of a line, newline included, and the hash that the next line carries.
///
/// # Errors
/// None that data of ours can cause; the type is JSON's.
pub fn chained(line: &Line) -> Result<(String, String), serde_json::Error> {
    let text = serde_json::to_string(line)?;
    let hash = checksum(text.as_bytes());
    Ok((text + "\n", hash))
}

/// Returns SHA-256 of some bytes, hex: what a line is chained by.
#[must_use]
pub fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
