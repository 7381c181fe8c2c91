//! What the four moments of a migration tell: before, after up, after down, after the second up.
//!
//! For a caller: [`after_up`], [`after_down`] and [`after_second_up`] each take two moments and give findings without
//! version and place, which the caller adds.

use super::{ColumnChange, Content, Difference, Renames, compare};
use crate::{Finding, codes};
use stagegate_base::{record::Severity, text::counted};

/// Compares before and after up: rows must not go; the rest is reported.
#[must_use]
pub fn after_up(before: &Content, after: &Content, renames: &Renames) -> Vec<Finding> {
    let mut found: Vec<Finding> = compare(before, after, renames)
        .iter()
        .map(|difference| {
            let code = match difference {
                Difference::TableGone { .. } => &codes::ROWS_LOST,
                Difference::Rows { before, after, .. } if after < before => &codes::ROWS_LOST,
                Difference::Rows { .. } => &codes::ROWS_ADDED,
                Difference::Moved { .. } => &codes::ROWS_MOVED,
                Difference::ColumnGone { .. } => &codes::COLUMN_DROPPED_WITH_DATA,
                Difference::Values { .. } | Difference::NotCompared { .. } => &codes::VALUES_CHANGED,
            };
            let finding = finding(code, difference);
            // Of columns that only got another type the values may be the same in another form.
            if is_retyped_only(difference) { finding.with_severity(Severity::Info) } else { finding }
        })
        .collect();
    found.extend(sequences(before, after));
    found.extend(invalid(before, after));
    found
}

/// Compares before up and after down: nothing may differ. `is_schema_restored` returns whether the schema is as before.
#[must_use]
pub fn after_down(before: &Content, after: &Content, is_schema_restored: bool) -> Vec<Finding> {
    let prefix = if is_schema_restored { "schema restored, data lost: " } else { "" };
    let differences = compare(before, after, &Renames::default());
    let reported = differences.iter().map(|difference| {
        let mut finding = finding(&codes::DATA_NOT_RESTORED, difference);
        finding.found.insert_str(0, prefix);
        finding
    });
    reported.chain(sequences(before, after)).collect()
}

/// Compares after the first up and after the second: both must give the same.
#[must_use]
pub fn after_second_up(first: &Content, second: &Content) -> Vec<Finding> {
    let differences = compare(first, second, &Renames::default());
    differences.iter().map(|difference| finding(&codes::SECOND_UP_OTHER_DATA, difference)).collect()
}

/// Makes the finding of a table that no rows could be made for.
#[must_use]
pub fn unfilled(table: &str, reason: &str) -> Finding {
    Finding::new(&codes::TABLE_UNFILLED, format!("{table} could not be filled: {reason}"))
        .about(format!("{table}/rows"))
}

fn finding(code: &crate::Code, difference: &Difference) -> Finding {
    let (table, message) = difference_text(difference);
    Finding::new(code, message).about(format!("{table}/rows"))
}

/// Returns the table, and what differs in words.
#[must_use]
pub fn difference_text(difference: &Difference) -> (&str, String) {
    match difference {
        Difference::TableGone { table, rows } => (table, format!("{table}: {rows} rows lost, the table was dropped")),
        Difference::Rows { table, before, after, keys } => {
            let (count, word) = if after < before { (before - after, "lost") } else { (after - before, "more") };
            (table, format!("{table}: {before} -> {after} rows ({count} {word}{})", such_as(keys)))
        }
        Difference::Moved { table, rows, is_gone, to } => {
            let gone = if *is_gone { ", the table is gone or a partition now" } else { "" };
            (table, format!("{table}: {} moved to {}{gone}", counted_rows(*rows), to.join(", ")))
        }
        Difference::ColumnGone { table, column, filled } => {
            (table, format!("{table}.{column}: {filled} values lost, the column was dropped"))
        }
        Difference::Values { table, columns, keys } if columns.is_empty() => {
            (table, format!("{table}: same row count, different values{}", such_as(keys)))
        }
        Difference::Values { table, columns, keys } => {
            let columns: Vec<String> = columns.iter().map(changed).collect();
            (table, format!("{table}: different values in {}{}", columns.join(", "), such_as(keys)))
        }
        Difference::NotCompared { table } => {
            (table, format!("{table}: values were not compared, because its columns differ"))
        }
    }
}

fn counted_rows(rows: i64) -> String {
    counted(usize::try_from(rows).unwrap_or_default(), "row")
}

fn changed(change: &ColumnChange) -> String {
    let ColumnChange { column, filled_before, filled_after, retyped } = change;
    let retyped = retyped.as_ref().map(|(from, to)| format!(", {from} -> {to}")).unwrap_or_default();
    if filled_before == filled_after {
        let retyped = retyped.trim_start_matches(", ");
        return if retyped.is_empty() { column.clone() } else { format!("{column} ({retyped})") };
    }
    format!("{column} ({filled_before} -> {filled_after} that are not null{retyped})")
}

fn such_as(keys: &[String]) -> String {
    if keys.is_empty() { String::new() } else { format!(", such as key {}", keys.join(", ")) }
}

fn is_retyped_only(difference: &Difference) -> bool {
    let is_retyped = |change: &ColumnChange| change.retyped.is_some() && change.filled_before == change.filled_after;
    matches!(difference, Difference::Values { columns, .. } if !columns.is_empty() && columns.iter().all(is_retyped))
}

/// Reports of sequences that are behind now and were not before.
fn sequences(before: &Content, after: &Content) -> Vec<Finding> {
    let was_behind = |table: &str, column: &str| {
        let behind = before.tables.get(table).map(super::TableContent::sequences_behind).unwrap_or_default();
        behind.iter().any(|(found, ..)| found.name == column)
    };
    let mut found = Vec::new();
    for (name, table) in &after.tables {
        for (column, sequence, end) in table.sequences_behind() {
            if !was_behind(name, &column.name) {
                let column = &column.name;
                let message = format!(
                    "the next value of {} is {}, and {name}.{column} already has {end}",
                    sequence.name, sequence.next
                );
                found.push(Finding::new(&codes::SEQUENCE_BEHIND, message).about(format!("{name}/sequence")));
            }
        }
    }
    found
}

fn invalid(before: &Content, after: &Content) -> Vec<Finding> {
    let new = after.invalid.iter().filter(|kept| !before.invalid.contains(kept));
    new.map(|kept| {
        let state = if kept.kind == "index" { "is invalid" } else { "is not validated" };
        let message = format!("{} {} of {} {state}", kept.kind, kept.name, kept.table);
        Finding::new(&codes::LEFT_INVALID, message).about(format!("{}/valid", kept.table))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::integrity::{Column, ColumnContent, ConstraintOrIndex, Sequence, Shape, TableContent};

    fn content(rows: i64, filled: i64, sum: &str, next: i64) -> Content {
        let sequence = Sequence { name: "public.t_id_seq".to_owned(), next, increment: 1, cycles: false };
        let column = Column {
            name: "note".to_owned(),
            data_type: "int8".to_owned(),
            base: "int8".to_owned(),
            is_builtin: true,
            has_modifier: false,
            is_deterministic: true,
            sequence: Some(sequence),
        };
        let name = "public.t".to_owned();
        let shape = Shape { name: name.clone(), is_partitioned: false, columns: vec![column], key: Vec::new() };
        let held = ColumnContent { filled, sum: sum.to_owned(), keyed: sum.to_owned(), end: Some(rows) };
        let sums = [sum.to_owned(), sum.to_owned()];
        let table = TableContent { shape, rows, sums, columns: vec![held], by_key: BTreeMap::new() };
        Content { tables: [(name, table)].into(), invalid: Vec::new() }
    }

    fn told(found: &[Finding]) -> Vec<String> {
        found.iter().map(|finding| format!("{} {}", finding.code, finding.found)).collect()
    }

    #[test]
    fn equal_moments_report_nothing() {
        let same = content(8, 8, "5", 9);
        assert_eq!(after_up(&same, &same, &Renames::default()), []);
        assert_eq!(after_down(&same, &same, true), []);
        assert_eq!(after_second_up(&same, &same), []);
    }

    #[test]
    fn a_column_that_came_back_empty_is_data_lost_though_the_schema_is_restored() {
        let found = after_down(&content(8, 8, "5", 9), &content(8, 0, "", 9), true);
        assert_eq!(
            told(&found),
            [
                "data-not-restored schema restored, data lost: public.t: different values in note (8 -> 0 that are not null)"
            ]
        );
    }

    #[test]
    fn lost_rows_sequences_and_what_became_invalid_are_reported_after_up() {
        let mut after = content(6, 6, "4", 6);
        let index =
            ConstraintOrIndex { kind: "index".to_owned(), table: "public.t".to_owned(), name: "t_n".to_owned() };
        after.invalid.push(index);
        let found = after_up(&content(8, 8, "5", 9), &after, &Renames::default());
        assert_eq!(
            told(&found),
            [
                "rows-lost public.t: 8 -> 6 rows (2 lost)",
                "sequence-behind the next value of public.t_id_seq is 6, and public.t.note already has 6",
                "left-invalid index t_n of public.t is invalid",
            ]
        );
        assert_eq!(
            told(&after_up(&content(8, 8, "5", 9), &Content::default(), &Renames::default())),
            ["rows-lost public.t: 8 rows lost, the table was dropped"]
        );
    }
}
