//! Whether a database has the schema of a newer release than the live one: after a rollback of the code alone.

use std::path::{Path, PathBuf};

use stagegate_gate_decide::promotion::{self, Decision, Entry, Kind, Line};
use stagegate_host::{paths::StateDir, release};

use super::unfinished;
use crate::journal;

/// Returns which newer release's schema the databases of an environment have, and since which run, for a person; `None`
/// where the live release came with its own migrations, and where nothing is known.
///
/// The run that is under way decides, else the one that deployed what is live: what `gate up --release` brings comes with its
/// own migrations.
#[must_use]
pub fn schema_ahead(state: &StateDir) -> Option<String> {
    if let Some(run) = unfinished(state).ok()? {
        let lines = journal::lines(&run.dir).ok()?;
        let has_turned =
            lines.iter().any(|line| matches!(&line.entry, Entry::Decided { decision: Decision::Rollback, .. }));
        // A promotion that goes back leads to what was live before it.
        if plan_of(&lines)?.kind != Kind::Promote || !has_turned {
            return promotion::schema_ahead(plan_of(&lines)?);
        }
    }
    let dir = run_of(state, &release::deployed(state).ok()??.dir)?;
    promotion::schema_ahead(plan_of(&journal::lines(&dir).ok()?)?)
}

fn plan_of(lines: &[Line]) -> Option<&promotion::Plan> {
    match &lines.first()?.entry {
        Entry::Started { plan } => Some(plan),
        _ => None,
    }
}

/// Returns the folder of the run whose snapshot `dir` is.
fn run_of(state: &StateDir, dir: &Path) -> Option<PathBuf> {
    let run = dir.strip_prefix(state.runs()).ok()?.components().next()?;
    Some(state.runs().join(run))
}
