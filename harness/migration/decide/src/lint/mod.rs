//! Static findings: what the text of a migration tells about locks, rewrites and the release that still runs.
//!
//! Only ways there are looked at; a down migration drops what it has to. A table that the same script makes is nobody's yet.
//! Each finding has a subject (`schema.table/aspect`), so that it can be dropped where the same was observed.

mod alter;
mod checks;
mod words;

use crate::AtStatement;
use std::collections::BTreeSet;

use super::{Chain, Finding, Migration, Script, Statement, Transaction, codes};
use checks::NotNullChecks;
use words::Words;

/// A rule's answer about a part of a statement.
struct LintFinding {
    finding: Finding,
    /// It takes a lock that keeps readers out.
    is_exclusive: bool,
}

impl LintFinding {
    fn new(code: &super::Code, table: &str, aspect: &str, message: String, is_exclusive: bool) -> Self {
        LintFinding { finding: Finding::new(code, message).about(format!("{table}/{aspect}")), is_exclusive }
    }
}

/// Looks at the texts of all migrations.
#[must_use]
pub fn lint(chain: &Chain) -> Vec<Finding> {
    let mut checks = NotNullChecks::default();
    chain.migrations.iter().flat_map(|migration| of_migration(migration, &mut checks)).collect()
}

fn of_migration(migration: &Migration, checks: &mut NotNullChecks) -> Vec<Finding> {
    let script = &migration.up;
    let (mut made, mut reported) = (BTreeSet::new(), Vec::new());
    let (mut has_timeout, mut untimed) = (false, false);
    for statement in script.statements.iter().filter(|statement| !statement.is_meta_command()) {
        let words = Words::of(script.text_of(statement));
        has_timeout |= words.sets_lock_timeout();
        let created = words.created_tables();
        if !created.is_empty() {
            made.extend(created);
            continue;
        }
        let found: Vec<LintFinding> =
            of_statement(&words, checks).into_iter().filter(|reported| !is_made(&made, reported)).collect();
        if let Some((old, new)) = words.renamed_table() {
            // The name is an older table's again, or the new table's now.
            if made.remove(&old) {
                made.insert(new)
            } else {
                made.remove(&new)
            };
        }
        if !has_timeout && !untimed && found.iter().any(|reported| reported.is_exclusive) {
            untimed = true;
            let finding = Finding::new(&codes::LOCK_TIMEOUT_MISSING, "no lock_timeout is set before this statement");
            reported.push(finding.about("lock_timeout").at_statement(script, statement));
        }
        reported.extend(found.into_iter().map(|found| found.finding.at_statement(script, statement)));
    }
    reported.extend(enum_values(script));
    reported.into_iter().map(|finding| finding.of(&migration.version)).collect()
}

fn is_made(made: &BTreeSet<String>, reported: &LintFinding) -> bool {
    reported.finding.aspect.rsplit_once('/').is_some_and(|(table, _)| made.contains(table))
}

fn of_statement(words: &Words<'_>, checks: &mut NotNullChecks) -> Vec<LintFinding> {
    match words.first() {
        "alter" => alter::alter_findings(words, checks),
        "create" => index(words).into_iter().collect(),
        "drop" => dropped(words).into_iter().collect(),
        "update" | "delete" => all_rows(words).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn index(words: &Words<'_>) -> Option<LintFinding> {
    let at = words.follows(&["create", "unique", "index"]).or_else(|| words.follows(&["create", "index"]))?;
    if words.has("concurrently", at..at + 1) {
        return None;
    }
    let on = words.position("on", at)?;
    let table = words.name(on + 1 + usize::from(words.is(on + 1, "only")))?;
    let message = format!("an index on `{table}` without CONCURRENTLY");
    Some(LintFinding::new(&codes::INDEX_NOT_CONCURRENT, &table, "index", message, false))
}

fn dropped(words: &Words<'_>) -> Option<LintFinding> {
    let mut at = words.follows(&["drop", "table"])?;
    if words.is(at, "if") {
        at += 2;
    }
    let table = words.name(at)?;
    Some(LintFinding::new(&codes::DROPPED, &table, "drop", format!("the table `{table}` is dropped"), true))
}

fn all_rows(words: &Words<'_>) -> Option<LintFinding> {
    if words.has("where", 0..words.len()) {
        return None;
    }
    let at = if words.first() == "delete" { words.follows(&["delete", "from"])? } else { 1 };
    let table = words.name(at + usize::from(words.is(at, "only")))?;
    let what = words.first().to_ascii_uppercase();
    Some(LintFinding::new(
        &codes::ROWS_WITHOUT_WHERE,
        &table,
        "rows",
        format!("{what} of `{table}` without WHERE"),
        false,
    ))
}

/// Reports a value that is added to an enum and stands as a string in a later statement of the same transaction.
fn enum_values(script: &Script) -> Vec<Finding> {
    if script.transaction == Transaction::Bare {
        return Vec::new();
    }
    let mut added: Vec<String> = Vec::new();
    let mut reported = Vec::new();
    for statement in &script.statements {
        if statement.traits.contains(&super::Trait::TransactionControl) {
            added.clear();
        }
        let words = Words::of(script.text_of(statement));
        if let Some(value) = words.added_enum_value() {
            added.push(value);
            continue;
        }
        reported
            .extend(added.iter().filter(|value| words.has_string(value)).map(|value| used(script, statement, value)));
    }
    reported
}

fn used(script: &Script, statement: &Statement, value: &str) -> Finding {
    let message = format!("the value {value} was added before, in the same transaction");
    let finding = Finding::new(&codes::ENUM_VALUE_USED_AT_ONCE, message).about(format!("{value}/enum"));
    finding.at_statement(script, statement)
}

#[cfg(test)]
mod tests;
