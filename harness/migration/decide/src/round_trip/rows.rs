//! What a migration did to rows: its four moments, and findings at the statement that is to blame.

use crate::AtStatement;
use std::collections::{BTreeMap, BTreeSet};

use super::{Down, Failure, RoundTrip};
use crate::{
    Finding, Migration, Script, Statement, codes,
    integrity::{
        Content, Renames, compare,
        stages::{after_down, after_second_up, after_up, difference_text},
    },
};

/// What rows were like before a migration and after each of its steps.
#[derive(Clone, Debug, Default)]
pub struct RowStates {
    /// Before.
    pub before: Content,
    /// After the way up; none where it failed.
    pub up: Option<Content>,
    /// After the down migration.
    pub down: Option<Content>,
    /// After the second way up.
    pub again: Option<Content>,
    /// Tables with a trigger before UPDATE of a row, before the way up and after the down migration.
    pub updating: BTreeSet<String>,
    /// By table, the statement of the way up that was seen to change it; by its place in the script.
    pub blamed: BTreeMap<String, usize>,
    /// What did not run to its end although there were only rows more than in the schema's trip: which way, and why.
    pub stopped: Option<(Step, Failure)>,
}

/// A step of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Up.
    Up,
    /// Down.
    Down,
    /// Up again.
    Again,
}

impl RowStates {
    /// Returns the tables whose rows are not what they were after the way up.
    #[must_use]
    pub fn changed(&self, after: &Content) -> Vec<String> {
        let differences = compare(&self.before, after, &Renames::default());
        differences.iter().map(|difference| difference_text(difference).0.to_owned()).collect()
    }
}

/// Returns the findings of one migration's moments. What its trip without rows told is not told again.
#[must_use]
pub fn of_rows(moments: &RowStates, migration: &Migration, round_trip: &RoundTrip) -> Vec<Finding> {
    let mut found = Vec::new();
    let version = migration.version.as_str();
    if let Some(up) = &moments.up {
        let reported = after_up(&moments.before, up, moments.down.as_ref(), &Renames::default()).into_iter();
        found.extend(reported.map(|finding| {
            let seen = moments.blamed.get(table(&finding)).and_then(|nth| migration.up.statements.get(*nth));
            placed(finding, &migration.up, seen)
        }));
    }
    if let (Some(content), Some(down)) = (&moments.down, &migration.down) {
        let is_restored = matches!(&round_trip.down, Down::Ran(left) if left.is_empty());
        let reported = after_down(&moments.before, content, is_restored, |table, column| {
            moments.updating.contains(table) && !is_named(migration, column)
        });
        let reported = reported.into_iter();
        found.extend(reported.map(|finding| placed(finding, down, None)));
    }
    if let (Some(first), Some(second)) = (&moments.up, &moments.again) {
        let reported = after_second_up(first, second).into_iter();
        found.extend(reported.map(|finding| placed(finding, &migration.up, None)));
    }
    if let Some((step, failure)) = &moments.stopped {
        let (code, is_told, way) = match step {
            Step::Up => (&codes::UP_FAILS_WITH_ROWS, round_trip.up.is_some(), "up migration"),
            Step::Down => (&codes::DOWN_FAILS_WITH_ROWS, matches!(round_trip.down, Down::Failed(_)), "down migration"),
            Step::Again => (&codes::UP_FAILS_WITH_ROWS, round_trip.second_up.is_some(), "second up migration"),
        };
        if !is_told && round_trip.up.is_none() {
            let before = format!("the {way} succeeds on empty tables and fails on tables with rows: ");
            found.push(failure.finding(code, version, &before).with_severity(code.severity));
        }
    }
    found.into_iter().map(|finding| finding.of(version)).collect()
}

/// Returns whether a script of the migration names a column itself: then it may be the one that sets it.
fn is_named(migration: &Migration, column: &str) -> bool {
    let column = column.to_lowercase();
    [Some(&migration.up), migration.down.as_ref()].into_iter().flatten().any(|script| {
        let text = script.text.to_lowercase();
        script.step.is_some() || text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == column)
    })
}

fn table(finding: &Finding) -> &str {
    finding.aspect.rsplit_once('/').map_or("", |(table, _)| table)
}

/// States where: the statement that was seen, else the only one, else the first that names the table and changes things.
fn placed(finding: Finding, script: &Script, seen: Option<&Statement>) -> Finding {
    let statement = seen.or_else(|| match script.statements.as_slice() {
        [only] => Some(only),
        all => named(script, all, table(&finding)),
    });
    match statement {
        Some(statement) => finding.at_statement(script, statement),
        None => finding.at(&script.file, 0),
    }
}

fn named<'a>(script: &Script, all: &'a [Statement], table: &str) -> Option<&'a Statement> {
    // What changes rows goes before what changes tables.
    const CHANGES: [&[&str]; 2] = [&["delete", "update", "truncate", "insert", "with"], &["drop", "alter"]];
    let name = table.rsplit('.').next()?.trim_matches('"').to_lowercase();
    let is_meant = |statement: &&Statement, firsts: &[&str]| {
        let text = script.text_of(statement).to_lowercase();
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        words.next().is_some_and(|first| firsts.contains(&first)) && words.any(|word| word == name)
    };
    CHANGES.iter().find_map(|firsts| all.iter().find(|statement| is_meant(statement, firsts)))
}
