//! How rows are hashed by the source: ranges, statements, and what two equal values may differ in.

use crate::{
    sanitize::Key,
    sync::{Column, Format, Range, Table, quoted, table::mixed},
};

/// Blocks of a range: 2 MiB of the usual 8 KiB. A range that changed is read row by row.
const RANGE_BLOCKS: u64 = 256;
/// The seed of the rows' hashes; another one than the comparison's.
const SEED: i64 = 20_260_202;

/// Returns the ranges of a table by which it is hashed, at least one.
#[must_use]
pub fn ranges(table: &Table) -> Vec<Option<Range>> {
    if !table.has_blocks {
        return vec![None];
    }
    let count = table.blocks.div_ceil(RANGE_BLOCKS).max(1);
    let one = |number: u64| Range::Blocks {
        from: number * RANGE_BLOCKS,
        to: (number + 1 < count).then_some((number + 1) * RANGE_BLOCKS),
    };
    (0..count).map(|number| Some(one(number))).collect()
}

/// Returns what is kept of the sum of a range's hashes: without the key it states nothing about the rows.
#[must_use]
pub fn range_checksum(key: &Key, sum: i128) -> String {
    format!("{:032x}", key.hash("range", &sum.to_be_bytes()))
}

impl Table {
    /// Returns the columns that tell its rows apart, in the copy too; `None` if there are none that can be compared here.
    #[must_use]
    pub fn known_key(&self) -> Option<Vec<&Column>> {
        let column = |name: &String| self.columns.iter().find(|column| column.name == *name);
        let columns: Vec<&Column> = self.key.iter().map(column).collect::<Option<_>>()?;
        let is_known = |column: &&Column| {
            column.expression.is_none() && (column.is_hashable || column.type_name == "enum") && column.is_portable
        };
        let is_usable = !columns.is_empty() && self.format() == Format::Binary && columns.iter().all(is_known);
        is_usable.then_some(columns)
    }

    /// Returns the statement that counts the rows of a range and adds their hashes up.
    #[must_use]
    pub fn hash_sum(&self, range: Option<&Range>) -> String {
        let filter = self.filter(range);
        format!("select count(*), coalesce(sum({}), 0)::text from only {}{filter}", self.row_hash(), self.sql())
    }

    /// Returns the statement that reads the place, the key and the hash of each row of a range.
    #[must_use]
    pub fn hashed_rows(&self, range: Option<&Range>, key: &[&Column]) -> String {
        let names: Vec<String> = key.iter().map(|column| quoted(&column.name)).collect();
        let (hash, filter) = (self.row_hash(), self.filter(range));
        format!(
            "copy (select ctid, {}, {hash} from only {}{filter}) to stdout (format binary)",
            names.join(", "),
            self.sql()
        )
    }

    fn row_hash(&self) -> String {
        let values: Vec<String> = self.columns.iter().flat_map(exact).collect();
        if values.is_empty() {
            return "0::int8".to_owned();
        }
        mixed(&values, SEED)
    }

    fn filter(&self, range: Option<&Range>) -> String {
        let within = range.map(Range::condition);
        let own = self.condition.as_ref().map(|condition| format!("({condition})"));
        let all: Vec<String> = within.into_iter().chain(own).collect();
        if all.is_empty() { String::new() } else { format!(" where {}", all.join(" and ")) }
    }
}

/// Returns what is hashed of a column: two values that PostgreSQL calls equal may look different.
// Source: PostgreSQL: hash_numeric leaves the scale out, hashtext follows a nondeterministic collation, hashbpchar leaves
// blanks at the end out, hashfloat8 takes -0 for 0, interval_hash 24 hours for a day, jsonb hashes numbers as numeric.
fn exact(column: &Column) -> Vec<String> {
    let name = quoted(&column.name);
    match column.type_name.as_str() {
        "text" | "varchar" => vec![format!("{name} collate \"C\"")],
        "bpchar" => vec![format!("{name} collate \"C\""), format!("octet_length({name})")],
        "numeric" => vec![format!("scale({name})"), name],
        "float4" | "float8" | "jsonb" | "interval" => vec![format!("{name}::text")],
        other if column.is_hashable && !other.ends_with("[]") => vec![name],
        // The text of an array has the collation of its elements.
        _ => vec![format!("{name}::text collate \"C\"")],
    }
}
