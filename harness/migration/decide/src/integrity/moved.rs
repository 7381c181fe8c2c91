//! Rows that went from one table to another: partitions that are detached or attached, archives, merged tables.
//!
//! Row counts and checksums add up: what one table has less, others of the same columns have more. Both sums of the
//! hashes have to add up too, so that rows which only look alike by their number are not taken for moved.

use super::{Content, TableContent};

/// Tables up to which every choice of them is tried; of more only each one and all of them together.
const CHOICES_UP_TO: usize = 12;

/// Rows that are in other tables now, or came from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// The tables that have fewer rows, or are gone.
    pub(super) from: Vec<String>,
    /// The tables that have more rows, or are new.
    pub(super) to: Vec<String>,
    /// How many rows.
    pub(super) rows: i64,
}

/// What a table has more than before: rows, and both sums.
type Growth = (i64, i128, i128);

/// Finds them: one table's loss that is the gain of others, or one table's gain that is the loss of others.
pub(super) fn moved(before: &Content, after: &Content) -> Vec<Moved> {
    let mut changes = changes(before, after);
    let mut found = Vec::new();
    for is_source in [true, false] {
        for at in 0..changes.len() {
            let Some((name, shape, growth)) = changes[at].clone() else { continue };
            if (growth.0 < 0) != is_source {
                continue;
            }
            let others: Vec<usize> = (0..changes.len())
                .filter(|other| {
                    let change = changes[*other].as_ref();
                    change.is_some_and(|(_, other, counter)| *other == shape && (counter.0 > 0) == is_source)
                })
                .collect();
            let growth_of = |at: usize| changes[at].as_ref().map_or((0, 0, 0), |(_, _, growth)| *growth);
            let Some(chosen) = choice(&others, growth, growth_of) else { continue };
            let names = chosen.iter().filter_map(|at| changes[*at].take()).map(|(name, ..)| name).collect();
            changes[at] = None;
            let (from, to) = if is_source { (vec![name], names) } else { (names, vec![name]) };
            found.push(Moved { from, to, rows: growth.0.abs() });
        }
    }
    found
}

/// A table's name, its columns with their types, and what it has more.
type Change<'a> = Option<(String, Vec<(&'a str, &'a str)>, Growth)>;

/// Returns the tables whose rows became more or fewer over the same columns, gone and new ones included.
fn changes<'a>(before: &'a Content, after: &'a Content) -> Vec<Change<'a>> {
    let all = before.tables.iter().chain(after.tables.iter().filter(|(name, _)| !before.tables.contains_key(*name)));
    let change = |(name, table): (&'a String, &'a TableContent)| {
        let (old, new) = (before.tables.get(name), after.tables.get(name));
        let is_same = old.zip(new).is_none_or(|(old, new)| columns(old) == columns(new));
        let (old, new) = (old.map_or(Some((0, 0, 0)), size_kept)?, new.map_or(Some((0, 0, 0)), size_kept)?);
        let growth = (new.0 - old.0, new.1 - old.1, new.2 - old.2);
        (is_same && growth.0 != 0 && !table.shape.columns.is_empty()).then(|| (name.clone(), columns(table), growth))
    };
    all.map(change).collect()
}

fn columns(table: &TableContent) -> Vec<(&str, &str)> {
    table.shape.columns.iter().map(|column| (column.name.as_str(), column.data_type.as_str())).collect()
}

/// Reads what a table holds; the sums of one without rows are empty.
fn size_kept(table: &TableContent) -> Option<Growth> {
    let sum = |text: &str| if text.is_empty() { Some(0) } else { text.parse().ok() };
    Some((table.rows, sum(&table.sums[0])?, sum(&table.sums[1])?))
}

/// Chooses the tables whose changes and `growth` together are none.
fn choice(others: &[usize], growth: Growth, growth_of: impl Fn(usize) -> Growth) -> Option<Vec<usize>> {
    let adds_up = |chosen: &Vec<usize>| {
        let sum = chosen.iter().map(|at| growth_of(*at)).fold(growth, |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
        !chosen.is_empty() && sum == (0, 0, 0)
    };
    let all = || std::iter::once(others.to_vec());
    if others.len() > CHOICES_UP_TO {
        return others.iter().map(|at| vec![*at]).chain(all()).find(adds_up);
    }
    let of_bits =
        |bits: u32| others.iter().enumerate().filter(|(nth, _)| bits >> nth & 1 == 1).map(|(_, at)| *at).collect();
    (1..1_u32 << others.len()).map(of_bits).find(adds_up)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::integrity::{Column, Difference, Renames, Shape, compare};

    /// Makes a moment of `name[:type] value value; ..`; a value's hash is the value times an odd number.
    fn content(tables: &str) -> Content {
        let table = |text: &str| {
            let mut words = text.split_whitespace();
            let (name, data_type) =
                words.next().unwrap().split_once(':').unwrap_or((text.split(' ').next().unwrap(), "int4"));
            let values: Vec<i128> = words.map(|word| word.parse().unwrap()).collect();
            let column = Column {
                name: "id".to_owned(),
                data_type: data_type.to_owned(),
                base: data_type.to_owned(),
                is_builtin: true,
                has_modifier: false,
                is_deterministic: true,
                sequence: None,
            };
            let shape = Shape { name: name.to_owned(), is_partitioned: false, columns: vec![column], key: Vec::new() };
            let sum = |odd: i128| {
                if values.is_empty() { String::new() } else { values.iter().map(|v| v * odd).sum::<i128>().to_string() }
            };
            let (rows, sums) = (i64::try_from(values.len()).unwrap(), [sum(7_919), sum(104_729)]);
            (name.to_owned(), TableContent { shape, rows, sums, columns: Vec::new(), by_key: BTreeMap::new() })
        };
        Content { tables: tables.split("; ").map(table).collect(), invalid: Vec::new() }
    }

    fn text_of(before: &str, after: &str) -> String {
        let found = compare(&content(before), &content(after), &Renames::default());
        let one = |difference: &Difference| match difference {
            Difference::Moved { table, rows, to, .. } => format!("{rows} of {table} to {}", to.join(", ")),
            Difference::TableGone { table, rows } => format!("{table} gone with {rows}"),
            Difference::Rows { table, before, after, .. } => format!("{table} {before} -> {after}"),
            other => format!("{other:?}"),
        };
        found.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[rstest]
    #[case::detached("p 1 2 3", "p 1; p_2 2 3", "2 of p to p_2")]
    #[case::several("p 1 2 3", "a 2; b 3; p 1", "2 of p to a, b")]
    #[case::attached("p 1; p_2 2 3", "p 1 2 3", "2 of p_2 to p")]
    #[case::merged("a 1; b 2", "all 1 2", "1 of a to all; 1 of b to all")]
    #[case::archived("archive 9; t 1 2", "archive 1 9; t 2", "1 of t to archive")]
    #[case::renamed("t 1 2", "u 1 2", "")]
    #[case::detached_and_dropped("p 1 2 3", "p 1", "p 3 -> 1")]
    #[case::others("p 1 2", "p 1; q 5", "p 2 -> 1")]
    #[case::other_type("p 1 2", "p 1; q:int8 2", "p 2 -> 1")]
    #[case::two_of_two("p 1 2; q 3 4", "p 1; p_2 2; q 3; q_4 4", "1 of p to p_2; 1 of q to q_4")]
    fn rows_that_are_in_another_table_are_moved_and_not_lost(
        #[case] before: &str,
        #[case] after: &str,
        #[case] want: &str,
    ) {
        assert_eq!(text_of(before, after), want);
    }
}
