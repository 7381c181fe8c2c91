//! A difference as findings of a record.

use stagegate_base::finding::Finding;
use stagegate_migration_decide::schema::{Change, Difference};

/// How many differences are reported one by one; the evidence has all.
pub(super) const FINDINGS: usize = 20;

/// Returns a finding for the difference, or for each of its attributes.
pub(super) fn findings(difference: &Difference) -> Vec<Finding> {
    let at = difference.id.to_string();
    let one = |expected: &str, found: &str| Finding::differs(at.clone(), expected, found);
    match &difference.change {
        Change::Added { .. } => vec![one("missing", "there")],
        Change::Removed { .. } => vec![one("there", "missing")],
        Change::Renamed { to } => vec![one(&difference.id.name, &to.name)],
        Change::Changed { attributes } => attributes
            .iter()
            .map(|a| {
                Finding::differs(
                    format!("{at}, {}", a.name),
                    a.old.clone().unwrap_or_else(|| "(none)".into()),
                    a.new.clone().unwrap_or_else(|| "(none)".into()),
                )
            })
            .collect(),
    }
}
