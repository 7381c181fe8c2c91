//! A table that is copied, and the statements that read and write it.

use stagegate_base::units::Size;

use super::range::Range;

/// The seed of the hashes by which a copy is compared.
const SEED: i64 = 20_260_101;

/// How rows travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As the types' binary forms.
    Binary,
    /// As text: a type has no binary form, or one that holds object ids of its database.
    Text,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Format::Binary => "binary",
            Format::Text => "text",
        }
    }
}

/// A column that is copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as SQL writes it, such as `character varying(80)`.
    pub declared: String,
    /// The name of its type, domains left out; of an array with `[]`, `enum` and `composite` of such.
    pub type_name: String,
    /// The maximum number of characters, where the type has one.
    pub max_chars: Option<usize>,
    /// Whether its binary form means the same in another database.
    pub is_portable: bool,
    /// Whether the hash of a value is the same in another database.
    pub is_hashable: bool,
    /// Whether people may write anything into it.
    pub is_free_text: bool,
    /// Whether a null is refused.
    pub not_null: bool,
    /// Whether it is part of a primary or unique key or index.
    pub is_unique: bool,
    /// The column that it references, as (`schema.table`, column).
    pub references: Option<(String, String)>,
    /// Its comment.
    pub comment: Option<String>,
    /// The checks of it and of its domains, as the server writes them.
    pub checks: Vec<String>,
    /// The partitioned table in whose partition key it is.
    pub partition_key_of: Option<String>,
    /// Expressions of unique indexes that are made of it, as the server writes them.
    pub unique_expressions: Vec<String>,
    /// Whether its values look like those of a person.
    pub looks_personal: bool,
    /// What is selected in its place, in SQL.
    pub expression: Option<String>,
    /// Whether its values are replaced on the way, in SQL or here.
    pub is_sanitised: bool,
}

impl Column {
    /// Returns whether its values are numbers, or days, and nothing else.
    #[must_use]
    pub fn is_of_numbers(&self) -> bool {
        let name = self.type_name.trim_end_matches("[]");
        matches!(
            name,
            "int2" | "int4" | "int8" | "numeric" | "money" | "float4" | "float8" | "date" | "timestamp" | "timestamptz"
        )
    }
}

/// A table that is copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its object id in the source.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns in the table's order; those that the server computes are left out.
    pub columns: Vec<Column>,
    /// Blocks that it has.
    pub blocks: u64,
    /// Bytes that it has, without indexes.
    pub bytes: u64,
    /// Rows that it has, as the server estimates.
    pub rows: u64,
    /// Whether it can be read by ranges of blocks.
    pub has_blocks: bool,
    /// Which rows are copied, in SQL; all where `None`.
    pub condition: Option<String>,
    /// The columns of a key that no two rows share and that is never null; empty where there is none.
    pub key: Vec<String>,
    /// The partitioned tables that it is a partition of, the next one first, as people write them.
    pub ancestors: Vec<String>,
}

impl Table {
    /// Returns the name as people write it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Returns the names by which people may mean it: its own, and those of the tables that it is a partition of.
    pub fn labels(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.label()).chain(self.ancestors.iter().cloned())
    }

    /// Returns the name in SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// Returns how its rows travel.
    #[must_use]
    pub fn format(&self) -> Format {
        let is_portable = self.columns.iter().all(|column| column.is_portable);
        if is_portable { Format::Binary } else { Format::Text }
    }

    fn column_list(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        // A table without columns has rows too, and no list of none.
        if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
    }

    /// Returns the statement that reads a range of its rows, or all.
    #[must_use]
    pub fn copy_out(&self, range: Option<&Range>) -> String {
        let format = self.format().word();
        let is_plain = self.columns.iter().all(|column| column.expression.is_none());
        if range.is_none() && is_plain && self.condition.is_none() {
            return format!("copy {}{} to stdout (format {format})", self.sql(), self.column_list());
        }
        let one = |column: &Column| column.expression.clone().unwrap_or_else(|| quoted(&column.name));
        let columns: Vec<String> = self.columns.iter().map(one).collect();
        let within = range.map(Range::condition);
        let conditions: Vec<String> =
            within.into_iter().chain(self.condition.as_ref().map(|condition| format!("({condition})"))).collect();
        let filter = if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) };
        format!("copy (select {} from only {}{filter}) to stdout (format {format})", columns.join(", "), self.sql())
    }

    /// Returns the statement that writes rows; `is_fresh` where the transaction emptied the table.
    #[must_use]
    pub fn copy_in(&self, is_fresh: bool) -> String {
        let freeze = if is_fresh { ", freeze" } else { "" };
        format!("copy {}{} from stdin (format {}{freeze})", self.sql(), self.column_list(), self.format().word())
    }

    /// Returns the statement that removes the rows which are copied from a table that was made with the schema.
    #[must_use]
    pub fn emptied(&self) -> String {
        match &self.condition {
            None => format!("truncate only {}", self.sql()),
            Some(condition) => format!("delete from only {} where {condition}", self.sql()),
        }
    }

    /// Returns the statement that finds its largest row: its place, and about how many bytes it has.
    #[must_use]
    pub fn largest_row(&self) -> String {
        let bytes = |column: &Column| {
            let name = quoted(&column.name);
            match column.type_name.as_str() {
                // The size of a compressed value is known without the value, and larger than what is stored.
                "text" | "varchar" | "bpchar" | "bytea" => format!("coalesce(octet_length({name})::int8, 0)"),
                _ => format!("coalesce(pg_column_size({name})::int8, 0)"),
            }
        };
        let bytes: Vec<String> = self.columns.iter().map(bytes).collect();
        let bytes = if bytes.is_empty() { "0::int8".to_owned() } else { bytes.join(" + ") };
        format!("select ctid::text, {bytes} from only {} order by 2 desc limit 1", self.sql())
    }

    /// Returns why its largest row is not copied; `None` if it is.
    #[must_use]
    pub fn row_refusal(&self, place: &str, bytes: Size, max: Size) -> Option<String> {
        (bytes > max).then(|| {
            format!(
                "the row at ctid {place} of {} has {bytes}, and `max_row` of [sync] allows {max}; raise it if this host has four \
                 times as much memory to spare",
                self.label()
            )
        })
    }

    /// Returns the statement that counts its rows and, where wanted, hashes the columns that are not sanitised.
    #[must_use]
    pub fn check(&self, with_checksum: bool) -> String {
        let filter = self.condition.as_ref().map(|condition| format!(" where {condition}")).unwrap_or_default();
        self.check_where(with_checksum, &filter)
    }

    /// Returns the same of the rows whose places the statement takes.
    #[must_use]
    pub fn check_places(&self, with_checksum: bool) -> String {
        self.check_where(with_checksum, " where ctid = any($1)")
    }

    /// Returns the same of the rows that ` where ..` selects.
    #[must_use]
    pub fn check_where(&self, with_checksum: bool, filter: &str) -> String {
        let value = |column: &Column| {
            let name = quoted(&column.name);
            // A collation may call other texts equal, and hashes them by a library whose version is the server's own.
            match column.type_name.as_str() {
                "text" | "varchar" | "bpchar" => format!("{name} collate \"C\""),
                other if column.is_hashable && !other.ends_with("[]") => name,
                _ => format!("{name}::text collate \"C\""),
            }
        };
        let columns: Vec<String> = self.columns.iter().filter(|column| !column.is_sanitised).map(value).collect();
        let checksum = if with_checksum && !columns.is_empty() {
            format!("coalesce(sum({}), 0)::text", mixed(&columns, SEED))
        } else {
            "null::text".to_owned()
        };
        format!("select count(*), {checksum} from only {}{filter}", self.sql())
    }
}

/// Returns the expression of a row's hash, whose sum over rows changes when two rows exchange a value.
///
/// The hash of a record is linear in those of its columns, so a sum of it would be blind to that. One more hash undoes it;
/// that of a float8 takes nearly all of the 64 bits (53) and is cheap.
// Source: record_hash_extended and hashfloat8extended of PostgreSQL.
pub(super) fn mixed(values: &[String], seed: i64) -> String {
    format!("hashfloat8extended(hash_record_extended(row({}), {seed})::float8, {seed})", values.join(", "))
}

/// Returns a name as an SQL identifier.
// Source: PostgreSQL manual 4.1.1: a quote within a quoted identifier is written twice.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
