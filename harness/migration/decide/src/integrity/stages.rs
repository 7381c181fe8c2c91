//! What the four moments of a migration tell: before, after up, after down, after the second up.
//!
//! For a caller: [`after_up`], [`after_down`] and [`after_second_up`] each take two moments and give findings without
//! version and place, which the caller adds.

use std::collections::BTreeSet;

use super::{Column, ColumnChange, Content, Difference, Renames, TableContent, compare, compare::unquoted};
use crate::{
    Finding, codes,
    schema::{Fact, Facts, Kind},
};
use stagegate_base::{record::Severity, text::counted};

/// Compares before and after up: rows must not go; the rest is reported. What is gone from a table and what `down`, the
/// moment after the down migration, has again there was not lost, but moved in another form.
#[must_use]
pub fn after_up(before: &Content, after: &Content, down: Option<&Content>, renames: &Renames) -> Vec<Finding> {
    let kept = down.map(|down| Kept::of(before, after, down)).unwrap_or_default();
    let mut found: Vec<Finding> = compare(before, after, renames)
        .iter()
        .map(|difference| {
            if let Some(moved) = kept.moved(difference) {
                return moved;
            }
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

/// What became more in a migration, and which tables its down migration restores from that.
#[derive(Default)]
struct Kept<'a> {
    /// Tables that have more rows, or new columns with values.
    grown: Vec<&'a str>,
    restored: BTreeSet<&'a str>,
}

impl<'a> Kept<'a> {
    fn of(before: &'a Content, after: &'a Content, down: &Content) -> Self {
        let has_grown = |(name, table): &(&String, &TableContent)| {
            let old = before.tables.get(*name);
            let is_new = |column: &Column| old.is_none_or(|old| old.column(&column.name).is_none());
            let mut columns = table.shape.columns.iter().zip(&table.columns);
            table.rows > old.map_or(0, |old| old.rows)
                || columns.any(|(column, content)| content.filled > 0 && is_new(column))
        };
        let differences = compare(before, down, &Renames::default());
        let differing: BTreeSet<&str> = differences.iter().map(|difference| difference_text(difference).0).collect();
        Kept {
            grown: after.tables.iter().filter(has_grown).map(|(name, _)| name.as_str()).collect(),
            restored: before.tables.keys().map(String::as_str).filter(|name| !differing.contains(name)).collect(),
        }
    }

    fn moved(&self, difference: &Difference) -> Option<Finding> {
        let (table, what) = match difference {
            Difference::TableGone { table, rows } => (table, format!("{table}: {}", counted_rows(*rows))),
            Difference::Rows { table, before, after, .. } if after < before => {
                (table, format!("{table}: {}", counted_rows(before - after)))
            }
            Difference::ColumnGone { table, column, filled } => (table, format!("{table}.{column}: {filled} values")),
            _ => return None,
        };
        if self.grown.is_empty() || !self.restored.contains(table.as_str()) {
            return None;
        }
        let message = format!("{what} moved to {}, from where the down migration restores them", self.grown.join(", "));
        Some(Finding::new(&codes::ROWS_MOVED, message).about(format!("{table}/rows")))
    }
}

/// Compares before up and after down: nothing may differ. `is_schema_restored` returns whether the schema is as before, and
/// `is_stamped` whether a trigger may set a column of a table by the clock.
#[must_use]
pub fn after_down(
    before: &Content,
    after: &Content,
    is_schema_restored: bool,
    is_stamped: impl Fn(&str, &str) -> bool,
) -> Vec<Finding> {
    let prefix = if is_schema_restored { "schema restored, data lost: " } else { "" };
    let differences = compare(before, after, &Renames::default());
    let reported = differences.iter().map(|difference| {
        let mut finding = finding(&codes::DATA_NOT_RESTORED, difference);
        if is_stamp(before, difference, &is_stamped) {
            finding.found.push_str(", which a trigger on UPDATE of the table may set");
            return finding.with_severity(Severity::Warning);
        }
        finding.found.insert_str(0, prefix);
        finding
    });
    reported.chain(sequences(before, after)).collect()
}

/// Returns whether nothing but points in time differs, as many as before, which a trigger sets.
fn is_stamp(before: &Content, difference: &Difference, is_stamped: impl Fn(&str, &str) -> bool) -> bool {
    let Difference::Values { table, columns, .. } = difference else { return false };
    let is_time = |name: &str| {
        let column = before.tables.get(table).and_then(|table| table.column(name));
        column.is_some_and(|(column, _)| matches!(column.base.as_str(), "timestamptz" | "timestamp" | "date"))
    };
    let is_one = |change: &ColumnChange| {
        change.filled_before == change.filled_after
            && change.retyped.is_none()
            && is_time(&change.column)
            && is_stamped(table, &change.column)
    };
    !columns.is_empty() && columns.iter().all(is_one)
}

/// Compares after the first up and after the second: both must give the same.
#[must_use]
pub fn after_second_up(first: &Content, second: &Content) -> Vec<Finding> {
    let differences = compare(first, second, &Renames::default());
    differences.iter().map(|difference| finding(&codes::SECOND_UP_OTHER_DATA, difference)).collect()
}

/// Returns whether a finding still holds at the end of a chain, whose schema is `top`: what an early migration left invalid may
/// be validated, built or dropped by a later one.
#[must_use]
pub fn holds_at_end(finding: &Finding, top: &Facts) -> bool {
    if finding.code != codes::LEFT_INVALID.id {
        return true;
    }
    let is_open = |fact: &&Fact| match fact.id.kind {
        Kind::Constraint => fact.payload.get("definition").is_some_and(|text| text.ends_with("NOT VALID")),
        Kind::Index => fact.payload.contains_key("invalid"),
        _ => false,
    };
    top.iter().filter(is_open).any(|fact| {
        let own = fact.parent.as_ref().map_or(fact.id.name.as_str(), |parent| fact.id.within(parent));
        let last = own.rsplit('.').next().unwrap_or(own);
        // A constraint's name is unquoted in the finding, an index' is as the server writes it, with or without schema.
        let names = [own.to_owned(), last.to_owned(), unquoted(own)];
        names.iter().any(|name| finding.found.starts_with(&format!("{} {name} of ", fact.id.kind)))
    })
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

    use rstest::rstest;

    use super::*;
    use crate::{
        integrity::{ColumnContent, ConstraintOrIndex, Sequence, Shape},
        schema::parse,
    };

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
        assert_eq!(after_up(&same, &same, Some(&same), &Renames::default()), []);
        assert_eq!(after_down(&same, &same, true, |_, _| false), []);
        assert_eq!(after_second_up(&same, &same), []);
    }

    #[test]
    fn a_column_that_came_back_empty_is_data_lost_though_the_schema_is_restored() {
        let found = after_down(&content(8, 8, "5", 9), &content(8, 0, "", 9), true, |_, _| true);
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
        let found = after_up(&content(8, 8, "5", 9), &after, None, &Renames::default());
        assert_eq!(
            told(&found),
            [
                "rows-lost public.t: 8 -> 6 rows (2 lost)",
                "sequence-behind the next value of public.t_id_seq is 6, and public.t.note already has 6",
                "left-invalid index t_n of public.t is invalid",
            ]
        );
        assert_eq!(
            told(&after_up(&content(8, 8, "5", 9), &Content::default(), None, &Renames::default())),
            ["rows-lost public.t: 8 rows lost, the table was dropped"]
        );
    }

    /// Makes a moment of one table `public.{name}` with one column of a type.
    fn of_table(name: &str, base: &str, rows: i64, sum: &str) -> Content {
        let mut content = content(rows, rows, sum, 99);
        let mut table = content.tables.remove("public.t").unwrap();
        table.shape.columns[0].base = base.to_owned();
        table.shape.columns[0].data_type = base.to_owned();
        content.tables.insert(format!("public.{name}"), table);
        content
    }

    fn both(mut one: Content, other: Content) -> Content {
        one.tables.extend(other.tables);
        one
    }

    #[rstest]
    #[case::archived(
        both(of_table("t", "int8", 6, "4"), of_table("archive", "text", 2, "1")),
        true,
        "rows-moved public.t: 2 rows moved to public.archive, from where the down migration restores them"
    )]
    #[case::merged(
        of_table("all", "text", 9, "7"),
        true,
        "rows-moved public.t: 8 rows moved to public.all, from where the down migration restores them"
    )]
    #[case::not_restored(
        both(of_table("t", "int8", 6, "4"), of_table("archive", "text", 2, "1")),
        false,
        "rows-lost public.t: 8 -> 6 rows (2 lost)"
    )]
    #[case::nowhere(of_table("t", "int8", 6, "4"), true, "rows-lost public.t: 8 -> 6 rows (2 lost)")]
    fn rows_that_the_down_migration_restores_from_elsewhere_are_moved(
        #[case] up: Content,
        #[case] is_restored: bool,
        #[case] want: &str,
    ) {
        let before = of_table("t", "int8", 8, "5");
        let down = if is_restored { before.clone() } else { of_table("t", "int8", 8, "6") };
        assert_eq!(told(&after_up(&before, &up, Some(&down), &Renames::default())), [want]);
    }

    #[test]
    fn a_column_that_the_down_migration_restores_from_another_table_is_moved() {
        let before = both(of_table("t", "text", 8, "5"), of_table("u", "int8", 8, "2"));
        let mut up = both(before.clone(), of_table("notes", "jsonb", 8, "3"));
        let t = up.tables.get_mut("public.t").unwrap();
        t.shape.columns.clear();
        t.columns.clear();
        let found = after_up(&before, &up, Some(&before), &Renames::default());
        assert_eq!(
            told(&found)[0],
            "rows-moved public.t.note: 8 values moved to public.notes, from where the down migration restores them"
        );
        let lost = after_up(&before, &up, None, &Renames::default());
        assert_eq!(told(&lost)[0], "column-dropped-with-data public.t.note: 8 values lost, the column was dropped");
    }

    #[rstest]
    #[case::stamp("timestamptz", true, 8, Severity::Warning)]
    #[case::no_trigger("timestamptz", false, 8, Severity::Required)]
    #[case::no_time("text", true, 8, Severity::Required)]
    #[case::fewer("timestamptz", true, 7, Severity::Required)]
    fn points_in_time_that_a_trigger_sets_are_a_warning(
        #[case] base: &str,
        #[case] is_stamped: bool,
        #[case] filled: i64,
        #[case] want: Severity,
    ) {
        let before = of_table("t", base, 8, "5");
        let mut after = of_table("t", base, 8, "6");
        after.tables.get_mut("public.t").unwrap().columns[0].filled = filled;
        let found =
            after_down(&before, &after, true, |table, column| is_stamped && (table, column) == ("public.t", "note"));
        assert_eq!(found.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [want]);
    }

    #[rstest]
    #[case::not_valid(
        "[constraint public.t.t_n]\n    definition: CHECK ((n > 0)) NOT VALID\n",
        "constraint",
        "t_n",
        true
    )]
    #[case::validated("[constraint public.t.t_n]\n    definition: CHECK ((n > 0))\n", "constraint", "t_n", false)]
    #[case::dropped("[column public.t.n]\n    type: integer\n", "constraint", "t_n", false)]
    #[case::quoted(
        "[constraint public.t.\"T n\"]\n    definition: CHECK ((n > 0)) NOT VALID\n",
        "constraint",
        "T n",
        true
    )]
    #[case::index("[index public.t_n]\n    invalid: yes\n", "index", "t_n", true)]
    #[case::index_of_a_schema("[index shop.t_n]\n    invalid: yes\n", "index", "shop.t_n", true)]
    #[case::index_built("[index public.t_n]\n    unique: yes\n", "index", "t_n", false)]
    fn what_a_later_migration_validates_is_not_left_invalid(
        #[case] top: &str,
        #[case] kind: &str,
        #[case] name: &str,
        #[case] want: bool,
    ) {
        let top = parse(&format!("# schema snapshot of stagegate, format 1\n[table public.t]\n  {top}")).unwrap();
        let kept = ConstraintOrIndex { kind: kind.to_owned(), table: "public.t".to_owned(), name: name.to_owned() };
        let after = Content { invalid: vec![kept], ..Content::default() };
        let found = after_up(&Content::default(), &after, None, &Renames::default());
        assert_eq!(holds_at_end(&found[0], &top), want, "{:?}", found[0]);
        assert!(holds_at_end(&unfilled("public.t", "x"), &top));
    }
}
