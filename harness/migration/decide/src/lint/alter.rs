//! The actions of `ALTER TABLE`.

use std::ops::Range;

use super::{super::codes, LintFinding, words::Words};

/// Functions whose value differs from row to row, so that a default of them rewrites the table.
const VOLATILE: [&str; 9] = [
    "random",
    "gen_random_uuid",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "clock_timestamp",
    "timeofday",
    "nextval",
];

pub(super) fn alter_findings(words: &Words<'_>) -> Vec<LintFinding> {
    let Some(mut at) = words.follows(&["alter", "table"]) else { return Vec::new() };
    if words.are(at, &["if", "exists"]) {
        at += 2;
    }
    at += usize::from(words.is(at, "only"));
    let Some(table) = words.name(at) else { return Vec::new() };
    let actions = words.parts(at + words.name_length(at));
    actions.into_iter().filter_map(|range| action(words, &table, range)).collect()
}

fn action(words: &Words<'_>, table: &str, range: Range<usize>) -> Option<LintFinding> {
    let at = range.start;
    let lower = |word: &str| words.has(word, range.clone());
    if words.is(at, "rename") && !words.is(at + 1, "constraint") {
        let message = format!("`{table}` or one of its columns is renamed");
        return Some(LintFinding::new(&codes::RENAMED, table, "rename", message, true));
    }
    if words.is(at, "drop") {
        if words.is(at + 1, "constraint") {
            return None;
        }
        return Some(LintFinding::new(
            &codes::DROPPED,
            table,
            "drop",
            format!("a column of `{table}` is dropped"),
            true,
        ));
    }
    if words.is(at, "alter") && !words.is(at + 1, "constraint") {
        let named = at + 1 + usize::from(words.is(at + 1, "column"));
        let rest = named + 1;
        if words.is(rest, "type") || words.are(rest, &["set", "data", "type"]) {
            let message = format!("the type of a column of `{table}` is changed");
            return Some(LintFinding::new(&codes::TYPE_CHANGE, table, "rewrite", message, true));
        }
        if words.are(rest, &["set", "not", "null"]) {
            let message = format!("a column of `{table}` becomes NOT NULL");
            return Some(LintFinding::new(&codes::SET_NOT_NULL, table, "scan", message, true));
        }
        return None;
    }
    if !words.is(at, "add") {
        return None;
    }
    let is_constraint = ["constraint", "primary", "unique", "foreign", "check", "exclude"];
    if is_constraint.iter().any(|word| words.is(at + 1, word)) {
        return constraint(words, table, &range);
    }
    if lower("default") || lower("generated") || lower("serial") || lower("bigserial") || lower("smallserial") {
        return worked_out(words, table, &range);
    }
    if words_in_order(words, &range, &["not", "null"]) {
        let message = format!("a NOT NULL column without a default is added to `{table}`");
        return Some(LintFinding::new(&codes::NOT_NULL_WITHOUT_DEFAULT, table, "not-null", message, true));
    }
    None
}

fn words_in_order(words: &Words<'_>, range: &Range<usize>, wanted: &[&str]) -> bool {
    range.clone().any(|at| words.are(at, wanted))
}

fn constraint(words: &Words<'_>, table: &str, range: &Range<usize>) -> Option<LintFinding> {
    let has = |word: &str| words.has(word, range.clone());
    if words_in_order(words, range, &["using", "index"]) {
        return None;
    }
    // The kind stands before the first parenthesis; words within are columns and expressions.
    let open = words.position("(", range.start).unwrap_or(range.end).min(range.end);
    let kind = |word: &str| words.has(word, range.start..open);
    if kind("unique") || kind("primary") || kind("exclude") {
        let message = format!("a key of `{table}` builds its index under the lock");
        return Some(LintFinding::new(&codes::UNIQUE_WITHOUT_INDEX, table, "index", message, true));
    }
    let validated = !(has("valid") && words_in_order(words, range, &["not", "valid"]));
    if validated && (kind("foreign") || kind("check")) {
        let what = if kind("foreign") { "a foreign key" } else { "a check" };
        let message = format!("{what} of `{table}` without NOT VALID");
        // A foreign key takes SHARE ROW EXCLUSIVE, which lets readers through.
        return Some(LintFinding::new(&codes::CONSTRAINT_NOT_VALIDATED_APART, table, "scan", message, kind("check")));
    }
    None
}

fn worked_out(words: &Words<'_>, table: &str, range: &Range<usize>) -> Option<LintFinding> {
    let has = |word: &str| words.has(word, range.clone());
    let serial = has("serial") || has("bigserial") || has("smallserial");
    let stored = has("generated") && (has("stored") || has("identity"));
    let volatile = has("default") && VOLATILE.iter().any(|name| has(name));
    if !(serial || stored || volatile) {
        return None;
    }
    let message = format!("the new column's values are computed for each row of `{table}`");
    Some(LintFinding::new(&codes::VOLATILE_DEFAULT, table, "rewrite", message, true))
}
