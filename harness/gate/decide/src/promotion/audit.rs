//! Whether a journal is the one that was written: its chain, the head that is kept with it, and a checkpoint that is kept
//! elsewhere.
//!
//! Chain and head find whatever a person or a disk changed by itself. Whoever may write the state folder can make both anew;
//! only a checkpoint that lies elsewhere finds that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    journal::{Head, JournalError, read},
    line::Entry,
};

/// The format of checkpoints.
const FORMAT: u32 = 1;

/// A journal's files as they were found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The run, by its folder.
    pub run: &'a str,
    /// The journal; empty where it is gone.
    pub text: &'a [u8],
    /// The head that is kept with it.
    pub head: Option<&'a Head>,
}

/// How far one journal was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Lines.
    pub lines: usize,
    /// SHA-256 (hex) of the last of them, which depends on all before.
    pub hash: String,
}

/// How far all journals were written at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The format.
    pub format: u32,
    /// When it was made, RFC 3339.
    pub made: String,
    /// By environment, the runs.
    pub environments: BTreeMap<String, BTreeMap<String, Mark>>,
    /// SHA-256 (hex) of all these.
    pub root: String,
}

/// Why a checkpoint is not used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It is none.
    #[error("it is not a checkpoint that gate wrote")]
    Text(#[source] serde_json::Error),
    /// Another version wrote it.
    #[error("it has format {found}, and this version of gate reads format {FORMAT}")]
    Format {
        /// The format found.
        found: u32,
    },
    /// It was changed.
    #[error("it was changed after it was written: expected root {expected}, found {found}")]
    Changed {
        /// The root that it carries.
        expected: String,
        /// The root of what it holds.
        found: String,
    },
}

impl Checkpoint {
    /// Makes a checkpoint of what was verified.
    #[must_use]
    pub fn of(made: &str, environments: BTreeMap<String, BTreeMap<String, Mark>>) -> Self {
        Checkpoint { format: FORMAT, made: made.to_owned(), root: root(&environments), environments }
    }

    /// Reads a checkpoint's text.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is something else, or was changed.
    pub fn read(text: &[u8]) -> Result<Self, CheckpointError> {
        let checkpoint: Checkpoint = serde_json::from_slice(text).map_err(CheckpointError::Text)?;
        let found = root(&checkpoint.environments);
        match checkpoint {
            Checkpoint { format, .. } if format != FORMAT => Err(CheckpointError::Format { found: format }),
            Checkpoint { root, .. } if root != found => Err(CheckpointError::Changed { expected: root, found }),
            checkpoint => Ok(checkpoint),
        }
    }
}

fn root(environments: &BTreeMap<String, BTreeMap<String, Mark>>) -> String {
    let mut hasher = Sha256::new();
    for (environment, runs) in environments {
        for (run, mark) in runs {
            hasher.update(format!("{environment} {run} {} {}\n", mark.lines, mark.hash));
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a journal is not the one that was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected {expected}, found {found}")]
pub struct NotAsWritten {
    /// The number of the line, from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Verifies one journal and returns how far it was written. `marks` are kept elsewhere, each with where, in words.
///
/// # Errors
/// [`NotAsWritten`] for the first line that differs.
pub fn verify(found: Found<'_>, marks: &[(&Mark, String)]) -> Result<Mark, NotAsWritten> {
    let wrong = |line: usize, expected: String, found: String| Err(NotAsWritten { line, expected, found });
    let chain = match read(found.text) {
        Err(error) => return Err(not_read(&error)),
        Ok(chain) => chain,
    };
    let lines = chain.lines.len();
    if let Some(at) = chain.lines.iter().position(|line| line.run != found.run) {
        return wrong(at + 1, format!("run {}", found.run), format!("run {}", chain.lines[at].run));
    }
    let has_ended = matches!(chain.lines.last().map(|line| &line.entry), Some(Entry::Ended { .. }));
    let rest = found.text.get(chain.bytes..).unwrap_or_default().iter().filter(|byte| **byte != 0).count();
    if has_ended && rest > 0 {
        return wrong(lines + 1, "the end of the journal".to_owned(), format!("{rest} more bytes"));
    }
    // A crash between a line and its head leaves one line more, never two.
    if let Some(head) = found.head.filter(|head| lines > head.lines + 1) {
        return wrong(head.lines + 1, format!("{} lines by journal.head", head.lines), format!("{lines} lines"));
    }
    let mark = Mark { lines, hash: chain.head.clone() };
    let kept = found.head.map(|head| (head.clone(), "journal.head"));
    let elsewhere =
        marks.iter().map(|(mark, from)| (Head { lines: mark.lines, hash: mark.hash.clone() }, from.as_str()));
    for (head, from) in kept.into_iter().chain(elsewhere) {
        if chain.clone().whole(Some(&head)).is_ok() {
            continue;
        }
        let is = if lines < head.lines { format!("{lines} lines") } else { "another line".to_owned() };
        let hash: String = head.hash.chars().take(12).collect();
        return wrong(head.lines.min(lines).max(1), format!("{} lines up to {hash} by {from}", head.lines), is);
    }
    Ok(mark)
}

fn not_read(error: &JournalError) -> NotAsWritten {
    let (line, expected, found) = match error {
        JournalError::Damaged { line, reason } => (*line, "the line as it was written", reason.clone()),
        JournalError::NoPlan => (1, "the plan", "another line".to_owned()),
        other => (1, "a journal that this version of gate reads", other.to_string()),
    };
    NotAsWritten { line, expected: expected.to_owned(), found }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stagegate_base::exit::Exit;

    use super::*;
    use crate::promotion::{Decision, End, Kind, Line, Step, VERSION, chained, tests::plan};

    const RUN: &str = "20260102-030405-ab12";

    /// Returns the text of a journal with `steps` steps, and its head.
    fn journal(steps: usize) -> (String, Head) {
        let mut entries = vec![Entry::Started { plan: Box::new(plan(Kind::Promote)) }];
        entries.extend((0..steps).map(|nth| Entry::Begun { step: Step::FORWARD[nth % Step::FORWARD.len()] }));
        entries.push(Entry::Decided { decision: Decision::Commit, reason: "all steps succeeded".into() });
        entries.push(Entry::Ended { end: End::Promoted, exit: Exit::Passed });
        let (mut text, mut prev) = (String::new(), String::new());
        for (seq, entry) in entries.into_iter().enumerate() {
            let wall = format!("2026-01-02T03:04:{:02}.000Z", seq % 60);
            let line = Line { v: VERSION, seq: seq as u64, run: RUN.into(), boot: "b".into(), wall, entry, prev };
            let (one, hash) = chained(&line).unwrap();
            text.push_str(&one);
            prev = hash;
        }
        let head = Head { lines: text.lines().count(), hash: prev };
        (text, head)
    }

    fn refused(text: &str, head: &Head) -> Option<String> {
        verify(Found { run: RUN, text: text.as_bytes(), head: Some(head) }, &[]).err().map(|wrong| wrong.to_string())
    }

    #[test]
    fn every_flipped_byte_is_found() {
        let (text, head) = journal(3);
        let missed: Vec<usize> = (0..text.len())
            .filter(|at| {
                let mut bytes = text.clone().into_bytes();
                bytes[*at] ^= 1;
                verify(Found { run: RUN, text: &bytes, head: Some(&head) }, &[]).is_ok()
            })
            .collect();
        assert_eq!(missed, Vec::<usize>::new());
    }

    #[test]
    fn a_line_that_is_removed_swapped_cut_or_restamped_is_found_by_its_number() {
        let (text, head) = journal(6);
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        for at in 0..lines.len() {
            let mut without = lines.clone();
            without.remove(at);
            assert!(refused(&joined(&without), &head).is_some(), "line {at} removed");
            assert!(refused(&joined(&lines[..at]), &head).is_some(), "cut before line {at}");
            let restamped = lines[at].replace("2026-01-02T03", "2026-01-02T02");
            let mut other = lines.clone();
            other[at] = &restamped;
            assert!(refused(&joined(&other), &head).is_some(), "line {at} restamped");
        }
        for at in 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            let found = refused(&joined(&swapped), &head).unwrap();
            assert!(found.starts_with(&format!("line {at}: expected")), "{found}");
        }
        assert!(refused(&format!("{text}more\n"), &head).unwrap().contains("more bytes"));
    }

    #[test]
    fn a_journal_that_was_made_anew_with_its_head_is_found_by_the_checkpoint_alone() {
        let (text, head) = journal(4);
        let mark = verify(Found { run: RUN, text: text.as_bytes(), head: Some(&head) }, &[]).unwrap();
        let (other, head) = journal(3);
        let other = Found { run: RUN, text: other.as_bytes(), head: Some(&head) };
        assert!(verify(other, &[]).is_ok());
        let found = verify(other, &[(&mark, "the checkpoint".to_owned())]).unwrap_err().to_string();
        assert!(found.contains("expected 7 lines") && found.contains("by the checkpoint, found 6 lines"), "{found}");
        let of_other_run = Found { run: "20260102-030405-cd34", ..other };
        assert!(verify(of_other_run, &[]).unwrap_err().to_string().contains("expected run 20260102-030405-cd34"));
    }

    #[test]
    fn a_changed_checkpoint_is_refused() {
        let runs = BTreeMap::from([(RUN.to_owned(), Mark { lines: 7, hash: "a".repeat(64) })]);
        let checkpoint = Checkpoint::of("2026-01-02T03:04:05Z", BTreeMap::from([("production".to_owned(), runs)]));
        let text = serde_json::to_string(&checkpoint).unwrap();
        assert_eq!(Checkpoint::read(text.as_bytes()).unwrap(), checkpoint);
        let changed = text.replace("\"lines\":7", "\"lines\":6");
        assert!(matches!(Checkpoint::read(changed.as_bytes()), Err(CheckpointError::Changed { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_good_journal_is_refused(steps in 0_usize..12, behind in 0_usize..2, mark in 1_usize..5) {
            let (text, head) = journal(steps);
            let chain = read(text.as_bytes()).unwrap();
            let at = |lines: usize| Head {
                lines,
                hash: chain.lines.get(lines).map_or_else(|| chain.head.clone(), |next| next.prev.clone()),
            };
            let (behind, early) = (at(head.lines - behind), at(mark.min(head.lines)));
            let mark = Mark { lines: early.lines, hash: early.hash };
            let found = Found { run: RUN, text: text.as_bytes(), head: Some(&behind) };
            prop_assert!(verify(found, &[(&mark, "the checkpoint".to_owned())]).is_ok());
        }
    }
}
