//! The SQL that counts and sums a table: one pass over it, and nothing in it that keeps workers from sharing it.

use std::{collections::BTreeMap, fmt::Write};

use super::{Column, ColumnContent, Exact, Row, Shape, TableContent, exact};

/// Rows up to which the keys of a table are read, so that examples can be named.
const EXAMPLES_UP_TO: u32 = 1_000;

/// How much is asked of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Rows and sums of whole rows: one hash of a row for each seed.
    Rows,
    /// Sums of each column too, so that states with other columns can be compared; for tables that are not large.
    Columns,
}

/// Returns the statement that gives one text: rows, the two sums, and for each column what [`ColumnContent`] holds,
/// separated by commas.
#[must_use]
pub fn checksum_query(shape: &Shape, detail: Detail) -> String {
    let [first, second] = [0, 1].map(|seed| row_sum(shape, seed));
    let mut parts = vec!["count(*)".to_owned(), first, second];
    if detail == Detail::Columns {
        let key: Vec<String> = shape.columns.iter().filter(|c| shape.key.contains(&c.name)).map(text).collect();
        for column in &shape.columns {
            let value = text(column);
            let mut keyed = key.clone();
            keyed.push(value.clone());
            parts.push(format!("count({})", reference(&column.name)));
            parts.push(format!("sum(pg_catalog.hashtextextended({value}, 0))"));
            parts.push(mixed(&keyed, 1));
            parts.push(end(column));
        }
    }
    let parts: Vec<String> = parts.iter().map(|part| format!("({part})::text")).collect();
    format!("select array_to_string(array[{}], ',', '') from {}", parts.join(", "), from(shape))
}

/// Returns the statement that gives key and hashes of the rows, where the key may be shown and they are few.
#[must_use]
pub fn examples(shape: &Shape) -> Option<String> {
    let [key] = shape.key.as_slice() else { return None };
    let column = shape.columns.iter().find(|column| column.name == *key)?;
    if !column.is_builtin || !matches!(column.base.as_str(), "int2" | "int4" | "int8" | "numeric" | "uuid") {
        return None;
    }
    let mut hashes = String::new();
    for column in &shape.columns {
        let _ = write!(hashes, ", coalesce(pg_catalog.hashtextextended({}, 0), 0)::text", text(column));
    }
    let key = text(column);
    let all = format!("array_to_string(array[{key}{hashes}], ',', '')");
    Some(format!("select {all} from {} limit {}", from(shape), EXAMPLES_UP_TO + 1))
}

/// Reads the response to [`checksum_query`].
#[must_use]
pub fn read_checksums(shape: Shape, response: &str, examples: &[String]) -> Option<TableContent> {
    let mut parts = response.split(',');
    let rows = parts.next()?.parse().ok()?;
    let sums = [parts.next()?.to_owned(), parts.next()?.to_owned()];
    let rest: Vec<&str> = parts.collect();
    let column = |part: &[&str]| match part {
        [filled, sum, keyed, end] => Some(ColumnContent {
            filled: filled.parse().ok()?,
            sum: (*sum).to_owned(),
            keyed: (*keyed).to_owned(),
            end: end.parse().ok(),
        }),
        _ => None,
    };
    let columns = rest.chunks(4).map(column).collect::<Option<Vec<_>>>()?;
    let is_small = examples.len() <= EXAMPLES_UP_TO as usize;
    let by_key = if is_small { examples.iter().filter_map(|line| read_row(line)).collect() } else { BTreeMap::new() };
    Some(TableContent { shape, rows, sums, columns, by_key })
}

fn read_row(line: &str) -> Option<(String, Row)> {
    let (key, rest) = line.split_once(',')?;
    let hashes = rest.split(',').map(|hash| hash.parse().ok()).collect::<Option<Row>>()?;
    Some((key.to_owned(), hashes))
}

/// One hash a row; a plain sum of eight-byte integers is exact (it is kept in sixteen bytes) and parallel safe.
fn row_sum(shape: &Shape, seed: u8) -> String {
    if shape.columns.is_empty() {
        return "null".to_owned();
    }
    let value = |column: &Column| match (exact_of(column), seed) {
        (Exact::Value, _) | (Exact::ValueThenText, 0) => reference(&column.name),
        (Exact::ValueThenText | Exact::Text, _) => text(column),
    };
    let values: Vec<String> = shape.columns.iter().map(value).collect();
    mixed(&values, seed)
}

/// Sums up a hash of several values.
///
/// The hash of a record is linear: 31 times what came before, plus the next value's. Its sum over all rows would be
/// made of the columns' sums, and blind to two rows that changed a value with each other. One more hash undoes that;
/// that of a float8 is the one that takes nearly all of the 64 bits (53) and is cheap.
// Source: record_hash_extended, hashint8extended (folds to 32 bits) and hashfloat8extended of PostgreSQL.
fn mixed(values: &[String], seed: u8) -> String {
    let record = format!("pg_catalog.hash_record_extended(row({}), {seed})", values.join(", "));
    format!("sum(pg_catalog.hashfloat8extended({record}::float8, {seed}))")
}

fn end(column: &Column) -> String {
    let is_number = matches!(column.base.as_str(), "int2" | "int4" | "int8");
    match &column.sequence {
        Some(sequence) if is_number && column.is_builtin => {
            let function = if sequence.increment > 0 { "max" } else { "min" };
            format!("{function}({})", reference(&column.name))
        }
        _ => "null".to_owned(),
    }
}

fn exact_of(column: &Column) -> Exact {
    exact(&column.base, column.is_builtin, column.has_modifier, column.is_deterministic)
}

/// Returns the value as it is written, whatever its collation takes for equal.
fn text(column: &Column) -> String {
    let name = reference(&column.name);
    if column.is_builtin && column.base == "bpchar" {
        // A cast to text would drop the blanks at the end.
        return format!("pg_catalog.textin(pg_catalog.bpcharout({name})) collate \"C\"");
    }
    format!("{name}::text collate \"C\"")
}

/// The alias cannot be taken for a column: a reference is always qualified by it.
fn reference(name: &str) -> String {
    format!("whole_row.\"{}\"", name.replace('"', "\"\""))
}

fn from(shape: &Shape) -> String {
    let only = if shape.is_partitioned { "" } else { "only " };
    format!("{only}{} as whole_row", shape.name)
}
