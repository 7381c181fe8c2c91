//! The actions of `ALTER TABLE`.

use std::ops::Range;

use super::{super::codes, LintFinding, checks::NotNullChecks, words::Words};

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

/// Types that take a sequence's next value as their default.
const SERIAL: [&str; 6] = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];

pub(super) fn alter_findings(words: &Words<'_>, checks: &mut NotNullChecks) -> Vec<LintFinding> {
    let Some(at) = words.altered_table() else { return Vec::new() };
    let Some(table) = words.name(at) else { return Vec::new() };
    let actions = words.parts(at + words.name_length(at));
    actions.into_iter().filter_map(|range| action(&Action { words, table: &table, range }, checks)).collect()
}

/// One action of a statement.
struct Action<'a> {
    words: &'a Words<'a>,
    table: &'a str,
    range: Range<usize>,
}

impl Action<'_> {
    fn has(&self, word: &str) -> bool {
        self.words.has(word, self.range.clone())
    }

    /// Returns whether words follow each other outside of parentheses.
    fn states(&self, wanted: &[&str]) -> bool {
        self.words.outside(self.range.clone()).any(|at| self.words.are(at, wanted))
    }

    /// Returns the action without its first words up to `at`.
    fn from(&self, at: usize) -> Self {
        Action { range: at.min(self.range.end)..self.range.end, ..*self }
    }

    fn finding(&self, code: &super::super::Code, aspect: &str, message: String, is_exclusive: bool) -> LintFinding {
        LintFinding::new(code, self.table, aspect, message, is_exclusive)
    }
}

fn action(action: &Action<'_>, checks: &mut NotNullChecks) -> Option<LintFinding> {
    let (words, table, at) = (action.words, action.table, action.range.start);
    checks.note(words, table, &action.range);
    if words.is(at, "rename") && !words.is(at + 1, "constraint") {
        let message = format!("`{table}` or one of its columns is renamed");
        return Some(action.finding(&codes::RENAMED, "rename", message, true));
    }
    if words.is(at, "drop") && !words.is(at + 1, "constraint") {
        return Some(action.finding(&codes::DROPPED, "drop", format!("a column of `{table}` is dropped"), true));
    }
    if words.is(at, "alter") && !words.is(at + 1, "constraint") {
        return column(action, checks);
    }
    if !words.is(at, "add") {
        return None;
    }
    let is_constraint = ["constraint", "primary", "unique", "foreign", "check", "exclude", "not"];
    if is_constraint.iter().any(|word| words.is(at + 1, word)) {
        return constraint(action);
    }
    let named = at + 1 + usize::from(words.is(at + 1, "column"));
    let named = if words.are(named, &["if", "not", "exists"]) { named + 3 } else { named };
    added(&action.from(named + 1))
}

/// Reports of `ALTER COLUMN`.
fn column(action: &Action<'_>, checks: &NotNullChecks) -> Option<LintFinding> {
    let (words, table, at) = (action.words, action.table, action.range.start);
    let named = at + 1 + usize::from(words.is(at + 1, "column"));
    let rest = named + 1;
    if words.is(rest, "type") || words.are(rest, &["set", "data", "type"]) {
        let message = format!("the type of a column of `{table}` is changed");
        return Some(action.finding(&codes::TYPE_CHANGE, "rewrite", message, true));
    }
    let is_checked = || words.part(named).is_some_and(|column| checks.cover(table, &column));
    (words.are(rest, &["set", "not", "null"]) && !is_checked()).then(|| set_not_null(action))
}

fn set_not_null(action: &Action<'_>) -> LintFinding {
    let message = format!("a column of `{}` becomes NOT NULL", action.table);
    action.finding(&codes::SET_NOT_NULL, "scan", message, true)
}

/// Reports of a new column; `definition` is what stands behind its name.
fn added(definition: &Action<'_>) -> Option<LintFinding> {
    let table = definition.table;
    let is_serial = SERIAL.iter().any(|word| definition.words.is(definition.range.start, word));
    if is_serial || definition.has("default") || definition.has("generated") {
        return computed(definition, is_serial);
    }
    definition.states(&["not", "null"]).then(|| {
        let message = format!("a NOT NULL column without a default is added to `{table}`");
        definition.finding(&codes::NOT_NULL_WITHOUT_DEFAULT, "not-null", message, true)
    })
}

fn constraint(action: &Action<'_>) -> Option<LintFinding> {
    let (words, table) = (action.words, action.table);
    let named = action.range.start + 1;
    let begin = if words.is(named, "constraint") { named + 2 } else { named };
    if action.states(&["using", "index"]) {
        return None;
    }
    let is_now = !action.states(&["not", "valid"]) && !action.states(&["not", "enforced"]);
    if words.are(begin, &["not", "null"]) {
        return is_now.then(|| set_not_null(action));
    }
    // The kind stands before the first parenthesis; words within are columns and expressions.
    let end = action.range.end;
    let open = words.position("(", begin).unwrap_or(end).min(end);
    let kind = |word: &str| words.has(word, begin..open);
    if kind("unique") || kind("primary") || kind("exclude") {
        let message = format!("a key of `{table}` builds its index under the lock");
        return Some(action.finding(&codes::UNIQUE_WITHOUT_INDEX, "index", message, true));
    }
    if is_now && (kind("foreign") || kind("check")) {
        let what = if kind("foreign") { "a foreign key" } else { "a check" };
        let message = format!("{what} of `{table}` without NOT VALID");
        // A foreign key takes SHARE ROW EXCLUSIVE, which lets readers through.
        return Some(action.finding(&codes::CONSTRAINT_NOT_VALIDATED_APART, "scan", message, kind("check")));
    }
    None
}

fn computed(definition: &Action<'_>, is_serial: bool) -> Option<LintFinding> {
    let is_stored = definition.has("generated") && (definition.has("stored") || definition.has("identity"));
    let is_volatile = definition.has("default") && VOLATILE.iter().any(|name| definition.has(name));
    (is_serial || is_stored || is_volatile).then(|| {
        let message = format!("the new column's values are computed for each row of `{}`", definition.table);
        definition.finding(&codes::VOLATILE_DEFAULT, "rewrite", message, true)
    })
}
