//! Checks of a chain that no value of a column is null: `SET NOT NULL` relies on one that is validated and reads no row.
// Source: PostgreSQL manual, ALTER TABLE, `SET NOT NULL`.

use std::{collections::BTreeMap, ops::Range};

use super::words::Words;

/// By table and constraint: the column, and whether the check is validated.
#[derive(Debug, Default)]
pub(super) struct NotNullChecks(BTreeMap<(String, String), (String, bool)>);

impl NotNullChecks {
    /// Notes what an action of `ALTER TABLE` does to them.
    pub(super) fn note(&mut self, words: &Words<'_>, table: &str, action: &Range<usize>) {
        let at = action.start;
        let key = |at: usize| words.part(at).map(|name| (table.to_owned(), name));
        if words.are(at, &["drop", "constraint"]) {
            let named = if words.are(at + 2, &["if", "exists"]) { at + 4 } else { at + 2 };
            self.0.retain(|found, _| Some(found) != key(named).as_ref());
        } else if words.are(at, &["validate", "constraint"]) {
            let found = key(at + 2).and_then(|key| self.0.get_mut(&key));
            found.into_iter().for_each(|(_, is_validated)| *is_validated = true);
        } else if words.is(at, "add") {
            self.add(words, table, action);
        }
    }

    fn add(&mut self, words: &Words<'_>, table: &str, action: &Range<usize>) {
        let (named, is_named) = (action.start + 1, words.is(action.start + 1, "constraint"));
        let begin = if is_named { named + 2 } else { named };
        if !words.is(begin, "check") {
            return;
        }
        let column_at = (begin + 1..action.end).find(|at| !words.is(*at, "(")).unwrap_or(action.end);
        let Some(column) = words.part(column_at).filter(|_| words.are(column_at + 1, &["is", "not", "null", ")"]))
        else {
            return;
        };
        let states = |wanted: &[&str]| words.outside(action.clone()).any(|at| words.are(at, wanted));
        if states(&["not", "enforced"]) {
            return;
        }
        let bare = table.rsplit('.').next().unwrap_or(table);
        let name = if is_named { words.part(named + 1) } else { Some(format!("{bare}_{column}_check")) };
        if let Some(name) = name {
            self.0.insert((table.to_owned(), name), (column, !states(&["not", "valid"])));
        }
    }

    /// Returns whether a validated check covers a column.
    pub(super) fn cover(&self, table: &str, column: &str) -> bool {
        self.0.iter().any(|((of, _), (checked, is_validated))| of == table && checked == column && *is_validated)
    }
}
