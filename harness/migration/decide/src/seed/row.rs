//! One row of a table, and the SQL that puts it there.

use std::collections::BTreeMap;

use super::{
    Attempt, Column, CycleBreak, Foreign, Name, Ordered, Schema, Table,
    limits::{Limits, limits},
    value::Maker,
};

/// A row's values as text, by column; `None` is a null. What is not in it gets its default.
pub type Values = BTreeMap<String, Option<String>>;

/// The rows that are there, by table: what foreign keys refer to.
pub type Known = BTreeMap<Name, Vec<Values>>;

/// Each how many-th value of a column that takes a null is one.
const NULL_EACH: u64 = 5;

/// Why a table gets no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoRow {
    /// The table.
    pub table: Name,
    /// The column or the key that has no value.
    pub reason: String,
}

/// Makes row `number` (from 0) of a table.
///
/// A column that a sequence feeds is left to it, but where another row refers to what its value will be.
///
/// # Errors
/// [`NoRow`] where none can be made.
pub fn row(
    schema: &Schema,
    turn: &Ordered,
    (seed, number): (u64, usize),
    attempt: &Attempt,
    known: &Known,
) -> Result<Values, NoRow> {
    made(schema, turn, (seed, number), (attempt, known)).map_err(|reason| NoRow { table: turn.table.clone(), reason })
}

fn made(
    schema: &Schema,
    turn: &Ordered,
    (seed, number): (u64, usize),
    (attempt, known): (&Attempt, &Known),
) -> Result<Values, String> {
    let table = schema.tables.get(&turn.table).ok_or("the table does not exist")?;
    if !turn.stuck.is_empty() {
        return Err(format!(
            "{} closes a cycle of foreign keys that are not nullable and not deferrable",
            turn.stuck.join(", ")
        ));
    }
    let all = limits(schema, table, attempt.turn);
    let mut values = Values::new();
    let foreseen = turn.broken.iter().any(|(_, way)| *way == CycleBreak::Foreseen);
    references(table, turn, number, attempt, known, &mut values)?;
    for column in table.columns.iter().filter(|column| !column.is_generated) {
        let is_left_out = column.is_counted && !foreseen && !is_foreseen(schema, &turn.table, &column.name);
        if !values.contains_key(&column.name) && !is_left_out {
            let own = all.get(&column.name).cloned().unwrap_or_default();
            let salt = salt(seed, &turn.table, &column.name);
            let value = of_column(schema, column, own, (salt, number), attempt);
            values.insert(column.name.clone(), value.map_err(|reason| format!("column {}: {reason}", column.name))?);
        }
    }
    foresee(schema, turn, (seed, number), &mut values)?;
    Ok(values)
}

fn of_column(
    schema: &Schema,
    column: &Column,
    mut own: Limits,
    (salt, number): (u64, usize),
    attempt: &Attempt,
) -> Result<Option<String>, String> {
    let (form, null) = attempt.columns.get(&column.name).copied().unwrap_or_default();
    let number = i64::try_from(number).unwrap_or(0);
    let by_chance = number > 0 && mixed(salt, "null", number.unsigned_abs()).is_multiple_of(NULL_EACH);
    if !column.not_null && null.or(own.null).unwrap_or(by_chance) {
        return Ok(None);
    }
    if attempt.is_short {
        own.length.1 = Some(own.length.1.unwrap_or(3).min(3));
        own.most = own.most.or_else(|| Some("9".to_owned()));
    }
    let shift = attempt.shifts.get(&column.name).copied().unwrap_or(0);
    Maker { schema, number: number + shift, form, salt }.value(column, &own).map(Some)
}

/// Takes the values of foreign keys from rows that are there.
fn references(
    table: &Table,
    turn: &Ordered,
    number: usize,
    attempt: &Attempt,
    known: &Known,
    values: &mut Values,
) -> Result<(), String> {
    let mut keys: Vec<(usize, &Foreign)> = table.foreign.iter().enumerate().collect();
    // The longer key leaves less choice: it goes first, and the shorter ones follow what it took.
    keys.sort_by_key(|(_, key)| std::cmp::Reverse(key.columns.len()));
    for (nth, (at, key)) in keys.into_iter().enumerate() {
        match turn.broken.iter().find(|(broken, _)| *broken == at) {
            Some((_, CycleBreak::NullFirst)) => {
                none(table, key, values);
                continue;
            }
            Some((_, CycleBreak::Foreseen)) => continue,
            None => {}
        }
        let rows = known.get(&key.to).map_or(&[][..], Vec::as_slice);
        let fits = |row: &&Values| {
            let pairs = key.columns.iter().zip(&key.to_columns);
            pairs.clone().all(|(own, other)| values.get(own).is_none_or(|value| row.get(other) == Some(value)))
                && pairs.clone().all(|(_, other)| row.get(other).is_some_and(Option::is_some))
        };
        let fitting: Vec<&Values> = rows.iter().filter(fits).collect();
        let shift: i64 = key.columns.iter().filter_map(|name| attempt.shifts.get(name)).sum();
        let Some(size) = Some(fitting.len()).filter(|size| *size > 0) else {
            if table.is_optional(key) {
                none(table, key, values);
                continue;
            }
            return Err(format!("{} has no row for foreign key {} to reference", key.to, key.name));
        };
        let place = number + nth * (number / size) + usize::try_from(shift.unsigned_abs()).unwrap_or(0);
        let chosen = fitting[place % size];
        for (own, other) in key.columns.iter().zip(&key.to_columns) {
            values.insert(own.clone(), chosen.get(other).cloned().flatten());
        }
    }
    Ok(())
}

/// Leaves a foreign key open by nulls in those of its columns that take one.
fn none(table: &Table, key: &Foreign, values: &mut Values) {
    for name in key.columns.iter().filter(|name| table.column(name).is_some_and(|column| !column.not_null)) {
        values.entry(name.clone()).or_insert(None);
    }
}

/// Gives foreign keys to rows that are made later: the row of the same number, whose values are known before.
fn foresee(schema: &Schema, turn: &Ordered, (seed, number): (u64, usize), values: &mut Values) -> Result<(), String> {
    let Some(table) = schema.tables.get(&turn.table) else { return Ok(()) };
    for (at, _) in turn.broken.iter().filter(|(_, way)| *way == CycleBreak::Foreseen) {
        let Some(key) = table.foreign.get(*at) else { continue };
        for (own, other) in key.columns.iter().zip(&key.to_columns) {
            let value = if key.to == turn.table {
                values.get(other).cloned().flatten()
            } else {
                Some(usual(schema, &key.to, other, (seed, number))?)
            };
            values.insert(own.clone(), value);
        }
    }
    Ok(())
}

/// Returns the value that a column will have in the first attempt for a row.
fn usual(schema: &Schema, name: &Name, column: &str, (seed, number): (u64, usize)) -> Result<String, String> {
    let table = schema.tables.get(name).ok_or("the table does not exist")?;
    let own = limits(schema, table, 0).remove(column).unwrap_or_default();
    let column = table.column(column).ok_or("the column does not exist")?;
    let salt = salt(seed, name, &column.name);
    Maker { schema, number: i64::try_from(number).unwrap_or(0), form: 0, salt }.value(column, &own)
}

fn salt(seed: u64, table: &Name, column: &str) -> u64 {
    mixed(seed, &format!("{table}.{column}"), 0)
}

/// Returns whether a later row refers to this column before its table has rows, so that its value has to be known.
fn is_foreseen(schema: &Schema, name: &Name, column: &str) -> bool {
    let refers = |key: &Foreign| key.is_deferrable && key.to == *name && key.to_columns.iter().any(|to| to == column);
    schema.tables.values().any(|table| table.foreign.iter().any(|key| refers(key) && !table.is_optional(key)))
}

/// Returns the columns and values of a row's broken foreign key, to be set once all rows are there; a row that refers
/// to its own table refers to the one before it.
#[must_use]
pub fn late(schema: &Schema, turn: &Ordered, at: usize, number: usize, known: &Known) -> Option<Values> {
    let key = schema.tables.get(&turn.table)?.foreign.get(at)?;
    let rows = known.get(&key.to)?;
    let place = if key.to == turn.table { number.checked_sub(1)? } else { number % rows.len().max(1) };
    let row = rows.get(place)?;
    let pairs = key.columns.iter().zip(&key.to_columns);
    pairs.map(|(own, other)| Some((own.clone(), Some(row.get(other)?.clone()?)))).collect()
}

/// Where a row lies, then all of it.
const PLACE: &str = "ctid::text || ' ' || tableoid, *";

/// Returns the statement that puts a row into a table and gives back `ctid`, a space and `tableoid`, and the row.
#[must_use]
pub fn insert(table: &Name, values: &Values) -> String {
    if values.is_empty() {
        return format!("insert into {table} default values returning {PLACE}");
    }
    let columns: Vec<String> = values.keys().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let values: Vec<String> =
        values.values().map(|value| value.as_deref().map_or("null".to_owned(), literal)).collect();
    format!(
        "insert into {table} ({}) overriding system value values ({}) returning {PLACE}",
        columns.join(", "),
        values.join(", ")
    )
}

/// Returns an SQL string; without a cast, so that it takes its column's type.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Mixes numbers and a name into one that looks like chance (FNV-1a, then the finish of SplitMix64).
fn mixed(seed: u64, name: &str, number: u64) -> u64 {
    let start = seed ^ 0xcbf2_9ce4_8422_2325 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut hash = name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
