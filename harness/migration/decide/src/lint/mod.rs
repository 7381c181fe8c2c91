//! Static findings: what the text of a migration tells about locks, rewrites and the release that still runs.
//!
//! Only ways there are looked at; a way back drops what it has to. A table that the same script makes is nobody's yet.
//! Each finding has a subject (`schema.table/aspect`), so that it can be dropped where the same was observed.

mod alter;
mod words;

use crate::AtStatement;
use std::collections::BTreeSet;

use super::{Chain, Finding, Migration, Script, Statement, Transaction, codes};
use words::Words;

/// A rule's answer about a part of a statement.
struct Told {
    finding: Finding,
    /// It takes a lock that keeps readers out.
    is_exclusive: bool,
}

impl Told {
    fn new(code: &super::Code, table: &str, aspect: &str, message: String, is_exclusive: bool) -> Self {
        Told { finding: Finding::new(code, message).about(format!("{table}/{aspect}")), is_exclusive }
    }
}

/// Looks at the texts of all migrations.
#[must_use]
pub fn lint(chain: &Chain) -> Vec<Finding> {
    chain.migrations.iter().flat_map(of_migration).collect()
}

fn of_migration(migration: &Migration) -> Vec<Finding> {
    let script = &migration.up;
    let (mut made, mut told) = (BTreeSet::new(), Vec::new());
    let (mut has_timeout, mut untimed) = (false, false);
    for statement in script.statements.iter().filter(|statement| !statement.is_meta_command()) {
        let words = Words::of(script.text_of(statement));
        has_timeout |= words.sets_lock_timeout();
        if let Some(table) = words.created_table() {
            made.insert(table);
            continue;
        }
        let found: Vec<Told> = of_statement(&words).into_iter().filter(|told| !is_made(&made, told)).collect();
        if !has_timeout && !untimed && found.iter().any(|told| told.is_exclusive) {
            untimed = true;
            let finding = Finding::new(&codes::LOCK_TIMEOUT_MISSING, "no lock_timeout is set before this statement");
            told.push(finding.about("lock_timeout").at_statement(script, statement));
        }
        told.extend(found.into_iter().map(|found| found.finding.at_statement(script, statement)));
    }
    told.extend(enum_values(script));
    told.into_iter().map(|finding| finding.of(&migration.version)).collect()
}

fn is_made(made: &BTreeSet<String>, told: &Told) -> bool {
    told.finding.aspect.rsplit_once('/').is_some_and(|(table, _)| made.contains(table))
}

fn of_statement(words: &Words<'_>) -> Vec<Told> {
    match words.first() {
        "alter" => alter::told(words),
        "create" => index(words).into_iter().collect(),
        "drop" => dropped(words).into_iter().collect(),
        "update" | "delete" => all_rows(words).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn index(words: &Words<'_>) -> Option<Told> {
    let at = words.follows(&["create", "unique", "index"]).or_else(|| words.follows(&["create", "index"]))?;
    if words.has("concurrently", at..at + 1) {
        return None;
    }
    let on = words.position("on", at)?;
    let table = words.name(on + 1 + usize::from(words.is(on + 1, "only")))?;
    let message = format!("an index on `{table}` without CONCURRENTLY");
    Some(Told::new(&codes::INDEX_NOT_CONCURRENT, &table, "index", message, false))
}

fn dropped(words: &Words<'_>) -> Option<Told> {
    let mut at = words.follows(&["drop", "table"])?;
    if words.is(at, "if") {
        at += 2;
    }
    let table = words.name(at)?;
    Some(Told::new(&codes::DROPPED, &table, "drop", format!("the table `{table}` is dropped"), true))
}

fn all_rows(words: &Words<'_>) -> Option<Told> {
    if words.has("where", 0..words.len()) {
        return None;
    }
    let at = if words.first() == "delete" { words.follows(&["delete", "from"])? } else { 1 };
    let table = words.name(at + usize::from(words.is(at, "only")))?;
    let what = words.first().to_ascii_uppercase();
    Some(Told::new(&codes::ROWS_WITHOUT_WHERE, &table, "rows", format!("{what} of `{table}` without WHERE"), false))
}

/// Tells a value that is added to an enum and stands as a string in a later statement of the same transaction.
fn enum_values(script: &Script) -> Vec<Finding> {
    if script.transaction == Transaction::Bare {
        return Vec::new();
    }
    let mut added: Vec<String> = Vec::new();
    let mut told = Vec::new();
    for statement in &script.statements {
        if statement.traits.contains(&super::Trait::TransactionControl) {
            added.clear();
        }
        let words = Words::of(script.text_of(statement));
        if let Some(value) = words.added_enum_value() {
            added.push(value);
            continue;
        }
        told.extend(added.iter().filter(|value| words.has_string(value)).map(|value| used(script, statement, value)));
    }
    told
}

fn used(script: &Script, statement: &Statement, value: &str) -> Finding {
    let message = format!("the value {value} was added before, in the same transaction");
    let finding = Finding::new(&codes::ENUM_VALUE_USED_AT_ONCE, message).about(format!("{value}/enum"));
    finding.at_statement(script, statement)
}

#[cfg(test)]
mod tests;
